//! Which new files hold a recording that the store, or one of them that comes earlier, has already.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type, UInt64Type};
use arrow_array::{ArrowPrimitiveType, PrimitiveArray, RecordBatch};
use twox_hash::XxHash3_128;

use crate::convert::budget::{self, LARGE_BYTES};
use crate::convert::folder::OutputFolder;
use crate::convert::parquet_file::TableReader;
use crate::convert::share::share;
use crate::convert::{Progress, Request};
use crate::error::{ParseError, StoreError};
use crate::recording::{Recording, Signal};
use crate::resample::Resampler;
use crate::source::{Entries, EntryReader, FileBuffer};
use crate::xml::{DEFAULT_MAX_BYTES, ParseOptions, Parser};

const COLUMNS: [&str; 6] = ["row", "payload_hash", "sampling_rate_hz", "num_samples", "num_leads_stored", "lsb_uv"];
/// What a payload takes at most, in the table of those that are known and in the list of those that are new.
const PAYLOAD_BYTES: u64 = 112;
/// Files that a thread reads before it looks whether it has to stop.
const BLOCK_FILES: usize = 64;

/// Rows by what they hold: counts, their number and rate, and the gain; a header tells nothing of this.
#[derive(Default)]
pub(super) struct Payloads(HashMap<u128, usize>);

/// Entries, each with the row that holds the same recording.
#[derive(Clone, Debug, Default)]
pub(crate) struct Duplicates {
    pub(crate) entries: Entries,
    pub(crate) rows: Vec<i64>,
}

impl Payloads {
    /// Those of all recordings in the parts of `folder`.
    pub(super) fn of_store(folder: &OutputFolder, num_shards: usize) -> Result<Self, StoreError> {
        let mut payloads = Self::default();
        for shard in 0..num_shards {
            for batch in TableReader::open(folder.record_part(shard), Some(&COLUMNS))? {
                for (key, row) in keys_of(&batch?).into_iter().flatten() {
                    payloads.0.entry(key).or_insert(row);
                }
            }
        }
        Ok(payloads)
    }

    /// Read all of `listed`, whose first new file would get `first_row`, and take from it what is here already; of files that hold the same,
    /// the first stays. What is no recording stays too, to be rejected.
    pub(super) fn sort_out(
        mut self,
        request: &Request,
        listed: &Entries,
        first_row: usize,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<(Entries, Duplicates), StoreError> {
        let (mut new, mut duplicates) = (Entries::default(), Duplicates::default());
        for (entry, key) in listed.iter().zip(keys(request, listed, self.0.len(), on_progress)?) {
            if let Some(&row) = key.and_then(|key| self.0.get(&key)) {
                duplicates.entries.push(&entry);
                duplicates.rows.push(row as i64);
            } else {
                self.0.extend(key.map(|key| (key, first_row + new.len())));
                new.push(&entry);
            }
        }
        Ok((new, duplicates))
    }
}

/// The key and row of each recording in a part of the records.
fn keys_of(batch: &RecordBatch) -> Option<Vec<(u128, usize)>> {
    fn column<'a, T: ArrowPrimitiveType>(batch: &'a RecordBatch, name: &str) -> Option<&'a PrimitiveArray<T>> {
        batch.column_by_name(name)?.as_primitive_opt::<T>()
    }
    let [row, hash, rate, samples, leads, lsb] = COLUMNS;
    let (rows, hashes) = (column::<Int64Type>(batch, row)?, column::<UInt64Type>(batch, hash)?);
    let (rates, lsbs) = (column::<Float64Type>(batch, rate)?, column::<Float32Type>(batch, lsb)?);
    let (samples, leads) = (column::<Int32Type>(batch, samples)?, column::<Int32Type>(batch, leads)?);
    let one = |index| {
        let counts = (hashes.value(index), samples.value(index), leads.value(index));
        (key(counts, rates.value(index), lsbs.value(index)), rows.value(index) as usize)
    };
    Some((0..batch.num_rows()).map(one).collect())
}

/// What each file holds; `None` where it is no recording, or its leads have several gains.
fn keys(
    request: &Request,
    listed: &Entries,
    num_known: usize,
    on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Option<u128>>, StoreError> {
    let max_bytes = request.max_bytes.unwrap_or(DEFAULT_MAX_BYTES);
    let options = ParseOptions { strict: request.strict, keep_statements: false, max_bytes };
    let num_blocks = listed.len().div_ceil(BLOCK_FILES);
    let taken = PAYLOAD_BYTES * (num_known + listed.len()) as u64;
    let left = Request { memory: request.memory.map(|memory| memory.saturating_sub(taken)), ..request.clone() };
    let num_threads = budget::num_threads(&left, listed, num_blocks).map_err(|error| match (error, request.memory) {
        (StoreError::Memory { needed, max_bytes, num_entries, .. }, Some(allowed)) => {
            StoreError::Memory { allowed, needed: needed + taken, max_bytes, num_entries }
        }
        (error, _) => error,
    })?;
    let (keys, large) = (Mutex::new(vec![None; listed.len()]), Mutex::new(()));
    let (num_bytes, started) = (AtomicU64::new(0), Instant::now());
    let mut tick = || {
        let (num_bytes, seconds) = (num_bytes.load(Ordering::Relaxed), started.elapsed().as_secs_f64());
        on_progress(&Progress { num_bytes, seconds, ..Progress::default() })
    };
    share(num_threads, num_blocks, &mut tick, &|block| {
        let (mut reader, mut parser, mut resampler) = (EntryReader::default(), Parser::new(options), Resampler::new());
        let (mut file, mut recording, mut signal) = (FileBuffer::default(), Recording::default(), Signal::default());
        let first = block * BLOCK_FILES;
        let mut read = |index| -> Result<Option<u128>, ParseError> {
            let entry = listed.get(index);
            let is_large = entry.stamp.is_some_and(|stamp| stamp.num_bytes > LARGE_BYTES);
            let _turn = is_large.then(|| large.lock().unwrap_or_else(PoisonError::into_inner));
            reader.read(&entry, max_bytes, &mut file)?;
            num_bytes.fetch_add(file.len() as u64, Ordering::Relaxed);
            parser.parse(&file, &mut recording)?;
            // What the store would not take is no recording here either.
            resampler.to_store(&recording.signal, &mut signal)?;
            let found = &recording.signal;
            let counts = (recording.payload_hash, found.num_samples as i32, i32::from(recording.num_leads_stored));
            // The records of a store keep one gain: where leads differ, they cannot tell two recordings apart, and none is left out.
            let gains = &found.lsb_uv[..found.lead_set.leads().len()];
            let has_one_gain = gains.iter().all(|gain| gain.to_bits() == gains[0].to_bits());
            Ok(has_one_gain.then(|| key(counts, found.sampling_rate_hz, gains[0])))
        };
        let found: Vec<_> = (first..listed.len().min(first + BLOCK_FILES)).map(|index| read(index).ok().flatten()).collect();
        keys.lock().unwrap_or_else(PoisonError::into_inner)[first..first + found.len()].copy_from_slice(&found);
        Ok(())
    })?;
    Ok(keys.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn key((payload_hash, num_samples, num_leads): (u64, i32, i32), sampling_rate_hz: f64, lsb_uv: f32) -> u128 {
    let mut bytes = payload_hash.to_le_bytes().to_vec();
    bytes.extend_from_slice(&sampling_rate_hz.to_le_bytes());
    for part in [num_samples.to_le_bytes(), num_leads.to_le_bytes(), lsb_uv.to_le_bytes()] {
        bytes.extend_from_slice(&part);
    }
    XxHash3_128::oneshot(&bytes)
}

//! One shard: its index, its chunks, and its parts of the tables.

use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt64Type};
use twox_hash::XxHash3_64;

use super::{Check, record_part, rejected_part};
use crate::convert::parquet_file::TableReader;
use crate::error::{PackError, StoreError};
use crate::pack::StoredChunk;
use crate::recording::{STORE_RATE_HZ, STORE_SAMPLES};
use crate::store::codec::ChunkDecoder;
use crate::store::files::failed;
use crate::store::layout::{RECORD_VALUES, SHARD_ROWS, shard_name};
use crate::store::reader::{COUNT_LEADS, COUNT_VALUES};
use crate::store::shard::{NO_CHUNK, ShardIndex, read_exact_at};

/// What the tables say about a recording of the shard.
struct Record {
    row: usize,
    source: String,
    /// Hash of the counts, when the store still has them as the file had them.
    payload_hash: Option<u64>,
}

impl Check<'_> {
    /// Verify a shard; gives its rows and its chunks.
    pub(super) fn shard(&self, shard: usize) -> Result<(u64, u64), StoreError> {
        let first = shard * SHARD_ROWS;
        let num_rows = match (&self.plan, self.layout) {
            (Some(plan), _) => plan.shard_rows(shard).len(),
            (None, Some(layout)) => layout.shard_rows(shard).len(),
            (None, None) => SHARD_ROWS,
        };
        let (name, part) = (shard_name(shard), record_part(shard));
        let path = self.out.join(&name);
        let index = match ShardIndex::read(&path, SHARD_ROWS) {
            Ok(index) => index,
            Err(StoreError::Layout { problem, .. }) => {
                self.report(&name, None, &problem);
                return Ok((num_rows as u64, 0));
            }
            Err(error) => return Err(error),
        };
        let cannot_read = |source| failed("cannot read", &path, source);
        let file = if index.file_bytes == 0 { None } else { Some(File::open(&path).map_err(cannot_read)?) };
        let records = if self.is_sound(&part) { Some(self.records(&part)?) } else { None };
        if !self.is_sound.contains_key(&part) {
            self.report(&part, None, "is missing");
        }
        let codec = self.layout.map(|layout| layout.codec).unwrap_or_default();
        let mut decoder = ChunkDecoder::new(codec);
        let (mut microvolts, mut counts, mut lsb_uv) = (vec![0.0; RECORD_VALUES], vec![0; COUNT_VALUES], [0.0; COUNT_LEADS]);
        let mut expected = records.iter().flatten().peekable();
        let mut bytes = Vec::new();
        for ((row, &offset), &length) in (first..).zip(&index.offsets).zip(&index.lengths) {
            let record = expected.next_if(|record| record.row == row);
            match (length != NO_CHUNK, record.is_some() || records.is_none()) {
                (true, false) => self.report(&name, Some(row), "holds a recording that the records do not list"),
                (false, _) if record.is_some() => {
                    self.report(&name, Some(row), "holds no recording, although the records list one");
                }
                _ => {}
            }
            let Some(file) = file.as_ref().filter(|_| length != NO_CHUNK) else { continue };
            bytes.resize(length as usize, 0);
            read_exact_at(file, &mut bytes, offset).map_err(cannot_read)?;
            let chunk = StoredChunk { bytes: &bytes, ..StoredChunk::default() };
            if let Err(problem) = decoder.microvolts(&chunk, &mut microvolts) {
                self.report(&name, Some(row), &problem.to_string());
                continue;
            }
            let Some(hash) = record.and_then(|record| record.payload_hash) else { continue };
            match decoder.counts(&StoredChunk { is_verified: true, ..chunk }, &mut counts, &mut lsb_uv) {
                Ok(()) if XxHash3_64::oneshot(little_endian(&mut counts)) != hash => {
                    self.report(&name, Some(row), "holds another signal than its payload_hash says");
                }
                Ok(()) | Err(PackError::NotCounts) => {}
                Err(problem) => self.report(&name, Some(row), &problem.to_string()),
            }
        }
        if let Some(record) = expected.next() {
            self.report(&part, Some(record.row), "is no row of this shard, or is out of order");
        }
        self.against_plan(shard, records.as_deref())?;
        Ok((num_rows as u64, index.lengths.iter().filter(|&&length| length != NO_CHUNK).count() as u64))
    }

    /// Every file of the plan is a recording or a rejection, and the recordings are in its rows.
    fn against_plan(&self, shard: usize, records: Option<&[Record]>) -> Result<(), StoreError> {
        let (Some(plan), Some(records)) = (&self.plan, records) else { return Ok(()) };
        let rows = plan.shard_rows(shard);
        for record in records {
            if !rows.contains(&record.row) || plan.entry(record.row).to_string() != record.source {
                self.report(&record_part(shard), Some(record.row), "names another file than the plan");
            }
        }
        let rejected = rejected_part(shard);
        let num_rejected = match self.is_sound.get(&rejected) {
            None => 0,
            Some(false) => return Ok(()),
            Some(true) => {
                let batches = TableReader::open(self.out.join(&rejected), Some(&["kind"]))?;
                batches.map(|batch| batch.map(|batch| batch.num_rows())).sum::<Result<usize, _>>()?
            }
        };
        if records.len() + num_rejected != rows.len() {
            let (found, expected) = (records.len() + num_rejected, rows.len());
            let problem = format!("and its rejected part list {found} files, the plan {expected}");
            self.report(&record_part(shard), None, &problem);
        }
        Ok(())
    }

    fn records(&self, part: &str) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        for batch in TableReader::open(self.out.join(part), None)? {
            let batch = batch?;
            let column = |name| batch.column_by_name(name);
            let whole = |name| column(name).and_then(|found| found.as_primitive_opt::<Int32Type>());
            let flag = |name| column(name).and_then(|found| found.as_boolean_opt());
            let (Some(rows), Some(sources), Some(hashes), Some(rates), Some(lengths), Some(leads)) = (
                column("row").and_then(|found| found.as_primitive_opt::<Int64Type>()),
                column("source").and_then(|found| found.as_string_opt::<i32>()),
                column("payload_hash").and_then(|found| found.as_primitive_opt::<UInt64Type>()),
                column("sampling_rate_hz").and_then(|found| found.as_primitive_opt::<Float64Type>()),
                whole("num_samples"),
                whole("num_leads_stored"),
            ) else {
                self.report(part, None, "lacks a column");
                return Ok(records);
            };
            let is_changed = |row| ["completed", "cut", "resampled"].into_iter().filter_map(flag).any(|flag| flag.value(row));
            records.extend((0..batch.num_rows()).map(|row| {
                let is_native = rates.value(row) == f64::from(STORE_RATE_HZ) && lengths.value(row) == STORE_SAMPLES as i32;
                let is_native = is_native && leads.value(row) == COUNT_LEADS as i32 && !is_changed(row);
                let payload_hash = is_native.then(|| hashes.value(row));
                Record { row: rows.value(row) as usize, source: sources.value(row).to_owned(), payload_hash }
            }));
        }
        Ok(records)
    }
}

fn little_endian(counts: &mut [i16]) -> &[u8] {
    for count in counts.iter_mut() {
        *count = count.to_le();
    }
    bytemuck::cast_slice(counts)
}

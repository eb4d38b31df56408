//! Rows in any order, decoded by a private pool of threads straight into the caller's buffer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{PackError, StoreError};
use crate::pack::{self, StoredChunk};
use crate::recording::STORE_SAMPLES;
use crate::store::chunks::{Access, ShardFiles};
use crate::store::codec::{ChunkDecoder, Codec};
use crate::store::layout::{Layout, RECORD_VALUES, SHARD_ROWS, shard_path};
use crate::store::table::ChunkTable;
use crate::store::threads::Helpers;

/// Leads of a record as counts: I II V1-V6.
pub const COUNT_LEADS: usize = 8;
/// Values of a record as counts.
pub const COUNT_VALUES: usize = COUNT_LEADS * STORE_SAMPLES;

/// Records that a thread takes at a time: long enough that taking costs nothing, short enough that the threads end together.
const TURN: usize = 4;

/// Reads batches of rows from a finished store.
///
/// All shard indexes lie in one table, and all shards are mapped when they fit into memory. The threads belong to the process that opened
/// the reader: after a fork it refuses to work.
pub struct BatchReader {
    group: PathBuf,
    layout: Layout,
    table: Arc<ChunkTable>,
    files: Arc<ShardFiles>,
    held: Option<Held>,
    /// The threads beside the caller's.
    helpers: Option<Arc<Helpers>>,
    owner: u32,
}

/// Chunks in memory of our own, one after the other; those of `ecgpack` were verified when they came there.
struct Held {
    bytes: Vec<u8>,
    /// Where the chunk of each row of the store begins; [`NOT_HELD`] for the others.
    offsets: Vec<u64>,
}

const NOT_HELD: u64 = u64::MAX;

/// What a thread needs to decode.
struct Worker {
    decoder: ChunkDecoder,
    buffer: Vec<u8>,
}

impl BatchReader {
    /// Open the Zarr group at `group`; 0 threads means one a core, at most 8. One thread is the caller's own. Without a chosen `access` the
    /// size of the files decides.
    ///
    /// # Errors
    /// When the store is absent, of another layout, or a shard's index is damaged.
    pub fn open(group: &Path, num_threads: usize, access: Option<Access>) -> Result<Self, StoreError> {
        let layout = Layout::read(group)?;
        let table = ChunkTable::read(group, &layout)?;
        let access = access.unwrap_or_else(|| Access::for_size(table.file_bytes.iter().sum()));
        let files = table.file_bytes.iter().enumerate().map(|(shard, &bytes)| (shard_path(group, shard), bytes)).collect();
        let files = ShardFiles::open(access, files)?;
        let num_threads = match num_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from).min(8),
            chosen => chosen,
        };
        let helpers = if num_threads > 1 { Some(Arc::new(Helpers::new(num_threads - 1)?)) } else { None };
        Ok(Self {
            group: group.to_owned(),
            layout,
            table: Arc::new(table),
            files: Arc::new(files),
            held: None,
            helpers,
            owner: std::process::id(),
        })
    }

    /// What the store's metadata says.
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// How the shard files are read.
    pub fn access(&self) -> Access {
        self.files.access()
    }

    /// Threads that decode, the caller's own among them.
    pub fn num_threads(&self) -> usize {
        1 + self.helpers.as_ref().map_or(0, |helpers| helpers.num_threads())
    }

    /// Write float32 microvolts of `rows` into `out` (rows x 12 x 5000); a row without a recording becomes NaN.
    ///
    /// # Errors
    /// When a row does not exist, its chunk is damaged, or the process is a fork.
    ///
    /// # Panics
    /// When `out` has another length: a mistake of the caller.
    pub fn read_into(&self, rows: &[i64], out: &mut [f32]) -> Result<(), StoreError> {
        assert_eq!(out.len(), rows.len() * RECORD_VALUES, "output of rows x 12 x 5000");
        self.share(rows, out.chunks_exact_mut(RECORD_VALUES), |decoder, chunk, slot| match chunk {
            None => {
                slot.fill(f32::NAN);
                Ok(())
            }
            Some(chunk) => decoder.microvolts(chunk, slot),
        })
    }

    /// Write the counts of `rows` into `out` (rows x 8 x 5000) and the gains in microvolts a count into `lsb_uv` (rows x 8).
    ///
    /// A row without a recording becomes counts of 0 with gains of NaN, so that its microvolts are NaN too.
    ///
    /// # Errors
    /// As [`read_into`](Self::read_into), and when a record is not stored as counts of eight leads.
    ///
    /// # Panics
    /// When an output has another length: a mistake of the caller.
    pub fn read_counts_into(&self, rows: &[i64], out: &mut [i16], lsb_uv: &mut [f32]) -> Result<(), StoreError> {
        assert_eq!(out.len(), rows.len() * COUNT_VALUES, "output of rows x 8 x 5000");
        assert_eq!(lsb_uv.len(), rows.len() * COUNT_LEADS, "gains of rows x 8");
        let (gains, _) = lsb_uv.as_chunks_mut::<COUNT_LEADS>();
        self.share(rows, out.chunks_exact_mut(COUNT_VALUES).zip(gains), |decoder, chunk, (slot, gains)| match chunk {
            None => {
                slot.fill(0);
                gains.fill(f32::NAN);
                Ok(())
            }
            Some(chunk) => decoder.counts(chunk, slot, gains),
        })
    }

    /// Bytes of each row's chunk, 0 for a row without a recording.
    ///
    /// # Errors
    /// When a row does not exist.
    pub fn chunk_bytes(&self, rows: &[i64]) -> Result<Vec<u64>, StoreError> {
        self.check(rows)?;
        Ok(rows.iter().map(|&row| self.table.length(row as usize).map_or(0, u64::from)).collect())
    }

    /// Write the chunks of `rows` as they are stored, one after the other, into `out`; its length is the sum of
    /// [`chunk_bytes`](Self::chunk_bytes). Those of `ecgpack` are checked against their checksums.
    ///
    /// # Errors
    /// As [`read_into`](Self::read_into).
    ///
    /// # Panics
    /// When `out` has another length: a mistake of the caller.
    pub fn read_chunks_into(&self, rows: &[i64], out: &mut [u8]) -> Result<(), StoreError> {
        let lengths = self.chunk_bytes(rows)?;
        assert_eq!(out.len() as u64, lengths.iter().sum::<u64>(), "output of all chunks");
        let mut rest = out;
        let slots: Vec<&mut [u8]> = lengths.iter().filter_map(|&length| rest.split_off_mut(..length as usize)).collect();
        let is_packed = self.layout.codec == Codec::EcgPack;
        self.share(rows, slots.into_iter(), |_, chunk, slot| {
            slot.copy_from_slice(chunk.map_or(&[], |chunk| chunk.bytes));
            if is_packed && !slot.is_empty() { pack::check(slot) } else { Ok(()) }
        })
    }

    /// The same reader with the chunks of `rows` in memory of its own; other rows are read from the files as before.
    ///
    /// # Errors
    /// As [`read_into`](Self::read_into), and when there is no memory for them.
    pub fn holding(&self, rows: &[i64]) -> Result<Self, StoreError> {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows.dedup();
        let lengths = self.chunk_bytes(&rows)?;
        let num_bytes: u64 = lengths.iter().sum();
        let mut bytes = Vec::new();
        if usize::try_from(num_bytes).is_err() || bytes.try_reserve_exact(num_bytes as usize).is_err() {
            return Err(StoreError::Holding { num_bytes });
        }
        bytes.resize(num_bytes as usize, 0);
        self.read_chunks_into(&rows, &mut bytes)?;
        let mut offsets = vec![NOT_HELD; self.layout.num_rows];
        let mut offset = 0;
        for (&row, &length) in rows.iter().zip(&lengths) {
            offsets[row as usize] = offset;
            offset += length;
        }
        Ok(Self {
            group: self.group.clone(),
            layout: self.layout,
            table: Arc::clone(&self.table),
            files: Arc::clone(&self.files),
            held: Some(Held { bytes, offsets }),
            helpers: self.helpers.clone(),
            owner: self.owner,
        })
    }

    /// Do `one` for every row with its chunk and its slot, on the caller's thread and all helpers; the first failure met ends it.
    ///
    /// Whoever is free takes the next few records, so a helper that wakes late, or whose core is busy, delays nobody.
    fn share<S: Send>(
        &self,
        rows: &[i64],
        slots: impl Iterator<Item = S> + Send,
        one: impl Fn(&mut ChunkDecoder, Option<&StoredChunk<'_>>, S) -> Result<(), PackError> + Sync,
    ) -> Result<(), StoreError> {
        self.check(rows)?;
        self.announce(rows);
        let new_worker = || Worker { decoder: ChunkDecoder::new(self.layout.codec), buffer: Vec::new() };
        let read = |worker: &mut Worker, (index, slot): (usize, S)| {
            let next = rows.get(index + 1).and_then(|&row| self.in_memory(row as usize)).unwrap_or_default();
            let row = rows[index] as usize;
            let is_verified = self.layout.codec == Codec::EcgPack && self.held_offset(row).is_some();
            let chunk = self.chunk(row, &mut worker.buffer)?.map(|bytes| StoredChunk { bytes, is_verified, next });
            one(&mut worker.decoder, chunk.as_ref(), slot).map_err(|source| self.damaged(row, source))
        };
        let records = slots.enumerate();
        let Some(helpers) = &self.helpers else {
            let mut worker = new_worker();
            return { records }.try_for_each(|record| read(&mut worker, record));
        };
        let (records, failure) = (Mutex::new(records), Mutex::new(None));
        let work = || {
            let mut worker = new_worker();
            loop {
                let few: Vec<(usize, S)> = lock(&records).by_ref().take(TURN).collect();
                if few.is_empty() || lock(&failure).is_some() {
                    return;
                }
                if let Err(error) = few.into_iter().try_for_each(|record| read(&mut worker, record)) {
                    lock(&failure).get_or_insert(error);
                    return;
                }
            }
        };
        helpers.run(work);
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn check(&self, rows: &[i64]) -> Result<(), StoreError> {
        let child = std::process::id();
        if child != self.owner {
            return Err(StoreError::Forked { owner: self.owner, child });
        }
        let num_rows = self.layout.num_rows as u64;
        match rows.iter().find(|&&row| u64::try_from(row).map_or(true, |row| row >= num_rows)) {
            Some(&row) => Err(StoreError::RowOutOfBounds { row, num_rows }),
            None => Ok(()),
        }
    }

    fn announce(&self, rows: &[i64]) {
        let from_files = rows.iter().map(|&row| row as usize).filter(|&row| self.held_offset(row).is_none());
        self.files.announce(from_files.filter_map(|row| self.table.place(row)));
    }

    fn held_offset(&self, row: usize) -> Option<u64> {
        self.held.as_ref().map(|held| held.offsets[row]).filter(|&offset| offset != NOT_HELD)
    }

    /// The chunk of a row that was checked, where no system call is needed to see it.
    fn in_memory(&self, row: usize) -> Option<&[u8]> {
        let length = self.table.length(row)?;
        match (self.held_offset(row), &self.held) {
            (Some(offset), Some(held)) => held.bytes.get(offset as usize..offset as usize + length as usize),
            _ => self.files.mapped(self.table.place(row)?),
        }
    }

    /// The chunk of a row that was checked; `None` when it holds no recording.
    fn chunk<'a>(&'a self, row: usize, buffer: &'a mut Vec<u8>) -> Result<Option<&'a [u8]>, StoreError> {
        match (self.table.place(row), self.in_memory(row)) {
            (None, _) => Ok(None),
            (_, Some(chunk)) => Ok(Some(chunk)),
            (Some(place), None) => self.files.chunk(place, buffer).map(Some),
        }
    }

    fn damaged(&self, row: usize, source: PackError) -> StoreError {
        StoreError::Chunk { row: row as u64, path: shard_path(&self.group, row / SHARD_ROWS), source }
    }
}

/// A panic on another thread leaves nothing half-done behind these locks.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

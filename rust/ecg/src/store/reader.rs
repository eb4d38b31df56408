//! Rows in any order, decoded by a private pool of threads straight into the caller's buffer.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::error::{PackError, StoreError};
use crate::recording::STORE_SAMPLES;
use crate::store::codec::ChunkDecoder;
use crate::store::layout::{Layout, RECORD_VALUES, SHARD_ROWS, shard_path};
use crate::store::shard::{MappedShard, Place};

/// Leads of a record as counts: I II V1-V6.
pub const COUNT_LEADS: usize = 8;
/// Values of a record as counts.
pub const COUNT_VALUES: usize = COUNT_LEADS * STORE_SAMPLES;

/// Records that a thread takes at a time: long enough that taking costs nothing, short enough that the threads end together.
const TURN: usize = 4;

/// Reads batches of rows from a finished store.
///
/// All shard indexes lie in one table and all shards are mapped, so a row costs no system call. The threads belong to the process that
/// opened the reader: after a fork it refuses to work.
pub struct BatchReader {
    layout: Layout,
    shards: Vec<Option<MappedShard>>,
    places: Vec<Place>,
    /// The threads beside the caller's.
    helpers: Option<rayon::ThreadPool>,
    owner: u32,
}

impl BatchReader {
    /// Open the Zarr group at `group`; 0 threads means one a core, at most 8. One thread is the caller's own.
    ///
    /// # Errors
    /// When the store is absent, of another layout, or a shard's index is damaged.
    pub fn open(group: &Path, num_threads: usize) -> Result<Self, StoreError> {
        let layout = Layout::read(group)?;
        let mut places = Vec::with_capacity(layout.num_rows);
        let mut shards = Vec::with_capacity(layout.num_shards());
        for shard in 0..layout.num_shards() {
            shards.push(MappedShard::open(shard_path(group, shard), layout.shard_rows(shard).len(), &mut places)?);
        }
        let num_threads = match num_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from).min(8),
            chosen => chosen,
        };
        let helpers = match num_threads {
            1 => None,
            _ => Some(
                rayon::ThreadPoolBuilder::new()
                    .num_threads(num_threads - 1)
                    .thread_name(|thread| format!("hfrisk-read-{thread}"))
                    .build()
                    .map_err(|error| StoreError::Threads(error.to_string()))?,
            ),
        };
        Ok(Self { layout, shards, places, helpers, owner: std::process::id() })
    }

    /// What the store's metadata says.
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Threads that decode, the caller's own among them.
    pub fn num_threads(&self) -> usize {
        1 + self.helpers.as_ref().map_or(0, rayon::ThreadPool::current_num_threads)
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
        self.check(rows)?;
        let one = |decoder: &mut ChunkDecoder, row: i64, slot: &mut [f32]| match self.chunk(row) {
            None => {
                slot.fill(f32::NAN);
                Ok(())
            }
            Some((chunk, path)) => decoder.microvolts(chunk, slot).map_err(|source| damaged(row, path, source)),
        };
        let records = rows.iter().zip(out.chunks_exact_mut(RECORD_VALUES));
        self.share(records, |decoder, (&row, slot)| one(decoder, row, slot))
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
        self.check(rows)?;
        let (gains, _) = lsb_uv.as_chunks_mut::<COUNT_LEADS>();
        let one = |decoder: &mut ChunkDecoder, row: i64, slot: &mut [i16], gains: &mut [f32; COUNT_LEADS]| match self.chunk(row) {
            None => {
                slot.fill(0);
                gains.fill(f32::NAN);
                Ok(())
            }
            Some((chunk, path)) => decoder.counts(chunk, slot, gains).map_err(|source| damaged(row, path, source)),
        };
        let records = rows.iter().zip(out.chunks_exact_mut(COUNT_VALUES)).zip(gains);
        self.share(records, |decoder, ((&row, slot), gains)| one(decoder, row, slot, gains))
    }

    /// Do `one` for every record, on the caller's thread and all helpers; the first failure met ends it.
    ///
    /// Whoever is free takes the next few records, so a helper that wakes late, or whose core is busy, delays nobody.
    fn share<R: Send>(
        &self,
        records: impl Iterator<Item = R> + Send,
        one: impl Fn(&mut ChunkDecoder, R) -> Result<(), StoreError> + Sync,
    ) -> Result<(), StoreError> {
        let mut decoder = ChunkDecoder::new(self.layout.codec);
        let Some(helpers) = &self.helpers else {
            return { records }.try_for_each(|record| one(&mut decoder, record));
        };
        let (records, failure) = (Mutex::new(records), Mutex::new(None));
        let work = |decoder: &mut ChunkDecoder| {
            loop {
                let few: Vec<R> = lock(&records).by_ref().take(TURN).collect();
                if few.is_empty() || lock(&failure).is_some() {
                    return;
                }
                if let Err(error) = few.into_iter().try_for_each(|record| one(decoder, record)) {
                    lock(&failure).get_or_insert(error);
                    return;
                }
            }
        };
        helpers.in_place_scope(|scope| {
            for _ in 0..helpers.current_num_threads() {
                scope.spawn(|_| work(&mut ChunkDecoder::new(self.layout.codec)));
            }
            work(&mut decoder);
        });
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

    /// Bytes and shard of a row that was checked; `None` when it holds no recording.
    fn chunk(&self, row: i64) -> Option<(&[u8], &Path)> {
        let row = row as usize;
        let place = self.places[row]?;
        let shard = self.shards[row / SHARD_ROWS].as_ref()?;
        Some((shard.chunk(place), &shard.path))
    }
}

fn damaged(row: i64, path: &Path, source: PackError) -> StoreError {
    StoreError::Chunk { row: row as u64, path: path.to_owned(), source }
}

/// A panic on another thread leaves nothing half-done behind these locks.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The indexes of all shards in one table: twelve bytes a row.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::StoreError;
use crate::store::layout::{Layout, SHARD_ROWS, shard_path};
use crate::store::shard::{NO_CHUNK, ShardIndex};

/// Threads that read indexes: each waits for its disk most of the time.
const MAX_THREADS: usize = 16;
/// Shards for which another thread pays.
const SHARDS_A_THREAD: usize = 32;

/// Where every chunk of a store lies.
pub(crate) struct ChunkTable {
    offsets: Vec<u64>,
    lengths: Vec<u32>,
    /// Bytes of each shard file; 0 for one that does not exist.
    pub(crate) file_bytes: Vec<u64>,
}

impl ChunkTable {
    /// Read the index of every shard of the group at `group`.
    pub(crate) fn read(group: &Path, layout: &Layout) -> Result<Self, StoreError> {
        let num_shards = layout.num_shards();
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Vec::with_capacity(num_shards));
        let read_some = || -> Result<(), StoreError> {
            loop {
                let shard = next.fetch_add(1, Ordering::Relaxed);
                if shard >= num_shards {
                    return Ok(());
                }
                let index = ShardIndex::read(&shard_path(group, shard), layout.shard_rows(shard).len());
                // After a failure there is nothing left to find out.
                let index = index.inspect_err(|_| next.store(num_shards, Ordering::Relaxed))?;
                found.lock().unwrap_or_else(PoisonError::into_inner).push((shard, index));
            }
        };
        std::thread::scope(|scope| {
            let num_threads = (num_shards / SHARDS_A_THREAD).min(MAX_THREADS);
            // A thread that the system does not give is not needed.
            let helpers: Vec<_> =
                (1..num_threads).filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, read_some).ok()).collect();
            let ours = read_some();
            helpers.into_iter().fold(ours, |first, helper| first.and(helper.join().unwrap_or(Ok(()))))
        })?;
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_unstable_by_key(|(shard, _)| *shard);
        let mut table = Self {
            offsets: Vec::with_capacity(layout.num_rows),
            lengths: Vec::with_capacity(layout.num_rows),
            file_bytes: Vec::with_capacity(num_shards),
        };
        for (_, index) in found {
            table.offsets.extend(index.offsets);
            table.lengths.extend(index.lengths);
            table.file_bytes.push(index.file_bytes);
        }
        Ok(table)
    }

    /// Bytes of a row's chunk; `None` when it holds no recording.
    pub(crate) fn length(&self, row: usize) -> Option<u32> {
        Some(self.lengths[row]).filter(|&length| length != NO_CHUNK)
    }

    /// Shard, offset and length of a row's chunk; `None` when it holds no recording.
    pub(crate) fn place(&self, row: usize) -> Option<(usize, u64, u32)> {
        self.length(row).map(|length| (row / SHARD_ROWS, self.offsets[row], length))
    }
}

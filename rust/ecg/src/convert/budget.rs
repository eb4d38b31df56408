//! How many threads fit into the memory that a run may take.

use crate::convert::Request;
use crate::error::StoreError;
use crate::source::Entries;
use crate::xml::DEFAULT_MAX_BYTES;

/// The process before its first file (the program, its libraries, Python), and joining the tables. Measured: 28 MB, and 30 for joining.
const BASE_BYTES: u64 = 80 << 20;
/// What a thread's buffers, its tables and the shard that waits for the disk take. Measured: 3 MB with files of 107 KB; nine times the largest
/// file that needs no turn must fit too.
const THREAD_BYTES: u64 = 12 << 20;
/// A file may come back so many times in buffers (its packed bytes, its text in UTF-8, its counts); the parser's tests measure it.
const FILE_TIMES: u64 = 9;
/// Files above this take turns, and leave no buffer behind.
pub(crate) const LARGE_BYTES: u64 = 1 << 20;

/// The number of threads for a plan of `entries` in `num_shards` unfinished shards.
///
/// # Errors
/// When not even one thread fits into the memory that the request allows.
pub(crate) fn num_threads(request: &Request, entries: &Entries, num_shards: usize) -> Result<usize, StoreError> {
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = if request.num_threads == 0 { available() } else { request.num_threads }.min(num_shards);
    let Some(memory) = request.memory else { return Ok(wanted) };
    // One large file at a time, and the plan twice: while it is made, both its parts and the whole are there.
    let max_bytes = request.max_bytes.unwrap_or(DEFAULT_MAX_BYTES);
    let fixed = BASE_BYTES + 2 * entries.memory_bytes() + FILE_TIMES * max_bytes;
    let fitting = memory.saturating_sub(fixed) / THREAD_BYTES;
    if fitting == 0 {
        return Err(StoreError::Memory { allowed: memory, needed: fixed + THREAD_BYTES, max_bytes, num_entries: entries.len() });
    }
    Ok(wanted.min(fitting as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(memory: Option<u64>, num_threads: usize) -> Result<usize, StoreError> {
        let request = Request { memory, num_threads, max_bytes: Some(1 << 20), ..Request::default() };
        super::num_threads(&request, &Entries::default(), 100)
    }

    #[test]
    fn as_many_threads_run_as_fit() {
        assert_eq!(threads(None, 64).ok(), Some(64));
        assert_eq!(threads(Some(1 << 40), 64).ok(), Some(64));
        let fixed = BASE_BYTES + FILE_TIMES * (1 << 20);
        assert_eq!(threads(Some(fixed + 3 * THREAD_BYTES), 64).ok(), Some(3));
        assert_eq!(threads(Some(fixed + THREAD_BYTES), 64).ok(), Some(1));
    }

    #[test]
    fn too_little_is_refused_with_what_is_needed() {
        let error = threads(Some(10 << 20), 1).err();
        let text = error.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(text, "10 MB of memory are too little: 101 MB are needed for 0 files of up to 1 MB");
        assert!(error.and_then(|error| error.hint()).is_some());
    }
}

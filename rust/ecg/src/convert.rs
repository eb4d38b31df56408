//! From files to a store: a frozen plan, shards in parallel, a record part as the mark that a shard is done.
//!
//! ```text
//! caller's thread     list sources -> plan.parquet -> wait, report progress, answer Ctrl-C -> join parts -> records.parquet
//! worker threads      next shard number -> read -> parse -> resample -> pack -> files without a name
//!   and their helpers   -> disk -> shard file -> rejected part -> record part
//! ```
//!
//! The workers share one atomic counter and nothing else. What a shard holds depends on its number and the plan only, so the bytes are the
//! same whatever the number of threads, and a run that was killed continues with the shards whose record part is missing.

mod budget;
mod folder;
mod parquet_file;
mod plan;
mod records;
mod summary;
mod worker;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};
use std::time::{Duration, Instant};

pub use records::measurements;
pub use summary::Summary;

use crate::error::StoreError;
use crate::store::Codec;
use crate::store::layout::{Layout, group_path};
use folder::OutputFolder;
use plan::Plan;
use worker::{Counters, Worker, WrittenShard};

/// How often the caller hears of progress, and can cancel.
const TICK: Duration = Duration::from_millis(50);

/// What to convert, and how.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Folders, glob patterns, lists of paths (`.txt`) and files, see [`crate::source::list`].
    pub sources: Vec<PathBuf>,
    /// The output folder.
    pub out: PathBuf,
    /// Worker threads; 0 means one a core.
    pub num_threads: usize,
    /// How chunks are stored.
    pub codec: Codec,
    /// Reject what would otherwise only be flagged.
    pub strict: bool,
    /// Keep the lines of the diagnosis in the records.
    pub keep_statements: bool,
    /// Reject files larger than this many bytes; `None` is [`crate::xml::DEFAULT_MAX_BYTES`].
    pub max_bytes: Option<u64>,
    /// Bytes of memory that the run may take: fewer threads run where they would not fit. `None` sets no bound.
    pub memory: Option<u64>,
    /// Remove a store of ours that stands at `out` already.
    pub overwrite: bool,
}

/// How far a conversion is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Files in the plan; 0 while the sources are being listed.
    pub num_files: u64,
    /// Files done, those of an earlier run included.
    pub num_done: u64,
    /// Files that an earlier run had done.
    pub num_resumed: u64,
    /// Files rejected in this run.
    pub num_rejected: u64,
    /// Bytes read in this run.
    pub num_bytes: u64,
    /// Seconds since the workers began.
    pub seconds: f64,
}

/// Convert, or continue a conversion; `on_progress` is called about twenty times a second on the caller's thread and may stop the run.
///
/// # Errors
/// When the sources cannot be listed, the output folder holds something else or cannot be written, or the run was cancelled. A file that
/// cannot be converted is no error: it is listed in `rejected.parquet`.
pub fn convert(request: &Request, on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Result<Summary, StoreError> {
    let started = Instant::now();
    let folder = OutputFolder::claim(&request.out)?;
    let plan = Plan::open_or_make(request, &folder, &mut ticker(on_progress, Progress::default()))?;
    let layout = Layout { num_rows: plan.num_files(), codec: request.codec };
    if folder.is_complete() {
        return summary::of_complete(&folder, &plan, &Progress::default(), started.elapsed());
    }
    let todo: Vec<usize> = (0..layout.num_shards()).filter(|&shard| !folder.has_part(shard)).collect();
    let done = run_workers(request, &folder, &plan, layout, &todo, on_progress)?;
    records::join_parts(&folder, layout.num_shards(), request.keep_statements, &mut ticker(on_progress, done))?;
    summary::of_complete(&folder, &plan, &done, started.elapsed())
}

/// Reports an unchanging state at every tick of a phase that has no numbers of its own, so that it can be cancelled too.
fn ticker(on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>, state: Progress) -> impl FnMut() -> Result<(), StoreError> {
    let mut last = Instant::now();
    move || {
        if last.elapsed() < TICK {
            return Ok(());
        }
        last = Instant::now();
        if on_progress(&state).is_break() { Err(StoreError::Cancelled) } else { Ok(()) }
    }
}

/// Convert the shards of `todo` and describe the array; gives the state at the end.
fn run_workers(
    request: &Request,
    folder: &OutputFolder,
    plan: &Plan,
    layout: Layout,
    todo: &[usize],
    on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Progress, StoreError> {
    let num_threads = budget::num_threads(request, plan.entries(), todo.len())?;
    let num_todo: usize = todo.iter().map(|&shard| layout.shard_rows(shard).len()).sum();
    let num_resumed = (layout.num_rows - num_todo) as u64;
    let (counters, next, stop) = (Counters::default(), AtomicUsize::new(0), AtomicBool::new(false));
    let started = Instant::now();
    let progress = || Progress {
        num_files: layout.num_rows as u64,
        num_done: num_resumed + counters.num_done.load(Ordering::Relaxed),
        num_resumed,
        num_rejected: counters.num_rejected.load(Ordering::Relaxed),
        num_bytes: counters.num_bytes.load(Ordering::Relaxed),
        seconds: started.elapsed().as_secs_f64(),
    };
    let work = |_alive: std::sync::mpsc::Sender<()>| -> Result<(), StoreError> {
        let result = std::thread::scope(|scope| {
            let (written, waiting) = sync_channel(1);
            let commit = move || waiting.into_iter().try_for_each(WrittenShard::commit);
            let name = || std::thread::current().name().unwrap_or_default().to_owned() + "-disk";
            let committer = std::thread::Builder::new().name(name()).spawn_scoped(scope, commit);
            let committer = committer.map_err(|error| StoreError::Threads(error.to_string()))?;
            let converted = Worker::new(request, folder, plan, &counters, &stop).and_then(|mut worker| {
                while let Some(&shard) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Nobody takes it when an earlier shard could not be written.
                    written.send(worker.convert_shard(shard, layout.shard_rows(shard))?).map_err(|_| StoreError::Cancelled)?;
                }
                Ok(())
            });
            drop(written);
            committer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(converted)
        });
        if result.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        result
    };
    let mut cancelled = on_progress(&progress()).is_break();
    let results = std::thread::scope(|scope| {
        stop.store(cancelled, Ordering::Relaxed);
        let (alive, all_ended) = channel();
        let workers: Vec<_> = (0..num_threads)
            .map(|thread| {
                let (work, alive) = (&work, alive.clone());
                std::thread::Builder::new().name(format!("hfrisk-convert-{thread}")).spawn_scoped(scope, move || work(alive))
            })
            .collect();
        drop(alive);
        // What only the end of the run needs goes to disk meanwhile.
        let described = layout.write(&group_path(folder.path()), folder.temporary());
        if described.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        // A worker's sender is dropped when it ends, even by a panic, so the last tick comes at once.
        while all_ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if !cancelled && on_progress(&progress()).is_break() {
                cancelled = true;
                stop.store(true, Ordering::Relaxed);
            }
        }
        let join = |worker: std::io::Result<std::thread::ScopedJoinHandle<'_, _>>| match worker {
            Ok(handle) => handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(error) => Err(StoreError::Threads(error.to_string())),
        };
        workers.into_iter().map(join).chain([described]).collect::<Vec<Result<(), StoreError>>>()
    });
    // A worker that was only told to stop says less than the one that failed.
    let failure = results.into_iter().filter_map(Result::err).min_by_key(|error| matches!(error, StoreError::Cancelled));
    match failure {
        Some(error) => Err(error),
        None if cancelled || on_progress(&progress()).is_break() => Err(StoreError::Cancelled),
        None => Ok(progress()),
    }
}

/// Name of a shard's files among the parts, such as `part-00012.parquet`.
fn part_name(prefix: &str, shard: usize) -> String {
    format!("{prefix}-{shard:05}.parquet")
}

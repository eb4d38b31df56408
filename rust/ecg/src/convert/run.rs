//! The threads of a conversion.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};
use std::time::Instant;

use crate::convert::folder::OutputFolder;
use crate::convert::plan::Plan;
use crate::convert::share::threads_for;
use crate::convert::worker::{Counters, Worker, WrittenShard};
use crate::convert::{Progress, TICK};
use crate::error::StoreError;
use crate::store::layout::Layout;

/// Convert the shards of `todo` and describe the array; gives the state at the end. `meanwhile` is called at every tick.
pub(crate) fn run_workers(
    num_threads: usize,
    folder: &OutputFolder,
    plan: &Plan,
    todo: &[usize],
    meanwhile: &mut dyn FnMut() -> Result<(), StoreError>,
    on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Progress, StoreError> {
    let num_threads = threads_for(num_threads, todo.len());
    let num_todo: usize = todo.iter().map(|&shard| plan.shard_rows(shard).len()).sum();
    let num_resumed = (plan.num_files() - num_todo) as u64;
    let (counters, next, stop) = (Counters::default(), AtomicUsize::new(0), AtomicBool::new(false));
    let started = Instant::now();
    let progress = || Progress {
        num_files: plan.num_files() as u64,
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
            let name = || std::thread::current().name().unwrap_or_default().replace("work", "disk");
            let committer = std::thread::Builder::new().name(name()).spawn_scoped(scope, commit);
            let committer = committer.map_err(|error| StoreError::Threads(error.to_string()))?;
            let converted = Worker::new(folder, plan, &counters, &stop).and_then(|mut worker| {
                while let Some(&shard) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Nobody takes it when an earlier shard could not be written.
                    written.send(worker.convert_shard(shard, plan.shard_rows(shard))?).map_err(|_| StoreError::Cancelled)?;
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
                std::thread::Builder::new().name(format!("hfrisk-work-{thread}")).spawn_scoped(scope, move || work(alive))
            })
            .collect();
        drop(alive);
        // What only the end of the run needs goes to disk meanwhile.
        let layout = Layout { num_rows: plan.num_rows(), codec: plan.settings.codec };
        let is_described = plan.has_grown() || Layout::read(&folder.group()).is_ok_and(|found| found == layout);
        let mut aside = if is_described { Ok(()) } else { layout.write(&folder.group(), folder.temporary()) };
        // A worker's sender is dropped when it ends, even by a panic, so the last tick comes at once.
        while all_ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            aside = aside.and_then(|()| meanwhile());
            if aside.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            if !cancelled && on_progress(&progress()).is_break() {
                cancelled = true;
                stop.store(true, Ordering::Relaxed);
            }
        }
        let join = |worker: std::io::Result<std::thread::ScopedJoinHandle<'_, _>>| match worker {
            Ok(handle) => handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(error) => Err(StoreError::Threads(error.to_string())),
        };
        workers.into_iter().map(join).chain([aside]).collect::<Vec<Result<(), StoreError>>>()
    });
    // A worker that was only told to stop says less than the one that failed.
    let failure = results.into_iter().filter_map(Result::err).min_by_key(|error| matches!(error, StoreError::Cancelled));
    match failure {
        Some(error) => Err(error),
        None if cancelled || on_progress(&progress()).is_break() => Err(StoreError::Cancelled),
        None => Ok(progress()),
    }
}

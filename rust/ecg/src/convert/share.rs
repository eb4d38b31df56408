//! Work that is shared among threads, item by item, while the caller's thread answers Ctrl-C.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};

use crate::convert::TICK;
use crate::error::StoreError;

/// Threads for so many pieces of work; 0 asks for one a core.
pub(crate) fn threads_for(num_threads: usize, num_items: usize) -> usize {
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    if num_threads == 0 { available() } else { num_threads }.min(num_items)
}

/// Do `work` for every number below `num_items`; the first failure ends it.
pub(crate) fn share(
    num_threads: usize,
    num_items: usize,
    on_tick: &mut dyn FnMut() -> ControlFlow<()>,
    work: &(dyn Fn(usize) -> Result<(), StoreError> + Sync),
) -> Result<(), StoreError> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let results = std::thread::scope(|scope| {
        let (alive, all_ended) = channel::<()>();
        let workers: Vec<_> = (0..threads_for(num_threads, num_items))
            .map(|_| {
                let (alive, next, stop) = (alive.clone(), &next, &stop);
                scope.spawn(move || {
                    let _alive = alive;
                    while !stop.load(Ordering::Relaxed) {
                        let item = next.fetch_add(1, Ordering::Relaxed);
                        if item >= num_items {
                            break;
                        }
                        work(item).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
                    }
                    Ok(())
                })
            })
            .collect();
        drop(alive);
        let mut cancelled = false;
        while all_ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if !cancelled && on_tick().is_break() {
                cancelled = true;
                stop.store(true, Ordering::Relaxed);
            }
        }
        let results = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        let mut results: Vec<Result<(), StoreError>> = results.collect();
        results.extend(cancelled.then_some(Err(StoreError::Cancelled)));
        results
    });
    results.into_iter().collect()
}

//! The threads that help whoever asks for a batch.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::error::StoreError;

/// How long the caller watches for the end of the helpers before it sleeps. They have a few records left, and waking it would take as
/// long as those: two threads decode 256 recordings of counts some 3 % faster with this.
const WATCHED: Duration = Duration::from_micros(50);

/// Threads that sleep until there is work.
pub(super) struct Helpers(rayon::ThreadPool);

impl Helpers {
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn new(num_threads: usize) -> Result<Self, StoreError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(num_threads)
            .thread_name(|thread| format!("hfrisk-read-{thread}"))
            .build()
            .map_err(|error| StoreError::Threads(error.to_string()))?;
        Ok(Self(pool))
    }

    pub(super) fn num_threads(&self) -> usize {
        self.0.current_num_threads()
    }

    /// Run `work` once on the caller's thread and once on every helper's, and return when all have ended.
    pub(super) fn run(&self, work: impl Fn() + Sync) {
        let num_running = AtomicUsize::new(self.num_threads());
        self.0.in_place_scope(|scope| {
            for _ in 0..self.num_threads() {
                scope.spawn(|_| {
                    work();
                    num_running.fetch_sub(1, Ordering::Release);
                });
            }
            work();
            let begin = Instant::now();
            while num_running.load(Ordering::Acquire) > 0 && begin.elapsed() < WATCHED {
                std::hint::spin_loop();
            }
        });
    }
}

//! One conversion by many processes: one leads it, the others convert the shards that it hands out.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::convert::folder::{Claim, OutputFolder, PLAN, part_lock};
use crate::convert::plan::Plan;
use crate::convert::{Progress, Request, Summary, TICK, begun, checksums, close_all, run, todo};
use crate::error::StoreError;
use crate::source::Stamp;
use crate::store::files::failed;

/// The leader takes the place of the only part, so that neither parts nor another leader can be there at the same time.
const LEADER: (usize, usize) = (1, 1);
/// How often a helper looks whether its leader is still there.
const LOOK: Duration = Duration::from_millis(500);
/// How long the leader waits at the end for helpers that it believes dead.
const PATIENCE: Duration = Duration::from_secs(10);

/// A conversion whose shards others convert, as [`ShardConverter`], in any process on any machine that sees the folder.
pub struct SharedConversion {
    folder: OutputFolder,
    plan: Plan,
    plan_id: u128,
    todo: Vec<usize>,
    started: Instant,
}

impl SharedConversion {
    /// Make or continue the plan of a conversion. Nobody but helpers writes to the folder as long as this lives, and helpers stop when it ends.
    ///
    /// # Errors
    /// As [`convert`](crate::convert::convert).
    pub fn begin(request: &Request, on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Result<Self, StoreError> {
        let started = Instant::now();
        let mut num_skipped = 0;
        if request.overwrite {
            let folder = OutputFolder::claim(&request.out, Claim::Whole)?;
            num_skipped = Plan::open_or_make(request, &folder, on_progress)?.num_skipped;
        }
        let folder = OutputFolder::claim(&request.out, Claim::Part(LEADER.0, LEADER.1))?;
        let mut plan = Plan::open_or_make(&Request { overwrite: false, ..request.clone() }, &folder, on_progress)?;
        plan.num_skipped = plan.num_skipped.max(num_skipped);
        let plan_id = checksums::of_file(&folder.plan(), &mut |_| ())?;
        let todo = if folder.is_complete() { Vec::new() } else { todo(&folder, &plan).collect() };
        Ok(Self { folder, plan, plan_id, todo, started })
    }

    /// What tells this plan from any other.
    pub const fn plan_id(&self) -> u128 {
        self.plan_id
    }

    /// Files in the plan.
    pub fn num_files(&self) -> usize {
        self.plan.num_files()
    }

    /// The shards that are to be done, and the files in each.
    pub fn shards(&self) -> impl Iterator<Item = (usize, usize)> {
        self.todo.iter().map(|&shard| (shard, self.plan.shard_rows(shard).len()))
    }

    /// The first file of a shard, or the archive that holds it.
    pub fn first_source(&self, shard: usize) -> PathBuf {
        self.plan.entry(self.plan.shard_rows(shard).start).path()
    }

    /// Close the store when the helpers have done every shard; `num_rejected` and `num_bytes` are theirs.
    ///
    /// # Errors
    /// When a shard is missing, a helper is still writing, or the tables cannot be written.
    pub fn close(
        self,
        num_threads: usize,
        (num_rejected, num_bytes): (u64, u64),
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Summary, StoreError> {
        let Self { folder, plan, started, todo, .. } = self;
        let num_files = plan.num_files() as u64;
        let num_read: usize = todo.iter().map(|&shard| plan.shard_rows(shard).len()).sum();
        let done = Progress {
            num_files,
            num_done: num_files,
            num_resumed: num_files - num_read as u64,
            num_rejected,
            num_bytes,
            seconds: started.elapsed().as_secs_f64(),
        };
        let out = folder.path().to_owned();
        drop(folder);
        let ended = Instant::now();
        let folder = loop {
            match OutputFolder::claim(&out, Claim::Whole) {
                Err(StoreError::Layout { .. }) if ended.elapsed() < PATIENCE => std::thread::sleep(TICK),
                claimed => break claimed?,
            }
            if on_progress(&done).is_break() {
                return Err(StoreError::Cancelled);
            }
        };
        close_all(&folder, &plan, num_threads, done, started, on_progress)
    }
}

/// Converts shards of somebody's [`SharedConversion`]. Reads the plan once, and again only when it has changed.
pub struct ShardConverter {
    out: PathBuf,
    known: Mutex<Option<KnownPlan>>,
}

#[derive(Clone)]
struct KnownPlan {
    stamp: Stamp,
    id: u128,
    plan: Arc<Plan>,
}

impl ShardConverter {
    /// A converter for the folder at `out`, which is not looked at yet.
    pub fn new(out: &Path) -> Self {
        Self { out: out.to_owned(), known: Mutex::new(None) }
    }

    /// What tells the plan in the folder from any other.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn plan_id(&self) -> Result<u128, StoreError> {
        self.current().map(|known| known.id)
    }

    /// Convert `shards` of the plan `plan_id`; those that are done already are left alone.
    ///
    /// # Errors
    /// When the folder holds another plan or cannot be written, or when the leader has ended ([`StoreError::Cancelled`]).
    pub fn convert(
        &self,
        plan_id: u128,
        shards: &[usize],
        num_threads: usize,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Progress, StoreError> {
        begun(&self.out)?;
        let folder = OutputFolder::claim(&self.out, Claim::Helper)?;
        let KnownPlan { id, plan, .. } = self.current()?;
        if id != plan_id {
            return Err(StoreError::Layout {
                path: self.out.clone(),
                problem: "holds another plan than that of the run which gave out its shards".to_owned(),
                hint: "let all workers see OUT on one file system, under one path",
            });
        }
        let todo: Vec<usize> =
            shards.iter().copied().filter(|&shard| shard < plan.num_shards() && !folder.has_part(shard)).collect();
        let leader = folder.path().join(part_lock(LEADER.0, LEADER.1));
        let (mut was_there, mut last) = (leader.exists(), Instant::now());
        run::run_workers(num_threads, &folder, &plan, &todo, &mut || Ok(()), &mut |progress| {
            if last.elapsed() >= LOOK {
                last = Instant::now();
                let is_there = leader.exists();
                // A network file system may not show the leader's name yet; that it has gone is news only where it was seen.
                if was_there && !is_there {
                    return ControlFlow::Break(());
                }
                was_there |= is_there;
            }
            on_progress(progress)
        })
    }

    fn current(&self) -> Result<KnownPlan, StoreError> {
        begun(&self.out)?;
        let path = self.out.join(PLAN);
        let stamp = Stamp::of(&path.metadata().map_err(|source| failed("cannot read", &path, source))?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.as_ref().filter(|known| known.stamp == stamp) {
            return Ok(found.clone());
        }
        let id = checksums::of_file(&path, &mut |_| ())?;
        let found = KnownPlan { stamp, id, plan: Arc::new(Plan::read(&self.out)?) };
        Ok(known.insert(found).clone())
    }
}

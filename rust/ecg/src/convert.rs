//! From files to a store: a frozen plan, shards in parallel, a record part as the mark that a shard is done.
//!
//! ```text
//! caller's thread     list sources -> plan.parquet -> report progress, answer Ctrl-C, join the parts that are there -> records.parquet
//! worker threads      next shard number -> read -> parse -> resample -> pack -> files without a name
//!   and their helpers   -> disk -> shard file -> rejected part -> record part
//! ```
//!
//! The workers share one atomic counter and nothing else. What a shard holds depends on its number and the plan only, so the bytes are the
//! same whatever the number of threads, and a run that was killed continues with the shards whose record part is missing.

mod budget;
mod checksums;
mod folder;
mod join;
mod parquet_file;
mod plan;
mod records;
mod run;
mod share;
mod shared;
mod summary;
mod verify;
mod worker;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use records::measurements;
pub use shared::{ShardConverter, SharedConversion};
pub use summary::Summary;
pub use verify::{Damage, Verification, verify};

use crate::error::StoreError;
use crate::store::Codec;
use crate::store::layout::Layout;
use folder::{Claim, OutputFolder, PLAN};
use join::Join;
use plan::Plan;

/// How often the caller hears of progress, and can cancel.
const TICK: Duration = Duration::from_millis(50);

/// Which files a store is said to have already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SkipBy {
    /// Those with the same path, size and time.
    #[default]
    File,
    /// Also those that hold a recording which the store, or a new file that comes earlier, has: every new file is read once more.
    Payload,
}

impl SkipBy {
    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "file" => Some(Self::File),
            "payload" => Some(Self::Payload),
            _ => None,
        }
    }
}

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
    /// Which new files are not converted.
    pub skip_by: SkipBy,
    /// Remove a store of ours that stands at `out` already.
    pub overwrite: bool,
    /// Convert only the shards of part `.0` (from 1) of `.1`, and leave the store to [`finish`].
    pub part: Option<(usize, usize)>,
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
    let claim = request.part.map_or(Claim::Whole, |(part, num_parts)| Claim::Part(part, num_parts));
    let folder = OutputFolder::claim(&request.out, claim)?;
    let plan = Plan::open_or_make(request, &folder, on_progress)?;
    if folder.is_complete() {
        return summary::of_complete(&folder, &plan, &Progress::default(), started.elapsed());
    }
    let (part, num_parts) = request.part.unwrap_or((1, 1));
    let todo: Vec<usize> = todo(&folder, &plan).filter(|shard| shard % num_parts == part - 1).collect();
    let num_threads = budget::num_threads(request, plan.entries(), todo.len())?;
    if request.part.is_some() {
        let done = run::run_workers(num_threads, &folder, &plan, &todo, &mut || Ok(()), on_progress)?;
        return summary::of_parts(&folder, &plan, &done, started.elapsed());
    }
    let mut join = Join::begin(&folder, &plan)?;
    let done = run::run_workers(num_threads, &folder, &plan, &todo, &mut || join.advance(TICK), on_progress)?;
    close(&folder, &plan, join, num_threads, done, on_progress)?;
    summary::of_complete(&folder, &plan, &done, started.elapsed())
}

/// Close a store whose shards are all done.
///
/// # Errors
/// When a shard is missing, somebody is still writing, or the tables cannot be written.
pub fn finish(
    out: &Path,
    num_threads: usize,
    on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Summary, StoreError> {
    let started = Instant::now();
    begun(out)?;
    let folder = OutputFolder::claim(out, Claim::Whole)?;
    let plan = Plan::read(folder.path())?;
    close_all(&folder, &plan, num_threads, Progress::default(), started, on_progress)
}

/// Refuse a folder without a plan, before anything in it is changed.
fn begun(out: &Path) -> Result<(), StoreError> {
    if out.join(PLAN).exists() {
        return Ok(());
    }
    Err(StoreError::Layout {
        path: out.to_owned(),
        problem: "holds no conversion that was begun".to_owned(),
        hint: "name OUT of an earlier hfrisk-convert SOURCE OUT",
    })
}

/// Close the store of a plan, unless it is closed already; `done` is what this run did.
fn close_all(
    folder: &OutputFolder,
    plan: &Plan,
    num_threads: usize,
    done: Progress,
    started: Instant,
    on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Summary, StoreError> {
    if !folder.is_complete() {
        let num_missing = todo(folder, plan).count();
        if num_missing > 0 {
            return Err(StoreError::Layout {
                path: folder.path().to_owned(),
                problem: format!("lacks {num_missing} of {} shards", plan.num_shards()),
                hint: "run the parts that are missing, or the command without --part, which does all that is left",
            });
        }
        close(folder, plan, Join::begin(folder, plan)?, num_threads, done, on_progress)?;
    }
    summary::of_complete(folder, plan, &done, started.elapsed())
}

fn todo<'a>(folder: &'a OutputFolder, plan: &Plan) -> impl Iterator<Item = usize> + use<'a> {
    (0..plan.num_shards()).filter(|&shard| !folder.has_part(shard))
}

/// Write what describes the whole store, the checksums last.
fn close(
    folder: &OutputFolder,
    plan: &Plan,
    join: Join<'_>,
    num_threads: usize,
    done: Progress,
    on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    // The array grows before the records, so that no record ever names a row that is not there.
    let layout = Layout { num_rows: plan.num_rows(), codec: plan.settings.codec };
    if !Layout::read(&folder.group()).is_ok_and(|found| found == layout) {
        layout.write(&folder.group(), folder.temporary())?;
    }
    let known = join.finish(&mut ticker(on_progress, done))?;
    checksums::write(folder, &known, num_threads, &mut || on_progress(&done))
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

/// Name of a shard's files among the parts, such as `part-00012.parquet`.
fn part_name(prefix: &str, shard: usize) -> String {
    format!("{prefix}-{shard:05}.parquet")
}

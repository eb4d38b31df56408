//! Whether a finished store is what was written: every byte by its checksum, every chunk by decoding it, every table by the others.

mod shard;
mod tables;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::convert::checksums::{self, Checksums};
use crate::convert::folder::{CHECKSUMS, PLAN, RECORDS, REJECTED, record_part, rejected_part};
use crate::convert::plan::Plan;
use crate::convert::share::share;
use crate::convert::{Progress, TICK};
use crate::error::StoreError;
use crate::store::files::failed;
use crate::store::layout::{GROUP_NAME, Layout};

/// One thing that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The file, relative to OUT.
    pub file: String,
    /// The row; `None` when the damage is not that of a single row.
    pub row: Option<u64>,
    /// What is wrong.
    pub problem: String,
}

/// What was read, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verification {
    /// Rows of the store.
    pub num_rows: u64,
    /// Rows that hold a recording, each of which was decoded.
    pub num_recordings: u64,
    /// Files that were read.
    pub num_files: u64,
    /// Bytes of these.
    pub num_bytes: u64,
    /// What is wrong, sorted by file and row; empty for a sound store.
    pub damages: Vec<Damage>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Read everything in the store at `out` and tell what is damaged. Nothing is written; `on_progress` counts rows and may stop it.
///
/// # Errors
/// When there is no store, it is not complete, or a file cannot be read for another reason than damage.
pub fn verify(
    out: &Path,
    num_threads: usize,
    on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Verification, StoreError> {
    let started = Instant::now();
    let listed = listed(out)?;
    let found: Checksums = checksums::files(out)?.into_iter().map(|name| (name, 0)).collect();
    let mut check = Check { out, is_sound: BTreeMap::new(), plan: None, layout: None, damages: Mutex::default() };
    let Some(listed) = listed else {
        check.report(CHECKSUMS, None, "is damaged");
        return Ok(Verification {
            damages: check.into_damages(),
            seconds: started.elapsed().as_secs_f64(),
            ..Verification::default()
        });
    };
    let names: Vec<&String> = listed.keys().chain(found.keys().filter(|name| !listed.contains_key(*name))).collect();
    let (num_done, num_bytes, num_recordings) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let mut tick = |num_files: u64| {
        on_progress(&Progress {
            num_files,
            num_done: num_done.load(Ordering::Relaxed),
            num_bytes: num_bytes.load(Ordering::Relaxed),
            seconds: started.elapsed().as_secs_f64(),
            ..Progress::default()
        })
    };
    let sound = Mutex::new(BTreeMap::new());
    share(num_threads, names.len(), &mut || tick(0), &|item| {
        let name = names[item];
        let problem = match (listed.get(name), found.contains_key(name)) {
            (None, _) => Some("is not a file of this store"),
            (Some(_), false) => Some("is missing"),
            (Some(expected), true) => {
                let counted = &mut |bytes| {
                    num_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                };
                (checksums::of_file(&out.join(name), counted)? != *expected).then_some("differs from its checksum")
            }
        };
        sound.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), problem.is_none());
        if let Some(problem) = problem {
            check.report(name, None, problem);
        }
        Ok(())
    })?;
    check.is_sound = sound.into_inner().unwrap_or_else(PoisonError::into_inner);
    check.read_descriptions();
    let num_shards = check.plan.as_ref().map_or_else(|| check.layout.map_or(0, |layout| layout.num_shards()), Plan::num_shards);
    let num_rows = check.layout.map_or(0, |layout| layout.num_rows as u64);
    // Rows that are left over at the end of a generation are none to be looked at.
    let num_todo = check.plan.as_ref().map_or(num_rows, |plan| plan.num_files() as u64);
    share(num_threads, num_shards, &mut || tick(num_todo), &|shard| {
        let (num_shard_rows, num_chunks) = check.shard(shard)?;
        num_done.fetch_add(num_shard_rows, Ordering::Relaxed);
        num_recordings.fetch_add(num_chunks, Ordering::Relaxed);
        Ok(())
    })?;
    let mut last = Instant::now();
    check.tables(num_shards, &mut || {
        if last.elapsed() < TICK {
            return Ok(());
        }
        last = Instant::now();
        if tick(num_todo).is_break() { Err(StoreError::Cancelled) } else { Ok(()) }
    })?;
    if tick(num_todo).is_break() {
        return Err(StoreError::Cancelled);
    }
    Ok(Verification {
        num_rows,
        num_recordings: num_recordings.into_inner(),
        num_files: found.len() as u64,
        num_bytes: num_bytes.into_inner(),
        damages: check.into_damages(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The checksums as they were written; `None` when that file is damaged itself.
fn listed(out: &Path) -> Result<Option<Checksums>, StoreError> {
    let path = out.join(CHECKSUMS);
    let refused = |problem: &str, hint| StoreError::Layout { path: out.to_owned(), problem: problem.to_owned(), hint };
    if !path.exists() {
        return Err(if out.join(PLAN).exists() || out.join(GROUP_NAME).exists() {
            refused("is not complete", "run the same hfrisk-convert command again; it continues")
        } else {
            refused("holds no store", "name OUT of hfrisk-convert")
        });
    }
    let bytes = fs::read(&path).map_err(|source| failed("cannot read", &path, source))?;
    Ok(String::from_utf8(bytes).ok().and_then(|text| checksums::from_text(&text)))
}

/// A store that is being verified.
struct Check<'a> {
    out: &'a Path,
    /// Whether a file has its checksum. Tables that have not are not read any further: their reader trusts them.
    is_sound: BTreeMap<String, bool>,
    plan: Option<Plan>,
    layout: Option<Layout>,
    damages: Mutex<Vec<Damage>>,
}

impl Check<'_> {
    fn report(&self, file: &str, row: Option<usize>, problem: &str) {
        let damage = Damage { file: file.to_owned(), row: row.map(|row| row as u64), problem: problem.to_owned() };
        self.damages.lock().unwrap_or_else(PoisonError::into_inner).push(damage);
    }

    fn into_damages(self) -> Vec<Damage> {
        let mut damages = self.damages.into_inner().unwrap_or_else(PoisonError::into_inner);
        damages.sort_unstable();
        damages
    }

    fn is_sound(&self, name: &str) -> bool {
        self.is_sound.get(name) == Some(&true)
    }

    fn read_descriptions(&mut self) {
        let array = format!("{GROUP_NAME}/signals/zarr.json");
        match Layout::read(&self.out.join(GROUP_NAME)) {
            Ok(layout) => self.layout = Some(layout),
            Err(error) => self.report(&array, None, &error.to_string()),
        }
        if self.is_sound(PLAN) {
            match Plan::read(self.out) {
                Ok(plan) => self.plan = Some(plan),
                Err(error) => self.report(PLAN, None, &error.to_string()),
            }
        }
        for name in [PLAN, RECORDS, REJECTED] {
            if !self.is_sound.contains_key(name) {
                self.report(name, None, "is missing");
            }
        }
        if let (Some(plan), Some(layout)) = (&self.plan, self.layout)
            && (plan.num_rows(), plan.settings.codec) != (layout.num_rows, layout.codec)
        {
            let (expected, found) = (plan.num_rows(), layout.num_rows);
            let problem = format!(
                "describes {found} rows of {}, the plan {expected} of {}",
                layout.codec.name(),
                plan.settings.codec.name()
            );
            self.report(&array, None, &problem);
        }
    }
}

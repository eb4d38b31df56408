//! The output folder: whose it is, what of it is ours, who may write.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::convert::part_name;
use crate::error::StoreError;
use crate::source::GoOn;
use crate::store::files::{failed, make_folder, remove_file, remove_folder};
use crate::store::layout::{GROUP_NAME, group_path};

const WAIT: Duration = Duration::from_millis(20);
const NUM_TRIES: usize = 10;
const LOCK: &str = ".hfrisk.lock";
const TEMPORARY: &str = ".hfrisk.partial";
pub(crate) const PARTS: &str = "records";
pub(crate) const PLAN: &str = "plan.parquet";
pub(crate) const RECORDS: &str = "records.parquet";
pub(crate) const REJECTED: &str = "rejected.parquet";
/// The last file of a store: it is complete when this one is there.
pub(crate) const CHECKSUMS: &str = "checksums.txt";
const PLAN_LOCK: &str = ".hfrisk.plan.lock";
const PART_LOCK: &str = ".hfrisk.part-";
const OURS: [&str; 8] = [LOCK, TEMPORARY, GROUP_NAME, PARTS, PLAN, RECORDS, REJECTED, CHECKSUMS];

/// How much of a folder a process takes for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// All of it: nobody else may write.
    Whole,
    /// The shards of part `.0` (from 1) of `.1`: other parts of the same number may be written at the same time.
    Part(usize, usize),
    /// Some shards that somebody who holds a part has handed out.
    Helper,
}

/// An output folder that no other conversion writes to as long as this lives.
pub(crate) struct OutputFolder {
    path: PathBuf,
    temporary: PathBuf,
    lock: Option<File>,
    part_lock: Option<(File, PathBuf)>,
    is_new: bool,
}

impl OutputFolder {
    /// Make the folder when it is absent, lock it, and remove what a killed run left half-written.
    pub(crate) fn claim(path: &Path, claim: Claim) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|source| failed("cannot write", path, source))?;
        if path.exists() && !path.is_dir() {
            return Err(StoreError::Layout { path, problem: "is a file".to_owned(), hint: "name a folder for OUT" });
        }
        let is_new = !path.exists();
        make_folder(&path)?;
        if !path.join(PLAN).exists() {
            refuse_foreign(&path)?;
        }
        let busy = || busy(&path, "is being written by another hfrisk-convert");
        let lock =
            if claim == Claim::Whole { take(&path.join(LOCK), true)? } else { share(&path.join(LOCK))? }.ok_or_else(busy)?;
        let mut held = None;
        let temporary = match claim {
            // Nobody else is here, so that what others have left is of no use.
            Claim::Whole => {
                remove_part_locks(&path)?;
                path.join(TEMPORARY)
            }
            Claim::Part(part, num_parts) => {
                refuse_other_division(&path, num_parts)?;
                let name = path.join(part_lock(part, num_parts));
                let taken = take(&name, true)?;
                let problem = format!("has part {part}/{num_parts} being written by another hfrisk-convert");
                let refused = || if num_parts == 1 { busy() } else { self::busy(&path, &problem) };
                held = Some((taken.ok_or_else(refused)?, name));
                path.join(TEMPORARY).join(format!("part-{part}-of-{num_parts}"))
            }
            Claim::Helper => path.join(TEMPORARY).join(unique_name()),
        };
        remove_folder(&temporary)?;
        make_folder(&temporary)?;
        Ok(Self { path, temporary, lock: Some(lock), part_lock: held, is_new })
    }

    /// Wait until nobody else makes a plan here; the lock is held as long as the file is.
    pub(crate) fn lock_plan(&self, go_on: &mut GoOn<'_>) -> Result<File, StoreError> {
        let path = self.path.join(PLAN_LOCK);
        loop {
            if let Some(lock) = take(&path, true)? {
                return Ok(lock);
            }
            go_on()?;
            std::thread::sleep(WAIT);
        }
    }

    /// Remove everything of ours but the lock; what is not ours stays.
    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        // The checksums go first: without them nobody takes what is left for a finished store.
        for name in [CHECKSUMS, RECORDS, REJECTED, PLAN] {
            remove_file(&self.path.join(name))?;
        }
        for name in [PARTS, GROUP_NAME] {
            remove_folder(&self.path.join(name))?;
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where files are written before they get their name.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    pub(crate) fn plan(&self) -> PathBuf {
        self.path.join(PLAN)
    }

    pub(crate) fn group(&self) -> PathBuf {
        group_path(&self.path)
    }

    pub(crate) fn records(&self) -> PathBuf {
        self.path.join(RECORDS)
    }

    pub(crate) fn rejected(&self) -> PathBuf {
        self.path.join(REJECTED)
    }

    pub(crate) fn record_part(&self, shard: usize) -> PathBuf {
        self.path.join(record_part(shard))
    }

    pub(crate) fn rejected_part(&self, shard: usize) -> PathBuf {
        self.path.join(rejected_part(shard))
    }

    /// Whether a shard is done.
    pub(crate) fn has_part(&self, shard: usize) -> bool {
        self.record_part(shard).exists()
    }

    pub(crate) fn checksums(&self) -> PathBuf {
        self.path.join(CHECKSUMS)
    }

    /// Whether the whole store is done.
    pub(crate) fn is_complete(&self) -> bool {
        self.checksums().exists()
    }

    /// Mark the store as one that is being changed.
    pub(crate) fn reopen(&self) -> Result<(), StoreError> {
        remove_file(&self.checksums())
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = fs::remove_dir_all(&self.temporary);
        if let Some((_lock, name)) = self.part_lock.take() {
            let _ = fs::remove_file(name);
        }
        let Some(lock) = self.lock.take() else { return };
        // Names go only when nobody shares the lock, and while it is held.
        let _ = lock.unlock();
        let name = self.path.join(LOCK);
        if lock.try_lock().is_ok() && is_file_at(&lock, &name) {
            let _ = fs::remove_dir(self.path.join(TEMPORARY));
            let _ = fs::remove_file(self.path.join(PLAN_LOCK));
            let _ = fs::remove_file(name);
            // A folder that was made for nothing goes too (when it is empty).
            if self.is_new {
                let _ = fs::remove_dir(&self.path);
            }
        }
    }
}

/// Take the lock file at `path` without waiting, for one or to share it; `None` when another process holds it.
fn take(path: &Path, alone: bool) -> Result<Option<File>, StoreError> {
    loop {
        let lock = File::create(path).map_err(|source| failed("cannot write", path, source))?;
        match if alone { lock.try_lock() } else { lock.try_lock_shared() } {
            // The one who held it before may have removed the name in the meantime: then this lock protects nothing.
            Ok(()) if !is_file_at(&lock, path) => {}
            Ok(()) => return Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(failed("cannot lock", path, source)),
        }
    }
}

/// Share the lock file at `path`; who leaves holds it alone for an instant, which is waited for.
fn share(path: &Path) -> Result<Option<File>, StoreError> {
    for _ in 0..NUM_TRIES {
        if let Some(lock) = take(path, false)? {
            return Ok(Some(lock));
        }
        std::thread::sleep(WAIT);
    }
    Ok(None)
}

fn busy(path: &Path, problem: &str) -> StoreError {
    let hint = "wait until it has ended, or choose another OUT";
    StoreError::Layout { path: path.to_owned(), problem: problem.to_owned(), hint }
}

/// Refuse to share the work when others are sharing it in another number of parts; remove the names that killed ones left.
fn refuse_other_division(path: &Path, num_parts: usize) -> Result<(), StoreError> {
    let ending = format!("-of-{num_parts}");
    for entry in fs::read_dir(path).map_err(|source| failed("cannot list the folder", path, source))? {
        let name = entry.map_err(|source| failed("cannot list the folder", path, source))?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PART_LOCK) && !name.ends_with(&ending) {
            let problem = format!("is being written in another number of parts than {num_parts}");
            let lock = take(&path.join(&*name), true)?.ok_or_else(|| busy(path, &problem))?;
            let removed = fs::remove_file(path.join(&*name));
            drop(lock);
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("cannot remove", path, error)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Remove the names that killed parts left, when nobody is here who could hold one.
fn remove_part_locks(path: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(path).map_err(|source| failed("cannot list the folder", path, source))? {
        let name = entry.map_err(|source| failed("cannot list the folder", path, source))?.file_name();
        if name.to_string_lossy().starts_with(PART_LOCK) {
            remove_file(&path.join(name))?;
        }
    }
    Ok(())
}

/// Name of the file that whoever writes a part holds.
pub(crate) fn part_lock(part: usize, num_parts: usize) -> String {
    format!("{PART_LOCK}{part}-of-{num_parts}")
}

/// A name that no other process on any machine has.
fn unique_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let thread = std::thread::current().id();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let bytes = format!("{host} {} {thread:?} {now}", std::process::id());
    format!("helper-{:032x}", twox_hash::XxHash3_128::oneshot(bytes.as_bytes()))
}

#[cfg(unix)]
fn is_file_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    fs::metadata(path).ok().map(place) == file.metadata().ok().map(place)
}

#[cfg(not(unix))]
fn is_file_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// Refuse a folder that holds something, but no plan of ours.
fn refuse_foreign(path: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(path).map_err(|source| failed("cannot list the folder", path, source))? {
        let name = entry.map_err(|source| failed("cannot list the folder", path, source))?.file_name();
        if !is_lock(&name.to_string_lossy()) && name != TEMPORARY {
            let problem = if OURS.iter().any(|ours| name == *ours) {
                "holds parts of a store, but no plan.parquet that says what they are"
            } else {
                "holds other files, and no store of hfrisk-convert"
            };
            return Err(StoreError::Layout {
                path: path.to_owned(),
                problem: problem.to_owned(),
                hint: "choose a new or empty folder for OUT; nothing was changed",
            });
        }
    }
    Ok(())
}

fn is_lock(name: &str) -> bool {
    name == LOCK || name == PLAN_LOCK || name.starts_with(PART_LOCK)
}

/// Name of a shard's record part in OUT.
pub(crate) fn record_part(shard: usize) -> String {
    format!("{PARTS}/{}", part_name("part", shard))
}

/// Name of a shard's rejected part in OUT.
pub(crate) fn rejected_part(shard: usize) -> String {
    format!("{PARTS}/{}", part_name("rejected", shard))
}

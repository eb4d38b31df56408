//! The output folder: whose it is, what of it is ours, who may write.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::convert::part_name;
use crate::error::StoreError;
use crate::store::files::{failed, make_folder, remove_file, remove_folder};
use crate::store::layout::{GROUP_NAME, group_path};

const LOCK: &str = ".hfrisk.lock";
const TEMPORARY: &str = ".hfrisk.partial";
const PARTS: &str = "records";
pub(crate) const PLAN: &str = "plan.parquet";
const RECORDS: &str = "records.parquet";
const REJECTED: &str = "rejected.parquet";
const OURS: [&str; 7] = [LOCK, TEMPORARY, GROUP_NAME, PARTS, PLAN, RECORDS, REJECTED];

/// An output folder that no other conversion writes to as long as this lives.
pub(crate) struct OutputFolder {
    path: PathBuf,
    temporary: PathBuf,
    lock: Option<File>,
    is_new: bool,
}

impl OutputFolder {
    /// Make the folder when it is absent, lock it, and remove what a killed run left half-written.
    pub(crate) fn claim(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|source| failed("cannot write", path, source))?;
        if path.exists() && !path.is_dir() {
            return Err(StoreError::Layout { path, problem: "is a file".to_owned(), hint: "name a folder for OUT" });
        }
        let is_new = !path.exists();
        make_folder(&path)?;
        if !path.join(PLAN).exists() {
            refuse_foreign(&path)?;
        }
        let lock = lock(&path)?;
        let temporary = path.join(TEMPORARY);
        remove_folder(&temporary)?;
        make_folder(&temporary)?;
        Ok(Self { path, temporary, lock: Some(lock), is_new })
    }

    /// Remove everything of ours but the lock; what is not ours stays.
    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        // The records go first: without them nobody takes what is left for a finished store.
        for name in [RECORDS, REJECTED, PLAN] {
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
        self.path.join(PARTS).join(part_name("part", shard))
    }

    pub(crate) fn rejected_part(&self, shard: usize) -> PathBuf {
        self.path.join(PARTS).join(part_name("rejected", shard))
    }

    /// Whether a shard is done.
    pub(crate) fn has_part(&self, shard: usize) -> bool {
        self.record_part(shard).exists()
    }

    /// Whether the whole store is done.
    pub(crate) fn is_complete(&self) -> bool {
        self.records().exists()
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = fs::remove_dir_all(&self.temporary);
        // The name goes while the lock is still held; a folder that was made for nothing goes too (when it is empty).
        let _ = fs::remove_file(self.path.join(LOCK));
        drop(self.lock.take());
        if self.is_new {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Take the lock of the folder at `path`, without waiting.
fn lock(path: &Path) -> Result<File, StoreError> {
    let lock_path = path.join(LOCK);
    loop {
        let lock = File::create(&lock_path).map_err(|source| failed("cannot write", &lock_path, source))?;
        match lock.try_lock() {
            // The one who held it before may have removed the name in the meantime: then this lock protects nothing.
            Ok(()) if !is_file_at(&lock, &lock_path) => {}
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Layout {
                    path: path.to_owned(),
                    problem: "is being written by another hfrisk-convert".to_owned(),
                    hint: "wait until it has ended, or choose another OUT",
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed("cannot lock", &lock_path, source)),
        }
    }
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
        if ![LOCK, TEMPORARY].iter().any(|ours| name == *ours) {
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

//! Folders, walked by several threads: on a disk far away the time goes into waiting.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::entries::Entries;
use super::entry::Stamp;
use super::listing::{GoOn, has_extension};
use crate::error::StoreError;
use crate::store::files::failed;

const NUM_THREADS: usize = 8;
/// How often the caller is asked whether to go on while nothing is found.
const TICK: Duration = Duration::from_millis(50);
/// Files that are handed over at once, and hand-overs that may wait: both bound the memory of a folder with a million files.
const BATCH_FILES: usize = 1 << 10;
const MOST_WAITING: usize = 16;

/// Some of what one folder holds.
#[derive(Default)]
pub(super) struct Found {
    pub(super) files: Entries,
    pub(super) archives: Vec<PathBuf>,
    pub(super) num_skipped: u64,
    links: Vec<PathBuf>,
}

impl Found {
    fn look_at(&mut self, files: &[DirEntry]) {
        for entry in files {
            // A link that leads nowhere is kept, so that it is rejected in the open.
            self.files.push_file(&entry.path(), stamp(entry));
        }
    }
}

/// What tells a folder from others, whatever name it was reached by.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = PathBuf;

/// Remembers every folder that was walked.
#[derive(Default)]
pub(super) struct Walker {
    walked: Mutex<HashSet<Identity>>,
}

impl Walker {
    /// Tell `found` of what lies below `root`.
    ///
    /// What a folder holds itself comes before what it has links to, and those are followed in the order of their names: so a folder that can
    /// be reached by several names is walked once and always under the same one.
    pub(super) fn walk(
        &self,
        root: PathBuf,
        go_on: &mut GoOn<'_>,
        found: &mut dyn FnMut(Found, &mut GoOn<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut starts = BTreeSet::from([root]);
        while let Some(start) = starts.pop_first() {
            self.walk_unlinked(start, go_on, &mut |mut some, go_on| {
                starts.extend(std::mem::take(&mut some.links));
                found(some, go_on)
            })?;
        }
        Ok(())
    }

    fn walk_unlinked(
        &self,
        start: PathBuf,
        go_on: &mut GoOn<'_>,
        found: &mut dyn FnMut(Found, &mut GoOn<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let queue = Queue::new(start);
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(MOST_WAITING);
            for _ in 0..NUM_THREADS {
                let (queue, sender) = (&queue, sender.clone());
                let thread = std::thread::Builder::new().name("hfrisk-list".to_owned());
                let spawned = thread.spawn_scoped(scope, move || self.work(queue, &sender));
                if let Err(error) = spawned {
                    queue.stop();
                    return Err(StoreError::Threads(error.to_string()));
                }
            }
            drop(sender);
            let result = loop {
                let heard = match receiver.recv_timeout(TICK) {
                    Ok(some) => go_on().and_then(|()| found(some?, go_on)),
                    Err(RecvTimeoutError::Timeout) => go_on(),
                    Err(RecvTimeoutError::Disconnected) => break Ok(()),
                };
                if heard.is_err() {
                    break heard;
                }
            };
            queue.stop();
            result
        })
    }

    /// One thread: the next piece of work, until there is none.
    fn work(&self, queue: &Queue, sender: &SyncSender<Result<Found, StoreError>>) {
        while let Some(work) = queue.next() {
            let (inner, told) = match work {
                Work::Files(files) => {
                    let mut found = Found::default();
                    found.look_at(&files);
                    (Vec::new(), sender.send(Ok(found)).is_ok())
                }
                Work::Folder(folder) => match self.list(&folder, queue, sender) {
                    Ok(Some(inner)) => (inner, true),
                    // Nobody listens any more.
                    Ok(None) => (Vec::new(), false),
                    Err(source) => (Vec::new(), sender.send(Err(failed("cannot list the folder", &folder, source))).is_ok()),
                },
            };
            queue.done(inner);
            if !told {
                return;
            }
        }
    }

    /// Hand over what `folder` holds itself, and give its sub-folders; `None` when nobody listens.
    fn list(
        &self,
        folder: &Path,
        queue: &Queue,
        sender: &SyncSender<Result<Found, StoreError>>,
    ) -> io::Result<Option<Vec<PathBuf>>> {
        let identity = identity(folder)?;
        if !self.walked.lock().unwrap_or_else(PoisonError::into_inner).insert(identity) {
            return Ok(Some(Vec::new()));
        }
        let mut found = Found::default();
        let (mut inner, mut files) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let path = entry.path();
            if kind.is_dir() {
                inner.push(path);
            } else if kind.is_symlink() && path.is_dir() {
                found.links.push(path);
            } else if has_extension(&path, "zip") {
                found.archives.push(path);
            } else if has_extension(&path, "xml") {
                files.push(entry);
            } else {
                found.num_skipped += 1;
            }
            // Looking at files takes longer than listing them: others help with a large folder, unless they have enough to do.
            if files.len() == BATCH_FILES
                && let Some(files) = queue.offer(std::mem::take(&mut files))
            {
                found.look_at(&files);
                if sender.send(Ok(std::mem::take(&mut found))).is_err() {
                    return Ok(None);
                }
            }
        }
        found.look_at(&files);
        Ok(sender.send(Ok(found)).is_ok().then_some(inner))
    }
}

#[cfg(unix)]
fn identity(folder: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(folder).map(|found| (found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn identity(folder: &Path) -> io::Result<Identity> {
    fs::canonicalize(folder)
}

/// Of what a link leads to, when it leads somewhere.
fn stamp(entry: &DirEntry) -> Option<Stamp> {
    let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
    let found = if is_link { fs::metadata(entry.path()) } else { entry.metadata() };
    found.ok().as_ref().map(Stamp::of)
}

/// What a thread may take.
enum Work {
    Folder(PathBuf),
    /// Files of a large folder that are to be looked at.
    Files(Vec<DirEntry>),
}

/// Work that waits for a thread.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: Vec<Work>,
    /// Pieces of work that wait or are being done; when there is none, all is done.
    num_open: usize,
    /// Waiting pieces that hold files.
    num_batches: usize,
    stopped: bool,
}

impl Queue {
    fn new(first: PathBuf) -> Self {
        let state = State { waiting: vec![Work::Folder(first)], num_open: 1, num_batches: 0, stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Work> {
        let mut state = self.state();
        while state.num_open > 0 && !state.stopped {
            if let Some(work) = state.waiting.pop() {
                state.num_batches -= usize::from(matches!(work, Work::Files(_)));
                return Some(work);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// Leave files to another thread; they come back when so many wait already that nobody is idle.
    fn offer(&self, files: Vec<DirEntry>) -> Option<Vec<DirEntry>> {
        let mut state = self.state();
        if state.num_batches >= NUM_THREADS {
            return Some(files);
        }
        state.num_batches += 1;
        state.num_open += 1;
        state.waiting.push(Work::Files(files));
        self.changed.notify_one();
        None
    }

    /// A piece of work is done; `inner` are the folders in it.
    fn done(&self, inner: Vec<PathBuf>) {
        let mut state = self.state();
        state.num_open = state.num_open + inner.len() - 1;
        state.waiting.extend(inner.into_iter().map(Work::Folder));
        self.changed.notify_all();
    }

    fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        self.changed.notify_all();
    }
}

//! Where the bytes of a chunk come from: mapped files, files read in place, or memory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use memmap2::Mmap;

use crate::error::StoreError;
use crate::store::files::failed;
use crate::store::memory;
use crate::store::shard::read_exact_at;

/// How shard files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Mapped into memory, and brought there by a thread in the background: a row costs no system call.
    Mapped,
    /// One `pread` a row on a descriptor that stays open: memory holds only what the system caches.
    Pread,
}

impl Access {
    /// Both, the faster first.
    pub const ALL: [Self; 2] = [Self::Mapped, Self::Pread];

    /// Name as in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mapped => "mapped",
            Self::Pread => "pread",
        }
    }

    /// Read Python's name; `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.name() == name)
    }

    /// Map what fits into three quarters of the memory that is available; where the system does not say, it may page.
    pub fn for_size(num_bytes: u64) -> Self {
        match memory::available() {
            Some(available) if num_bytes > available / 4 * 3 => Self::Pread,
            _ => Self::Mapped,
        }
    }
}

/// The shard files of a store.
pub(crate) enum ShardFiles {
    Mapped(MappedFiles),
    Pread(Descriptors),
}

impl ShardFiles {
    /// Open the files; those of 0 bytes do not exist.
    pub(crate) fn open(access: Access, files: Vec<(PathBuf, u64)>) -> Result<Self, StoreError> {
        match access {
            Access::Mapped => MappedFiles::open(&files).map(Self::Mapped),
            Access::Pread => Ok(Self::Pread(Descriptors::new(files.into_iter().map(|(path, _)| path).collect()))),
        }
    }

    pub(crate) const fn access(&self) -> Access {
        match self {
            Self::Mapped(_) => Access::Mapped,
            Self::Pread(_) => Access::Pread,
        }
    }

    /// Tell the system what will be wanted, so that a disk works on all of it at once. Costs nothing once everything is in memory.
    pub(crate) fn announce(&self, places: impl Iterator<Item = (usize, u64, u32)>) {
        match self {
            Self::Mapped(files) => files.announce(places),
            Self::Pread(files) => files.announce(places),
        }
    }

    /// The bytes at a place, which was checked against the file's length; `buffer` holds them when they are not in memory.
    pub(crate) fn chunk<'a>(
        &'a self,
        (shard, offset, length): (usize, u64, u32),
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], StoreError> {
        match self {
            Self::Mapped(files) => Ok(files.mapped((shard, offset, length)).unwrap_or_default()),
            Self::Pread(files) => {
                buffer.resize(length as usize, 0);
                files.read(shard, offset, buffer)?;
                Ok(buffer)
            }
        }
    }

    /// The bytes at a place, where reading them takes no system call.
    pub(crate) fn mapped(&self, place: (usize, u64, u32)) -> Option<&[u8]> {
        match self {
            Self::Mapped(files) => files.mapped(place),
            Self::Pread(_) => None,
        }
    }
}

/// Shards mapped into memory, and the thread that brings them there.
pub(crate) struct MappedFiles {
    maps: Arc<Vec<Option<Mmap>>>,
    populating: Arc<Populating>,
    thread: Option<JoinHandle<()>>,
    owner: u32,
}

#[derive(Default)]
struct Populating {
    is_done: AtomicBool,
    is_unwanted: AtomicBool,
}

/// Bytes that are populated between two looks at whether they are still wanted.
const STEP: usize = 1 << 22;

impl MappedFiles {
    fn open(files: &[(PathBuf, u64)]) -> Result<Self, StoreError> {
        let maps: Result<Vec<_>, _> = files.iter().map(|(path, num_bytes)| map(path, *num_bytes)).collect();
        let maps = Arc::new(maps?);
        let populating = Arc::new(Populating::default());
        let thread = {
            let (maps, populating) = (Arc::clone(&maps), Arc::clone(&populating));
            std::thread::Builder::new().name("hfrisk-populate".to_owned()).spawn(move || populate(&maps, &populating))
        };
        // Without the thread, rows are brought in when they are wanted.
        Ok(Self { maps, populating, thread: thread.ok(), owner: std::process::id() })
    }

    fn mapped(&self, (shard, offset, length): (usize, u64, u32)) -> Option<&[u8]> {
        self.maps[shard].as_ref()?.get(offset as usize..offset as usize + length as usize)
    }

    fn announce(&self, places: impl Iterator<Item = (usize, u64, u32)>) {
        if self.populating.is_done.load(Ordering::Relaxed) {
            return;
        }
        for (shard, offset, length) in places {
            if let Some(map) = &self.maps[shard] {
                will_need(map, offset as usize, length as usize);
            }
        }
    }
}

impl Drop for MappedFiles {
    fn drop(&mut self) {
        self.populating.is_unwanted.store(true, Ordering::Relaxed);
        // In a forked child the thread does not exist, and waiting for it would never end.
        if let Some(thread) = self.thread.take()
            && std::process::id() == self.owner
        {
            let _ = thread.join();
        }
    }
}

fn populate(maps: &[Option<Mmap>], populating: &Populating) {
    for map in maps.iter().flatten() {
        for start in (0..map.len()).step_by(STEP) {
            if populating.is_unwanted.load(Ordering::Relaxed) {
                return;
            }
            let length = STEP.min(map.len() - start);
            if bring(map, start, length).is_err() {
                // Not on this system: rows are announced, and brought in, when they are wanted.
                return;
            }
        }
    }
    populating.is_done.store(true, Ordering::Relaxed);
}

#[cfg(target_os = "linux")]
fn bring(map: &Mmap, start: usize, length: usize) -> std::io::Result<()> {
    map.advise_range(memmap2::Advice::PopulateRead, start, length)
}

#[cfg(not(target_os = "linux"))]
fn bring(_map: &Mmap, _start: usize, _length: usize) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Begin to read ahead; a refusal costs the head start only.
#[cfg(unix)]
fn will_need(map: &Mmap, offset: usize, length: usize) {
    let _ = map.advise_range(memmap2::Advice::WillNeed, offset, length);
}

#[cfg(not(unix))]
fn will_need(_map: &Mmap, _offset: usize, _length: usize) {}

fn map(path: &Path, num_bytes: u64) -> Result<Option<Mmap>, StoreError> {
    if num_bytes == 0 {
        return Ok(None);
    }
    let file = File::open(path).map_err(|source| failed("cannot read", path, source))?;
    // SAFETY: hfrisk-convert never writes to a shard that has its final name; it replaces the file by a rename, which leaves this
    // mapping on the old bytes. Somebody else who truncates the file while it is open ends the process with SIGBUS, as with any
    // mapped file; changed bytes are only ever read as integers and caught by the checksums.
    unsafe { Mmap::map(&file) }.map(Some).map_err(|source| failed("cannot read", path, source))
}

/// A shard's number and its descriptor.
type OpenShard = (usize, Arc<File>);

/// Files read in place, whose descriptors stay open as far as the process may have them.
pub(crate) struct Descriptors {
    paths: Vec<PathBuf>,
    /// The descriptor of shard `i` stands in slot `i` modulo their number.
    slots: Vec<Mutex<Option<OpenShard>>>,
}

impl Descriptors {
    fn new(paths: Vec<PathBuf>) -> Self {
        let num_slots = max_descriptors().min(paths.len()).max(1);
        Self { paths, slots: (0..num_slots).map(|_| Mutex::new(None)).collect() }
    }

    fn file(&self, shard: usize) -> Result<Arc<File>, StoreError> {
        let mut slot = self.slots[shard % self.slots.len()].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((cached, file)) = &*slot
            && *cached == shard
        {
            return Ok(Arc::clone(file));
        }
        let path = &self.paths[shard];
        let file = Arc::new(File::open(path).map_err(|source| failed("cannot read", path, source))?);
        *slot = Some((shard, Arc::clone(&file)));
        Ok(file)
    }

    fn read(&self, shard: usize, offset: u64, bytes: &mut [u8]) -> Result<(), StoreError> {
        read_exact_at(&*self.file(shard)?, bytes, offset).map_err(|source| failed("cannot read", &self.paths[shard], source))
    }

    #[cfg(target_os = "linux")]
    fn announce(&self, places: impl Iterator<Item = (usize, u64, u32)>) {
        use std::os::fd::AsRawFd;

        for (shard, offset, length) in places {
            if let Ok(file) = self.file(shard) {
                // SAFETY: the descriptor is open for as long as `file` lives, and the call touches no memory of ours. A refusal costs the
                // head start only.
                unsafe { libc::posix_fadvise(file.as_raw_fd(), offset as i64, i64::from(length), libc::POSIX_FADV_WILLNEED) };
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unused_self, reason = "there is no such call")]
    fn announce(&self, _places: impl Iterator<Item = (usize, u64, u32)>) {}
}

/// Half of the descriptors that the process may have, so that the other half is left to its other parts.
#[cfg(unix)]
fn max_descriptors() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable and of the type that the call fills.
    let code = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if code == 0 { usize::try_from(limit.rlim_cur / 2).unwrap_or(usize::MAX) } else { 64 }
}

#[cfg(not(unix))]
fn max_descriptors() -> usize {
    256
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn more_files_than_slots_are_read_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..5).map(|number| folder.path().join(number.to_string())).collect();
        for (number, path) in paths.iter().enumerate() {
            std::fs::write(path, [number as u8; 3]).unwrap();
        }
        let files = Descriptors { paths, slots: vec![Mutex::default(), Mutex::default()] };
        for shard in [0, 2, 4, 1, 0, 3] {
            let mut bytes = [9; 2];
            files.read(shard, 1, &mut bytes).unwrap();
            assert_eq!(bytes, [shard as u8; 2]);
        }
    }

    #[test]
    fn what_is_larger_than_memory_is_not_mapped() {
        assert_eq!(Access::for_size(0), Access::Mapped);
        if memory::available().is_some() {
            assert_eq!(Access::for_size(u64::MAX), Access::Pread);
        }
    }
}

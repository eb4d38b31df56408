//! The system's page cache, which reading a corpus once must not fill at the cost of others.
//!
//! What was in memory before it was read stays there: somebody uses it. What had to come from the disk is given back as soon as it is read.

use std::fs::File;
use std::num::NonZeroU64;

/// Where the bytes of a file were when they were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// In memory: so many of them have been read.
    InMemory(usize),
    /// On the disk; nothing has been read.
    OnDisk,
    /// The system or the file system does not say; nothing has been read.
    Unknown,
}

/// Read to the front of `buffer` what is in memory.
#[cfg(target_os = "linux")]
pub(super) fn read_in_memory(file: &File, buffer: &mut [u8], offset: u64) -> Found {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    match preadv2(file, &mut [std::io::IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
        Ok(length) => Found::InMemory(length),
        Err(Errno::AGAIN) => Found::OnDisk,
        Err(_) => Found::Unknown,
    }
}

/// Read to the front of `buffer` what is in memory.
#[cfg(not(target_os = "linux"))]
pub(super) fn read_in_memory(_file: &File, _buffer: &mut [u8], _offset: u64) -> Found {
    Found::Unknown
}

/// Begin to read a whole file from the disk. A hint: it may do nothing.
#[cfg(target_os = "linux")]
pub(super) fn fetch(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::WillNeed);
}

/// Begin to read a whole file from the disk. A hint: it may do nothing.
#[cfg(not(target_os = "linux"))]
pub(super) fn fetch(_file: &File) {}

/// Give back the memory that holds a file from `offset` on, to its end or so many bytes of it. A hint: it may do nothing.
#[cfg(target_os = "linux")]
pub(super) fn give_back(file: &File, offset: u64, num_bytes: Option<NonZeroU64>) {
    let _ = rustix::fs::fadvise(file, offset, num_bytes, rustix::fs::Advice::DontNeed);
}

/// Give back the memory that holds a file from `offset` on, to its end or so many bytes of it. A hint: it may do nothing.
#[cfg(not(target_os = "linux"))]
pub(super) fn give_back(_file: &File, _offset: u64, _num_bytes: Option<NonZeroU64>) {}

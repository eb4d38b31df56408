//! Whole files into a buffer that is reused.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::buffer::FileBuffer;
use super::cache::{self, Found};
use super::zip::ReadAt;
use crate::error::ParseError;

/// A file that states no size is read by so much at first.
const PAGE: usize = 4096;

/// Refill `buffer` with a whole file.
/// Whether the system keeps the file in memory is left to it: whoever reads one file may read it again.
///
/// # Errors
/// When it cannot be read, is no regular file (a pipe would block), or is larger than `max_bytes`; `buffer` is then empty.
pub fn read_file(path: &Path, max_bytes: u64, buffer: &mut FileBuffer) -> Result<(), ParseError> {
    read_whole(path, max_bytes, buffer).map(drop)
}

/// As [`read_file`], for one that is read once: give back what came from the disk, as it did when it was [`fetch`]ed, and tell whether it did.
pub(super) fn read_file_once(path: &Path, max_bytes: u64, buffer: &mut FileBuffer, is_fetched: bool) -> Result<bool, ParseError> {
    let (file, found) = read_whole(path, max_bytes, buffer)?;
    let is_from_disk = is_fetched || found == Found::OnDisk;
    if is_from_disk {
        cache::give_back(&file, 0, None);
    }
    Ok(is_from_disk)
}

/// Have the system begin to read a file, if it is on the disk; tells whether it is.
pub(super) fn fetch(path: &Path) -> bool {
    open(path).is_ok_and(|file| {
        let is_on_disk = cache::read_in_memory(&file, &mut [0], 0) == Found::OnDisk;
        if is_on_disk {
            cache::fetch(&file);
        }
        is_on_disk
    })
}

/// Refill `buffer` and tell where the bytes were; it is empty after a failure.
fn read_whole(path: &Path, max_bytes: u64, buffer: &mut FileBuffer) -> Result<(File, Found), ParseError> {
    let result = read_to_front(path, max_bytes, buffer);
    buffer.hold(result.as_ref().map_or(0, |&(length, ..)| length));
    result.map(|(_, file, found)| (file, found))
}

/// Read to the front of `buffer` and tell how much: four system calls for a file that keeps its size and is in memory.
fn read_to_front(path: &Path, max_bytes: u64, buffer: &mut FileBuffer) -> Result<(usize, File, Found), ParseError> {
    let unreadable = |error: &io::Error| ParseError::Unreadable { reason: reason(error, path) };
    let file = open(path).map_err(|error| unreadable(&error))?;
    let (kind, num_bytes) = kind_and_size(&file).map_err(|error| unreadable(&error))?;
    if kind != Kind::Regular {
        let reason = if kind == Kind::Folder { "it is a folder" } else { "it is not a regular file" };
        return Err(ParseError::Unreadable { reason: reason.to_owned() });
    }
    if num_bytes > max_bytes {
        return Err(ParseError::TooLarge { bytes: num_bytes, limit: max_bytes });
    }
    let stated = num_bytes as usize;
    // One more byte than is expected: when it does not come, the end has been seen without asking again.
    let mut room = stated + 1;
    let found = cache::read_in_memory(&file, buffer.room(room), 0);
    let mut length = if let Found::InMemory(length) = found { length } else { 0 };
    while length != stated || stated == 0 {
        if room <= length {
            room = length + length / 2 + PAGE;
        }
        match file.read_at(&mut buffer.room(room)[length..], length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(&error)),
        }
        if length as u64 > max_bytes {
            return Err(ParseError::TooLarge { bytes: length as u64, limit: max_bytes });
        }
    }
    Ok((length, file, found))
}

/// The operating system's words without its number, so that the same cause reads the same.
fn reason(error: &io::Error, path: &Path) -> String {
    if error.kind() == io::ErrorKind::NotFound && path.to_str().is_none_or(|name| name.contains(char::REPLACEMENT_CHARACTER)) {
        return "its name is not UTF-8".to_owned();
    }
    words(error)
}

/// What the operating system says, in small letters.
pub(super) fn words(error: &io::Error) -> String {
    let words = error.to_string();
    words.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// What was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Regular,
    Folder,
    Other,
}

/// Not by `File::metadata`, which asks Linux for times that nobody needs, by a slower call.
#[cfg(unix)]
fn kind_and_size(file: &File) -> io::Result<(Kind, u64)> {
    use rustix::fs::FileType;
    let status = rustix::fs::fstat(file)?;
    let kind = match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => Kind::Regular,
        FileType::Directory => Kind::Folder,
        _ => Kind::Other,
    };
    Ok((kind, status.st_size as u64))
}

#[cfg(not(unix))]
fn kind_and_size(file: &File) -> io::Result<(Kind, u64)> {
    let metadata = file.metadata()?;
    let kind = match () {
        () if metadata.is_file() => Kind::Regular,
        () if metadata.is_dir() => Kind::Folder,
        () => Kind::Other,
    };
    Ok((kind, metadata.len()))
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

//! Whole files into a buffer that is reused.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::error::ParseError;

/// Refill `buffer` with a whole file. Its old content is overwritten rather than cleared, so that a reused buffer is not zeroed again.
///
/// # Errors
/// When it cannot be read, is no regular file (a pipe would block), or is larger than `max_bytes`; `buffer` is then empty.
pub fn read_file(path: &Path, max_bytes: u64, buffer: &mut Vec<u8>) -> Result<(), ParseError> {
    let result = read_whole(path, max_bytes, buffer);
    let length = result.as_ref().map_or(0, |&length| length);
    buffer.truncate(length);
    result.map(drop)
}

/// Read to the front of `buffer` and tell how much: four system calls for a file that keeps its size.
fn read_whole(path: &Path, max_bytes: u64, buffer: &mut Vec<u8>) -> Result<usize, ParseError> {
    let unreadable = |error: &io::Error| ParseError::Unreadable { reason: reason(error, path) };
    let mut file = open(path).map_err(|error| unreadable(&error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        let reason = if metadata.is_dir() { "it is a folder" } else { "it is not a regular file" };
        return Err(ParseError::Unreadable { reason: reason.to_owned() });
    }
    if metadata.len() > max_bytes {
        return Err(ParseError::TooLarge { bytes: metadata.len(), limit: max_bytes });
    }
    let stated = metadata.len() as usize;
    let mut length = 0;
    loop {
        // One more byte than is expected: when it does not come, the end has been seen without asking again.
        if buffer.len() <= length.max(stated) {
            buffer.resize(length.max(stated) + length / 2 + 1, 0);
        }
        match file.read(&mut buffer[length..]) {
            Ok(0) => return Ok(length),
            Ok(found) => length += found,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(&error)),
        }
        if length as u64 > max_bytes {
            return Err(ParseError::TooLarge { bytes: length as u64, limit: max_bytes });
        }
        if length == stated && stated > 0 {
            return Ok(length);
        }
    }
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

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

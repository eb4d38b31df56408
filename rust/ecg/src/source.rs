//! Where the bytes come from: folders, glob patterns, lists of paths and single files. Sources are only ever opened for reading.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::error::{ParseError, StoreError};
use crate::store::files::failed;

/// What the given sources hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Absolute paths, sorted by their bytes, each once.
    pub files: Vec<PathBuf>,
    /// Files met in folders that are not named `*.xml`.
    pub num_skipped: u64,
}

/// Called often by what may last long; an error ends it.
pub type GoOn<'a> = dyn FnMut() -> Result<(), StoreError> + 'a;

/// List the files of `sources`.
///
/// A folder gives its `*.xml` (in any case), sub-folders and symbolic links included, loops walked once. A name ending in `.txt` is a list:
/// one path a line, relative to the current folder; blank lines and lines beginning with `#` are left out. A name that does not exist but
/// has `*`, `?` or `[` is a glob pattern. Any other file is taken whatever its name. Files of a list are not looked at before they are read.
///
/// # Errors
/// When a source does not exist, a folder cannot be listed, there is no file at all, or `go_on` says to stop.
pub fn list(sources: &[PathBuf], go_on: &mut GoOn<'_>) -> Result<Listing, StoreError> {
    let mut listing = Listing::default();
    let mut walked = HashSet::new();
    for source in sources {
        match fs::metadata(source) {
            Ok(metadata) => add(source, &metadata, &mut listing, &mut walked, go_on)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_pattern(source) => {
                add_pattern(source, &mut listing, &mut walked, go_on)?;
            }
            Err(error) => return Err(failed("cannot read", source, error)),
        }
    }
    if listing.files.is_empty() {
        let names: Vec<String> = sources.iter().map(|source| format!("`{}`", source.display())).collect();
        return Err(StoreError::NoSources(names.join(", ")));
    }
    listing.files.sort_unstable();
    listing.files.dedup();
    Ok(listing)
}

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

fn add(
    path: &Path,
    metadata: &Metadata,
    listing: &mut Listing,
    walked: &mut HashSet<PathBuf>,
    go_on: &mut GoOn<'_>,
) -> Result<(), StoreError> {
    if metadata.is_dir() {
        walk(path, listing, walked, go_on)
    } else if has_extension(path, "txt") {
        add_list(path, listing)
    } else {
        listing.files.push(absolute(path)?);
        Ok(())
    }
}

/// Add every `*.xml` below a folder; a folder reached twice (through a link) is walked once, under the first of its names.
fn walk(root: &Path, listing: &mut Listing, walked: &mut HashSet<PathBuf>, go_on: &mut GoOn<'_>) -> Result<(), StoreError> {
    let mut folders = vec![absolute(root)?];
    while let Some(folder) = folders.pop() {
        let cannot_list = |source| failed("cannot list the folder", &folder, source);
        if !walked.insert(fs::canonicalize(&folder).map_err(cannot_list)?) {
            continue;
        }
        let first_child = folders.len();
        for entry in fs::read_dir(&folder).map_err(cannot_list)? {
            go_on()?;
            let entry = entry.map_err(cannot_list)?;
            let path = entry.path();
            let kind = entry.file_type().map_err(cannot_list)?;
            // A link that leads nowhere is kept when its name is right, so that it is rejected in the open.
            if kind.is_dir() || (kind.is_symlink() && path.is_dir()) {
                folders.push(path);
            } else if has_extension(&path, "xml") {
                listing.files.push(path);
            } else {
                listing.num_skipped += 1;
            }
        }
        // The first name in the order of names wins, whatever order the disk lists them in.
        folders[first_child..].sort_unstable_by(|a, b| b.cmp(a));
    }
    Ok(())
}

fn add_list(path: &Path, listing: &mut Listing) -> Result<(), StoreError> {
    let text = fs::read(path).map_err(|source| failed("cannot read", path, source))?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    for line in text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii) {
        if !line.is_empty() && line[0] != b'#' {
            listing.files.push(absolute(&path_of(line))?);
        }
    }
    Ok(())
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|name| name.contains(['*', '?', '[']))
}

fn add_pattern(
    pattern: &Path,
    listing: &mut Listing,
    walked: &mut HashSet<PathBuf>,
    go_on: &mut GoOn<'_>,
) -> Result<(), StoreError> {
    let text = pattern.to_str().unwrap_or_default();
    let matches = glob::glob(text).map_err(|error| StoreError::Layout {
        path: pattern.to_owned(),
        problem: format!("is not a glob pattern: {}", error.msg),
        hint: "quote patterns such as 'ecg/**/*.xml'",
    })?;
    for path in matches {
        let path = path.map_err(|error| failed("cannot read", error.path(), io::Error::from(error.error().kind())))?;
        let metadata = fs::metadata(&path).map_err(|source| failed("cannot read", &path, source))?;
        add(&path, &metadata, listing, walked, go_on)?;
    }
    Ok(())
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(path).map_err(|source| failed("cannot read", path, source))
}

//! From what the user names to entries.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::entries::Entries;
use super::entry::{Stamp, path_of};
use super::folder::Walker;
use super::zip::{self, Contents, ListError};
use crate::error::StoreError;
use crate::store::files::failed;

/// What the given sources hold.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Files with absolute paths, sorted as [`Entries::sort`] does, each once.
    pub entries: Entries,
    /// Files met in folders that are not named `*.xml`.
    pub num_skipped: u64,
}

/// Called often by what may last long; an error ends it.
pub type GoOn<'a> = dyn FnMut() -> Result<(), StoreError> + 'a;

/// List the files of `sources`.
///
/// A folder gives its `*.xml` and the `*.xml` in its `*.zip` (in any case), sub-folders and symbolic links included, loops walked once. An
/// archive gives its `*.xml`. A name ending in `.txt` is a list:
/// one path a line, relative to the current folder; blank lines and lines beginning with `#` are left out. A name that does not exist but
/// has `*`, `?` or `[` is a glob pattern. Any other file is taken whatever its name. A file of a list that does not exist is an entry
/// all the same.
///
/// # Errors
/// When a source does not exist, a folder cannot be listed, there is no file at all, or `go_on` says to stop.
pub fn list(sources: &[PathBuf], go_on: &mut GoOn<'_>) -> Result<Listing, StoreError> {
    let mut listing = Listing::default();
    let walker = Walker::default();
    for source in sources {
        match fs::metadata(source) {
            Ok(metadata) => add(source, &metadata, &mut listing, &walker, go_on)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_pattern(source) => {
                add_pattern(source, &mut listing, &walker, go_on)?;
            }
            Err(error) => return Err(failed("cannot read", source, error)),
        }
    }
    if listing.entries.is_empty() {
        let names: Vec<String> = sources.iter().map(|source| format!("`{}`", source.display())).collect();
        return Err(StoreError::NoSources(names.join(", ")));
    }
    listing.entries.sort();
    Ok(listing)
}

fn add(path: &Path, metadata: &Metadata, listing: &mut Listing, walker: &Walker, go_on: &mut GoOn<'_>) -> Result<(), StoreError> {
    if metadata.is_dir() {
        add_folder(path, listing, walker, go_on)
    } else if has_extension(path, "txt") {
        add_list(path, listing, go_on)
    } else if has_extension(path, "zip") {
        add_archive(&absolute(path)?, metadata, listing, go_on)
    } else {
        listing.entries.push_file(&absolute(path)?, Some(Stamp::of(metadata)));
        Ok(())
    }
}

/// Add what lies below a folder.
fn add_folder(root: &Path, listing: &mut Listing, walker: &Walker, go_on: &mut GoOn<'_>) -> Result<(), StoreError> {
    walker.walk(absolute(root)?, go_on, &mut |found, go_on| {
        listing.entries.append(&found.files);
        listing.num_skipped += found.num_skipped;
        for path in found.archives {
            match fs::metadata(&path) {
                Ok(metadata) => add_archive(&path, &metadata, listing, go_on)?,
                Err(_) => listing.entries.push_file(&path, None),
            }
        }
        Ok(())
    })
}

/// Add the members of a zip archive; one that is damaged is an entry itself too, so that it is rejected in the open.
fn add_archive(path: &Path, metadata: &Metadata, listing: &mut Listing, go_on: &mut GoOn<'_>) -> Result<(), StoreError> {
    let contents = File::open(path).map_err(ListError::from);
    let contents = match contents.and_then(|file| zip::contents(&file, metadata.len(), path, go_on)) {
        Ok(contents) => contents,
        Err(ListError::Stopped(error)) => return Err(error),
        Err(ListError::Io(_)) => Contents::default(),
    };
    if !contents.is_whole {
        listing.entries.push_file(path, Some(Stamp::of(metadata)));
    }
    listing.entries.append(&contents.entries);
    listing.num_skipped += contents.num_skipped;
    Ok(())
}

fn add_list(path: &Path, listing: &mut Listing, go_on: &mut GoOn<'_>) -> Result<(), StoreError> {
    let text = fs::read(path).map_err(|source| failed("cannot read", path, source))?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    for line in text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii) {
        if !line.is_empty() && line[0] != b'#' {
            let path = absolute(&path_of(line))?;
            go_on()?;
            match fs::metadata(&path).ok() {
                Some(found) if has_extension(&path, "zip") => add_archive(&path, &found, listing, go_on)?,
                found => listing.entries.push_file(&path, found.as_ref().map(Stamp::of)),
            }
        }
    }
    Ok(())
}

fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|name| name.contains(['*', '?', '[']))
}

fn add_pattern(pattern: &Path, listing: &mut Listing, walker: &Walker, go_on: &mut GoOn<'_>) -> Result<(), StoreError> {
    let text = pattern.to_str().unwrap_or_default();
    let matches = glob::glob(text).map_err(|error| StoreError::Layout {
        path: pattern.to_owned(),
        problem: format!("is not a glob pattern: {}", error.msg),
        hint: "quote patterns such as 'ecg/**/*.xml'",
    })?;
    for path in matches {
        let path = path.map_err(|error| failed("cannot read", error.path(), io::Error::from(error.error().kind())))?;
        let metadata = fs::metadata(&path).map_err(|source| failed("cannot read", &path, source))?;
        add(&path, &metadata, listing, walker, go_on)?;
    }
    Ok(())
}

pub(super) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(path).map_err(|source| failed("cannot read", path, source))
}

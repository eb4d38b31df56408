//! Zip archives, read in place: members are listed from the directory at the archive's end, and each is read by itself at its own offset.
//!
//! ```text
//! listing   end record (ZIP64 too) ─▶ central directory ─▶ entries: name, size, time, offset, packed size, CRC-32
//!             └ missing, cut or wrong ─▶ scan of the members' own headers ─▶ what is still there, and one entry that says so
//! reading   one positioned read (header and data) ─▶ inflate into a buffer of the stated size ─▶ CRC-32
//! ```
//!
//! Nothing is believed that would cost memory: a member is unpacked only into the size that it states, and only when that is within the
//! limit for a file.

mod bytes;
mod directory;
mod header;
mod member;
mod name;
mod scan;

use std::fs::File;
use std::io;
use std::path::Path;

use directory::Directory;
pub use member::MemberReader;

use crate::error::StoreError;
use crate::source::{Entries, GoOn, Place, Stamp};

/// Something that can be read at any place without moving a cursor, so that threads do not disturb each other.
pub trait ReadAt {
    /// Read to the front of `buffer` from `offset` on; fewer bytes than asked for are no error, none means the end.
    ///
    /// # Errors
    /// When the operating system refuses.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

/// A member as an archive lists it.
struct Member {
    /// Its whole name, with `/` between the parts.
    name: String,
    stamp: Stamp,
    place: Place,
}

impl Member {
    fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }

    /// Whether it is named `*.xml`, and is not what a Mac adds beside every file.
    fn is_xml(&self) -> bool {
        let extension = self.name.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension);
        let added = self.name.split('/').any(|part| part == "__MACOSX");
        !added && extension.is_some_and(|extension| extension.eq_ignore_ascii_case("xml"))
    }
}

/// Why listing ended early.
#[derive(Debug)]
pub enum ListError {
    /// The archive cannot be read.
    Io(io::Error),
    /// The caller asked to stop.
    Stopped(StoreError),
}

impl From<io::Error> for ListError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What an archive holds.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Its members that are XML.
    pub entries: Entries,
    /// Its other members, folders not counted.
    pub num_skipped: u64,
    /// Whether its directory was there and could be read to its end.
    pub is_whole: bool,
}

impl Contents {
    fn add(&mut self, path: &Path, member: &Member) {
        if member.is_xml() {
            self.entries.push_member(path, &member.name, member.stamp, member.place);
        } else if !member.is_folder() {
            self.num_skipped += 1;
        }
    }
}

/// List the archive at `path`, of `num_bytes` bytes.
///
/// The directory decides. Where it is missing or damaged, every member whose own header can still be found is listed instead.
///
/// # Errors
/// When the archive cannot be read, or `go_on` says to stop.
pub fn contents<R: ReadAt + ?Sized>(
    archive: &R,
    num_bytes: u64,
    path: &Path,
    go_on: &mut GoOn<'_>,
) -> Result<Contents, ListError> {
    let mut contents = Contents { is_whole: true, ..Contents::default() };
    if let Some(directory) = Directory::locate(archive, num_bytes)?
        && directory.read(archive, go_on, &mut |member| contents.add(path, &member))?
    {
        return Ok(contents);
    }
    contents = Contents::default();
    scan::members(archive, num_bytes, go_on, &mut |member| contents.add(path, &member))?;
    Ok(contents)
}

/// Read as much of `buffer` as there is from `offset` on, which is nothing where no file reaches.
fn read_full<R: ReadAt + ?Sized>(archive: &R, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    if offset > i64::MAX as u64 {
        return Ok(0);
    }
    let mut length = 0;
    while length < buffer.len() {
        match archive.read_at(&mut buffer[length..], offset.saturating_add(length as u64)) {
            Ok(0) => break,
            Ok(found) => length += found,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

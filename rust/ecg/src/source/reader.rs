//! The bytes of entries, one after the other.

use std::collections::VecDeque;
use std::fs::File;
use std::num::NonZeroU64;
use std::path::PathBuf;

use super::buffer::FileBuffer;
use super::cache::{self, Found};
use super::entry::Entry;
use super::file::{self, read_file_once, words};
use super::listing::has_extension;
use super::zip::MemberReader;
use crate::error::ParseError;

/// What is given back of an archive begins at a multiple of this: the system keeps files in pieces of up to 2 MB and gives none back by half,
/// so that one which members share goes with the last of them.
const ALIGNMENT: u64 = 1 << 21;

/// An open archive.
struct Archive {
    path: Vec<u8>,
    file: File,
    /// Whether it was on the disk when its first member was asked for; what comes after that the system has read ahead.
    is_on_disk: bool,
}

/// Reads entries of any kind. One per thread: it keeps the last archive open, so that no descriptor is shared and nothing is locked.
#[derive(Default)]
pub struct EntryReader {
    archive: Option<Archive>,
    members: MemberReader,
    /// Files that the system reads from the disk meanwhile.
    fetched: VecDeque<PathBuf>,
    is_from_disk: bool,
}

impl EntryReader {
    /// Whether the last file came from the disk, so that the next ones are worth a [`fetch`](Self::fetch).
    pub const fn is_from_disk(&self) -> bool {
        self.is_from_disk
    }

    /// Have the system begin to read a file that is on the disk. Archives need none: it reads ahead in them by itself.
    pub fn fetch(&mut self, entry: &Entry<'_>) {
        let path = entry.path();
        if entry.place.is_none() && !has_extension(&path, "zip") && file::fetch(&path) {
            self.fetched.push_back(path);
        }
    }

    /// Refill `buffer` with the bytes of `entry`.
    ///
    /// # Errors
    /// As [`read_file`] and [`MemberReader::read`]; an archive in place of a file is the mark of [`list`](super::list) that it is damaged.
    pub fn read(&mut self, entry: &Entry<'_>, max_bytes: u64, buffer: &mut FileBuffer) -> Result<(), ParseError> {
        let (Some(place), Some(stamp)) = (entry.place, entry.stamp) else {
            let path = entry.path();
            if has_extension(&path, "zip") {
                buffer.hold(0);
                File::open(&path).map_err(|error| ParseError::Unreadable { reason: words(&error) })?;
                return Err(ParseError::DamagedArchive);
            }
            let place = self.fetched.iter().position(|fetched| *fetched == path);
            let is_fetched = place.is_some_and(|place| self.fetched.drain(..=place).count() > 0);
            self.is_from_disk = read_file_once(&path, max_bytes, buffer, is_fetched)?;
            return Ok(());
        };
        if self.archive.as_ref().is_none_or(|archive| archive.path != entry.container) {
            buffer.hold(0);
            let file = File::open(entry.path()).map_err(|error| ParseError::Unreadable { reason: words(&error) })?;
            let is_on_disk = cache::read_in_memory(&file, &mut [0], place.offset) == Found::OnDisk;
            self.archive = Some(Archive { path: entry.container.to_owned(), file, is_on_disk });
        }
        let Some(Archive { file, is_on_disk, .. }) = &self.archive else { return Err(ParseError::DamagedArchive) };
        self.members.read(file, (stamp, place, entry.name.len()), max_bytes, buffer)?;
        if *is_on_disk {
            let begin = place.offset / ALIGNMENT * ALIGNMENT;
            let end = place.offset + place.packed_bytes + entry.name.len() as u64;
            cache::give_back(file, begin, NonZeroU64::new(end - begin));
        }
        Ok(())
    }
}

//! The bytes of entries, one after the other.

use std::fs::File;

use super::entry::Entry;
use super::file::{read_file, words};
use super::listing::has_extension;
use super::zip::MemberReader;
use crate::error::ParseError;

/// Reads entries of any kind. One per thread: it keeps the last archive open, so that no descriptor is shared and nothing is locked.
#[derive(Default)]
pub struct EntryReader {
    archive: Option<(Vec<u8>, File)>,
    members: MemberReader,
}

impl EntryReader {
    /// Refill `buffer` with the bytes of `entry`.
    ///
    /// # Errors
    /// As [`read_file`] and [`MemberReader::read`]; an archive in place of a file is the mark of [`list`](super::list) that it is damaged.
    pub fn read(&mut self, entry: &Entry<'_>, max_bytes: u64, buffer: &mut Vec<u8>) -> Result<(), ParseError> {
        let (Some(place), Some(stamp)) = (entry.place, entry.stamp) else {
            let path = entry.path();
            if has_extension(&path, "zip") {
                buffer.clear();
                File::open(&path).map_err(|error| ParseError::Unreadable { reason: words(&error) })?;
                return Err(ParseError::DamagedArchive);
            }
            return read_file(&path, max_bytes, buffer);
        };
        if self.archive.as_ref().is_none_or(|(path, _)| path != entry.container) {
            buffer.clear();
            let file = File::open(entry.path()).map_err(|error| ParseError::Unreadable { reason: words(&error) })?;
            self.archive = Some((entry.container.to_owned(), file));
        }
        let Some((_, archive)) = &self.archive else { return Err(ParseError::DamagedArchive) };
        self.members.read(archive, (stamp, place, entry.name.len()), max_bytes, buffer)
    }
}

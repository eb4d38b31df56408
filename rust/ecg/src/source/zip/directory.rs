//! The central directory: all members of an archive, listed at its end.

use std::io;

use super::bytes::{Fields, extra};
use super::header::ZIP64;
use super::{ListError, Member, ReadAt, name, read_full};
use crate::source::{GoOn, Place, Stamp};

const END_MARK: [u8; 4] = *b"PK\x05\x06";
const END_BYTES: usize = 22;
const END64_MARK: [u8; 4] = *b"PK\x06\x06";
const END64_BYTES: usize = 56;
const LOCATOR_MARK: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_BYTES: usize = 20;
const ENTRY_MARK: [u8; 4] = *b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
/// The end record and the longest comment after it.
const TAIL_BYTES: usize = END_BYTES + u16::MAX as usize;
/// Bytes of the directory that are in memory at once; an entry with its name, blocks and comment is at most 200 KB.
const WINDOW_BYTES: usize = 1 << 20;

/// Where the directory lies, and how many members it announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    offset: u64,
    num_bytes: u64,
    num_members: u64,
    /// Without ZIP64 the number is stated modulo 65 536 by writers that did not count further.
    is_exact: bool,
    /// Bytes in front of the archive, which its offsets do not count (a program that unpacks it).
    base: u64,
}

impl Directory {
    /// Find the directory of an archive of `archive_bytes` bytes; `None` when there is no whole end record.
    pub(super) fn locate<R: ReadAt + ?Sized>(archive: &R, archive_bytes: u64) -> io::Result<Option<Self>> {
        let length = archive_bytes.min((TAIL_BYTES + LOCATOR_BYTES) as u64) as usize;
        let mut tail = vec![0; length];
        let begin = archive_bytes - length as u64;
        let length = read_full(archive, &mut tail, begin)?;
        let tail = &tail[..length];
        for at in memchr::memmem::rfind_iter(tail, &END_MARK) {
            let Some((end, comment_bytes)) = read_end(&tail[at..]) else { continue };
            // Another record would be text in the comment of this one, or the other way round.
            if at + END_BYTES + usize::from(comment_bytes) > tail.len() {
                continue;
            }
            let end_at = begin + at as u64;
            let located = match at.checked_sub(LOCATOR_BYTES).map(|locator| &tail[locator..at]) {
                Some(locator) if locator.starts_with(&LOCATOR_MARK) => {
                    match Self::read_end64(archive, locator, end_at - LOCATOR_BYTES as u64)? {
                        Some(located) => located,
                        None => continue,
                    }
                }
                _ => (end, end_at),
            };
            if let Some(directory) = located.0.based(located.1) {
                return Ok(Some(directory));
            }
        }
        Ok(None)
    }

    /// The ZIP64 end record and where it lies: where the locator says, or right before it when something stands in front of the archive.
    fn read_end64<R: ReadAt + ?Sized>(archive: &R, locator: &[u8], locator_at: u64) -> io::Result<Option<(Self, u64)>> {
        let mut fields = Fields(&locator[8..]);
        let stated = fields.u64().unwrap_or_default();
        for at in [Some(stated), locator_at.checked_sub(END64_BYTES as u64)].into_iter().flatten() {
            let mut record = [0; END64_BYTES];
            if read_full(archive, &mut record, at)? == END64_BYTES && record.starts_with(&END64_MARK) {
                let mut fields = Fields(&record[32..]);
                if let (Some(num_members), Some(num_bytes), Some(offset)) = (fields.u64(), fields.u64(), fields.u64()) {
                    return Ok(Some((Self { offset, num_bytes, num_members, is_exact: true, base: 0 }, at)));
                }
            }
        }
        Ok(None)
    }

    /// The directory ends where the end record begins; what that is more than stated stands in front of the archive.
    fn based(mut self, end_at: u64) -> Option<Self> {
        self.base = end_at.checked_sub(self.num_bytes)?.checked_sub(self.offset)?;
        Some(self)
    }

    /// Tell `found` of every member. `false` when the directory turns out to be damaged.
    pub(super) fn read<R: ReadAt + ?Sized>(
        &self,
        archive: &R,
        go_on: &mut GoOn<'_>,
        found: &mut dyn FnMut(Member),
    ) -> Result<bool, ListError> {
        let mut window = vec![0; WINDOW_BYTES.min(usize::try_from(self.num_bytes).unwrap_or(WINDOW_BYTES))];
        let (mut num_read, mut num_members) = (0, 0u64);
        while num_read < self.num_bytes {
            go_on().map_err(ListError::Stopped)?;
            let wanted = (self.num_bytes - num_read).min(window.len() as u64) as usize;
            let length = read_full(archive, &mut window[..wanted], self.base + self.offset + num_read)?;
            let mut rest = Fields(&window[..length]);
            let mut used = 0;
            while let Some(member) = read_entry(&mut rest, self.base) {
                used = length - rest.0.len();
                num_members += 1;
                found(member);
            }
            if used == 0 {
                return Ok(false);
            }
            num_read += used as u64;
        }
        let is_whole = if self.is_exact { num_members == self.num_members } else { num_members % (1 << 16) == self.num_members };
        Ok(is_whole)
    }
}

/// The end record and the length of its comment.
fn read_end(bytes: &[u8]) -> Option<(Directory, u16)> {
    let mut fields = Fields(bytes.get(8..)?);
    let _here = fields.u16()?;
    let num_members = u64::from(fields.u16()?);
    let (num_bytes, offset) = (u64::from(fields.u32()?), u64::from(fields.u32()?));
    let directory = Directory { offset, num_bytes, num_members, is_exact: false, base: 0 };
    Some((directory, fields.u16()?))
}

/// One entry off the front of `rest`; `None`, and `rest` of no further use, when there is no whole one.
fn read_entry(rest: &mut Fields<'_>, base: u64) -> Option<Member> {
    let mut fields = Fields(rest.take(ENTRY_BYTES)?.strip_prefix(&ENTRY_MARK)?);
    fields.take(4)?;
    let (flags, _method, time, date) = (fields.u16()?, fields.u16()?, fields.u16()?, fields.u16()?);
    let (crc32, packed, whole) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let (name_bytes, extra_bytes, comment_bytes) = (fields.u16()?, fields.u16()?, fields.u16()?);
    fields.take(8)?;
    let offset = fields.u32()?;
    let (raw_name, extra_blocks) = (rest.take(usize::from(name_bytes))?, rest.take(usize::from(extra_bytes))?);
    rest.take(usize::from(comment_bytes))?;
    let mut large = extra(extra_blocks, ZIP64);
    let mut widened = |value: u32| match &mut large {
        Some(fields) if value == u32::MAX => fields.u64(),
        _ => Some(u64::from(value)),
    };
    let (num_bytes, packed_bytes, offset) = (widened(whole)?, widened(packed)?, widened(offset)?);
    Some(Member {
        name: name::decode(raw_name, flags, extra_blocks),
        stamp: Stamp { num_bytes, modified_ns: name::modified_ns(date, time) },
        place: Place { offset: offset.checked_add(base)?, packed_bytes, crc32 },
    })
}

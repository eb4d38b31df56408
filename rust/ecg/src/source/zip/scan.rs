//! What is left of an archive without its directory: members found by their own headers, from front to back.

use std::io;

use super::bytes::Fields;
use super::header::{HEADER_BYTES, HEADER_MARK, Header};
use super::{ListError, Member, ReadAt, name, read_full};
use crate::source::{GoOn, Place, Stamp};

const ENTRY_MARK: [u8; 4] = *b"PK\x01\x02";
const DESCRIPTOR_MARK: [u8; 4] = *b"PK\x07\x08";
/// The newest version of the format is 6.3.
const NEWEST_VERSION: u8 = 63;
/// Header, name and blocks of nearly every member.
const SHORT_BYTES: usize = 512;
const WINDOW_BYTES: usize = 1 << 18;

/// Tell `found` of every member whose header is there. One that is cut is told of too, so that it is rejected in the open.
pub(super) fn members<R: ReadAt + ?Sized>(
    archive: &R,
    archive_bytes: u64,
    go_on: &mut GoOn<'_>,
    found: &mut dyn FnMut(Member),
) -> Result<(), ListError> {
    let mut scan = Scan { archive, window: vec![0; WINDOW_BYTES.min(archive_bytes as usize)], begin: 0, length: 0 };
    let mut at = 0;
    while at < archive_bytes {
        go_on().map_err(ListError::Stopped)?;
        let Some((mut member, sizes, data)) = scan.header(at)? else {
            if scan.mark(at)? == Some(ENTRY_MARK) {
                break;
            }
            let Some((next, _)) = scan.next_mark(at + 1, &[HEADER_MARK], go_on)? else { break };
            at = next;
            continue;
        };
        at = match sizes {
            Some((packed_bytes, num_bytes)) => {
                member.place.packed_bytes = packed_bytes;
                member.stamp.num_bytes = num_bytes;
                let next = data.saturating_add(packed_bytes);
                // A wrong size must not hide the members that follow.
                if scan.mark(next)?.is_some_and(|mark| mark.starts_with(b"PK")) { next } else { data }
            }
            None => scan.find_end(&mut member, data, archive_bytes, go_on)?,
        };
        found(member);
    }
    Ok(())
}

struct Scan<'a, R: ?Sized> {
    archive: &'a R,
    window: Vec<u8>,
    /// Where in the archive the window lies, and how much of it is filled.
    begin: u64,
    length: usize,
}

/// A member, its packed and unpacked size, and where its data begin.
type Found = (Member, Option<(u64, u64)>, u64);

impl<R: ReadAt + ?Sized> Scan<'_, R> {
    /// The member whose header stands at `at`.
    fn header(&self, at: u64) -> io::Result<Option<Found>> {
        let mut bytes = vec![0; SHORT_BYTES];
        let length = read_full(self.archive, &mut bytes, at)?;
        bytes.truncate(length);
        let Some(header) = Header::read(&bytes).filter(|header| bytes[4] <= NEWEST_VERSION && header.name_bytes > 0) else {
            return Ok(None);
        };
        let whole = HEADER_BYTES + header.variable_bytes();
        if whole > bytes.len() {
            bytes.resize(whole, 0);
            if read_full(self.archive, &mut bytes, at)? < whole {
                return Ok(None);
            }
        }
        let (raw_name, extra_blocks) = bytes[HEADER_BYTES..whole].split_at(usize::from(header.name_bytes));
        let member = Member {
            name: name::decode(raw_name, header.flags, extra_blocks),
            stamp: Stamp { num_bytes: 0, modified_ns: name::modified_ns(header.date, header.time) },
            place: Place { offset: at, packed_bytes: 0, crc32: header.crc32 },
        };
        Ok(Some((member, header.sizes(extra_blocks), at + whole as u64)))
    }

    /// The end of a member that states its sizes only behind its data. What cannot be found is left as 0, which no data fit.
    fn find_end(&mut self, member: &mut Member, data: u64, archive_bytes: u64, go_on: &mut GoOn<'_>) -> Result<u64, ListError> {
        let mut from = data;
        while let Some((at, mark)) = self.next_mark(from, &[DESCRIPTOR_MARK, HEADER_MARK], go_on)? {
            // The mark may be missing: then the sizes stand right before the next header.
            let (places, behind_mark) =
                if mark == DESCRIPTOR_MARK { ([Some(at + 4), None], 4) } else { ([at.checked_sub(12), at.checked_sub(20)], 0) };
            for place in places.into_iter().flatten().filter(|&place| place >= data + behind_mark) {
                if self.descriptor(member, place, place - behind_mark - data)? {
                    return Ok(place + 12);
                }
            }
            if mark == HEADER_MARK && self.header(at)?.is_some() {
                member.place.packed_bytes = at - data;
                return Ok(at);
            }
            from = at + 1;
        }
        member.place.packed_bytes = archive_bytes.saturating_sub(data);
        Ok(archive_bytes)
    }

    /// Whether a CRC-32 and sizes stand at `at` for a member of just `packed` bytes; taken over when they do.
    fn descriptor(&self, member: &mut Member, at: u64, packed: u64) -> io::Result<bool> {
        let mut bytes = [0; 20];
        let length = read_full(self.archive, &mut bytes, at)?;
        let mut short = Fields(&bytes[..length]);
        let Some(crc32) = short.u32() else { return Ok(false) };
        let mut long = short;
        let sizes = [short.u32().zip(short.u32()).map(|(a, b)| (u64::from(a), u64::from(b))), long.u64().zip(long.u64())];
        let Some((_, num_bytes)) = sizes.into_iter().flatten().find(|&(found, _)| found == packed) else { return Ok(false) };
        member.place = Place { packed_bytes: packed, crc32, ..member.place };
        member.stamp.num_bytes = num_bytes;
        Ok(true)
    }

    /// The four bytes at `at`.
    fn mark(&self, at: u64) -> io::Result<Option<[u8; 4]>> {
        let mut mark = [0; 4];
        Ok((read_full(self.archive, &mut mark, at)? == mark.len()).then_some(mark))
    }

    /// The first of `marks` from `from` on.
    fn next_mark(&mut self, mut from: u64, marks: &[[u8; 4]], go_on: &mut GoOn<'_>) -> Result<Option<(u64, [u8; 4])>, ListError> {
        loop {
            let filled = self.begin..self.begin + self.length as u64;
            if !filled.contains(&from) || !filled.contains(&(from + 3)) {
                go_on().map_err(ListError::Stopped)?;
                self.length = read_full(self.archive, &mut self.window, from)?;
                self.begin = from;
            }
            let rest = &self.window[(from - self.begin) as usize..self.length];
            if rest.len() < 4 {
                return Ok(None);
            }
            for at in memchr::memmem::find_iter(rest, b"PK") {
                if let Some(mark) = rest[at..].first_chunk::<4>().filter(|mark| marks.contains(mark)) {
                    return Ok(Some((from + at as u64, *mark)));
                }
            }
            // The last three bytes may begin a mark.
            from += rest.len() as u64 - 3;
        }
    }
}

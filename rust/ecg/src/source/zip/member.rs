//! One member, unpacked.

use libdeflater::Decompressor;

use super::header::{HEADER_BYTES, Header};
use super::{ReadAt, read_full};
use crate::error::ParseError;
use crate::source::{FileBuffer, Place, Stamp};

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Room for the blocks that most writers put into a member's header, so that one read fetches header and data.
const USUAL_EXTRA_BYTES: usize = 64;
/// Deflate cannot make more of a byte.
const MOST_RATIO: u64 = 1032;

/// Reads members one after the other, with buffers that are reused.
pub struct MemberReader {
    packed: Vec<u8>,
    decompressor: Decompressor,
}

impl Default for MemberReader {
    fn default() -> Self {
        Self { packed: Vec::new(), decompressor: Decompressor::new() }
    }
}

impl MemberReader {
    /// Refill `buffer` with a member whose name takes `name_bytes` bytes.
    ///
    /// # Errors
    /// When it cannot be read, is larger than `max_bytes`, encrypted, packed by another method than deflate, or does not unpack to what
    /// `stamp` and `place` say; `buffer` is then empty.
    pub fn read<R: ReadAt + ?Sized>(
        &mut self,
        archive: &R,
        (stamp, place, name_bytes): (Stamp, Place, usize),
        max_bytes: u64,
        buffer: &mut FileBuffer,
    ) -> Result<(), ParseError> {
        let result = self.unpack(archive, (stamp, place, name_bytes), max_bytes, buffer);
        buffer.hold(result.as_ref().map_or(0, |()| stamp.num_bytes as usize));
        result
    }

    fn unpack<R: ReadAt + ?Sized>(
        &mut self,
        archive: &R,
        (stamp, place, name_bytes): (Stamp, Place, usize),
        max_bytes: u64,
        buffer: &mut FileBuffer,
    ) -> Result<(), ParseError> {
        let (packed_bytes, num_bytes) = (place.packed_bytes, stamp.num_bytes);
        // What is packed is hardly longer than the whole; one limit for both bounds the memory.
        let larger = num_bytes.max(packed_bytes);
        if larger > max_bytes {
            return Err(ParseError::TooLarge { bytes: larger, limit: max_bytes });
        }
        let (header, data) = self.fetch(archive, place, name_bytes)?;
        if header.is_encrypted() {
            return Err(ParseError::Encrypted);
        }
        if header.method != STORED && header.method != DEFLATED {
            return Err(ParseError::UnsupportedCompression { method: header.method });
        }
        if num_bytes > packed_bytes.saturating_mul(MOST_RATIO) || (header.method == STORED && num_bytes != packed_bytes) {
            return Err(ParseError::DamagedMember { what: "its sizes contradict each other" });
        }
        let length = num_bytes as usize;
        let packed = &self.packed[data..data + packed_bytes as usize];
        let out = buffer.room(length);
        if header.method == STORED {
            out.copy_from_slice(packed);
        } else if self.decompressor.deflate_decompress(packed, out) != Ok(length) {
            return Err(ParseError::DamagedMember { what: "it does not unpack to its stated size" });
        }
        if crc32fast::hash(out) != place.crc32 {
            return Err(ParseError::DamagedMember { what: "its CRC-32 differs from the stated one" });
        }
        Ok(())
    }

    /// Header and data to the front of `packed`, and where in it the data begin.
    fn fetch<R: ReadAt + ?Sized>(&mut self, archive: &R, place: Place, name_bytes: usize) -> Result<(Header, usize), ParseError> {
        const CUT: ParseError = ParseError::DamagedMember { what: "the archive ends before it does" };
        let unreadable = |error: std::io::Error| ParseError::Unreadable { reason: crate::source::file::words(&error) };
        let expected = HEADER_BYTES + name_bytes + USUAL_EXTRA_BYTES + place.packed_bytes as usize;
        if self.packed.len() < expected {
            self.packed.resize(expected, 0);
        }
        let length = read_full(archive, &mut self.packed[..expected], place.offset).map_err(unreadable)?;
        if length < HEADER_BYTES {
            return Err(CUT);
        }
        let Some(header) = Header::read(&self.packed[..length]) else {
            return Err(ParseError::DamagedMember { what: "its header is not where the directory says" });
        };
        let data = HEADER_BYTES + header.variable_bytes();
        let end = data + place.packed_bytes as usize;
        if end > length {
            self.packed.resize(end.max(self.packed.len()), 0);
            let rest = &mut self.packed[length..end];
            if length < expected || read_full(archive, rest, place.offset + length as u64).map_err(unreadable)? < rest.len() {
                return Err(CUT);
            }
        }
        Ok((header, data))
    }
}

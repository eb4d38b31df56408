//! The header that stands before every member's data.

use super::bytes::{Fields, extra};

/// Bytes of the header without name and extra blocks.
pub(super) const HEADER_BYTES: usize = 30;
pub(super) const HEADER_MARK: [u8; 4] = *b"PK\x03\x04";
pub(super) const ZIP64: u16 = 1;
const ENCRYPTED: u16 = 1;
const SIZES_FOLLOW: u16 = 1 << 3;

/// The fixed part of a header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) time: u16,
    pub(super) date: u16,
    pub(super) crc32: u32,
    packed_bytes: u32,
    num_bytes: u32,
    pub(super) name_bytes: u16,
    pub(super) extra_bytes: u16,
}

impl Header {
    /// `None` when `bytes` do not begin with a header.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes.strip_prefix(&HEADER_MARK)?);
        let _version = fields.u16()?;
        Some(Self {
            flags: fields.u16()?,
            method: fields.u16()?,
            time: fields.u16()?,
            date: fields.u16()?,
            crc32: fields.u32()?,
            packed_bytes: fields.u32()?,
            num_bytes: fields.u32()?,
            name_bytes: fields.u16()?,
            extra_bytes: fields.u16()?,
        })
    }

    /// Bytes of name and extra blocks.
    pub(super) fn variable_bytes(&self) -> usize {
        usize::from(self.name_bytes) + usize::from(self.extra_bytes)
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPTED != 0
    }

    /// Packed and unpacked size; `None` when the writer did not know them yet and put them behind the data.
    pub(super) fn sizes(&self, extra_blocks: &[u8]) -> Option<(u64, u64)> {
        let (packed, whole) = (u64::from(self.packed_bytes), u64::from(self.num_bytes));
        if self.packed_bytes == u32::MAX || self.num_bytes == u32::MAX {
            let mut fields = extra(extra_blocks, ZIP64)?;
            let whole = if self.num_bytes == u32::MAX { fields.u64()? } else { whole };
            let packed = if self.packed_bytes == u32::MAX { fields.u64()? } else { packed };
            return (self.flags & SIZES_FOLLOW == 0 || packed > 0).then_some((packed, whole));
        }
        (self.flags & SIZES_FOLLOW == 0 || packed > 0).then_some((packed, whole))
    }
}

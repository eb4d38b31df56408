//! Little-endian fields out of a record, one after the other.

/// What is left of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

/// The fields of an extra block with this id.
pub(super) fn extra(blocks: &[u8], id: u16) -> Option<Fields<'_>> {
    let mut rest = Fields(blocks);
    while let (Some(found), Some(length)) = (rest.u16(), rest.u16()) {
        let content = rest.take(usize::from(length))?;
        if found == id {
            return Some(Fields(content));
        }
    }
    None
}

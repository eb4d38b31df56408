//! One shard file: chunks one after the other, then the index (offset and length of each, little-endian u64) and its CRC-32C.

use std::fs::File;
use std::path::{Path, PathBuf};

use twox_hash::XxHash3_128;

use crate::error::StoreError;
use crate::store::files::{TemporaryFile, failed};
use crate::store::layout::SHARD_ROWS;

const ENTRY_BYTES: usize = 16;
const INDEX_BYTES: usize = SHARD_ROWS * ENTRY_BYTES;
const FOOTER_BYTES: usize = INDEX_BYTES + 4;
const EMPTY: u64 = u64::MAX;

/// Streams the chunks of one shard to disk; memory does not grow with their size.
pub struct ShardWriter {
    file: TemporaryFile,
    index: Vec<u8>,
    num_chunks: usize,
    hasher: XxHash3_128,
}

/// A shard that is written, and has neither its name nor its safety yet.
pub struct SealedShard {
    file: Option<TemporaryFile>,
    checksum: u128,
}

impl ShardWriter {
    /// Begin a shard in a temporary file at `path`.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn create(path: PathBuf) -> Result<Self, StoreError> {
        let file = TemporaryFile::create(path)?;
        Ok(Self { file, index: Vec::with_capacity(FOOTER_BYTES), num_chunks: 0, hasher: XxHash3_128::new() })
    }

    /// Append the chunk of the next row.
    ///
    /// # Errors
    /// When the operating system refuses, such as for want of space.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        self.push_entry(self.file.num_bytes(), chunk.len() as u64);
        self.num_chunks += 1;
        // Hashed while the processor's caches still hold it: later, it would have to come from memory or from the disk.
        self.hasher.write(chunk);
        self.file.append(chunk)
    }

    /// Leave the next row without a recording; it reads as NaN.
    pub fn push_empty(&mut self) {
        self.push_entry(EMPTY, EMPTY);
    }

    /// Write the index.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn seal(mut self) -> Result<SealedShard, StoreError> {
        if self.num_chunks == 0 {
            return Ok(SealedShard { file: None, checksum: 0 });
        }
        while self.index.len() < INDEX_BYTES {
            self.push_empty();
        }
        let crc = crc32c::crc32c(&self.index);
        self.index.extend_from_slice(&crc.to_le_bytes());
        self.hasher.write(&self.index);
        self.file.append(&self.index)?;
        Ok(SealedShard { file: Some(self.file), checksum: self.hasher.finish_128() })
    }

    fn push_entry(&mut self, offset: u64, num_bytes: u64) {
        debug_assert!(self.index.len() < INDEX_BYTES, "a shard has {SHARD_ROWS} rows");
        self.index.extend_from_slice(&offset.to_le_bytes());
        self.index.extend_from_slice(&num_bytes.to_le_bytes());
    }
}

impl SealedShard {
    /// XXH128 of the file; `None` when there is none, for want of a chunk.
    pub fn checksum(&self) -> Option<u128> {
        self.file.as_ref().map(|_| self.checksum)
    }

    /// Bring the shard to disk and give it its final name. A shard without a chunk leaves no file, nor one of an earlier attempt.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn commit(self, target: &Path) -> Result<(), StoreError> {
        self.file.map_or_else(|| crate::store::files::remove_file(target), |file| file.commit(target))
    }
}

/// Where the chunks of one shard lie in its file; [`NO_CHUNK`] as length of a row without a recording.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ShardIndex {
    pub(crate) offsets: Vec<u64>,
    pub(crate) lengths: Vec<u32>,
    /// Bytes of the whole file; 0 when there is none.
    pub(crate) file_bytes: u64,
}

/// Length that stands for a row without a recording.
pub(crate) const NO_CHUNK: u32 = u32::MAX;

impl ShardIndex {
    /// Read the places of the first `num_rows` rows from the end of the shard at `path`; a shard without a file holds no recording.
    pub(crate) fn read(path: &Path, num_rows: usize) -> Result<Self, StoreError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::empty(num_rows)),
            Err(source) => return Err(failed("cannot read", path, source)),
        };
        let num_bytes = file.metadata().map_err(|source| failed("cannot read", path, source))?.len();
        let damaged = || StoreError::Layout {
            path: path.to_owned(),
            problem: "has a damaged index".to_owned(),
            hint: "convert again; the file on disk is damaged",
        };
        let num_chunk_bytes = num_bytes.checked_sub(FOOTER_BYTES as u64).ok_or_else(damaged)?;
        let mut footer = [0; FOOTER_BYTES];
        read_exact_at(&file, &mut footer, num_chunk_bytes).map_err(|source| failed("cannot read", path, source))?;
        Self::parse(&footer, num_chunk_bytes, num_rows).ok_or_else(damaged)
    }

    fn empty(num_rows: usize) -> Self {
        Self { offsets: vec![0; num_rows], lengths: vec![NO_CHUNK; num_rows], file_bytes: 0 }
    }

    /// Check the last bytes of a shard; `None` when they are damaged or point outside the chunks.
    fn parse(footer: &[u8; FOOTER_BYTES], num_chunk_bytes: u64, num_rows: usize) -> Option<Self> {
        let (index, crc) = footer.split_last_chunk::<4>()?;
        if crc32c::crc32c(index) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut found = Self { file_bytes: num_chunk_bytes + FOOTER_BYTES as u64, ..Self::empty(num_rows) };
        let (entries, _) = index.as_chunks::<ENTRY_BYTES>();
        for ((entry, place), length) in entries.iter().zip(&mut found.offsets).zip(&mut found.lengths) {
            let (offset, num_bytes) = entry.split_at(8);
            let (offset, num_bytes) =
                (u64::from_le_bytes(offset.try_into().ok()?), u64::from_le_bytes(num_bytes.try_into().ok()?));
            if (offset, num_bytes) == (EMPTY, EMPTY) {
                continue;
            }
            if offset.checked_add(num_bytes)? > num_chunk_bytes {
                return None;
            }
            *place = offset;
            *length = u32::try_from(num_bytes).ok().filter(|&length| length != NO_CHUNK)?;
        }
        Some(found)
    }
}

/// Fill `bytes` from `offset` on, whatever other threads read of the same file.
#[cfg(unix)]
pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Fill `bytes` from `offset` on, whatever other threads read of the same file.
#[cfg(windows)]
pub(crate) fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let num_read = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if num_read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[num_read..];
        offset += num_read as u64;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The index of a shard with 100 bytes of chunks whose first row has this place.
    fn footer(offset: u64, num_bytes: u64) -> [u8; FOOTER_BYTES] {
        let mut footer = [0xff; FOOTER_BYTES];
        footer[..8].copy_from_slice(&offset.to_le_bytes());
        footer[8..16].copy_from_slice(&num_bytes.to_le_bytes());
        let crc = crc32c::crc32c(&footer[..INDEX_BYTES]);
        footer[INDEX_BYTES..].copy_from_slice(&crc.to_le_bytes());
        footer
    }

    #[test]
    fn an_entry_within_the_chunks_is_taken() {
        let index = ShardIndex::parse(&footer(10, 90), 100, 2).unwrap();
        assert_eq!((index.offsets, index.lengths), (vec![10, 0], vec![90, NO_CHUNK]));
    }

    #[test]
    fn an_entry_that_points_outside_is_refused() {
        for (offset, num_bytes) in [(10, 91), (u64::MAX, 1), (0, u64::MAX), (101, 0)] {
            assert_eq!(ShardIndex::parse(&footer(offset, num_bytes), 100, 1), None, "{offset} {num_bytes}");
        }
    }

    #[test]
    fn a_length_that_would_read_as_no_recording_is_refused() {
        assert_eq!(ShardIndex::parse(&footer(0, u64::from(NO_CHUNK)), u64::MAX / 2, 1), None);
    }

    #[test]
    fn a_flipped_bit_in_the_index_is_found() {
        let mut footer = footer(10, 90);
        footer[0] ^= 1;
        assert_eq!(ShardIndex::parse(&footer, 100, 1), None);
    }
}

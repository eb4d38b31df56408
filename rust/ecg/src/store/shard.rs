//! One shard file: chunks one after the other, then the index (offset and length of each, little-endian u64) and its CRC-32C.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

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
}

impl ShardWriter {
    /// Begin a shard in a temporary file at `path`.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn create(path: PathBuf) -> Result<Self, StoreError> {
        Ok(Self { file: TemporaryFile::create(path)?, index: Vec::with_capacity(FOOTER_BYTES), num_chunks: 0 })
    }

    /// Append the chunk of the next row.
    ///
    /// # Errors
    /// When the operating system refuses, such as for want of space.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        self.push_entry(self.file.num_bytes(), chunk.len() as u64);
        self.num_chunks += 1;
        self.file.append(chunk)
    }

    /// Leave the next row without a recording; it reads as NaN.
    pub fn push_empty(&mut self) {
        self.push_entry(EMPTY, EMPTY);
    }

    /// Write the index and give the shard its final name. A shard without a chunk leaves no file, nor one of an earlier attempt.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn finish(mut self, target: &Path) -> Result<(), StoreError> {
        if self.num_chunks == 0 {
            return crate::store::files::remove_file(target);
        }
        while self.index.len() < INDEX_BYTES {
            self.push_empty();
        }
        let crc = crc32c::crc32c(&self.index);
        self.index.extend_from_slice(&crc.to_le_bytes());
        self.file.append(&self.index)?;
        self.file.commit(target)
    }

    fn push_entry(&mut self, offset: u64, num_bytes: u64) {
        debug_assert!(self.index.len() < INDEX_BYTES, "a shard has {SHARD_ROWS} rows");
        self.index.extend_from_slice(&offset.to_le_bytes());
        self.index.extend_from_slice(&num_bytes.to_le_bytes());
    }
}

/// Where a chunk lies in its shard; `None` for a row without a recording.
pub(crate) type Place = Option<(u64, u32)>;

/// A finished shard, mapped into memory.
pub(crate) struct MappedShard {
    map: Mmap,
    pub(crate) path: PathBuf,
}

impl MappedShard {
    /// Map the shard at `path` and append the places of its first `num_rows` rows to `places`; `None` when there is no such file.
    pub(crate) fn open(path: PathBuf, num_rows: usize, places: &mut Vec<Place>) -> Result<Option<Self>, StoreError> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                places.resize(places.len() + num_rows, None);
                return Ok(None);
            }
            Err(source) => return Err(failed("cannot read", &path, source)),
        };
        // SAFETY: hfrisk-convert never writes to a shard that has its final name; it replaces the file by a rename, which leaves this
        // mapping on the old bytes. Somebody else who truncates the file while it is open ends the process with SIGBUS, as with any
        // mapped file; changed bytes are only ever read as integers and caught by the checksums.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| failed("cannot read", &path, source))?;
        match read_index(&map, num_rows, places) {
            Some(()) => Ok(Some(Self { map, path })),
            None => Err(StoreError::Layout {
                path,
                problem: "has a damaged index".to_owned(),
                hint: "convert again; the file on disk is damaged",
            }),
        }
    }

    /// The bytes at a place of this shard's own index.
    pub(crate) fn chunk(&self, (offset, num_bytes): (u64, u32)) -> &[u8] {
        &self.map[offset as usize..offset as usize + num_bytes as usize]
    }
}

/// Check the index at the end of a shard and append its places; `None` when it is damaged or points outside the chunks.
fn read_index(shard: &[u8], num_rows: usize, places: &mut Vec<Place>) -> Option<()> {
    let num_chunk_bytes = shard.len().checked_sub(FOOTER_BYTES)? as u64;
    let (index, crc) = shard[num_chunk_bytes as usize..].split_last_chunk::<4>()?;
    if crc32c::crc32c(index) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (entries, _) = index.as_chunks::<ENTRY_BYTES>();
    for entry in entries.iter().take(num_rows) {
        let (offset, num_bytes) = entry.split_at(8);
        let (offset, num_bytes) = (u64::from_le_bytes(offset.try_into().ok()?), u64::from_le_bytes(num_bytes.try_into().ok()?));
        if (offset, num_bytes) == (EMPTY, EMPTY) {
            places.push(None);
            continue;
        }
        if offset.checked_add(num_bytes)? > num_chunk_bytes {
            return None;
        }
        places.push(Some((offset, u32::try_from(num_bytes).ok()?)));
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shard_with_entry(offset: u64, num_bytes: u64) -> Vec<u8> {
        let mut shard = vec![7; 100];
        let mut index = [0xff; INDEX_BYTES];
        index[..8].copy_from_slice(&offset.to_le_bytes());
        index[8..16].copy_from_slice(&num_bytes.to_le_bytes());
        shard.extend_from_slice(&index);
        shard.extend_from_slice(&crc32c::crc32c(&index).to_le_bytes());
        shard
    }

    #[test]
    fn an_entry_within_the_chunks_is_taken() {
        let mut places = Vec::new();
        read_index(&shard_with_entry(10, 90), 2, &mut places).unwrap();
        assert_eq!(places, [Some((10, 90)), None]);
    }

    #[test]
    fn an_entry_that_points_outside_is_refused() {
        for (offset, num_bytes) in [(10, 91), (u64::MAX, 1), (0, u64::MAX), (101, 0)] {
            assert_eq!(read_index(&shard_with_entry(offset, num_bytes), 1, &mut Vec::new()), None, "{offset} {num_bytes}");
        }
    }

    #[test]
    fn a_flipped_bit_in_the_index_is_found() {
        let mut shard = shard_with_entry(10, 90);
        shard[100] ^= 1;
        assert_eq!(read_index(&shard, 1, &mut Vec::new()), None);
    }

    #[test]
    fn a_file_shorter_than_an_index_is_refused() {
        assert_eq!(read_index(&[0; 50], 1, &mut Vec::new()), None);
    }
}

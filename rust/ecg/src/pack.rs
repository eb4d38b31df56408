//! The `ecgpack` codec: one recording to one chunk of about a tenth of its float32 size, lossless, and back at the speed of memory.
//!
//! An ECG's samples are 16-bit counts times a gain, and four of the twelve leads are sums of two others. A packed chunk holds the counts of
//! the independent leads: first difference, zigzag, and blocks of 128 values in as many bits as the largest needs. What does not survive
//! that (floats that are no counts) is stored as compressed float32 in the same frame, so reading is always bit-exact. The README
//! specifies every byte; `hfrisk.codec.decode_with_numpy` is the same decoder in `NumPy`.
//!
//! | part | what |
//! |---|---|
//! | `chunk` | the frame: header, widths, checksum, and their validation |
//! | `block` | 128 values: difference, zigzag, bit packing, and back |
//! | `encode`, `decode` | whole recordings |
//! | `microvolts` | float32 back to counts |
//! | `floats` | the fallback |
//! | `simd` | which kernels: `portable` (also compiled for AVX2), or `avx512` with its `layout` and `stream` |
//! | `neon` | what `block` does to rows, for aarch64 |

#![allow(
    clippy::inline_always,
    reason = "kernels are compiled once for each instruction set, which ends at a call that is not inlined"
)]

#[cfg(target_arch = "x86_64")]
mod avx512;
mod block;
mod chunk;
mod decode;
mod encode;
mod floats;
#[cfg(target_arch = "x86_64")]
mod layout;
mod microvolts;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod neon;
mod portable;
mod simd;
#[cfg(target_arch = "x86_64")]
mod stream;

use chunk::Chunk;
use simd::Simd;

pub use encode::Encoder;

use crate::error::PackError;
use crate::recording::{LeadSet, NUM_LEADS};

/// A chunk where it lies, and what its reader knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StoredChunk<'a> {
    pub(crate) bytes: &'a [u8],
    /// Its checksum has been verified since its bytes came to where they are.
    pub(crate) is_verified: bool,
    /// The chunk that is decoded afterwards, which comes into the processor's caches meanwhile; empty where it is not known.
    pub(crate) next: &'a [u8],
}

impl<'a> StoredChunk<'a> {
    fn parse(&self) -> Result<Chunk<'a>, PackError> {
        if self.is_verified { chunk::parse_verified(self.bytes) } else { chunk::parse(self.bytes) }
    }
}

/// Decode a chunk to float32 microvolts, lead-major, into `out`.
///
/// A chunk of counts gives twelve leads; a chunk of floats gives the rows that it was made of.
///
/// # Errors
/// The chunk is damaged, of another version, inconsistent, or holds another number of values than `out`; `out` may then be partly written.
pub fn decode_microvolts(chunk: &[u8], out: &mut [f32]) -> Result<(), PackError> {
    decode_stored_microvolts(&StoredChunk { bytes: chunk, ..StoredChunk::default() }, out)
}

/// As [`decode_microvolts`].
pub(crate) fn decode_stored_microvolts(chunk: &StoredChunk<'_>, out: &mut [f32]) -> Result<(), PackError> {
    match chunk.parse()? {
        Chunk::Counts(counts) => {
            check_shape(counts.num_samples.checked_mul(NUM_LEADS), out.len())?;
            decode::microvolts_with(Simd::best(), &counts, chunk.next, out);
            Ok(())
        }
        Chunk::Floats(floats) => {
            check_shape(Some(floats.num_values), out.len())?;
            floats::decompress(&floats, out)
        }
    }
}

/// Decode a chunk to the counts of the eight independent leads, lead-major, and their gains in microvolts a count.
///
/// # Errors
/// As [`decode_microvolts`]; and [`PackError::NotCounts`] when the chunk holds floats, or twelve leads that do not follow from eight.
pub fn decode_counts(chunk: &[u8], out: &mut [i16], lsb_uv: &mut [f32; 8]) -> Result<(), PackError> {
    decode_stored_counts(&StoredChunk { bytes: chunk, ..StoredChunk::default() }, out, lsb_uv)
}

/// As [`decode_counts`].
pub(crate) fn decode_stored_counts(chunk: &StoredChunk<'_>, out: &mut [i16], lsb_uv: &mut [f32; 8]) -> Result<(), PackError> {
    let Chunk::Counts(counts) = chunk.parse()? else {
        return Err(PackError::NotCounts);
    };
    if counts.lead_set != LeadSet::Eight {
        return Err(PackError::NotCounts);
    }
    check_shape(counts.num_samples.checked_mul(lsb_uv.len()), out.len())?;
    lsb_uv.copy_from_slice(&counts.lsb_uv[..8]);
    decode::counts_with(Simd::best(), &counts, chunk.next, out);
    Ok(())
}

/// Check a chunk's checksum and header without decoding it.
///
/// # Errors
/// As [`decode_microvolts`], but for the number of values.
pub fn check(chunk: &[u8]) -> Result<(), PackError> {
    chunk::parse(chunk).map(drop)
}

fn check_shape(found: Option<usize>, expected: usize) -> Result<(), PackError> {
    match found {
        Some(found) if found == expected => Ok(()),
        _ => Err(PackError::Shape { found: found.unwrap_or(usize::MAX), expected }),
    }
}

//! Floats that are no counts: byte planes, then zstd.
//!
//! Sign and exponent change slowly along a lead and the low bits of the mantissa are noise; four planes of equal bytes keep them apart.

use super::chunk::Floats;
use crate::error::PackError;

const LEVEL: i32 = 3;

/// Append the zstd frame of `values`.
pub(super) fn compress(values: &[f32], out: &mut Vec<u8>) {
    let mut planes = vec![0; 4 * values.len()];
    for (index, value) in values.iter().enumerate() {
        for (plane, byte) in value.to_bits().to_le_bytes().into_iter().enumerate() {
            planes[plane * values.len() + index] = byte;
        }
    }
    #[allow(
        clippy::expect_used,
        reason = "the destination has zstd's own bound, so only a lack of memory is left, on which Rust aborts"
    )]
    let frame = zstd::bulk::compress(&planes, LEVEL).expect("memory for zstd");
    out.extend_from_slice(&frame);
}

/// Decompress into `out`, whose length is that of the chunk.
pub(super) fn decompress(floats: &Floats<'_>, out: &mut [f32]) -> Result<(), PackError> {
    let num_values = out.len();
    let mut planes = vec![0; 4 * num_values];
    let written = zstd::bulk::decompress_to_buffer(floats.frame, &mut planes[..]).map_err(|_| PackError::Zstd)?;
    if written != planes.len() {
        return Err(PackError::Zstd);
    }
    for (index, value) in out.iter_mut().enumerate() {
        *value = f32::from_bits(u32::from_le_bytes(std::array::from_fn(|plane| planes[plane * num_values + index])));
    }
    Ok(())
}

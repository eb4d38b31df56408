//! Unpacking and summing up rows of eight values with NEON, which every aarch64 has; for words in little-endian order.
//!
//! The compiler takes the portable code apart into single values there: counted under emulation, 514 000 instructions a recording to int16,
//! where these need 110 000.

use std::arch::aarch64::{
    uint16x8_t, vaddq_u16, vandq_u16, vdupq_laneq_u16, vdupq_n_s16, vdupq_n_u16, veorq_u16, vextq_u16, vgetq_lane_u16, vld1q_u8,
    vorrq_u16, vreinterpretq_s16_u16, vreinterpretq_u16_u8, vshlq_u16, vshrq_n_u16, vst1q_s16, vsubq_u16,
};

use super::block::{BLOCK, LANES, Packed, ROWS, Row};

/// As [`block::unpack_width`](super::block): each row is shifted out of the two words that it may touch.
#[inline(always)]
pub(super) fn unpack_width<const W: usize>(packed: &[Packed; W]) -> [Row; ROWS] {
    std::array::from_fn(|r| {
        let (word, shift) = (r * W / 16, r * W % 16);
        // SAFETY: NEON is part of aarch64; a vector and a row have the same size, and neither has an invalid bit pattern.
        unsafe {
            let low = vshlq_u16(load(&packed[word]), vdupq_n_s16(-(shift as i16)));
            // A shift by 16 leaves nothing; what stands above the width is masked, so the last word may stand for the one behind it.
            let high = vshlq_u16(load(&packed[(word + 1).min(W - 1)]), vdupq_n_s16(16 - shift as i16));
            std::mem::transmute::<uint16x8_t, Row>(vandq_u16(vorrq_u16(low, high), vdupq_n_u16(u16::MAX >> (16 - W))))
        }
    })
}

/// As [`block::integrate`](super::block::integrate).
#[inline(always)]
pub(super) fn integrate(rows: [Row; ROWS], carry: &mut i16) -> [i16; BLOCK] {
    let mut counts = [0i16; BLOCK];
    // SAFETY: NEON is part of aarch64; a vector and a row have the same size, and neither has an invalid bit pattern; a slot is 16 writable bytes.
    unsafe {
        let (zeros, ones) = (vdupq_n_u16(0), vdupq_n_u16(1));
        let mut last = vdupq_n_u16(*carry as u16);
        for (row, slot) in rows.into_iter().zip(counts.as_chunks_mut::<LANES>().0) {
            let values = std::mem::transmute::<Row, uint16x8_t>(row);
            let sums = veorq_u16(vshrq_n_u16::<1>(values), vsubq_u16(zeros, vandq_u16(values, ones)));
            let sums = vaddq_u16(sums, vextq_u16::<7>(zeros, sums));
            let sums = vaddq_u16(sums, vextq_u16::<6>(zeros, sums));
            let sums = vaddq_u16(vaddq_u16(sums, vextq_u16::<4>(zeros, sums)), last);
            vst1q_s16(slot.as_mut_ptr(), vreinterpretq_s16_u16(sums));
            last = vdupq_laneq_u16::<7>(sums);
        }
        *carry = vgetq_lane_u16::<0>(last) as i16;
    }
    counts
}

#[inline(always)]
fn load(packed: &Packed) -> uint16x8_t {
    // SAFETY: NEON is part of aarch64, and a packed vector is 16 readable bytes.
    unsafe { vreinterpretq_u16_u8(vld1q_u8(packed.as_ptr())) }
}

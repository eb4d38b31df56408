//! Counts of AVX-512 to float32 past the caches, a few blocks at a time.

#[allow(clippy::wildcard_imports, reason = "names that begin with _mm512 say it themselves")]
use std::arch::x86_64::*;

use crate::pack::block::BLOCK;
use crate::pack::decode::LeadBlocks;
use crate::pack::portable::LimbGains;
use crate::pack::stream::Stream;

/// Blocks that are decoded before their floats are written: few enough that they stay in the nearest cache.
const RUN: usize = 8;

/// As [`portable::lead_microvolts`](crate::pack::portable::lead_microvolts).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
pub(in crate::pack) fn lead_microvolts(mut blocks: LeadBlocks<'_>, lsb_uv: f32, scratch: &mut [i16], out: &mut [f32]) {
    let gain = _mm512_set1_ps(lsb_uv);
    let (mut last, mut decoded) = (0, 0);
    let mut stream = Stream::new(out);
    while !blocks.widths.is_empty() {
        let some = RUN.min(blocks.widths.len());
        let Some(slots) = scratch.as_chunks_mut().0.get_mut(decoded..decoded + some) else { return };
        blocks.run(&mut last, slots, None);
        decoded += some;
        stream.write_to(decoded * BLOCK, |at| times(widened(scratch, at), gain));
    }
    stream.finish(|at| times(widened(scratch, at), gain));
}

/// As [`portable::limb_leads`](crate::pack::portable::limb_leads).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
pub(in crate::pack) fn limb_leads(
    mut blocks: [LeadBlocks<'_>; 2],
    gains: LimbGains,
    [x, y]: [&mut [i16]; 2],
    out: [&mut [f32]; 6],
) {
    let (gain_i, gain_ii) = (_mm512_set1_ps(gains.i), _mm512_set1_ps(gains.ii));
    let (mut last, mut decoded) = ([0; 2], 0);
    let [i, ii, iii, avr, avl, avf] = out;
    let (mut i, mut ii, mut iii) = (Stream::new(i), Stream::new(ii), Stream::new(iii));
    let (mut avr, mut avl, mut avf) = (Stream::new(avr), Stream::new(avl), Stream::new(avf));
    macro_rules! write {
        ($method:ident($($decoded:expr)?)) => {
            i.$method($($decoded,)? |at| times(widened(x, at), gain_i));
            ii.$method($($decoded,)? |at| times(widened(y, at), gain_ii));
            if gains.are_equal() {
                let half = _mm512_set1_ps(gains.i * 0.5);
                let both = |at| (widened(x, at), widened(y, at));
                iii.$method($($decoded,)? |at| {
                    let (x, y) = both(at);
                    times(_mm512_sub_epi32(y, x), gain_i)
                });
                avr.$method($($decoded,)? |at| {
                    let (x, y) = both(at);
                    times(_mm512_sub_epi32(_mm512_setzero_si512(), _mm512_add_epi32(x, y)), half)
                });
                avl.$method($($decoded,)? |at| {
                    let (x, y) = both(at);
                    times(_mm512_sub_epi32(_mm512_add_epi32(x, x), y), half)
                });
                avf.$method($($decoded,)? |at| {
                    let (x, y) = both(at);
                    times(_mm512_sub_epi32(_mm512_add_epi32(y, y), x), half)
                });
            } else {
                let (half, minus_half) = (_mm512_set1_ps(0.5), _mm512_set1_ps(-0.5));
                let both = |at| (times(widened(x, at), gain_i), times(widened(y, at), gain_ii));
                iii.$method($($decoded,)? |at| {
                    let (x, y) = both(at);
                    _mm512_sub_ps(y, x)
                });
                avr.$method($($decoded,)? |at| {
                    let (x, y) = both(at);
                    _mm512_mul_ps(_mm512_add_ps(x, y), minus_half)
                });
                avl.$method($($decoded,)? |at| {
                    let (x, y) = both(at);
                    _mm512_sub_ps(x, _mm512_mul_ps(y, half))
                });
                avf.$method($($decoded,)? |at| {
                    let (x, y) = both(at);
                    _mm512_sub_ps(y, _mm512_mul_ps(x, half))
                });
            }
        };
    }
    while !blocks[0].widths.is_empty() {
        let some = decoded..decoded + RUN.min(blocks[0].widths.len());
        let (Some(slots_x), Some(slots_y)) =
            (x.as_chunks_mut().0.get_mut(some.clone()), y.as_chunks_mut().0.get_mut(some.clone()))
        else {
            return;
        };
        blocks[0].run(&mut last[0], slots_x, None);
        blocks[1].run(&mut last[1], slots_y, None);
        decoded = some.end;
        write!(write_to(decoded * BLOCK));
    }
    write!(finish());
}

/// Sixteen counts from `at` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn widened(counts: &[i16], at: usize) -> __m512i {
    let counts = &counts[at..at + 16];
    // SAFETY: 16 values of 16 bits are 32 readable bytes.
    _mm512_cvtepi16_epi32(unsafe { _mm256_loadu_si256(counts.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn times(counts: __m512i, gain: __m512) -> __m512 {
    _mm512_mul_ps(_mm512_cvtepi32_ps(counts), gain)
}

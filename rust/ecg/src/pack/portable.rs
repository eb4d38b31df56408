//! The kernels in plain Rust, which the compiler turns into vectors of whatever the caller's instruction set has.

use super::block::{self, BLOCK, LANES, Packed, ROWS};
use super::decode::LeadBlocks;
use super::simd;

/// Gains of I and II.
#[derive(Clone, Copy, Debug)]
pub(super) struct LimbGains {
    pub(super) i: f32,
    pub(super) ii: f32,
}

impl LimbGains {
    /// Whether the derived leads are integer sums times the gain.
    pub(super) fn are_equal(self) -> bool {
        self.i.to_bits() == self.ii.to_bits()
    }
}

/// Decode one lead; `out` holds its samples.
#[inline(always)]
pub(super) fn lead(mut blocks: LeadBlocks<'_>, out: &mut [i16]) {
    simd::fetch(blocks.ahead);
    let mut carry = 0;
    for (part, &width) in out.chunks_mut(BLOCK).zip(blocks.widths) {
        let counts = block::integrate(block::take(&mut blocks.packed, width), &mut carry);
        part.copy_from_slice(&counts[..part.len()]);
    }
}

/// Decode one lead to microvolts; `scratch` has room for its blocks and one more.
#[inline(always)]
pub(super) fn lead_microvolts(blocks: LeadBlocks<'_>, lsb_uv: f32, scratch: &mut [i16], out: &mut [f32]) {
    lead(blocks, &mut scratch[..out.len()]);
    scale(scratch, lsb_uv, out);
}

/// Decode I and II to the six limb leads, as [`Signal::write_microvolts`](crate::Signal::write_microvolts) defines them; each scratch has room
/// for the blocks of a lead and one more.
#[inline(always)]
pub(super) fn limb_leads(blocks: [LeadBlocks<'_>; 2], gains: LimbGains, [x, y]: [&mut [i16]; 2], out: [&mut [f32]; 6]) {
    let [i, ii, iii, avr, avl, avf] = out;
    for (blocks, scratch) in blocks.into_iter().zip([&mut *x, &mut *y]) {
        lead(blocks, &mut scratch[..i.len()]);
    }
    scale(x, gains.i, i);
    scale(y, gains.ii, ii);
    derive(x, y, gains, [iii, avr, avl, avf]);
}

/// The four leads that follow from I and II.
#[inline(always)]
fn derive(x: &[i16], y: &[i16], gains: LimbGains, [iii, avr, avl, avf]: [&mut [f32]; 4]) {
    if gains.are_equal() {
        let half = gains.i * 0.5;
        combine(x, y, iii, |x, y| (y - x) as f32 * gains.i);
        combine(x, y, avr, |x, y| -(x + y) as f32 * half);
        combine(x, y, avl, |x, y| (2 * x - y) as f32 * half);
        combine(x, y, avf, |x, y| (2 * y - x) as f32 * half);
    } else {
        let uv = |x: i32, y: i32| (x as f32 * gains.i, y as f32 * gains.ii);
        combine(x, y, iii, |x, y| {
            let (x, y) = uv(x, y);
            y - x
        });
        combine(x, y, avr, |x, y| {
            let (x, y) = uv(x, y);
            (x + y) * -0.5
        });
        combine(x, y, avl, |x, y| {
            let (x, y) = uv(x, y);
            x - y * 0.5
        });
        combine(x, y, avf, |x, y| {
            let (x, y) = uv(x, y);
            y - x * 0.5
        });
    }
}

#[inline(always)]
fn scale(counts: &[i16], lsb_uv: f32, out: &mut [f32]) {
    for (value, &count) in out.iter_mut().zip(counts) {
        *value = f32::from(count) * lsb_uv;
    }
}

#[inline(always)]
fn combine(x: &[i16], y: &[i16], out: &mut [f32], value: impl Fn(i32, i32) -> f32) {
    for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
        *out = value(i32::from(x), i32::from(y));
    }
}

/// Pack one lead: its payload goes to the front of `out`, which has room for the widest blocks, its widths into `widths`. Tells how many
/// vectors it takes.
///
/// The widths of a few blocks are found before the first of these is packed: what is done with a block depends on its width, and the
/// processor guesses that wrong; the sooner it knows, the less it has to do again.
#[inline(always)]
pub(super) fn pack_lead(counts: &[i16], widths: &mut [u8], out: &mut [Packed]) -> usize {
    const RUN: usize = 8;
    let mut steps = [[[0; LANES]; ROWS]; RUN];
    let (mut begin, mut num_vectors) = (0_usize, 0);
    let whole = |at: usize| counts.get(at..).and_then(<[i16]>::first_chunk::<BLOCK>);
    for widths in widths.chunks_mut(RUN) {
        for (rows, width) in steps.iter_mut().zip(&mut *widths) {
            let before = begin.checked_sub(1);
            *rows = if let (Some(now), Some(before)) = (whole(begin), before.and_then(whole)) {
                block::steps(now, before)
            } else {
                let previous = before.map_or(0, |before| counts[before]);
                block::differences(&counts[begin..counts.len().min(begin + BLOCK)], previous)
            };
            *width = block::width(rows);
            begin += BLOCK;
        }
        for (rows, &width) in steps.iter().zip(&*widths) {
            let Some(slot) = out[num_vectors..].first_chunk_mut() else { break };
            block::pack(rows, width, slot);
            num_vectors += usize::from(width);
        }
    }
    num_vectors
}

/// The least step between neighbours, the least and the largest magnitude; steps and magnitudes of zero do not count as least.
///
/// Magnitudes are compared by their bits, whose order is that of the numbers and which the compiler compares in vectors; NaN is the largest
/// of all.
#[inline(always)]
pub(super) fn steps(values: &[f32]) -> (f32, f32, f32) {
    // Zero becomes the largest number, so that it is never the least.
    let rank = |value: f32| value.abs().to_bits().wrapping_sub(1);
    let pairs = values.iter().zip(values.get(1..).unwrap_or_default());
    let least_step = pairs.fold(u32::MAX, |least, (a, b)| least.min(rank(b - a)));
    let smallest = values.iter().fold(u32::MAX, |least, &value| least.min(rank(value)));
    let largest = values.iter().fold(0, |most, value| most.max(value.abs().to_bits()));
    let from_rank = |rank: u32| if rank == u32::MAX { f32::INFINITY } else { f32::from_bits(rank + 1) };
    (from_rank(least_step), from_rank(smallest), f32::from_bits(largest))
}

/// Write `values` times `per_uv`, rounded; what is beyond 16 bits becomes some count or other.
#[inline(always)]
pub(super) fn round(values: &[f32], per_uv: f32, counts: &mut [i16]) {
    // Among floats this large the next is one further, so adding it rounds, and the low bits are the integer in two's complement.
    const ONE_APART: f32 = 12_582_912.0;
    for (count, value) in counts.iter_mut().zip(values) {
        *count = (value * per_uv + ONE_APART).to_bits() as i16;
    }
}

/// Whether every value is its count times the gain, bit for bit.
#[inline(always)]
pub(super) fn are_scaled(counts: &[i16], lsb_uv: f32, values: &[f32]) -> bool {
    let mut scaled = [0.0; BLOCK];
    counts.chunks(BLOCK).zip(values.chunks(BLOCK)).all(|(counts, values)| {
        scale(counts, lsb_uv, &mut scaled);
        same_bits(&scaled, values)
    })
}

/// Whether III, aVR, aVL and aVF are what follows from the counts of I and II, bit for bit.
#[inline(always)]
pub(super) fn follow(x: &[i16], y: &[i16], gains: LimbGains, derived: [&[f32]; 4]) -> bool {
    let mut expected = [[0.0; BLOCK]; 4];
    let blocks = x.chunks(BLOCK).zip(y.chunks(BLOCK)).enumerate();
    blocks.into_iter().all(|(index, (x, y))| {
        derive(x, y, gains, expected.each_mut().map(|lead| &mut lead[..]));
        derived.iter().zip(&expected).all(|(lead, expected)| same_bits(expected, &lead[index * BLOCK..][..x.len()]))
    })
}

/// Whether two slices begin with the same values, as far as the shorter one goes.
#[inline(always)]
fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).fold(0, |different, (a, b)| different | (a.to_bits() ^ b.to_bits())) == 0
}

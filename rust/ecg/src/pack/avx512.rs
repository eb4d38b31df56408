//! The decoder for AVX-512 with VBMI2 (Ice Lake, Zen 4 and later): 32 values a step, and float32 past the caches.
//!
//! The compiler makes 128-bit code of the portable decoder at best, for its shifts differ from row to row. Here four rows go into one
//! vector whose lanes are shifted by their own amounts.

#[allow(clippy::wildcard_imports, reason = "thirty names that begin with _mm512 say it themselves")]
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::block::{BLOCK, MAX_WIDTH, Packed};
use super::decode::LeadBlocks;
use super::layout::{LAYOUTS, NARROW, first_word, reach};
use super::portable::LimbGains;
use super::stream::Stream;

/// Four rows a vector, four vectors a block.
type Block = [__m512i; 4];

/// The differences of the next block, with what the layout of its width adds to each.
///
/// As [`block::take`], but each row is one funnel shift of the two words that it touches, and its lowest bits, which hold the sign of the
/// differences, are looked at where they stand.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn take<const IS_NARROW: bool>(packed: &mut &[Packed], width: usize) -> Block {
    let mut padded = MaybeUninit::uninit();
    let block = match packed.get(..reach(width)) {
        Some(block) => block,
        None => pad(packed, &mut padded),
    };
    *packed = packed.get(width..).unwrap_or_default();

    let layout = &LAYOUTS[width];
    let upper = _mm512_set1_epi16(layout.upper as i16);
    let (even, odd) = (_mm512_set1_epi16(layout.even as i16), _mm512_set1_epi16(layout.odd as i16));
    let mut values = [_mm512_setzero_si512(); 4];
    for (vector, values) in values.iter_mut().enumerate() {
        // SAFETY: `block` has at least `first_word(3, width) + 5` packed vectors of 16 bytes, so four can be read from `first` and from
        // `first + 1`.
        let (words, next_words) = unsafe {
            let first = block.as_ptr().add(first_word(vector, width));
            (_mm512_loadu_si512(first.cast()), _mm512_loadu_si512(first.add(1).cast()))
        };
        let index = row_of_table(&layout.index[vector]);
        let low = _mm512_permutexvar_epi64(index, words);
        let high = if IS_NARROW {
            _mm512_permutexvar_epi64(row_of_table(&layout.next_index[vector]), words)
        } else {
            _mm512_permutexvar_epi64(index, next_words)
        };
        let magnitude = _mm512_shldv_epi16(high, low, row_of_table(&layout.shift[vector]));
        let is_odd = _mm512_test_epi16_mask(low, row_of_table(&layout.lowest[vector]));
        // (magnitude & upper) ^ (even or odd)
        *values = _mm512_ternarylogic_epi64::<0b0111_1000>(_mm512_mask_blend_epi16(is_odd, even, odd), magnitude, upper);
    }
    values
}

/// One vector of a table.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn row_of_table<T, const N: usize>(row: &[T; N]) -> __m512i {
    const { assert!(size_of::<[T; N]>() == 64) }
    // SAFETY: 64 bytes, as asserted.
    unsafe { _mm512_loadu_si512(row.as_ptr().cast()) }
}

/// The last packed vectors of a chunk with as many zeros behind them as may be loaded.
#[cold]
#[inline(never)]
fn pad<'a>(packed: &[Packed], padded: &'a mut MaybeUninit<[Packed; reach(MAX_WIDTH)]>) -> &'a [Packed] {
    let padded = padded.write([[0; 16]; reach(MAX_WIDTH)]);
    let num_vectors = packed.len().min(padded.len());
    padded[..num_vectors].copy_from_slice(&packed[..num_vectors]);
    padded
}

/// Running sums within each row of the next block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn rows(packed: &mut &[Packed], width: usize) -> Block {
    if width <= NARROW {
        // Half of the range was added, so that a product with 1 + 2^16 + 2^32 + 2^48 adds up four values at once without a carry.
        let fours = _mm512_set1_epi64(0x0001_0001_0001_0001);
        // In each 128 bits: nothing for the first four values, the fourth for the others.
        let fourth = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0706_0706_0706_0706, -1));
        let mut block = take::<true>(packed, width);
        for values in &mut block {
            let sums = _mm512_mullo_epi64(*values, fours);
            *values = _mm512_add_epi16(sums, _mm512_shuffle_epi8(sums, fourth));
        }
        block
    } else {
        let mut block = take::<false>(packed, width);
        for values in &mut block {
            let sums = _mm512_add_epi16(*values, _mm512_bslli_epi128::<2>(*values));
            let sums = _mm512_add_epi16(sums, _mm512_bslli_epi128::<4>(sums));
            *values = _mm512_add_epi16(sums, _mm512_bslli_epi128::<8>(sums));
        }
        block
    }
}

/// The counts of a block whose rows are summed up, after the count `last` in every lane.
///
/// As [`block::integrate`], four rows at a time.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn join(mut block: Block, added: __m512i, ends: &Ends, last: &mut __m512i) -> Block {
    for values in &mut block {
        let sums = _mm512_sub_epi16(add_rows(*values, ends), added);
        *values = _mm512_add_epi16(sums, *last);
        *last = _mm512_add_epi16(*last, _mm512_permutexvar_epi16(_mm512_set1_epi16(31), sums));
    }
    block
}

/// Add to each row the last values of the rows before it in the vector.
///
/// The compiler would make three shuffles of a masked one whose mask it knows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn add_rows(sums: __m512i, ends: &Ends) -> __m512i {
    let sums = _mm512_add_epi16(sums, _mm512_maskz_permutexvar_epi16(ends.but_first, ends.row_before, sums));
    _mm512_add_epi16(sums, _mm512_maskz_permutexvar_epi16(ends.but_two, ends.two_rows_before, sums))
}

/// Where the last values of the rows before stand.
#[derive(Clone, Copy)]
struct Ends {
    but_first: u32,
    but_two: u32,
    row_before: __m512i,
    two_rows_before: __m512i,
}

impl Ends {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
    fn new() -> Self {
        let (first, second, third) = (0x0007_0007_0007_0007, 0x000f_000f_000f_000f, 0x0017_0017_0017_0017);
        let row_before = _mm512_set_epi64(third, third, second, second, first, first, 0, 0);
        let two_rows_before = _mm512_set_epi64(second, second, first, first, 0, 0, 0, 0);
        Self {
            but_first: std::hint::black_box(0xffff_ff00),
            but_two: std::hint::black_box(0xffff_0000),
            row_before,
            two_rows_before,
        }
    }
}

impl LeadBlocks<'_> {
    /// The counts of the next blocks, as many as `out` has room for.
    ///
    /// Each block is joined to the one before while the next is unpacked: what waits for results is then between what does not. Measured
    /// 2.5 µs a recording without this, 2.0 µs with it. It stands in one place only, for the compiler puts a kernel into a loop when nobody
    /// else calls it.
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
    fn run(&mut self, last: &mut i16, out: &mut [[i16; BLOCK]]) {
        let (widths, rest) = self.widths.split_at(out.len().min(self.widths.len()));
        self.widths = rest;
        let (mut packed, mut count, ends) = (self.packed, _mm512_set1_epi16(*last), Ends::new());
        // A block of nothing is before the first and after the last.
        let (mut before, mut added) = ([_mm512_setzero_si512(); 4], _mm512_setzero_si512());
        for index in 0..=widths.len() {
            let width = widths.get(index).map_or(0, |&width| usize::from(width).min(MAX_WIDTH));
            let block = rows(&mut packed, width);
            let counts = join(before, added, &ends, &mut count);
            if let Some(out) = out.get_mut(index.wrapping_sub(1)) {
                store(counts, out);
            }
            (before, added) = (block, row_of_table(&LAYOUTS[width].added));
        }
        self.packed = packed;
        *last = _mm_extract_epi16::<0>(_mm512_castsi512_si128(count)) as i16;
    }
}

/// As [`portable::lead`](super::portable::lead).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
pub(super) fn lead(mut blocks: LeadBlocks<'_>, out: &mut [i16]) {
    let mut last = 0;
    let (whole, part) = out.as_chunks_mut();
    blocks.run(&mut last, whole);
    let mut end = [[0; BLOCK]];
    blocks.run(&mut last, &mut end);
    part.copy_from_slice(&end[0][..part.len()]);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn store(block: Block, out: &mut [i16; BLOCK]) {
    for (values, out) in block.into_iter().zip(out.as_chunks_mut::<32>().0) {
        // SAFETY: 32 values of 16 bits are 64 writable bytes.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), values) };
    }
}

/// Blocks that are decoded before their floats are written: few enough that they stay in the nearest cache.
const RUN: usize = 8;

/// As [`portable::lead_microvolts`](super::portable::lead_microvolts).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
pub(super) fn lead_microvolts(mut blocks: LeadBlocks<'_>, lsb_uv: f32, scratch: &mut [i16], out: &mut [f32]) {
    let gain = _mm512_set1_ps(lsb_uv);
    let (mut last, mut decoded) = (0, 0);
    let mut stream = Stream::new(out);
    while !blocks.widths.is_empty() {
        let some = RUN.min(blocks.widths.len());
        let Some(slots) = scratch.as_chunks_mut().0.get_mut(decoded..decoded + some) else { return };
        blocks.run(&mut last, slots);
        decoded += some;
        stream.write_to(decoded * BLOCK, |at| times(widened(scratch, at), gain));
    }
    stream.finish(|at| times(widened(scratch, at), gain));
}

/// As [`portable::limb_leads`](super::portable::limb_leads).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
pub(super) fn limb_leads(mut blocks: [LeadBlocks<'_>; 2], gains: LimbGains, [x, y]: [&mut [i16]; 2], out: [&mut [f32]; 6]) {
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
        blocks[0].run(&mut last[0], slots_x);
        blocks[1].run(&mut last[1], slots_y);
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

//! The decoder for AVX-512 with VBMI2 (Ice Lake, Zen 4 and later): 32 values a step, and float32 past the caches.
//!
//! The compiler makes 128-bit code of the portable decoder at best, for its shifts differ from row to row. Here four rows go into one
//! vector whose lanes are shifted by their own amounts.

#[allow(clippy::wildcard_imports, reason = "thirty names that begin with _mm512 say it themselves")]
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::block::{BLOCK, MAX_WIDTH, Packed};
use super::decode::LeadBlocks;
use super::layout::{LAYOUTS, first_word, reach};
use super::portable::LimbGains;
use super::stream::Stream;

/// Four rows a vector, four vectors a block.
type Block = [__m512i; 4];

/// The values of the next block as `take` finds them, before their sign is undone.
///
/// As [`block::take`], but each row is one funnel shift of the two words that it touches, and what stands above `width` bits is left there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn take(packed: &mut &[Packed], width: usize) -> Block {
    let mut padded = MaybeUninit::uninit();
    let block = match packed.get(..reach(width)) {
        Some(block) => block,
        None => pad(packed, &mut padded),
    };
    *packed = packed.get(width..).unwrap_or_default();

    let layout = &LAYOUTS[width];
    let mut values = [_mm512_setzero_si512(); 4];
    for (vector, values) in values.iter_mut().enumerate() {
        let first = first_word(vector, width);
        // SAFETY: `block` has at least `first_word(3, width) + 5` packed vectors of 16 bytes, so four can be read from `first` and from
        // `first + 1`; the tables' rows are 64 bytes.
        let (low, high, index, shift) = unsafe {
            let words = block.as_ptr().add(first);
            (
                _mm512_loadu_si512(words.cast()),
                _mm512_loadu_si512(words.add(1).cast()),
                _mm512_loadu_si512(layout.index[vector].as_ptr().cast()),
                _mm512_loadu_si512(layout.shift[vector].as_ptr().cast()),
            )
        };
        *values = _mm512_shrdv_epi16(_mm512_permutexvar_epi64(index, low), _mm512_permutexvar_epi64(index, high), shift);
    }
    values
}

/// The last packed vectors of a lead with as many zeros behind them as may be loaded.
#[cold]
#[inline(never)]
fn pad<'a>(packed: &[Packed], padded: &'a mut MaybeUninit<[Packed; reach(MAX_WIDTH)]>) -> &'a [Packed] {
    let padded = padded.write([[0; 16]; reach(MAX_WIDTH)]);
    let num_vectors = packed.len().min(padded.len());
    padded[..num_vectors].copy_from_slice(&packed[..num_vectors]);
    padded
}

/// The counts of the next block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn next(packed: &mut &[Packed], width: u8, carry: &mut Carry) -> Block {
    let width = usize::from(width).min(MAX_WIDTH);
    let block = take(packed, width);
    if width <= WIDEST_PRODUCT { integrate(block, width, carry) } else { integrate_wide(block, width, carry) }
}

/// The widest values of which four add up to less than 2^16.
const WIDEST_PRODUCT: usize = 14;

/// As [`block::integrate`], for differences made positive by adding half of their range, so that a product with 1 + 2^16 + 2^32 + 2^48 adds up
/// four of them at once without a carry; what was added is taken off with the count before.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn integrate(block: Block, width: usize, carry: &mut Carry) -> Block {
    let layout = &LAYOUTS[width];
    let (mask, above) = (_mm512_set1_epi16(layout.mask as i16), _mm512_set1_epi16(layout.above as i16));
    // SAFETY: 32 values of 16 bits are 64 readable bytes.
    let added = unsafe { _mm512_loadu_si512(layout.added.as_ptr().cast()) };
    let added_in_all = _mm512_set1_epi16(layout.added[31] as i16);
    let fours = _mm512_set1_epi64(0x0001_0001_0001_0001);
    // In each 128 bits: nothing for the first four values, the fourth for the others.
    let fourth = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0706_0706_0706_0706, -1));
    let mut counts = block;
    for values in &mut counts {
        // above | (value & mask), whose upper bits are half of the range plus the magnitude.
        let marked = _mm512_ternarylogic_epi64::<0b1111_1000>(above, *values, mask);
        let odd = _mm512_test_epi16_mask(marked, _mm512_set1_epi16(1));
        let upper = _mm512_srli_epi16::<1>(marked);
        let positive = _mm512_mask_sub_epi16(upper, odd, mask, upper);
        let sums = _mm512_mullo_epi64(positive, fours);
        let sums = add_rows(_mm512_add_epi16(sums, _mm512_shuffle_epi8(sums, fourth)), &carry.rows);
        *values = _mm512_add_epi16(sums, _mm512_sub_epi16(carry.last, added));
        let total = _mm512_sub_epi16(_mm512_permutexvar_epi16(_mm512_set1_epi16(31), sums), added_in_all);
        carry.last = _mm512_add_epi16(carry.last, total);
    }
    counts
}

/// As [`integrate`], for values of any width.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn integrate_wide(block: Block, width: usize, carry: &mut Carry) -> Block {
    let mask = _mm512_set1_epi16(((1u32 << width) - 1) as i16);
    let mut counts = block;
    for values in &mut counts {
        let value = _mm512_and_si512(*values, mask);
        let odd = _mm512_test_epi16_mask(value, _mm512_set1_epi16(1));
        let half = _mm512_srli_epi16::<1>(value);
        let difference = _mm512_mask_sub_epi16(half, odd, _mm512_set1_epi16(-1), half);
        let sums = _mm512_add_epi16(difference, _mm512_bslli_epi128::<2>(difference));
        let sums = _mm512_add_epi16(sums, _mm512_bslli_epi128::<4>(sums));
        let sums = add_rows(_mm512_add_epi16(sums, _mm512_bslli_epi128::<8>(sums)), &carry.rows);
        *values = _mm512_add_epi16(sums, carry.last);
        carry.last = _mm512_add_epi16(carry.last, _mm512_permutexvar_epi16(_mm512_set1_epi16(31), sums));
    }
    counts
}

/// Add to each row the last values of the rows before it in the vector.
///
/// The compiler would make three shuffles of a masked one whose mask it knows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn add_rows(sums: __m512i, rows: &Rows) -> __m512i {
    let sums = _mm512_add_epi16(sums, _mm512_maskz_permutexvar_epi16(rows.but_first, rows.row_before, sums));
    _mm512_add_epi16(sums, _mm512_maskz_permutexvar_epi16(rows.but_two, rows.two_rows_before, sums))
}

/// What goes from one block of a lead to the next.
#[derive(Clone, Copy)]
struct Carry {
    /// The last count, in every lane.
    last: __m512i,
    rows: Rows,
}

impl Carry {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
    fn new() -> Self {
        Self { last: _mm512_setzero_si512(), rows: Rows::new() }
    }
}

/// Where the last values of the rows before stand.
#[derive(Clone, Copy)]
struct Rows {
    but_first: u32,
    but_two: u32,
    row_before: __m512i,
    two_rows_before: __m512i,
}

impl Rows {
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

/// As [`portable::lead`](super::portable::lead).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
pub(super) fn lead(mut blocks: LeadBlocks<'_>, out: &mut [i16]) {
    let mut carry = Carry::new();
    for (part, &width) in out.chunks_mut(BLOCK).zip(blocks.widths) {
        let counts = next(&mut blocks.packed, width, &mut carry);
        if let Ok(whole) = part.try_into() {
            store(counts, whole);
        } else {
            let mut last = [0; BLOCK];
            store(counts, &mut last);
            part.copy_from_slice(&last[..part.len()]);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn store(block: Block, out: &mut [i16; BLOCK]) {
    for (values, out) in block.into_iter().zip(out.as_chunks_mut::<32>().0) {
        // SAFETY: 32 values of 16 bits are 64 writable bytes.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), values) };
    }
}

/// As [`portable::lead_microvolts`](super::portable::lead_microvolts).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
pub(super) fn lead_microvolts(mut blocks: LeadBlocks<'_>, lsb_uv: f32, scratch: &mut [i16], out: &mut [f32]) {
    let gain = _mm512_set1_ps(lsb_uv);
    let mut carry = Carry::new();
    let mut stream = Stream::new(out);
    for (index, &width) in blocks.widths.iter().enumerate() {
        let Some(slot) = scratch[index * BLOCK..].first_chunk_mut() else { return };
        store(next(&mut blocks.packed, width, &mut carry), slot);
        stream.write_to((index + 1) * BLOCK, |at| times(widened(scratch, at), gain));
    }
    stream.finish(|at| times(widened(scratch, at), gain));
}

/// As [`portable::limb_leads`](super::portable::limb_leads).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
pub(super) fn limb_leads(mut blocks: [LeadBlocks<'_>; 2], gains: LimbGains, [x, y]: [&mut [i16]; 2], out: [&mut [f32]; 6]) {
    let (gain_i, gain_ii) = (_mm512_set1_ps(gains.i), _mm512_set1_ps(gains.ii));
    let mut carry = [Carry::new(); 2];
    let [i, ii, iii, avr, avl, avf] = out;
    let (mut i, mut ii, mut iii) = (Stream::new(i), Stream::new(ii), Stream::new(iii));
    let (mut avr, mut avl, mut avf) = (Stream::new(avr), Stream::new(avl), Stream::new(avf));
    let widths = blocks[0].widths.iter().zip(blocks[1].widths);
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
    for (index, widths) in widths.enumerate() {
        let (Some(slot_x), Some(slot_y)) = (x[index * BLOCK..].first_chunk_mut(), y[index * BLOCK..].first_chunk_mut()) else {
            return;
        };
        store(next(&mut blocks[0].packed, *widths.0, &mut carry[0]), slot_x);
        store(next(&mut blocks[1].packed, *widths.1, &mut carry[1]), slot_y);
        let decoded = (index + 1) * BLOCK;
        write!(write_to(decoded));
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

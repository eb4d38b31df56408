//! The decoder for AVX-512 with VBMI2 (Ice Lake, Zen 4 and later): 32 values a step, and float32 past the caches.
//!
//! The compiler makes 128-bit code of the portable decoder at best, for its shifts differ from row to row. Here four rows go into one
//! vector whose lanes are shifted by their own amounts.

mod microvolts;

#[allow(clippy::wildcard_imports, reason = "thirty names that begin with _mm512 say it themselves")]
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::block::{BLOCK, MAX_WIDTH, Packed};
use super::decode::{FETCHED, LeadBlocks};
use super::layout::{LAYOUTS, NARROW, first_word, reach};
pub(super) use microvolts::{lead_microvolts, limb_leads};

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
    /// The counts of the next blocks, as many as `out` has room for, and then of one more where there is an `end`: what follows is then
    /// written behind `out`, soon.
    ///
    /// Each block is joined to the one before while the next is unpacked: what waits for results is then between what does not. Measured
    /// 2.5 µs a recording without this, 2.0 µs with it. It stands in one place only, for the compiler puts a kernel into a loop when nobody
    /// else calls it.
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
    fn run(&mut self, last: &mut i16, out: &mut [[i16; BLOCK]], end: Option<&mut [i16; BLOCK]>) {
        let goes_on = end.is_some();
        let num_blocks = (out.len() + usize::from(goes_on)).min(self.widths.len());
        let (widths, rest) = self.widths.split_at(num_blocks);
        self.widths = rest;
        let mut ahead = self.ahead;
        let (mut packed, mut count, ends) = (self.packed, _mm512_set1_epi16(*last), Ends::new());
        // A block of nothing is before the first, and goes nowhere.
        let (mut before, mut added) = ([_mm512_setzero_si512(); 4], _mm512_setzero_si512());
        let mut nowhere = [0; BLOCK];
        let mut slot = &mut nowhere;
        for (&width, out) in widths.iter().zip(out.iter_mut().chain(end)) {
            let width = usize::from(width).min(MAX_WIDTH);
            if let Some((lines, rest)) = ahead.split_first_chunk() {
                fetch(lines);
                ahead = rest;
            }
            let block = rows(&mut packed, width);
            if goes_on {
                claim(slot);
            }
            store(join(before, added, &ends, &mut count), slot);
            (before, added, slot) = (block, row_of_table(&LAYOUTS[width].added), out);
        }
        store(join(before, added, &ends, &mut count), slot);
        (self.packed, self.ahead) = (packed, ahead);
        *last = _mm_extract_epi16::<0>(_mm512_castsi512_si128(count)) as i16;
    }
}

/// As [`portable::lead`](super::portable::lead).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
pub(super) fn lead(mut blocks: LeadBlocks<'_>, out: &mut [i16]) {
    let (whole, part) = out.as_chunks_mut();
    let mut end = [0; BLOCK];
    blocks.run(&mut 0, whole, Some(&mut end));
    part.copy_from_slice(&end[..part.len()]);
}

/// Ask for lines of what is decoded afterwards; a block is hardly longer.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn fetch(lines: &[u8; FETCHED]) {
    for line in lines.as_chunks::<64>().0 {
        _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
    }
}

/// How many bytes behind a block the lines lie that are claimed with it. From 4 KB to 64 KB all the same; with 1 KB they come too late.
const CLAIMED_AHEAD: usize = 8 << 10;

/// Ask for the lines that will be written after so many others: an ordinary store awaits its line. Measured over shuffled batches of
/// counts 5.2 µs a recording without this, 4.5 µs with it, 4.2 µs with [`fetch`] too.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")]
fn claim(out: &[i16; BLOCK]) {
    for line in out.as_chunks::<32>().0 {
        // Whatever lies there: a prefetch of an address that is nobody's does nothing.
        _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast::<i8>().wrapping_add(CLAIMED_AHEAD));
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

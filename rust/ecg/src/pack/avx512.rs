//! The decoder for AVX-512: 32 values a step, and float32 past the caches.
//!
//! The compiler makes 128-bit code of the portable decoder at best, for its shifts differ from row to row. Here four rows go into one
//! vector whose lanes are shifted by their own amounts: measured on one core of a Zen 5, 3.9 µs a
//! recording to int16 instead of 10.8 with AVX2.

#[allow(clippy::wildcard_imports, reason = "thirty names that begin with _mm512 say it themselves")]
use std::arch::x86_64::*;

use super::block::{BLOCK, MAX_WIDTH, Packed};
use super::decode::LeadBlocks;
use super::portable::LimbGains;

/// Floats in a cache line.
const LINE: usize = 16;

/// Four rows a vector, four vectors a block.
type Block = [__m512i; 4];

/// Where the rows of a block stand, vector by vector, for one width. Tables instead of one function a width: nothing is left to mispredict.
struct Layout {
    /// For each row, the two halves of the packed vector where it begins, counted from the first packed vector that its four rows touch.
    index: [[u64; 8]; 4],
    /// How far each row is from bit 0 of its word.
    shift: [[u16; 32]; 4],
}

static LAYOUTS: [Layout; MAX_WIDTH + 1] = {
    let mut layouts = [const { Layout { index: [[0; 8]; 4], shift: [[0; 32]; 4] } }; MAX_WIDTH + 1];
    let mut width = 0;
    while width <= MAX_WIDTH {
        let mut value = 0;
        while value < BLOCK {
            let (vector, row) = (value / 32, value / 8);
            let word = row * width / 16 - first_word(vector, width);
            layouts[width].index[vector][row % 4 * 2] = 2 * word as u64;
            layouts[width].index[vector][row % 4 * 2 + 1] = 2 * word as u64 + 1;
            layouts[width].shift[vector][value % 32] = (row * width % 16) as u16;
            value += 1;
        }
        width += 1;
    }
    layouts
};

/// The first packed vector that the four rows of vector `vector` touch.
const fn first_word(vector: usize, width: usize) -> usize {
    vector * width / 4
}

/// How many packed vectors from the beginning of a block may be loaded, needed or not: four, twice, from `first_word` on.
const fn reach(width: usize) -> usize {
    first_word(3, width) + 5
}

/// As [`block::take`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn take(packed: &mut &[Packed], width: u8) -> Block {
    let width = usize::from(width).min(MAX_WIDTH);
    let mut padded = [[0; 16]; reach(MAX_WIDTH)];
    let block = if let Some(block) = packed.get(..reach(width)) {
        block
    } else {
        padded[..packed.len()].copy_from_slice(packed);
        &padded[..reach(width)]
    };
    *packed = packed.get(width..).unwrap_or_default();

    let layout = &LAYOUTS[width];
    let mask = _mm512_set1_epi16(((1u32 << width) - 1) as i16);
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
        let low = _mm512_srlv_epi16(_mm512_permutexvar_epi64(index, low), shift);
        // A shift by 16, for rows that begin at bit 0, leaves nothing of `high`, as it must.
        let rest = _mm512_sub_epi16(_mm512_set1_epi16(16), shift);
        let high = _mm512_sllv_epi16(_mm512_permutexvar_epi64(index, high), rest);
        *values = _mm512_and_si512(_mm512_or_si512(low, high), mask);
    }
    values
}

/// As [`block::integrate`]; `carry` holds the last count in every lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn integrate(block: Block, carry: &mut __m512i) -> Block {
    let one = _mm512_set1_epi16(1);
    let row_before = _mm512_set_epi64(
        0x0017_0017_0017_0017,
        0x0017_0017_0017_0017,
        0x000f_000f_000f_000f,
        0x000f_000f_000f_000f,
        0x0007_0007_0007_0007,
        0x0007_0007_0007_0007,
        0,
        0,
    );
    let two_rows_before =
        _mm512_set_epi64(0x000f_000f_000f_000f, 0x000f_000f_000f_000f, 0x0007_0007_0007_0007, 0x0007_0007_0007_0007, 0, 0, 0, 0);
    let last = _mm512_set1_epi16(31);
    let mut counts = block;
    for values in &mut counts {
        let odd = _mm512_test_epi16_mask(*values, one);
        let half = _mm512_srli_epi16::<1>(*values);
        let difference = _mm512_mask_sub_epi16(half, odd, _mm512_set1_epi16(-1), half);
        let sums = _mm512_add_epi16(difference, _mm512_bslli_epi128::<2>(difference));
        let sums = _mm512_add_epi16(sums, _mm512_bslli_epi128::<4>(sums));
        let sums = _mm512_add_epi16(sums, _mm512_bslli_epi128::<8>(sums));
        let sums = _mm512_add_epi16(sums, _mm512_maskz_permutexvar_epi16(0xffff_ff00, row_before, sums));
        let sums = _mm512_add_epi16(sums, _mm512_maskz_permutexvar_epi16(0xffff_0000, two_rows_before, sums));
        *values = _mm512_add_epi16(sums, *carry);
        *carry = _mm512_add_epi16(*carry, _mm512_permutexvar_epi16(last, sums));
    }
    counts
}

/// As [`portable::lead`](super::portable::lead).
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn lead(mut blocks: LeadBlocks<'_>, out: &mut [i16]) {
    let mut carry = _mm512_setzero_si512();
    for (part, &width) in out.chunks_mut(BLOCK).zip(blocks.widths) {
        let counts = integrate(take(&mut blocks.packed, width), &mut carry);
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn store(block: Block, out: &mut [i16; BLOCK]) {
    for (values, out) in block.into_iter().zip(out.as_chunks_mut::<32>().0) {
        // SAFETY: 32 values of 16 bits are 64 writable bytes.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), values) };
    }
}

/// As [`portable::lead_microvolts`](super::portable::lead_microvolts).
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn lead_microvolts(mut blocks: LeadBlocks<'_>, lsb_uv: f32, scratch: &mut [i16], out: &mut [f32]) {
    let gain = _mm512_set1_ps(lsb_uv);
    let mut carry = _mm512_setzero_si512();
    let mut stream = Stream::new(out);
    for (index, &width) in blocks.widths.iter().enumerate() {
        let Some(slot) = scratch[index * BLOCK..].first_chunk_mut() else { return };
        store(integrate(take(&mut blocks.packed, width), &mut carry), slot);
        stream.write_to((index + 1) * BLOCK, |at| times(widened(scratch, at), gain));
    }
    stream.finish(|at| times(widened(scratch, at), gain));
}

/// As [`portable::limb_leads`](super::portable::limb_leads).
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn limb_leads(mut blocks: [LeadBlocks<'_>; 2], gains: LimbGains, [x, y]: [&mut [i16]; 2], out: [&mut [f32]; 6]) {
    let (gain_i, gain_ii) = (_mm512_set1_ps(gains.i), _mm512_set1_ps(gains.ii));
    let mut carry = [_mm512_setzero_si512(); 2];
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
        store(integrate(take(&mut blocks[0].packed, *widths.0), &mut carry[0]), slot_x);
        store(integrate(take(&mut blocks[1].packed, *widths.1), &mut carry[1]), slot_y);
        let decoded = (index + 1) * BLOCK;
        write!(write_to(decoded));
    }
    write!(finish());
}

/// Sixteen counts from `at` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn widened(counts: &[i16], at: usize) -> __m512i {
    let counts = &counts[at..at + 16];
    // SAFETY: 16 values of 16 bits are 32 readable bytes.
    _mm512_cvtepi16_epi32(unsafe { _mm256_loadu_si256(counts.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn times(counts: __m512i, gain: __m512) -> __m512 {
    _mm512_mul_ps(_mm512_cvtepi32_ps(counts), gain)
}

/// One lead on its way to memory: whole cache lines that go past the caches, wherever the lead begins.
///
/// A batch is larger than the caches, and an ordinary store first reads the line that it is about to overwrite: measured 13.2 µs a recording
/// with ordinary stores, 8.2 µs with these. Lines are written as soon as their counts are decoded, so that memory works all the time.
struct Stream<'a> {
    head: &'a mut [f32],
    lines: std::slice::IterMut<'a, [f32; LINE]>,
    tail: &'a mut [f32],
    /// The first value of the next line.
    at: usize,
}

impl<'a> Stream<'a> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn new(out: &'a mut [f32]) -> Self {
        let to_line = out.as_ptr().align_offset(LINE * size_of::<f32>()).min(out.len());
        let (head, body) = out.split_at_mut(to_line);
        let (lines, tail) = body.as_chunks_mut();
        Self { head, lines: lines.iter_mut(), tail, at: to_line }
    }

    /// Write the whole lines among the first `decoded` values; `values(at)` gives the sixteen from `at` on.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn write_to(&mut self, decoded: usize, values: impl Fn(usize) -> __m512) {
        let num_lines = decoded.saturating_sub(self.at) / LINE;
        for line in self.lines.by_ref().take(num_lines) {
            // SAFETY: a line is 64 writable bytes at a multiple of 64.
            unsafe { _mm512_stream_ps(line.as_mut_ptr(), values(self.at)) };
            self.at += LINE;
        }
    }

    /// Write the ends, which share their lines with other leads.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn finish(self, values: impl Fn(usize) -> __m512) {
        copy_some(values(0), self.head);
        copy_some(values(self.at), self.tail);
    }
}

/// Order the streamed stores before whatever tells another thread that they are there.
#[target_feature(enable = "sse")]
pub(super) fn fence() {
    _mm_sfence();
}

/// Write the first values of a line.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn copy_some(line: __m512, out: &mut [f32]) {
    let mut values = [0f32; 16];
    // SAFETY: 16 floats are 64 writable bytes.
    unsafe { _mm512_storeu_ps(values.as_mut_ptr(), line) };
    for (out, value) in out.iter_mut().zip(values) {
        *out = value;
    }
}

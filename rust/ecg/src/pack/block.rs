//! Blocks: 128 values in eight 16-bit lanes, packed to the width of the largest.
//!
//! Value `i` of a block stands in lane `i % 8` of row `i / 8`. Row `r` of a block of width `w` occupies bits `r * w .. (r + 1) * w` of each
//! lane's stream, least significant bit first, and a stream is cut into 16-bit words; so word `k` of all eight lanes is one 16-byte
//! vector, and packing is nothing but shifts and masks of whole vectors, whose amounts are constants once the width is.

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
pub(super) use super::neon::integrate;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
use super::neon::unpack_width;

/// Values a block.
pub(super) const BLOCK: usize = 128;
/// The widest a value can be.
pub(super) const MAX_WIDTH: usize = 16;

pub(super) const LANES: usize = 8;
pub(super) const ROWS: usize = BLOCK / LANES;

/// One row of a block, or one word of all lanes.
pub(super) type Row = [u16; LANES];
/// One packed vector as it stands in a chunk (little-endian).
pub(super) type Packed = [u8; 2 * LANES];

/// Packed vectors of blocks of these widths.
pub(super) fn num_vectors(widths: &[u8]) -> usize {
    // In 32 bits, of which a vector holds more, and which a few thousand widths do not fill.
    widths.chunks(1 << 12).map(|some| some.iter().map(|&width| u32::from(width)).sum::<u32>() as usize).sum()
}

/// Blocks that `num_samples` values of a lead fill.
pub(super) const fn num_blocks(num_samples: usize) -> usize {
    num_samples.div_ceil(BLOCK)
}

#[cfg(not(all(target_arch = "aarch64", target_endian = "little")))]
#[inline(always)]
fn load(packed: &Packed) -> Row {
    std::array::from_fn(|lane| u16::from_le_bytes([packed[2 * lane], packed[2 * lane + 1]]))
}

#[inline(always)]
fn store(row: Row, packed: &mut Packed) {
    for (bytes, value) in packed.chunks_exact_mut(2).zip(row) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
}

#[inline(always)]
fn pack_width<const W: usize>(rows: &[Row; ROWS], out: &mut [Packed; W]) {
    let mut word = [0; LANES];
    // Written out, because the compiler leaves it a loop, whose shifts and branches are then decided at run time.
    macro_rules! rows {
        ($($r:literal)*) => {
            $({
                let (row, fill) = (rows[$r], $r * W % 16);
                for lane in 0..LANES {
                    word[lane] |= row[lane] << fill;
                }
                if fill + W >= 16 {
                    store(word, &mut out[$r * W / 16]);
                    word = if fill + W == 16 { [0; LANES] } else { row.map(|value| value >> (16 - fill)) };
                }
            })*
        };
    }
    rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    debug_assert_eq!(word, [0; LANES], "sixteen rows end with a word");
}

#[cfg(not(all(target_arch = "aarch64", target_endian = "little")))]
#[inline(always)]
fn unpack_width<const W: usize>(packed: &[Packed; W]) -> [Row; ROWS] {
    let mask = u16::MAX >> (16 - W);
    std::array::from_fn(|r| {
        let (word, shift) = (r * W / 16, r * W % 16);
        let low = load(&packed[word]);
        if shift + W > 16 {
            let high = load(&packed[word + 1]);
            std::array::from_fn(|lane| (low[lane] >> shift | high[lane] << (16 - shift)) & mask)
        } else {
            low.map(|value| (value >> shift) & mask)
        }
    })
}

/// The packed vectors of one block begin `packed`; take them off its front and unpack them.
///
/// A width beyond 16 or too few vectors give zeros: [`parse`](super::chunk::parse) has excluded both.
#[inline(always)]
pub(super) fn take(packed: &mut &[Packed], width: u8) -> [Row; ROWS] {
    macro_rules! widths {
        ($($width:literal)*) => {
            match width {
                $($width => match packed.split_first_chunk::<$width>() {
                    Some((block, rest)) => {
                        *packed = rest;
                        unpack_width::<$width>(block)
                    }
                    None => [[0; LANES]; ROWS],
                },)*
                _ => [[0; LANES]; ROWS],
            }
        };
    }
    widths!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

/// The bits that the largest of a block of zigzag values needs.
#[inline(always)]
pub(super) fn width(rows: &[Row; ROWS]) -> u8 {
    let mut any = [0u16; LANES];
    for row in rows {
        for lane in 0..LANES {
            any[lane] |= row[lane];
        }
    }
    (u16::BITS - any.into_iter().fold(0, |all, lane| all | lane).leading_zeros()) as u8
}

/// Pack one block of zigzag values of this width to the front of `out`.
#[inline(always)]
pub(super) fn pack(rows: &[Row; ROWS], width: u8, out: &mut [Packed; MAX_WIDTH]) {
    macro_rules! widths {
        ($($width:literal)*) => {
            match width {
                $($width => if let Some(packed) = out.first_chunk_mut() {
                    pack_width::<$width>(rows, packed);
                },)*
                _ => {}
            }
        };
    }
    widths!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
}

/// First differences of at most 128 counts, zigzag; what is missing to 128 is filled with differences of zero.
#[inline(always)]
pub(super) fn differences(counts: &[i16], previous: i16) -> [Row; ROWS] {
    let mut now = [counts.last().copied().unwrap_or(previous); BLOCK];
    now[..counts.len()].copy_from_slice(counts);
    let mut before = [previous; BLOCK];
    before[1..].copy_from_slice(&now[..BLOCK - 1]);
    steps(&now, &before)
}

/// The same of a whole block, beside the counts that stand one earlier: where both are in memory, they are loaded from there.
#[inline(always)]
pub(super) fn steps(now: &[i16; BLOCK], before: &[i16; BLOCK]) -> [Row; ROWS] {
    let mut rows = [[0; LANES]; ROWS];
    for ((value, now), before) in rows.as_flattened_mut().iter_mut().zip(now).zip(before) {
        let difference = now.wrapping_sub(*before);
        *value = ((difference << 1) ^ (difference >> 15)) as u16;
    }
    rows
}

/// Undo [`differences`]: running sums modulo 2^16 that continue from `carry`, the last count of the block before.
#[cfg(not(all(target_arch = "aarch64", target_endian = "little")))]
#[inline(always)]
pub(super) fn integrate(rows: [Row; ROWS], carry: &mut i16) -> [i16; BLOCK] {
    let mut counts = [0i16; BLOCK];
    let mut base = *carry as u16;
    for (row, slot) in rows.into_iter().zip(counts.chunks_exact_mut(LANES)) {
        let sums = scan(row.map(|value| (value >> 1) ^ 0u16.wrapping_sub(value & 1)));
        slot.copy_from_slice(&sums.map(|value| value.wrapping_add(base) as i16));
        base = base.wrapping_add(sums[LANES - 1]);
    }
    *carry = base as i16;
    counts
}

/// Inclusive running sum within a row, in three steps instead of seven.
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little"))))]
#[inline(always)]
fn scan(row: Row) -> Row {
    let add = |a: Row, b: Row| -> Row { std::array::from_fn(|lane| a[lane].wrapping_add(b[lane])) };
    let row = add(row, [0, row[0], row[1], row[2], row[3], row[4], row[5], row[6]]);
    let row = add(row, [0, 0, row[0], row[1], row[2], row[3], row[4], row[5]]);
    add(row, [0, 0, 0, 0, row[0], row[1], row[2], row[3]])
}

/// Inclusive running sum within a row, in three steps instead of seven.
///
/// The compiler takes such a sum apart into single values: measured 26 µs a recording with AVX2 instead of 11.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn scan(row: Row) -> Row {
    use std::arch::x86_64::{__m128i, _mm_add_epi16, _mm_bslli_si128};

    // SAFETY: SSE2 is part of x86-64; the two types have the same size and neither has an invalid bit pattern.
    unsafe {
        let row: __m128i = std::mem::transmute(row);
        let row = _mm_add_epi16(row, _mm_bslli_si128::<2>(row));
        let row = _mm_add_epi16(row, _mm_bslli_si128::<4>(row));
        let row = _mm_add_epi16(row, _mm_bslli_si128::<8>(row));
        std::mem::transmute(row)
    }
}

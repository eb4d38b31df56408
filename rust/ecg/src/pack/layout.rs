//! Tables for the decoder of AVX-512: where the rows of a block stand, for each width.

use super::block::{BLOCK, MAX_WIDTH};

/// Where the rows of a block stand, vector by vector, for one width. Tables instead of one function a width: nothing is left to mispredict.
///
/// A load across two cache lines costs two, hence the alignment.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// For each row, the two halves of the packed vector where it begins, counted from the first packed vector that its four rows touch.
    pub(super) index: [[u64; 8]; 4],
    /// The two halves of the packed vector after it.
    pub(super) next_index: [[u64; 8]; 4],
    /// The lowest bit of each value, in the word where it begins.
    pub(super) lowest: [[u16; 32]; 4],
    /// How far the two words of each value go to the left, so that what stands above its lowest bit begins the upper one.
    pub(super) shift: [[u16; 32]; 4],
    /// What a running sum over a vector contains for the halves of the range that were added to its values.
    pub(super) added: [u16; 32],
    /// Ones below the width but one: a value without its lowest bit.
    pub(super) upper: u16,
    /// What makes a difference out of those bits where the lowest bit is 0, by exclusive or: half of the range, where that is added.
    pub(super) even: u16,
    /// The same where the lowest bit is 1.
    pub(super) odd: u16,
}

/// Values of at most this width are narrow: four of them, made positive, add up to less than 2^16, and four rows of them lie within four
/// packed vectors.
pub(super) const NARROW: usize = 14;

pub(super) static LAYOUTS: [Layout; MAX_WIDTH + 1] = {
    let empty = Layout {
        index: [[0; 8]; 4],
        next_index: [[0; 8]; 4],
        lowest: [[0; 32]; 4],
        shift: [[0; 32]; 4],
        added: [0; 32],
        upper: 0,
        even: 0,
        odd: 0,
    };
    let mut layouts = [empty; MAX_WIDTH + 1];
    let mut width = 0;
    while width <= MAX_WIDTH {
        let layout = &mut layouts[width];
        let half = if width <= NARROW { (1 << width >> 1) as u16 } else { 0 };
        let mut value = 0;
        while value < BLOCK {
            let (vector, row) = (value / 32, value / 8);
            let (word, bit) = (row * width / 16 - first_word(vector, width), row * width % 16);
            assert!(
                width > NARROW || word + (bit + width).saturating_sub(1) / 16 < 4,
                "four rows lie within four packed vectors"
            );
            let index = 2 * word as u64;
            layout.index[vector][row % 4 * 2] = index;
            layout.index[vector][row % 4 * 2 + 1] = index + 1;
            layout.next_index[vector][row % 4 * 2] = index + 2;
            layout.next_index[vector][row % 4 * 2 + 1] = index + 3;
            layout.lowest[vector][value % 32] = 1 << bit;
            layout.shift[vector][value % 32] = 15 - bit as u16;
            layout.added[value % 32] = half.wrapping_mul((value % 32 + 1) as u16);
            value += 1;
        }
        layout.upper = ((1u32 << width >> 1).saturating_sub(1)) as u16;
        layout.even = half;
        layout.odd = half.wrapping_sub(if width == 0 { 0 } else { 1 });
        width += 1;
    }
    layouts
};

/// The first packed vector that the four rows of vector `vector` touch.
pub(super) const fn first_word(vector: usize, width: usize) -> usize {
    vector * width / 4
}

/// How many packed vectors from the beginning of a block may be loaded, needed or not: four, twice, from `first_word` on.
pub(super) const fn reach(width: usize) -> usize {
    first_word(3, width) + 5
}

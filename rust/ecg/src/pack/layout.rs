//! Tables for the decoder of AVX-512: where the rows of a block stand, for each width.

use super::block::{BLOCK, MAX_WIDTH};

/// Where the rows of a block stand, vector by vector, for one width. Tables instead of one function a width: nothing is left to mispredict.
pub(super) struct Layout {
    /// For each row, the two halves of the packed vector where it begins, counted from the first packed vector that its four rows touch.
    pub(super) index: [[u64; 8]; 4],
    /// How far each row is from bit 0 of its word.
    pub(super) shift: [[u16; 32]; 4],
    /// Half of the range of a value, once for each value of a vector up to this one.
    pub(super) added: [u16; 32],
    /// Ones below the width, and the one above them.
    pub(super) mask: u16,
    pub(super) above: u16,
}

pub(super) static LAYOUTS: [Layout; MAX_WIDTH + 1] = {
    let mut layouts =
        [const { Layout { index: [[0; 8]; 4], shift: [[0; 32]; 4], added: [0; 32], mask: 0, above: 0 } }; MAX_WIDTH + 1];
    let mut width = 0;
    while width <= MAX_WIDTH {
        let mut value = 0;
        while value < BLOCK {
            let (vector, row) = (value / 32, value / 8);
            let word = row * width / 16 - first_word(vector, width);
            layouts[width].index[vector][row % 4 * 2] = 2 * word as u64;
            layouts[width].index[vector][row % 4 * 2 + 1] = 2 * word as u64 + 1;
            layouts[width].shift[vector][value % 32] = (row * width % 16) as u16;
            layouts[width].added[value % 32] = (((1u32 << width) >> 1) * (value % 32 + 1) as u32) as u16;
            value += 1;
        }
        layouts[width].mask = ((1u32 << width) - 1) as u16;
        layouts[width].above = (1u32 << width) as u16;
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

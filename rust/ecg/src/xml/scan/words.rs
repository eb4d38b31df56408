//! Eight bytes at a time, in plain registers: names are short and the next tag is near, where a vector search does not pay for its call.

use memchr::memchr;

/// Eight bytes each, looked through for a `<` before `memchr` is called.
const NEAR_WORDS: usize = 3;
/// The lowest bit of each of eight bytes, and the highest.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH_BITS: u64 = ONES << 7;

/// How many ASCII letters, of which nearly all names are made, stand at the front; the last seven bytes of a file are not counted.
#[inline]
pub(super) fn num_letters(bytes: &[u8]) -> usize {
    let mut length = 0;
    for &word in bytes.as_chunks().0 {
        let word = u64::from_le_bytes(word);
        // Without their high bits no sum carries into the next byte.
        let lower = (word | ONES << 5) & !HIGH_BITS;
        let is_letter = (lower + ONES * (0x80 - b'a' as u64)) & !(lower + ONES * (0x7F - b'z' as u64)) & !word & HIGH_BITS;
        let ahead = (is_letter ^ HIGH_BITS).trailing_zeros() as usize / 8;
        length += ahead;
        if ahead < 8 {
            break;
        }
    }
    length
}

/// Where the first `<` is. Most are a few bytes away, nearer than `memchr` pays for its call.
#[inline]
pub(super) fn angle_bracket(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.as_chunks();
    for (index, &word) in words.iter().take(NEAR_WORDS).enumerate() {
        let difference = u64::from_le_bytes(word) ^ (ONES * b'<' as u64);
        // The lowest of these bits is exact; higher ones may be carried into.
        let found = difference.wrapping_sub(ONES) & !difference & HIGH_BITS;
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let near = words.len().min(NEAR_WORDS) * 8;
    memchr(b'<', &bytes[near..]).map(|at| near + at)
}

/// Whether `bytes` begins with `literal`: for the 20 to 60 bytes that stand between two values, which take `memcmp` longer.
#[inline]
pub(super) fn begins_with(bytes: &[u8], literal: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..literal.len()) else { return false };
    if let (Some(last), Some(expected)) = (bytes.last_chunk::<32>(), literal.last_chunk::<32>()) {
        // Not as slices, which would call `memcmp`.
        let mut blocks = bytes.as_chunks::<32>().0.iter().zip(literal.as_chunks::<32>().0);
        return last == expected && blocks.all(|(block, expected)| block == expected);
    }
    if let (Some(last), Some(expected)) = (bytes.last_chunk::<16>(), literal.last_chunk::<16>()) {
        return last == expected && bytes.first_chunk::<16>() == literal.first_chunk();
    }
    bytes == literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_told_from_one_that_differs_anywhere() {
        let text: Vec<u8> = (0..200).map(|at| b'a' + at % 26).collect();
        for length in 0..150 {
            assert!(begins_with(&text, &text[..length]));
            assert!(begins_with(&text[..length], &text[..length]));
            assert!(!begins_with(&text[..length], &text[..=length]));
            for at in 0..length {
                let mut other = text.clone();
                other[at] ^= 1;
                assert!(!begins_with(&other, &text[..length]), "{at} of {length}");
            }
        }
    }

    #[test]
    fn letters_are_counted_up_to_anything_else() {
        for byte in 0..=u8::MAX {
            for at in 0..24 {
                let mut bytes = *b"QRSduratioNazAZAtrialRateMoreText";
                bytes[at] = byte;
                let expected = bytes.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(32);
                assert_eq!(num_letters(&bytes), expected, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn an_angle_bracket_is_found_wherever_it_stands() {
        for length in 0..80 {
            // `;` and `=` are its neighbours: what a carry between bytes would confuse with it.
            for filler in [b';', b'=', 0, 0xFF] {
                let mut bytes = vec![filler; length];
                assert_eq!(angle_bracket(&bytes), None);
                for at in (0..length).rev() {
                    bytes[at] = b'<';
                    assert_eq!(angle_bracket(&bytes), Some(at));
                }
            }
        }
    }
}

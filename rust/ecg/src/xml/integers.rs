//! Lists of decimal integers, the payloads of dialects that spell their samples out.
//!
//! Sixty thousand numbers are most of such a file, so the time goes here. A number's length is as good as random, so every branch on
//! it would be mispredicted; and a number that begins where the last one ends waits for it. The fast path has neither: separators become
//! bits, 64 characters at a time, and each number is the eight characters before its end, taken apart in one register, or eight of them at
//! once where the machine can. Whatever looks irregular is left to a slow path that judges.

use crate::digits::{Avx512, Tally};

const ONES: u64 = 0x0101_0101_0101_0101;
const LOW_BITS: u64 = 0x7f * ONES;
const HIGH_BITS: u64 = 0x80 * ONES;

/// What stands between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Separator {
    /// One or more spaces, tabs or line breaks.
    WhiteSpace,
    /// One comma, with white space on either side; one more comma may end the list.
    Comma,
}

/// The text is no list of numbers from -32 768 to 32 767.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotIntegers;

/// What a list should be, for messages.
pub(crate) const EXPECTED: &str = "a list of whole numbers from -32768 to 32767";

/// The most bytes that the numbers of `text` take: a number has two characters at least, its separator included.
pub(crate) const fn most_bytes(text: &[u8]) -> usize {
    2 * (text.len() / 2 + 1)
}

/// Write the numbers of `text` to the front of `out` as little-endian int16 and tell how many bytes they take.
///
/// # Errors
/// [`NotIntegers`] for anything else than a number (a sign, then digits, leading zeros included), for a number of more than 16 bits, and
/// for a wrong separator.
///
/// # Panics
/// When `out` is shorter than [`most_bytes`]: a mistake of the caller.
pub(crate) fn decode(text: &[u8], separator: Separator, out: &mut [u8]) -> Result<usize, NotIntegers> {
    decode_with(Avx512::detect(), text, separator, out)
}

fn decode_with(fast: Option<Avx512>, text: &[u8], separator: Separator, out: &mut [u8]) -> Result<usize, NotIntegers> {
    let text = text.trim_ascii();
    let (slots, _) = out[..most_bytes(text)].as_chunks_mut::<2>();
    let regular = match separator {
        Separator::WhiteSpace => decode_regular::<false>(fast, text, slots),
        Separator::Comma => decode_regular::<true>(fast, text, slots),
    };
    match regular {
        Some(num_numbers) => Ok(2 * num_numbers),
        None => decode_any(text, separator, slots).map(|num_numbers| 2 * num_numbers),
    }
}

/// How many numbers there are, or `None` at the first thing that is not as usual: another separator than one that follows its number at
/// once, more than five digits, or worse.
fn decode_regular<const COMMA: bool>(fast: Option<Avx512>, text: &[u8], slots: &mut [[u8; 2]]) -> Option<usize> {
    let Tally { num_numbers, num_commas, num_uncommaed } = match fast {
        Some(fast) => fast.read::<COMMA>(text, slots)?,
        None => read::<COMMA>(text, slots)?,
    };
    // Every number but the last one is followed by a comma at once, and there is no other comma: no number is missing between two.
    let has_last_comma = text.ends_with(b",");
    let regular =
        !COMMA || (num_uncommaed == usize::from(!has_last_comma) && num_commas + 1 == num_numbers + usize::from(has_last_comma));
    (num_numbers == 0 && text.is_empty() || num_numbers > 0 && regular).then_some(num_numbers)
}

/// As [`Avx512::read`], on any machine.
fn read<const COMMA: bool>(text: &[u8], slots: &mut [[u8; 2]]) -> Option<Tally> {
    // Control characters would pass for white space below.
    if text.iter().fold(false, |odd, &byte| odd | (byte < b' ' && !is_white(byte))) {
        return None;
    }
    let mut slots = slots.iter_mut();
    let num_slots = slots.len();
    let mut tally = Tally::default();
    // What comes before the text counts as a separator.
    let mut previous = 1;
    let (blocks, tail) = text.as_chunks::<64>();
    let mut last = [b' '; 64];
    last[..tail.len()].copy_from_slice(tail);
    for (index, block) in blocks.iter().chain([&last]).enumerate() {
        let (white, comma) = separators::<COMMA>(block);
        let separator = white | comma;
        let mut ends = separator & !(separator << 1 | previous);
        previous = separator >> 63;
        if COMMA {
            tally.num_commas += comma.count_ones() as usize;
            tally.num_uncommaed += (ends & white).count_ones() as usize;
        }
        while ends != 0 {
            let end = index * 64 + ends.trailing_zeros() as usize;
            ends &= ends - 1;
            *slots.next()? = number_before::<COMMA>(text, end)?.to_le_bytes();
        }
    }
    tally.num_numbers = num_slots - slots.len();
    Some(tally)
}

/// One bit a character: which are white (or below), which are commas.
fn separators<const COMMA: bool>(block: &[u8; 64]) -> (u64, u64) {
    let (words, _) = block.as_chunks::<8>();
    let (mut white, mut comma) = (0, 0);
    for (position, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let at_most_space = !(((word & LOW_BITS) + u64::from(0x7f - b' ') * ONES) | word) & HIGH_BITS;
        white |= gather(at_most_space) << (8 * position);
        if COMMA {
            let difference = word ^ (u64::from(b',') * ONES);
            let equal = !(((difference & LOW_BITS) + LOW_BITS) | difference) & HIGH_BITS;
            comma |= gather(equal) << (8 * position);
        }
    }
    (white, comma)
}

/// The high bit of each byte, side by side.
const fn gather(high_bits: u64) -> u64 {
    (high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The number of one to five digits that ends before `end`, when a separator stands before it.
#[inline]
fn number_before<const COMMA: bool>(text: &[u8], end: usize) -> Option<i16> {
    let word = match end.checked_sub(8) {
        Some(begin) => u64::from_le_bytes(*text.get(begin..)?.first_chunk()?),
        None => first_word(text.get(..end)?),
    };
    // The last character is the highest byte: its digits stand where a number of eight digits has its last ones.
    let digits = word ^ (u64::from(b'0') * ONES);
    let no_digit = (((digits & LOW_BITS) + u64::from(0x7f - 9_u8) * ONES) | digits) & HIGH_BITS;
    let num_digits = no_digit.leading_zeros() / 8;
    if !(1..=5).contains(&num_digits) {
        return None;
    }
    // Selected by shifts, not by branches: signs are as random as lengths. A plus is left to the slow path.
    let before = word << (8 * num_digits);
    let negative = u64::from((before >> 56) as u8 == b'-');
    let lead = (before >> (56 - 8 * negative)) as u8;
    if !(lead <= b' ' || COMMA && lead == b',') {
        return None;
    }
    let digits = digits & (u64::MAX << (64 - 8 * num_digits));
    let pairs = digits.wrapping_mul(10) + (digits >> 8);
    let value = (pairs & 0x0000_00ff_0000_00ff)
        .wrapping_mul(0x000f_4240_0000_0064)
        .wrapping_add((pairs >> 16 & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001))
        >> 32;
    let sign = -(negative as i32);
    i16::try_from((value as i32 ^ sign) - sign).ok()
}

/// Fewer than eight characters with spaces before them.
#[cold]
fn first_word(text: &[u8]) -> u64 {
    let mut word = [b' '; 8];
    word[8 - text.len()..].copy_from_slice(text);
    u64::from_le_bytes(word)
}

/// The same for any list, one number after the other.
#[cold]
fn decode_any(text: &[u8], separator: Separator, slots: &mut [[u8; 2]]) -> Result<usize, NotIntegers> {
    let num_slots = slots.len();
    let mut slots = slots.iter_mut();
    let mut write = |number: &[u8]| {
        let slot = slots.next().ok_or(NotIntegers)?;
        *slot = integer(number)?.to_le_bytes();
        Ok(())
    };
    match separator {
        Separator::WhiteSpace => {
            text.split(|&byte| is_white(byte)).filter(|number| !number.is_empty()).try_for_each(&mut write)?;
        }
        Separator::Comma => {
            let text = text.strip_suffix(b",").unwrap_or(text);
            text.split(|&byte| byte == b',').try_for_each(|number| write(trim_white(number)))?;
        }
    }
    Ok(num_slots - slots.len())
}

fn integer(text: &[u8]) -> Result<i16, NotIntegers> {
    let (digits, sign) = match text {
        [b'-', digits @ ..] => (digits, -1),
        [b'+', digits @ ..] | digits => (digits, 1),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NotIntegers);
    }
    let value = digits.iter().fold(0_i32, |value, digit| (value * 10 + i32::from(digit - b'0')).min(100_000));
    i16::try_from(sign * value).map_err(|_| NotIntegers)
}

/// White space as XML has it.
const fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn trim_white(text: &[u8]) -> &[u8] {
    let begin = text.iter().position(|&byte| !is_white(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|&byte| !is_white(byte)).map_or(begin, |last| last + 1);
    &text[begin..end]
}

#[cfg(test)]
mod tests;

//! Base64 payloads: white space out, bytes in.

use std::ops::Range;

use base64_simd::{AsOut, STANDARD_NO_PAD};

use crate::base64::Avx512;

/// Decodes payloads with a buffer that is reused.
#[derive(Clone, Debug, Default)]
pub(crate) struct PayloadDecoder {
    /// The payload without its white space: characters, or their six-bit values.
    compact: Vec<u8>,
}

/// The text is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotBase64;

/// The most bytes that `text` may encode.
pub(crate) const fn most_bytes(text: &[u8]) -> usize {
    text.len() / 4 * 3 + 3
}

impl PayloadDecoder {
    /// Decode `text` to the front of `out` and tell the number of bytes. Any white space may stand anywhere, and padding may be missing;
    /// the unused bits of the last group may be anything.
    ///
    /// # Errors
    /// [`NotBase64`] for any other character, padding in the middle, or a single character in the last group.
    ///
    /// # Panics
    /// When `out` is shorter than [`most_bytes`]: a mistake of the caller.
    pub(crate) fn decode(&mut self, text: &[u8], out: &mut [u8]) -> Result<usize, NotBase64> {
        self.decode_with(Avx512::detect(), text, out)
    }

    fn decode_with(&mut self, fast: Option<Avx512>, text: &[u8], out: &mut [u8]) -> Result<usize, NotBase64> {
        let (text, num_padding) = without_padding(text);
        let (num_bytes, rest) = match fast {
            Some(fast) => fast.decode(text, &mut self.compact, out).map_err(|_| NotBase64)?,
            None => self.decode_portably(text, out)?,
        };
        let bits = rest.iter().fold(0, |bits, &value| bits << 6 | u32::from(value));
        let last: &[u8] = match rest.len() {
            0 if num_padding == 0 => &[],
            2 => &[(bits >> 4) as u8],
            3 => &[(bits >> 10) as u8, (bits >> 2) as u8],
            _ => return Err(NotBase64),
        };
        out[num_bytes..num_bytes + last.len()].copy_from_slice(last);
        Ok(num_bytes + last.len())
    }

    /// Whole groups to `out`; their bytes, and the six-bit values of the characters left over.
    fn decode_portably(&mut self, text: &[u8], out: &mut [u8]) -> Result<(usize, &[u8]), NotBase64> {
        let regular =
            unwrap_lines(text, &mut self.compact).and_then(|length| decode_groups(&mut self.compact[..length], out).ok());
        // Irregular white space (or something worse): slower, and the judgement is final.
        let (num_bytes, rest) = if let Some(found) = regular {
            found
        } else {
            self.compact.clear();
            self.compact.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
            decode_groups(&mut self.compact, out)?
        };
        Ok((num_bytes, &self.compact[rest]))
    }
}

/// The text up to its padding, and how many of the at most two signs there are. White space may stand between and after them.
fn without_padding(text: &[u8]) -> (&[u8], usize) {
    let mut text = text.trim_ascii();
    let mut num_padding = 0;
    while num_padding < 2
        && let Some(head) = text.strip_suffix(b"=")
    {
        text = head.trim_ascii_end();
        num_padding += 1;
    }
    (text, num_padding)
}

/// Copy the lines of `text` without their breaks to the front of `out`, if all lines but the last are as wide as the first and all breaks
/// are alike. The copied length, or `None` at the first irregularity.
fn unwrap_lines(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    // Bytes past the returned length are left from before, so the buffer needs no clearing; it only grows.
    if out.len() < text.len() {
        out.resize(text.len(), 0);
    }
    let width = memchr::memchr2(b'\n', b'\r', text).unwrap_or(text.len());
    let line_break: &[u8] =
        if text[width..].starts_with(b"\r\n") { b"\r\n" } else { text.get(width..=width).unwrap_or_default() };
    // A constant width turns each copy into a few vector moves; 68 and 76 are the widths in use.
    match (width, line_break) {
        (68, b"\n") => unwrap_fixed::<68, 69>(text, out, b'\n'),
        (68, b"\r\n") => unwrap_fixed::<68, 70>(text, out, b'\n'),
        (76, b"\n") => unwrap_fixed::<76, 77>(text, out, b'\n'),
        (76, b"\r\n") => unwrap_fixed::<76, 78>(text, out, b'\n'),
        _ => {
            let mut length = 0;
            for line in text.chunks((width + line_break.len()).max(1)) {
                let (line, end) = line.split_at(width.min(line.len()));
                if !end.is_empty() && end != line_break {
                    return None;
                }
                out[length..length + line.len()].copy_from_slice(line);
                length += line.len();
            }
            Some(length)
        }
    }
}

/// Lines of `WIDTH` characters, `STRIDE` with their break, of which the last byte is `last`. A stray `\r` is left to the base64 decoder.
fn unwrap_fixed<const WIDTH: usize, const STRIDE: usize>(text: &[u8], out: &mut [u8], last: u8) -> Option<usize> {
    let (lines, tail) = text.as_chunks::<STRIDE>();
    let length = lines.len() * WIDTH;
    let (slots, _) = out.as_chunks_mut::<WIDTH>();
    let mut regular = true;
    for (slot, line) in slots.iter_mut().zip(lines) {
        slot.copy_from_slice(&line[..WIDTH]);
        regular &= line[STRIDE - 1] == last && (STRIDE == WIDTH + 1 || line[WIDTH] == b'\r');
    }
    if !regular || tail.len() > WIDTH {
        return None;
    }
    out[length..length + tail.len()].copy_from_slice(tail);
    Some(length + tail.len())
}

/// Decode base64 without white space: the bytes of whole groups to `out`, their number, and where in `text` the rest now stands as six-bit
/// values.
fn decode_groups(text: &mut [u8], out: &mut [u8]) -> Result<(usize, Range<usize>), NotBase64> {
    let (groups, rest) = text.split_at_mut(text.len() / 4 * 4);
    let num_bytes = groups.len() / 4 * 3;
    STANDARD_NO_PAD.decode(groups, out[..num_bytes].as_out()).map_err(|_| NotBase64)?;
    for byte in rest {
        *byte = sextet(*byte)?;
    }
    Ok((num_bytes, num_bytes / 3 * 4..text.len()))
}

fn sextet(byte: u8) -> Result<u8, NotBase64> {
    Ok(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return Err(NotBase64),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decode in every way there is, which must agree.
    fn decode(text: &[u8]) -> Result<Vec<u8>, NotBase64> {
        let decode_with = |fast| {
            let mut out = vec![0xAA; most_bytes(text)];
            PayloadDecoder::default().decode_with(fast, text, &mut out).map(|length| out[..length].to_vec())
        };
        let portable = decode_with(None);
        assert_eq!(decode_with(Avx512::detect()), portable, "{text:?}");
        portable
    }

    /// Base64 as its definition says, character by character.
    fn plain(text: &[u8]) -> Result<Vec<u8>, NotBase64> {
        let mut text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let num_padding = text.iter().rev().take(2).take_while(|&&byte| byte == b'=').count();
        text.truncate(text.len() - num_padding);
        let values: Vec<u8> = text.into_iter().map(sextet).collect::<Result<_, _>>()?;
        if values.len() % 4 == 1 || (num_padding > 0 && values.len().is_multiple_of(4)) {
            return Err(NotBase64);
        }
        let mut bytes = Vec::new();
        for group in values.chunks(4) {
            let bits = group.iter().chain([&0; 4]).take(4).fold(0, |bits, &value| bits << 6 | u32::from(value));
            bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
        }
        Ok(bytes)
    }

    fn wrapped(length: usize, width: usize, line_break: &str) -> (Vec<u8>, String) {
        let bytes: Vec<u8> = (0..length).map(|i| (i * 37 % 256) as u8).collect();
        let text = base64_simd::STANDARD.encode_to_string(&bytes);
        let lines: Vec<&str> = text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
        (bytes, lines.join(line_break))
    }

    #[test]
    fn every_line_width_and_break_gives_the_same_bytes() {
        for width in [1, 3, 4, 64, 67, 68, 76, 5000] {
            for line_break in ["\n", "\r\n", "\r", "\n   ", "\n\t\n"] {
                for length in (0..200).chain([1000]) {
                    let (bytes, text) = wrapped(length, width, line_break);
                    assert_eq!(decode(format!(" \n{text}\n  ").as_bytes()), Ok(bytes), "{length} bytes in lines of {width}");
                }
            }
        }
    }

    #[test]
    fn padding_may_be_missing() {
        assert_eq!(decode(b"AQI"), Ok(vec![1, 2]));
        assert_eq!(decode(b"AQ"), Ok(vec![1]));
        assert_eq!(decode(b"AQ=="), Ok(vec![1]));
    }

    #[test]
    fn foreign_characters_and_misplaced_padding_are_refused() {
        for text in ["AQ=I", "A", "=", "====", "AQI_", "AQIDA", "AQID=", "AQ==AQID", "AQIDé", "AQ= = ="] {
            assert_eq!(decode(text.as_bytes()), Err(NotBase64), "{text}");
        }
    }

    #[test]
    fn every_byte_at_every_place_is_judged_alike() {
        let (_, text) = wrapped(150, 68, "\n");
        let mut text = text.into_bytes();
        for at in 0..text.len() {
            let original = text[at];
            for byte in 0..=u8::MAX {
                text[at] = byte;
                assert_eq!(decode(&text), plain(&text), "byte {byte} at {at}");
            }
            text[at] = original;
        }
    }

    proptest! {
        #[test]
        fn lines_with_a_fault_give_what_the_definition_says(
            (length, width) in (0_usize..900, 60_usize..90),
            line_break in proptest::sample::select(vec!["\n", "\r\n", "\r", "\n\n", "\r\r\n", " ", "\n\r"]),
            faults in proptest::collection::vec((any::<proptest::sample::Index>(), 0..3, proptest::sample::select(b"A/\n\r =?\xE9".to_vec())), 0..3),
        ) {
            let mut text = wrapped(length, width, line_break).1.into_bytes();
            for (place, way, byte) in faults {
                let at = place.index(text.len() + 1);
                match way {
                    0 => text.insert(at, byte),
                    1 if at < text.len() => text[at] = byte,
                    _ if at < text.len() => drop(text.remove(at)),
                    _ => {}
                }
            }
            prop_assert_eq!(decode(&text), plain(&text));
        }

        #[test]
        fn any_text_gives_what_the_definition_says(
            text in proptest::collection::vec(prop_oneof![
                200 => proptest::sample::select(b"ABCXYZabcxyz0189+/".to_vec()),
                8 => proptest::sample::select(b" \t\n\r\x0c".to_vec()),
                1 => Just(b'='),
                1 => any::<u8>(),
            ], 0..400),
        ) {
            prop_assert_eq!(decode(&text), plain(&text));
        }
    }
}

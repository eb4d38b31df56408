//! Base64 payloads: line breaks out, bytes in.

use base64_simd::{AsOut, STANDARD_NO_PAD};

/// Decodes payloads with a line buffer that is reused.
#[derive(Clone, Debug, Default)]
pub(crate) struct PayloadDecoder {
    /// The payload's characters without their line breaks.
    compact: Vec<u8>,
}

/// The text is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotBase64;

impl PayloadDecoder {
    /// Append the bytes that `text` encodes to `out`. Any white space may stand anywhere, and padding may be missing.
    ///
    /// # Errors
    /// [`NotBase64`] for any other character, padding in the middle, or a single character in the last group.
    pub(crate) fn decode(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), NotBase64> {
        let text = text.trim_ascii();
        let begin = out.len();
        if let Some(length) = unwrap_lines(text, &mut self.compact)
            && decode_compact(&self.compact[..length], out).is_ok()
        {
            return Ok(());
        }
        // Irregular white space (or something worse): slower, and the judgement is final.
        out.truncate(begin);
        self.compact.clear();
        self.compact.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
        decode_compact(&self.compact, out)
    }
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

/// Decode base64 without white space. The last group may lack its padding, and its unused bits may be anything.
fn decode_compact(text: &[u8], out: &mut Vec<u8>) -> Result<(), NotBase64> {
    let padding = text.iter().rev().take(2).take_while(|&&byte| byte == b'=').count();
    let text = &text[..text.len() - padding];
    let (groups, rest) = text.split_at(text.len() / 4 * 4);
    let begin = out.len();
    out.resize(begin + groups.len() / 4 * 3, 0);
    STANDARD_NO_PAD.decode(groups, out[begin..].as_out()).map_err(|_| NotBase64)?;
    let mut bits = 0_u32;
    for &byte in rest {
        bits = bits << 6 | sextet(byte)?;
    }
    match rest.len() {
        0 if padding == 0 => {}
        2 => out.push((bits >> 4) as u8),
        3 => out.extend_from_slice(&[(bits >> 10) as u8, (bits >> 2) as u8]),
        _ => return Err(NotBase64),
    }
    Ok(())
}

fn sextet(byte: u8) -> Result<u32, NotBase64> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return Err(NotBase64),
    };
    Ok(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Result<Vec<u8>, NotBase64> {
        let mut out = Vec::new();
        PayloadDecoder::default().decode(text.as_bytes(), &mut out).map(|()| out)
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
                for length in [0, 1, 2, 3, 50, 51, 52, 102, 1000] {
                    let (bytes, text) = wrapped(length, width, line_break);
                    assert_eq!(decode(&format!(" \n{text}\n  ")), Ok(bytes), "{length} bytes in lines of {width}");
                }
            }
        }
    }

    #[test]
    fn padding_may_be_missing() {
        assert_eq!(decode("AQI"), Ok(vec![1, 2]));
        assert_eq!(decode("AQ"), Ok(vec![1]));
        assert_eq!(decode("AQ=="), Ok(vec![1]));
    }

    #[test]
    fn foreign_characters_and_misplaced_padding_are_refused() {
        for text in ["AQ=I", "A", "=", "====", "AQI_", "AQIDA", "AQID=", "AQ==AQID", "AQIDé"] {
            assert_eq!(decode(text), Err(NotBase64), "{text}");
        }
    }
}

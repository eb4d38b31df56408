//! How the bytes spell their text, seen from the bytes: the declaration is often wrong and never asked.

use encoding_rs::{EUC_KR, UTF_16BE, UTF_16LE};

/// The encodings that matter for finding tags; every other one in use is a superset of ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// ASCII, UTF-8, ISO-8859-1, cp949: tags are ASCII, text is decoded field by field. Holds the length of a byte-order mark.
    AsciiSuperset { mark: usize },
    /// UTF-16, little-endian.
    Utf16Le { mark: usize },
    /// UTF-16, big-endian.
    Utf16Be { mark: usize },
}

impl Encoding {
    /// Tell by the byte-order mark, else by where the NULs of the first character are.
    pub(crate) fn sniff(bytes: &[u8]) -> Self {
        match bytes {
            [0xEF, 0xBB, 0xBF, ..] => Self::AsciiSuperset { mark: 3 },
            [0xFF, 0xFE, ..] => Self::Utf16Le { mark: 2 },
            [0xFE, 0xFF, ..] => Self::Utf16Be { mark: 2 },
            [first, 0, ..] if *first != 0 => Self::Utf16Le { mark: 0 },
            [0, second, ..] if *second != 0 => Self::Utf16Be { mark: 0 },
            _ => Self::AsciiSuperset { mark: 0 },
        }
    }
}

/// Transcode UTF-16 to UTF-8 into a reused buffer; a broken unit becomes U+FFFD.
pub(crate) fn transcode(bytes: &[u8], little_endian: bool, out: &mut Vec<u8>) {
    let encoding = if little_endian { UTF_16LE } else { UTF_16BE };
    let mut decoder = encoding.new_decoder_without_bom_handling();
    // Three bytes a unit is the worst case and more than ASCII needs; a short buffer that grows keeps the memory near the file's size.
    out.clear();
    out.resize(bytes.len() / 2 + bytes.len() / 8 + 64, 0);
    let (mut read, mut written) = (0, 0);
    loop {
        let (result, consumed, produced, _) = decoder.decode_to_utf8(&bytes[read..], &mut out[written..], true);
        read += consumed;
        written += produced;
        match result {
            encoding_rs::CoderResult::InputEmpty => break,
            encoding_rs::CoderResult::OutputFull => out.resize(written + (bytes.len() - read) * 3 / 2 + 64, 0),
        }
    }
    out.truncate(written);
}

/// Where byte `offset` of a transcoded text stood in the UTF-16 file.
pub(crate) fn utf16_offset(text: &[u8], mark: usize, offset: u64) -> u64 {
    let prefix = &text[..usize::try_from(offset).map_or(text.len(), |offset| offset.min(text.len()))];
    let units = prefix.iter().map(|&byte| u64::from(byte & 0xC0 != 0x80) + u64::from(byte >= 0xF0)).sum::<u64>();
    mark as u64 + 2 * units
}

/// Append a text field: UTF-8 if it is, else cp949 if it is, else ISO-8859-1. Control characters become spaces, the five predefined and
/// numeric character references are resolved, any other is left as it stands.
pub(crate) fn push_text(raw: &[u8], out: &mut String) {
    let decoded = match std::str::from_utf8(raw) {
        // Nearly every text there is, at a copy's price.
        Ok(text) if raw.iter().all(|&byte| matches!(byte, b' '..=b'~') && byte != b'&') => return out.push_str(text),
        Ok(text) => text.into(),
        Err(_) => EUC_KR
            .decode_without_bom_handling_and_without_replacement(raw)
            .unwrap_or_else(|| encoding_rs::mem::decode_latin1(raw)),
    };
    let mut rest = decoded.as_ref();
    while let Some(character) = rest.chars().next() {
        let (character, length) =
            if character == '&' { reference(rest).unwrap_or(('&', 1)) } else { (character, character.len_utf8()) };
        out.push(if character.is_control() { ' ' } else { character });
        rest = &rest[length..];
    }
}

/// The character that a reference at the start of `text` stands for, and the reference's length.
fn reference(text: &str) -> Option<(char, usize)> {
    // The longest is `&#x10FFFF;`.
    let end = text.bytes().take(10).position(|byte| byte == b';')?;
    let name = text.get(1..end)?;
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((character, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &[u8]) -> String {
        let mut out = String::new();
        push_text(raw, &mut out);
        out
    }

    #[test]
    fn korean_is_read_in_utf8_and_in_cp949_and_french_in_latin1() {
        assert_eq!(text("동리듬".as_bytes()), "동리듬");
        assert_eq!(text(b"\xB5\xBF\xB8\xAE\xB5\xEB"), "동리듬");
        assert_eq!(text(b"rythme \xE9lev\xE9"), "rythme élevé");
    }

    #[test]
    fn references_are_resolved_and_raw_ampersands_kept() {
        assert_eq!(text(b"A&amp;B & C &#65;&#x42; &unknown; &#x0;|"), "A&B & C AB &unknown;  |");
    }

    #[test]
    fn an_offset_in_transcoded_text_leads_back_to_the_file() {
        let source: Vec<u8> = "a\u{e9}\u{c7a5}\u{1f600}<".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let mut out = Vec::new();
        transcode(&source, false, &mut out);
        assert_eq!(std::str::from_utf8(&out), Ok("a\u{e9}\u{c7a5}\u{1f600}<"));
        assert_eq!(utf16_offset(&out, 2, out.len() as u64 - 1), 2 + source.len() as u64 - 2);
    }
}

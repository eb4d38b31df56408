//! What is no tag: comments, CDATA sections, processing instructions, the DOCTYPE.

use memchr::{memchr, memmem};

/// The end of the comment, CDATA section, DOCTYPE or processing instruction that begins at `start`; the byte after `<` when it is none of
/// them, `None` when it does not end.
pub(super) fn markup_end(bytes: &[u8], start: usize) -> Option<usize> {
    let tail = &bytes[start..];
    let after = |from: usize, end: &[u8]| memmem::find(&tail[from..], end).map(|at| start + from + at + end.len());
    if tail.starts_with(b"<!--") {
        after(4, b"-->")
    } else if tail.starts_with(b"<![CDATA[") {
        after(9, b"]]>")
    } else if tail.starts_with(b"<?") {
        after(2, b"?>")
    } else if tail.starts_with(b"<!DOCTYPE") {
        doctype_end(bytes, start + 9)
    } else {
        Some(start + 1)
    }
}

/// The end of a DOCTYPE, internal subset included: quoted strings, comments and instructions may hold any bracket.
fn doctype_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut in_subset = false;
    loop {
        match *bytes.get(at)? {
            quote @ (b'"' | b'\'') => at += 1 + memchr(quote, &bytes[at + 1..])?,
            b'[' => in_subset = true,
            b']' => in_subset = false,
            b'>' if !in_subset => return Some(at + 1),
            b'<' if bytes[at..].starts_with(b"<!--") || bytes[at..].starts_with(b"<?") => at = markup_end(bytes, at)? - 1,
            _ => {}
        }
        at += 1;
    }
}

/// A field's content without comments and instructions, CDATA unwrapped; a raw `<` stays.
pub(crate) fn without_markup(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(found) = memchr(b'<', &raw[at..]) {
        text.extend_from_slice(&raw[at..at + found]);
        at += found;
        let end = match raw.get(at + 1) {
            Some(b'!' | b'?') => markup_end(raw, at).unwrap_or(raw.len()),
            _ => at + 1,
        };
        if end == at + 1 {
            text.push(b'<');
        } else if raw[at..].starts_with(b"<![CDATA[") {
            text.extend_from_slice(raw[at + 9..end].strip_suffix(b"]]>").unwrap_or_default());
        }
        at = end;
    }
    text.extend_from_slice(&raw[at..]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cdata_is_unwrapped() {
        assert_eq!(without_markup(b" <![CDATA[a<b]]> <!-- x -->c "), b" a<b c ");
    }
}

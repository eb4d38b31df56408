//! A lenient scanner over XML bytes: tags, leaf fields and blocks, without a tree and without allocation.
//!
//! Hospital files break the rules of XML in their text (raw `&` and `<`, control characters, foreign encodings), hardly ever in their
//! structure. So a `<` opens markup only where a tag, comment, CDATA section or processing instruction can stand; anything else is text.
//! Nothing is ever resolved: a DOCTYPE is stepped over, entity declarations included. Every function moves forward only, so the time is
//! linear in the file's size whatever stands in it.

mod element;
mod layout;
mod markup;
mod words;

use crate::block_end::block_end;
use crate::error::ParseError;
use crate::xml::field::Field;
pub(crate) use element::Element;
pub(crate) use layout::Layout;
use markup::markup_end;
pub(crate) use markup::without_markup;
use words::{angle_bracket, num_letters};

/// One tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag<'a> {
    /// `<name ...>`; a self-closing one says so with `empty`.
    Open { name: &'a [u8], start: usize, empty: bool },
    /// `</name>`.
    Close { name: &'a [u8], start: usize },
}

/// A position in the bytes of one document.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    position: usize,
}

const fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

const fn is_name(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b':')
}

/// `IS_NAME[byte]`: a table is faster than five comparisons in the one loop that runs over every tag.
static IS_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_name(byte as u8);
        byte += 1;
    }
    table
};

impl<'a> Scanner<'a> {
    /// Start at `position`.
    pub(crate) const fn new(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position }
    }

    /// Where the scanner stands.
    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    /// Step over white space.
    pub(crate) fn skip_white_space(&mut self) {
        self.position = self.bytes.len() - self.rest().trim_ascii_start().len();
    }

    /// The next tag, with text, comments, CDATA, processing instructions and the DOCTYPE stepped over; `None` at the end of the bytes.
    pub(crate) fn next_tag(&mut self) -> Option<Tag<'a>> {
        loop {
            let start = self.position + angle_bracket(self.rest())?;
            let tag = match self.bytes.get(start + 1) {
                Some(b'/') => self.close_tag(start),
                Some(b'!' | b'?') => {
                    self.position = markup_end(self.bytes, start).unwrap_or(self.bytes.len());
                    None
                }
                Some(&byte) if is_name_start(byte) => self.open_tag(start),
                _ => {
                    self.position = start + 1;
                    None
                }
            };
            if tag.is_some() {
                return tag;
            }
        }
    }

    fn name_at(&self, begin: usize) -> (&'a [u8], usize) {
        let tail = &self.bytes[begin..];
        let letters = num_letters(tail);
        let more = tail[letters..].iter().position(|&byte| !IS_NAME[byte as usize]);
        let length = more.map_or(tail.len(), |more| letters + more);
        (&tail[..length], begin + length)
    }

    fn close_tag(&mut self, start: usize) -> Option<Tag<'a>> {
        let (name, end) = self.name_at(start + 2);
        let end = end + (self.bytes[end..].len() - self.bytes[end..].trim_ascii_start().len());
        if name.is_empty() || self.bytes.get(end) != Some(&b'>') {
            self.position = start + 2;
            return None;
        }
        self.position = end + 1;
        Some(Tag::Close { name, start })
    }

    fn open_tag(&mut self, start: usize) -> Option<Tag<'a>> {
        let (name, end) = self.name_at(start + 1);
        if self.bytes.get(end) == Some(&b'>') {
            self.position = end + 1;
            return Some(Tag::Open { name, start, empty: false });
        }
        // Attributes: `>` may stand inside quotes, `<` may not stand anywhere, so that a raw `<` in a text swallows no tag.
        let mut quote = None;
        for (offset, &byte) in self.bytes[end..].iter().enumerate() {
            match (byte, quote) {
                (b'<', _) => {
                    self.position = end + offset;
                    return None;
                }
                (b'>', None) => {
                    self.position = end + offset + 1;
                    let empty = self.bytes[end + offset - 1] == b'/';
                    return Some(Tag::Open { name, start, empty });
                }
                (b'"' | b'\'', None) => quote = Some(byte),
                (_, Some(open)) if byte == open => quote = None,
                _ => {}
            }
        }
        self.position = self.bytes.len();
        None
    }

    /// The content of a leaf `element` whose opening tag (at `start`) was just read, up to and over its closing tag.
    ///
    /// A closing tag of another name ends the field too, without being consumed.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] when the bytes end first.
    pub(crate) fn leaf(&mut self, element: &'static str, start: usize) -> Result<Field<'a>, ParseError> {
        let begin = self.position;
        let mut at = begin;
        let mut has_markup = false;
        let field = |end: usize, has_markup: bool| Field::new(&self.bytes[begin..end], start, has_markup);
        loop {
            let truncated = ParseError::Truncated { element, offset: start as u64 };
            let Some(found) = angle_bracket(&self.bytes[at..]) else { return Err(truncated) };
            at += found;
            let tail = &self.bytes[at..];
            match tail.get(1) {
                Some(b'/') => {
                    let closes = tail[2..].strip_prefix(element.as_bytes());
                    if closes.is_some_and(|rest| rest.first() == Some(&b'>')) {
                        self.position = at + element.len() + 3;
                        return Ok(field(at, has_markup));
                    }
                    self.position = at;
                    match self.close_tag(at) {
                        Some(Tag::Close { name, .. }) if name == element.as_bytes() => return Ok(field(at, has_markup)),
                        Some(_) => {
                            self.position = at;
                            return Ok(field(at, has_markup));
                        }
                        None => at = self.position,
                    }
                }
                Some(b'!' | b'?') => at = markup_end(self.bytes, at).ok_or(truncated)?,
                _ => at += 1,
            }
            has_markup = true;
        }
    }

    /// Step over the whole of `element`, whose opening tag (at `start`) was just read, without looking at its inside.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] when it is not closed.
    pub(crate) fn skip_block(&mut self, element: &'static str, start: usize) -> Result<(), ParseError> {
        let truncated = || ParseError::Truncated { element, offset: start as u64 };
        let mut ahead = self.position;
        // A comment or CDATA section may hold what looks like a closing tag: from the beginning, tag by tag.
        while let Some(at) = block_end(&self.bytes[ahead..], element)
            && let Some(b'/') = self.bytes.get(ahead + at + 1)
        {
            ahead += at;
            // Not the closing tag of an element whose name only begins so.
            if self.bytes.get(ahead + 2 + element.len()).is_some_and(|&byte| !IS_NAME[byte as usize]) {
                self.position = ahead;
                break;
            }
            ahead += 2;
        }
        while let Some(tag) = self.next_tag() {
            if matches!(tag, Tag::Close { name, .. } if name == element.as_bytes()) {
                return Ok(());
            }
        }
        Err(truncated())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(xml: &str) -> Vec<String> {
        let mut scanner = Scanner::new(xml.as_bytes(), 0);
        std::iter::from_fn(|| scanner.next_tag())
            .map(|tag| match tag {
                Tag::Open { name, empty, .. } => format!("{}{}", String::from_utf8_lossy(name), if empty { "/" } else { "" }),
                Tag::Close { name, .. } => format!("/{}", String::from_utf8_lossy(name)),
            })
            .collect()
    }

    #[test]
    fn tags_are_found_between_everything_that_is_no_tag() {
        let xml = "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e \"]>\"> <!-- ]> ' --> ]><a><!-- <b> --><![CDATA[<c>]]> 3 < 4 <d e='>'/></a >";
        assert_eq!(names(xml), ["a", "d/", "/a"]);
    }

    #[test]
    fn a_raw_angle_bracket_before_a_tag_swallows_nothing() {
        assert_eq!(names("<a>Smith<Jones</a><b/>"), ["a", "/a", "b/"]);
    }

    #[test]
    fn a_field_holds_raw_brackets_and_ends_at_its_own_closing_tag() {
        let xml = b"<t>1 < 2 </ 3 <!-- </t> --> & more</t ><u>";
        let mut scanner = Scanner::new(xml, 0);
        assert!(scanner.next_tag().is_some());
        let field = scanner.leaf("t", 0).unwrap_or_default();
        assert_eq!(field.text().as_ref(), b"1 < 2 </ 3  & more");
        assert_eq!(scanner.next_tag(), Some(Tag::Open { name: b"u", start: xml.len() - 3, empty: false }));
    }

    #[test]
    fn a_field_that_never_ends_names_itself_and_its_place() {
        let mut scanner = Scanner::new(b"  <t>12", 0);
        assert!(scanner.next_tag().is_some());
        assert_eq!(scanner.leaf("t", 2), Err(ParseError::Truncated { element: "t", offset: 2 }));
    }

    #[test]
    fn a_block_is_skipped_to_its_real_end() {
        let mut scanner = Scanner::new(b"<m>AAAA<!-- </m> -->BBB</m><n/>", 0);
        assert!(scanner.next_tag().is_some());
        assert_eq!(scanner.skip_block("m", 0), Ok(()));
        assert_eq!(scanner.rest(), b"<n/>");
    }

    #[test]
    fn a_block_of_many_tags_is_skipped_to_its_real_end() {
        for num_tags in [0, 1, 100] {
            let xml = format!("<m>{}<!-- </m> --><o/></m><n/>", "<o> </o>".repeat(num_tags));
            let mut scanner = Scanner::new(xml.as_bytes(), 0);
            assert!(scanner.next_tag().is_some());
            assert_eq!(scanner.skip_block("m", 0), Ok(()));
            assert_eq!(scanner.rest(), b"<n/>");
        }
    }
}

//! Elements with their attributes, whatever prefix their namespace has, for dialects that nest and say things in attributes.

use memchr::{memchr, memmem};

use super::{Scanner, Tag, markup_end};
use crate::error::ParseError;
use crate::xml::field::Field;

/// An opening tag, attributes included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    /// With its prefix, as in the file.
    name: &'a [u8],
    /// What follows the name, up to and over `>`.
    attributes: &'a [u8],
    /// Offset of the `<`.
    start: usize,
    empty: bool,
}

impl<'a> Element<'a> {
    /// The name without its prefix.
    pub(crate) fn local_name(&self) -> &'a [u8] {
        self.name.rsplit(|&byte| byte == b':').next().unwrap_or(self.name)
    }

    /// An attribute's value; blank where there is none.
    pub(crate) fn attribute(&self, name: &str) -> Field<'a> {
        let mut rest = self.attributes;
        while let Some((key, value, after)) = next_attribute(rest) {
            if key == name.as_bytes() {
                return Field::new(value, self.start, false);
            }
            rest = after;
        }
        Field::new(&[], self.start, false)
    }
}

/// The name and the value of the attribute that comes first in `text`, and what follows it.
fn next_attribute(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let equals = memchr(b'=', text)?;
    let key = text[..equals].trim_ascii();
    let quoted = text[equals + 1..].trim_ascii_start();
    let (&quote, value) = quoted.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
    let end = memchr(quote, value)?;
    Some((key, &value[..end], &value[end + 1..]))
}

impl<'a> Scanner<'a> {
    /// The element whose opening tag begins at `start` and was just read.
    pub(crate) fn opened(&self, start: usize) -> Element<'a> {
        let (name, end) = self.name_at(start + 1);
        let attributes = &self.bytes[end..self.position];
        Element { name, attributes, start, empty: attributes.ends_with(b"/>") }
    }

    /// The next child of `parent`, all of whose earlier children have been read or skipped; `None` when it closes.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] names `label`, the parent's name; [`ParseError::Malformed`] when something closes that is not open.
    pub(crate) fn child(&mut self, parent: &Element<'a>, label: &'static str) -> Result<Option<Element<'a>>, ParseError> {
        if parent.empty {
            return Ok(None);
        }
        match self.next_tag() {
            Some(Tag::Open { start, .. }) => Ok(Some(self.opened(start))),
            Some(Tag::Close { name, .. }) if name == parent.name => Ok(None),
            Some(Tag::Close { start, .. }) => {
                Err(ParseError::Malformed { what: "this tag closes nothing that is open", offset: start as u64 })
            }
            None => Err(ParseError::Truncated { element: label, offset: parent.start as u64 }),
        }
    }

    /// Show every element inside `ancestor` to `visit`, which may read what it likes of it, and step over the closing tag.
    ///
    /// # Errors
    /// What `visit` says, and [`ParseError::Truncated`] with `label`, the ancestor's name.
    pub(crate) fn descendants(
        &mut self,
        ancestor: &Element<'a>,
        label: &'static str,
        mut visit: impl FnMut(&Element<'a>, &mut Self) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        let mut depth = usize::from(!ancestor.empty);
        while depth > 0 {
            match self.next_tag() {
                Some(Tag::Open { name, start, empty }) => {
                    depth += usize::from(name == ancestor.name && !empty);
                    visit(&self.opened(start), self)?;
                }
                Some(Tag::Close { name, .. }) => depth -= usize::from(name == ancestor.name),
                None => return Err(ParseError::Truncated { element: label, offset: ancestor.start as u64 }),
            }
        }
        Ok(())
    }

    /// Step over `element`, whatever it holds.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] with `label` when it is not closed.
    pub(crate) fn skip(&mut self, element: &Element<'a>, label: &'static str) -> Result<(), ParseError> {
        if !element.empty {
            self.jump_to_close(element);
        }
        self.descendants(element, label, |_, _| Ok(()))
    }

    /// Jump to right before the closing tag of `element` where a plain search is sure to find it: nothing of the same name begins inside,
    /// and there is no comment, CDATA section or instruction that could hold what looks like a tag.
    fn jump_to_close(&mut self, element: &Element<'_>) {
        let mut needle = [0_u8; 64];
        let length = element.name.len() + 2;
        let Some(close) = needle.get_mut(..length) else { return };
        close[..2].copy_from_slice(b"</");
        close[2..].copy_from_slice(element.name);
        let Some(end) = memmem::find(self.rest(), close) else { return };
        let inside = &self.rest()[..end];
        close[1] = b'<';
        if [&close[1..], b"<!", b"<?"].into_iter().all(|other| memmem::find(inside, other).is_none()) {
            self.position += end;
        }
    }

    /// The content of `element`, up to and over its closing tag.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] with `label` when it is not closed.
    pub(crate) fn content(&mut self, element: &Element<'a>, label: &'static str) -> Result<Field<'a>, ParseError> {
        if element.empty {
            return Ok(Field::new(&[], element.start, false));
        }
        let begin = self.position;
        let mut at = begin;
        let mut has_markup = false;
        loop {
            let truncated = ParseError::Truncated { element: label, offset: element.start as u64 };
            let Some(found) = memchr(b'<', &self.bytes[at..]) else { return Err(truncated) };
            at += found;
            match self.bytes.get(at + 1) {
                Some(b'/') if matches!(self.close_tag(at), Some(Tag::Close { name, .. }) if name == element.name) => {
                    return Ok(Field::new(&self.bytes[begin..at], element.start, has_markup));
                }
                Some(b'!' | b'?') => at = markup_end(self.bytes, at).ok_or(truncated)?,
                _ => at += 1,
            }
            has_markup = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(xml: &str) -> (Scanner<'_>, Element<'_>) {
        let mut scanner = Scanner::new(xml.as_bytes(), 0);
        assert!(scanner.next_tag().is_some());
        let element = scanner.opened(0);
        (scanner, element)
    }

    #[test]
    fn attributes_are_found_in_any_order_with_either_quote_and_spaces() {
        let (_, element) = open("<h:a b = \"1 > 0\"\n c='x=\"y' d:e=\"2\" f=\"\"/>");
        let text = |name| String::from_utf8_lossy(&element.attribute(name).text()).into_owned();
        assert_eq!(["b", "c", "d:e", "e", "f", "g"].map(text), ["1 > 0", "x=\"y", "2", "", "", ""]);
        assert_eq!((element.local_name(), element.empty), (&b"a"[..], true));
    }

    #[test]
    fn broken_attributes_are_absent() {
        for xml in ["<a b>", "<a b=>", "<a b=1>", "<a =\"1\">", "<a b=\"1>\n"] {
            let mut scanner = Scanner::new(xml.as_bytes(), 0);
            if scanner.next_tag().is_some() {
                assert!(scanner.opened(0).attribute("b").is_blank(), "{xml}");
            }
        }
    }

    #[test]
    fn an_element_is_skipped_with_those_of_its_name_inside() {
        for inside in ["", "text </ab>", "<a></a>", "<a/><p:a>", "<!-- </a> -->", "<?x </a>?>", "<a><a></a></a>"] {
            let xml = format!("<a>{inside}</a ><b/>");
            let (mut scanner, element) = open(&xml);
            assert_eq!(scanner.skip(&element, "a"), Ok(()), "{xml}");
            assert_eq!(scanner.rest(), b"<b/>", "{xml}");
        }
    }

    #[test]
    fn content_keeps_its_own_closing_tag_apart_from_others() {
        let (mut scanner, element) = open("<v:d>1 <!-- </v:d> --> 2</d></v:d>|");
        let content = scanner.content(&element, "d").unwrap_or_default();
        assert_eq!(content.text().as_ref(), b"1  2</d>");
        assert_eq!(scanner.rest(), b"|");
    }

    #[test]
    fn what_is_not_closed_names_its_place() {
        let truncated = Err(ParseError::Truncated { element: "a", offset: 0 });
        let (mut scanner, element) = open("<a><a></a>");
        assert_eq!(scanner.skip(&element, "a"), truncated);
        let (mut scanner, element) = open("<a>1</b>");
        assert_eq!(scanner.content(&element, "a").map(|_| ()), truncated);
        let (mut scanner, element) = open("<a></b></a>");
        assert!(matches!(scanner.child(&element, "a"), Err(ParseError::Malformed { offset: 3, .. })));
    }
}

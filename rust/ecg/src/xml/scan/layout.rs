//! Elements that come again with the same children: the first is read tag by tag, the others by comparing them with it.
//!
//! What stands between two values is the same, byte for byte, in every lead that one program wrote. Comparing it costs a fraction of
//! finding the tags anew; where it differs, the scanner stands where the difference begins and reads on tag by tag.

use super::{Scanner, angle_bracket};
use crate::xml::field::Field;

/// Children that are remembered; further ones are read tag by tag.
const MOST_STEPS: usize = 24;

/// The text around one child.
#[derive(Clone, Copy, Debug)]
struct Step<'a, S> {
    /// From the end of the tag before it to the end of its opening tag.
    before: &'a [u8],
    /// Length of the opening tag.
    tag_length: usize,
    /// Its closing tag.
    close: &'a [u8],
    /// Where the value belongs, if it is of use.
    slot: Option<S>,
}

/// The text around the children of an element, as it stood in the first of its kind.
#[derive(Clone, Debug)]
pub(crate) struct Layout<'a, S> {
    steps: [Option<Step<'a, S>>; MOST_STEPS],
    num_steps: usize,
    /// From the end of the last child to the end of the closing tag, and the name in it.
    end: &'a [u8],
    element: &'static str,
    /// The first element has been read, or has shown what cannot be remembered.
    is_final: bool,
}

impl<S: Copy> Default for Layout<'_, S> {
    fn default() -> Self {
        Self { steps: [None; MOST_STEPS], num_steps: 0, end: &[], element: "", is_final: false }
    }
}

impl<'a, S: Copy> Layout<'a, S> {
    /// Read the children of `element` by comparison while they are as in the first one, and hand each value that is of use to `set`.
    /// Whether the element was read to its end; where not, the scanner stands before the first tag that has not been read.
    pub(crate) fn follow(&self, element: &str, scanner: &mut Scanner<'a>, mut set: impl FnMut(S, Field<'a>)) -> bool {
        for step in self.steps.iter().take(self.num_steps).flatten() {
            let Some(field) = scanner.leaf_like(step.before, step.tag_length, step.close) else { return false };
            if let Some(slot) = step.slot {
                set(slot, field);
            }
        }
        let closes = self.element == element && scanner.rest().starts_with(self.end);
        scanner.position += if closes { self.end.len() } else { 0 };
        closes
    }

    /// Remember a child: it was read from `begin`, where the tag before it ended, its tag begins at `start`, and the scanner stands after
    /// it. A child whose value has markup in it, or whose closing tag is not written as usual, ends the remembering.
    pub(crate) fn remember(&mut self, scanner: &Scanner<'a>, begin: usize, start: usize, name: &[u8], slot: Option<S>) {
        if self.is_final {
            return;
        }
        let open_end = start + name.len() + 2;
        let text = &scanner.bytes[..scanner.position];
        let close = &text[text.len().saturating_sub(name.len() + 3)..];
        let is_usual = text.get(open_end - 1) == Some(&b'>')
            && close.strip_prefix(b"</").and_then(|close| close.strip_prefix(name)) == Some(b">")
            && text.len() - close.len() >= open_end
            && angle_bracket(&text[open_end..]) == Some(text.len() - close.len() - open_end);
        match self.steps.get_mut(self.num_steps) {
            Some(step) if is_usual => {
                *step = Some(Step { before: &text[begin..open_end], tag_length: open_end - start, close, slot });
                self.num_steps += 1;
            }
            _ => self.is_final = true,
        }
    }

    /// Remember how `element` closed: the scanner stands after its closing tag, and the tag before that ended at `begin`.
    pub(crate) fn remember_end(&mut self, element: &'static str, scanner: &Scanner<'a>, begin: usize) {
        if !self.is_final {
            self.element = element;
            self.end = &scanner.bytes[begin..scanner.position];
            self.is_final = true;
        }
    }
}

impl<'a> Scanner<'a> {
    /// A leaf that is written just so, or `None` without having moved. The opening tag is the last `tag_length` bytes of `before`.
    fn leaf_like(&mut self, before: &[u8], tag_length: usize, close: &[u8]) -> Option<Field<'a>> {
        if !self.rest().starts_with(before) {
            return None;
        }
        let begin = self.position + before.len();
        let end = begin + angle_bracket(&self.bytes[begin..])?;
        if !self.bytes[end..].starts_with(close) {
            return None;
        }
        self.position = end + close.len();
        Some(Field::new(&self.bytes[begin..end], begin - tag_length, false))
    }

    /// Step over the rest of a leaf whose opening tag was just read, when there is nothing but text up to its closing tag; else stay.
    pub(crate) fn skip_plain_leaf(&mut self, name: &[u8]) {
        let Some(end) = angle_bracket(self.rest()) else { return };
        let close = self.rest()[end..].strip_prefix(b"</").and_then(|rest| rest.strip_prefix(name));
        if close.is_some_and(|rest| rest.first() == Some(&b'>')) {
            self.position += end + name.len() + 3;
        }
    }
}

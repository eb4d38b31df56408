//! Elements that come again with the same children, in one file or in the next: read by comparing them with the last of their kind.
//!
//! What stands between two values is the same, byte for byte, in every lead and every file that one program wrote. Comparing it costs a
//! fraction of finding the tags anew; where it differs, the scanner stands where the difference begins and reads on tag by tag. Equal bytes
//! after equal beginnings are equal tags, so what came before never changes what is read, only how fast.

use super::words::begins_with;
use super::{Scanner, angle_bracket};
use crate::xml::field::Field;

/// Children that are remembered; further ones are read tag by tag.
const MOST_STEPS: usize = 32;
/// The longest text around a child that is remembered.
const MOST_BYTES: usize = 512;

/// One child.
#[derive(Clone, Copy, Debug)]
struct Step<S> {
    /// Length of its opening tag.
    tag: usize,
    /// Length of its closing tag.
    close: usize,
    /// Length of all that follows its value: its closing tag, and what stands before the next value or the end of the parent.
    after: usize,
    /// Where the value belongs, if it is of use.
    slot: Option<S>,
}

/// The text around the children of one kind of element, as it stood in the last of them.
#[derive(Clone, Debug)]
pub(crate) struct Layout<S> {
    /// All text but the values, from the end of the parent's opening tag on.
    text: Vec<u8>,
    /// Length of what stands before the first value.
    before: usize,
    steps: Vec<Step<S>>,
    /// Whether `text` goes on to the end of the parent's closing tag.
    has_end: bool,
    /// Where in the file the remembered text ends, while more can be remembered.
    remembered_to: Option<usize>,
}

impl<S> Default for Layout<S> {
    fn default() -> Self {
        Self { text: Vec::new(), before: 0, steps: Vec::new(), has_end: false, remembered_to: None }
    }
}

impl<S: Copy> Layout<S> {
    /// Read the children of the element whose opening tag was just read, by comparison while they are as in the last one, and hand each
    /// value that is of use to `set`. Whether the element was read to its end; where not, the scanner stands before the first tag that has
    /// not been read, and what is read from there on can be remembered.
    pub(crate) fn follow<'a>(&mut self, scanner: &mut Scanner<'a>, mut set: impl FnMut(S, Field<'a>)) -> bool {
        let (opening, mut text) = self.text.split_at(self.before);
        let mut num_read = 0;
        if scanner.rest().starts_with(opening) {
            let mut before = opening.len();
            scanner.position += before;
            for step in &self.steps {
                let (after, rest) = text.split_at(step.after);
                let (value, end) = scanner.to_bracket();
                let goes_on = begins_with(&scanner.bytes[end..], after);
                if !goes_on && !scanner.bytes[end..].starts_with(&after[..step.close]) {
                    scanner.position -= before;
                    break;
                }
                if let Some(slot) = step.slot {
                    set(slot, Field::new(value, scanner.position - step.tag, false));
                }
                num_read += 1;
                if !goes_on {
                    scanner.position = end + step.close;
                    break;
                }
                scanner.position = end + step.after;
                (before, text) = (step.after - step.close, rest);
            }
            // A child that is followed by something else has left its text standing.
            if num_read == self.steps.len() && self.has_end && text.is_empty() {
                return true;
            }
        }
        self.forget_from(num_read);
        self.remembered_to = Some(scanner.position);
        false
    }

    /// Keep only so many of the children.
    fn forget_from(&mut self, num_kept: usize) {
        self.steps.truncate(num_kept);
        self.has_end = false;
        if let Some(last) = self.steps.last_mut() {
            last.after = last.close;
        } else {
            self.before = 0;
        }
        let num_bytes = self.before + self.steps.iter().map(|step| step.after).sum::<usize>();
        self.text.truncate(num_bytes);
    }

    /// Remember a child: its tag begins at `start`, and the scanner stands after it. A child whose value has markup in it, or whose closing
    /// tag is not written as usual, ends the remembering.
    pub(crate) fn remember(&mut self, scanner: &Scanner<'_>, start: usize, name: &[u8], slot: Option<S>) {
        let Some(begin) = self.remembered_to.take() else { return };
        let open_end = start + name.len() + 2;
        let text = &scanner.bytes[..scanner.position];
        let close = &text[text.len().saturating_sub(name.len() + 3)..];
        let is_usual = text.get(open_end - 1) == Some(&b'>')
            && close.strip_prefix(b"</").and_then(|close| close.strip_prefix(name)) == Some(b">")
            && text.len() - close.len() >= open_end
            && angle_bracket(&text[open_end..]) == Some(text.len() - close.len() - open_end);
        if is_usual && self.steps.len() < MOST_STEPS && self.extend(&text[begin..open_end]) {
            self.text.extend_from_slice(close);
            self.steps.push(Step { tag: open_end - start, close: close.len(), after: close.len(), slot });
            self.remembered_to = Some(text.len());
        }
    }

    /// Remember how the element closed: the scanner stands after its closing tag.
    pub(crate) fn remember_end(&mut self, scanner: &Scanner<'_>) {
        if let Some(begin) = self.remembered_to.take() {
            self.has_end = self.extend(&scanner.bytes[begin..scanner.position]);
        }
    }

    /// Remember nothing of what has been read since the last child, nor what follows.
    pub(crate) fn remember_no_more(&mut self) {
        self.remembered_to = None;
    }

    /// Add what follows the last child, if it is not too long.
    fn extend(&mut self, text: &[u8]) -> bool {
        let fits = text.len() <= MOST_BYTES;
        if fits {
            *self.steps.last_mut().map_or(&mut self.before, |last| &mut last.after) += text.len();
            self.text.extend_from_slice(text);
        }
        fits
    }
}

impl<'a> Scanner<'a> {
    /// What stands before the next `<`, and where that is; what is left, where there is none.
    #[inline]
    fn to_bracket(&self) -> (&'a [u8], usize) {
        let rest = self.rest();
        let length = angle_bracket(rest).unwrap_or(rest.len());
        (&rest[..length], self.position + length)
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

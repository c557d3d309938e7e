//! Where is looked: the beginning and the end of what is said, and never more, however long it is.

use crate::chat::{Content, Part};
use crate::json::{Piece, Text, pieces};

/// So many bytes, as they stand in the request, are looked at: an instruction stands before or after what it is about.
pub(super) const HEAD: usize = 512;
pub(super) const TAIL: usize = 128;
/// The end of a text that is not short is read by itself: what stands there weighs as much as what stands in the front.
pub(super) const END: usize = 128;
/// So many parts of a message at either end.
const PARTS: usize = 16;

/// Parts of a text that are looked at, still escaped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window<'r> {
    /// From the beginning; all of a text that is not long.
    pub(super) head: &'r [u8],
    /// From further back, where that is not part of the head.
    pub(super) tail: &'r [u8],
    /// Up to the end.
    pub(super) end: &'r [u8],
    /// How long the text is of which these are parts, in bytes; with one between two texts.
    pub(super) bytes: usize,
}

impl<'r> Window<'r> {
    /// The window on one text.
    pub(super) fn of(text: &'r [u8]) -> Self {
        Self::between(text, text, true)
    }

    /// The window on what a message says in words.
    pub(super) fn of_content(content: &'r Content<'_>) -> Self {
        match content {
            Content::None => Self::default(),
            Content::Text(text) => Self::of(text.as_bytes()),
            Content::Parts(parts) => {
                let text = |(at, (part, _)): (usize, &'r (Part<'_>, _))| match part {
                    Part::Text(text) => Some((at, Text::as_bytes(text))),
                    _ => None,
                };
                let parts = || parts.iter().enumerate();
                let first = parts().take(PARTS).find_map(text);
                let last = parts().rev().take(PARTS).find_map(text);
                match (first.or(last), last.or(first)) {
                    (Some((at, first)), Some((end, last))) => Self::between(first, last, at == end),
                    _ => Self::default(),
                }
            }
        }
    }

    /// Only its beginning, of at most so many bytes.
    pub(super) fn cut(self, bytes: usize) -> Self {
        let head = self.head.get(..bytes).unwrap_or(self.head);
        Self { head, bytes: head.len(), ..Self::default() }
    }

    fn between(first: &'r [u8], last: &'r [u8], is_one: bool) -> Self {
        if is_one && first.len() <= 2 * END {
            return Self { head: first, bytes: first.len(), ..Self::default() };
        }
        let (before, end) = last.split_at_checked(last.len().saturating_sub(END)).unwrap_or((last, &[]));
        if is_one && before.len() <= HEAD.saturating_add(TAIL) {
            return Self { head: before, tail: &[], end, bytes: first.len() };
        }
        let head = first.get(..HEAD).unwrap_or(first);
        let tail = before.len().checked_sub(TAIL).and_then(|at| before.get(at..)).unwrap_or(before);
        let both = first.len().saturating_add(last.len()).saturating_add(1);
        let bytes = if is_one { first.len() } else { both };
        Self { head, tail, end, bytes }
    }

    /// Whether its parts are all of the text.
    pub(super) fn is_whole(self) -> bool {
        self.parts().iter().map(|part| part.len()).sum::<usize>() >= self.bytes
    }

    /// Its parts, of which all but the first may be empty; the last is the end.
    pub(super) fn parts(self) -> [&'r [u8]; 3] {
        [self.head, self.tail, self.end]
    }
}

/// Hands over the characters of a part, unescaped; what was cut at its ends is left out.
pub(super) fn characters(part: &[u8], mut each: impl FnMut(char)) {
    for piece in pieces(part) {
        match piece {
            Piece::Plain(plain) => {
                for chunk in plain.utf8_chunks() {
                    chunk.valid().chars().for_each(&mut each);
                }
            }
            Piece::Escaped(character) => each(character),
        }
    }
}

//! The inside of a JSON string that comes in pieces, decoded.

use crate::json::{Text, decode};

/// What is left of a piece that ends within a character.
#[derive(Debug, Default)]
pub struct Escapes(Vec<u8>);

impl Escapes {
    /// The characters of the next piece, so far as they are whole. Providers cut characters in two that are escaped as two.
    pub fn push(&mut self, inside: &[u8]) -> String {
        if self.0.is_empty() && memchr::memchr(b'\\', inside).is_none() {
            return String::from_utf8_lossy(inside).into_owned();
        }
        self.0.extend_from_slice(inside);
        let whole = whole(&self.0);
        let rest = self.0.split_off(whole);
        let text = decode(&self.0).into_owned();
        self.0 = rest;
        text
    }

    /// Whether the last piece has ended after the backslash of an escape.
    #[must_use]
    pub fn is_after_backslash(&self) -> bool {
        self.0.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
    }

    /// What is left in the end: half a character is none.
    pub fn finish(&mut self) -> String {
        let rest = std::mem::take(&mut self.0);
        decode(&rest).into_owned()
    }
}

/// How many bytes there are up to an escape that is not all there.
fn whole(inside: &[u8]) -> usize {
    let mut at = 0_usize;
    while let Some(escape) = memchr::memchr(b'\\', inside.get(at..).unwrap_or_default()) {
        let here = at.saturating_add(escape);
        let escaped = inside.get(here..).unwrap_or_default();
        // The first half of a pair, after which the other one may come.
        let is_first = matches!(escaped, [_, b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..]);
        let needed = match escaped {
            [_, b'u', _, _, _, _, b'\\', b'u', ..] if is_first => 12,
            [_, b'u', _, _, _, _] if is_first => 7,
            [_, b'u', _, _, _, _, b'\\'] if is_first => 8,
            [_, b'u', ..] => 6,
            _ => 2,
        };
        if escaped.len() < needed {
            return here;
        }
        at = here.saturating_add(needed);
    }
    inside.len()
}

/// Puts a text back into the inside of a JSON string.
pub(super) fn escaped(text: &str, out: &mut String) {
    // What `Text` holds is UTF-8.
    out.push_str(&String::from_utf8_lossy(Text::of(text).as_bytes()));
}

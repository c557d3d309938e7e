//! A hash of what a JSON text means: however it is spaced, escaped and ordered, and however its
//! numbers are written.
//!
//! What is hashed can be read back in one way only, so that two meanings never have one form: every
//! value begins with a tag of its own, numbers have a fixed length, and every text is UTF-8 that
//! ends with 0xFF, a byte that UTF-8 never has. Nothing of the text is copied.

use super::key::Key;
use crate::json::{self, Kind, Piece, Text, Value};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;

/// Ends every text.
const END: u8 = 0xFF;

/// A hash being made.
pub(super) struct Canonical<'d> {
    sha: Sha256,
    /// The members of the objects that are open, each object's in the order of their names.
    members: Vec<(Value<'d>, Value<'d>)>,
    /// Where a string begins for which only a mark is hashed.
    held_out: Option<usize>,
}

impl<'d> Canonical<'d> {
    /// Begins a hash for a purpose: hashes for different purposes never agree.
    pub fn begin(purpose: &str, held_out: Option<Value<'_>>) -> Self {
        let held_out = held_out.map(|value| value.span().start);
        let mut begun = Self { sha: Sha256::new(), members: Vec::with_capacity(16), held_out };
        begun.plain(purpose);
        begun
    }

    /// Takes a mark.
    pub fn tag(&mut self, tag: u8) {
        self.sha.update([tag]);
    }

    /// Takes a plain text.
    pub fn plain(&mut self, text: &str) {
        self.sha.update(text);
        self.tag(END);
    }

    /// Takes a whole number.
    pub fn number(&mut self, number: u64) {
        self.sha.update(number.to_le_bytes());
    }

    /// Takes another hash.
    pub fn key(&mut self, key: &Key) {
        self.sha.update(key.as_bytes());
    }

    /// Takes what a string says.
    pub fn text(&mut self, text: &Text<'_>) {
        for piece in json::pieces(text.as_bytes()) {
            match piece {
                Piece::Plain(plain) => self.sha.update(plain),
                Piece::Escaped(character) => self.sha.update(character.encode_utf8(&mut [0; 4])),
            }
        }
        self.tag(END);
    }

    /// Takes a value.
    pub fn value(&mut self, value: Value<'d>) {
        match value.kind() {
            Kind::Null => self.tag(b'z'),
            Kind::Bool => self.tag(if value.bool() == Some(true) { b't' } else { b'f' }),
            Kind::Number => self.numeral(value),
            Kind::String if self.held_out == Some(value.span().start) => self.tag(b'?'),
            Kind::String => {
                self.tag(b's');
                self.text(&value.text().unwrap_or_default());
            }
            Kind::Array => self.array(value, &Self::value),
            Kind::Object => self.object(value, &|_, _| false, &|this, _, value| this.value(value)),
        }
    }

    /// Takes an array, each item by `item`.
    pub fn array(&mut self, value: Value<'d>, item: &dyn Fn(&mut Self, Value<'d>)) {
        self.tag(b'[');
        value.items().for_each(|value| item(self, value));
        self.tag(b']');
    }

    /// Takes the members of an object but those to be left out, each value by `member`, which gets
    /// its name too.
    pub fn object(
        &mut self,
        value: Value<'d>,
        leave_out: &dyn Fn(Value<'d>, Value<'d>) -> bool,
        member: &dyn Fn(&mut Self, Value<'d>, Value<'d>),
    ) {
        self.tag(b'{');
        let first = self.members.len();
        self.members.extend(value.entries().filter(|(name, value)| !leave_out(*name, *value)));
        if let Some(members) = self.members.get_mut(first..) {
            members.sort_unstable_by(|(a, _), (b, _)| by_name(*a, *b));
        }
        let mut next = first;
        while let Some((name, value)) = self.members.get(next).copied() {
            self.tag(b':');
            self.text(&name.text().unwrap_or_default());
            member(self, name, value);
            next = next.saturating_add(1);
        }
        self.members.truncate(first);
        self.tag(b'}');
    }

    /// Takes a number by its value: `1`, `1.0` and `10e-1` are the same.
    fn numeral(&mut self, value: Value<'d>) {
        // Digits alone are exact; as a double, two of them could become one.
        let integer = value.raw().iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
        match (value.i64(), value.f64()) {
            (Some(number), _) => {
                self.tag(b'i');
                self.sha.update(number.to_le_bytes());
            }
            (None, Some(number)) if !integer => {
                self.tag(b'd');
                self.sha.update(number.to_bits().to_le_bytes());
            }
            _ => {
                self.tag(b'n');
                self.sha.update(value.raw());
                self.tag(END);
            }
        }
    }

    /// The hash.
    pub fn finish(self) -> Key {
        Key::from_bytes(self.sha.finalize().into())
    }
}

/// The order of two names; those that are the same stay in the order of the text, where the last
/// one counts.
fn by_name(a: Value<'_>, b: Value<'_>) -> Ordering {
    let (Some(x), Some(y)) = (a.text(), b.text()) else { return Ordering::Equal };
    let plain = |text: &Text<'_>| !text.as_bytes().contains(&b'\\');
    let order =
        if plain(&x) && plain(&y) { x.as_bytes().cmp(y.as_bytes()) } else { x.decode().cmp(&y.decode()) };
    order.then(a.span().start.cmp(&b.span().start))
}

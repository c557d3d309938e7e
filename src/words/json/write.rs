//! Writing JSON straight into a byte buffer, and replacing spans of a text that is kept.

use super::text::{Text, escape};
use super::value::Value;
use std::fmt::Display;
use std::io::Write;
use std::ops::Range;

/// Writes an object; the closure writes its members.
pub fn object(out: &mut Vec<u8>, members: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    members(&mut Object { out, first: true });
    out.push(b'}');
}

/// Writes an array; the closure writes its items.
pub fn array(out: &mut Vec<u8>, items: impl FnOnce(&mut Array<'_>)) {
    out.push(b'[');
    items(&mut Array { out, first: true });
    out.push(b']');
}

/// Writes a plain string, quoted and escaped.
pub fn string(out: &mut Vec<u8>, plain: &str) {
    out.push(b'"');
    escape(out, plain);
    out.push(b'"');
}

/// Writes an integer.
pub fn number(out: &mut Vec<u8>, number: impl Display) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{number}");
}

/// The members of an object being written.
pub struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl Object<'_> {
    /// Writes a key and gives the buffer for its value. The key is a plain identifier, with nothing to escape.
    pub fn value(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A member whose key was read elsewhere and is still escaped.
    pub fn member(&mut self, key: &Text<'_>, raw: &[u8]) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        quoted(self.out, key);
        self.out.push(b':');
        self.out.extend_from_slice(raw);
    }

    /// A plain string.
    pub fn string(&mut self, key: &str, plain: &str) {
        string(self.value(key), plain);
    }

    /// A string that is still escaped.
    pub fn text(&mut self, key: &str, text: &Text<'_>) {
        quoted(self.value(key), text);
    }

    /// A JSON text as it stands.
    pub fn raw(&mut self, key: &str, json: &[u8]) {
        self.value(key).extend_from_slice(json);
    }

    /// An integer.
    pub fn number(&mut self, key: &str, value: impl Display) {
        number(self.value(key), value);
    }

    /// `true` or `false`.
    pub fn bool(&mut self, key: &str, value: bool) {
        self.raw(key, if value { b"true" } else { b"false" });
    }

    /// `null`.
    pub fn null(&mut self, key: &str) {
        self.raw(key, b"null");
    }

    /// An object.
    pub fn object(&mut self, key: &str, members: impl FnOnce(&mut Object<'_>)) {
        object(self.value(key), members);
    }

    /// An array.
    pub fn array(&mut self, key: &str, items: impl FnOnce(&mut Array<'_>)) {
        array(self.value(key), items);
    }
}

/// The items of an array being written.
pub struct Array<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl Array<'_> {
    /// Gives the buffer for the next item.
    pub fn value(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out
    }

    /// Whether nothing has been written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first
    }

    /// An object.
    pub fn object(&mut self, members: impl FnOnce(&mut Object<'_>)) {
        object(self.value(), members);
    }

    /// A string that is still escaped.
    pub fn text(&mut self, text: &Text<'_>) {
        quoted(self.value(), text);
    }

    /// A plain string.
    pub fn string(&mut self, plain: &str) {
        string(self.value(), plain);
    }

    /// A JSON text as it stands.
    pub fn raw(&mut self, json: &[u8]) {
        self.value().extend_from_slice(json);
    }
}

fn quoted(out: &mut Vec<u8>, text: &Text<'_>) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// A span of a text and what stands there instead.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edit {
    /// The bytes that go; an empty range inserts.
    pub span: Range<usize>,
    /// The bytes that come.
    pub with: Vec<u8>,
}

impl Edit {
    /// Puts `json` in the place of a value.
    #[must_use]
    pub fn replace(value: Value<'_>, json: impl Into<Vec<u8>>) -> Self {
        Self { span: value.span(), with: json.into() }
    }

    /// The same edit in a text that has `by` bytes more in front.
    #[must_use]
    pub fn moved(self, by: usize) -> Self {
        let Range { start, end } = self.span;
        Self { span: start.saturating_add(by)..end.saturating_add(by), ..self }
    }

    /// Gives a member of an object a value, whether or not it has one.
    #[must_use]
    pub fn set(object: Value<'_>, key: &str, json: &[u8]) -> Self {
        match object.entries().find(|(name, _)| name.text().is_some_and(|name| name == key)) {
            Some((_, old)) => Self::replace(old, json),
            None => Self::insert(object, key, json),
        }
    }

    /// Adds a member at the front of an object.
    #[must_use]
    pub fn insert(object: Value<'_>, key: &str, json: &[u8]) -> Self {
        let at = object.span().start.saturating_add(1);
        let mut with = Vec::with_capacity(key.len().saturating_add(json.len()).saturating_add(4));
        string(&mut with, key);
        with.push(b':');
        with.extend_from_slice(json);
        if object.entries().next().is_some() {
            with.push(b',');
        }
        Self { span: at..at, with }
    }
}

/// What takes members out of an object, each with its comma, as far as `goes` says so by name.
pub fn removals(object: Value<'_>, goes: impl Fn(&Text<'_>) -> bool) -> Vec<Edit> {
    taken_out(
        object.entries().map(|(key, value)| {
            (key.span().start..value.span().end, key.text().is_some_and(|key| goes(&key)))
        }),
    )
}

/// What takes items out of an array, each with its comma, as far as `goes` says so by place.
pub fn omissions(array: Value<'_>, goes: impl Fn(usize) -> bool) -> Vec<Edit> {
    taken_out(array.items().enumerate().map(|(place, item)| (item.span(), goes(place))))
}

/// What takes out, each with its comma, those of what stands between a pair of brackets that go. Neighbours go in one.
fn taken_out(all: impl Iterator<Item = (Range<usize>, bool)>) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut all = all.peekable();
    // Where what stays has ended, if anything has.
    let mut stays = None;
    while let Some((here, goes)) = all.next() {
        if !goes {
            stays = Some(here.end);
            continue;
        }
        let next = all.peek().map(|(next, _)| next.start);
        let span = match &mut stays {
            Some(end) => std::mem::replace(end, here.end)..here.end,
            None => here.start..next.unwrap_or(here.end),
        };
        match edits.last_mut().filter(|last| last.span.end == span.start) {
            Some(last) => last.span.end = span.end,
            None => edits.push(Edit { span, with: Vec::new() }),
        }
    }
    edits
}

/// Writes `text` with the edits made. Edits may come in any order; one that overlaps an earlier
/// one is made after it, with what is left of its span.
#[must_use]
pub fn splice(text: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_by_key(|edit| edit.span.start);
    let added: usize = edits.iter().map(|edit| edit.with.len()).sum();
    let mut out = Vec::with_capacity(text.len().saturating_add(added));
    let mut at = 0;
    for edit in &edits {
        out.extend_from_slice(text.get(at..edit.span.start).unwrap_or_default());
        out.extend_from_slice(&edit.with);
        at = at.max(edit.span.end);
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    out
}

//! One value of a checked text: what it is, and what is in it.

use super::document::{Kind, Node};
use super::text::Text;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

/// Up to so many members of an object are compared each with each, which needs no memory.
const FEW: usize = 16;

/// One value of a document.
#[derive(Clone, Copy)]
pub struct Value<'d> {
    text: &'d [u8],
    nodes: &'d [Node],
    at: usize,
}

impl<'d> Value<'d> {
    pub(super) fn root(text: &'d [u8], nodes: &'d [Node]) -> Self {
        Self { text, nodes, at: 0 }
    }

    fn node(self) -> Node {
        let null = Node { kind: Kind::Null, escaped: false, start: 0, end: 0, next: 0 };
        self.nodes.get(self.at).copied().unwrap_or(null)
    }

    fn sibling(self, at: usize) -> Self {
        Self { at, ..self }
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// Where it stands in the document's text.
    #[must_use]
    pub fn span(self) -> Range<usize> {
        self.node().start as usize..self.node().end as usize
    }

    /// Its text, exactly as it stands.
    #[must_use]
    pub fn raw(self) -> &'d [u8] {
        self.text.get(self.span()).unwrap_or_default()
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The string, if it is one.
    #[must_use]
    pub fn text(self) -> Option<Text<'d>> {
        let quoted = self.raw();
        let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
        (self.kind() == Kind::String).then(|| Text::escaped(inner))
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == b"true")
    }

    /// The number, if it is one and finite.
    #[must_use]
    pub fn f64(self) -> Option<f64> {
        let digits = std::str::from_utf8(self.raw()).ok().filter(|_| self.kind() == Kind::Number)?;
        digits.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// The number, if it is an integer that fits; `2.0` and `1e3` are integers too.
    #[must_use]
    pub fn i64(self) -> Option<i64> {
        let digits = std::str::from_utf8(self.raw()).ok().filter(|_| self.kind() == Kind::Number)?;
        digits.parse().ok().or_else(|| {
            let number = self.f64()?;
            #[expect(clippy::cast_possible_truncation, reason = "checked to be integral and exact")]
            (number.fract() == 0.0 && number.abs() < 9.0e15).then_some(number as i64)
        })
    }

    /// As [`i64`](Self::i64), not negative.
    #[must_use]
    pub fn u64(self) -> Option<u64> {
        self.i64().and_then(|number| u64::try_from(number).ok())
    }

    /// The items of an array; none of anything else.
    pub fn items(self) -> impl Iterator<Item = Value<'d>> {
        self.children(Kind::Array)
    }

    /// The members of an object, in their order; none of anything else.
    pub fn entries(self) -> impl Iterator<Item = (Value<'d>, Value<'d>)> {
        let mut children = self.children(Kind::Object);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// The member of that name that is not `null`; the last one where a name stands twice.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'d>> {
        let members = self.node();
        let end = if members.kind == Kind::Object { members.next as usize } else { 0 };
        let mut key = self.at.saturating_add(1);
        let mut found = None;
        while key < end {
            // A key is one node, so its value is the next.
            let value = key.saturating_add(1);
            if self.nodes.get(key)?.says(self.text, name) {
                found = Some(value);
            }
            key = self.nodes.get(value)?.next as usize;
        }
        found.map(|at| self.sibling(at)).filter(|value| !value.is_null())
    }

    /// Whether this is the string `plain`.
    #[must_use]
    pub fn says(self, plain: &str) -> bool {
        self.node().says(self.text, plain)
    }

    /// The first name that stands twice in this object.
    #[must_use]
    pub fn duplicate(self) -> Option<Text<'d>> {
        let keys = || self.entries().map(|(key, _)| key);
        if keys().nth(FEW).is_none() {
            let again =
                |(index, key): &(usize, Self)| keys().take(*index).any(|other| other.says_the_same(*key));
            return keys().enumerate().find(again).and_then(|(_, key)| key.text());
        }
        let mut seen = BTreeSet::new();
        keys().filter_map(Self::text).find(|key| !seen.insert(key.clone().into_decoded()))
    }

    /// Whether two strings are the same once unescaped.
    fn says_the_same(self, other: Self) -> bool {
        if self.node().escaped || other.node().escaped {
            return self.text().zip(other.text()).is_some_and(|(text, other)| text.means(&other));
        }
        self.raw() == other.raw()
    }

    fn children(self, kind: Kind) -> impl Iterator<Item = Value<'d>> {
        let node = self.node();
        let end = if node.kind == kind { node.next as usize } else { 0 };
        let mut at = self.at.saturating_add(1);
        std::iter::from_fn(move || {
            let child = (at < end).then(|| self.sibling(at))?;
            at = (child.node().next as usize).max(at.saturating_add(1));
            Some(child)
        })
    }
}

impl Node {
    /// Whether it is the string `plain` in `text`. Most strings that it is not have another length.
    fn says(&self, text: &[u8], plain: &str) -> bool {
        let inner = self.start.saturating_add(1) as usize..self.end.saturating_sub(1) as usize;
        if self.kind != Kind::String || (inner.len() != plain.len() && !self.escaped) {
            return false;
        }
        let inner = text.get(inner).unwrap_or_default();
        if self.escaped {
            return Text::escaped(inner) == *plain;
        }
        // The first byte tells most texts of one length apart.
        inner.first() == plain.as_bytes().first() && inner == plain.as_bytes()
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.raw()))
    }
}

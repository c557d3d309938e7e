//! What the document may hold, as data: for a schema that editors read.
//!
//! It is made of the same declarations that the document is read by, `map!` and `words!` of `shape.rs`, and natively only, so that
//! nothing of it is in the filter.

use super::raw::Document;
use super::shape::Shape;

/// What may be at a place of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// `false`, which Envoy's reader of YAML makes of `off`.
    Off,
    /// A whole number that is not negative.
    Whole,
    /// A number.
    Number,
    /// One of these words.
    Words(Vec<&'static str>),
    /// A list of such.
    List(Box<Form>),
    /// A map from names, which the configuration chooses, to such.
    Names(Box<Form>),
    /// A map with known keys.
    Map(Map),
    /// A map with any keys.
    Any,
    /// One of these.
    OneOf(Vec<Form>),
}

/// A map with known keys, and no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// What it is called where it is declared.
    pub name: &'static str,
    /// What it is, as errors tell.
    pub what: &'static str,
    /// Its keys, in their order.
    pub keys: Vec<Key>,
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What it is called.
    pub name: &'static str,
    /// What it may have.
    pub form: Form,
    /// Whether it has to be there.
    pub required: bool,
}

impl Form {
    /// Of the whole document.
    #[must_use]
    pub fn of_document() -> Self {
        Document::form()
    }

    /// A map with a single key, which has a text.
    pub(super) fn text_under(key: &'static str, name: &'static str, what: &'static str) -> Self {
        Self::Map(Map { name, what, keys: vec![Key { name: key, form: Self::Text, required: true }] })
    }
}

//! Is it what was asked for? JSON checked against a JSON Schema: an answer in a form that a client asked for, the arguments of a
//! call.
//!
//! It is most of draft 2020-12, without what needs an engine of regular expressions or what is known of other keywords' results
//! (see [`Schema::unchecked`]). A schema is looked at where it stands in the request's text, so nothing is made of it first. The crate
//! `jsonschema` is 3.2 MB of wasm. Work is bounded: what would take longer is not decided, rather than waited for.

// A panic traps the VM under every request of a worker, so nothing outside of tests may be able to.
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

use modelgate_words::{chance, fnv, json, names};

mod check;
mod found;
mod mend;
mod number;
mod path;
mod same;

use crate::json::{Kind, Value};
pub use mend::{Change, ChangeKind, Mended, Unmended};

use check::Checker;
use number::Number;
use std::fmt;

/// A JSON Schema (draft 2020-12, and what of earlier drafts and OpenAPI is common in requests: `definitions`, `nullable`).
#[derive(Clone, Copy, Debug)]
pub struct Schema<'d> {
    root: Value<'d>,
}

/// Keywords that would say something of a value and are not looked at here.
const UNCHECKED: [&str; 10] = [
    "pattern",
    "patternProperties",
    "format",
    "unevaluatedItems",
    "unevaluatedProperties",
    "additionalItems",
    "dependencies",
    "$dynamicRef",
    "contentEncoding",
    "contentMediaType",
];

/// Keywords whose value is a schema, or a list of schemas.
const NESTED: [&str; 12] = [
    "items",
    "prefixItems",
    "contains",
    "additionalProperties",
    "propertyNames",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
];

/// Keywords whose value is a map of names to schemas.
const MAPS: [&str; 4] = ["properties", "$defs", "definitions", "dependentSchemas"];

impl<'d> Schema<'d> {
    /// The schema that a value says.
    #[must_use]
    pub fn new(root: Value<'d>) -> Self {
        Self { root }
    }

    /// The first few things in which `value` differs from the schema; none, if it fits. Of a name that stands twice in an object
    /// both members are checked.
    ///
    /// # Errors
    /// Why it cannot be said.
    pub fn check(&self, value: Value<'_>) -> Result<Vec<Violation>, Undecided> {
        Checker::new(self.root).violations(value)
    }

    /// Which keywords the schema has that would say something of a value and are not looked at: a value that fits may not match them.
    #[must_use]
    pub fn unchecked(&self) -> Vec<&'static str> {
        let mut found = Vec::new();
        gather(self.root, &mut found);
        found
    }
}

fn gather(schema: Value<'_>, found: &mut Vec<&'static str>) {
    for (key, value) in schema.entries() {
        if let Some(name) = UNCHECKED.iter().find(|name| key.says(name)).filter(|name| !found.contains(*name))
        {
            found.push(name);
        } else if NESTED.iter().any(|name| key.says(name)) {
            gather(value, found);
            value.items().for_each(|schema| gather(schema, found));
        } else if MAPS.iter().any(|name| key.says(name)) {
            value.entries().for_each(|(_, schema)| gather(schema, found));
        }
    }
}

/// Something in which a value differs from its schema.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Where, as in `items[2].name`; empty for the whole value.
    pub path: String,
    /// What the schema asks for there.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// How many steps the path has.
    depth: usize,
    /// Whether it is a word that tells one alternative from another.
    tells: bool,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "`{}`: ", self.path)?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

/// Why it cannot be said whether a value fits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Undecided {
    /// It would take too long, or the two nest too deep.
    TooMuch,
    /// A `$ref` leads back to itself.
    Endless,
    /// A `$ref` leads to nothing in the schema.
    Unresolved,
    /// It is not a schema, or a part of it is not.
    Malformed,
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMuch => "it is too much to check",
            Self::Endless => "a `$ref` of the schema leads back to itself",
            Self::Unresolved => "a `$ref` of the schema leads to nothing in it",
            Self::Malformed => "the schema is not a JSON Schema",
        })
    }
}

/// A type of JSON Schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Type {
    Of(Kind),
    Integer,
}

impl Type {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::Of(Kind::Null),
            "boolean" => Self::Of(Kind::Bool),
            "number" => Self::Of(Kind::Number),
            "string" => Self::Of(Kind::String),
            "array" => Self::Of(Kind::Array),
            "object" => Self::Of(Kind::Object),
            "integer" => Self::Integer,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Of(kind) => kind.as_str(),
            Self::Integer => "an integer",
        }
    }

    fn is_of(self, value: Value<'_>) -> bool {
        match self {
            Self::Of(kind) => value.kind() == kind,
            Self::Integer => value.kind() == Kind::Number && Number::read(value.raw()).is_integer(),
        }
    }
}

/// Some of the six kinds of values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Kinds(u8);

impl Kinds {
    /// The kinds that a schema asks for by its types, or else by its values; none, if it does not say.
    fn of(schema: Value<'_>) -> Option<Self> {
        let bit = |kind: Kind| 1_u8.wrapping_shl(kind as u32);
        if let Some(types) = schema.get("type") {
            let names = Some(types).into_iter().chain(types.items()).filter_map(Value::text);
            let kinds = names.filter_map(|name| Type::named(&name.decode())).map(|name| match name {
                Type::Of(kind) => bit(kind),
                Type::Integer => bit(Kind::Number),
            });
            let nullable = schema.get("nullable").and_then(Value::bool) == Some(true);
            return Some(Self(
                kinds.fold(if nullable { bit(Kind::Null) } else { 0 }, |all, kind| all | kind),
            ));
        }
        let values = schema.get("enum").into_iter().flat_map(Value::items).chain(schema.get("const"));
        Some(Self(values.fold(0, |all, value| all | bit(value.kind())))).filter(|kinds| kinds.0 != 0)
    }

    fn has(self, kind: Kind) -> bool {
        self.0 & 1_u8.wrapping_shl(kind as u32) != 0
    }

    /// Whether it is that kind and no other, but for null.
    fn is_only(self, kind: Kind) -> bool {
        let null = 1_u8.wrapping_shl(Kind::Null as u32);
        self.0 & !null == 1_u8.wrapping_shl(kind as u32)
    }
}

#[cfg(test)]
mod tests;

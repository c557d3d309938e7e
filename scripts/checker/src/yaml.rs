//! YAML as Envoy reads it, and where everything in it is.
//!
//! Envoy's reader makes `true` of `on` and of `yes`, numbers of whole numbers of 32 bits and strings of all other numbers; it has
//! aliases and no merge keys, and of two keys that are the same it takes the last. That one is kept here, so that it can be told.

mod scalars;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use scalars::{is_null, plain, quoted, truth, whole};
use std::collections::HashMap;
use std::rc::Rc;

/// No configuration is nested so deep.
const MAX_DEPTH: usize = 128;
/// How many values there may be when all aliases are written out; more is a mistake, or a bomb.
const MAX_VALUES: usize = 10_000_000;

/// A place in a file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which of the files that are looked at.
    pub file: usize,
    pub line: usize,
    /// In characters.
    pub column: usize,
}

/// A value, and where it begins.
#[derive(Debug)]
pub struct Node {
    pub at: Place,
    pub kind: Kind,
    /// How many values it is, with all that is in it.
    values: usize,
}

#[derive(Debug)]
pub enum Kind {
    /// A text, a number, `true` or nothing.
    Scalar {
        text: String,
        style: Style,
    },
    List(Vec<Rc<Node>>),
    /// Keys with their places, in their order.
    Map(Vec<(Place, String, Rc<Node>)>),
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// A block: text as it stands there.
    Literal,
    Folded,
}

/// Why a text is no YAML, and where.
#[derive(Debug)]
pub struct Fault {
    pub at: Place,
    pub why: String,
}

/// How plain scalars are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Yaml,
    Json,
}

/// What is being read.
enum Open {
    List { at: Place, anchor: usize, items: Vec<Rc<Node>> },
    Map { at: Place, anchor: usize, key: Option<(Place, String)>, entries: Vec<(Place, String, Rc<Node>)> },
}

/// Reads the one document of a text.
pub fn parse(text: &str, file: usize) -> Result<Rc<Node>, Fault> {
    let place = |span: &Span| Place { file, line: span.start.line(), column: span.start.col() + 1 };
    let (mut anchors, mut stack, mut root) = (HashMap::new(), Vec::<Open>::new(), None);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let (line, column) = (error.marker().line(), error.marker().col() + 1);
            Fault { at: Place { file, line, column }, why: error.info().to_owned() }
        })?;
        let at = place(&span);
        let fault = |why: &str| Err(Fault { at, why: why.to_owned() });
        if stack.len() > MAX_DEPTH {
            return fault("nested too deep");
        }
        let (anchor, node) = match event {
            Event::SequenceStart(anchor, _) => {
                stack.push(Open::List { at, anchor, items: Vec::new() });
                continue;
            }
            Event::MappingStart(anchor, _) => {
                stack.push(Open::Map { at, anchor, key: None, entries: Vec::new() });
                continue;
            }
            // Envoy's reader does not look at tags.
            Event::Scalar(text, style, anchor, _) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::SingleQuoted,
                    ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                (
                    anchor,
                    Rc::new(Node { at, kind: Kind::Scalar { text: text.into_owned(), style }, values: 1 }),
                )
            }
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(node) => (0, Rc::clone(node)),
                None => return fault("an alias within what it stands for"),
            },
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = stack.pop() else { return fault("an end without a beginning") };
                let (at, anchor, kind) = match open {
                    Open::List { at, anchor, items } => (at, anchor, Kind::List(items)),
                    Open::Map { at, anchor, entries, .. } => (at, anchor, Kind::Map(entries)),
                };
                let values = kind.children().fold(1_usize, |sum, child| sum.saturating_add(child.values));
                if values > MAX_VALUES {
                    return fault("more than anybody writes, with all aliases");
                }
                (anchor, Rc::new(Node { at, kind, values }))
            }
            Event::DocumentStart(_) if root.is_some() => {
                return fault("a second document, which is not read");
            }
            _ => continue,
        };
        if anchor > 0 {
            anchors.insert(anchor, Rc::clone(&node));
        }
        match stack.last_mut() {
            None => root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { key, entries, .. }) => match (key.take(), &node.kind) {
                (Some((at, key)), _) => entries.push((at, key, node)),
                (None, Kind::Scalar { text, .. }) => *key = Some((at, text.clone())),
                (None, _) => return fault("a key that is no text"),
            },
        }
    }
    root.ok_or_else(|| Fault {
        at: Place { file, line: 1, column: 1 },
        why: "there is nothing in it".to_owned(),
    })
}

impl Kind {
    fn children(&self) -> Box<dyn Iterator<Item = &Rc<Node>> + '_> {
        match self {
            Self::Scalar { .. } => Box::new(std::iter::empty()),
            Self::List(items) => Box::new(items.iter()),
            Self::Map(entries) => Box::new(entries.iter().map(|(.., node)| node)),
        }
    }
}

impl Node {
    /// The values in it, one level down.
    pub fn children(&self) -> impl Iterator<Item = &Rc<Node>> {
        self.kind.children()
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Rc<Node>] {
        if let Kind::List(items) = &self.kind { items } else { &[] }
    }

    /// The entries of a map; none of anything else.
    pub fn entries(&self) -> &[(Place, String, Rc<Node>)] {
        if let Kind::Map(entries) = &self.kind { entries } else { &[] }
    }

    pub fn is_map(&self) -> bool {
        matches!(self.kind, Kind::Map(_))
    }

    /// What a map has under a key; the last, as Envoy takes it. Nothing after a key is as good as no key.
    pub fn get(&self, key: &str) -> Option<&Rc<Node>> {
        self.entries()
            .iter()
            .rev()
            .find(|(_, name, _)| name == key)
            .map(|(.., node)| node)
            .filter(|node| !node.is_null())
    }

    /// What is there, key by key.
    pub fn at(&self, path: &[&str]) -> Option<&Rc<Node>> {
        let (first, rest) = path.split_first()?;
        let node = self.get(first)?;
        if rest.is_empty() { Some(node) } else { node.at(rest) }
    }

    /// Where a key is; where the map is if it has not got it.
    pub fn place(&self, key: &str) -> Place {
        self.entries().iter().rev().find(|(_, name, _)| name == key).map_or(self.at, |(at, ..)| *at)
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        if let Kind::Scalar { text, .. } = &self.kind { Some(text) } else { None }
    }

    /// The text that a map has under a key.
    pub fn word(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// Whether a message's `@type` is this one, by the end of its name.
    pub fn is_type(&self, name: &str) -> bool {
        self.word("@type").is_some_and(|text| text.rsplit(['/', '.']).next() == Some(name))
    }

    /// The whole number that a scalar is.
    pub fn number(&self) -> Option<i64> {
        whole(self.text()?)
    }

    /// The truth that a scalar is.
    pub fn flag(&self) -> Option<bool> {
        truth(self.text()?)
    }

    fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, style: Style::Plain } if is_null(text))
    }

    /// JSON text of it, as Envoy would make it.
    pub fn json(&self, dialect: Dialect) -> String {
        let mut out = String::new();
        self.write(&mut out, dialect);
        out
    }

    fn write(&self, out: &mut String, dialect: Dialect) {
        match &self.kind {
            Kind::Scalar { text, style: Style::Plain } => out.push_str(&plain(text, dialect)),
            Kind::Scalar { text, .. } => out.push_str(&quoted(text)),
            Kind::List(items) => {
                for (position, item) in items.iter().enumerate() {
                    out.push(if position == 0 { '[' } else { ',' });
                    item.write(out, dialect);
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Kind::Map(entries) => {
                for (position, (_, key, value)) in entries.iter().enumerate() {
                    out.push(if position == 0 { '{' } else { ',' });
                    out.push_str(&quoted(key));
                    out.push(':');
                    value.write(out, dialect);
                }
                out.push_str(if entries.is_empty() { "{}" } else { "}" });
            }
        }
    }

    /// Whether two say the same, in whichever order their maps have it.
    pub fn says_the_same(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || match (&self.kind, &other.kind) {
                (Kind::Scalar { text: one, .. }, Kind::Scalar { text: two, .. }) => {
                    one == two || truth(one).is_some() && truth(one) == truth(two)
                }
                (Kind::List(one), Kind::List(two)) => {
                    one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.says_the_same(two))
                }
                (Kind::Map(one), Kind::Map(two)) => {
                    let has = |key: &str, value: &Self| {
                        two.iter().any(|(_, name, other)| name == key && value.says_the_same(other))
                    };
                    one.len() == two.len() && one.iter().all(|(_, key, value)| has(key, value))
                }
                _ => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        parse(text, 0).map_or_else(|fault| fault.why, |node| node.json(Dialect::Yaml))
    }

    #[test]
    fn scalars_are_what_envoy_makes_of_them() {
        for (text, expected) in [
            ("a", r#""a""#),
            ("'5'", r#""5""#),
            ("\"on\"", r#""on""#),
            ("5", "5"),
            ("-5", "-5"),
            ("0x10", "16"),
            ("010", "8"),
            ("08", r#""08""#),
            ("0", "0"),
            ("5000000000", r#""5000000000""#),
            ("0.5", r#""0.5""#),
            ("on", "true"),
            ("No", "false"),
            ("oFF", r#""oFF""#),
            ("~", "null"),
            ("!!str 5", "5"),
            ("a:", r#"{"a":null}"#),
            ("[]", "[]"),
            ("{a: &x [1, {b: 2}], c: *x}", r#"{"a":[1,{"b":2}],"c":[1,{"b":2}]}"#),
            ("{a: 1, a: 2}", r#"{"a":1,"a":2}"#),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (text, expected) in [
            ("", "there is nothing in it"),
            ("--- 1\n--- 2", "a second document, which is not read"),
            ("{[a]: 1}", "a key that is no text"),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
        assert_eq!(json(&"[".repeat(200)), "nested too deep");
        let bomb: String =
            (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{},", n - 1).repeat(10))).collect();
        assert_eq!(json(&format!("a0: &a0 x\n{bomb}")), "more than anybody writes, with all aliases");
    }

    #[test]
    fn everything_has_its_place() {
        let node = parse("a:\n- b: 1\n  c: {d: 2}\n", 3).unwrap();
        let item = &node.get("a").unwrap().items()[0];
        assert_eq!(item.at, Place { file: 3, line: 2, column: 3 });
        assert_eq!(item.place("c"), Place { file: 3, line: 3, column: 3 });
        assert_eq!(item.get("c").unwrap().place("d"), Place { file: 3, line: 3, column: 7 });
    }

    #[test]
    fn the_same_is_the_same_in_any_order() {
        let same = |one: &str, two: &str| parse(one, 0).unwrap().says_the_same(&parse(two, 0).unwrap());
        assert!(same("{a: 1, b: [yes, 0.5]}", "{b: [true, '0.5'], a: 1}"));
        assert!(!same("{a: 1}", "{a: 2}") && !same("[1, 2]", "[2, 1]") && !same("{a: 1}", "{a: 1, b: 2}"));
    }
}

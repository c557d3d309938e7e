//! A JSON text checked once, with a flat list of where its values are.
//!
//! The list (a "tape") holds one small node per value in the order of the text; a node knows where
//! its subtree ends, so that looking up a member skips over the members before it. Parsing keeps
//! its own stack: depth costs no call stack, and is limited.

use super::scan;
use super::text::Text;
use std::fmt;
use std::ops::Range;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 128;

/// What kind of value a node is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the six kinds of RFC 8259")]
pub enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// The kind in the words of an error message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// Whether an escaped surrogate may stand alone (`"\ud800"`).
///
/// RFC 8259 allows it but it is no Unicode text; clients are told, and providers, who cut strings
/// between the halves of a pair, are understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Surrogates {
    /// A surrogate must be half of a pair.
    Paired,
    /// A lone surrogate is passed on as it is.
    Lone,
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "Display says it")]
pub enum Fault {
    UnexpectedEnd,
    Expected(&'static str),
    BadEscape,
    LoneSurrogate,
    ControlCharacter,
    NotUtf8,
    BadNumber,
    TooDeep,
    TooLong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnexpectedEnd => f.write_str("the text ends too early"),
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::BadEscape => f.write_str("invalid escape sequence in a string"),
            Self::LoneSurrogate => f.write_str("a lone surrogate in a string is not Unicode text"),
            Self::ControlCharacter => f.write_str("unescaped control character in a string"),
            Self::NotUtf8 => f.write_str("a string is not valid UTF-8"),
            Self::BadNumber => f.write_str("malformed number"),
            Self::TooDeep => write!(f, "nested more than {MAX_DEPTH} deep"),
            Self::TooLong => f.write_str("the text is longer than 4 GiB"),
        }
    }
}

/// Where and why a text is not JSON.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    /// Byte offset.
    pub at: usize,
    /// The member being read, as in `messages[0].content`; empty at the top.
    pub path: String,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.fault, self.at)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, ", in `{}`", self.path) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Node {
    kind: Kind,
    start: u32,
    end: u32,
    /// Index of the first node after this value's subtree.
    next: u32,
}

/// The list of nodes; give one back to [`Document::reusing`] to save its allocation.
#[derive(Debug, Default)]
pub struct Nodes(Vec<Node>);

/// A checked JSON text.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a [u8],
    nodes: Nodes,
}

impl<'a> Document<'a> {
    /// Checks `text`: one value, nothing but white space around it.
    ///
    /// # Errors
    /// Where it first departs from RFC 8259, from UTF-8, or from [`MAX_DEPTH`].
    pub fn parse(text: &'a [u8], surrogates: Surrogates) -> Result<Self, Error> {
        Self::reusing(Nodes::default(), text, surrogates)
    }

    /// As [`parse`](Self::parse), with the list of an earlier document.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn reusing(mut nodes: Nodes, text: &'a [u8], surrogates: Surrogates) -> Result<Self, Error> {
        nodes.0.clear();
        let mut parser = Parser { text, nodes, at: 0, open: Vec::new(), surrogates };
        match parser.run() {
            Ok(()) => Ok(Self { text, nodes: parser.nodes }),
            Err((at, fault)) => Err(Error { at, path: parser.path(), fault }),
        }
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Value<'_> {
        Value { text: self.text, nodes: &self.nodes.0, at: 0 }
    }

    /// Gives the list back.
    #[must_use]
    pub fn into_nodes(self) -> Nodes {
        self.nodes
    }
}

struct Parser<'a> {
    text: &'a [u8],
    nodes: Nodes,
    at: usize,
    /// Indices of the arrays and objects that are not closed yet.
    open: Vec<usize>,
    surrogates: Surrogates,
}

type Step = Result<(), (usize, Fault)>;

impl Parser<'_> {
    fn run(&mut self) -> Step {
        if u32::try_from(self.text.len()).is_err() {
            return Err((0, Fault::TooLong));
        }
        self.value("a value")?;
        while let Some(container) = self.open.last().and_then(|at| self.nodes.0.get(*at)).copied() {
            self.space();
            let first = self.nodes.0.len() == self.open.last().map_or(0, |at| at.saturating_add(1));
            let in_object = container.kind == Kind::Object;
            let close = if in_object { b'}' } else { b']' };
            match self.peek() {
                Some(byte) if byte == close => {
                    self.close();
                    continue;
                }
                Some(b',') if !first => {
                    self.at = self.at.saturating_add(1);
                    self.space();
                }
                Some(_) if first => {}
                None => return Err((self.at, Fault::UnexpectedEnd)),
                Some(_) if in_object => return Err((self.at, Fault::Expected("',' or '}'"))),
                Some(_) => return Err((self.at, Fault::Expected("',' or ']'"))),
            }
            if in_object {
                self.key()?;
            }
            self.value("a value")?;
        }
        self.space();
        if self.at < self.text.len() {
            Err((self.at, Fault::Expected("the end of the text")))
        } else {
            Ok(())
        }
    }

    fn key(&mut self) -> Step {
        match self.peek() {
            Some(b'"') => self.string()?,
            Some(_) => return Err((self.at, Fault::Expected("a key in double quotes"))),
            None => return Err((self.at, Fault::UnexpectedEnd)),
        }
        self.space();
        match self.peek() {
            Some(b':') => self.at = self.at.saturating_add(1),
            Some(_) => return Err((self.at, Fault::Expected("':'"))),
            None => return Err((self.at, Fault::UnexpectedEnd)),
        }
        Ok(())
    }

    fn value(&mut self, expected: &'static str) -> Step {
        self.space();
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.enter(Kind::Object),
            Some(b'[') => self.enter(Kind::Array),
            Some(b't') => self.word(b"true", Kind::Bool),
            Some(b'f') => self.word(b"false", Kind::Bool),
            Some(b'n') => self.word(b"null", Kind::Null),
            Some(b'-' | b'0'..=b'9') => {
                let end = scan::number_end(self.text, self.at).map_err(|at| (at, Fault::BadNumber))?;
                self.leaf(Kind::Number, end);
                Ok(())
            }
            Some(_) => Err((self.at, Fault::Expected(expected))),
            None => Err((self.at, Fault::UnexpectedEnd)),
        }
    }

    fn string(&mut self) -> Step {
        let (quote, _) = scan::string_end(self.text, self.at.saturating_add(1), self.surrogates)?;
        self.leaf(Kind::String, quote.saturating_add(1));
        Ok(())
    }

    fn word(&mut self, word: &'static [u8], kind: Kind) -> Step {
        let end = self.at.saturating_add(word.len());
        if self.text.get(self.at..end) != Some(word) {
            return Err((self.at, Fault::Expected("a value")));
        }
        self.leaf(kind, end);
        Ok(())
    }

    fn enter(&mut self, kind: Kind) -> Step {
        if self.open.len() >= MAX_DEPTH {
            return Err((self.at, Fault::TooDeep));
        }
        self.open.push(self.nodes.0.len());
        self.leaf(kind, self.at.saturating_add(1));
        Ok(())
    }

    fn close(&mut self) {
        self.at = self.at.saturating_add(1);
        let next = small(self.nodes.0.len());
        let end = small(self.at);
        if let Some(node) = self.open.pop().and_then(|at| self.nodes.0.get_mut(at)) {
            node.end = end;
            node.next = next;
        }
    }

    fn leaf(&mut self, kind: Kind, end: usize) {
        let next = small(self.nodes.0.len().saturating_add(1));
        self.nodes.0.push(Node { kind, start: small(self.at), end: small(end), next });
        self.at = end;
    }

    fn space(&mut self) {
        self.at = scan::skip_space(self.text, self.at);
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The member being read when parsing stopped, as far down as helps to find it.
    fn path(&self) -> String {
        let mut path = String::new();
        for (depth, container) in self.open.iter().enumerate().take(8) {
            let end = self.open.get(depth.saturating_add(1)).copied().unwrap_or(self.nodes.0.len());
            let mut children = 0_usize;
            let mut last = None;
            let mut at = container.saturating_add(1);
            while at < end {
                let Some(node) = self.nodes.0.get(at) else { break };
                last = Some(*node).filter(|_| children.is_multiple_of(2)).or(last);
                children = children.saturating_add(1);
                at = (node.next as usize).max(at.saturating_add(1));
            }
            if self.nodes.0.get(*container).is_some_and(|node| node.kind == Kind::Object) {
                let key = last.and_then(|node| self.text.get(node.start as usize + 1..node.end as usize - 1));
                let Some(key) = key else { break };
                if !path.is_empty() {
                    path.push('.');
                }
                path.extend(String::from_utf8_lossy(key).chars().take(64));
            } else {
                path.push_str(&format!("[{children}]"));
            }
        }
        path
    }
}

/// Offsets fit 32 bits: [`Parser::run`] refuses longer texts.
fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// One value of a document.
#[derive(Clone, Copy)]
pub struct Value<'d> {
    text: &'d [u8],
    nodes: &'d [Node],
    at: usize,
}

impl<'d> Value<'d> {
    fn node(self) -> Node {
        let null = Node { kind: Kind::Null, start: 0, end: 0, next: 0 };
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
        let found = self.entries().filter(|(key, _)| key.text().is_some_and(|key| key == *name)).last();
        found.map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// The first name that stands twice in this object.
    #[must_use]
    pub fn duplicate(self) -> Option<Text<'d>> {
        let mut seen: Vec<Text<'d>> = Vec::new();
        for (key, _) in self.entries() {
            let key = key.text()?;
            if seen.iter().any(|other| other.means(&key)) {
                return Some(key);
            }
            seen.push(key);
        }
        None
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

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.raw()))
    }
}

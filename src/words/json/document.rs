//! A JSON text checked once, with a flat list of where its values are.
//!
//! The list (a "tape") holds one small node per value in the order of the text; a node knows where
//! its subtree ends, so that looking up a member skips over the members before it. Parsing keeps
//! its own stack: depth costs no call stack, and is limited.

use super::scan;
use super::value::Value;
use std::fmt;

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
pub(super) struct Node {
    pub kind: Kind,
    /// Of a string: whether it has escapes.
    pub escaped: bool,
    pub start: u32,
    pub end: u32,
    /// Index of the first node after this value's subtree.
    pub next: u32,
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
        // Enough for most chats, of which each has a value every few dozen bytes.
        nodes.0.reserve((text.len() / 32).min(1024));
        let mut parser = Parser { text, nodes, at: 0, open: Vec::new(), surrogates };
        match parser.run().and_then(|()| parser.end()) {
            Ok(()) => Ok(Self { text, nodes: parser.nodes }),
            Err((at, fault)) => Err(Error { at, path: parser.path(), fault }),
        }
    }

    /// Where the value ends that `text` begins with, whatever comes after it.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); [`Fault::UnexpectedEnd`] if it was cut.
    pub fn first(text: &[u8], surrogates: Surrogates) -> Result<usize, Error> {
        let mut parser = Parser { text, nodes: Nodes::default(), at: 0, open: Vec::new(), surrogates };
        match parser.run() {
            Ok(()) => Ok(parser.at),
            Err((at, fault)) => Err(Error { at, path: String::new(), fault }),
        }
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Value<'_> {
        Value::root(self.text, &self.nodes.0)
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
        Ok(())
    }

    fn end(&mut self) -> Step {
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
        let (quote, escaped) = scan::string_end(self.text, self.at.saturating_add(1), self.surrogates)?;
        self.node(Kind::String, escaped, quote.saturating_add(1));
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
        self.node(kind, false, end);
    }

    fn node(&mut self, kind: Kind, escaped: bool, end: usize) {
        let next = small(self.nodes.0.len().saturating_add(1));
        self.nodes.0.push(Node { kind, escaped, start: small(self.at), end: small(end), next });
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

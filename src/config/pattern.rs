//! The language of content rules, made into a program that is run in one pass over a text.
//!
//! A pattern is a regular expression of those parts that can be matched in linear time: literals, `.`, classes, groups,
//! alternatives, repetitions. It becomes a nondeterministic automaton (Thompson's construction), and so do keywords, as a tree of
//! their characters. The program is bounded, and so is what a character of a text can cost.

mod parser;

use parser::{Ast, parse};
use std::fmt;
use std::rc::Rc;

/// The most nodes of all patterns of a program. The tree of keywords may be larger: a text is at few of its nodes at a time.
const MOST_NODES: usize = 4_000;
/// The most bytes of a pattern or a keyword.
const MOST_BYTES: usize = 1_000;

/// An automaton over characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its nodes. The first is the match.
    pub nodes: Vec<Node>,
    /// Where it begins.
    pub start: u32,
    /// Which bytes a match may begin with, as UTF-8.
    pub first: Box<[bool; 256]>,
}

/// A node, with those that come after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A match ends here.
    Match,
    /// Goes on in two ways.
    Split(u32, u32),
    /// Goes on only at such a place.
    Look(Look, u32),
    /// Takes this character.
    Char(char, u32),
    /// Takes a character of a class.
    Class(Rc<Class>, u32),
    /// Takes one of these characters, sorted and in lower case, white space as a blank; and whether a keyword may end here.
    Tree(Vec<(char, u32)>, bool),
}

/// What is asked of a place between two characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// `^`: the text begins.
    Start,
    /// `$`: the text ends.
    End,
    /// `\b`: a word begins or ends.
    Word,
    /// `\B`: none does.
    NoWord,
    /// No word goes on that is written between spaces.
    Edge,
}

/// Some characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// Whether it is all others.
    pub negated: bool,
    /// Whether upper and lower case are the same.
    pub insensitive: bool,
    /// Which.
    pub items: Vec<Item>,
}

/// A part of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// From one character to another.
    Range(char, char),
    /// `\d`, or if false `\D`.
    Digit(bool),
    /// `\w`, or if false `\W`.
    Word(bool),
    /// `\s`, or if false `\S`.
    Space(bool),
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPattern {
    /// Where, in characters from 1; none if it is all of it.
    pub at: Option<usize>,
    /// What is wrong there.
    pub why: &'static str,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{} at character {at}", self.why),
            None => f.write_str(self.why),
        }
    }
}

/// Whether a character is part of a word (`\w`).
#[inline]
#[must_use]
pub fn is_word(c: char) -> bool {
    c == '_' || if c.is_ascii() { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() }
}

/// Whether a character is part of a word that is written between spaces; Han, Kana, Hangul, Thai, Lao, Burmese and Khmer are not.
#[inline]
#[must_use]
pub fn is_spaced(c: char) -> bool {
    let unspaced = matches!(
        u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xAC00..=0xD7AF
            | 0xF900..=0xFAFF | 0x20000..=0x3FFFF
    );
    is_word(c) && !unspaced
}

/// A character as keywords have it: in lower case, white space as a blank, full width as ASCII.
#[inline]
#[must_use]
pub fn folded(c: char) -> char {
    match c {
        _ if c.is_ascii() => {
            if c.is_ascii_whitespace() {
                ' '
            } else {
                c.to_ascii_lowercase()
            }
        }
        '\u{FF01}'..='\u{FF5E}' => {
            let narrow = char::from_u32(u32::from(c).wrapping_sub(0xFEE0)).unwrap_or(c);
            narrow.to_ascii_lowercase()
        }
        _ if c.is_whitespace() => ' ',
        _ => lower(c),
    }
}

fn lower(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { c.to_lowercase().next().unwrap_or(c) }
}

/// The capital letter of a small one, found by how far from each other both are: a table of them would be 12 KB more.
fn capital(c: char) -> Option<char> {
    let apart = |distance: u32| {
        let other = char::from_u32(u32::from(c).checked_sub(distance)?)?;
        (lower(other) == c).then_some(other)
    };
    [32, 1, 80, 48, 8].into_iter().find_map(apart)
}

impl Item {
    #[inline]
    fn has(self, c: char) -> bool {
        match self {
            Self::Range(from, to) => (from..=to).contains(&c),
            Self::Digit(is) => c.is_ascii_digit() == is,
            Self::Word(is) => is_word(c) == is,
            Self::Space(is) => c.is_whitespace() == is,
        }
    }
}

impl Class {
    /// Whether a character is one of them.
    #[inline]
    #[must_use]
    pub fn has(&self, c: char) -> bool {
        let any = |c: char| self.items.iter().any(|item| item.has(c));
        (any(c) || self.insensitive && (any(lower(c)) || capital(c).is_some_and(any))) != self.negated
    }
}

impl Look {
    /// Whether the place between these characters, or the end of the text, is such a one.
    #[inline]
    #[must_use]
    pub fn holds(self, before: Option<char>, after: Option<char>) -> bool {
        let is_word = |c: Option<char>| c.is_some_and(is_word);
        match self {
            Self::Start => before.is_none(),
            Self::End => after.is_none(),
            Self::Word => is_word(before) != is_word(after),
            Self::NoWord => is_word(before) == is_word(after),
            Self::Edge => !(before.is_some_and(is_spaced) && after.is_some_and(is_spaced)),
        }
    }
}

/// Puts keywords and patterns together.
#[derive(Debug)]
pub struct Builder {
    nodes: Vec<Node>,
    starts: Vec<u32>,
    /// The tree of keywords: what follows each place, and whether a keyword ends there.
    tree: Vec<(Vec<(char, usize)>, bool)>,
    full: bool,
}

impl Default for Builder {
    fn default() -> Self {
        let tree = vec![(Vec::new(), false)];
        Self { nodes: vec![Node::Match], starts: Vec::new(), tree, full: false }
    }
}

impl Builder {
    /// Adds a keyword.
    ///
    /// # Errors
    /// Says what keeps `text` from being one.
    pub fn keyword(&mut self, text: &str) -> Result<(), BadPattern> {
        let bad = |why| Err(BadPattern { at: None, why });
        let words: Vec<_> = text.split_whitespace().collect();
        if words.is_empty() {
            return bad("it is empty");
        }
        if text.len() > MOST_BYTES {
            return bad("it is longer than 1000 bytes");
        }
        let mut at = 0_usize;
        for c in words.join(" ").chars().map(folded) {
            let new = self.tree.len();
            let Some((next, _)) = self.tree.get_mut(at) else { break };
            at = match next.binary_search_by_key(&c, |(known, _)| *known) {
                Ok(found) => next.get(found).map_or(new, |(_, place)| *place),
                Err(place) => {
                    next.insert(place, (c, new));
                    // However many blanks there are.
                    self.tree.push((if c == ' ' { vec![(' ', new)] } else { Vec::new() }, false));
                    new
                }
            };
        }
        if let Some((_, ends)) = self.tree.get_mut(at) {
            *ends = true;
        }
        Ok(())
    }

    /// Adds a pattern.
    ///
    /// # Errors
    /// Says what keeps `text` from being one, and where.
    pub fn pattern(&mut self, text: &str) -> Result<(), BadPattern> {
        if text.len() > MOST_BYTES {
            return Err(BadPattern { at: None, why: "it is longer than 1000 bytes" });
        }
        let ast = parse(text)?;
        if ast.may_be_empty() {
            return Err(BadPattern { at: None, why: "it matches where there is nothing" });
        }
        let start = self.add(&ast, 0);
        self.starts.push(start);
        match self.full {
            true => {
                Err(BadPattern { at: None, why: "with it the rule is too large: count fewer repetitions" })
            }
            false => Ok(()),
        }
    }

    /// The program; none if there is nothing to look for, or too much.
    #[must_use]
    pub fn build(mut self) -> Option<Program> {
        let base = self.nodes.len();
        if self.tree.len() > 1 {
            let place = |at: usize| u32::try_from(base.saturating_add(at)).unwrap_or(0);
            let nodes = self
                .tree
                .iter()
                .map(|(next, ends)| Node::Tree(next.iter().map(|(c, at)| (*c, place(*at))).collect(), *ends));
            self.nodes.extend(nodes);
            let root = self.push(Node::Look(Look::Edge, place(0)));
            self.starts.push(root);
        }
        let mut starts = std::mem::take(&mut self.starts).into_iter();
        let first = starts.next()?;
        let start = starts.fold(first, |all, one| self.push(Node::Split(all, one)));
        if self.full {
            return None;
        }
        let mut program = Program { nodes: self.nodes, start, first: Box::new([false; 256]) };
        program.first = program.firsts();
        Some(program)
    }

    fn push(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        u32::try_from(self.nodes.len().saturating_sub(1)).unwrap_or(0)
    }

    /// The node where `ast` begins, before the node `next`.
    fn add(&mut self, ast: &Ast, next: u32) -> u32 {
        self.full |= self.nodes.len() >= MOST_NODES;
        if self.full {
            return next;
        }
        match ast {
            Ast::Empty => next,
            Ast::Look(look) => self.push(Node::Look(*look, next)),
            Ast::Class(class) => match class.items[..] {
                [Item::Range(from, to)] if from == to && !class.negated && !class.insensitive => {
                    self.push(Node::Char(from, next))
                }
                _ => self.push(Node::Class(Rc::new(class.clone()), next)),
            },
            Ast::All(parts) => parts.iter().rev().fold(next, |next, part| self.add(part, next)),
            Ast::Either(ways) => {
                let mut starts = Vec::with_capacity(ways.len());
                ways.iter().for_each(|way| starts.push(self.add(way, next)));
                let mut starts = starts.into_iter();
                let first = starts.next().unwrap_or(next);
                starts.fold(first, |all, one| self.push(Node::Split(all, one)))
            }
            Ast::Times(inner, least, most) => {
                let mut entry = next;
                match most {
                    Some(most) => {
                        for _ in *least..*most {
                            let body = self.add(inner, entry);
                            entry = self.push(Node::Split(body, next));
                        }
                    }
                    None => {
                        entry = self.push(Node::Split(next, next));
                        let body = self.add(inner, entry);
                        if let Some(node) = self.nodes.get_mut(entry as usize) {
                            *node = Node::Split(body, next);
                        }
                    }
                }
                (0..*least).fold(entry, |entry, _| self.add(inner, entry))
            }
        }
    }
}

impl Program {
    /// The program of one pattern.
    ///
    /// # Errors
    /// Says what keeps `text` from being one.
    pub fn of(text: &str) -> Result<Self, BadPattern> {
        let mut builder = Builder::default();
        builder.pattern(text)?;
        builder.build().ok_or(BadPattern { at: None, why: "it is too large" })
    }

    /// Which bytes a match may begin with.
    fn firsts(&self) -> Box<[bool; 256]> {
        let mut first = Box::new([false; 256]);
        let (mut seen, mut open) = (vec![false; self.nodes.len()], vec![self.start]);
        while let Some(at) = open.pop() {
            if seen.get_mut(at as usize).is_none_or(|seen| std::mem::replace(seen, true)) {
                continue;
            }
            match self.nodes.get(at as usize) {
                None | Some(Node::Match) => {}
                Some(Node::Split(one, other)) => open.extend([*one, *other]),
                Some(Node::Look(_, next)) => open.push(*next),
                Some(takes) => {
                    let beyond_ascii = match takes {
                        Node::Char(c, _) => !c.is_ascii(),
                        Node::Class(class, _) => {
                            let is_ascii = |item: &Item| match item {
                                Item::Range(_, to) => to.is_ascii(),
                                Item::Digit(is) => *is,
                                Item::Word(_) | Item::Space(_) => false,
                            };
                            class.negated || class.insensitive || !class.items.iter().all(is_ascii)
                        }
                        _ => true,
                    };
                    for (byte, may) in (0..=u8::MAX).zip(first.iter_mut()) {
                        *may |=
                            if byte < 0x80 { takes.takes(char::from(byte)).is_some() } else { beyond_ascii };
                    }
                }
            }
        }
        first
    }
}

impl Node {
    /// Where it goes on after a character; none if it does not take that one.
    #[inline]
    #[must_use]
    pub fn takes(&self, c: char) -> Option<u32> {
        match self {
            Self::Char(own, next) => (*own == c).then_some(*next),
            Self::Class(class, next) => class.has(c).then_some(*next),
            Self::Tree(children, _) => {
                let c = folded(c);
                let at = children.binary_search_by_key(&c, |(known, _)| *known).ok()?;
                children.get(at).map(|(_, next)| *next)
            }
            Self::Match | Self::Split(..) | Self::Look(..) => None,
        }
    }
}

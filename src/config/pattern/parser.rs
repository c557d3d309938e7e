//! Reads a pattern: from its text to its parts, each mistake with its place.

use super::{BadPattern, Class, Item, Look};

/// How deep groups may be nested.
const MOST_DEPTH: u32 = 16;
/// The most repetitions that may be counted.
const MOST_TIMES: u32 = 256;

/// A pattern, taken apart.
#[derive(Debug)]
pub(super) enum Ast {
    Empty,
    Look(Look),
    Class(Class),
    All(Vec<Self>),
    Either(Vec<Self>),
    Times(Box<Self>, u32, Option<u32>),
}

impl Ast {
    /// Whether it may match no character at all.
    pub fn may_be_empty(&self) -> bool {
        match self {
            Self::Empty | Self::Look(_) => true,
            Self::Class(_) => false,
            Self::All(parts) => parts.iter().all(Self::may_be_empty),
            Self::Either(ways) => ways.iter().any(Self::may_be_empty),
            Self::Times(inner, least, _) => *least == 0 || inner.may_be_empty(),
        }
    }
}

/// The parts of a pattern.
///
/// # Errors
/// Says what keeps `text` from being one, and where.
pub(super) fn parse(text: &str) -> Result<Ast, BadPattern> {
    let mut parser = Parser { text: text.chars().collect(), at: 0, depth: 0, insensitive: false };
    let ast = parser.either()?;
    match parser.peek() {
        Some(_) => Err(parser.bad("a `)` that closes nothing")),
        None => Ok(ast),
    }
}

/// Reads a pattern.
struct Parser {
    text: Vec<char>,
    at: usize,
    depth: u32,
    insensitive: bool,
}

type Read<T> = Result<T, BadPattern>;

impl Parser {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(next)
    }

    fn eat(&mut self, expected: char) -> bool {
        let is = self.peek() == Some(expected);
        self.at = self.at.saturating_add(usize::from(is));
        is
    }

    /// What is wrong with the character that comes next.
    fn bad(&self, why: &'static str) -> BadPattern {
        BadPattern { at: Some(self.at.saturating_add(1)), why }
    }

    /// What is wrong with the character that was read last.
    fn was_bad(&self, why: &'static str) -> BadPattern {
        BadPattern { at: Some(self.at), why }
    }

    fn either(&mut self) -> Read<Ast> {
        let mut ways = vec![self.all()?];
        while self.eat('|') {
            ways.push(self.all()?);
        }
        Ok(if ways.len() > 1 { Ast::Either(ways) } else { ways.pop().unwrap_or(Ast::Empty) })
    }

    fn all(&mut self) -> Read<Ast> {
        let mut parts = Vec::new();
        while self.peek().is_some_and(|c| c != '|' && c != ')') {
            let atom = self.atom()?;
            parts.push(self.repeated(atom)?);
        }
        Ok(Ast::All(parts))
    }

    fn repeated(&mut self, atom: Ast) -> Read<Ast> {
        let (least, most) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => return self.counted(atom),
            _ => return Ok(atom),
        };
        self.next();
        self.once(Ast::Times(Box::new(atom), least, most))
    }

    fn counted(&mut self, atom: Ast) -> Read<Ast> {
        self.next();
        let least = self.number()?;
        let most = match self.eat(',') {
            false => Some(least),
            true if self.peek() == Some('}') => None,
            true => Some(self.number()?),
        };
        if !self.eat('}') {
            return Err(self.bad("expected `}` after {n}, {n,} or {n,m}"));
        }
        if most.is_some_and(|most| most < least) {
            return Err(self.was_bad("fewer at most than at least"));
        }
        self.once(Ast::Times(Box::new(atom), least, most))
    }

    fn number(&mut self) -> Read<u32> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.next();
            number = Some(number.unwrap_or(0_u32).saturating_mul(10).saturating_add(digit));
        }
        match number {
            None => Err(self.bad("expected a number after `{`; a brace itself is `\\{`")),
            Some(number) if number > MOST_TIMES => Err(self.was_bad("more than 256 repetitions")),
            Some(number) => Ok(number),
        }
    }

    /// Nothing that is repeated is so twice.
    fn once(&self, times: Ast) -> Read<Ast> {
        match self.peek() {
            Some('?') => Err(self.bad("every match counts, so none is lazy: no `?` after a repetition")),
            Some('*' | '+' | '{') => Err(self.bad("a repetition of a repetition")),
            _ => Ok(times),
        }
    }

    fn atom(&mut self) -> Read<Ast> {
        let Some(c) = self.next() else { return Ok(Ast::Empty) };
        Ok(match c {
            '(' => return self.group(),
            '[' => Ast::Class(self.class()?),
            '.' => {
                Ast::Class(Class { negated: true, insensitive: false, items: vec![Item::Range('\n', '\n')] })
            }
            '^' => Ast::Look(Look::Start),
            '$' => Ast::Look(Look::End),
            '*' | '+' | '?' | '{' => return Err(self.was_bad("a repetition of nothing")),
            '\\' => match self.peek() {
                Some('b') => self.look(Look::Word),
                Some('B') => self.look(Look::NoWord),
                _ => Ast::Class(self.of(self.insensitive, |parser| parser.escape())?),
            },
            c => Ast::Class(self.of(self.insensitive, |_| Ok(Item::Range(c, c)))?),
        })
    }

    fn look(&mut self, look: Look) -> Ast {
        self.next();
        Ast::Look(look)
    }

    fn of(&mut self, insensitive: bool, item: impl Fn(&mut Self) -> Read<Item>) -> Read<Class> {
        let item = item(self)?;
        let has_cases = matches!(item, Item::Range(c, _) if c.is_alphabetic());
        Ok(Class { negated: false, insensitive: insensitive && has_cases, items: vec![item] })
    }

    fn group(&mut self) -> Read<Ast> {
        let outer = self.insensitive;
        if self.eat('?') {
            if self.eat('i') {
                self.insensitive = true;
                if self.eat(')') {
                    // For the rest of the group that it stands in.
                    return Ok(Ast::Empty);
                }
            }
            if !self.eat(':') {
                return Err(self.bad(
                    "expected `(?:`, `(?i)` or `(?i:`: there is no looking around, and there are no names",
                ));
            }
        }
        self.depth = self.depth.saturating_add(1);
        if self.depth > MOST_DEPTH {
            return Err(self.was_bad("groups nested deeper than 16"));
        }
        let inner = self.either()?;
        if !self.eat(')') {
            return Err(self.bad("expected `)`"));
        }
        self.depth = self.depth.saturating_sub(1);
        self.insensitive = outer;
        Ok(inner)
    }

    fn class(&mut self) -> Read<Class> {
        let negated = self.eat('^');
        let mut items = Vec::new();
        loop {
            let from = match self.next() {
                None => return Err(self.bad("expected `]`")),
                Some(']') if items.is_empty() => {
                    return Err(self.was_bad("an empty class; a bracket itself is `\\]`"));
                }
                Some(']') => break,
                Some('[') => return Err(self.was_bad("a class within a class; a bracket itself is `\\[`")),
                Some('\\') => self.escape()?,
                Some(c) => Item::Range(c, c),
            };
            let is_range = self.peek() == Some('-') && self.text.get(self.at.saturating_add(1)) != Some(&']');
            items.push(match from {
                Item::Range(from, _) if is_range => {
                    self.next();
                    let to = match self.next() {
                        Some('\\') => self.escape()?,
                        Some(c) => Item::Range(c, c),
                        None => return Err(self.bad("expected `]`")),
                    };
                    match to {
                        Item::Range(to, _) if from <= to => Item::Range(from, to),
                        _ => return Err(self.was_bad("a range that ends before it begins")),
                    }
                }
                item => item,
            });
        }
        Ok(Class { negated, insensitive: self.insensitive, items })
    }

    /// What comes after a backslash.
    fn escape(&mut self) -> Read<Item> {
        let one = |c| Ok(Item::Range(c, c));
        match self.next() {
            Some(c @ ('d' | 'D')) => Ok(Item::Digit(c == 'd')),
            Some(c @ ('w' | 'W')) => Ok(Item::Word(c == 'w')),
            Some(c @ ('s' | 'S')) => Ok(Item::Space(c == 's')),
            Some('n') => one('\n'),
            Some('r') => one('\r'),
            Some('t') => one('\t'),
            Some('1'..='9') => Err(self.was_bad("there are no references back")),
            Some(c) if !c.is_alphanumeric() => one(c),
            Some(_) => Err(self.was_bad("no such escape")),
            None => Err(self.bad("a backslash with nothing after it")),
        }
    }
}

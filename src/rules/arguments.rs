//! The arguments of a call: a JSON text, whose strings are looked at each on its own, so that it stays one.

use super::escapes::{Escapes, escaped};
use super::screen::{Fired, Screen, Screened};
use std::rc::Rc;

/// The longest number or word that is looked at, in bytes.
const MOST_BARE: usize = 512;

/// A JSON text that is looked at as it comes.
#[derive(Debug)]
pub struct Arguments {
    screen: Rc<Screen>,
    place: Place,
    is_redacted: bool,
}

#[derive(Debug)]
enum Place {
    /// Between values.
    Between,
    /// In a number, `true`, `false` or `null`; or in what is none, where it is no JSON.
    Bare(String),
    /// In a string.
    String(Screened, Escapes),
}

impl Arguments {
    /// That of a call.
    #[must_use]
    pub fn new(screen: &Rc<Screen>) -> Self {
        Self { screen: Rc::clone(screen), place: Place::Between, is_redacted: false }
    }

    /// Whether anything of it was taken out, so far as its strings are over.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        self.is_redacted
    }

    /// Reads more of the text, and adds to `out` what can be let go.
    ///
    /// # Errors
    /// The rule by which nothing more of it must be let go.
    pub fn push(&mut self, text: &str, out: &mut String) -> Result<(), Fired> {
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let length = match &mut self.place {
                Place::String(text, escapes) => {
                    let (inside, closes) = string(rest, escapes.is_after_backslash());
                    let mut said = String::new();
                    text.push(&escapes.push(inside.as_bytes()), &mut said)?;
                    if closes {
                        text.push(&escapes.finish(), &mut said)?;
                        text.finish(&mut said)?;
                    }
                    escaped(&said, out);
                    if closes {
                        self.is_redacted |= text.is_redacted();
                        out.push('"');
                        self.place = Place::Between;
                    }
                    inside.len().saturating_add(usize::from(closes))
                }
                Place::Bare(bare) if is_bare(next) && bare.len() < MOST_BARE => {
                    bare.push(next);
                    next.len_utf8()
                }
                Place::Bare(_) => {
                    self.bare(out)?;
                    0
                }
                Place::Between if next == '"' => {
                    out.push('"');
                    self.place = Place::String(self.screen.text(), Escapes::default());
                    1
                }
                Place::Between if is_bare(next) => {
                    self.place = Place::Bare(String::new());
                    0
                }
                Place::Between => {
                    out.push(next);
                    next.len_utf8()
                }
            };
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// The text is over: adds the rest of it to `out`.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self, out: &mut String) -> Result<(), Fired> {
        self.bare(out)?;
        let Place::String(text, escapes) = &mut self.place else { return Ok(()) };
        let mut said = String::new();
        text.push(&escapes.finish(), &mut said)?;
        text.finish(&mut said)?;
        escaped(&said, out);
        self.is_redacted |= text.is_redacted();
        Ok(())
    }

    /// A number or a word has ended; if anything of it is redacted it becomes a string.
    fn bare(&mut self, out: &mut String) -> Result<(), Fired> {
        let Place::Bare(bare) = &self.place else { return Ok(()) };
        let (mut said, mut text) = (String::new(), self.screen.text());
        text.push(bare, &mut said)?;
        text.finish(&mut said)?;
        if !text.is_redacted() {
            out.push_str(bare);
        } else {
            self.is_redacted = true;
            out.push('"');
            escaped(&said, out);
            out.push('"');
        }
        self.place = Place::Between;
        Ok(())
    }
}

/// Whether a character is part of a number or a word.
fn is_bare(c: char) -> bool {
    !matches!(c, '"' | '{' | '}' | '[' | ']' | ',' | ':') && !c.is_ascii_whitespace()
}

/// The inside of a string up to where it closes, if it does; the first character may be the second of an escape.
fn string(text: &str, mut is_escaped: bool) -> (&str, bool) {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return (text.get(..at).unwrap_or(text), true),
            _ => {}
        }
    }
    (text, false)
}

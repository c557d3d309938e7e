//! What was asked and said, as the access log is told where the configuration has `log`: OpenTelemetry's messages, as JSON text.
//!
//! A text is read up to a bound, and what is not to be told is taken out as it is read. Where it is cut, what may have been the beginning of
//! a match is left out with the rest.

use crate::chat::{Form, said};
use crate::config::Config;
use crate::json::{self, Document, Surrogates, Value};
use crate::rules::{Said, Screen};
use std::rc::Rc;

/// A longer role, in bytes, is none.
const LONGEST_ROLE: usize = 16;
/// What stands where a text was cut.
const CUT: char = '…';

/// The beginning of a text, without what is not to be told of it.
#[derive(Debug)]
pub struct Excerpt {
    said: Said,
    out: String,
    /// How much more is read, in bytes.
    left: usize,
    most: usize,
    is_cut: bool,
}

impl Excerpt {
    /// That of an answer; none where it is not told.
    #[must_use]
    pub fn of_answer(config: &Config) -> Option<Box<Self>> {
        let log = config.log();
        if !log.answer {
            return None;
        }
        let screen = Screen::redacting(log.rules.clone())?;
        Some(Box::new(Self::new(&screen, log.max_bytes)))
    }

    /// Whether nothing more of the text is told, so that the rest need not be read.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn new(screen: &Rc<Screen>, most: usize) -> Self {
        Self { said: Said::text(screen), out: String::new(), left: most, most, is_cut: false }
    }

    /// Reads more of it: the inside of a JSON string.
    pub fn push(&mut self, inside: &[u8]) {
        let mut end = inside.len().min(self.left);
        self.left = self.left.saturating_sub(end);
        if end < inside.len() {
            (self.left, self.is_cut) = (0, true);
            while end > 0 && inside.get(end).is_some_and(|byte| byte & 0xC0 == 0x80) {
                end = end.saturating_sub(1);
            }
        }
        // None of the log's rules denies.
        _ = self.said.push(inside.get(..end).unwrap_or_default(), &mut self.out);
    }

    /// Reads this, if it is a string.
    fn words(&mut self, value: Value<'_>) {
        if let Some(text) = value.text() {
            self.push(text.as_bytes());
        }
    }

    /// Reads a piece of an answer as it goes to the client: events of a stream, or all of it.
    pub fn read(&mut self, piece: &[u8]) {
        let form = match piece.trim_ascii_start().first() {
            Some(b'{') => Form::Whole,
            _ => Form::Chunks,
        };
        said(piece, form, &mut |inside| self.push(inside));
    }

    /// An answer's message; none if nothing was said.
    #[must_use]
    pub fn into_answer(self) -> Option<Vec<u8>> {
        let text = self.into_text();
        let mut message = Vec::new();
        if !text.is_empty() {
            put(&mut message, b"assistant", &text);
        }
        list(message)
    }

    fn into_text(mut self) -> String {
        if !self.is_cut {
            _ = self.said.finish(&mut self.out);
        }
        let mut end = self.out.len().min(self.most);
        while !self.out.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        self.is_cut |= end < self.out.len();
        self.out.truncate(end);
        if self.is_cut {
            self.out.push(CUT);
        }
        self.out
    }
}

/// The messages of a request with this body: the last ones that are together no longer than what is told, or the beginning of the last one.
/// None if they are not told, or there is none.
#[must_use]
pub fn prompt(body: &[u8], config: &Config) -> Option<Vec<u8>> {
    let log = config.log();
    if !log.prompt {
        return None;
    }
    let screen = Screen::redacting(log.rules.clone())?;
    let document = Document::parse(body, Surrogates::Lone).ok()?;
    let asked = document.root();
    let mut told = Vec::new();
    let mut tell = |message: Value<'_>, content: Value<'_>| {
        let mut excerpt = Excerpt::new(&screen, log.max_bytes);
        excerpt.words(content);
        content.items().for_each(|part| excerpt.words(part.get("text").unwrap_or(part)));
        let role = message.get("role").and_then(Value::text);
        let role = role.as_ref().map_or(&b"user"[..], |role| role.as_bytes());
        put(&mut told, role, &excerpt.into_text());
    };
    if let Some(input) = asked.get("input") {
        tell(asked, input);
    }
    if let Some(messages) = asked.get("messages") {
        let mut rest = messages.items().fold(0_usize, |all, message| all.saturating_add(message.raw().len()));
        for message in messages.items() {
            let fits = rest <= log.max_bytes;
            rest = rest.saturating_sub(message.raw().len());
            if let Some(content) = message.get("content").filter(|_| fits || rest == 0) {
                tell(message, content);
            }
        }
    }
    list(told)
}

/// Adds a message as OpenTelemetry has it; the role is the inside of a JSON string.
fn put(out: &mut Vec<u8>, role: &[u8], text: &str) {
    out.extend_from_slice(br#",{"role":""#);
    out.extend_from_slice(if role.len() > LONGEST_ROLE { b"" } else { role });
    out.extend_from_slice(br#"","parts":[{"type":"text","content":"#);
    json::string(out, text);
    out.extend_from_slice(b"}]}");
}

/// The list of what was [`put`]; none if nothing was.
fn list(mut messages: Vec<u8>) -> Option<Vec<u8>> {
    *messages.first_mut()? = b'[';
    messages.push(b']');
    Some(messages)
}

//! Citations of web pages as OpenAI's `url_citation` annotations.
//!
//! Anthropic cites for a block of text, OpenAI for a place in the message. What is cited from
//! documents of the request has no address, and no counterpart.

use crate::chat::{Delta, Event};
use crate::json::{Text, Value, array};
use crate::provider::Emit;

/// The citations of an answer.
#[derive(Debug, Default)]
pub(super) struct Citations {
    /// How many characters of text there are so far, and at the begin of the block.
    chars: usize,
    block: usize,
    cited: Vec<Cited>,
}

#[derive(Debug)]
struct Cited {
    start: usize,
    /// Unknown until the block ends.
    end: Option<usize>,
    url: Text<'static>,
    title: Text<'static>,
}

impl Citations {
    /// The block's text goes on.
    pub fn text(&mut self, text: &Text<'_>) {
        self.chars = self.chars.saturating_add(text.decode().chars().count());
    }

    /// The block has this citation.
    pub fn cite(&mut self, citation: Value<'_>) {
        let text = |key: &str| citation.get(key).and_then(Value::text).map(Text::into_owned);
        if let Some(url) = text("url").filter(|url| !url.is_empty()) {
            let title = text("title").unwrap_or_default();
            self.cited.push(Cited { start: self.block, end: None, url, title });
        }
    }

    /// The block ends.
    pub fn close(&mut self) {
        self.cited.iter_mut().for_each(|cited| cited.end = cited.end.or(Some(self.chars)));
        self.block = self.chars;
    }

    /// Tells them all, once.
    pub fn tell(&mut self, emit: Emit<'_>) {
        self.close();
        if self.cited.is_empty() {
            return;
        }
        let mut json = Vec::new();
        array(&mut json, |list| {
            for (index, cited) in self.cited.drain(..).enumerate() {
                list.object(|annotation| {
                    // Clients join lists by it.
                    annotation.number("index", index);
                    annotation.string("type", "url_citation");
                    annotation.object("url_citation", |citation| {
                        citation.number("start_index", cited.start);
                        citation.number("end_index", cited.end.unwrap_or(cited.start));
                        citation.text("title", &cited.title);
                        citation.text("url", &cited.url);
                    });
                });
            }
        });
        let delta = Delta::Member { key: Text::of("annotations"), value: &json };
        emit(Event::Delta { choice: 0, delta });
    }
}

//! What a provider answers, looked at by the content rules that concern it, between reader and writer.
//!
//! Each text of each choice is looked at on its own: what is said, thought, refused, and the arguments of each call. A choice in which
//! something is said that must not be ends there: what was not let go of it is withheld. Probabilities of tokens would tell what was
//! taken out, so they are left out; a thinking block in which something was redacted loses its signature, which would not fit it
//! any more.

use crate::chat::{Delta, Event, Thinking};
use crate::estimate::Tally;
use crate::json::Text;
use crate::rules::{Fired, Said, Screen};
use std::rc::Rc;

/// Providers choose how many texts there are, so that is bounded.
const MOST_TEXTS: usize = 1024;

/// Takes the events of an answer.
type Emit<'e> = &'e mut dyn FnMut(Event<'_>);

pub(super) struct Guard {
    screen: Rc<Screen>,
    texts: Vec<Channel>,
    /// The choices that have ended here.
    denied: Vec<u32>,
    /// What was generated, whatever became of it.
    tally: Tally,
}

/// One text of a choice.
struct Channel {
    choice: u32,
    kind: Kind,
    said: Said,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Text,
    Reasoning,
    Refusal,
    /// Of this block.
    Thinking(u32),
    /// Of this call.
    Arguments(u32),
}

impl Channel {
    /// Says more of the text.
    fn say(&self, out: &str, emit: Emit<'_>) {
        if out.is_empty() {
            return;
        }
        let text = Text::of(out);
        let delta = match self.kind {
            Kind::Text => Delta::Text(text),
            Kind::Reasoning => Delta::Reasoning(text),
            Kind::Refusal => Delta::Refusal(text),
            Kind::Thinking(block) => Delta::Thinking { block, piece: Thinking::Text(text) },
            Kind::Arguments(index) => Delta::Arguments { index, fragment: text },
        };
        emit(Event::Delta { choice: self.choice, delta });
    }
}

impl Guard {
    pub fn new(screen: &Rc<Screen>) -> Self {
        let (texts, denied) = Default::default();
        Self { screen: Rc::clone(screen), texts, denied, tally: Tally::default() }
    }

    /// What was generated so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Takes an event, and hands on what becomes of it.
    pub fn take(&mut self, event: Event<'_>, emit: Emit<'_>) {
        match event {
            Event::Delta { choice, delta } => self.delta(choice, delta, emit),
            Event::Finish { choice, .. } => {
                self.end(choice, |_| true, emit);
                if !self.denied.contains(&choice) {
                    emit(event);
                }
            }
            Event::End => {
                while let Some(choice) = self.texts.first().map(|text| text.choice) {
                    self.end(choice, |_| true, emit);
                }
                emit(event);
            }
            event => emit(event),
        }
    }

    fn delta(&mut self, choice: u32, delta: Delta<'_>, emit: Emit<'_>) {
        let (kind, text) = match &delta {
            Delta::Text(text) => (Kind::Text, text),
            Delta::Reasoning(text) => (Kind::Reasoning, text),
            Delta::Refusal(text) => (Kind::Refusal, text),
            Delta::Thinking { block, piece: Thinking::Text(text) } => (Kind::Thinking(*block), text),
            Delta::Arguments { index, fragment } => (Kind::Arguments(*index), fragment),
            Delta::Logprobs(_) => return,
            Delta::Call { index, name, custom, .. } => {
                self.tally.push(name.as_bytes());
                // The input of a custom tool is no JSON.
                if *custom && !self.denied.contains(&choice) {
                    let said = Said::text(&self.screen);
                    self.begin(choice, Kind::Arguments(*index), said);
                }
                return self.pass(choice, delta, emit);
            }
            Delta::Thinking { block, piece: Thinking::Signature(_) } => {
                let is_redacted = self.end(choice, |kind| kind == Kind::Thinking(*block), emit);
                return if !is_redacted {
                    self.pass(choice, delta, emit)
                };
            }
            _ => return self.pass(choice, delta, emit),
        };
        self.tally.push(text.as_bytes());
        if self.denied.contains(&choice) {
            return;
        }
        let is_known = |text: &Channel| text.choice == choice && text.kind == kind;
        if !self.texts.iter().any(is_known) {
            let said = match kind {
                Kind::Arguments(_) => Said::json(&self.screen),
                _ => Said::text(&self.screen),
            };
            self.begin(choice, kind, said);
        }
        let Some(known) = self.texts.iter_mut().find(|text| is_known(text)) else { return };
        let mut out = String::new();
        match known.said.push(text.as_bytes(), &mut out) {
            Ok(()) => known.say(&out, emit),
            Err(Fired(_)) => self.deny(choice, emit),
        }
    }

    fn begin(&mut self, choice: u32, kind: Kind, said: Said) {
        if self.texts.len() < MOST_TEXTS {
            self.texts.push(Channel { choice, kind, said });
        }
    }

    fn pass(&self, choice: u32, delta: Delta<'_>, emit: Emit<'_>) {
        if !self.denied.contains(&choice) {
            emit(Event::Delta { choice, delta });
        }
    }

    /// Ends those texts of a choice; says whether anything of them was redacted.
    fn end(&mut self, choice: u32, which: impl Fn(Kind) -> bool, emit: Emit<'_>) -> bool {
        let mut is_redacted = false;
        let ends = |text: &Channel| text.choice == choice && which(text.kind);
        while let Some(at) = self.texts.iter().position(ends) {
            let mut text = self.texts.remove(at);
            let mut out = String::new();
            if text.said.finish(&mut out).is_err() {
                self.deny(choice, emit);
                return true;
            }
            is_redacted |= text.said.is_redacted();
            text.say(&out, emit);
        }
        is_redacted
    }

    fn deny(&mut self, choice: u32, emit: Emit<'_>) {
        self.texts.retain(|text| text.choice != choice);
        self.denied.push(choice);
        emit(Event::Withheld { choice });
    }
}

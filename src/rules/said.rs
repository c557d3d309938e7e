//! A text of either kind that is looked at as it comes, from the inside of a JSON string.

use super::arguments::Arguments;
use super::escapes::Escapes;
use super::screen::{Fired, Screen, Screened};
use std::rc::Rc;

/// A text that is looked at.
#[derive(Debug)]
pub struct Said {
    escapes: Escapes,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text(Screened),
    Json(Arguments),
}

impl Said {
    /// A plain text.
    #[must_use]
    pub fn text(screen: &Rc<Screen>) -> Self {
        Self { escapes: Escapes::default(), kind: Kind::Text(screen.text()) }
    }

    /// A JSON text that has to stay one, as the arguments of a call.
    #[must_use]
    pub fn json(screen: &Rc<Screen>) -> Self {
        Self { escapes: Escapes::default(), kind: Kind::Json(Arguments::new(screen)) }
    }

    /// Reads more of it, the inside of a JSON string, and adds to `out` what can be let go.
    ///
    /// # Errors
    /// The rule by which nothing more of it must be let go.
    pub fn push(&mut self, inside: &[u8], out: &mut String) -> Result<(), Fired> {
        let text = self.escapes.push(inside);
        self.read(&text, out)
    }

    /// It is over: adds the rest of it to `out`.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self, out: &mut String) -> Result<(), Fired> {
        let rest = self.escapes.finish();
        self.read(&rest, out)?;
        match &mut self.kind {
            Kind::Text(text) => text.finish(out),
            Kind::Json(json) => json.finish(out),
        }
    }

    /// Whether anything of it was taken out.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        match &self.kind {
            Kind::Text(text) => text.is_redacted(),
            Kind::Json(json) => json.is_redacted(),
        }
    }

    fn read(&mut self, text: &str, out: &mut String) -> Result<(), Fired> {
        match &mut self.kind {
            Kind::Text(plain) => plain.push(text, out),
            Kind::Json(json) => json.push(text, out),
        }
    }
}

//! The three dialects behind one face: admit, check, read, answer, fail.
use hyper::HeaderMap;
use serde_json::Value;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::directives::Directives;
use crate::failure::{Failure, WireError};
use crate::playback::Event;
use crate::route::{Dialect, Form};
use crate::{anthropic, gemini, openai};

impl Dialect {
    /// The dialect's usual response headers.
    pub fn headers(self) -> Vec<(&'static str, String)> {
        match self {
            Dialect::OpenAi => openai::headers(),
            Dialect::Anthropic => anthropic::headers(),
            Dialect::Gemini => gemini::headers(),
        }
    }

    /// Refuses a request without the credentials the provider wants.
    pub fn admit(self, provider: &str, uri: &hyper::Uri, headers: &HeaderMap) -> Result<(), Failure> {
        match self {
            Dialect::OpenAi => openai::admit(provider, headers),
            Dialect::Anthropic => anthropic::admit(headers),
            Dialect::Gemini => gemini::admit(uri.path(), uri.query(), headers),
        }
    }

    /// Refuses what the provider would refuse.
    pub fn check(self, provider: &str, model: &str, body: &Value) -> Result<(), Failure> {
        match self {
            Dialect::OpenAi => openai::check::check(provider, model, body),
            Dialect::Anthropic => anthropic::check::check(model, body),
            Dialect::Gemini => gemini::check::check(model, body),
        }
    }

    /// What the request asks.
    pub fn read(self, body: &Value, model: &str, body_bytes: usize) -> Ask {
        match self {
            Dialect::OpenAi => openai::request::read(body, model, body_bytes),
            Dialect::Anthropic => anthropic::request::read(body, model, body_bytes),
            Dialect::Gemini => gemini::request::read(body, model, body_bytes),
        }
    }

    /// The answer in one piece.
    pub fn whole(self, ask: &Ask, answer: &Answer, provider: &str) -> String {
        match self {
            Dialect::OpenAi => openai::response::whole(ask, answer, provider).to_string(),
            Dialect::Anthropic => anthropic::response::whole(ask, answer).to_string(),
            Dialect::Gemini => format!("{:#}\n", gemini::response::whole(ask, answer)),
        }
    }

    /// The answer as a stream.
    pub fn events(
        self,
        form: Form,
        ask: &Ask,
        answer: &Answer,
        provider: &str,
        told: &Directives,
    ) -> Vec<Event> {
        match self {
            Dialect::OpenAi => openai::response::events(ask, answer, provider, told.no_done),
            Dialect::Anthropic => anthropic::response::events(ask, answer, told.no_done),
            Dialect::Gemini => gemini::response::events(ask, answer, form),
        }
    }

    /// A failure in the provider's words.
    pub fn error(self, provider: &str, failure: &Failure, model: &str) -> WireError {
        match self {
            Dialect::OpenAi => openai::error(provider, failure, model),
            Dialect::Anthropic => anthropic::error(failure, model),
            Dialect::Gemini => gemini::error(failure, model),
        }
    }

    /// An error inside a stream; `first` where nothing came before it.
    pub fn error_event(self, form: Form, error: &Value, first: bool) -> Event {
        match self {
            Dialect::OpenAi => openai::response::error_event(error),
            Dialect::Anthropic => anthropic::response::error_event(error),
            Dialect::Gemini => gemini::response::error_event(error, form, first),
        }
    }

    /// The list of models.
    pub fn models(self) -> Value {
        match self {
            Dialect::OpenAi => openai::models(),
            Dialect::Anthropic => anthropic::models(),
            Dialect::Gemini => gemini::models(),
        }
    }

    /// The content type of an answer.
    pub fn content_type(self, form: Form) -> &'static str {
        match (self, form) {
            (Dialect::Gemini, Form::Events) => "text/event-stream",
            (_, Form::Events) => "text/event-stream; charset=utf-8",
            (Dialect::Gemini, _) => "application/json; charset=UTF-8",
            _ => "application/json",
        }
    }
}

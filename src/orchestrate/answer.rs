//! What was answered to a call.

use super::form::{calls, choice_of, message_of};
use crate::chat::{FinishReason, Usage};
use crate::error::ApiError;
use crate::json::{Document, Surrogates, Value};
use crate::money::NanoUsd;

/// An answer as it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received<'r> {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: &'r [u8],
    /// `x-modelgate-provider`.
    pub provider: &'r str,
    /// `x-modelgate-model`.
    pub model: &'r str,
    /// `retry-after`.
    pub retry_after: &'r str,
    /// `x-modelgate-cost-usd`.
    pub cost: Option<NanoUsd>,
}

/// An answer, read.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was said; if nothing was, why, in a word.
    pub said: Result<Said, String>,
    /// What was answered instead of a completion, if something was: any status but 200.
    pub refusal: Option<Refusal>,
    /// Tokens it has used.
    pub usage: Usage,
    /// What they cost, if that is known.
    pub cost: Option<NanoUsd>,
    /// The model that has answered; empty if none has.
    pub model: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// How long everything that is still to be done may take, in milliseconds.
    pub left_ms: u64,
}

/// What is answered instead of a completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The body: an error as OpenAI's clients know it.
    pub body: Vec<u8>,
    /// When to come back, as `retry-after` has it; empty if that is not said.
    pub retry_after: String,
}

/// What a model has said, of the first choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The whole `chat.completion`.
    pub completion: Vec<u8>,
    /// Its text.
    pub text: String,
    /// The tools that it calls, a JSON list.
    pub calls: Option<Vec<u8>>,
    /// Why it ended.
    pub finish: Option<FinishReason>,
    /// Whether it declines.
    pub refuses: bool,
    /// Whether it was looked at, and has not the form that was asked for.
    pub misfits: bool,
    /// The provider's name.
    pub provider: String,
    /// The model's name.
    pub model: String,
}

impl Answer {
    /// Reads an answer.
    #[must_use]
    pub fn read(received: &Received<'_>) -> Self {
        let said = match Document::parse(received.body, Surrogates::Lone) {
            Ok(document) if received.status == 200 => {
                let usage = document.root().get("usage").map(Usage::read).unwrap_or_default();
                (Said::read(document.root(), received).ok_or("no_answer".to_owned()), usage)
            }
            Ok(document) => (Err(failure(received.status, document.root())), Usage::default()),
            Err(_) => (Err(format!("{}:not_json", received.status)), Usage::default()),
        };
        let refusal = (received.status != 200).then(|| Refusal::of(received));
        let ((said, usage), cost, model) = (said, received.cost, received.model.to_owned());
        Self { said, refusal, usage, cost, model, ms: 0, left_ms: 0 }
    }

    /// What a service has answered, of which no more than so many bytes are of use.
    #[must_use]
    pub fn of_service(received: &Received<'_>, most: usize) -> Self {
        let said = match std::str::from_utf8(received.body) {
            _ if !(200..300).contains(&received.status) => Err(format!("{}:tool", received.status)),
            _ if received.body.len() > most => Err("too_large".to_owned()),
            Err(_) => Err("not_text".to_owned()),
            Ok(text) => Ok(Said::plain(text)),
        };
        let (refusal, usage, cost, model) = Default::default();
        Self { said, refusal, usage, cost, model, ms: 0, left_ms: 0 }
    }
}

impl Refusal {
    fn of(received: &Received<'_>) -> Self {
        let document = Document::parse(received.body, Surrogates::Lone).ok();
        // What Envoy says by itself is text.
        let is_error = document.is_some_and(|document| document.root().get("error").is_some());
        let unanswered =
            || ApiError::new(received.status, "server_error", "the gateway could not be asked").to_json();
        let body = if is_error { received.body.to_vec() } else { unanswered() };
        Self { status: received.status, body, retry_after: received.retry_after.to_owned() }
    }
}

/// Why there is no answer: `503:no_provider`.
fn failure(status: u16, body: Value<'_>) -> String {
    let text = |key| body.get("error").and_then(|error| error.get(key)?.text());
    let word = text("code").or_else(|| text("type")).map(|word| word.decode().into_owned());
    format!("{status}:{}", word.as_deref().unwrap_or("error"))
}

impl Said {
    fn read(answer: Value<'_>, received: &Received<'_>) -> Option<Self> {
        let choice = choice_of(answer)?;
        let message = choice.get("message")?;
        let text = |key| message.get(key).and_then(Value::text).map(|text| text.decode().into_owned());
        let calls = message.get("tool_calls").or_else(|| message.get("function_call"));
        let calls = calls.filter(|calls| !calls.is_null()).map(|calls| calls.raw().to_vec());
        let reason = choice.get("finish_reason").and_then(Value::text);
        let refusal = text("refusal").filter(|refusal| !refusal.is_empty());
        let said = Self {
            completion: received.body.to_vec(),
            refuses: refusal.is_some(),
            misfits: false,
            text: text("content").filter(|text| !text.is_empty()).or(refusal).unwrap_or_default(),
            calls,
            finish: reason.and_then(|reason| FinishReason::named(&reason.decode())),
            provider: received.provider.to_owned(),
            model: received.model.to_owned(),
        };
        (!said.text.is_empty() || said.calls.is_some()).then_some(said)
    }

    /// A text that no model has said.
    fn plain(text: &str) -> Self {
        Self {
            completion: Vec::new(),
            text: text.to_owned(),
            calls: None,
            finish: None,
            refuses: false,
            misfits: false,
            provider: String::new(),
            model: String::new(),
        }
    }

    /// All that it says, for someone who compares it with others: calls without their ids, which are never the same.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut shown = self.text.clone();
        let document =
            self.calls.as_ref().and_then(|_| Document::parse(&self.completion, Surrogates::Lone).ok());
        let message = document.as_ref().and_then(|document| message_of(document.root()));
        for (_, call) in message.into_iter().flat_map(calls) {
            let text = |key| call.get(key).and_then(Value::text).map(|text| text.decode().into_owned());
            if let Some(name) = text("name") {
                shown.push_str(&["\n", &name, "(", &text("arguments").unwrap_or_default(), ")"].concat());
            }
        }
        shown.trim_start().to_owned()
    }

    /// Whether nothing about it tells that it is no good answer: it neither declines nor was cut, and
    /// has the form that was asked for, as far as that was looked at.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.refuses && !self.misfits && !self.is_cut()
    }

    /// Whether it is not all that was to be said.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        matches!(self.finish, Some(FinishReason::Length | FinishReason::ContentFilter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_an_error_in_its_form_whatever_has_answered() {
        let envoys = b"upstream connect error or disconnect/reset before headers";
        let own = br#"{"error":{"message":"no","type":"server_error","param":null,"code":"no_provider"}}"#;
        for (body, expected) in [
            (&envoys[..], "the gateway could not be asked"),
            (b"", "the gateway could not be asked"),
            (br#"{"detail":"no"}"#, "the gateway could not be asked"),
            (own, r#""code":"no_provider""#),
        ] {
            let refusal = Refusal::of(&Received { status: 503, body, ..Received::default() });
            let text = String::from_utf8(refusal.body).unwrap();
            assert!(text.starts_with(r#"{"error":"#) && text.contains(expected), "{text}");
        }
    }
}

//! One choice, whole (`message`) or a piece of it (`delta`), as events.
//!
//! Both forms have the same members, so they are read by the same code; what differs is which
//! unknown members may go on: in a stream only those that clients can join.

use super::calls::{Calls, Place};
use super::error;
use crate::chat::{Delta, Event, FinishReason};
use crate::error::ApiError;
use crate::json::{self, Kind, Text, Value};
use crate::provider::Emit;

/// All choices of an answer.
#[derive(Debug, Default)]
pub(super) struct Choices {
    /// The answer's id.
    pub answer: Vec<u8>,
    choices: Vec<Choice>,
}

#[derive(Debug, Default)]
struct Choice {
    begun: bool,
    finished: bool,
    calls: Calls,
    /// How many entries of lists went on.
    listed: u32,
    /// What Azure's filter said last.
    filtered: Vec<u8>,
}

/// Providers choose the index, so it is bounded.
const MOST: u64 = 128;

impl Choices {
    /// Reads the answer's or chunk's `choices`.
    pub fn read(&mut self, choices: Value<'_>, emit: Emit<'_>) {
        for (position, value) in choices.items().enumerate() {
            let position = u64::try_from(position).unwrap_or(MOST);
            let index = value.get("index").and_then(Value::u64).unwrap_or(position);
            let Ok(index) = u32::try_from(index.min(MOST)) else { continue };
            let at = index as usize;
            if value.kind() != Kind::Object || u64::from(index) >= MOST {
                continue;
            }
            if self.choices.len() <= at {
                self.choices.resize_with(at.saturating_add(1), Choice::default);
            }
            if let Some(choice) = self.choices.get_mut(at) {
                choice.begun = true;
                choice.read(value, index, &self.answer, emit);
            }
        }
    }

    /// Whether there are choices and each that began has its finish.
    pub fn complete(&self) -> bool {
        let mut begun = self.choices.iter().filter(|choice| choice.begun).peekable();
        begun.peek().is_some() && begun.all(|choice| choice.finished)
    }
}

impl Choice {
    fn read(&mut self, value: Value<'_>, index: u32, answer: &[u8], emit: Emit<'_>) {
        let delta = value.get("delta");
        let place = Place { choice: index, answer, whole: delta.is_none() };
        if let Some(message) = delta.or_else(|| value.get("message")) {
            self.message(message, &place, emit);
        }
        if let Some(logprobs) = value.get("logprobs").filter(|logprobs| has_tokens(*logprobs)) {
            emit(Event::Delta { choice: index, delta: Delta::Logprobs(logprobs.raw()) });
        }
        self.members(value, &place, emit);
        if value.get("error").is_some() {
            return emit(Event::Error(error::in_band(value)));
        }
        let Some(reason) = value.get("finish_reason").and_then(Value::text) else { return };
        match finish(&reason.decode()) {
            Some(Ok(reason)) => {
                self.finished = true;
                emit(Event::Finish { choice: index, reason });
            }
            Some(Err(error)) => emit(Event::Error(error)),
            None => {}
        }
    }

    fn message(&mut self, message: Value<'_>, place: &Place<'_>, emit: Emit<'_>) {
        let mut say = |delta: Delta<'_>| emit(Event::Delta { choice: place.choice, delta });
        let said = |key: &str| message.get(key).and_then(Value::text).filter(|text| !text.is_empty());
        match said("reasoning_content").or_else(|| said("reasoning")) {
            Some(reasoning) => say(Delta::Reasoning(reasoning)),
            None => message.get("reasoning_details").into_iter().flat_map(Value::items).for_each(|detail| {
                let text = ["text", "summary"].iter().find_map(|key| detail.get(key)?.text());
                say(Delta::Reasoning(text.unwrap_or_default()));
            }),
        }
        match message.get("content") {
            Some(content) if content.kind() == Kind::Array => {
                content.items().for_each(|part| self::part(part, &mut say))
            }
            Some(content) => say(Delta::Text(content.text().unwrap_or_default())),
            None => {}
        }
        if let Some(refusal) = said("refusal") {
            say(Delta::Refusal(refusal));
        }
        for (key, value) in message.entries().filter(|(_, value)| !value.is_null()) {
            match key.text() {
                Some(key) if key == "tool_calls" => {
                    value.items().for_each(|call| self.calls.read(call, place, emit));
                }
                Some(key) => self.member(key, value, place, emit),
                None => {}
            }
        }
    }

    /// A member of the message that is not typed.
    fn member(&mut self, key: Text<'_>, value: Value<'_>, place: &Place<'_>, emit: Emit<'_>) {
        let choice = place.choice;
        let name = key.decode();
        let delta = match name.as_ref() {
            "role" | "content" | "refusal" | "reasoning" | "reasoning_content" | "index" => return,
            "extra_content" => {
                let signature =
                    value.get("google").and_then(|google| google.get("thought_signature")?.text());
                let Some(signature) = signature else { return };
                Delta::Signature(signature)
            }
            "annotations" | "images" if !place.whole && value.kind() == Kind::Array => {
                let list = self.numbered(value);
                if value.items().next().is_some() {
                    emit(Event::Delta { choice, delta: Delta::Member { key: key.borrow(), value: &list } });
                }
                return;
            }
            "function_call" | "audio" => Delta::Member { key: key.borrow(), value: value.raw() },
            // Joined, unknown strings are doubled and lists without an index are an error.
            _ if !place.whole => return,
            _ => Delta::Member { key: key.borrow(), value: value.raw() },
        };
        emit(Event::Delta { choice, delta });
    }

    /// A list whose entries have the index by which clients join lists.
    fn numbered(&mut self, list: Value<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(list.raw().len().saturating_add(32));
        json::array(&mut out, |entries| {
            for entry in list.items().filter(|entry| entry.kind() == Kind::Object) {
                entries.object(|out| {
                    out.number("index", self.listed);
                    super::request::without(entry, "index", out);
                });
                self.listed = self.listed.saturating_add(1);
            }
        });
        out
    }

    /// Members of the choice beside the message.
    fn members(&mut self, value: Value<'_>, place: &Place<'_>, emit: Emit<'_>) {
        const KNOWN: [&str; 7] = ["index", "delta", "message", "finish_reason", "logprobs", "usage", "error"];
        for (key, value) in value.entries().filter(|(_, value)| !value.is_null()) {
            let Some(key) = key.text().filter(|key| !KNOWN.iter().any(|known| key == known)) else {
                continue;
            };
            if !place.whole {
                // Azure repeats what its filter found with every piece.
                let says = key == "content_filter_results" && value.entries().next().is_some();
                if !says || self.filtered == value.raw() {
                    continue;
                }
                self.filtered.clear();
                self.filtered.extend_from_slice(value.raw());
            }
            emit(Event::Delta {
                choice: place.choice,
                delta: Delta::ChoiceMember { key, value: value.raw() },
            });
        }
    }
}

/// A part of a content that is a list, as Mistral's thinking models answer.
fn part(part: Value<'_>, say: &mut impl FnMut(Delta<'_>)) {
    let inner = |key: &str| {
        part.get(key).filter(|value| value.kind() == Kind::Array).into_iter().flat_map(Value::items)
    };
    if let Some(thinking) = part.get("thinking").and_then(Value::text) {
        return say(Delta::Reasoning(thinking));
    }
    for text in inner("thinking").filter_map(|piece| piece.get("text")?.text()) {
        say(Delta::Reasoning(text));
    }
    if let Some(text) = part.text().or_else(|| part.get("text")?.text()) {
        say(Delta::Text(text));
    }
}

/// Whether log probabilities are there and in OpenAI's form.
fn has_tokens(logprobs: Value<'_>) -> bool {
    let lists = ["content", "refusal"].into_iter().filter_map(|key| logprobs.get(key));
    lists.into_iter().any(|list| list.items().next().is_some())
}

/// What a vendor's word for the end of a choice means; nothing if it is no end.
fn finish(word: &str) -> Option<Result<FinishReason, ApiError>> {
    Some(Ok(match word.to_ascii_lowercase().as_str() {
        "" | "null" => return None,
        // The answer is not complete because something broke; that is all these say.
        "error" | "network_error" | "unexpected" => {
            return Some(Err(ApiError::new(502, "server_error", "the provider broke off its answer")));
        }
        "length"
        | "max_tokens"
        | "max_output_tokens"
        | "model_length"
        | "insufficient_system_resource"
        | "abort"
        | "model_context_window_exceeded" => FinishReason::Length,
        "tool_calls" | "tool_call" | "tool_use" => FinishReason::ToolCalls,
        "function_call" => FinishReason::FunctionCall,
        "content_filter" | "sensitive" | "safety" | "refusal" | "recitation" | "blocklist"
        | "prohibited_content" | "spii" => FinishReason::ContentFilter,
        // "stop", "eos", "end_turn", "stop_sequence" and what nobody knows yet.
        _ => FinishReason::Stop,
    }))
}

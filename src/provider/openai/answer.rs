//! A whole answer, and what whole answers and chunks have in common at their top level.

use super::choice::Choices;
use super::{error, usage};
use crate::chat::Event;
use crate::error::ApiError;
use crate::json::{Kind, Text, Value};
use crate::provider::Emit;

/// Reads a body of status 200.
pub(super) fn read(body: Value<'_>, emit: Emit<'_>) {
    if error::is_one(body) {
        return emit(Event::Error(error::in_band(body)));
    }
    let choices = body.get("choices").filter(|choices| choices.items().next().is_some());
    let Some(choices) = choices else {
        let message = "expected a chat completion with `choices`, found none";
        return emit(Event::Error(ApiError::bad_answer(message)));
    };
    let mut state = Choices::default();
    if let Some(id) = start(body, emit) {
        state.answer = id.as_bytes().to_vec();
    }
    members(body, true, emit);
    state.read(choices, emit);
    if let Some(usage) = usage::find(body) {
        emit(Event::Usage(usage));
    }
    emit(Event::End);
}

/// Tells of the answer's id, model and time, where it has any; gives the id.
pub(super) fn start<'d>(body: Value<'d>, emit: Emit<'_>) -> Option<Text<'d>> {
    let text = |key: &str| body.get(key).and_then(Value::text).filter(|text| !text.is_empty());
    let created = body.get("created").and_then(Value::f64).filter(|created| *created >= 1.0);
    // Some give fractions of a second.
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
    let created = created.map(|created| created as i64);
    let (id, model) = (text("id"), text("model"));
    if id.is_some() || model.is_some() {
        emit(Event::Start { id: id.clone(), model, created });
    }
    id
}

/// Tells of the top level's other members. In a stream a member stands in every chunk, so only
/// plain values go on, and not those that are another one each time.
pub(super) fn members(body: Value<'_>, whole: bool, emit: Emit<'_>) {
    // `obfuscation` and Mistral's `p` are padding.
    const KNOWN: [&str; 10] =
        ["id", "object", "created", "model", "choices", "usage", "x_groq", "obfuscation", "p", "error"];
    for (key, value) in body.entries() {
        let Some(key) = key.text().filter(|key| !KNOWN.iter().any(|known| key == known)) else { continue };
        let plain = matches!(value.kind(), Kind::String | Kind::Number | Kind::Bool);
        if whole || plain {
            emit(Event::Member { key, value: value.raw() });
        }
    }
}

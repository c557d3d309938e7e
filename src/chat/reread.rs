//! Reads canonical answers and chunks back into events.
//!
//! Whatever a provider speaks, behind its attempt an answer is in OpenAI's form, with the extensions
//! that the writers give it. This is their inverse: it knows no vendor's ways, and forgives nothing
//! that an attempt would have mended.

use super::chunks::ChunkWriter;
use super::costs::MEMBER;
use super::event::{Delta, Event, FinishReason, Thinking, Usage};
use crate::json::{Text, Value};

/// Takes the events of an answer.
type Emit<'e> = &'e mut dyn FnMut(Event<'_>);

/// Reads a `chat.completion` or a `chat.completion.chunk`; the latter's `[DONE]` is not one, and an
/// error is neither.
pub fn reread(answer: Value<'_>, emit: Emit<'_>) {
    let text = |key: &str| answer.get(key).and_then(Value::text);
    let created = answer.get("created").and_then(Value::i64);
    emit(Event::Start { id: text("id"), model: text("model"), created });
    for (key, value) in
        others(answer, &["id", "object", "created", "model", "choices", "usage", "obfuscation", MEMBER])
    {
        emit(Event::Member { key, value: value.raw() });
    }
    for (position, choice) in answer.get("choices").into_iter().flat_map(Value::items).enumerate() {
        let index = choice.get("index").and_then(Value::u64).or(u64::try_from(position).ok());
        if let Some(index) = index.and_then(|index| u32::try_from(index).ok()) {
            read_choice(choice, index, emit);
        }
    }
    if let Some(usage) = answer.get("usage") {
        emit(Event::Usage(Usage::read(usage)));
    }
}

/// A whole answer, a `chat.completion`, as the stream that it could have come as, by this writer; `usage` is told in the place of its own.
/// None if it cannot be streamed.
#[must_use]
pub fn streamed(answer: Value<'_>, usage: Option<Usage>, mut writer: ChunkWriter) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(answer.raw().len().saturating_add(1024));
    reread(answer, &mut |event| writer.write(event, &mut out));
    if let Some(usage) = usage {
        writer.write(Event::Usage(usage), &mut out);
    }
    writer.write(Event::End, &mut out);
    (!writer.failed()).then_some(out)
}

/// The members of an object that are there and have none of these names.
fn others<'d>(object: Value<'d>, known: &[&str]) -> impl Iterator<Item = (Text<'d>, Value<'d>)> {
    object.entries().filter_map(|(name, value)| {
        let is_known = value.is_null() || known.iter().any(|known| name.says(known));
        Some((name.text()?, value)).filter(|_| !is_known)
    })
}

fn read_choice(choice: Value<'_>, index: u32, emit: Emit<'_>) {
    let mut say = |delta: Delta<'_>| emit(Event::Delta { choice: index, delta });
    if let Some(message) = choice.get("message").or_else(|| choice.get("delta")) {
        read_message(message, &mut say);
    }
    if let Some(logprobs) = choice.get("logprobs") {
        say(Delta::Logprobs(logprobs.raw()));
    }
    for (key, value) in others(choice, &["index", "message", "delta", "logprobs", "finish_reason"]) {
        say(Delta::ChoiceMember { key, value: value.raw() });
    }
    let reason = choice.get("finish_reason").and_then(Value::text);
    if let Some(reason) = reason.and_then(|reason| FinishReason::named(&reason.decode())) {
        emit(Event::Finish { choice: index, reason });
    }
}

fn read_message(message: Value<'_>, say: &mut dyn FnMut(Delta<'_>)) {
    let text = |key: &str| message.get(key).and_then(Value::text);
    let extra = |provider: &str| message.get("extra_content").and_then(|extra| extra.get(provider));
    let blocks = extra("anthropic").and_then(|anthropic| anthropic.get("thinking_blocks"));
    let blocks = || blocks.into_iter().flat_map(Value::items).enumerate();
    // What the blocks say is in `reasoning_content` too.
    let said_by_blocks = blocks().any(|(_, block)| block.get("thinking").is_some());
    if let Some(reasoning) = text("reasoning_content").filter(|_| !said_by_blocks) {
        say(Delta::Reasoning(reasoning));
    }
    blocks().for_each(|(position, block)| read_thinking(block, position, say));
    if let Some(content) = text("content") {
        say(Delta::Text(content));
    }
    if let Some(refusal) = text("refusal") {
        say(Delta::Refusal(refusal));
    }
    for (position, call) in message.get("tool_calls").into_iter().flat_map(Value::items).enumerate() {
        read_call(call, position, say);
    }
    if let Some(call) = message.get("function_call") {
        // Its name is its id: there is one only, and its result refers to it by name.
        let name = call.get("name").and_then(Value::text);
        read_input(0, name.clone(), name, false, None, call.get("arguments"), say);
    }
    if let Some(signature) = extra("google").and_then(google_signature) {
        say(Delta::Signature(signature));
    }
    const KNOWN: [&str; 7] =
        ["role", "content", "refusal", "reasoning_content", "tool_calls", "function_call", "extra_content"];
    for (key, value) in others(message, &KNOWN) {
        say(Delta::Member { key, value: value.raw() });
    }
}

fn read_thinking(block: Value<'_>, position: usize, say: &mut dyn FnMut(Delta<'_>)) {
    let Some(block_index) = index(block, position) else { return };
    let pieces = [
        block.get("thinking").and_then(Value::text).map(Thinking::Text),
        block.get("signature").and_then(Value::text).map(Thinking::Signature),
        block.get("data").and_then(Value::text).map(Thinking::Redacted),
    ];
    for piece in pieces.into_iter().flatten() {
        say(Delta::Thinking { block: block_index, piece });
    }
}

fn read_call(call: Value<'_>, position: usize, say: &mut dyn FnMut(Delta<'_>)) {
    let Some(call_index) = index(call, position) else { return };
    let custom = call.get("custom");
    let Some(body) = custom.or_else(|| call.get("function")) else { return };
    let (id, name) = (call.get("id").and_then(Value::text), body.get("name").and_then(Value::text));
    let google = call.get("extra_content").and_then(|extra| extra.get("google"));
    let input = body.get(if custom.is_some() { "input" } else { "arguments" });
    read_input(call_index, id, name, custom.is_some(), google.and_then(google_signature), input, say);
}

/// A call, or the next fragment of its input: only the first fragment has a name.
fn read_input(
    index: u32,
    id: Option<Text<'_>>,
    name: Option<Text<'_>>,
    custom: bool,
    signature: Option<Text<'_>>,
    input: Option<Value<'_>>,
    say: &mut dyn FnMut(Delta<'_>),
) {
    if let Some(name) = name {
        say(Delta::Call { index, id: id.unwrap_or_default(), name, custom, signature });
    }
    if let Some(fragment) = input.and_then(Value::text).filter(|fragment| !fragment.is_empty()) {
        say(Delta::Arguments { index, fragment });
    }
}

/// The number of an entry of a list; whole answers' lists need none.
fn index(entry: Value<'_>, position: usize) -> Option<u32> {
    let index = entry.get("index").and_then(Value::u64).or(u64::try_from(position).ok());
    u32::try_from(index?).ok()
}

fn google_signature<'d>(google: Value<'d>) -> Option<Text<'d>> {
    google.get("thought_signature")?.text()
}

//! Requests for calls: the client's own with something changed, and questions about what was said.

use crate::chat::{Content, Message, Part, Request, ResponseFormat, Role, degraded};
use crate::config::Edits;
use crate::json::{self, Document, Edit, Surrogates, Value, removals, splice};
use std::fmt::Write;

/// Of a conversation someone who compares answers is shown its end, so many bytes.
const MOST_SHOWN: usize = 64 * 1024;

/// The client's request to another model, with what `edits` change; `body` is a request that was checked.
pub(super) fn put_to(body: &[u8], model: &str, edits: Option<&Edits>, streams: bool) -> Option<Vec<u8>> {
    let edited = match edits {
        Some(edits) => edited(body, edits)?,
        None => body.to_vec(),
    };
    let document = Document::parse(&edited, Surrogates::Paired).ok()?;
    let root = document.root();
    let mut name = Vec::new();
    json::string(&mut name, model);
    let mut changes = vec![Edit::set(root, "model", &name)];
    if !streams {
        changes.extend(taken_out(root, &STREAM));
    }
    Some(splice(&edited, changes))
}

/// The client's request with what `edits` change.
pub(super) fn edited(body: &[u8], edits: &Edits) -> Option<Vec<u8>> {
    let document = Document::parse(body, Surrogates::Paired).ok()?;
    Some(degraded(&Request::read(document.root()).ok()?, body, edits))
}

/// The client's request, not streamed.
pub(super) fn not_streamed(body: &[u8]) -> Option<Vec<u8>> {
    without(body, &STREAM)
}

/// The same with the schema of the answer as an instruction; none if it asks for none.
pub(super) fn with_schema_said(body: &[u8]) -> Option<Vec<u8>> {
    let document = Document::parse(body, Surrogates::Paired).ok()?;
    let request = Request::read(document.root()).ok()?;
    let ResponseFormat::JsonSchema { schema: Some(schema), .. } = &request.response_format else {
        return None;
    };
    let system = [SCHEMA, &String::from_utf8_lossy(schema.raw())].concat();
    let edits = Edits { system: Some(system.into()), ..Edits::default() };
    let [stream, options] = STREAM;
    without(&degraded(&request, body, &edits), &[stream, options, "response_format"])
}

const SCHEMA: &str = "Respond with nothing but JSON, which matches this JSON Schema: ";

/// What a request says of its stream.
const STREAM: [&str; 2] = ["stream", "stream_options"];

fn without(body: &[u8], goes: &[&str]) -> Option<Vec<u8>> {
    let document = Document::parse(body, Surrogates::Paired).ok()?;
    Some(splice(body, taken_out(document.root(), goes)))
}

fn taken_out(request: Value<'_>, goes: &[&str]) -> Vec<Edit> {
    removals(request, |key| goes.iter().any(|word| *key == **word))
}

/// A request with more turns of its conversation: JSON texts with commas between them.
pub(super) fn continued(body: &[u8], turns: &[u8]) -> Option<Vec<u8>> {
    let document = Document::parse(body, Surrogates::Paired).ok()?;
    let last = document.root().get("messages")?.items().last()?;
    Some(splice(body, vec![Edit::replace(last, [last.raw(), b",", turns].concat())]))
}

/// A turn of a conversation.
pub(super) fn turn(out: &mut Vec<u8>, role: &str, content: &str) {
    json::object(out, |turn| {
        turn.string("role", role);
        turn.string("content", content);
    });
}

/// A question to a model, by a system prompt and what a user says; the answer may have so many tokens.
pub(super) fn question(model: &str, instruction: &str, text: &str, max_tokens: Option<u64>) -> Vec<u8> {
    let mut body = Vec::with_capacity(text.len().saturating_add(instruction.len()).saturating_add(256));
    json::object(&mut body, |body| {
        body.string("model", model);
        body.array("messages", |messages| {
            turn(messages.value(), "system", instruction);
            turn(messages.value(), "user", text);
        });
        if let Some(tokens) = max_tokens {
            body.number("max_completion_tokens", tokens);
        }
    });
    body
}

/// The conversation of a request, for someone who is to judge what was said in it.
pub(super) fn conversation(body: &[u8]) -> String {
    let mut shown = String::new();
    let Ok(document) = Document::parse(body, Surrogates::Paired) else { return shown };
    let Ok(request) = Request::read(document.root()) else { return shown };
    for message in &request.messages {
        // Writing to a String cannot fail.
        let _ = writeln!(shown, "{}: {}", role(message.role), text(message));
    }
    let mut from = shown.len().saturating_sub(MOST_SHOWN);
    while !shown.is_char_boundary(from) {
        from = from.saturating_add(1);
    }
    shown.split_off(from)
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool | Role::Function => "tool",
    }
}

fn text(message: &Message<'_>) -> String {
    let mut text = match &message.content {
        Content::None => String::new(),
        Content::Text(text) => text.decode().into_owned(),
        Content::Parts(parts) => {
            let part = |part: &Part<'_>| match part {
                Part::Text(text) | Part::Refusal(text) => text.decode().into_owned(),
                Part::Image { .. } => "[image]".to_owned(),
                Part::Audio { .. } => "[audio]".to_owned(),
                Part::File { .. } => "[file]".to_owned(),
                Part::Other(kind) => format!("[{}]", kind.decode()),
            };
            parts.iter().map(|(it, _)| part(it)).collect::<Vec<_>>().join("\n")
        }
    };
    for call in &message.tool_calls {
        let _ = write!(text, "\n[calls {} with {}]", call.name.decode(), call.arguments.decode());
    }
    text
}

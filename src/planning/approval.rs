//! A plan that the client approves of: it gets it as a call of a tool, and sends it back with what it says to it. Nothing is kept
//! here meanwhile, so what comes back is text from outside like any other.

use super::plan::{decoded, items, put, put_raw};
use super::prompts::beginning;
use crate::json::{self, Document, Kind, Surrogates, Value, omissions, splice};

/// The tool that a plan is a call of.
const TOOL: &str = "modelgate_approve_plan";
/// Of what is said against a plan, in bytes.
const MOST_REASON: usize = 4 * 1024;

/// A request, as far as it matters here.
#[derive(Debug, Default)]
pub struct Opened {
    /// Without plans and what was said to them: models know nothing of that tool.
    pub body: Vec<u8>,
    /// Which model or route it asks for.
    pub model: String,
    /// Whether it brings tools of its own.
    pub has_tools: bool,
    /// What its last message says to a plan.
    pub(super) opinion: Option<Opinion>,
}

/// What a client says to a plan.
#[derive(Debug)]
pub(super) struct Opinion {
    /// The plan, as the client sends it.
    pub plan: String,
    /// What it has against it; none if it approves.
    pub against: Option<String>,
}

/// Reads a request, a JSON text that was checked.
#[must_use]
pub fn open(body: &[u8]) -> Opened {
    let Ok(document) = Document::parse(body, Surrogates::Paired) else { return Opened::default() };
    let root = document.root();
    let has = |key: &str| root.get(key).is_some_and(|tools| !items(tools).is_empty());
    let model = root.get("model").map(decoded).unwrap_or_default();
    let mut opened =
        Opened { body: Vec::new(), model, has_tools: has("tools") || has("functions"), opinion: None };
    let Some(messages) = root.get("messages") else { return opened };
    let mut proposed: Vec<(Value<'_>, Value<'_>)> = Vec::new();
    let mut goes = Vec::new();
    for message in items(messages) {
        let calls = message.get("tool_calls").map(items).unwrap_or_default();
        let mut ours = 0_usize;
        for call in &calls {
            if let Some((id, plan)) = proposal(*call) {
                proposed.push((id, plan));
                ours = ours.saturating_add(1);
            }
        }
        let answered = message.get("tool_call_id");
        let plan = answered.and_then(|id| proposed.iter().rev().find(|(other, _)| other.raw() == id.raw()));
        opened.opinion = plan.map(|(_, plan)| {
            let said = said(message);
            let against = (!approves(&said)).then(|| reason(&said));
            Opinion { plan: decoded(*plan), against }
        });
        goes.push(opened.opinion.is_some() || ours > 0 && ours == calls.len());
    }
    opened.body = match goes.contains(&true) {
        true => splice(body, omissions(messages, |at| goes.get(at).copied().unwrap_or(false))),
        false => body.to_vec(),
    };
    opened
}

/// The id of a call that proposes a plan, and the plan.
fn proposal(call: Value<'_>) -> Option<(Value<'_>, Value<'_>)> {
    let function =
        call.get("function").filter(|function| function.get("name").is_some_and(|it| it.says(TOOL)))?;
    Some((call.get("id")?, function.get("arguments")?))
}

fn said(message: Value<'_>) -> String {
    let Some(content) = message.get("content") else { return String::new() };
    let mut said = decoded(content);
    for part in items(content) {
        said.push_str(&part.get("text").map(decoded).unwrap_or_default());
    }
    said
}

/// Whether this is a yes, and nothing else.
fn approves(said: &str) -> bool {
    if let Ok(document) = Document::parse(said.trim().as_bytes(), Surrogates::Lone) {
        return document.root().get("approve").and_then(Value::bool) == Some(true);
    }
    let word = said.trim().trim_end_matches(['.', '!']);
    ["approve", "approved", "yes"].iter().any(|yes| word.eq_ignore_ascii_case(yes))
}

fn reason(said: &str) -> String {
    let reason = beginning(said, MOST_REASON);
    if reason.trim().is_empty() { "it is not wanted so".to_owned() } else { reason.to_owned() }
}

/// A plan as a `chat.completion`: as its text, or as a call that asks to approve of it. `by` is the completion that it was in.
#[must_use]
pub fn completion(plan: &[u8], asks: bool, request_id: &str, by: &[u8]) -> Vec<u8> {
    let plan = String::from_utf8_lossy(plan);
    let document = Document::parse(by, Surrogates::Lone).ok();
    let member = |key, kind| {
        let value = document.as_ref()?.root().get(key).filter(|value| value.kind() == kind)?;
        Some(value.raw())
    };
    let mut quoted = Vec::new();
    json::string(&mut quoted, &plan);
    let quoted = String::from_utf8_lossy(&quoted);
    let (mut id, mut call) = (Vec::new(), Vec::new());
    json::string(&mut id, &format!("chatcmpl-{request_id}"));
    json::string(&mut call, &format!("call_{request_id}"));
    let call = String::from_utf8_lossy(&call);
    let (message, finish) = match asks {
        false => (format!(r#""content":{quoted}"#), "stop"),
        true => {
            let function = format!(r#"{{"name":"{TOOL}","arguments":{quoted}}}"#);
            let calls = format!(r#"[{{"id":{call},"type":"function","function":{function}}}]"#);
            (format!(r#""content":null,"tool_calls":{calls}"#), "tool_calls")
        }
    };
    let message = format!(r#"{{"role":"assistant",{message}}}"#);
    let choices = format!(r#"[{{"index":0,"message":{message},"finish_reason":"{finish}"}}]"#);
    let mut out = Vec::with_capacity(plan.len().saturating_add(512));
    json::object(&mut out, |it| {
        put_raw(it, "id", &id);
        put(it, "object", "chat.completion");
        put_raw(it, "created", member("created", Kind::Number).unwrap_or(b"0"));
        put_raw(it, "model", member("model", Kind::String).unwrap_or(b"\"\""));
        put_raw(it, "choices", choices.as_bytes());
    });
    out
}

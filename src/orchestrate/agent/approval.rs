//! A plan that the client approves of: it gets it as a call of a tool, and sends it back with what it says to it. Nothing is kept
//! here meanwhile, so what comes back is text from outside like any other.

use super::plan::object;
use crate::chat::{Content, Message, Part, Request, Role};
use crate::json::{self, Value, omissions, splice};
use crate::orchestrate::Said;

/// The tool that a plan is a call of.
const TOOL: &str = "modelgate_approve_plan";
/// Of what is said against a plan, in characters.
const MOST_REASON: usize = 4 * 1024;

/// What a client says to a plan.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opinion {
    /// The plan, as the client sends it.
    pub plan: String,
    /// What it has against it; none if it approves.
    pub against: Option<String>,
}

/// What the last message says to a plan, if it does.
pub(super) fn opinion(request: &Request<'_>) -> Option<Opinion> {
    let last = request.messages.last().filter(|message| message.role == Role::Tool)?;
    let answered = last.tool_call_id.as_ref()?;
    let call = request
        .messages
        .iter()
        .rev()
        .filter(|message| message.role == Role::Assistant)
        .flat_map(|message| &message.tool_calls)
        .find(|call| call.id.means(answered) && call.name == *TOOL)?;
    let said = text(last);
    let plan = call.arguments.decode().into_owned();
    Some(Opinion { plan, against: (!approves(&said)).then(|| reason(&said)) })
}

fn text(message: &Message<'_>) -> String {
    match &message.content {
        Content::None => String::new(),
        Content::Text(text) => text.decode().into_owned(),
        Content::Parts(parts) => {
            let texts = parts.iter().filter_map(|(part, _)| match part {
                Part::Text(text) => Some(text.decode().into_owned()),
                _ => None,
            });
            texts.collect()
        }
    }
}

/// Whether this is a yes, and nothing else.
fn approves(said: &str) -> bool {
    if let Some(document) = object(said) {
        return document.root().get("approve").and_then(Value::bool) == Some(true);
    }
    let word = said.trim().trim_end_matches(['.', '!']);
    ["approve", "approved", "yes"].iter().any(|yes| word.eq_ignore_ascii_case(yes))
}

fn reason(said: &str) -> String {
    let reason: String = said.chars().take(MOST_REASON).collect();
    if reason.trim().is_empty() { "it is not wanted so".to_owned() } else { reason }
}

/// The request without plans and what was said to them: models know nothing of that tool.
pub(super) fn without(request: &Request<'_>, body: &[u8]) -> Option<Vec<u8>> {
    let is_ours = |message: &Message<'_>| {
        !message.tool_calls.is_empty() && message.tool_calls.iter().all(|call| call.name == *TOOL)
    };
    let ours = || request.messages.iter().filter(|message| is_ours(message));
    ours().next()?;
    let answers = |message: &Message<'_>| {
        let id = message.tool_call_id.as_ref();
        id.is_some_and(|id| ours().flat_map(|message| &message.tool_calls).any(|call| call.id.means(id)))
    };
    let goes: Vec<bool> =
        request.messages.iter().map(|message| is_ours(message) || answers(message)).collect();
    let messages = request.value.get("messages")?;
    Some(splice(body, omissions(messages, |at| goes.get(at).copied().unwrap_or(false))))
}

/// A plan as an answer: as its text, or as a call that asks to approve of it. `by` is what the planner has said, if it was asked.
pub(super) fn answer(plan: &[u8], asks: bool, request_id: &str, by: &Said) -> Said {
    let plan = String::from_utf8_lossy(plan);
    let document = json::Document::parse(&by.completion, json::Surrogates::Lone).ok();
    let created =
        document.and_then(|document| document.root().get("created").and_then(Value::u64)).unwrap_or(0);
    let mut completion = Vec::with_capacity(plan.len().saturating_add(512));
    json::object(&mut completion, |it| {
        it.string("id", &format!("chatcmpl-{request_id}"));
        it.string("object", "chat.completion");
        it.number("created", created);
        it.string("model", &by.model);
        it.array("choices", |choices| {
            choices.object(|choice| {
                choice.number("index", 0);
                choice.object("message", |message| {
                    message.string("role", "assistant");
                    if !asks {
                        message.string("content", &plan);
                        return;
                    }
                    message.null("content");
                    message.array("tool_calls", |calls| {
                        calls.object(|call| {
                            call.string("id", &format!("call_{request_id}"));
                            call.string("type", "function");
                            call.object("function", |function| {
                                function.string("name", TOOL);
                                function.string("arguments", &plan);
                            });
                        });
                    });
                });
                choice.string("finish_reason", if asks { "tool_calls" } else { "stop" });
            });
        });
    });
    Said { completion, ..by.clone() }
}

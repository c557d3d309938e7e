//! What OpenAI refuses of a conversation.
use serde_json::Value;

use super::check::type_of;
use super::tools::name_fits;
use crate::ask::{items_of, text_of};
use crate::failure::Failure;

/// Refuses a conversation as OpenAI would.
pub fn check(provider: &str, model: &str, body: &Value) -> Result<(), Failure> {
    let messages = match &body["messages"] {
        Value::Array(messages) => messages,
        Value::Null => {
            let words = "Missing required parameter: 'messages'.";
            return Err(Failure::bad(words).about("messages", "missing_required_parameter"));
        }
        other => {
            let words = format!(
                "Invalid type for 'messages': expected an array of objects, but got {} instead.",
                type_of(other)
            );
            return Err(Failure::bad(words).about("messages", "invalid_type"));
        }
    };
    if messages.is_empty() {
        let words = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
        return Err(Failure::bad(words).about("messages", "empty_array"));
    }
    for (n, message) in messages.iter().enumerate() {
        one(provider, model, n, message)?;
    }
    answered(messages)
}

fn one(provider: &str, model: &str, n: usize, message: &Value) -> Result<(), Failure> {
    let role = text_of(message, "role");
    let known = matches!(role, "developer" | "system" | "user" | "assistant" | "tool" | "function");
    if !known {
        let words = format!(
            "Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and \
             'developer'."
        );
        return Err(Failure::bad(words).about(format!("messages[{n}].role"), "invalid_value"));
    }
    let refused = match provider {
        "openai" | "azure" => model.starts_with("o1-mini") && matches!(role, "system" | "developer"),
        // Of the others hardly one knows the newer role.
        "mistral" | "deepseek" | "groq" | "cerebras" | "together" => role == "developer",
        _ => false,
    };
    if refused {
        let words =
            format!("Unsupported value: 'messages[{n}].role' does not support '{role}' with this model.");
        return Err(Failure::bad(words).about(format!("messages[{n}].role"), "unsupported_value"));
    }
    content(provider, n, role, message)?;
    if role == "tool" && text_of(message, "tool_call_id").is_empty() {
        let at = format!("messages[{n}].tool_call_id");
        return Err(Failure::bad(format!("Missing required parameter: '{at}'."))
            .about(at, "missing_required_parameter"));
    }
    match message.get("tool_calls") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(none)) if none.is_empty() && provider == "mistral" => Ok(()),
        Some(calls) => tool_calls(provider, n, calls),
    }
}

fn content(provider: &str, n: usize, role: &str, message: &Value) -> Result<(), Failure> {
    let at = format!("messages[{n}].content");
    match &message["content"] {
        Value::String(_) => Ok(()),
        Value::Null if role == "assistant" => {
            let stands_for = ["tool_calls", "function_call", "refusal", "audio"];
            match stands_for.iter().any(|key| message.get(key).is_some_and(|v| !v.is_null())) {
                true => Ok(()),
                false => {
                    Err(Failure::bad("Invalid value for 'content': expected a string, got null.")
                        .about(at, ""))
                }
            }
        }
        Value::Null => {
            Err(Failure::bad("Invalid value for 'content': expected a string, got null.").about(at, ""))
        }
        Value::Array(parts) if parts.is_empty() && provider != "mistral" => {
            let words = format!(
                "Invalid '{at}': empty array. Expected an array with minimum length 1, but got an empty array instead."
            );
            Err(Failure::bad(words).about(at, "empty_array"))
        }
        Value::Array(parts) => {
            parts.iter().enumerate().try_for_each(|(p, value)| part(role, &format!("{at}[{p}]"), n, value))
        }
        other => {
            let words = format!(
                "Invalid type for '{at}': expected one of a string or array of objects, but got {} instead.",
                type_of(other)
            );
            Err(Failure::bad(words).about(at, "invalid_type"))
        }
    }
}

fn part(role: &str, at: &str, n: usize, part: &Value) -> Result<(), Failure> {
    let kind = text_of(part, "type");
    let fits = match role {
        "user" => matches!(kind, "text" | "image_url" | "input_audio" | "file"),
        "assistant" => matches!(kind, "text" | "refusal"),
        "tool" if !matches!(kind, "text" | "image_url") => {
            let words = format!(
                "Invalid 'messages[{n}]'. Content blocks are expected to be either text or image_url type."
            );
            return Err(Failure::bad(words).about(format!("messages[{n}]"), "invalid_value"));
        }
        "tool" => true,
        _ => kind == "text",
    };
    if !fits {
        let words = format!("Invalid value: '{kind}' is not a content type for messages of role '{role}'.");
        return Err(Failure::bad(words).about(format!("{at}.type"), "invalid_value"));
    }
    let inside = match kind {
        "image_url" => &part["image_url"]["url"],
        "input_audio" => &part["input_audio"]["data"],
        "file" => [&part["file"]["file_data"], &part["file"]["file_id"]]
            .into_iter()
            .find(|v| !v.is_null())
            .unwrap_or(&Value::Null),
        kind => &part[kind],
    };
    match inside.is_string() {
        true => Ok(()),
        false => {
            let words = format!("Missing required parameter: '{at}.{kind}'.");
            Err(Failure::bad(words).about(format!("{at}.{kind}"), "missing_required_parameter"))
        }
    }
}

fn tool_calls(provider: &str, n: usize, calls: &Value) -> Result<(), Failure> {
    let at = format!("messages[{n}].tool_calls");
    let Some(calls) = calls.as_array().filter(|c| !c.is_empty()) else {
        let words = format!(
            "Invalid '{at}': empty array. Expected an array with minimum length 1, but got an empty array instead."
        );
        return Err(Failure::bad(words).about(at, "empty_array"));
    };
    for (c, call) in calls.iter().enumerate() {
        let at = format!("{at}[{c}]");
        let id = text_of(call, "id");
        if id.is_empty() {
            return Err(Failure::bad(format!("Missing required parameter: '{at}.id'."))
                .about(format!("{at}.id"), "missing_required_parameter"));
        }
        if matches!(provider, "openai" | "azure") && id.len() > 40 {
            let words = format!(
                "Invalid '{at}.id': string too long. Expected a string with maximum length 40, but got a string with \
                 length {} instead.",
                id.len()
            );
            return Err(Failure::bad(words).about(format!("{at}.id"), "string_above_max_length"));
        }
        if provider == "mistral" && !(id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric())) {
            let words = format!("Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9.");
            return Err(Failure::bad(words).about("", "3280"));
        }
        let (kind, said) = match text_of(call, "type") {
            "custom" => ("custom", "input"),
            _ => ("function", "arguments"),
        };
        name_fits(text_of(&call[kind], "name"), &format!("{at}.{kind}"))?;
        if !call[kind][said].is_string() {
            let at = format!("{at}.{kind}.{said}");
            let words = format!(
                "Invalid type for '{at}': expected a string, but got {} instead.",
                type_of(&call[kind][said])
            );
            return Err(Failure::bad(words).about(at, "invalid_type"));
        }
    }
    Ok(())
}

/// Every tool call is answered right after it, and only calls are answered.
fn answered(messages: &[Value]) -> Result<(), Failure> {
    let mut open: Vec<&str> = Vec::new();
    let mut answering = false;
    let unanswered = |open: &[&str], n: usize| {
        let words = format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
             'tool_call_id'. The following tool_call_ids did not have response messages: {}",
            open.join(", ")
        );
        Err(Failure::bad(words).about(format!("messages.[{n}].role"), ""))
    };
    for (n, message) in messages.iter().enumerate() {
        if text_of(message, "role") == "tool" {
            let id = text_of(message, "tool_call_id");
            if !answering {
                let words = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message \
                             with 'tool_calls'.";
                return Err(Failure::bad(words).about(format!("messages.[{n}].role"), ""));
            }
            let Some(at) = open.iter().position(|o| *o == id) else {
                let words = format!(
                    "Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message."
                );
                return Err(Failure::bad(words).about(format!("messages.[{n}].tool_call_id"), ""));
            };
            open.remove(at);
            continue;
        }
        if !open.is_empty() {
            return unanswered(&open, n);
        }
        open = items_of(message, "tool_calls").iter().map(|c| text_of(c, "id")).collect();
        answering = !open.is_empty();
    }
    if open.is_empty() { Ok(()) } else { unanswered(&open, messages.len()) }
}

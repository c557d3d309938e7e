//! What Anthropic refuses of a conversation: its turns, its blocks, and how tool calls and results must meet.
use std::collections::HashSet;

use serde_json::Value;

use super::check::{only, version};
use crate::ask::{items_of, text_of};
use crate::failure::Failure;
use crate::ids::signature_fits;

/// Refuses a conversation as Anthropic would.
pub fn check(model: &str, body: &Value) -> Result<(), Failure> {
    let Some(messages) = body["messages"].as_array() else {
        return Err(Failure::bad("messages: Input should be a valid list"));
    };
    let Some(last) = messages.last() else {
        return Err(Failure::bad("messages: at least one message is required"));
    };
    for (n, message) in messages.iter().enumerate() {
        turn(n, message, n + 1 == messages.len())?;
    }
    if text_of(&messages[0], "role") != "user" {
        return Err(Failure::bad("messages: first message must use the \"user\" role"));
    }
    if text_of(last, "role") == "assistant" {
        prefill(model, last)?;
    }
    tools_meet(messages)?;
    thoughts_lead(body, messages)
}

fn turn(n: usize, message: &Value, last: bool) -> Result<(), Failure> {
    only(message, &["role", "content"], &format!("messages.{n}"))?;
    let role = text_of(message, "role");
    if role == "system" {
        let words = "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, \
                     not \"system\" as an input message role.";
        return Err(Failure::bad(words));
    }
    if !matches!(role, "user" | "assistant") {
        return Err(Failure::bad(format!("messages.{n}.role: Input should be 'user' or 'assistant'")));
    }
    let empty = || match last && role == "assistant" {
        true => Ok(()),
        false => {
            let words = format!(
                "messages.{n}: all messages must have non-empty content except for the optional final assistant message"
            );
            Err(Failure::bad(words))
        }
    };
    match &message["content"] {
        Value::String(text) if text.is_empty() => empty(),
        Value::String(text) => spoken(text),
        Value::Array(blocks) if blocks.is_empty() => empty(),
        Value::Array(blocks) => blocks
            .iter()
            .enumerate()
            .try_for_each(|(b, it)| block(role, &format!("messages.{n}.content.{b}"), it)),
        Value::Null => Err(Failure::bad(format!("messages.{n}.content: Field required"))),
        _ => Err(Failure::bad(format!("messages.{n}.content: Input should be a valid string or list"))),
    }
}

fn spoken(text: &str) -> Result<(), Failure> {
    match (text.is_empty(), text.trim().is_empty()) {
        (true, _) => Err(Failure::bad("messages: text content blocks must be non-empty")),
        (_, true) => Err(Failure::bad("messages: text content blocks must contain non-whitespace text")),
        _ => Ok(()),
    }
}

fn block(role: &str, at: &str, block: &Value) -> Result<(), Failure> {
    let kind = text_of(block, "type");
    let at = format!("{at}.{kind}");
    let required = |key: &str| match block.get(key) {
        Some(_) => Ok(()),
        None => Err(Failure::bad(format!("{at}.{key}: Field required"))),
    };
    let of_role = |wanted: &str| match role == wanted {
        true => Ok(()),
        false => Err(Failure::bad(format!("messages: `{kind}` blocks can only be in `{wanted}` messages"))),
    };
    match kind {
        "text" => {
            only(block, &["type", "text", "cache_control", "citations"], &at)?;
            required("text")?;
            spoken(text_of(block, "text"))
        }
        "image" => {
            of_role("user")?;
            only(block, &["type", "source", "cache_control"], &at)?;
            source(&block["source"], &at, &["image/jpeg", "image/png", "image/gif", "image/webp"])
        }
        "document" => {
            of_role("user")?;
            only(block, &["type", "source", "title", "context", "citations", "cache_control"], &at)?;
            source(&block["source"], &at, &["application/pdf", "text/plain"])
        }
        "tool_use" => {
            of_role("assistant")?;
            only(block, &["type", "id", "name", "input", "cache_control", "caller"], &at)?;
            tool_id(text_of(block, "id"), &format!("{at}.id"))?;
            required("name")?;
            match block["input"].is_object() {
                true => Ok(()),
                false => Err(Failure::bad(format!("{at}.input: Input should be a valid dictionary"))),
            }
        }
        "tool_result" => {
            of_role("user")?;
            only(block, &["type", "tool_use_id", "content", "is_error", "cache_control"], &at)?;
            tool_id(text_of(block, "tool_use_id"), &format!("{at}.tool_use_id"))?;
            result_content(block, &at)
        }
        "thinking" => {
            of_role("assistant")?;
            only(block, &["type", "thinking", "signature"], &at)?;
            required("thinking")?;
            required("signature")?;
            match signature_fits("anthropic", text_of(block, "thinking"), text_of(block, "signature")) {
                true => Ok(()),
                false => Err(Failure::bad(format!(
                    "{}: Invalid `signature` in `thinking` block",
                    at.trim_end_matches(".thinking")
                ))),
            }
        }
        "redacted_thinking" => {
            of_role("assistant")?;
            only(block, &["type", "data"], &at)?;
            required("data")
        }
        "server_tool_use"
        | "web_search_tool_result"
        | "web_fetch_tool_result"
        | "code_execution_tool_result"
        | "search_result"
        | "container_upload"
        | "mcp_tool_use"
        | "mcp_tool_result"
        | "fallback"
        | "compaction" => Ok(()),
        other => {
            let words = format!(
                "{}: Input tag '{other}' found using 'type' does not match any of the expected tags",
                at.trim_end_matches('.')
            );
            Err(Failure::bad(words))
        }
    }
}

fn tool_id(id: &str, at: &str) -> Result<(), Failure> {
    match !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
        true => Ok(()),
        false => Err(Failure::bad(format!("{at}: String should match pattern '^[a-zA-Z0-9_-]+$'"))),
    }
}

fn result_content(block: &Value, at: &str) -> Result<(), Failure> {
    for (n, part) in items_of(block, "content").iter().enumerate() {
        if part.get("cache_control").is_some() {
            let words = format!(
                "{at}.content.{n}.cache_control: cache_control may not be specified within `tool_result.content`"
            );
            return Err(Failure::bad(words));
        }
        match text_of(part, "type") {
            "text" => spoken(text_of(part, "text"))?,
            "image" => source(&part["source"], at, &["image/jpeg", "image/png", "image/gif", "image/webp"])?,
            "document" | "search_result" | "tool_reference" => {}
            other => {
                return Err(Failure::bad(format!(
                    "{at}.content.{n}: Input tag '{other}' does not match any of the expected tags"
                )));
            }
        }
    }
    match &block["content"] {
        Value::Null | Value::String(_) | Value::Array(_) => Ok(()),
        _ => Err(Failure::bad(format!("{at}.content: Input should be a valid string or list"))),
    }
}

fn source(source: &Value, at: &str, types: &[&str]) -> Result<(), Failure> {
    match text_of(source, "type") {
        "base64" => {
            only(source, &["type", "media_type", "data"], &format!("{at}.source.base64"))?;
            if !types.contains(&text_of(source, "media_type")) {
                let words = format!("{at}.source.base64.media_type: Input should be one of {types:?}");
                return Err(Failure::bad(words));
            }
            let data = text_of(source, "data");
            let plain = data.trim_end_matches('=');
            let valid = !plain.is_empty() && data.len().is_multiple_of(4);
            match valid && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/') {
                true => Ok(()),
                false => Err(Failure::bad(format!("{at}.source.base64: invalid base64 data"))),
            }
        }
        "url" => {
            only(source, &["type", "url"], &format!("{at}.source.url"))?;
            match text_of(source, "url").starts_with("https://")
                || text_of(source, "url").starts_with("http://")
            {
                true => Ok(()),
                false => Err(Failure::bad(format!("{at}.source.url.url: Only HTTPS URLs are supported."))),
            }
        }
        "text" | "content" | "file" => Ok(()),
        other => Err(Failure::bad(format!(
            "{at}.source: Input tag '{other}' found using 'type' does not match any of the expected tags"
        ))),
    }
}

/// A last assistant turn is the beginning of the answer; the newest models do not take one.
fn prefill(model: &str, last: &Value) -> Result<(), Failure> {
    if version(model) >= Some((4, 6)) {
        let words = "This model does not support assistant message prefill. The conversation must end with a user message.";
        return Err(Failure::bad(words));
    }
    let text = match &last["content"] {
        Value::String(text) => text.as_str(),
        _ => items_of(last, "content").last().map_or("", |block| text_of(block, "text")),
    };
    match text.ends_with(char::is_whitespace) {
        true => Err(Failure::bad("messages: final assistant content cannot end with trailing whitespace")),
        false => Ok(()),
    }
}

/// Every call has its result in the user turn right after it (consecutive messages of a role are one turn), results
/// come first there, and there is no result without its call.
fn tools_meet(messages: &[Value]) -> Result<(), Failure> {
    let mut open: Vec<&str> = Vec::new();
    let mut seen = HashSet::new();
    let mut role = "";
    let mut spoke = false;
    let missing = |n: usize, open: &[&str]| {
        let words = format!(
            "messages.{n}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each \
             `tool_use` block must have a corresponding `tool_result` block in the next message.",
            open.join(", ")
        );
        Err(Failure::bad(words))
    };
    for (n, message) in messages.iter().enumerate() {
        let now = text_of(message, "role");
        if now != role {
            if now == "assistant" && !open.is_empty() {
                return missing(n - 1, &open);
            }
            (role, spoke) = (now, false);
        }
        spoke |= message["content"].is_string();
        for (b, block) in items_of(message, "content").iter().enumerate() {
            match text_of(block, "type") {
                "tool_use" => {
                    let id = text_of(block, "id");
                    if !seen.insert(id) {
                        return Err(Failure::bad("messages: `tool_use` ids must be unique"));
                    }
                    open.push(id);
                }
                "tool_result" => {
                    let id = text_of(block, "tool_use_id");
                    let Some(at) = open.iter().position(|o| *o == id).filter(|_| !spoke) else {
                        if spoke && open.contains(&id) {
                            return missing(n, &open);
                        }
                        let words = format!(
                            "messages.{n}.content.{b}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. \
                             Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                        );
                        return Err(Failure::bad(words));
                    };
                    open.remove(at);
                }
                _ => spoke = true,
            }
        }
    }
    match open.is_empty() {
        true => Ok(()),
        false => missing(messages.len() - 1, &open),
    }
}

/// With thinking on, a turn that called tools and is being continued must begin with its thoughts.
fn thoughts_lead(body: &Value, messages: &[Value]) -> Result<(), Failure> {
    if body["thinking"]["type"] != "enabled" {
        return Ok(());
    }
    let continued =
        messages.last().is_some_and(|m| items_of(m, "content").iter().any(|b| b["type"] == "tool_result"));
    let turn = messages.iter().enumerate().rfind(|(_, m)| m["role"] == "assistant").filter(|_| continued);
    let Some((n, turn)) = turn else { return Ok(()) };
    let found = items_of(turn, "content").first().map_or("text", |block| text_of(block, "type"));
    match found {
        "thinking" | "redacted_thinking" => Ok(()),
        _ => {
            let words = format!(
                "messages.{n}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When \
                 `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the \
                 lastmost set of `tool_use` and `tool_result` blocks)."
            );
            Err(Failure::bad(words))
        }
    }
}

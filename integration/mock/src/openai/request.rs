//! What a chat completion request asks.
use serde_json::Value;

use crate::ask::{Ask, Choice, Shape, Tool, items_of, text_of};

/// Reads a request that has passed the checks (or was not to be checked).
pub fn read(body: &Value, model: &str, body_bytes: usize) -> Ask {
    let mut ask = Ask::to(model, body_bytes);
    ask.stream = body.get("stream") == Some(&Value::Bool(true));
    let options = &body["stream_options"];
    ask.include_usage = options["include_usage"] == true;
    ask.obfuscation = ask.stream && options["include_obfuscation"] != false;
    ask.candidates = body["n"].as_u64().map_or(1, |n| n.clamp(1, 128) as usize);
    ask.max_tokens = body["max_completion_tokens"].as_u64().or(body["max_tokens"].as_u64());
    ask.stop = match &body["stop"] {
        Value::String(one) => vec![one.clone()],
        _ => items_of(body, "stop").iter().filter_map(|s| s.as_str().map(str::to_owned)).collect(),
    };
    ask.parallel = body["parallel_tool_calls"] != false;
    ask.thinks = thinks(body);
    ask.shows_thoughts = ask.thinks;
    ask.shape = match text_of(&body["response_format"], "type") {
        "json_object" => Shape::Object,
        "json_schema" => Shape::Schema(body["response_format"]["json_schema"]["schema"].clone()),
        _ => Shape::Free,
    };
    read_tools(body, &mut ask);
    read_messages(items_of(body, "messages"), &mut ask);
    ask
}

/// OpenAI's effort, OpenRouter's `reasoning`, DeepSeek's and Moonshot's `thinking`, Qwen's `enable_thinking`.
fn thinks(body: &Value) -> bool {
    let effort = |value: &Value| value.as_str().is_some_and(|e| e != "none");
    effort(&body["reasoning_effort"])
        || effort(&body["reasoning"]["effort"])
        || body["reasoning"]["enabled"] == true
        || body["thinking"]["type"] == "enabled"
        || body["enable_thinking"] == true
}

fn read_tools(body: &Value, ask: &mut Ask) {
    let parameters = |function: &Value| match &function["parameters"] {
        Value::Null => serde_json::json!({"type": "object", "properties": {}}),
        schema => schema.clone(),
    };
    for tool in items_of(body, "tools") {
        let (name, schema) = match text_of(tool, "type") {
            "custom" => (text_of(&tool["custom"], "name"), None),
            _ => (text_of(&tool["function"], "name"), Some(parameters(&tool["function"]))),
        };
        ask.tools.push(Tool { name: name.into(), schema });
    }
    for function in items_of(body, "functions") {
        ask.legacy_functions = true;
        ask.tools.push(Tool { name: text_of(function, "name").into(), schema: Some(parameters(function)) });
    }
    let choice = if ask.legacy_functions { &body["function_call"] } else { &body["tool_choice"] };
    ask.choice = choice_of(choice);
}

fn choice_of(choice: &Value) -> Choice {
    match choice {
        Value::String(word) => match word.as_str() {
            "none" => Choice::None,
            // "any" is Mistral's word.
            "required" | "any" => Choice::Forced(Vec::new()),
            _ => Choice::Auto,
        },
        Value::Object(_) if choice["type"] == "allowed_tools" => {
            let allowed = &choice["allowed_tools"];
            let names = items_of(allowed, "tools").iter().map(|t| text_of(&t["function"], "name").into());
            if allowed["mode"] == "required" { Choice::Forced(names.collect()) } else { Choice::Auto }
        }
        Value::Object(_) => {
            let name = [&choice["function"], &choice["custom"], choice].map(|v| text_of(v, "name"));
            Choice::Forced(name.iter().find(|n| !n.is_empty()).map(|n| n.to_string()).into_iter().collect())
        }
        _ => Choice::Auto,
    }
}

fn read_messages(messages: &[Value], ask: &mut Ask) {
    for message in messages {
        match text_of(message, "role") {
            "user" => {
                ask.tool_results.clear();
                ask.last_user = text(&message["content"]);
                for part in items_of(message, "content") {
                    match text_of(part, "type") {
                        "image_url" => ask.saw("image"),
                        "input_audio" => ask.saw("audio clip"),
                        "file" => ask.saw("file"),
                        "video_url" => ask.saw("video"),
                        _ => {}
                    }
                }
            }
            "tool" | "function" => ask.tool_results.push(text(&message["content"])),
            "assistant" => ask.tool_results.clear(),
            _ => {}
        }
    }
}

/// The text of a content, be it a string or parts.
pub fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(|p| text_of(p, "text")).collect(),
        _ => String::new(),
    }
}

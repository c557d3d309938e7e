//! What a Messages request asks.
use serde_json::Value;

use crate::ask::{Ask, Choice, Shape, Tool, items_of, text_of};

/// Reads a request that has passed the checks (or was not to be checked).
pub fn read(body: &Value, model: &str, body_bytes: usize) -> Ask {
    let mut ask = Ask::to(model, body_bytes);
    ask.stream = body["stream"] == true;
    ask.max_tokens = body["max_tokens"].as_u64();
    ask.stop =
        items_of(body, "stop_sequences").iter().filter_map(|s| s.as_str().map(str::to_owned)).collect();
    ask.thinks = matches!(text_of(&body["thinking"], "type"), "enabled" | "adaptive");
    ask.shows_thoughts = ask.thinks && body["thinking"]["display"] != "omitted";
    let format = [&body["output_config"]["format"], &body["output_format"]];
    if let Some(format) = format.into_iter().find(|f| f["type"] == "json_schema") {
        ask.shape = Shape::Schema(format["schema"].clone());
    }
    for tool in items_of(body, "tools") {
        if matches!(text_of(tool, "type"), "" | "custom") {
            let schema = Some(tool["input_schema"].clone());
            ask.tools.push(Tool { name: text_of(tool, "name").into(), schema });
        }
    }
    let choice = &body["tool_choice"];
    ask.parallel = choice["disable_parallel_tool_use"] != true;
    ask.choice = match text_of(choice, "type") {
        "none" => Choice::None,
        "any" => Choice::Forced(Vec::new()),
        "tool" => Choice::Forced(vec![text_of(choice, "name").into()]),
        _ => Choice::Auto,
    };
    for message in items_of(body, "messages") {
        read_message(message, &mut ask);
    }
    ask
}

fn read_message(message: &Value, ask: &mut Ask) {
    if text_of(message, "role") != "user" {
        ask.tool_results.clear();
        return;
    }
    let mut said = message["content"].as_str().unwrap_or_default().to_owned();
    let mut results = Vec::new();
    for block in items_of(message, "content") {
        match text_of(block, "type") {
            "text" => said.push_str(text_of(block, "text")),
            "image" => ask.saw("image"),
            "document" => ask.saw("file"),
            "tool_result" => results.push(match &block["content"] {
                Value::String(text) => text.clone(),
                _ => items_of(block, "content").iter().map(|b| text_of(b, "text")).collect(),
            }),
            _ => {}
        }
    }
    match (results.is_empty(), said.is_empty()) {
        // Words after the results are a new question.
        (_, false) => (ask.last_user, ask.tool_results) = (said, Vec::new()),
        (false, true) => ask.tool_results.extend(results),
        (true, true) => {}
    }
}

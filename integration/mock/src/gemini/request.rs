//! What a generateContent request asks. Google reads camelCase and snake_case names alike.
use serde_json::{Value, json};

use crate::ask::{Ask, Choice, Shape, Tool, text_of};

/// A member under its camelCase name, or the same in snake_case.
pub fn member<'a>(value: &'a Value, camel: &str) -> &'a Value {
    value.get(camel).or_else(|| value.get(snake(camel))).unwrap_or(&Value::Null)
}

/// camelCase to snake_case.
pub fn snake(camel: &str) -> String {
    camel.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
        out
    })
}

/// The items of a member; a single object counts as a list of one.
pub fn list<'a>(value: &'a Value, camel: &str) -> &'a [Value] {
    match member(value, camel) {
        Value::Array(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// Reads a request that has passed the checks (or was not to be checked).
pub fn read(body: &Value, model: &str, body_bytes: usize) -> Ask {
    let mut ask = Ask::to(model, body_bytes);
    let config = member(body, "generationConfig");
    ask.candidates = member(config, "candidateCount").as_u64().map_or(1, |n| n.clamp(1, 8) as usize);
    ask.max_tokens = member(config, "maxOutputTokens").as_u64();
    ask.stop = list(config, "stopSequences").iter().filter_map(|s| s.as_str().map(str::to_owned)).collect();
    let thinking = member(config, "thinkingConfig");
    ask.thinks = match member(thinking, "thinkingBudget") {
        Value::Number(budget) => budget.as_i64() != Some(0),
        _ => thinking.is_object(),
    };
    ask.shows_thoughts = ask.thinks && member(thinking, "includeThoughts") == true;
    if text_of(config, "responseMimeType") == "application/json"
        || text_of(config, "response_mime_type") == "application/json"
    {
        let schema = ["responseJsonSchema", "responseSchema"].map(|key| member(config, key));
        let schema = schema.into_iter().find(|s| !s.is_null());
        ask.shape = schema.map_or(Shape::Object, |s| Shape::Schema(s.clone()));
    }
    read_tools(body, &mut ask);
    for content in list(body, "contents") {
        read_content(content, &mut ask);
    }
    ask
}

fn read_tools(body: &Value, ask: &mut Ask) {
    let declared = list(body, "tools").iter().flat_map(|tool| list(tool, "functionDeclarations"));
    for function in declared {
        let schema = ["parametersJsonSchema", "parameters"].map(|key| member(function, key));
        let schema = schema.into_iter().find(|s| !s.is_null()).cloned();
        let schema = schema.unwrap_or_else(|| json!({"type": "object"}));
        ask.tools.push(Tool { name: text_of(function, "name").into(), schema: Some(schema) });
    }
    let calling = member(member(body, "toolConfig"), "functionCallingConfig");
    ask.choice = match text_of(calling, "mode") {
        "NONE" => Choice::None,
        "ANY" => {
            let names = list(calling, "allowedFunctionNames").iter();
            Choice::Forced(names.filter_map(|n| n.as_str().map(str::to_owned)).collect())
        }
        _ => Choice::Auto,
    };
}

fn read_content(content: &Value, ask: &mut Ask) {
    if text_of(content, "role") == "model" {
        ask.tool_results.clear();
        return;
    }
    let mut said = String::new();
    let mut results = Vec::new();
    for part in list(content, "parts") {
        said.push_str(text_of(part, "text"));
        let response = member(part, "functionResponse");
        if !response.is_null() {
            results.push(result_text(&response["response"]));
        }
        let data = [member(part, "inlineData"), member(part, "fileData")];
        if let Some(data) = data.into_iter().find(|d| !d.is_null()) {
            let mime = member(data, "mimeType").as_str().unwrap_or_default();
            ask.saw(match mime.split('/').next() {
                Some("image") => "image",
                Some("audio") => "audio clip",
                Some("video") => "video",
                _ => "file",
            });
        }
    }
    match (results.is_empty(), said.is_empty()) {
        (_, false) => (ask.last_user, ask.tool_results) = (said, Vec::new()),
        (false, true) => ask.tool_results.extend(results),
        (true, true) => {}
    }
}

/// The one string of a wrapped result, or the result as it is.
fn result_text(response: &Value) -> String {
    let only = response.as_object().filter(|o| o.len() == 1).and_then(|o| o.values().next()?.as_str());
    only.map_or_else(|| response.to_string(), str::to_owned)
}

//! What OpenAI refuses of tools and of the schemas of structured output.
use serde_json::Value;

use crate::ask::{items_of, text_of};
use crate::failure::Failure;

/// Refuses tools and a choice among them as OpenAI would.
pub fn check(provider: &str, body: &Value) -> Result<(), Failure> {
    let mut names = Vec::new();
    for (n, tool) in items_of(body, "tools").iter().enumerate() {
        let kind = match text_of(tool, "type") {
            "" if provider == "mistral" => "function",
            kind => kind,
        };
        if !matches!(kind, "function" | "custom") {
            let words = format!("Invalid value: '{kind}'. Supported values are: 'function' and 'custom'.");
            return Err(Failure::bad(words).about(format!("tools[{n}].type"), "invalid_value"));
        }
        let at = format!("tools[{n}].{kind}");
        name_fits(text_of(&tool[kind], "name"), &at)?;
        names.push(text_of(&tool[kind], "name"));
        let parameters = &tool[kind]["parameters"];
        if !parameters.is_null() && !(parameters["type"] == "object") && parameters != &serde_json::json!({})
        {
            let words = format!(
                "Invalid schema for function '{}': schema must be a JSON Schema of 'type: \"object\"', got 'type: {}'.",
                text_of(&tool[kind], "name"),
                parameters["type"]
            );
            return Err(Failure::bad(words).about(format!("{at}.parameters"), "invalid_function_parameters"));
        }
    }
    if body["tools"].as_array().is_some_and(Vec::is_empty) {
        let words = "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.";
        return Err(Failure::bad(words).about("tools", "empty_array"));
    }
    match &body["tool_choice"] {
        Value::String(word) if !matches!(word.as_str(), "none" | "auto" | "required" | "any") => {
            let words =
                format!("Invalid value: '{word}'. Supported values are: 'none', 'auto', and 'required'.");
            Err(Failure::bad(words).about("tool_choice", "invalid_value"))
        }
        Value::Object(choice) if choice.get("type").is_none_or(|t| t != "allowed_tools") => {
            let name = [&body["tool_choice"]["function"], &body["tool_choice"]["custom"]]
                .map(|c| text_of(c, "name"));
            match name.iter().any(|n| names.contains(n)) {
                true => Ok(()),
                false => {
                    let words = "Invalid value for 'tool_choice': the named tool was not found in the 'tools' parameter.";
                    Err(Failure::bad(words).about("tool_choice", ""))
                }
            }
        }
        _ => Ok(()),
    }
}

/// Tool and function names: 1 to 64 letters, digits, `_` and `-`.
pub fn name_fits(name: &str, at: &str) -> Result<(), Failure> {
    if name.is_empty() {
        let words = format!("Missing required parameter: '{at}.name'.");
        return Err(Failure::bad(words).about(format!("{at}.name"), "missing_required_parameter"));
    }
    if name.len() > 64 || name.chars().any(|c| !c.is_ascii_alphanumeric() && !"_-".contains(c)) {
        let words = format!(
            "Invalid '{at}.name': string does not match pattern. Expected a string that matches the pattern \
             '^[a-zA-Z0-9_-]+$'."
        );
        return Err(Failure::bad(words).about(format!("{at}.name"), "invalid_value"));
    }
    Ok(())
}

/// Refuses a response format as OpenAI would.
pub fn response_format(body: &Value) -> Result<(), Failure> {
    let format = &body["response_format"];
    match text_of(format, "type") {
        "text" => Ok(()),
        "" if format.is_null() => Ok(()),
        "json_object" => match body["messages"].to_string().to_ascii_lowercase().contains("json") {
            true => Ok(()),
            false => {
                let words = "'messages' must contain the word 'json' in some form, to use 'response_format' of type \
                             'json_object'.";
                Err(Failure::bad(words).about("messages", ""))
            }
        },
        "json_schema" => {
            let schema = &format["json_schema"];
            name_fits(text_of(schema, "name"), "response_format.json_schema")?;
            match schema["strict"] == true && !closed(&schema["schema"]) {
                false => Ok(()),
                true => {
                    let words = format!(
                        "Invalid schema for response_format '{}': In context=(), 'additionalProperties' is required to \
                         be supplied and to be false.",
                        text_of(schema, "name")
                    );
                    Err(Failure::bad(words).about("response_format", ""))
                }
            }
        }
        other => {
            let words = format!(
                "Invalid value: '{other}'. Supported values are: 'json_object', 'json_schema', and 'text'."
            );
            Err(Failure::bad(words).about("response_format.type", "invalid_value"))
        }
    }
}

/// Whether every object of a schema forbids other members.
pub fn closed(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => {
            let open = schema["type"] == "object" && schema["additionalProperties"] != false;
            !open
                && members
                    .iter()
                    .all(|(key, value)| matches!(key.as_str(), "enum" | "const" | "default") || closed(value))
        }
        Value::Array(items) => items.iter().all(closed),
        _ => true,
    }
}

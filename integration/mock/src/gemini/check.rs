//! What Gemini refuses of a request's configuration and tools.
use serde_json::Value;

use super::request::{list, member};
use super::{contents, fields};
use crate::ask::text_of;
use crate::failure::Failure;

/// Refuses a request as Gemini would.
pub fn check(model: &str, body: &Value) -> Result<(), Failure> {
    if !body.is_object() {
        return Err(Failure::bad("Invalid JSON payload received. Expected an object."));
    }
    fields::check(body)?;
    contents::check(model, body)?;
    sampling(member(body, "generationConfig"))?;
    thinking(model, member(member(body, "generationConfig"), "thinkingConfig"))?;
    output(model, body)?;
    tools(body)
}

/// The error of Gemini's own checks, which name the field from the request down.
pub fn fault(path: &str, words: &str) -> Failure {
    Failure::bad(format!("* GenerateContentRequest.{path}: {words}\n"))
}

fn sampling(config: &Value) -> Result<(), Failure> {
    let integers = [
        ("seed", i64::from(i32::MIN), i64::from(i32::MAX)),
        ("topK", 1, i64::from(i32::MAX)),
        ("candidateCount", 1, 8),
        ("maxOutputTokens", 1, i64::from(i32::MAX)),
        ("logprobs", 0, 20),
    ];
    for (name, low, high) in integers {
        let value = member(config, name);
        let at = super::request::snake(name);
        // 2.0 is an integer to protobuf.
        let whole = value.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i64);
        match value.as_i64().or(whole) {
            _ if value.is_null() => {}
            Some(number) if i32::try_from(number).is_err() => {
                return Err(Failure::bad(format!(
                    "Invalid value at 'generation_config.{at}' (TYPE_INT32), {value}"
                )));
            }
            Some(number) if number < low || number > high => {
                let words = format!("{at} must be in the range [{low}, {high}].");
                return Err(fault(&format!("generation_config.{at}"), &words));
            }
            Some(_) => {}
            None => {
                return Err(Failure::bad(format!(
                    "Invalid value at 'generation_config.{at}' (TYPE_INT32), {value}"
                )));
            }
        }
    }
    for (name, low, high) in [
        ("temperature", 0.0, 2.0),
        ("topP", 0.0, 1.0),
        ("presencePenalty", -2.0, 2.0),
        ("frequencyPenalty", -2.0, 2.0),
    ] {
        let value = member(config, name);
        let at = super::request::snake(name);
        match value.as_f64() {
            _ if value.is_null() => {}
            Some(number) if (low..=high).contains(&number) => {}
            Some(_) => {
                let words = format!("{at} must be in the range [{low:.1}, {high:.1}].");
                return Err(fault(&format!("generation_config.{at}"), &words));
            }
            None => {
                return Err(Failure::bad(format!(
                    "Invalid value at 'generation_config.{at}' (TYPE_FLOAT), {value}"
                )));
            }
        }
    }
    let stops = member(config, "stopSequences");
    match stops {
        Value::Null => {}
        Value::Array(stops) if stops.len() > 5 => {
            return Err(fault("generation_config.stop_sequences", "at most 5 stop sequences are allowed."));
        }
        Value::Array(stops) if stops.iter().all(|s| s.as_str().is_some_and(|s| !s.is_empty())) => {}
        _ => {
            return Err(Failure::bad(format!(
                "Invalid value at 'generation_config.stop_sequences', {stops}"
            )));
        }
    }
    match !member(config, "logprobs").is_null() && member(config, "responseLogprobs") != true {
        true => Err(fault("generation_config.logprobs", "logprobs is only allowed with response_logprobs.")),
        false => Ok(()),
    }
}

fn thinking(model: &str, config: &Value) -> Result<(), Failure> {
    let (budget, level) = (member(config, "thinkingBudget"), member(config, "thinkingLevel"));
    if !budget.is_null() && !level.is_null() {
        return Err(Failure::bad("You can only set only one of thinking budget and thinking level."));
    }
    if !level.is_null() {
        if model.starts_with("gemini-2") || model.starts_with("gemini-1") {
            return Err(Failure::bad("Thinking level is not supported for this model."));
        }
        let pro = model.contains("-pro");
        return match level.as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("low" | "high") => Ok(()),
            Some("medium") if !pro || !model.starts_with("gemini-3-pro") => Ok(()),
            Some("minimal") if !pro => Ok(()),
            Some(word @ ("medium" | "minimal")) => {
                let words =
                    format!("Thinking level {} is not supported for this model.", word.to_ascii_uppercase());
                Err(Failure::bad(words))
            }
            _ => {
                let words = format!(
                    "Invalid value at 'generation_config.thinking_config.thinking_level' (type.googleapis.com/google.ai.generativelanguage.v1beta.ThinkingConfig.ThinkingLevel), {level}"
                );
                Err(Failure::bad(words))
            }
        };
    }
    let Some(budget) = budget.as_i64() else { return Ok(()) };
    let range = match model {
        m if m.starts_with("gemini-2.5-pro") => 128..=32_768,
        m if m.starts_with("gemini-2.5-flash-lite") => 512..=24_576,
        m if m.starts_with("gemini-2.5-flash") => 1..=24_576,
        m if m.starts_with("gemini-2.0") || m.starts_with("gemini-1") => {
            return Err(Failure::bad("Thinking is not enabled for this model."));
        }
        _ => 1..=32_768,
    };
    let off = budget == 0;
    match budget {
        -1 => Ok(()),
        0 if !model.starts_with("gemini-2.5-pro") => Ok(()),
        _ if off => Err(Failure::bad("Budget 0 is invalid. This model only works in thinking mode.")),
        b if range.contains(&b) => Ok(()),
        b => {
            let (low, high) = range.into_inner();
            let words = format!(
                "The thinking budget {b} is invalid. Please choose a value between {low} and {high}."
            );
            Err(Failure::bad(words))
        }
    }
}

fn output(model: &str, body: &Value) -> Result<(), Failure> {
    let config = member(body, "generationConfig");
    let mime = member(config, "responseMimeType").as_str().unwrap_or("text/plain");
    let (schema, json_schema) = (member(config, "responseSchema"), member(config, "responseJsonSchema"));
    if !["text/plain", "application/json", "text/x.enum"].contains(&mime) {
        let words = "allowed mimetypes are `text/plain`, `application/json`, `application/xml`, `application/yaml` and `text/x.enum`.";
        return Err(fault("generation_config.response_mime_type", words));
    }
    if !schema.is_null() && !json_schema.is_null() {
        return Err(fault(
            "generation_config",
            "only one of response_schema and response_json_schema may be set.",
        ));
    }
    if (!schema.is_null() || !json_schema.is_null()) && mime == "text/plain" {
        let words =
            "response schema is only supported with response_mime_type application/json or text/x.enum.";
        return Err(fault("generation_config.response_schema", words));
    }
    schema_fits(schema, "generation_config.response_schema")?;
    let calls = list(body, "tools").iter().any(|tool| !list(tool, "functionDeclarations").is_empty());
    match calls && mime == "application/json" && !model.starts_with("gemini-3") {
        true => {
            Err(Failure::bad("Function calling with a response mime type: 'application/json' is unsupported"))
        }
        false => Ok(()),
    }
}

fn tools(body: &Value) -> Result<(), Failure> {
    let mut names = Vec::new();
    for (t, tool) in list(body, "tools").iter().enumerate() {
        for (f, function) in list(tool, "functionDeclarations").iter().enumerate() {
            let at = format!("tools[{t}].function_declarations[{f}]");
            let name = text_of(function, "name");
            let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            if !first
                || name.len() > 64
                || name.chars().any(|c| !c.is_ascii_alphanumeric() && !"_.:-".contains(c))
            {
                let words = "Invalid function name. Must start with a letter or an underscore. Must be alphanumeric \
                             (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:) or dashes (-), with a maximum \
                             length of 64.";
                return Err(fault(&format!("{at}.name"), words));
            }
            if names.contains(&name) {
                return Err(Failure::bad(format!("Duplicate function declaration found: {name}")));
            }
            names.push(name);
            if !function["parameters"].is_null() && !member(function, "parametersJsonSchema").is_null() {
                return Err(fault(&at, "only one of parameters and parameters_json_schema may be set."));
            }
            schema_fits(&function["parameters"], &format!("{at}.parameters"))?;
        }
    }
    let calling = member(member(body, "toolConfig"), "functionCallingConfig");
    let (mode, allowed) = (text_of(calling, "mode"), list(calling, "allowedFunctionNames"));
    if !matches!(mode, "" | "MODE_UNSPECIFIED" | "AUTO" | "ANY" | "NONE" | "VALIDATED") {
        let words = format!(
            "Invalid value at 'tool_config.function_calling_config.mode' (type.googleapis.com/google.ai.generativelanguage.v1beta.FunctionCallingConfig.Mode), \"{mode}\""
        );
        return Err(Failure::bad(words));
    }
    if mode == "ANY" && names.is_empty() {
        return Err(Failure::bad("Function calling config is set without function_declarations."));
    }
    if !allowed.is_empty() && !matches!(mode, "ANY" | "VALIDATED") {
        let words = "allowed_function_names should be set only when function_calling_config.mode is ANY or VALIDATED.";
        return Err(Failure::bad(words));
    }
    match allowed.iter().find(|name| !names.contains(&name.as_str().unwrap_or_default())) {
        Some(name) => {
            Err(Failure::bad(format!("allowed_function_names: {name} is not a declared function.")))
        }
        None => Ok(()),
    }
}

/// Types are known words, arrays say of what, and only what is declared is required.
fn schema_fits(schema: &Value, at: &str) -> Result<(), Failure> {
    if schema.is_null() {
        return Ok(());
    }
    let kind = match &schema["type"] {
        // An enum may come as its number.
        Value::Null | Value::Number(_) => String::new(),
        Value::String(kind) => kind.to_ascii_uppercase(),
        other => {
            return Err(Failure::bad(format!(
                "Proto field is not repeating, cannot start list. at '{at}.type', {other}"
            )));
        }
    };
    if !["", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"].contains(&kind.as_str()) {
        let words = format!(
            "Invalid value at '{at}.type' (type.googleapis.com/google.ai.generativelanguage.v1beta.Type), \"{kind}\""
        );
        return Err(Failure::bad(words));
    }
    if kind == "ARRAY" && schema["items"].is_null() {
        return Err(fault(&format!("{at}.items"), "missing field."));
    }
    let empty = serde_json::Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    for (n, name) in list(schema, "required").iter().enumerate() {
        if kind == "OBJECT" && !properties.contains_key(name.as_str().unwrap_or_default()) {
            return Err(fault(&format!("{at}.required[{n}]"), "property is not defined"));
        }
    }
    if list(schema, "enum").iter().any(|e| e.as_str().is_none_or(str::is_empty)) {
        return Err(fault(&format!("{at}.enum"), "enum values must be non-empty strings"));
    }
    for (name, property) in properties {
        schema_fits(property, &format!("{at}.properties[{name}]"))?;
    }
    for (n, option) in list(schema, "anyOf").iter().enumerate() {
        schema_fits(option, &format!("{at}.any_of[{n}]"))?;
    }
    schema_fits(&schema["items"], &format!("{at}.items"))
}

//! What OpenAI refuses of a request's parameters. Its followers share the rules of form, not the list of names.
use serde_json::Value;

use super::{messages, tools};
use crate::ask::items_of;
use crate::failure::Failure;

const KNOWN: [&str; 37] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// Mistral's own list; it refuses all else with a 422.
const MISTRAL: [&str; 24] = [
    "model",
    "messages",
    "temperature",
    "top_p",
    "max_tokens",
    "stream",
    "stop",
    "random_seed",
    "response_format",
    "tools",
    "tool_choice",
    "presence_penalty",
    "frequency_penalty",
    "n",
    "prediction",
    "parallel_tool_calls",
    "prompt_mode",
    "safe_prompt",
    "metadata",
    "reasoning_effort",
    "prompt_cache_key",
    "stream_options",
    "guardrails",
    "min_tokens",
];

/// What a parameter must be.
enum Must {
    Number(f64, f64),
    Integer(i64, i64),
    Bool,
    Text,
    OneOf(&'static [&'static str]),
}

const RULES: [(&str, Must); 21] = [
    ("temperature", Must::Number(0.0, 2.0)),
    ("top_p", Must::Number(0.0, 1.0)),
    ("frequency_penalty", Must::Number(-2.0, 2.0)),
    ("presence_penalty", Must::Number(-2.0, 2.0)),
    ("n", Must::Integer(1, 128)),
    ("max_tokens", Must::Integer(1, i64::MAX)),
    ("max_completion_tokens", Must::Integer(1, i64::MAX)),
    ("top_logprobs", Must::Integer(0, 20)),
    ("seed", Must::Integer(i64::MIN, i64::MAX)),
    ("stream", Must::Bool),
    ("store", Must::Bool),
    ("logprobs", Must::Bool),
    ("parallel_tool_calls", Must::Bool),
    ("user", Must::Text),
    ("safety_identifier", Must::Text),
    ("prompt_cache_key", Must::Text),
    ("reasoning_effort", Must::OneOf(&["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
    ("service_tier", Must::OneOf(&["auto", "default", "flex", "scale", "priority", "fast"])),
    ("verbosity", Must::OneOf(&["low", "medium", "high"])),
    ("prompt_cache_retention", Must::OneOf(&["in_memory", "24h"])),
    ("random_seed", Must::Integer(0, i64::MAX)),
];

/// Refuses a request as the provider would.
pub fn check(provider: &str, model: &str, body: &Value) -> Result<(), Failure> {
    let Some(members) = body.as_object() else {
        return Err(Failure::bad("Invalid body: expected an object."));
    };
    let own = matches!(provider, "openai" | "azure");
    match provider {
        "openai" | "azure" => {
            if let Some(name) = members.keys().find(|k| !KNOWN.contains(&k.as_str())) {
                return Err(
                    Failure::bad(format!("Unknown parameter: '{name}'.")).about(name, "unknown_parameter")
                );
            }
        }
        "mistral" => {
            if let Some(name) = members.keys().find(|k| !MISTRAL.contains(&k.as_str())) {
                return Err(Failure::bad("Extra inputs are not permitted").about(name, "extra_forbidden"));
            }
        }
        _ => {}
    }
    if model.is_empty() && provider != "azure" {
        return Err(Failure::bad("you must provide a model parameter"));
    }
    for (name, must) in &RULES {
        if let Some(value) = body.get(name).filter(|v| !v.is_null()) {
            obeys(name, value, must)?;
        }
    }
    depends(body)?;
    if own {
        suits_model(model, body)?;
    }
    tools::check(provider, body)?;
    tools::response_format(body)?;
    messages::check(provider, model, body)
}

fn obeys(name: &str, value: &Value, must: &Must) -> Result<(), Failure> {
    let wrong_type = |wanted: &str| {
        let words =
            format!("Invalid type for '{name}': expected {wanted}, but got {} instead.", type_of(value));
        Err(Failure::bad(words).about(name, "invalid_type"))
    };
    let range = |low: &str, high: &str, above: bool, kind: &str| {
        let (side, bound) = if above {
            ("maximum value. Expected a value <=", high)
        } else {
            ("minimum value. Expected a value >=", low)
        };
        let code = match (kind, above) {
            ("decimal", true) => "decimal_above_max_value",
            ("decimal", false) => "decimal_below_min_value",
            (_, true) => "integer_above_max_value",
            (_, false) => "integer_below_min_value",
        };
        let words = format!(
            "Invalid '{name}': {kind} {} {side} {bound}, but got {value} instead.",
            if above { "above" } else { "below" }
        );
        Err(Failure::bad(words).about(name, code))
    };
    match must {
        Must::Number(low, high) => match value.as_f64() {
            None => wrong_type("a decimal"),
            Some(v) if v < *low || v > *high => {
                range(&low.to_string(), &high.to_string(), v > *high, "decimal")
            }
            Some(_) => Ok(()),
        },
        Must::Integer(low, high) => match value.as_i64() {
            None => wrong_type("an integer"),
            Some(v) if v < *low || v > *high => {
                range(&low.to_string(), &high.to_string(), v > *high, "integer")
            }
            Some(_) => Ok(()),
        },
        Must::Bool if !value.is_boolean() => wrong_type("a boolean"),
        Must::Text if !value.is_string() => wrong_type("a string"),
        Must::OneOf(words) if !words.contains(&value.as_str().unwrap_or_default()) => {
            let words = quoted(words);
            Err(Failure::bad(format!("Invalid value: {value}. Supported values are: {words}."))
                .about(name, "invalid_value"))
        }
        _ => Ok(()),
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
}

/// A JSON type as OpenAI's messages name it.
pub fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(n) if n.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Parameters that are allowed only with another.
fn depends(body: &Value) -> Result<(), Failure> {
    let given = |name: &str| body.get(name).is_some_and(|v| !v.is_null());
    if given("stream_options") && body["stream"] != true {
        let words = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Failure::bad(words).about("stream_options", ""));
    }
    for name in ["tool_choice", "parallel_tool_calls"] {
        if given(name) && items_of(body, "tools").is_empty() {
            let words =
                format!("Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.");
            return Err(Failure::bad(words).about(name, ""));
        }
    }
    if given("top_logprobs") && body["logprobs"] != true {
        let words = "'top_logprobs' is only allowed when 'logprobs' is enabled.";
        return Err(Failure::bad(words).about("top_logprobs", ""));
    }
    if given("max_tokens") && given("max_completion_tokens") {
        let words = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(Failure::bad(words).about("max_tokens", "invalid_parameter_combination"));
    }
    match &body["stop"] {
        Value::Null | Value::String(_) => Ok(()),
        Value::Array(stops) if stops.len() > 4 => {
            let words = format!(
                "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with \
                 length {} instead.",
                stops.len()
            );
            Err(Failure::bad(words).about("stop", "array_above_max_length"))
        }
        Value::Array(stops) if stops.iter().all(Value::is_string) => Ok(()),
        _ => Err(Failure::bad("Invalid type for 'stop': expected a string or an array of strings.")
            .about("stop", "invalid_type")),
    }
}

/// Reasoning models do not take what samplers take.
fn suits_model(model: &str, body: &Value) -> Result<(), Failure> {
    let given = |name: &str| body.get(name).is_some_and(|v| !v.is_null());
    let o_series = ["o1", "o3", "o4"].iter().any(|o| model.starts_with(o));
    let gpt_5 = model.starts_with("gpt-5") && !model.starts_with("gpt-5-chat");
    let first_gpt_5 = gpt_5 && matches!(model.as_bytes().get(5), None | Some(b'-'));
    if (o_series || gpt_5) && given("max_tokens") {
        let words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
                     'max_completion_tokens' instead.";
        return Err(Failure::bad(words).about("max_tokens", "unsupported_parameter"));
    }
    if o_series || first_gpt_5 {
        for name in ["temperature", "top_p"] {
            if body[name].as_f64().is_some_and(|v| v != 1.0) {
                let words = format!(
                    "Unsupported value: '{name}' does not support {} with this model. Only the default (1) value is \
                     supported.",
                    body[name]
                );
                return Err(Failure::bad(words).about(name, "unsupported_value"));
            }
        }
        for name in ["logprobs", "logit_bias", "presence_penalty", "frequency_penalty", "stop"] {
            let set = given(name) && body[name] != false && body[name].as_f64() != Some(0.0);
            // Stop sequences are refused by o3 and o4-mini, not by o1.
            if set && (name != "stop" || !model.starts_with("o1")) {
                let words = format!("Unsupported parameter: '{name}' is not supported with this model.");
                return Err(Failure::bad(words).about(name, "unsupported_parameter"));
            }
        }
    }
    if given("reasoning_effort") && ["gpt-4", "gpt-3"].iter().any(|old| model.starts_with(old)) {
        let words = "Unrecognized request argument supplied: reasoning_effort";
        return Err(Failure::bad(words));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A request with these members over a plain one, and what is said to it.
    fn said(provider: &str, model: &str, members: Value) -> Option<(String, Option<String>)> {
        let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
        for (key, value) in members.as_object().unwrap() {
            body[key] = value.clone();
        }
        check(provider, model, &body).err().map(|f| (f.message, f.param))
    }

    #[test]
    fn openai_refuses_what_it_does_not_know_or_allow() {
        let tool = json!({"type": "function", "function": {"name": "f"}});
        let call = json!({"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
        let user = json!({"role": "user", "content": "hi"});
        let cases = [
            (json!({"foo": 1}), "Unknown parameter: 'foo'."),
            (json!({"temperature": 3}), "above maximum value"),
            (json!({"temperature": "hot"}), "expected a decimal, but got a string"),
            (json!({"n": 0}), "below minimum value"),
            (json!({"reasoning_effort": "huge"}), "Invalid value: \"huge\""),
            (json!({"stream_options": {"include_usage": true}}), "only allowed when 'stream' is enabled"),
            (json!({"tool_choice": "auto"}), "only allowed when 'tools' are specified"),
            (json!({"tools": [{"type": "function", "function": {"name": "a b"}}]}), "does not match pattern"),
            (
                json!({"tools": [tool], "tool_choice": {"type": "function", "function": {"name": "g"}}}),
                "not found",
            ),
            (json!({"max_tokens": 1, "max_completion_tokens": 1}), "at the same time"),
            (json!({"stop": ["a", "b", "c", "d", "e"]}), "array too long"),
            (json!({"response_format": {"type": "json_object"}}), "must contain the word 'json'"),
            (json!({"messages": []}), "empty array"),
            (json!({"messages": [{"role": "bot", "content": ""}]}), "Invalid value: 'bot'"),
            (json!({"messages": [{"role": "user", "content": null}]}), "expected a string, got null"),
            (json!({"messages": [{"role": "assistant"}]}), "expected a string, got null"),
            (
                json!({"messages": [{"role": "tool", "tool_call_id": "c1", "content": ""}]}),
                "must be a response",
            ),
            (json!({"messages": [user, call]}), "must be followed by tool messages"),
            (json!({"messages": [user, call, user]}), "did not have response messages: c1"),
            (
                json!({"messages": [{"role": "system", "content": [{"type": "image_url"}]}]}),
                "not a content type",
            ),
        ];
        for (members, words) in cases {
            let (message, _) = said("openai", "gpt-4o", members.clone()).unwrap_or_default();
            assert!(message.contains(words), "{members}: {message}");
        }
    }

    #[test]
    fn openai_takes_a_full_conversation() {
        let members = json!({"stream": true, "stream_options": {"include_usage": true}, "temperature": 0.5, "seed": -1,
            "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required", "messages": [
                {"role": "developer", "content": "be kind"},
                {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "done"}]});
        assert_eq!(said("openai", "gpt-4o", members), None);
    }

    #[test]
    fn models_and_vendors_have_rules_of_their_own() {
        let refused = |provider, model, members| said(provider, model, members).and_then(|(_, param)| param);
        assert_eq!(refused("openai", "gpt-5", json!({"max_tokens": 5})).as_deref(), Some("max_tokens"));
        assert_eq!(
            refused("openai", "gpt-5-mini", json!({"temperature": 0.2})).as_deref(),
            Some("temperature")
        );
        assert_eq!(refused("openai", "gpt-5.1", json!({"temperature": 0.2})), None);
        assert_eq!(refused("openai", "gpt-4o", json!({"max_tokens": 5})), None);
        assert_eq!(
            refused("mistral", "m", json!({"max_completion_tokens": 5})).as_deref(),
            Some("max_completion_tokens")
        );
        assert_eq!(refused("groq", "llama", json!({"anything": 5})), None);
        assert_eq!(
            refused("deepseek", "d", json!({"messages": [{"role": "developer", "content": ""}]})).as_deref(),
            Some("messages[0].role")
        );
    }
}

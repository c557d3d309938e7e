//! What Anthropic refuses of a request's parameters.
use serde_json::Value;

use super::{messages, tools};
use crate::ask::text_of;
use crate::failure::Failure;

const KNOWN: [&str; 22] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "tools",
    "tool_choice",
    "thinking",
    "metadata",
    "service_tier",
    "output_config",
    "output_format",
    "cache_control",
    "container",
    "context_management",
    "mcp_servers",
    "inference_geo",
    "speed",
];

/// Refuses a request as Anthropic would.
pub fn check(model: &str, body: &Value) -> Result<(), Failure> {
    let Some(members) = body.as_object() else {
        return Err(Failure::bad("Input should be a valid dictionary"));
    };
    if let Some(name) = members.keys().find(|k| !KNOWN.contains(&k.as_str())) {
        return Err(extra(name));
    }
    for name in ["model", "max_tokens", "messages"] {
        if body.get(name).is_none() {
            return Err(Failure::bad(format!("{name}: Field required")));
        }
    }
    match body["max_tokens"].as_u64() {
        Some(0) => return Err(Failure::bad("max_tokens: must be greater than or equal to 1")),
        Some(_) => {}
        None => return Err(Failure::bad("max_tokens: Input should be a valid integer")),
    }
    sampling(model, body)?;
    thinking(model, body)?;
    tools::check(body)?;
    output(body)?;
    system(body)?;
    cache_marks(body)?;
    messages::check(model, body)
}

/// The refusal of a member that has no business there.
pub fn extra(path: &str) -> Failure {
    Failure::bad(format!("{path}: Extra inputs are not permitted"))
}

/// Refuses members other than the known ones.
pub fn only(value: &Value, known: &[&str], path: &str) -> Result<(), Failure> {
    let mut keys = value.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    keys.find(|key| !known.contains(key)).map_or(Ok(()), |key| Err(extra(&format!("{path}.{key}"))))
}

fn sampling(model: &str, body: &Value) -> Result<(), Failure> {
    for name in ["temperature", "top_p"] {
        match body.get(name) {
            None => {}
            Some(value) => match value.as_f64() {
                Some(v) if (0.0..=1.0).contains(&v) => {}
                Some(_) => return Err(Failure::bad(format!("{name}: range: 0..1"))),
                None => return Err(Failure::bad(format!("{name}: Input should be a valid number"))),
            },
        }
    }
    if version(model) >= Some((4, 5)) && body.get("temperature").is_some() && body.get("top_p").is_some() {
        let words = "`temperature` and `top_p` cannot both be specified for this model. Please use only one.";
        return Err(Failure::bad(words));
    }
    if let Some(stops) = body.get("stop_sequences") {
        let Some(stops) = stops.as_array() else {
            return Err(Failure::bad("stop_sequences: Input should be a valid list"));
        };
        if stops.iter().any(|s| s.as_str().is_none_or(|s| s.trim().is_empty())) {
            return Err(Failure::bad("stop_sequences: each stop sequence must contain non-whitespace"));
        }
    }
    if let Some(user) = body.get("metadata") {
        only(user, &["user_id"], "metadata")?;
        if text_of(user, "user_id").chars().count() > 256 {
            return Err(Failure::bad("metadata.user_id: String should have at most 256 characters"));
        }
    }
    match body.get("service_tier").map(|_| text_of(body, "service_tier")) {
        None | Some("auto" | "standard_only") => Ok(()),
        Some(_) => Err(Failure::bad("service_tier: Input should be 'auto' or 'standard_only'")),
    }
}

/// `claude-opus-4-6…` is (4, 6); none for names without a version.
pub fn version(model: &str) -> Option<(u64, u64)> {
    let mut numbers = model.split('-').filter_map(|part| part.parse::<u64>().ok().filter(|n| *n < 100));
    Some((numbers.next()?, numbers.next().unwrap_or(0)))
}

fn thinking(model: &str, body: &Value) -> Result<(), Failure> {
    let Some(thinking) = body.get("thinking") else { return Ok(()) };
    only(thinking, &["type", "budget_tokens", "display"], "thinking")?;
    match text_of(thinking, "type") {
        "disabled" => return Ok(()),
        "adaptive" if version(model).is_some_and(|v| v < (4, 6)) => {
            return Err(Failure::bad("adaptive thinking is not supported on this model"));
        }
        "adaptive" => {}
        "enabled" => {
            let budget = thinking["budget_tokens"].as_u64();
            let Some(budget) = budget else {
                return Err(Failure::bad("thinking.enabled.budget_tokens: Field required"));
            };
            if budget < 1024 {
                let words = "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024";
                return Err(Failure::bad(words));
            }
            if body["max_tokens"].as_u64().is_some_and(|max| max <= budget) {
                let words = "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our \
                             documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking\
                             #max-tokens-and-context-window-size";
                return Err(Failure::bad(words));
            }
        }
        other => {
            let words = format!(
                "thinking: Input tag '{other}' found using 'type' does not match any of the expected tags: 'adaptive', \
                 'disabled', 'enabled'"
            );
            return Err(Failure::bad(words));
        }
    }
    if body["temperature"].as_f64().is_some_and(|t| t != 1.0) {
        return Err(Failure::bad("`temperature` may only be set to 1 when thinking is enabled."));
    }
    if body["top_p"].as_f64().is_some_and(|p| p < 0.95) {
        return Err(Failure::bad(
            "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.",
        ));
    }
    if body.get("top_k").is_some() {
        return Err(Failure::bad("`top_k` must be unset when thinking is enabled."));
    }
    match text_of(&body["tool_choice"], "type") {
        "any" | "tool" => Err(Failure::bad("Thinking may not be enabled when tool_choice forces tool use.")),
        _ => Ok(()),
    }
}

fn output(body: &Value) -> Result<(), Failure> {
    let config = &body["output_config"];
    only(config, &["format", "effort", "task_budget"], "output_config")?;
    let efforts = ["low", "medium", "high", "xhigh", "max"];
    if config.get("effort").is_some_and(|e| !efforts.contains(&e.as_str().unwrap_or_default())) {
        let words = "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'";
        return Err(Failure::bad(words));
    }
    let Some(format) = config.get("format").filter(|f| !f.is_null()) else { return Ok(()) };
    only(format, &["type", "schema"], "output_config.format.json_schema")?;
    if format["type"] != "json_schema" {
        return Err(Failure::bad("output_config.format.type: Input should be 'json_schema'"));
    }
    match crate::openai::tools::closed(&format["schema"]) {
        true => Ok(()),
        false => {
            let words = "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false";
            Err(Failure::bad(words))
        }
    }
}

fn system(body: &Value) -> Result<(), Failure> {
    match body.get("system") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => blocks.iter().enumerate().try_for_each(|(n, block)| {
            only(block, &["type", "text", "cache_control", "citations"], &format!("system.{n}"))?;
            if block["type"] != "text" {
                return Err(Failure::bad(format!("system.{n}.type: Input should be 'text'")));
            }
            match text_of(block, "text").trim().is_empty() {
                true => Err(Failure::bad("system: text content blocks must be non-empty")),
                false => Ok(()),
            }
        }),
        Some(_) => Err(Failure::bad("system: Input should be a valid string or list")),
    }
}

/// Caching marks are bounded in number and form.
fn cache_marks(body: &Value) -> Result<(), Failure> {
    fn collect<'a>(value: &'a Value, marks: &mut Vec<&'a Value>) {
        match value {
            Value::Object(members) => {
                marks.extend(members.get("cache_control").filter(|m| !m.is_null()));
                // What a tool is called with, or takes, is not searched.
                let inner =
                    members.iter().filter(|(key, _)| !matches!(key.as_str(), "input" | "input_schema"));
                inner.for_each(|(_, value)| collect(value, marks));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, marks)),
            _ => {}
        }
    }
    let mut marks = Vec::new();
    collect(body, &mut marks);
    if marks.len() > 4 {
        let words =
            format!("A maximum of 4 blocks with cache_control may be provided. Found {}.", marks.len());
        return Err(Failure::bad(words));
    }
    for mark in marks {
        only(mark, &["type", "ttl"], "cache_control.ephemeral")?;
        if mark["type"] != "ephemeral" || !matches!(text_of(mark, "ttl"), "" | "5m" | "1h") {
            return Err(Failure::bad(
                "cache_control: Input should be {\"type\": \"ephemeral\", \"ttl\": \"5m\" or \"1h\"}",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(members: Value) -> Option<String> {
        let mut body =
            json!({"model": "claude-x", "max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}]});
        for (key, value) in members.as_object().unwrap() {
            body[key] = value.clone();
        }
        check("claude-x", &body).err().map(|f| f.message)
    }

    #[test]
    fn anthropic_refuses_what_it_does_not_know_or_allow() {
        let user = json!({"role": "user", "content": "hi"});
        let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]});
        let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]});
        let late = json!({"role": "user", "content": [{"type": "text", "text": "so"}, {"type": "tool_result", "tool_use_id": "t1"}]});
        let tool = json!({"name": "f", "input_schema": {"type": "object"}});
        let cases = [
            (json!({"foo": 1}), "foo: Extra inputs are not permitted"),
            (json!({"max_tokens": 0}), "max_tokens"),
            (json!({"temperature": 1.5}), "temperature: range: 0..1"),
            (json!({"stop_sequences": [" "]}), "non-whitespace"),
            (json!({"metadata": {"a": "b"}}), "metadata.a: Extra inputs"),
            (
                json!({"system": [{"type": "text", "text": ""}]}),
                "system: text content blocks must be non-empty",
            ),
            (json!({"thinking": {"type": "enabled", "budget_tokens": 100}}), "greater than or equal to 1024"),
            (json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}), "must be greater than"),
            (
                json!({"thinking": {"type": "enabled", "budget_tokens": 1024}, "temperature": 0}),
                "may only be set to 1",
            ),
            (json!({"tools": [{"name": "f"}]}), "input_schema: Field required"),
            (json!({"tools": [{"name": "f", "input_schema": {}}]}), "input_schema.type: Field required"),
            (json!({"tools": [tool, tool]}), "must be unique"),
            (json!({"tool_choice": {"type": "auto"}}), "only be specified while providing tools"),
            (
                json!({"tools": [tool], "tool_choice": {"type": "none", "disable_parallel_tool_use": true}}),
                "Extra inputs",
            ),
            (
                json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}),
                "additionalProperties",
            ),
            (json!({"messages": []}), "at least one message"),
            (json!({"messages": [{"role": "system", "content": "x"}]}), "Unexpected role"),
            (json!({"messages": [{"role": "assistant", "content": "x"}]}), "first message"),
            (json!({"messages": [{"role": "user", "content": ""}]}), "non-empty content"),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}),
                "must be non-empty",
            ),
            (json!({"messages": [user, {"role": "assistant", "content": "so "}]}), "trailing whitespace"),
            (json!({"messages": [user, call]}), "without `tool_result` blocks immediately after: t1"),
            (json!({"messages": [user, call, user]}), "without `tool_result` blocks"),
            (json!({"messages": [user, call, late]}), "without `tool_result` blocks"),
            (json!({"messages": [user, result]}), "unexpected `tool_use_id`"),
            (
                json!({"messages": [user, call, result], "thinking": {"type": "enabled", "budget_tokens": 1024}}),
                "Expected `thinking`",
            ),
            (
                json!({"messages": [user, {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "a", "signature": crate::ids::signature("anthropic", "b")}]}]}),
                "Invalid `signature`",
            ),
        ];
        for (members, words) in cases {
            let message = said(members.clone()).unwrap_or_default();
            assert!(message.contains(words), "{members}: {message}");
        }
    }

    #[test]
    fn anthropic_takes_a_full_conversation() {
        let thought = crate::ids::signature("anthropic", "hm");
        let members = json!({"system": [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
            "thinking": {"type": "enabled", "budget_tokens": 1024}, "metadata": {"user_id": "u"},
            "tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": thought}, {"type": "text", "text": "yes"},
                    {"type": "tool_use", "id": "t1", "name": "f", "input": {}}, {"type": "tool_use", "id": "t2", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a"}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t2", "content": "b"}, {"type": "text", "text": "and?"}]}]});
        assert_eq!(said(members), None);
    }

    #[test]
    fn a_model_name_tells_its_version() {
        let cases = [
            ("claude-opus-4-6", Some((4, 6))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-3-7-sonnet-20250219", Some((3, 7))),
            ("claude-x", None),
        ];
        for (model, expected) in cases {
            assert_eq!(version(model), expected, "{model}");
        }
    }
}

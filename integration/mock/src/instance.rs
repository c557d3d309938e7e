//! A small JSON value that satisfies a JSON schema (or Gemini's OpenAPI subset of it).
use serde_json::{Map, Value, json};

const MAX_DEPTH: usize = 24;

/// An instance of `schema`: its required members, or all where none is said to be required.
pub fn instance(schema: &Value) -> Value {
    of(schema, schema, "value", 0)
}

fn of(schema: &Value, root: &Value, name: &str, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = target.strip_prefix('#').unwrap_or(target);
        return root.pointer(pointer).map_or(Value::Null, |s| of(s, root, name, depth + 1));
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if let Some(first) = schema.get("enum").and_then(|e| e.get(0)) {
        return first.clone();
    }
    for key in ["anyOf", "any_of", "oneOf"] {
        let Some(options) = schema.get(key).and_then(Value::as_array) else { continue };
        // Deep in a recursive schema the last option, usually null, ends it.
        let option = if depth > MAX_DEPTH / 4 { options.last() } else { options.first() };
        return option.map_or(Value::Null, |s| of(s, root, name, depth + 1));
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        let mut merged = Map::new();
        for part in all.iter().map(|s| of(s, root, name, depth + 1)) {
            match part {
                Value::Object(members) => merged.extend(members),
                other => return other,
            }
        }
        return Value::Object(merged);
    }
    match kind(schema).as_str() {
        "object" => object(schema, root, depth),
        "array" => {
            let count = size(schema, "minItems").unwrap_or(1).min(64);
            let count = if depth > MAX_DEPTH / 2 && schema.get("minItems").is_none() { 0 } else { count };
            let item = schema.get("items").unwrap_or(&Value::Null);
            (0..count).map(|_| of(item, root, name, depth + 1)).collect()
        }
        "integer" => json!(number(schema, 1.0).ceil() as i64),
        "number" => json!(number(schema, 1.5)),
        "boolean" => json!(true),
        "null" => Value::Null,
        "string" => json!(string(schema, name)),
        _ => json!(format!("example {name}")),
    }
}

/// The type, lowercase; of several the first that is not null; guessed from the members where it is not said.
fn kind(schema: &Value) -> String {
    let said = match schema.get("type") {
        Some(Value::String(one)) => one.as_str(),
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).find(|t| *t != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "",
    };
    said.to_ascii_lowercase()
}

fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required = schema.get("required").and_then(Value::as_array);
    let wanted = |name: &str| match required {
        Some(names) => names.iter().any(|n| n == name),
        None => depth <= MAX_DEPTH / 4,
    };
    let members = properties.iter().filter(|(name, _)| wanted(name));
    Value::Object(members.map(|(name, s)| (name.clone(), of(s, root, name, depth + 1))).collect())
}

fn number(schema: &Value, usual: f64) -> f64 {
    let bound = |key| schema.get(key).and_then(Value::as_f64);
    let step = bound("multipleOf").filter(|s| *s > 0.0);
    let low = bound("minimum").or(bound("exclusiveMinimum").map(|m| m + step.unwrap_or(1.0)));
    let high = bound("maximum").or(bound("exclusiveMaximum").map(|m| m - step.unwrap_or(1.0)));
    let value = usual.max(low.unwrap_or(usual)).min(high.unwrap_or(f64::MAX));
    step.map_or(value, |s| (value / s).ceil() * s)
}

fn string(schema: &Value, name: &str) -> String {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2026-01-31".into(),
        Some("date-time") => "2026-01-31T12:00:00Z".into(),
        Some("time") => "12:00:00Z".into(),
        Some("email") => "someone@example.com".into(),
        Some("uuid") => "123e4567-e89b-42d3-a456-426614174000".into(),
        Some("uri" | "url") => "https://example.com/".into(),
        Some("ipv4") => "192.0.2.1".into(),
        _ => format!("example {name}"),
    };
    let (low, high) =
        (size(schema, "minLength").unwrap_or(0), size(schema, "maxLength").unwrap_or(usize::MAX));
    let padding = low.saturating_sub(text.chars().count()).min(1 << 16);
    text.chars().chain(std::iter::repeat_n('x', padding)).take(high).collect()
}

fn size(schema: &Value, key: &str) -> Option<usize> {
    let value = schema.get(key)?;
    // Gemini's schema writes 64-bit numbers as strings.
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_satisfies_its_schema() {
        let cases = [
            (
                json!({"type": "object", "properties": {"city": {"type": "string"}, "n": {"type": "integer"}},
                    "required": ["city"]}),
                json!({"city": "example city"}),
            ),
            (json!({"type": "object", "properties": {"a": {"type": "boolean"}}}), json!({"a": true})),
            (
                json!({"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "minimum": 7}}}),
                json!({"a": 7}),
            ),
            (json!({"type": ["null", "string"], "enum": ["x", "y"]}), json!("x")),
            (json!({"type": "array", "items": {"type": "number"}, "minItems": 2}), json!([1.5, 1.5])),
            (json!({"$ref": "#/$defs/t", "$defs": {"t": {"const": 4}}}), json!(4)),
            (json!({"anyOf": [{"type": "null"}, {"type": "string"}]}), json!(null)),
            (json!({"type": "integer", "multipleOf": 5}), json!(5)),
            (json!({"type": "string", "maxLength": 3}), json!("exa")),
            (json!({"type": "object"}), json!({})),
        ];
        for (schema, expected) in cases {
            assert_eq!(instance(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn a_recursive_schema_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
                            "required": ["next"]});
        assert!(instance(&schema).to_string().contains("{\"next\":null}"));
        assert!(instance(&json!({"type": "array", "items": {"$ref": "#"}})).is_array());
    }
}

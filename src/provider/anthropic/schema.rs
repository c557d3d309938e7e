//! A JSON Schema in the subset that constrained decoding takes.
//!
//! Source: Anthropic's page on structured outputs (platform.claude.com, read November 2026). Every object is
//! closed; a keyword that is not supported is told to the model in the description instead, as
//! Anthropic's own SDKs do.

use crate::json::{self, Kind, Text, Value};

/// What is passed on as it is.
const KEPT: [&str; 8] = ["type", "title", "enum", "const", "default", "required", "$ref", "format"];

/// Keywords whose value is a schema or a list of schemas.
const NESTED: [&str; 4] = ["items", "anyOf", "oneOf", "allOf"];

/// Keywords whose value is a map of names to schemas.
const MAPS: [&str; 3] = ["properties", "$defs", "definitions"];

/// What says nothing about the answer.
const SILENT: [&str; 5] = ["$schema", "$id", "$comment", "examples", "additionalProperties"];

const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Whether no object of the schema may have members it does not name: only then does closing every
/// object leave its meaning.
pub(super) fn is_closed(schema: Value<'_>) -> bool {
    let open = schema.entries().any(|(key, value)| match key.text() {
        Some(key) if key == "additionalProperties" => value.bool() != Some(false),
        Some(key) => key == "patternProperties",
        None => false,
    });
    // An object without any `properties` is a free one.
    let bare = schema.get("type").and_then(Value::text).is_some_and(|kind| kind == "object")
        && schema.get("properties").is_none()
        && schema.get("additionalProperties").is_none();
    !open && !bare && nested(schema).all(is_closed)
}

/// The schemas one level down.
fn nested(schema: Value<'_>) -> impl Iterator<Item = Value<'_>> {
    let below = NESTED.iter().filter_map(move |key| schema.get(key));
    let below =
        below.flat_map(|value| value.items().chain(Some(value).filter(|value| value.kind() == Kind::Object)));
    let maps = MAPS.iter().filter_map(move |key| schema.get(key));
    below.chain(maps.flat_map(Value::entries).map(|(_, schema)| schema))
}

/// Writes the schema in the subset.
pub(super) fn write(schema: Value<'_>, out: &mut Vec<u8>) {
    if schema.kind() != Kind::Object {
        // `true` and `false` are schemas too.
        return out.extend_from_slice(schema.raw());
    }
    let mut told: Vec<(Text<'_>, Value<'_>)> = Vec::new();
    let description = schema.get("description").and_then(Value::text);
    json::object(out, |object| {
        for (key, value) in schema.entries() {
            let Some(key) = key.text() else { continue };
            let plain = key.decode().into_owned();
            let is = |names: &[&str]| names.contains(&plain.as_str());
            if is(&SILENT) || is(&["description"]) {
                continue;
            } else if is(&NESTED) {
                // Any of and one of differ only for answers that match several.
                let out = object.value(if is(&["oneOf"]) { "anyOf" } else { &plain });
                match value.kind() {
                    Kind::Array => {
                        json::array(out, |list| value.items().for_each(|item| write(item, list.value())));
                    }
                    _ => write(value, out),
                }
            } else if is(&MAPS) {
                object.object(&plain, |map| {
                    for (name, schema) in value.entries() {
                        let name = name.text().unwrap_or_default();
                        write(schema, map.value(&name.decode()));
                    }
                });
            } else if is(&KEPT) && is_supported(&key, value) || is(&["minItems"]) && value.u64() <= Some(1) {
                object.member(&key, value.raw());
            } else {
                told.push((key, value));
            }
        }
        if is_object(schema) {
            object.bool("additionalProperties", false);
        }
        let mut text = description.unwrap_or_default().into_owned();
        if !told.is_empty() {
            let rules = told
                .iter()
                .map(|(key, value)| format!("{}: {}", key.decode(), String::from_utf8_lossy(value.raw())));
            let rules = rules.collect::<Vec<_>>().join(", ");
            let gap = if text.is_empty() { "" } else { "\n\n" };
            text.push(&Text::of(&format!("{gap}{{{rules}}}")));
        }
        if !text.is_empty() {
            object.text("description", &text);
        }
    });
}

fn is_supported(key: &Text<'_>, value: Value<'_>) -> bool {
    *key != "format" || value.text().is_some_and(|format| FORMATS.iter().any(|known| format == *known))
}

fn is_object(schema: Value<'_>) -> bool {
    let is = |value: Value<'_>| value.text().is_some_and(|kind| kind == "object");
    let kind = schema.get("type");
    kind.is_some_and(|kind| is(kind) || kind.items().any(is))
        || kind.is_none() && schema.get("properties").is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::json::{Document, Surrogates};
    use serde_json::{Value as Tree, json};

    fn subset(schema: &Tree) -> (bool, Tree) {
        let text = schema.to_string();
        let document = Document::parse(text.as_bytes(), Surrogates::Paired).unwrap();
        let mut out = Vec::new();
        write(document.root(), &mut out);
        (is_closed(document.root()), serde_json::from_slice(&out).unwrap())
    }

    #[test]
    fn objects_are_closed_and_other_rules_are_told() {
        let schema = json!({
            "$schema": "x", "type": "object", "description": "A \"person\"", "minProperties": 1,
            "properties": {
                "name": {"type": "string", "minLength": 2, "format": "email"},
                "url": {"type": "string", "format": "uri-template"},
                "tags": {"type": "array", "items": {"type": "object", "properties": {}}, "minItems": 3},
                "one": {"type": "array", "minItems": 1, "items": true},
                "format": {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/a"}]},
            },
            "required": ["name"],
            "$defs": {"a": {"type": ["object", "null"], "properties": {"n": {"const": 1}}}},
        });
        let expected = json!({
            "type": "object", "description": "A \"person\"\n\n{minProperties: 1}",
            "properties": {
                "name": {"type": "string", "format": "email", "description": "{minLength: 2}"},
                "url": {"type": "string", "description": "{format: \"uri-template\"}"},
                "tags": {
                    "type": "array", "description": "{minItems: 3}",
                    "items": {"type": "object", "properties": {}, "additionalProperties": false},
                },
                "one": {"type": "array", "minItems": 1, "items": true},
                "format": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/a"}]},
            },
            "required": ["name"],
            "$defs": {"a": {
                "type": ["object", "null"], "properties": {"n": {"const": 1}}, "additionalProperties": false,
            }},
            "additionalProperties": false,
        });
        assert_eq!(subset(&schema), (true, expected));
    }

    #[test]
    fn a_map_is_not_closed() {
        for (schema, closed) in [
            (json!({"type": "object", "properties": {}, "additionalProperties": false}), true),
            (json!({"type": "object", "properties": {}}), true),
            (json!({"type": "object"}), false),
            (json!({"type": "object", "additionalProperties": {"type": "string"}}), false),
            (json!({"type": "array", "items": {"type": "object", "additionalProperties": true}}), false),
            (json!({"properties": {"a": {"anyOf": [{"type": "object", "patternProperties": {}}]}}}), false),
            (json!({"properties": {"additionalProperties": {"type": "string"}}}), true),
        ] {
            assert_eq!(subset(&schema).0, closed, "{schema}");
        }
    }
}

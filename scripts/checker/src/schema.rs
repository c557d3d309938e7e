//! A JSON Schema of the configuration, for editors: what may be where is the parser's own declarations, and what it is for, and
//! within which bounds, is in the tables of `docs/configuration.md`.
//!
//! It is for draft 7, which editors know best. It is stricter than the parser where that takes what Envoy makes of YAML: numbers
//! as texts, and nothing after a key.

mod tables;

use modelgate_config::form::{Form, Key, Map};
use modelgate_config::{Ability, Vendor};
use serde_json::{Value, json};
use tables::{Row, Tables};

/// Where a map of the configuration is declared.
const DEFINITIONS: &str = "definitions";
/// What is in a file of Envoy's, and in no configuration of the plugin.
const SECTIONS: [&str; 5] =
    ["static_resources", "dynamic_resources", "resources", "admin", "bootstrap_extensions"];

/// The schema's text, as it is in `docs/modelgate.schema.json`.
///
/// # Panics
/// If the schema could not be written as JSON.
#[must_use]
pub fn text() -> String {
    let text = serde_json::to_string_pretty(&schema()).expect("a tree of JSON");
    text + "\n"
}

/// The schema.
#[must_use]
pub fn schema() -> Value {
    let form = Form::of_document();
    let tables = Tables::of_documentation(&form);
    let mut definitions = json!({});
    write(&form, None, &tables, &mut definitions);
    let is_envoys: Vec<_> = SECTIONS.iter().map(|section| json!({"required": [section]})).collect();
    definitions["Envoy"] = json!({
        "description": "Anything of Envoy's; where modelgate is in it, its configuration.",
        "if": {
            "type": "object",
            "required": ["root_id", "configuration"],
            "properties": {
                "root_id": {"enum": ["gateway", "provider", "watcher"]},
                "configuration": {"type": "object", "required": ["@type", "value"], "properties": {"@type": {"type": "string", "pattern": "Struct$"}}},
            },
        },
        "then": {"properties": {"configuration": {"properties": {"value": reference("Document")}}}},
        "else": {"additionalProperties": reference("Envoy"), "items": reference("Envoy")},
    });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "modelgate",
        "description": "The configuration of modelgate, alone or in one of Envoy's. Made by `scripts/check-config --schema`.",
        "type": "object",
        "if": {"anyOf": is_envoys},
        "then": reference("Envoy"),
        "else": reference("Document"),
        DEFINITIONS: definitions,
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/{DEFINITIONS}/{name}")})
}

/// What may be at a place of which a row of a table tells; maps are put among the definitions.
fn write(form: &Form, row: Option<&Row>, tables: &Tables, definitions: &mut Value) -> Value {
    let bounds = row.map(|row| row.bounds).unwrap_or_default();
    match form {
        Form::Text => json!({"type": "string"}),
        Form::Flag => json!({"type": "boolean"}),
        Form::Off => json!({"const": false}),
        Form::Whole => {
            let mut schema = json!({"type": "integer", "minimum": 0});
            bounds.of_number(&mut schema, true);
            schema
        }
        Form::Number => {
            let mut schema = json!({"type": "number"});
            bounds.of_number(&mut schema, false);
            schema
        }
        Form::Words(words) => json!({"enum": words}),
        Form::List(form) => {
            let mut schema = json!({"type": "array", "items": write(form, None, tables, definitions)});
            bounds.of_list(&mut schema);
            schema
        }
        Form::Names(form) => {
            json!({"type": "object", "additionalProperties": write(form, row, tables, definitions)})
        }
        Form::Any => json!({"type": "object"}),
        Form::OneOf(forms) => {
            let forms: Vec<_> = forms.iter().map(|form| write(form, row, tables, definitions)).collect();
            json!({"anyOf": forms})
        }
        Form::Map(map) => {
            if definitions.get(map.name).is_none() {
                // Its place among the others is that of its first use.
                definitions[map.name] = Value::Null;
                definitions[map.name] = of_map(map, tables, definitions);
            }
            reference(map.name)
        }
    }
}

fn of_map(map: &Map, tables: &Tables, definitions: &mut Value) -> Value {
    let mut properties = json!({});
    for key in &map.keys {
        properties[key.name] = of_key(map, key, tables, definitions);
    }
    let required: Vec<_> = map.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({"description": map.what, "type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema["additionalProperties"] = json!(false);
    schema
}

fn of_key(map: &Map, key: &Key, tables: &Tables, definitions: &mut Value) -> Value {
    let row = tables.row(map.name, key.name);
    let schema = match (map.name, key.name) {
        // Those are words of the filter's too, and judged where the document is.
        ("Provider", "vendor") => {
            json!({"enum": Vendor::ALL.iter().map(|vendor| vendor.as_str()).collect::<Vec<_>>()})
        }
        ("Model", "supports") => supports(tables),
        _ => write(&key.form, row, tables, definitions),
    };
    let Some(row) = row else { return schema };
    let mut described = json!({"description": row.description});
    // Beside a reference nothing counts.
    match schema.get("$ref") {
        Some(_) => described["allOf"] = json!([schema]),
        None => {
            let members = schema.as_object().into_iter().flatten();
            members.for_each(|(name, value)| described[name.as_str()] = value.clone());
        }
    }
    described
}

/// What a model can do: a map with a key for each of the abilities.
fn supports(tables: &Tables) -> Value {
    let mut properties = json!({});
    for (_, word, _) in Ability::ALL {
        properties[word] = json!({"type": "boolean"});
        if let Some(row) = tables.row("supports", word) {
            properties[word]["description"] =
                json!(format!("a request needs it if it has {}", row.description));
        }
    }
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

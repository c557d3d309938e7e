//! JSON Schema as the subset of OpenAPI's that older models know.
//!
//! References are put in place, `const` becomes an `enum`, a type that may be null `nullable`;
//! what only documents or tightens (`additionalProperties`, `$schema`, unknown formats) is left out.

use crate::json::{Kind, MAX_DEPTH, Object, Text, Value, object};

/// What cannot be said in the subset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Beyond {
    /// It refers to itself, to what is not there, or nests too deep.
    Reference,
    /// It becomes too long once its references are put in place.
    Length,
    /// It joins several schemas with `allOf`.
    Conjunction,
}

impl Beyond {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reference => "its `$ref` is recursive or leads nowhere",
            Self::Length => "it is too long once its references are resolved",
            Self::Conjunction => "it combines schemas with `allOf`",
        }
    }
}

/// References can multiply; no sound schema is longer.
const LONGEST: usize = 1 << 20;

/// Members that mean the same in both.
const SAME: [&str; 15] = [
    "title",
    "description",
    "default",
    "example",
    "required",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "pattern",
    "propertyOrdering",
];

/// Writes a schema in the subset.
pub(super) fn subset(schema: Value<'_>) -> Result<Vec<u8>, Beyond> {
    let mut out = Vec::new();
    let mut writer = Writer { root: schema, written: 0, depth: 0, fault: None };
    object(&mut out, |members| writer.schema(schema, None, false, members));
    writer.fault.map_or(Ok(out), Err)
}

struct Writer<'d> {
    root: Value<'d>,
    /// About how many bytes were written.
    written: usize,
    depth: usize,
    fault: Option<Beyond>,
}

impl<'d> Writer<'d> {
    /// Writes the members of a schema but for those that `over`, the schema it stands for, has.
    fn schema(&mut self, schema: Value<'d>, over: Option<Value<'d>>, nullable: bool, out: &mut Object<'_>) {
        self.written = self.written.saturating_add(16);
        if self.depth > MAX_DEPTH {
            self.fault = Some(Beyond::Reference);
        }
        if self.written > LONGEST {
            self.fault = Some(Beyond::Length);
        }
        if self.fault.is_none() {
            self.depth = self.depth.saturating_add(1);
            self.members(schema, over, nullable, out);
            self.depth = self.depth.saturating_sub(1);
        }
    }

    fn members(
        &mut self,
        schema: Value<'d>,
        over: Option<Value<'d>>,
        mut nullable: bool,
        out: &mut Object<'_>,
    ) {
        if let Some(reference) = schema.get("$ref").and_then(Value::text) {
            return match self.referred(&reference) {
                Some(target) => self.schema(target, Some(over.unwrap_or(schema)), nullable, out),
                None => self.fault = Some(Beyond::Reference),
            };
        }
        if let Some(all) = schema.get("allOf") {
            let mut parts = all.items();
            match (parts.next(), parts.next()) {
                (Some(only), None) => self.schema(only, Some(schema), false, out),
                (None, _) => {}
                _ => self.fault = Some(Beyond::Conjunction),
            }
        }
        for (key, value) in schema.entries() {
            let Some(key) = key.text() else { continue };
            let name = key.decode();
            if over.is_some_and(|over| over.get(&name).is_some()) {
                continue;
            }
            match name.as_ref() {
                "type" => nullable |= self.kind(value, out),
                "nullable" => nullable |= value.bool() == Some(true),
                "enum" => nullable |= strings(out, value.items()),
                "const" if schema.get("enum").is_none() => nullable |= strings(out, std::iter::once(value)),
                "format" if value.text().is_some_and(|format| known_format(&format)) => {
                    out.raw("format", value.raw());
                }
                "exclusiveMinimum" if is_bound(value) && schema.get("minimum").is_none() => {
                    out.raw("minimum", value.raw());
                }
                "exclusiveMaximum" if is_bound(value) && schema.get("maximum").is_none() => {
                    out.raw("maximum", value.raw());
                }
                "items" if value.kind() == Kind::Object => {
                    out.object("items", |items| self.schema(value, None, false, items));
                }
                "properties" if value.entries().next().is_some() => out.object("properties", |properties| {
                    for (name, property) in value.entries() {
                        let Some(name) = name.text() else { continue };
                        properties.object(&name.decode(), |out| self.schema(property, None, false, out));
                    }
                }),
                "anyOf" | "oneOf" => nullable |= self.any_of(schema, value, out),
                name if SAME.contains(&name) => {
                    self.written = self.written.saturating_add(value.raw().len());
                    out.raw(name, value.raw());
                }
                _ => {}
            }
        }
        if nullable {
            out.bool("nullable", true);
        }
    }

    /// Writes `type`; says whether `null` is among the types.
    fn kind(&mut self, value: Value<'d>, out: &mut Object<'_>) -> bool {
        let mut kinds: Vec<Text<'_>> =
            value.text().into_iter().chain(value.items().filter_map(Value::text)).collect();
        let all = kinds.len();
        kinds.retain(|kind| kind != "null");
        match kinds.as_slice() {
            [] => {}
            [one] => out.text("type", one),
            several => out.array("anyOf", |choices| {
                several.iter().for_each(|kind| choices.object(|choice| choice.text("type", kind)));
            }),
        }
        kinds.len() < all
    }

    /// Writes the alternatives of `schema` but for `null`; says whether that was one of them.
    fn any_of(&mut self, schema: Value<'d>, value: Value<'d>, out: &mut Object<'_>) -> bool {
        let is_null =
            |choice: &Value<'_>| choice.get("type").and_then(Value::text).is_some_and(|kind| kind == "null");
        let choices: Vec<Value<'d>> = value.items().filter(|choice| !is_null(choice)).collect();
        match choices.as_slice() {
            [] => {}
            [one] => self.schema(*one, Some(schema), false, out),
            several => out.array("anyOf", |list| {
                several.iter().for_each(|choice| list.object(|out| self.schema(*choice, None, false, out)));
            }),
        }
        value.items().any(|choice| is_null(&choice))
    }

    /// What a local reference (`#/$defs/Name`) points to.
    fn referred(&self, reference: &Text<'_>) -> Option<Value<'d>> {
        let plain = reference.decode();
        let steps = plain.strip_prefix('#')?.split('/').skip(1);
        steps
            .map(|step| step.replace("~1", "/").replace("~0", "~"))
            .try_fold(self.root, |at, step| at.get(&step))
    }
}

/// Writes an `enum` of strings, the only one the subset has, and leaves other values out; says
/// whether `null` was among them.
fn strings<'d>(out: &mut Object<'_>, values: impl Iterator<Item = Value<'d>>) -> bool {
    let mut words = Vec::new();
    let mut null = false;
    for value in values {
        null |= value.is_null();
        words.extend(value.text());
    }
    if !words.is_empty() {
        out.array("enum", |list| words.iter().for_each(|word| list.text(word)));
    }
    null
}

/// Draft 4 wrote `exclusiveMinimum` as a boolean.
fn is_bound(value: Value<'_>) -> bool {
    value.kind() == Kind::Number
}

fn known_format(format: &Text<'_>) -> bool {
    ["enum", "date-time", "float", "double", "int32", "int64"].iter().any(|known| format == known)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::json::{Document, Surrogates};
    use serde_json::{Value as Tree, json};

    fn subset_of(schema: &Tree) -> Result<Tree, Beyond> {
        let text = serde_json::to_vec(schema).unwrap();
        let document = Document::parse(&text, Surrogates::Paired).unwrap();
        subset(document.root()).map(|out| serde_json::from_slice(&out).unwrap())
    }

    #[test]
    fn what_the_subset_lacks_is_said_in_its_words() {
        for (schema, expected) in [
            (
                json!({"$schema": "x", "type": "object", "additionalProperties": false, "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]}),
                json!({"type": "object", "properties": {"a": {"type": "string", "nullable": true}}, "required": ["a"]}),
            ),
            (
                json!({"$defs": {"N": {"type": "integer", "format": "uint8", "description": "inner"}}, "type": "array", "items": {"$ref": "#/$defs/N"}}),
                json!({"type": "array", "items": {"type": "integer", "description": "inner"}}),
            ),
            (
                json!({"$ref": "#/definitions/A~1B", "definitions": {"A/B": {"type": "string"}}}),
                json!({"type": "string"}),
            ),
            (
                json!({"anyOf": [{"type": "string", "description": "in"}, {"type": "null"}], "description": "out", "default": null}),
                json!({"type": "string", "description": "out", "default": null, "nullable": true}),
            ),
            (json!({"const": "a"}), json!({"enum": ["a"]})),
            (json!({"enum": ["a", null]}), json!({"enum": ["a"], "nullable": true})),
            (
                json!({"type": ["string", "number"]}),
                json!({"anyOf": [{"type": "string"}, {"type": "number"}]}),
            ),
            (
                json!({"oneOf": [{"type": "string", "format": "email"}, {"type": "string", "format": "date-time"}]}),
                json!({"anyOf": [{"type": "string"}, {"type": "string", "format": "date-time"}]}),
            ),
            (
                json!({"type": "number", "exclusiveMinimum": 0, "multipleOf": 2}),
                json!({"type": "number", "minimum": 0}),
            ),
            (
                json!({"allOf": [{"$ref": "#/$defs/A"}], "title": "T", "$defs": {"A": {"type": "string", "title": "A"}}}),
                json!({"type": "string", "title": "T"}),
            ),
        ] {
            assert_eq!(subset_of(&schema).unwrap(), expected, "{schema}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let recursive = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert_eq!(subset_of(&recursive), Err(Beyond::Reference));
        assert_eq!(subset_of(&json!({"$ref": "#/$defs/Missing"})), Err(Beyond::Reference));
        assert_eq!(subset_of(&json!({"$ref": "https://example.com/schema"})), Err(Beyond::Reference));
        assert_eq!(
            subset_of(&json!({"allOf": [{"type": "object"}, {"required": ["a"]}]})),
            Err(Beyond::Conjunction)
        );
        let mut definitions = serde_json::Map::new();
        definitions.insert("d0".into(), json!({"type": "string", "description": "x".repeat(100)}));
        for n in 1..30 {
            let below = json!({"$ref": format!("#/$defs/d{}", n - 1)});
            definitions
                .insert(format!("d{n}"), json!({"type": "object", "properties": {"a": below, "b": below}}));
        }
        assert_eq!(subset_of(&json!({"$ref": "#/$defs/d29", "$defs": definitions})), Err(Beyond::Length));
    }
}

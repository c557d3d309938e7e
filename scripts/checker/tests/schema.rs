//! The schema is what the code makes, takes what the parser takes, and refuses what that refuses for its shape or its bounds.

use check_config::schema;
use jsonschema::Validator;
use modelgate_config::Config;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::{fs, iter};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn validator() -> Validator {
    jsonschema::draft7::new(&schema::schema()).expect("a schema")
}

/// The plugin configurations that a document shows.
fn examples(path: &str) -> Vec<Value> {
    let text = read(path);
    let blocks = text.split("```yaml modelgate\n").skip(1);
    let blocks = blocks.map(|rest| rest.split_once("```").expect("a fence that ends").0);
    blocks.map(|block| yaml_serde::from_str(block).expect("YAML")).collect()
}

/// The one with everything.
fn full() -> Value {
    examples("docs/configuration.md").swap_remove(1)
}

fn is_accepted(document: &Value) -> bool {
    Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned())).is_ok()
}

#[test]
fn the_schema_in_the_repository_is_the_one_that_the_code_makes() {
    let is_it = read("docs/modelgate.schema.json") == schema::text();
    assert!(is_it, "run: scripts/check-config --schema >docs/modelgate.schema.json");
}

#[test]
fn every_example_is_valid() {
    let validator = validator();
    let mut seen = 0;
    let documents =
        fs::read_dir(root().join("docs")).expect("docs").map(|entry| entry.expect("an entry").path());
    let names = documents.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let names: Vec<_> =
        names.map(|path| format!("docs/{}", path.file_name().expect("a name").to_string_lossy())).collect();
    for name in names.iter().map(String::as_str).chain(["README.md"]) {
        for example in examples(name) {
            let errors: Vec<_> = validator
                .iter_errors(&example)
                .map(|why| format!("{}: {why}", why.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{name}: {errors:#?}");
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} examples were found");
}

#[test]
fn the_shipped_configurations_are_valid_and_are_looked_into() {
    let validator = validator();
    for name in ["envoy.yaml", "compat.yaml", "minimal.yaml", "secure.yaml", "fleet.yaml"] {
        let text = read(&format!("envoy/{name}"));
        let shipped: Value = yaml_serde::from_str(&text).expect("YAML");
        assert!(validator.is_valid(&shipped), "{name}");
        let broken: Value =
            yaml_serde::from_str(&text.replace("vendor: openai", "vendr: openai")).expect("YAML");
        assert!(!validator.is_valid(&broken), "{name}");
    }
}

#[test]
fn each_kind_of_mistake_is_refused() {
    let (validator, full) = (validator(), full());
    assert!(validator.is_valid(&full));
    for (place, value) in [
        // Something else than what belongs there.
        ("/providers", json!([])),
        ("/providers/openai", json!("openai")),
        ("/providers/openai/allow_unlisted", json!("yes")),
        ("/providers/openai/headers/openai-organization", json!(1)),
        ("/models/claude-sonnet/aliases", json!("sonnet")),
        ("/models/claude-sonnet/context_window", json!("many")),
        ("/models/claude-sonnet/context_window", json!(1.5)),
        ("/models/claude-sonnet/price", json!(3)),
        ("/models/claude-sonnet/supports/image", json!(1)),
        ("/routes/smart/targets/0", json!("claude-sonnet")),
        ("/routes/smart/check", json!("on")),
        ("/limits", json!({})),
        ("/limits/0/per", json!("consumer")),
        ("/tools/search/parameters", json!(1)),
        // A word that is none.
        ("/providers/openai/vendor", json!("opnai")),
        ("/providers/openai/api_key", json!("sk-secret")),
        ("/models/claude-sonnet/languages/0", json!("de")),
        ("/routes/smart/strategy", json!("cheapest")),
        ("/routes/smart/targets/1/as_fallback/tools", json!("drop")),
        ("/limits/0/window", json!("second")),
        ("/auth/anonymous", json!("allow")),
        ("/health", json!("on")),
        // A number beyond its bounds, or a list.
        ("/models/claude-sonnet/context_window", json!(-1)),
        ("/models/claude-sonnet/context_window", json!(0)),
        ("/models/claude-sonnet/quality", json!(1.1)),
        ("/models/claude-sonnet/quality/code", json!(-0.1)),
        ("/routes/smart/targets", json!([])),
        ("/routes/smart/targets/1/tries", json!(11)),
        ("/routes/smart/orchestration/ensemble/members", json!([])),
        ("/routes/best/constraints/max_cost_usd", json!(0)),
        ("/limits/0/tokens", json!(0)),
        ("/bounds/held_bytes", json!(0)),
        ("/timeouts/answer_ms", json!(86_400_001)),
        ("/task_model/below", json!(1.5)),
    ] {
        let mut broken = full.clone();
        *broken.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = value.clone();
        assert!(!validator.is_valid(&broken), "{place}: {value}");
        assert!(!is_accepted(&broken), "the parser takes {value} for {place}");
    }
    for (place, key) in [
        ("", "providers"),
        ("/models/gpt-5", "provider"),
        ("/models/claude-sonnet/price", "input"),
        ("/routes/smart/targets/0", "model"),
        ("/routes/smart/orchestration/ensemble", "combine"),
        ("/tools/search", "path"),
        ("/auth/jwt", "payload"),
        ("/consumers/acme/keys/0", "sha256"),
        ("/limits/0", "name"),
        ("/content_rules/0", "action"),
    ] {
        let mut broken = full.clone();
        let map = broken.pointer_mut(place).and_then(Value::as_object_mut).expect("a map");
        map.remove(key).expect("a key");
        assert!(!validator.is_valid(&broken), "{place} without {key}");
        assert!(!is_accepted(&broken), "the parser takes {place} without {key}");
    }
}

#[test]
fn no_map_takes_a_key_that_it_does_not_know() {
    let (validator, full) = (validator(), full());
    let mut seen = 0;
    for place in places(&full).filter(|place| full.pointer(place).is_some_and(Value::is_object)) {
        let mut broken = full.clone();
        let map = broken.pointer_mut(&place).and_then(Value::as_object_mut).expect("a map");
        map.insert("?".to_owned(), json!("?"));
        // Headers have names that the configuration chooses, and so have a schema's parts.
        let is_free = place.ends_with("/headers") || place.contains("/parameters");
        assert_eq!(validator.is_valid(&broken), is_free, "{place}");
        seen += 1;
    }
    assert!(seen > 50, "only {seen} maps were found");
}

/// The bounds come from the documentation, so they are tried out.
#[test]
fn the_parser_refuses_what_is_beyond_the_schemas_bounds() {
    let (schema, full) = (schema::schema(), full());
    assert!(is_accepted(&full));
    let mut seen = 0;
    for place in places(&full).filter(|place| full.pointer(place).is_some_and(Value::is_number)) {
        let Some(bounds) = of_place(&schema, &place) else { continue };
        let beyond = [
            bounds.get("minimum").and_then(Value::as_f64).map(|least| least - 1.0),
            bounds.get("exclusiveMinimum").and_then(Value::as_f64),
            bounds.get("maximum").and_then(Value::as_f64).map(|most| most + 1.0),
        ];
        for number in beyond.into_iter().flatten() {
            let mut broken = full.clone();
            *broken.pointer_mut(&place).expect("a number") = match number.fract() == 0.0 {
                true => json!(number as i64),
                false => json!(number),
            };
            assert!(!is_accepted(&broken), "{place}: the parser takes {number}");
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} bounds were tried");
}

/// Where everything is in a value, as JSON pointers.
fn places(value: &Value) -> Box<dyn Iterator<Item = String> + '_> {
    let below: Box<dyn Iterator<Item = (String, &Value)>> = match value {
        Value::Object(map) => {
            Box::new(map.iter().map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value)))
        }
        Value::Array(list) => Box::new(list.iter().enumerate().map(|(at, value)| (at.to_string(), value))),
        _ => Box::new(iter::empty()),
    };
    let below = below.flat_map(|(key, value)| places(value).map(move |place| format!("/{key}{place}")));
    Box::new(iter::once(String::new()).chain(below))
}

/// The schema of what is at a place of a document, as far as it is one of a number.
fn of_place<'s>(schema: &'s Value, place: &str) -> Option<&'s Value> {
    let mut here = vec![&schema["definitions"]["Document"]];
    for step in place.split('/').skip(1) {
        let step = step.replace("~1", "/");
        let below = here.iter().flat_map(|here| {
            let named = here.get("properties").and_then(|keys| keys.get(&step));
            let free = here.get("additionalProperties").filter(|schema| schema.is_object());
            let item = step.parse::<usize>().ok().and(here.get("items"));
            named.or(free).or(item)
        });
        here = below.flat_map(|below| alternatives(schema, below)).collect();
    }
    here.into_iter().find(|schema| matches!(schema["type"].as_str(), Some("number" | "integer")))
}

/// What a schema stands for: what it refers to, and each of several.
fn alternatives<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s Value> {
    let named = schema.get("$ref").and_then(Value::as_str);
    let referred = named.and_then(|name| root.pointer(name.trim_start_matches('#')));
    let several = ["anyOf", "allOf"].iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
    let below = referred.into_iter().chain(several).flat_map(|schema| alternatives(root, schema));
    iter::once(schema).chain(below).collect()
}

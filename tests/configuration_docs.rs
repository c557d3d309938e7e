//! What `docs/configuration.md` shows is what the parser takes: every example is parsed, every default compared.

use modelgate::config::{Bounds, CacheStore, Config, Named, Vendor};
use serde_json::{Value, json};

const DOCUMENTATION: &str = include_str!("../docs/configuration.md");

/// The fenced blocks that begin with this line.
fn blocks(fence: &str) -> Vec<&'static str> {
    let mut blocks = Vec::new();
    let mut rest = DOCUMENTATION;
    while let Some((_, block)) = rest.split_once(&format!("\n{fence}\n")) {
        let (block, after) = block.split_once("\n```").expect("a fence that ends");
        blocks.push(block);
        rest = after;
    }
    blocks
}

fn parse(document: &Value) -> Config {
    let with_every_key = |_: &str| Some("key".to_owned());
    match Config::parse(document.to_string().as_bytes(), &with_every_key) {
        Ok(config) => config,
        Err(problems) => panic!("{document}\n{problems}"),
    }
}

#[test]
fn every_example_is_a_valid_document() {
    let examples = blocks("```yaml modelgate");
    assert!(examples.len() >= 2, "a minimal and a full one");
    for example in examples {
        let config = parse(&yaml_serde::from_str(example).expect("YAML"));
        assert!(config.warnings().is_empty());
    }
}

#[test]
fn the_full_example_has_every_key() {
    let [_, full] = blocks("```yaml modelgate")[..] else { panic!("two examples") };
    let config = parse(&yaml_serde::from_str(full).expect("YAML"));
    let Some(Named::Route(smart)) = config.named("smart") else { panic!("a route") };
    let targets: Vec<_> = smart.targets.iter().map(|t| (t.model.name.to_string(), t.tries)).collect();
    assert_eq!(
        targets,
        [
            ("claude-sonnet".to_owned(), 1),
            ("openai/gpt-5-mini".to_owned(), 2),
            ("gpt-5-in-europe".to_owned(), 1)
        ]
    );
    // The parser tells all the keys it knows when it meets one that it does not know.
    let full: Value = yaml_serde::from_str(full).expect("YAML");
    for place in [
        "",
        "/providers/openai",
        "/models/claude-sonnet",
        "/models/claude-sonnet/price",
        "/pricing",
        "/tools/search",
        "/routes/smart",
        "/routes/diligent/orchestration/agent",
        "/routes/diligent/orchestration/agent/models/0",
        "/routes/diligent/orchestration/agent/validator",
        "/routes/smart/targets/1",
        "/auth",
        "/auth/jwt",
        "/tiers/premium",
        "/consumers/acme",
        "/limits/0",
        "/content_rules/0",
        "/routes/best/constraints",
        "/routes/smart/orchestration",
        "/routes/smart/orchestration/when",
        "/routes/smart/orchestration/ensemble",
        "/routes/smart/orchestration/ensemble/members/0",
        "/routes/smart/orchestration/ensemble/judge",
        "/routes/smart/orchestration/ensemble/vote",
        "/routes/thrifty/orchestration/cascade",
        "/routes/thrifty/orchestration/cascade/accept",
        "/routes/swift/orchestration/race",
        "/routes/smart/targets/1/as_fallback",
        "/routes/smart/adaptive",
        "/routes/smart/affinity",
        "/routes/smart/experiment",
        "/routes/smart/experiment/arms/mini_first",
        "/routes/smart/cache",
        "/routes/smart/cache/exact",
        "/routes/smart/cache/semantic",
        "/tasks/code",
        "/task_model",
        "/health",
        "/cache",
        "/cache/store",
        "/cache/exact",
        "/cache/semantic",
        "/bounds",
    ] {
        let mut broken = full.clone();
        let entry = broken.pointer_mut(place).and_then(Value::as_object_mut).expect("a map");
        let mut known = entry.clone();
        entry.insert("?".to_owned(), json!(1));
        if place == "/limits/0" {
            // A limit counts one thing only.
            let others = full["limits"].as_array().into_iter().flatten().filter_map(Value::as_object);
            known.extend(others.flat_map(Clone::clone));
        }
        if place == "/content_rules/0" {
            // Nothing is put in the place of what is denied.
            known.insert("replacement".to_owned(), json!(""));
        }
        if place == "/routes/smart/orchestration" {
            // There is but one way.
            known.extend(["cascade", "race", "agent"].map(|way| (way.to_owned(), json!({}))));
        }
        let problems =
            Config::parse(broken.to_string().as_bytes(), &|_| None).expect_err("a problem").to_string();
        let told = problems.split('`').skip(1).step_by(2).skip(1).collect::<Vec<_>>();
        assert!(!told.is_empty(), "{problems}");
        for key in told {
            assert!(known.contains_key(key), "the full example lacks {place}/{key}");
        }
    }
}

#[test]
fn the_examples_of_envoys_configuration_say_the_same() {
    let in_place: Vec<Value> =
        blocks("```yaml").iter().map(|block| yaml_serde::from_str(block).expect("YAML")).collect();
    let configurations: Vec<_> = in_place.iter().filter_map(|block| block.get("configuration")).collect();
    let [by_struct, by_text] = configurations[..] else { panic!("a Struct and a StringValue") };
    assert!(by_struct["@type"].as_str().is_some_and(|name| name.ends_with(".Struct")));
    assert!(by_text["@type"].as_str().is_some_and(|name| name.ends_with(".StringValue")));
    let text: Value = serde_json::from_str(by_text["value"].as_str().expect("text")).expect("JSON");
    assert_eq!(text, by_struct["value"]);
    parse(&text);
}

#[test]
fn the_tables_have_the_defaults_there_are() {
    for vendor in Vendor::ALL {
        let url = vendor.default_base_url().map_or("required".to_owned(), |url| format!("`{url}`"));
        let variable =
            vendor.default_key_variable().map_or("none".to_owned(), |variable| format!("`{variable}`"));
        let row = format!("\n| `{vendor}` | {url} | {variable} |\n");
        assert!(DOCUMENTATION.contains(&row), "{row}");
    }
    let Bounds { request_bytes, response_bytes, held_bytes } = Bounds::default();
    for (key, default) in
        [("request_bytes", request_bytes), ("response_bytes", response_bytes), ("held_bytes", held_bytes)]
    {
        assert!(DOCUMENTATION.contains(&format!("\n| `{key}` | {default} | ")), "{key}");
    }
    let CacheStore { entries, entry_bytes, total_bytes, questions } = CacheStore::default();
    for (key, default) in [
        ("entries", entries.into()),
        ("entry_bytes", entry_bytes.into()),
        ("total_bytes", total_bytes),
        ("questions", questions.into()),
    ] {
        assert!(DOCUMENTATION.contains(&format!("\n| `{key}` | {default} | ")), "{key}");
    }
}

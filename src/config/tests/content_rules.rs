//! What is read of content rules, and what is said of those that are none.

use crate::{Action, AppliesTo, Config, Problems};
use serde_json::{Value, json};

fn read(rules: &Value) -> Result<Config, Problems> {
    let document = json!({
        "providers": {"openai": {"allow_unlisted": true}},
        "models": {"gpt-5-mini": {"provider": "openai", "aliases": ["mini"], "region": "eu"}, "gpt-5": {"provider": "openai"}},
        "routes": {"smart": {"targets": [{"model": "mini"}]}},
        "auth": {"anonymous": {"consumer": "anonymous"}},
        "tiers": {"premium": {}},
        "consumers": {"acme": {"tier": "premium"}},
        "content_rules": rules,
    });
    Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned()))
}

/// What is said of a rule that has these keys too, without its place.
fn said_of(more: &Value) -> Vec<String> {
    let mut rule = json!({"name": "a", "action": "deny", "keywords": ["x"]});
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let problems = read(&json!([rule])).expect_err("a problem");
    problems.iter().map(|problem| problem.to_string().replacen("content_rules[0]", "", 1)).collect()
}

#[test]
fn a_rule_is_read_with_its_defaults() {
    let config = read(&json!([
        {"name": "a", "action": "deny", "keywords": ["x"]},
        {"name": "b", "action": "redact", "patterns": ["y"], "applies_to": "output", "replacement": "", "window": 16},
    ]))
    .unwrap();
    let read: Vec<_> = config
        .content_rules()
        .iter()
        .map(|rule| (rule.name.as_str(), rule.applies_to, rule.action, &*rule.replacement, rule.window))
        .collect();
    assert_eq!(
        read,
        [
            ("a", AppliesTo::Both, Action::Deny, "[redacted]", 1024),
            ("b", AppliesTo::Output, Action::Redact, "", 16)
        ]
    );
}

#[test]
fn a_rule_is_for_those_whom_all_its_lists_have() {
    let concerns = |lists: Value| {
        let mut rule = json!({"name": "a", "action": "deny", "keywords": ["x"]});
        rule.as_object_mut().unwrap().extend(lists.as_object().unwrap().clone());
        let config = read(&json!([rule])).unwrap();
        let rule = &config.content_rules()[0];
        let route = &config.routes()[0].name;
        let who = |name: &str| config.auth().consumer(name).unwrap();
        let asked = [
            rule.concerns(who("acme"), None),
            rule.concerns(who("acme"), Some(route)),
            rule.concerns(who("anonymous"), Some(route)),
        ];
        let served = ["gpt-5-mini", "gpt-5"]
            .map(|name| rule.concerns_model(&config.model_of("openai", name).unwrap()));
        (asked, served)
    };
    for (lists, asked, served) in [
        (json!({}), [true; 3], [true; 2]),
        (json!({"consumers": ["acme"]}), [true, true, false], [true; 2]),
        (json!({"tiers": ["premium"]}), [true, true, false], [true; 2]),
        (json!({"routes": ["smart"]}), [false, true, true], [true; 2]),
        (json!({"routes": ["smart"], "tiers": ["premium"]}), [false, true, false], [true; 2]),
        (json!({"models": ["mini"]}), [true; 3], [true, false]),
        (json!({"regions": ["eu"]}), [true; 3], [true, false]),
        (json!({"regions": ["eu"], "models": ["gpt-5"]}), [true; 3], [false, false]),
    ] {
        assert_eq!(concerns(lists.clone()), (asked, served), "{lists}");
    }
}

#[test]
fn mistakes_are_told_with_place_and_reason() {
    for (more, expected) in [
        (json!({"keywords": []}), ": it has neither keywords nor patterns: expected at least one"),
        (json!({"keywords": ["x", " "]}), r#".keywords[1]: " ": it is empty: expected words"#),
        (
            json!({"patterns": ["a(b"]}),
            r#".patterns[0]: "a(b": expected `)` at character 4: expected a regular expression; see docs/content-rules.md"#,
        ),
        (
            json!({"action": "denny"}),
            r#".action: unknown value `denny`: expected `deny` or `redact`; nearest: "deny""#,
        ),
        (
            json!({"applies_to": "in"}),
            ".applies_to: unknown value `in`: expected one of `input`, `output`, `both`, `log`",
        ),
        (json!({"window": 8}), ".window: 8: expected a whole number from 16 to 65536"),
        (
            json!({"replacement": "#"}),
            ".replacement: nothing is put in the place of what is denied: expected no replacement, or action: redact",
        ),
        (
            json!({"consumers": ["acne"]}),
            r#".consumers[0]: unknown consumer "acne": expected one of consumers; nearest: "acme""#,
        ),
        (json!({"tiers": []}), ".tiers: there is none: expected at least one, or to be left out for all"),
        (
            json!({"routes": ["smrat"]}),
            r#".routes[0]: unknown route "smrat": expected one of routes; nearest: "smart""#,
        ),
        (
            json!({"models": ["smart"]}),
            r#".models[0]: "smart" is a route: expected a model of the catalog, or an alias"#,
        ),
        (
            json!({"regions": ["eus"]}),
            r#".regions[0]: unknown region "eus": expected the region of a model (models.*.region); nearest: "eu""#,
        ),
        (json!({"name": "a/b"}), r#".name: "a/b" cannot be a name: it contains '/'"#),
    ] {
        assert_eq!(said_of(&more), [expected], "{more}");
    }
    let twice = json!([{"name": "a", "action": "deny", "keywords": ["x"]}, {"name": "a", "action": "deny", "keywords": ["y"]}]);
    let problems = read(&twice).expect_err("a problem");
    assert!(problems.to_string().contains("already the name of a rule"), "{problems}");
    assert!(
        read(&json!([{"name": "a", "keywords": ["x"]}]))
            .expect_err("a problem")
            .to_string()
            .contains("missing key `action`")
    );
    let many: Vec<_> =
        (0..65).map(|at| json!({"name": at.to_string(), "action": "deny", "keywords": ["x"]})).collect();
    assert!(read(&json!(many)).expect_err("a problem").to_string().contains("at most 64"));
}

use super::*;
use crate::cache::key::WITHOUT_INFLUENCE;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn subject<'s>(scope: Scope<'s>, targets: &'s [Target]) -> Subject<'s> {
    Subject { scope, name: "ab", targets, rules: 0 }
}

fn keys(body: &str) -> Keys {
    with(body, |request| Keys::of(request, &subject(Scope::Consumer("acme"), &targets("ab"))))
}

fn exact(body: &Tree) -> Key {
    keys(&body.to_string()).exact
}

fn full() -> Tree {
    json!({
        "model": "ab",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://e.x/i.png", "detail": "low"}}]},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"x\":1}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
            {"role": "user", "name": "ann", "content": "Sure?"}
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "strict": true, "parameters": {"type": "object", "properties": {"x": {"type": "integer", "default": null}}}}}],
        "tool_choice": "auto",
        "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": {"type": "object"}}},
        "temperature": 0,
        "top_p": 0.5,
        "seed": 7,
        "n": 2,
        "stop": ["a", "b"],
        "max_tokens": 100,
        "max_completion_tokens": 200,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "logit_bias": {"50256": -100},
        "logprobs": true,
        "top_logprobs": 3,
        "reasoning_effort": "low",
        "verbosity": "low",
        "service_tier": "flex",
        "prediction": {"type": "content", "content": "x"},
        "modalities": ["text"],
        "web_search_options": {},
        "top_k": 5,
        "something_new": {"deep": [1, {"er": "x"}]}
    })
}

/// Every value of a tree with the place it stands at.
fn places(at: String, value: &Tree, all: &mut Vec<String>) {
    match value {
        Tree::Object(members) => {
            members.iter().for_each(|(name, value)| places(format!("{at}/{name}"), value, all));
        }
        Tree::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| places(format!("{at}/{n}"), value, all));
        }
        _ => {}
    }
    all.push(at);
}

/// The tree with the value at `at` made another one of a sort that is accepted there, if there is any.
fn changed(tree: &Tree, at: &str) -> Option<Tree> {
    let mut changed = tree.clone();
    let value = changed.pointer_mut(at)?;
    *value = match (at, &*value) {
        ("/messages/0/role", _) => json!("developer"),
        ("/messages/1/role", _) => json!("system"),
        ("/messages/2/content", _) => json!("hm"),
        ("/tool_choice", _) => json!("required"),
        ("/reasoning_effort", _) => json!("high"),
        ("/response_format/type", _) => json!("json_object"),
        (_, Tree::Bool(value)) => json!(!value),
        (_, Tree::Number(value)) if value.is_f64() => json!(value.as_f64()? + 0.05),
        (_, Tree::Number(value)) => json!(value.as_i64()? + 1),
        (_, Tree::String(value)) => json!(format!("{value} ")),
        _ => return None,
    };
    with_checked(&changed).then_some(changed)
}

fn with_checked(tree: &Tree) -> bool {
    let text = tree.to_string();
    let document = Document::parse(text.as_bytes(), Surrogates::Paired).unwrap();
    Request::read(document.root()).is_ok()
}

#[test]
fn each_field_changed_alone_changes_the_key() {
    let full = full();
    let mut all = Vec::new();
    places(String::new(), &full, &mut all);
    let mut seen = BTreeMap::from([(exact(&full), "nothing".to_owned())]);
    let mut check = |tree: &Tree, what: String| {
        if let Some(other) = seen.insert(exact(tree), what.clone()) {
            panic!("{what} and {other} have one key");
        }
    };
    let mut changes = 0;
    for at in all.iter().filter(|at| *at != "/model") {
        if let Some(tree) = changed(&full, at) {
            check(&tree, format!("a change of {at}"));
            changes += 1;
        }
    }
    assert!(changes >= 45, "only {changes} changes were tried");
    // Without `logprobs` is as with `false`, which was tried.
    let required = ["model", "messages", "logprobs"];
    for member in full.as_object().unwrap().keys().filter(|member| !required.contains(&member.as_str())) {
        let mut tree = full.clone();
        tree.as_object_mut().unwrap().remove(member);
        check(&tree, format!("the absence of {member}"));
    }
    for (what, at) in [("a message", "/messages"), ("a part", "/messages/1/content"), ("a stop", "/stop")] {
        let mut tree = full.clone();
        tree.pointer_mut(at).unwrap().as_array_mut().unwrap().remove(0);
        check(&tree, format!("the absence of {what}"));
        let mut tree = full.clone();
        tree.pointer_mut(at).unwrap().as_array_mut().unwrap().swap(0, 1);
        check(&tree, format!("the order of {what}"));
    }
}

#[test]
fn no_key_crosses_a_scope_a_name_or_what_it_stands_for() {
    let body = full().to_string();
    let mut seen = BTreeMap::new();
    let long = "a".repeat(300);
    for scope in [
        Scope::Consumer("acme"),
        Scope::Consumer("acm"),
        Scope::Consumer(""),
        Scope::Consumer(&long),
        Scope::Tier("acme"),
        Scope::Tier(""),
        Scope::Shared,
    ] {
        for name in ["ab", "a", "acme", ""] {
            for route in ["ab", "ba", "ac", "aba"] {
                let targets = targets(route);
                let keys = with(&body, |request| {
                    Keys::of(request, &Subject { scope, name, targets: &targets, rules: 0 })
                });
                let what = format!("{scope:?} {name} {route}");
                for key in [keys.exact, keys.context] {
                    if let Some(other) = seen.insert(key, what.clone()) {
                        panic!("{what} and {other} have one key");
                    }
                }
            }
        }
    }
}

#[test]
fn what_has_no_influence_is_not_in_the_key() {
    let plain = asking("hi");
    for (member, value) in [
        ("model", json!("an-alias")),
        ("stream", json!(true)),
        ("stream_options", json!({"include_usage": true})),
        ("store", json!(false)),
        ("metadata", json!({"a": "b"})),
        ("user", json!("ann")),
        ("safety_identifier", json!("ann")),
        ("prompt_cache_key", json!("k")),
        ("prompt_cache_retention", json!("24h")),
        ("n", json!(1)),
        ("logprobs", json!(false)),
        ("response_format", json!({"type": "text"})),
        ("top_p", json!(null)),
        ("tools", json!(null)),
        ("seed", json!(null)),
    ] {
        let mut body = plain.clone();
        body[member] = value;
        assert_eq!(exact(&body), exact(&plain), "{body}");
    }
    for (member, value) in [
        ("n", json!(2)),
        ("logprobs", json!(true)),
        ("response_format", json!({"type": "text", "more": 1})),
        ("response_format", json!({"type": "json_object"})),
        ("top_p", json!(1)),
        ("something_new", json!(null)),
    ] {
        let mut body = plain.clone();
        body[member] = value;
        assert_ne!(exact(&body), exact(&plain), "{body}");
    }
    let mut echoed = plain.clone();
    echoed["messages"][0]["name"] = json!(null);
    assert_eq!(exact(&echoed), exact(&plain), "SDKs echo messages with members that are null");
}

#[test]
fn the_documentation_says_why_each_of_them_is_left_out() {
    let documentation = include_str!("../../../docs/cache.md");
    let first = documentation.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let explained: String = first.collect();
    for name in WITHOUT_INFLUENCE {
        assert!(explained.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_context_is_all_but_what_the_user_said_last() {
    let mut body = full();
    let before = keys(&body.to_string());
    body["messages"][4]["content"] = json!("Really?");
    let after = keys(&body.to_string());
    assert_eq!(before.context, after.context);
    assert_ne!(before.exact, after.exact);
    for at in ["/messages/0/content", "/messages/4/name", "/messages/1/content/0/text"] {
        let other = keys(&changed(&body, at).unwrap().to_string());
        assert_ne!(other.context, after.context, "{at}");
    }
    let context = |messages: Tree| {
        let body = json!({"model": "m", "messages": messages}).to_string();
        (keys(&body).context, with(&body, |request| question(request).map(|text| text.decode().into_owned())))
    };
    let user = |content: Tree| json!({"role": "user", "content": content});
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(context(json!([user(json!("a"))])).1.as_deref(), Some("a"));
    assert_eq!(context(json!([user(json!([text("a\n")]))])).1.as_deref(), Some("a\n"));
    for all_of_it in [
        json!([user(json!("a")), {"role": "assistant", "content": "b"}]),
        json!([user(json!([text("a"), text("b")]))]),
        json!([user(json!([{"type": "image_url", "image_url": {"url": "https://e.x/i.png"}}]))]),
    ] {
        let mut other = all_of_it.clone();
        let place = ["/0/content/0/text", "/0/content/0/image_url/url", "/0/content"]
            .into_iter()
            .find(|place| other.pointer(place).is_some())
            .unwrap();
        *other.pointer_mut(place).unwrap() = json!("https://e.x/j.png");
        assert_eq!(context(all_of_it.clone()).1, None);
        assert_ne!(context(all_of_it).0, context(other).0);
    }
    assert_ne!(
        context(json!([user(json!("a"))])).0,
        context(json!([user(json!([text("a")]))])).0,
        "a part may be understood in another way than a string"
    );
}

#[test]
fn the_form_of_the_key_is_fixed() {
    // A change of the form makes all answers that are kept unreachable: it is no accident.
    let key =
        with(r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0}"#, |request| {
            Keys::of(request, &Subject { scope: Scope::Shared, name: "m", targets: &[], rules: 0 }).exact
        });
    assert_eq!(format!("{key:?}"), "Key(014cb2d37db8afe3…)");
}

/// Any JSON, with names that collide and numbers that are nearly the same.
fn tree() -> impl Strategy<Value = Tree> {
    let text = "[a-c{}:s\"\\\\\u{e9}\u{1f600}\u{1}]{0,4}";
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        (-3..4_i64).prop_map(Tree::from),
        prop_oneof![Just(u64::MAX), Just(u64::MAX - 1), Just(1 << 53), Just((1 << 53) + 1)]
            .prop_map(Tree::from),
        prop_oneof![Just(0.5), Just(0.1), Just(0.1 + 0.2), Just(0.3), Just(1e300)].prop_map(Tree::from),
        text.prop_map(Tree::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::from),
            prop::collection::btree_map(text, inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<Tree>()),
        ]
    })
}

/// Writes a tree as differently as JSON allows.
fn write(tree: &Tree, seed: &mut u64, out: &mut String) {
    let mut chance = |bound: u64| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % bound
    };
    if chance(3) == 0 {
        out.push_str(" \n");
    }
    match tree {
        Tree::String(text) => {
            out.push('"');
            for unit in text.encode_utf16() {
                out.push_str(&format!("\\u{unit:04x}"));
            }
            if chance(2) == 0 {
                out.truncate(out.rfind('"').unwrap());
                out.push_str(&serde_json::to_string(text).unwrap());
            } else {
                out.push('"');
            }
        }
        Tree::Number(number) if number.as_i64().is_some_and(|number| number.abs() < 1000) => {
            let forms = [
                format!("{number}"),
                format!("{number}.0"),
                format!("{number}.00e0"),
                format!("{number}E+0"),
            ];
            out.push_str(&forms[usize::try_from(chance(4)).unwrap()]);
        }
        Tree::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n == 0 { "" } else { "," });
                write(item, seed, out);
            }
            out.push(']');
        }
        Tree::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            for at in 1..members.len() {
                let other = usize::try_from(chance(u64::try_from(at).unwrap() + 1)).unwrap();
                members.swap(at, other);
            }
            out.push('{');
            for (n, (name, value)) in members.into_iter().enumerate() {
                out.push_str(if n == 0 { "" } else { "," });
                write(&Tree::from(name.as_str()), seed, out);
                out.push(':');
                write(value, seed, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// A request with this tree in every place where any JSON may stand.
fn around(tree: &Tree) -> Tree {
    json!({"model": "m", "messages": [{"role": "user", "content": "hi", "extra": [tree]}], "extra": tree, "é": [[tree]]})
}

proptest! {
    #[test]
    fn equal_meaning_gives_an_equal_key(tree in tree(), mut seed in any::<u64>()) {
        let plain = around(&tree);
        let mut other = String::new();
        write(&plain, &mut seed, &mut other);
        prop_assert_eq!(keys(&plain.to_string()), keys(&other), "{}", other);
    }

    #[test]
    fn another_meaning_gives_another_key(a in tree(), b in tree()) {
        let (first, second) = (keys(&around(&a).to_string()), keys(&around(&b).to_string()));
        prop_assert_eq!(a == b, first.exact == second.exact);
        prop_assert_eq!(a == b, first.context == second.context);
    }
}

//! What the access log is told of prompts and answers.

use super::super::{Config, Excerpt, prompt};
use proptest::prelude::*;
use serde_json::{Value, json};

fn config(log: Value, rules: Value) -> Config {
    let document = json!({
        "providers": {"a": {"vendor": "openai", "api_key": {"value": "K3y/Of.Provider"}, "allow_unlisted": true}},
        "auth": {"anonymous": {"consumer": "anyone"}},
        "content_rules": rules,
        "log": log,
    });
    Config::parse(document.to_string().as_bytes(), &|_| None).unwrap()
}

fn all() -> Config {
    config(json!({"prompt": true, "answer": true}), json!([]))
}

fn read(told: Option<Vec<u8>>) -> Vec<(String, String)> {
    let told: Value = told.map_or(json!([]), |told| serde_json::from_slice(&told).unwrap());
    let of = |message: &Value| {
        let text = message["parts"][0]["content"].as_str().unwrap().to_owned();
        (message["role"].as_str().unwrap().to_owned(), text)
    };
    told.as_array().unwrap().iter().map(of).collect()
}

fn asked(text: &str, config: &Config) -> String {
    let body = json!({"messages": [{"role": "user", "content": text}]}).to_string();
    read(prompt(body.as_bytes(), config)).remove(0).1
}

/// What is told of an answer that is said in these pieces of a stream.
fn answered<'t>(pieces: impl IntoIterator<Item = &'t str>, config: &Config) -> String {
    let mut excerpt = Excerpt::of_answer(config).unwrap();
    for piece in pieces {
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": piece}}]});
        excerpt.read(format!("data: {chunk}\n\n").as_bytes());
    }
    read(excerpt.into_answer()).pop().map_or(String::new(), |(_, text)| text)
}

#[test]
fn nothing_is_told_unless_it_is_said_so() {
    let body = br#"{"messages":[{"role":"user","content":"hello"}]}"#;
    for (log, is_asked, is_said) in [
        (json!({}), false, false),
        (json!({"prompt": true}), true, false),
        (json!({"answer": true}), false, true),
        (json!({"prompt": false, "max_bytes": 100}), false, false),
    ] {
        let config = config(log, json!([]));
        assert_eq!(prompt(body, &config).is_some(), is_asked);
        assert_eq!(Excerpt::of_answer(&config).is_some(), is_said);
    }
}

#[test]
fn a_prompt_is_the_texts_of_its_messages() {
    let body = json!({"model": "m", "messages": [
        {"role": "system", "content": "Be \"brief\".\n"},
        {"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "image_url", "image_url": {"url": "data:"}}, {"type": "text", "text": "this?"}]},
        {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
        {"role": "a role that is far too long to be one", "content": "😀"},
    ]});
    let of = |role: &str, text: &str| (role.to_owned(), text.to_owned());
    assert_eq!(
        read(prompt(body.to_string().as_bytes(), &all())),
        [of("system", "Be \"brief\".\n"), of("user", "What is this?"), of("", "😀")]
    );
    for (input, text) in [(json!("one"), "one"), (json!(["one", "two"]), "onetwo"), (json!([1, 2]), "")] {
        let body = json!({"input": input}).to_string();
        assert_eq!(read(prompt(body.as_bytes(), &all())), [of("user", text)]);
    }
    for body in ["", "{", "[]", "{}", r#"{"messages":"x"}"#, r#"{"messages":[]}"#] {
        assert_eq!(prompt(body.as_bytes(), &all()), None, "{body}");
    }
}

#[test]
fn what_looks_like_a_credential_is_taken_out() {
    for (text, told) in [
        ("my key is sk-proj-abcDEF_123, is it?", "my key is [redacted], is it?"),
        ("sk-abcdefgh", "[redacted]"),
        ("hf_abcdefgh123 ghp_abcdefgh123 xoxb-12345678-abc", "[redacted] [redacted] [redacted]"),
        ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
        ("AIzaSyA-1234567890abcdef", "[redacted]"),
        ("authorization: Bearer abc.DEF/123==", "authorization: [redacted]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "[redacted]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----\nok", "[redacted]\nok"),
        (r#"{"password": "hunter22", "a": 1}"#, r#"{"[redacted]", "a": 1}"#),
        ("API_KEY=abcd1234 next", "[redacted] next"),
        ("the provider's is K3y/Of.Provider!", "the provider's is [redacted]!"),
        (
            "a task-management system with no bearer of news, sk-",
            "a task-management system with no bearer of news, sk-",
        ),
    ] {
        assert_eq!(asked(text, &all()), told);
        assert_eq!(answered([text], &all()), told);
        let mut rest = text;
        let each = std::iter::from_fn(|| {
            let (first, after) = rest.split_at_checked(rest.chars().next()?.len_utf8())?;
            rest = after;
            Some(first)
        });
        assert_eq!(answered(each, &all()), told, "in pieces of a character");
    }
}

#[test]
fn every_content_rule_takes_out_what_it_finds_whoever_it_is_for() {
    let rules = json!([
        {"name": "names", "action": "redact", "applies_to": "log", "keywords": ["Nightfall"], "replacement": "[name]"},
        {"name": "denied", "action": "deny", "applies_to": "output", "keywords": ["forbidden"]},
    ]);
    let config = config(json!({"prompt": true, "answer": true}), rules);
    let told = "[name] is [redacted]";
    assert_eq!(asked("Nightfall is forbidden", &config), told);
    assert_eq!(answered(["Night", "fall is forb", "idden"], &config), told);
}

#[test]
fn a_whole_answer_is_told_and_an_error_is_none() {
    let mut excerpt = Excerpt::of_answer(&all()).unwrap();
    let answer = json!({"choices": [{"message": {"role": "assistant", "content": "a\n\"b\""}}]});
    excerpt.read(answer.to_string().as_bytes());
    assert_eq!(read(excerpt.into_answer()), [("assistant".to_owned(), "a\n\"b\"".to_owned())]);
    let mut excerpt = Excerpt::of_answer(&all()).unwrap();
    excerpt.read(br#"{"error":{"message":"content"}}"#);
    assert_eq!(excerpt.into_answer(), None);
}

#[test]
fn where_a_text_is_cut_no_half_of_a_credential_is_left() {
    let config = config(json!({"prompt": true, "answer": true, "max_bytes": 20}), json!([]));
    for (text, told) in [
        ("a text of 20 bytes..", "a text of 20 bytes.."),
        ("a text of 21 bytes...", "a text of 21 bytes..…"),
        ("the key: sk-abcdefghijk", "the key: …"),
        ("nineteen bytes are ä", "nineteen bytes are …"),
    ] {
        assert_eq!(asked(text, &config), told);
        assert_eq!(answered([text], &config), told);
    }
    let body = json!({"messages": [{"role": "user", "content": "the one before it"}, {"role": "user", "content": "the last of these"}]});
    let told = read(prompt(body.to_string().as_bytes(), &config));
    assert_eq!(told.iter().map(|(_, text)| &**text).collect::<Vec<_>>(), ["the last of these"]);
}

#[test]
fn however_much_there_is_little_is_held() {
    let config = config(json!({"prompt": true, "answer": true, "max_bytes": 64}), json!([]));
    let messages: Vec<_> = (0..10_000).map(|_| json!({"content": "a"})).collect();
    let body = json!({"messages": messages}).to_string();
    let told = prompt(body.as_bytes(), &config).unwrap();
    assert_eq!((read(Some(told.clone())).len(), told.len() < 400), (4, true), "the last that have room");
    let body = json!({"messages": [{"role": "user", "content": "password=".to_owned() + &"\u{1}".repeat(1_000_000)}]});
    assert!(prompt(body.to_string().as_bytes(), &config).unwrap().len() < 1_000);
}

proptest! {
    /// Wherever an answer is cut into chunks, the same is told of it, and no more than there may be.
    #[test]
    fn what_is_told_does_not_hang_on_where_an_answer_is_cut(
        pieces in prop::collection::vec(r#"(sk-[a-z]{0,9}|Bearer |[a-zé😀"\\\n ]|password=){0,4}"#, 0..8),
        most in 16_usize..80,
    ) {
        let config = config(json!({"answer": true, "max_bytes": most}), json!([]));
        let whole = answered([&*pieces.concat()], &config);
        prop_assert!(whole.len() <= most + '…'.len_utf8());
        if pieces.concat().len() < most {
            prop_assert_eq!(answered(pieces.iter().map(|piece| &**piece), &config), whole);
        }
    }

    #[test]
    fn no_bytes_make_it_fail(body in prop::collection::vec(any::<u8>(), 0..200), tail in r#"[{}"\\:,a ]{0,40}"#) {
        let mut excerpt = Excerpt::of_answer(&all()).unwrap();
        for bytes in [&*body, tail.as_bytes()] {
            _ = prompt(bytes, &all());
            excerpt.read(bytes);
            excerpt.push(bytes);
        }
        _ = excerpt.into_answer();
    }
}

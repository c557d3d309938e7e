//! The words of tasks: what is read from `tasks`, and what is said of each mistake.

use super::{parse, problems};
use crate::config::{BadPhrase, Phrase, TaskModel};
use serde_json::{Value, json};

fn document(tasks: &Value) -> Value {
    json!({"providers": {"openai": {"allow_unlisted": true}}, "tasks": tasks})
}

#[test]
fn tasks_are_read_sorted_with_their_words() {
    let config = parse(&document(&json!({
        "legal": {"keywords": ["nda", "合同"], "patterns": ["review|check .. contract*"]},
        "code": {"keywords": ["terraform"], "replace": true},
        "chat": {"replace": true},
    })));
    let tasks = config.unwrap().tasks().cloned().unwrap_or_default();
    let told: Vec<_> =
        tasks.0.iter().map(|task| (task.name.as_str(), task.replaces, task.phrases.len())).collect();
    assert_eq!(told, [("chat", true, 0), ("code", true, 1), ("legal", false, 3)]);
}

#[test]
fn what_does_not_compile_is_refused_with_its_place_and_the_reason() {
    for (tasks, expected) in [
        (
            json!({"legal": {"patterns": ["a", "review .."]}}),
            "tasks.legal.patterns[1]: \"review ..\": `..` is not between two words: expected words, with a|b, begin* and .. in patterns",
        ),
        (
            json!({"legal": {"keywords": ["contr*"]}}),
            "tasks.legal.keywords[0]: \"contr*\": it has '*', which only patterns have: expected words, with a|b, begin* and .. in patterns",
        ),
        (json!({"legal": {}}), "tasks.legal: it has neither keywords nor patterns: expected at least one"),
        (
            json!({"legal": {"keywords": ["nda"], "replace": true}}),
            "tasks.legal.replace: the gateway has no words for \"legal\": expected no such key, or one of code, reasoning, summary, \
             creative, analysis, translation, classification, extraction, chat",
        ),
        (json!({"a/b": {"keywords": ["nda"]}}), "tasks.a/b"),
        (json!({"legal": {"keyword": ["nda"]}}), "tasks.legal.keyword: unknown key `keyword`"),
        (
            json!({"legal": {"keywords": vec!["nda"; 257]}}),
            "tasks.legal: too many keywords and patterns: expected at most 256",
        ),
    ] {
        let told = problems(&document(&tasks));
        assert!(told.len() == 1 && told[0].starts_with(expected), "{tasks}: {told:?}");
    }
}

#[test]
fn a_phrase_says_what_keeps_it_from_being_one() {
    for (text, why) in [
        ("", BadPhrase::Empty),
        ("  ", BadPhrase::Empty),
        (&"a".repeat(201), BadPhrase::TooLong),
        ("a b c d e f g h i", BadPhrase::TooManyWords),
        (&["a"; 25].join("|"), BadPhrase::TooManyAlternatives),
        ("a ||", BadPhrase::NoWord),
        ("a | b", BadPhrase::NoWord),
        ("!?", BadPhrase::NoWord),
        ("ab*", BadPhrase::Asterisk),
        ("*ing", BadPhrase::Asterisk),
        ("in*ing", BadPhrase::Asterisk),
        ("internationa*", BadPhrase::Asterisk),
        (".. a", BadPhrase::Gap),
        ("a ..", BadPhrase::Gap),
        ("a .. .. b", BadPhrase::Gap),
    ] {
        assert_eq!(Phrase::pattern(text), Err(why), "{text}");
    }
    for good in ["nda", "c++", "write|make .. poem|haiku*", "总结|概括 .. 文章", "tl;dr", "don't know"]
    {
        assert!(Phrase::pattern(good).is_ok(), "{good}");
    }
    assert_eq!(Phrase::keyword("a|b"), Err(BadPhrase::NotPlain('|')));
}

fn asking(task_model: &Value) -> Value {
    let mut document = document(&json!({}));
    document["models"] = json!({"m": {"provider": "openai", "aliases": ["small"]}});
    document["routes"] = json!({"r": {"targets": [{"model": "m"}]}});
    document["task_model"] = task_model.clone();
    document
}

#[test]
fn a_model_that_tells_tasks_is_one_that_a_client_could_ask_for() {
    for model in ["m", "small", "r", "openai/gpt-5-nano"] {
        let config = parse(&asking(&json!({"model": model}))).unwrap();
        let expected = TaskModel { model: model.into(), below: 500, timeout_ms: 2000, ttl: 3600 };
        assert_eq!((config.task_model(), config.warnings().len()), (Some(&expected), 0));
    }
    let all = json!({"model": "m", "below": 0.625, "timeout_ms": 60000, "ttl": 1});
    let expected = TaskModel { model: "m".into(), below: 625, timeout_ms: 60_000, ttl: 1 };
    assert_eq!(parse(&asking(&all)).unwrap().task_model(), Some(&expected));
    assert_eq!(parse(&document(&json!({}))).unwrap().task_model(), None);
}

#[test]
fn what_a_model_that_tells_tasks_cannot_be_is_told() {
    for (task_model, expected) in [
        (json!({}), "task_model: missing key `model`"),
        (
            json!({"model": "n"}),
            "task_model.model: unknown model \"n\": expected a model, an alias, a route or provider/model",
        ),
        (json!({"model": "m", "below": 1.1}), "task_model.below: 1.1: expected a number from 0 to 1"),
        (
            json!({"model": "m", "timeout_ms": 0}),
            "task_model.timeout_ms: 0: expected a whole number from 1 to 60000",
        ),
        (json!({"model": "m", "ttl": 0}), "task_model.ttl: 0: expected a whole number from 1 to 31536000"),
        (
            json!({"model": "m", "above": 1}),
            "task_model.above: unknown key `above`: expected one of `model`, `below`, `timeout_ms`, `ttl`",
        ),
    ] {
        let told = problems(&asking(&task_model));
        assert!(told.len() == 1 && told[0].starts_with(expected), "{task_model}: {told:?}");
    }
    let mut without_tasks = asking(&json!({"model": "m"}));
    without_tasks.as_object_mut().unwrap().remove("tasks");
    let expected = "task_model: there are no tasks: expected tasks, if need be an empty map";
    assert_eq!(problems(&without_tasks), [expected]);
}

//! The words of tasks: what is read from `tasks`, and what is said of each mistake.

use super::{parse, problems};
use crate::config::{BadPhrase, Phrase};
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

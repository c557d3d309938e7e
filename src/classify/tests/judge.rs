//! What a model is shown and told, what its answers mean, and for how long that is remembered.

use super::super::labels::MOST;
use super::*;
use crate::names::TaskName;
use crate::time::Timestamp;

fn with_own(names: &[&str]) -> Classifier {
    let task = |name: &&str| config::Task {
        name: TaskName::parse(name).unwrap(),
        replaces: false,
        phrases: vec![Phrase::keyword("nda").unwrap()],
    };
    Classifier::new(&Tasks(names.iter().map(task).collect()))
}

fn shown(content: &serde_json::Value) -> String {
    let body = serde_json::json!({"model": "m", "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": content},
        {"role": "assistant", "content": "yes?"},
    ]});
    with(&body.to_string(), |request| features(request, 100).excerpt())
}

#[test]
fn an_answer_is_the_one_task_that_it_names() {
    let classifier = with_own(&["legal", "c++", "Tax-2"]);
    for (answer, expected) in [
        ("code", Some("code")),
        ("  Code.\n", Some("code")),
        ("\"summary\"", Some("summary")),
        ("**translation**", Some("translation")),
        ("`chat`", Some("chat")),
        ("Task: reasoning", Some("reasoning")),
        ("task=legal", Some("legal")),
        ("{\"task\":\"extraction\"}", Some("extraction")),
        ("I would say that this is creative, because it asks for a poem.", Some("creative")),
        ("code (programs) - code!", Some("code")),
        ("\u{8fd9}\u{662f}code\u{3002}", Some("code")),
        ("\u{201c}analysis\u{201d}", Some("analysis")),
        ("c++", Some("c++")),
        ("It is c++", None),
        ("tax-2", Some("Tax-2")),
        ("", None),
        ("   ", None),
        ("...", None),
        ("poetry", None),
        ("codes", None),
        ("code-like", None),
        ("code or chat", None),
        ("code, not reasoning", None),
        ("I cannot say.", None),
        (&format!("{}code", " so".repeat(300)), None),
    ] {
        assert_eq!(classifier.label(answer).map(TaskName::as_str), expected, "{answer:?}");
    }
    assert_eq!(built_in().label("legal"), None);
}

#[test]
fn a_model_is_told_of_every_task_there_is() {
    let told = with_own(&["legal"]).instruction();
    let lines: Vec<_> = told.lines().skip(1).collect();
    assert_eq!(lines.len(), BUILT_IN.len() + 1);
    for (line, name) in lines.iter().zip(BUILT_IN) {
        assert!(line.starts_with(&format!("{name} (")), "{line}");
    }
    assert_eq!(lines.last(), Some(&"legal"));
    assert!(told.len() < 1024, "{}", told.len());
}

#[test]
fn a_model_is_shown_what_the_user_said_last() {
    let text = |text: &str| serde_json::json!({"type": "text", "text": text});
    let image = serde_json::json!({"type": "image_url", "image_url": {"url": "https://a.example/b.png"}});
    for (content, expected) in [
        (serde_json::json!("hi \"there\"\n\u{4f60}\u{597d}"), "hi \"there\"\n\u{4f60}\u{597d}"),
        (serde_json::json!([text("hi"), image, text("ho")]), "hi\n[...]\nho"),
        (serde_json::json!([image, text("ho")]), "ho"),
        (serde_json::json!([image]), ""),
    ] {
        assert_eq!(shown(&content), expected);
    }
    assert_eq!(with(&chat(&[("system", "be kind")]), |request| features(request, 100).excerpt()), "");
}

#[test]
fn of_a_long_turn_a_model_is_shown_the_beginning_and_the_end() {
    for filler in ["a", "\u{4f60}", "\u{1f600}", "\"", "\u{1}"] {
        for count in [800, 2049, 5000, 100_000] {
            let text = format!("first {} last", filler.repeat(count));
            let shown = shown(&serde_json::json!(text));
            assert!(shown.len() <= 768 + 32, "{filler:?} {count}: {}", shown.len());
            assert!(shown.starts_with("first ") && shown.ends_with(" last"), "{filler:?} {count}");
            assert!(shown.contains("\n[...]\n"));
        }
    }
    for whole in ["b".repeat(256), "b".repeat(768), "\u{4f60}".repeat(85), "\u{4f60}".repeat(200)] {
        assert_eq!(shown(&serde_json::json!(whole)), whole);
    }
}

#[test]
fn what_was_said_of_a_text_holds_until_then() {
    let mut labels = Labels::new();
    let (now, classifier) = (Timestamp::from_seconds(1_000), built_in());
    let code = classifier.label("code").unwrap();
    labels.note([0; 16], Some(code.clone()), now.after(10));
    labels.note([1; 16], None, now.after(20));
    let at = |labels: &Labels, ms| {
        [0, 1, 2].map(|mark| labels.find(&[mark; 16], now.after(ms)).map(|said| said.cloned()))
    };
    assert_eq!(at(&labels, 9), [Some(Some(code.clone())), Some(None), None]);
    assert_eq!(at(&labels, 10), [None, Some(None), None]);
    assert_eq!(at(&labels, 20), [None, None, None]);
    labels.note([1; 16], Some(code.clone()), now.after(40));
    assert_eq!(at(&labels, 39)[1], Some(Some(code.clone())), "the last word counts");
    labels.forget();
    assert_eq!(at(&labels, 0), [None, None, None]);
}

#[test]
fn what_was_said_first_is_forgotten_first() {
    let mut labels = Labels::new();
    let (now, until) = (Timestamp::from_seconds(1_000), Timestamp::from_seconds(2_000));
    let mark = |number: usize| (number as u128).to_le_bytes();
    for number in 0..MOST {
        labels.note(mark(number), None, until);
    }
    labels.note(mark(0), None, until);
    let is_known = |labels: &Labels, number| labels.find(&mark(number), now).is_some();
    assert!((0..MOST).all(|number| is_known(&labels, number)), "the same text takes no other place");
    for number in MOST..MOST + 10 {
        labels.note(mark(number), None, until);
    }
    let gone: Vec<_> = (0..MOST + 10).filter(|number| !is_known(&labels, *number)).collect();
    assert_eq!(gone, (1..11).collect::<Vec<_>>());
}

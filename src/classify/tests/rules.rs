//! Keywords and patterns, the gateway's and the configuration's.

use super::*;
use crate::config::Task;

fn configured(name: &str, replaces: bool, patterns: &[&str]) -> Classifier {
    let phrases = patterns.iter().map(|text| Phrase::pattern(text).unwrap()).collect();
    Classifier::new(&Tasks(vec![Task { name: TaskName::parse(name).unwrap(), replaces, phrases }]))
}

/// Whether a pattern is found in a text.
fn finds(pattern: &str, text: &str) -> bool {
    let verdict = judged(&configured("mine", false, &[pattern]), &chat(&[("user", text)]));
    verdict.evidence == Evidence::Keyword(pattern.into())
}

#[test]
fn every_pattern_of_the_gateways_own_can_be_read() {
    for (subject, points, text) in keywords::BUILT_IN {
        assert!(Phrase::pattern(text).is_ok(), "{text}");
        assert!(usize::from(*subject) <= CHAT || *subject >= keywords::HARD, "{text}");
        assert!((1..=3).contains(points), "{text}");
    }
}

#[test]
fn latin_words_are_found_whole_and_chinese_ones_anywhere() {
    for (pattern, text, is_there) in [
        ("nda", "please look at this NDA", true),
        ("nda", "the agenda for Monday", false),
        ("c++", "is this C++ or C?", true),
        ("c++", "vitamin C helps", false),
        ("合同", "帮我看看这份合同有没有问题", true),
        ("合同", "我们一起合作，同意吗", false),
        ("tl;dr", "TL;DR", true),
        ("don't know", "I don’t know what that is", true),
        ("\u{e9}t\u{e9}", "un \u{c9}T\u{c9} sans fin", true),
        ("договор", "ДОГОВОР аренды", true),
        ("line one line", "one\nline", false),
    ] {
        assert_eq!(finds(pattern, text), is_there, "{pattern} in {text}");
    }
}

#[test]
fn a_pattern_has_alternatives_beginnings_and_gaps() {
    let pattern = "review|check .. contract|agree*|合同";
    for (text, is_there) in [
        ("review contract", true),
        ("please check this very long agreement", true),
        ("check the one two three agreements", true),
        ("check the one two three four agreements", false),
        ("the contract is what I want you to review", false),
        ("check 这份合同", true),
        ("review agra", false),
    ] {
        assert_eq!(finds(pattern, text), is_there, "{text}");
    }
    // The longest of several beginnings is not the only one that is there.
    let both = configured("mine", false, &["trans* rights", "translit* names"]);
    for text in ["transliterate rights", "transit rights", "transliterated names"] {
        let verdict = judged(&both, &chat(&[("user", text)]));
        assert!(
            matches!(verdict.evidence, Evidence::Keyword(_)) && verdict.task == "mine",
            "{text}: {verdict:?}"
        );
    }
}

#[test]
fn a_task_of_the_configurations_own_is_known_by_its_words() {
    let classifier = configured("legal", false, &["liability clause", "合同"]);
    let verdict = judged(
        &classifier,
        &chat(&[("user", "Write a Python script that finds the liability clause in a file")]),
    );
    assert_eq!(
        (verdict.task.as_str(), verdict.evidence),
        ("legal", Evidence::Keyword("liability clause".into()))
    );
    assert_eq!(verdict.runner_up.unwrap().0, "code");
    let verdict = judged(&classifier, &chat(&[("user", "Write a Python script that renames files")]));
    assert_eq!(verdict.task, "code");
    assert_eq!(classifier.tasks().last().unwrap(), "legal");
}

#[test]
fn words_are_added_to_a_task_or_take_the_place_of_its_own() {
    let text = &chat(&[("user", "terraform: classify the sentiment of the plan")]);
    let by = |classifier: &Classifier| match judged(classifier, text).evidence {
        Evidence::Keyword(text) => text.to_string(),
        other => other.to_string(),
    };
    assert_eq!(by(&configured("code", false, &["terraform"])), "terraform");
    assert_eq!(by(&built_in()), "sentiment|spam|toxic|hate-speech");
    assert_eq!(by(&configured("classification", true, &["nothing"])), "lexical");
}

#[test]
fn phrases_do_not_go_across_what_is_left_out() {
    let long = format!("liability {} clause", "x ".repeat(4000));
    assert!(!finds("liability .. clause", &long));
    assert!(finds("clause", &long), "the end of a long text is looked at");
    assert!(finds("liability", &long), "and its beginning");
}

#[test]
fn a_name_is_resolved_or_the_nearest_are_said() {
    let classifier = configured("legal-review", false, &["nda"]);
    for (name, task) in [("code", "code"), (" Summary ", "summary"), ("LEGAL-REVIEW", "legal-review")] {
        assert_eq!(classifier.task(name).map(TaskName::as_str), Ok(task));
    }
    for (name, nearest) in [("sumary", vec!["summary"]), ("legal", vec!["legal-review"]), ("opera", vec![])] {
        assert_eq!(classifier.task(name).unwrap_err().nearest, nearest, "{name}");
    }
}

#[test]
fn a_request_may_name_its_task_itself() {
    with(r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}]}"#, |request| {
        let (classifier, features) = (built_in(), features(request, 10));
        let verdict = classifier.tagged(&features, classifier.task("summary").unwrap());
        assert_eq!(
            (verdict.task.as_str(), verdict.confidence, verdict.evidence),
            ("summary", 1000, Evidence::Tag)
        );
    });
}

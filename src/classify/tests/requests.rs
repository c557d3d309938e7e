//! What is told of requests: features, what else was said, how hard they are, and that nothing makes it slow.

use super::*;
use proptest::prelude::*;

#[test]
fn script_and_language_are_told_by_most_of_the_text() {
    for (text, script, language) in [
        ("What is the weather like in Paris?", Script::Latin, Language::English),
        ("Quelle est la capitale de la France ?", Script::Latin, Language::OtherLatin),
        ("Wie ist das Wetter heute und was ziehe ich an?", Script::Latin, Language::OtherLatin),
        ("¿Dónde está la biblioteca?", Script::Latin, Language::OtherLatin),
        ("今天天气怎么样", Script::Han, Language::Chinese),
        ("用 Python 写一个读取 Excel 的脚本", Script::Han, Language::Chinese),
        ("今日の天気はどうですか", Script::Kana, Language::Japanese),
        ("オーストラリアの首都", Script::Kana, Language::Japanese),
        ("東京都知事選挙の結果", Script::Han, Language::Japanese),
        ("오늘 날씨 어때요?", Script::Hangul, Language::Korean),
        ("Какая сегодня погода?", Script::Cyrillic, Language::Russian),
        ("Ποια είναι η πρωτεύουσα;", Script::Greek, Language::Other),
        ("ما هو الطقس اليوم", Script::Arabic, Language::Other),
        ("", Script::Latin, Language::English),
        ("12 + 30", Script::Latin, Language::English),
    ] {
        with(&chat(&[("user", text)]), |request| {
            let features = features(request, 10);
            assert_eq!((features.script, features.language), (script, language), "{text}");
        });
    }
}

#[test]
fn escaped_characters_are_read_as_what_they_stand_for() {
    let plain = r#"{"model": "m", "messages": [{"role": "user", "content": "翻译成英文：你好"}]}"#;
    let escaped = r#"{"model": "m", "messages": [{"role": "user", "content": "\u7ffb\u8bd1\u6210\u82f1\u6587\uff1a\u4f60\u597d"}]}"#;
    let verdicts = [plain, escaped].map(|body| judged(&built_in(), body));
    assert!(verdicts.iter().all(|verdict| verdict.task == "translation"), "{verdicts:?}");
    assert_eq!(with(escaped, |request| features(request, 1).language), Language::Chinese);
}

#[test]
fn what_comes_with_a_request_is_counted() {
    let body = serde_json::json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "You are a nurse."},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "answer"},
            {"role": "user", "content": [
                {"type": "text", "text": "what is in this?"},
                {"type": "image_url", "image_url": {"url": "https://a.b/c.png"}},
                {"type": "image_url", "image_url": {"url": "https://a.b/d.png"}},
                {"type": "text", "text": "```\nx\n```"},
            ]},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}},
    });
    with(&body.to_string(), |request| {
        let features = features(request, 77);
        assert_eq!((features.images, features.tools, features.code_fences, features.messages), (2, 1, 2, 4));
        assert_eq!((features.format, features.tokens), (Format::Schema, 77));
        assert_eq!((features.before.head, features.system.head), (&b"first"[..], &b"You are a nurse."[..]));
        assert_eq!(
            (features.last.head, features.last.end),
            (&b"what is in this?"[..], &b"```\\nx\\n```"[..])
        );
        assert_eq!(features.bytes, 27);
    });
}

#[test]
fn an_instruction_is_found_before_and_after_a_long_text() {
    let text = "The council met on Monday. Members spoke of roads and of schools, and went home at night. "
        .repeat(400);
    for (request, task) in [
        (format!("Summarize the following article in three sentences.\n\n{text}"), "summary"),
        (format!("{text}\n\nTranslate this into French."), "translation"),
        (format!("{text}\n\nExtract all names and dates from the text above as JSON."), "extraction"),
        (format!("Write a poem about this:\n{text}"), "creative"),
        (
            format!("总结一下这篇文章：{}", "会议在周一举行，大家讨论了道路和学校的问题。".repeat(300)),
            "summary",
        ),
    ] {
        assert_eq!(said(&request).task, task, "{:.60}", request);
    }
}

#[test]
fn what_else_was_said_counts_where_the_last_turn_is_not_clear() {
    let translator = "You are a translator. Translate everything the user writes into French.";
    for (messages, task) in [
        (&[("system", translator), ("user", "The red house")][..], "translation"),
        (
            &[
                ("user", "Write a python function to sort a list"),
                ("assistant", "def f"),
                ("user", "and now the other way"),
            ],
            "code",
        ),
        // What is clear stays what it is.
        (&[("system", translator), ("user", "Write a python function that reverses a string.")], "code"),
        (
            &[
                ("user", "Write a python function to sort a list"),
                ("assistant", "def f"),
                ("user", "thanks!"),
            ],
            "chat",
        ),
    ] {
        let verdict = judged(&built_in(), &chat(messages));
        assert_eq!(verdict.task, task, "{messages:?} {verdict:?}");
    }
}

#[test]
fn without_any_evidence_it_is_chat() {
    for body in [
        chat(&[("user", "")]),
        chat(&[("assistant", "hello")]),
        chat(&[("user", "   ")]),
        r#"{"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.b/c"}}]}]}"#.to_owned(),
    ] {
        let verdict = judged(&built_in(), &body);
        assert_eq!(verdict.task, "chat", "{body}");
        assert_eq!(verdict.complexity, Complexity::Simple, "{body}");
    }
}

#[test]
fn confidence_is_what_is_left_of_doubt() {
    let clear = said("Translate this sentence into German: The weather is nice today.");
    let doubtful = said("the other one");
    assert!(clear.confidence > 900 && doubtful.confidence < 850, "{clear:?} {doubtful:?}");
    let (_, second) = clear.runner_up.unwrap();
    assert!(clear.confidence + second <= 1000);
}

#[test]
fn hard_is_what_makes_work() {
    let code = "fn main() { let all = read(); all.sort(); }\n".repeat(60);
    let review = format!(
        "Refactor this service for a distributed setup, in detail:\n- no locks\n- retries\n- tests\n- metrics\n\n```rust\n{code}```\n"
    );
    for (text, tokens, complexity) in [
        ("hi there", 5, Complexity::Simple),
        ("What is the capital of Peru?", 10, Complexity::Simple),
        ("Translate to German: good morning", 10, Complexity::Simple),
        ("Is this spam? yes or no: You won a prize", 15, Complexity::Simple),
        (
            "Write a Python function that merges two sorted lists and explain how it handles duplicates and empty lists.",
            30,
            Complexity::Standard,
        ),
        (
            "Compare electric and hydrogen cars in terms of cost, range, infrastructure and what they mean for the power grid in the next ten years.",
            40,
            Complexity::Standard,
        ),
        (
            "Prove step by step that the algorithm below is optimal, derive its time complexity, and discuss in detail what changes in a \
             distributed setting where messages may be lost, delayed or duplicated, with a proof for each of the three cases and a counterexample \
             where the claim does not hold any more.",
            100,
            Complexity::Hard,
        ),
        (&review, 1500, Complexity::Hard),
    ] {
        let told = with(&chat(&[("user", text)]), |request| {
            let features = features(request, tokens);
            built_in().classify(&features)
        });
        assert_eq!(told.complexity, complexity, "{told:?}: {text:.70}");
    }
}

/// Two pieces for each byte of the window.
const MOST: usize = 2 * (window::HEAD + window::TAIL + window::END);

/// How many pieces of text are seen on the way to a verdict on the last turn.
fn work(body: &str) -> usize {
    let classifier = built_in();
    with(body, |request| {
        let features = features(request, 1);
        classifier.hear(features.last, 1.0, &mut Scores::new(9)).seen
    })
}

#[test]
fn the_work_is_bounded_by_the_window_however_long_the_prompt_is() {
    let most = MOST;
    for hostile in ["a ", "?", "\n- ", "翻译", "\\", "\u{0}", "1 ", "write ", "write a ", "\u{1F600}", "'"]
    {
        for times in [1, 1_000, 100_000] {
            let seen = work(&chat(&[("user", &hostile.repeat(times))]));
            assert!(seen <= most, "{hostile:?} {times}: {seen}");
        }
    }
    let parts: Vec<_> =
        (0..10_000).map(|_| serde_json::json!({"type": "text", "text": "write a poem"})).collect();
    let body =
        serde_json::json!({"model": "m", "messages": [{"role": "user", "content": parts}]}).to_string();
    assert!(work(&body) <= most);
}

proptest! {
    #[test]
    fn any_text_is_of_some_task(text in any::<String>(), before in any::<String>(), times in 1_usize..200) {
        let text = text.repeat(times);
        let verdict = judged(&built_in(), &chat(&[("system", &before), ("user", &before), ("user", &text)]));
        prop_assert!(verdict.confidence <= 1000);
        prop_assert!(BUILT_IN.contains(&verdict.task.as_str()));
        prop_assert!(work(&chat(&[("user", &text)])) <= MOST);
    }

    #[test]
    fn any_bytes_can_be_looked_at(head in proptest::collection::vec(any::<u8>(), 0..2000), tail in proptest::collection::vec(any::<u8>(), 0..400)) {
        let classifier = built_in();
        let window = Window { head: &head, tail: &tail, end: &tail, bytes: head.len() };
        let mut scores = Scores::new(9);
        let marks = classifier.hear(window, 1.0, &mut scores);
        prop_assert!(marks.seen <= 2 * (head.len() + 2 * tail.len()));
        scores.judge(classifier.tasks());
    }

    #[test]
    fn any_pattern_is_read_or_refused_and_then_looked_for(pattern in "[a-z|*.+ 翻译]{0,40}", text in "[a-z 翻译]{0,60}") {
        if let Ok(phrase) = Phrase::pattern(&pattern) {
            let task = config::Task { name: TaskName::parse("mine").unwrap(), replaces: false, phrases: vec![phrase] };
            judged(&Classifier::new(&Tasks(vec![task])), &chat(&[("user", &text)]));
        }
    }
}

#![allow(clippy::unwrap_used, clippy::panic)]

use super::prepare::MOST_ATTEMPTS;
use super::*;
use crate::observe::Record;
use crate::plan::PlannedTarget;
use crate::quota::Holder;
use crate::store::tests::Memory;
use crate::time::Timestamp;

const CONFIG: &str = r#"{
  "providers": {
    "a": {"vendor": "openai", "api_key": "none"},
    "b": {"vendor": "openai", "base_url": "https://b.example/v1", "api_key": "none"},
    "claude": {"vendor": "anthropic", "api_key": "none"},
    "mistral": {"vendor": "mistral", "api_key": "none"},
    "keyless": {"vendor": "openai", "base_url": "https://k.example/v1", "api_key": {"env": "UNSET"}}
  },
  "models": {
    "m": {"provider": "a"},
    "m-b": {"provider": "b", "model": "m"},
    "x": {"provider": "b"},
    "claude": {"provider": "claude"},
    "mistral": {"provider": "mistral"},
    "nobody": {"provider": "keyless"},
    "small": {"provider": "a", "context_window": 500},
    "medium": {"provider": "b", "context_window": 2000},
    "image": {"provider": "a", "supports": {"image": false}},
    "audio": {"provider": "a", "supports": {"audio": false}},
    "file": {"provider": "a", "supports": {"file": false}},
    "tools": {"provider": "a", "supports": {"tools": false}},
    "parallel_tool_calls": {"provider": "a", "supports": {"parallel_tool_calls": false}},
    "strict": {"provider": "a", "supports": {"strict": false}},
    "json_object": {"provider": "a", "supports": {"json_object": false}},
    "json_schema": {"provider": "a", "supports": {"json_schema": false}},
    "reasoning": {"provider": "a", "supports": {"reasoning": false}},
    "streaming": {"provider": "a", "supports": {"streaming": false}},
    "short": {"provider": "a", "context_window": 1000}
  },
  "routes": {
    "mixed": {"targets": [{"model": "m"}, {"model": "claude"}, {"model": "x"}, {"model": "m-b"}]},
    "foreign-first": {"targets": [{"model": "claude"}, {"model": "m"}, {"model": "x"}]},
    "long": {"targets": [{"model": "short"}, {"model": "m-b"}]},
    "embedders": {"targets": [{"model": "m"}, {"model": "mistral"}, {"model": "m-b"}, {"model": "x"}]},
    "eager": {"targets": [{"model": "m", "tries": 10}, {"model": "x", "tries": 10}]},
    "forgets": {"targets": [{"model": "small"}, {"model": "medium"}], "truncate": true},
    "remembers": {"targets": [{"model": "small"}, {"model": "medium"}]}
  },
  "auth": {"anonymous": {"consumer": "anonymous"}},
  "timeouts": {"first_token_ms": 3000}
}"#;

mod excerpt;
mod strategies;

fn step(body: &str) -> Step {
    step_for(Service::Chat, body)
}

fn step_for(service: Service, body: &str) -> Step {
    let config = Config::parse(CONFIG.as_bytes(), &|_| None).unwrap();
    let (store, memory) = (Memory::default(), super::Memory::new(1));
    let now = Timestamp::from_seconds(1_700_000_000);
    let holder = Holder::new(1).id(&store, now);
    let books = Books { store: &store, now, holder: &|| holder, memory: &memory };
    let asking = Asking {
        service,
        consumer: config.auth().anonymous().unwrap(),
        request_id: "6d2f",
        control: Control::default(),
        joins: &|_| false,
        told: &Told::default(),
        classifier: None,
        wishes: &Vec::new(),
        record: &Record::default(),
    };
    on_body(body.as_bytes(), asking, &config, books)
}

fn forwarded(model: &str, more: &str) -> Forward {
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]{more}}}"#);
    match step(&body) {
        Step::Forward(forward) => *forward,
        other => panic!("{other:?}"),
    }
}

/// The providers of a plan, those in capitals that take the body as it stands.
fn shape(plan: &Plan) -> Vec<String> {
    let shape = |target: &PlannedTarget| match target.body_passes {
        true => target.provider.to_uppercase(),
        false => target.provider.to_string(),
    };
    plan.targets.iter().map(shape).collect()
}

#[test]
fn the_body_passes_where_the_first_targets_words_are_spoken() {
    for (model, more, shown) in [
        ("m", "", &["A"][..]),
        ("claude", "", &["CLAUDE"]),
        ("mixed", "", &["A", "claude", "b", "B"]),
        ("foreign-first", "", &["CLAUDE", "a", "b"]),
    ] {
        assert_eq!(shape(&forwarded(model, more).plan), shown, "{model} {more}");
    }
}

#[test]
fn echoes_of_another_provider_are_for_none_as_they_stand() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho","reasoning_content":"because"},{"role":"user","content":"hi"}]}"#;
    let Step::Forward(forward) = step(body) else { panic!("forwarded") };
    let sent = String::from_utf8(forward.body.unwrap()).unwrap();
    assert!(shape(&forward.plan) == ["A"] && !sent.contains("because"), "{sent}");
    let Step::Forward(forward) = step(&body.replacen("\"m\"", "\"eager\"", 1)) else { panic!("forwarded") };
    let (first, later) = forward.plan.targets.split_at(10);
    assert!(first.iter().all(|target| target.body_passes && *target.provider == *"a"), "{:?}", forward.plan);
    assert!(later.iter().all(|target| !target.body_passes && *target.provider == *"b"), "{:?}", forward.plan);
    assert!(
        forward.plan.kept
            && forward.body.is_some_and(|body| !String::from_utf8(body).unwrap().contains("because"))
    );
}

#[test]
fn the_clients_body_is_kept_for_later_attempts_that_translate_it_unless_it_is_large() {
    for (model, kept) in
        [("m", false), ("claude", false), ("mixed", false), ("foreign-first", true), ("eager", false)]
    {
        assert_eq!(forwarded(model, "").plan.kept, kept, "{model}");
    }
    let large = format!(r#","user":"{}""#, "u".repeat(256 * 1024));
    let forward = forwarded("foreign-first", &large);
    assert_eq!(shape(&forward.plan), ["claude", "a", "b"]);
    assert!(!forward.plan.kept && forward.body.is_none(), "each attempt translates it");
    assert!(forwarded("claude", &large).body.is_some());
}

#[test]
fn a_body_that_asks_for_embeddings_passes_as_one_of_a_chat_does() {
    let large = format!(r#"{{"model":"embedders","user":"u","input":"{}"}}"#, "x".repeat(256 * 1024));
    for (asked, shown, sent) in [
        (r#" {"model" : "m", "input":"h\u0069", "n":null } "#, &["A"][..], None),
        (
            r#" {"input":"h\u0069", "model" : "m-b" } "#,
            &["B"],
            Some(r#" {"input":"h\u0069", "model" : "m" } "#),
        ),
        (r#"{"model":"mistral","input":"hi"}"#, &["MISTRAL"], None),
        (
            r#"{"model":"embedders","input":"hi"}"#,
            &["A", "mistral", "B", "b"],
            Some(r#"{"model":"m","input":"hi"}"#),
        ),
        (&large, &["A", "mistral", "B", "b"], Some(&large.replacen("embedders", "m", 1))),
        (
            r#"{"model":"mistral","user":"u","input":"hi"}"#,
            &["MISTRAL"],
            Some(r#"{"model":"mistral","input":"hi"}"#),
        ),
    ] {
        let Step::Forward(forward) = step_for(Service::Embeddings, asked) else { panic!("forwarded") };
        assert_eq!(shape(&forward.plan), shown, "{asked}");
        assert_eq!(forward.body.as_deref().map(String::from_utf8_lossy).as_deref(), sent, "{asked}");
        assert!(!forward.plan.kept, "no attempt needs what the client sent");
    }
}

#[test]
fn the_only_target_gets_its_own_words_and_what_goes_with_them() {
    let body = r#"{"model":"claude","seed":1,"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"hi"},{"type":"file","file":{"file_id":"file_1"}}]}]}"#;
    let Step::Forward(forward) = step(body) else { panic!("forwarded") };
    let sent = String::from_utf8(forward.body.unwrap()).unwrap();
    assert!(sent.contains(r#""system":"#) && !sent.contains(r#""role":"system""#), "{sent}");
    assert_eq!(forward.plan.dropped, "seed");
    assert!(forward.plan.headers.iter().any(|(name, _)| name == "anthropic-beta"), "{:?}", forward.plan);
}

#[test]
fn a_target_that_cannot_do_it_is_left_out() {
    assert_eq!(shape(&forwarded("mixed", r#","n":2"#).plan), ["A", "b", "B"]);
}

#[test]
fn attempts_are_bounded() {
    let plan = forwarded("eager", "").plan;
    assert_eq!(plan.targets.len(), MOST_ATTEMPTS);
    assert_eq!(plan.targets.iter().filter(|target| *target.provider == *"a").count(), 10);
}

#[test]
fn a_plan_knows_the_length_of_what_goes_out() {
    for (model, more) in [("m", ""), ("m-b", ""), ("claude", ""), ("m", r#","stream":true"#)] {
        let forward = forwarded(model, more);
        let original = forwarded("m", "").plan.length + model.len() - 1 + more.len();
        assert_eq!(forward.plan.length, forward.body.map_or(original, |body| body.len()), "{model} {more}");
    }
}

#[test]
fn a_body_changes_only_where_it_must() {
    assert_eq!(forwarded("m", "").body, None);
    let asked = r#","stream":true,"stream_options":{"include_usage":true}"#;
    assert_eq!(forwarded("m", asked).body, None);
    assert!(forwarded("m", r#","stream":true"#).body.is_some());
    assert!(forwarded("m-b", "").body.is_some());
}

#[test]
fn an_attempt_has_the_time_that_its_sort_of_answer_takes() {
    assert_eq!(forwarded("m", "").attempt_ms, Some(600_000));
    assert_eq!(forwarded("m", r#","stream":true"#).attempt_ms, Some(3000));
}

#[test]
fn a_model_is_not_asked_for_what_the_catalog_says_it_cannot() {
    let says = |part: &str| {
        format!(r#","messages":[{{"role":"user","content":[{{"type":"text","text":"hi"}},{part}]}}]"#)
    };
    let image = says(r#"{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}"#);
    let audio = says(r#"{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}"#);
    let file = says(r#"{"type":"file","file":{"file_id":"file_1"}}"#);
    let tool = |more: &str| {
        format!(
            r#","messages":[{{"role":"user","content":"hi"}}],"tools":[{{"type":"function","function":{{"name":"f"{more}}}}}]"#
        )
    };
    let hi = |more: &str| format!(r#","messages":[{{"role":"user","content":"hi"}}]{more}"#);
    let schema =
        r#","response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}}"#;
    let asked = [
        ("image", "messages", image),
        ("audio", "messages", audio),
        ("file", "messages", file),
        ("tools", "tools", tool("")),
        ("parallel_tool_calls", "parallel_tool_calls", tool("") + r#","parallel_tool_calls":true"#),
        ("strict", "tools", tool(r#","strict":true"#)),
        ("json_object", "response_format", hi(r#","response_format":{"type":"json_object"}"#)),
        ("json_schema", "response_format", hi(schema)),
        ("reasoning", "reasoning_effort", hi(r#","reasoning_effort":"low""#)),
        ("streaming", "stream", hi(r#","stream":true"#)),
    ];
    assert_eq!(asked.len(), crate::config::Ability::ALL.len());
    for (word, member, more) in &asked {
        let refused = step(&format!(r#"{{"model":"{word}"{more}}}"#));
        let Step::Reply(reply) = refused else { panic!("{word}: {refused:?}") };
        let body = String::from_utf8(reply.body).unwrap();
        assert!(reply.status == 400 && body.contains("unsupported_parameter"), "{body}");
        assert!(body.contains(&format!("does not support {word}.")), "{body}");
        assert!(body.contains(&format!(r#""param":"{member}""#)), "{body}");
        // Whoever asks for something else is served, but that who gets a strict or a parallel call gets a call.
        for (other, _, more) in &asked {
            let part_of = *word == "tools" && ["parallel_tool_calls", "strict"].contains(other);
            let served = matches!(step(&format!(r#"{{"model":"{word}"{more}}}"#)), Step::Forward(_));
            assert_eq!(served, other != word && !part_of, "{word} {other}");
        }
    }
    for more in [r#","reasoning_effort":"none""#, r#","parallel_tool_calls":true"#, r#","stream":false"#] {
        for word in ["reasoning", "parallel_tool_calls", "streaming"] {
            assert!(
                matches!(step(&format!(r#"{{"model":"{word}"{}}}"#, hi(more))), Step::Forward(_)),
                "{word} {more}"
            );
        }
    }
}

#[test]
fn what_has_no_room_in_a_model_goes_to_the_next_and_if_there_is_none_is_refused() {
    let of = |words: usize, more: &str| {
        let content = "word ".repeat(words);
        format!(r#""messages":[{{"role":"user","content":"{content}"}}]{more}"#)
    };
    for (words, more, fits) in [
        (10, "", true),
        (900, "", true),
        // Nobody is sent away by an estimate that may be a tenth too high.
        (1050, "", true),
        (1400, "", false),
        (10, r#","max_tokens":900"#, true),
        (10, r#","max_tokens":1000"#, false),
        (800, r#","max_tokens":500"#, false),
    ] {
        let body = of(words, more);
        let Step::Forward(forward) = step(&format!(r#"{{"model":"long",{body}}}"#)) else { panic!("{body}") };
        assert_eq!(shape(&forward.plan), if fits { &["A", "b"][..] } else { &["B"] }, "{words} {more}");
        match step(&format!(r#"{{"model":"short",{body}}}"#)) {
            Step::Reply(reply) => {
                let body = String::from_utf8(reply.body).unwrap();
                assert!(!fits && reply.status == 400 && body.contains("context_length_exceeded"), "{body}");
            }
            step => assert!(fits && matches!(step, Step::Forward(_)), "{words} {more}: {step:?}"),
        }
    }
}

#[test]
fn a_model_that_nobody_can_serve_now_is_a_503_that_says_why() {
    let Step::Reply(reply) = step(r#"{"model":"nobody","messages":[{"role":"user","content":"hi"}]}"#) else {
        panic!("replied")
    };
    let body = String::from_utf8(reply.body).unwrap();
    assert!(reply.status == 503 && body.contains("UNSET") && body.contains("no_provider"), "{body}");
}

#[test]
fn json_is_known_by_its_content_type() {
    for (content_type, json) in [
        ("application/json", true),
        (" APPLICATION/JSON; charset=utf-8", true),
        ("application/problem+json", true),
        ("application/json-seq", false),
        ("text/plain", false),
        ("", false),
    ] {
        assert_eq!(is_json(content_type.as_bytes()), json, "{content_type}");
    }
}

/// A conversation of `count` turns, each with so many words, and what its last turn says.
fn conversation(count: usize, words: usize) -> String {
    let text = "word ".repeat(words);
    let mut messages = vec![r#"{"role":"system","content":"be brief"}"#.to_owned()];
    for turn in 0..count {
        messages.push(format!(r#"{{"role":"user","content":"turn {turn}: {text}"}}"#));
        if turn + 1 < count {
            messages.push(format!(r#"{{"role":"assistant","content":"answer {turn}"}}"#));
        }
    }
    messages.join(",")
}

#[test]
fn where_there_is_no_room_the_oldest_turns_are_left_out_if_the_route_allows_it() {
    for (route, turns, words, left_out) in [
        ("forgets", 3, 100, Some(0)),
        ("forgets", 15, 200, None),
        ("forgets", 30, 200, None),
        ("remembers", 15, 200, Some(usize::MAX)),
        ("forgets", 1, 4_000, Some(usize::MAX)),
        ("small", 10, 200, Some(usize::MAX)),
    ] {
        let body =
            format!(r#"{{"model":"{route}","messages":[{}],"max_tokens":50}}"#, conversation(turns, words));
        match (step(&body), left_out) {
            (Step::Reply(reply), Some(usize::MAX)) => {
                let body = String::from_utf8(reply.body).unwrap();
                assert!(reply.status == 400 && body.contains("context_length_exceeded"), "{route}: {body}");
            }
            (Step::Forward(forward), Some(0)) => assert_eq!(forward.truncated, None, "{route} {turns}"),
            (Step::Forward(forward), None) => {
                let trimmed = forward.truncated.unwrap();
                let sent: serde_json::Value = serde_json::from_slice(&forward.body.unwrap()).unwrap();
                let sent = sent["messages"].as_array().unwrap().clone();
                assert_eq!(sent.len() + trimmed.messages, 2 * turns, "{route} {turns}");
                let first = |at: usize| sent[at]["content"].as_str().unwrap();
                assert!(first(0) == "be brief" && first(1).starts_with("turn "), "{route} {turns}");
                assert!(
                    sent.last().unwrap()["content"]
                        .as_str()
                        .unwrap()
                        .starts_with(&format!("turn {}:", turns - 1))
                );
                // As many as there is room for: about 2,000 tokens, each turn a little over 200.
                assert!((15..=20).contains(&sent.len()), "{route} {turns}: {}", sent.len());
            }
            (step, _) => panic!("{route} {turns}: {step:?}"),
        }
    }
}

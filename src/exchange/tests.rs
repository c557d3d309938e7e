#![allow(clippy::unwrap_used, clippy::panic)]

use super::prepare::MOST_ATTEMPTS;
use super::*;
use crate::plan::PlannedTarget;
use crate::quota::Holder;
use crate::store::tests::Memory;
use crate::time::Timestamp;
use std::cell::RefCell;

const CONFIG: &str = r#"{
  "providers": {
    "a": {"vendor": "openai", "api_key": "none"},
    "b": {"vendor": "openai", "base_url": "https://b.example/v1", "api_key": "none"},
    "claude": {"vendor": "anthropic", "api_key": "none"},
    "keyless": {"vendor": "openai", "base_url": "https://k.example/v1", "api_key": {"env": "UNSET"}}
  },
  "models": {
    "m": {"provider": "a"},
    "m-b": {"provider": "b", "model": "m"},
    "x": {"provider": "b"},
    "claude": {"provider": "claude"},
    "nobody": {"provider": "keyless"}
  },
  "routes": {
    "mixed": {"targets": [{"model": "m"}, {"model": "claude"}, {"model": "x"}, {"model": "m-b"}]},
    "foreign-first": {"targets": [{"model": "claude"}, {"model": "m"}, {"model": "x"}]},
    "eager": {"targets": [{"model": "m", "tries": 10}, {"model": "x", "tries": 10}]}
  },
  "auth": {"anonymous": {"consumer": "anonymous"}},
  "timeouts": {"first_token_ms": 3000}
}"#;

fn step(body: &str) -> Step {
    let config = Config::parse(CONFIG.as_bytes(), &|_| None).unwrap();
    let (store, unsettled) = (Memory::default(), RefCell::default());
    let now = Timestamp::from_seconds(1_700_000_000);
    let holder = Holder::new(1).id(&store, now);
    let books = Books { store: &store, now, holder: &|| holder, unsettled: &unsettled };
    let asking = Asking {
        service: Service::Chat,
        consumer: config.auth().anonymous().unwrap(),
        request_id: "6d2f",
        control: Control::default(),
        joins: &|_| false,
        embedding: Embedding::Unasked,
    };
    on_body(body.as_bytes(), asking, &config, books)
}

fn forwarded(model: &str, more: &str) -> Forward {
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]{more}}}"#);
    match step(&body) {
        Step::Forward(forward) => forward,
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

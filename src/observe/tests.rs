//! What numbers the facts of a request make.

use super::*;
use crate::chat::Usage;
use crate::money::NanoUsd;
use std::collections::BTreeMap;

type Told = BTreeMap<String, Vec<u64>>;

fn tell(record: &Record, ending: &Ending<'_>) -> Told {
    let mut told = Told::new();
    record.tell(ending, &mut |metric, labels, value| {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        told.entry(format!("{}{{{}}}", metric.name, labels.join(","))).or_default().push(value);
    });
    told
}

fn ended(outcome: Outcome, attempts: &[Tried<'static>]) -> Told {
    let record = Record::new(1_000_000_000);
    record.is_for(Some("chat"));
    record.streams(true);
    record.begins(1_250_000_000);
    tell(&record, &Ending { now: 2_250_000_000, outcome, attempts })
}

fn tried(model: Option<&'static str>, outcome: &'static str, completion: u64) -> Tried<'static> {
    let usage = Usage { prompt: 10, completion, cached: Some(4), reasoning: Some(2), ..Usage::default() };
    Tried { provider: "p", model, outcome, usage: Some(usage), cost: Some(NanoUsd::new(70)) }
}

#[test]
fn times_are_told_of_what_was_answered_alone() {
    let names = |told: &Told| -> Vec<String> {
        let names = told.keys().filter_map(|key| key.split('{').next());
        names.filter(|name| name.contains("server")).map(str::to_owned).collect()
    };
    let all = [
        "gen_ai.server.request.duration_milliseconds",
        "gen_ai.server.time_per_output_token_microseconds",
        "gen_ai.server.time_to_first_token_milliseconds",
    ];
    assert_eq!(names(&ended(Outcome::Ok, &[tried(Some("m"), "ok", 101)])), all);
    for outcome in [Outcome::Error, Outcome::Broken, Outcome::Cancelled] {
        assert!(names(&ended(outcome, &[tried(Some("m"), "ok", 101)])).is_empty(), "{outcome:?}");
    }
}

#[test]
fn each_token_after_the_first_has_its_part_of_the_time_after_the_first() {
    for (tokens, each) in [(101, Some(10_000)), (2, Some(1_000_000)), (1, None), (0, None)] {
        let told = ended(Outcome::Ok, &[tried(Some("m"), "ok", tokens)]);
        let found = told.iter().find(|(key, _)| key.contains("per_output_token")).map(|(_, told)| told[0]);
        assert_eq!(found, each, "{tokens} tokens in a second");
    }
}

#[test]
fn each_attempt_is_charged_to_its_own_model() {
    let told = ended(Outcome::Ok, &[tried(Some("a"), "timeout", 3), tried(None, "ok", 5)]);
    let of = |model: &str| format!("{{consumer=,tier=,gen_ai_response_model={model}}}");
    assert_eq!(told[&format!("modelgate.cost_nano_usd{}", of("a"))], [70]);
    assert_eq!(told[&format!("modelgate.cost_nano_usd{}", of("unlisted"))], [70]);
    let tokens = |model: &str, direction: &str| {
        told[&format!(
            "modelgate.tokens{{consumer=,tier=,gen_ai_response_model={model},direction={direction}}}"
        )]
            .clone()
    };
    assert_eq!((tokens("a", "output"), tokens("unlisted", "output")), (vec![3], vec![5]));
    assert_eq!((tokens("a", "cached_input"), tokens("a", "reasoning")), (vec![4], vec![2]));
    assert_eq!(told["modelgate.fallbacks{from=a,to=unlisted,reason=timeout}"], [1]);
}

#[test]
fn what_the_gateway_asks_itself_is_no_request_of_a_consumer() {
    let record = Record::new(0);
    record.is_for(Some("chat"));
    record.is_internal();
    record.cached("hit");
    let told = tell(&record, &Ending { now: 1, outcome: Outcome::Ok, attempts: &[] });
    let names: Vec<_> = told.keys().map(|key| key.split('{').next().unwrap()).collect();
    assert_eq!(names, ["gen_ai.server.request.duration_milliseconds", "modelgate.requests"]);
    assert!(told.keys().any(|key| key.contains("origin=gateway")));
}

#[test]
fn nothing_is_told_of_what_asks_for_no_model_but_that_it_was_refused() {
    let ending = Ending { now: 1, outcome: Outcome::Error, attempts: &[] };
    assert!(tell(&Record::new(0), &ending).is_empty());
    let refused = Record::new(0);
    refused.fails(kind_of(401));
    assert_eq!(
        tell(&refused, &ending).into_iter().collect::<Vec<_>>(),
        [("modelgate.errors{kind=unauthenticated}".to_owned(), vec![1])]
    );
}

#[test]
fn jitter_is_how_much_gaps_differ() {
    let beats = |gaps: &[u64]| {
        let mut now = 5_000_000;
        let first = Pace::default().beat(now);
        gaps.iter().fold(first, |pace, gap| {
            now += gap * 1_000_000;
            pace.beat(now)
        })
    };
    assert_eq!(beats(&[]).jitter_us(), None);
    assert_eq!(beats(&[10]).jitter_us(), None, "one gap differs from nothing");
    assert_eq!(beats(&[10, 10, 10, 10]).jitter_us(), Some(0));
    assert_eq!(beats(&[10, 30]).jitter_us(), Some(20_000));
    assert_eq!(beats(&[10, 30, 30]).jitter_us(), Some(18_750), "a sixteenth less with each that does not");
    let mut back = Pace::default().beat(9).beat(5);
    back = back.beat(u64::MAX).beat(0);
    assert!(back.jitter_us().is_some(), "a clock that goes back is no trap");
}

#[test]
fn every_status_has_a_kind() {
    for status in 0..=599 {
        assert!(!kind_of(status).is_empty());
    }
    assert_eq!(
        [401, 404, 408, 413, 429, 418, 500, 502, 503, 504, 529].map(kind_of),
        [
            "unauthenticated",
            "not_found",
            "timeout",
            "too_large",
            "rate_limited",
            "invalid_request",
            "server_error",
            "bad_answer",
            "unavailable",
            "timeout",
            "unavailable",
        ]
    );
}

#[test]
fn names_are_told_once_and_so_are_labels() {
    let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).chain(LABELS.iter().copied()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

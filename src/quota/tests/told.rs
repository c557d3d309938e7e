//! What clients are told: the headers and the refusal, word for word.

use super::standing::lasting;
use super::*;
use crate::config::Mode;
use crate::error::Blame;
use crate::store::tests::Memory;

/// The limit, with a size as its kind counts it, left so much of it.
fn standing(limit: &Value, remaining: u64, resets_in: Option<u64>) -> Standing {
    let worker = Worker::new(&json!([limit]));
    let limit = Rc::clone(&worker.limits.groups()[0].limits[0]);
    Standing { limit, remaining, resets_in }
}

fn denied(limit: &Value, retry: Retry) -> Denied {
    Denied { limit: standing(limit, 0, None).limit, retry }
}

fn shown(headers: &[Header]) -> Vec<String> {
    headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

#[test]
fn durations_are_written_as_openai_writes_them() {
    for (millis, written) in [
        (0, "0s"),
        (6, "6ms"),
        (999, "999ms"),
        (1_000, "1s"),
        (1_500, "1.5s"),
        (8_640, "8.64s"),
        (60_000, "1m0s"),
        (360_000, "6m0s"),
        (61_001, "1m1.001s"),
        (3_600_000, "1h0m0s"),
        (90_061_000, "25h1m1s"),
    ] {
        assert_eq!(lasting(millis).to_string(), written);
    }
}

#[test]
fn both_dialects_tell_how_every_limit_stands() {
    let standings = [
        standing(&json!({"name": "rpm", "requests": 60, "window": "minute"}), 5, Some(42_100)),
        standing(
            &json!({"name": "tpd", "input_tokens": 1_000_000, "window": "day"}),
            200_000,
            Some(7_200_000),
        ),
        standing(&json!({"name": "tpm", "tokens": 100_000, "window": "minute"}), 99_984, Some(6)),
        standing(&json!({"name": "rph", "requests": 900, "window": "hour"}), 900, Some(0)),
        standing(&json!({"name": "slots", "concurrent": 5}), 4, None),
        standing(&json!({"name": "money", "usd": 12.5, "window": "month"}), 1_234_567_891, Some(86_400_001)),
    ];
    assert_eq!(
        shown(&rate_limit(&standings)),
        [
            "x-ratelimit-limit-requests: 60",
            "x-ratelimit-remaining-requests: 5",
            "x-ratelimit-reset-requests: 42.1s",
            "x-ratelimit-limit-tokens: 1000000",
            "x-ratelimit-remaining-tokens: 200000",
            "x-ratelimit-reset-tokens: 2h0m0s",
            "ratelimit-policy: \"rpm\";q=60;w=60, \"tpd\";q=1000000;qu=\"input-tokens\";w=86400, \
             \"tpm\";q=100000;qu=\"tokens\";w=60, \"rph\";q=900;w=3600, \"slots\";q=5;qu=\"concurrent-requests\", \
             \"money\";q=12500000;qu=\"micro-usd\"",
            "ratelimit: \"rpm\";r=5;t=43, \"tpd\";r=200000;t=7200, \"tpm\";r=99984;t=1, \"rph\";r=900;t=0, \
             \"slots\";r=4, \"money\";r=1234567;t=86401",
        ]
    );
}

#[test]
fn nothing_is_told_of_limits_that_refuse_nothing_or_of_none() {
    let observed =
        standing(&json!({"name": "a", "requests": 5, "window": "day", "mode": "observe"}), 1, Some(1));
    assert_eq!(observed.limit.mode, Mode::Observe);
    for standings in [&[][..], &[observed]] {
        assert_eq!(shown(&rate_limit(standings)), [""; 0]);
    }
}

#[test]
fn no_number_is_larger_than_a_structured_field_can_say() {
    let money =
        standing(&json!({"name": "a", "usd": 18_000_000_000_u64, "window": "day"}), u64::MAX, Some(0));
    let [(_, policy), (_, limit)] = &rate_limit(&[money])[..] else { panic!("two headers") };
    assert_eq!(policy, "\"a\";q=999999999999999;qu=\"micro-usd\";w=86400");
    assert_eq!(limit, "\"a\";r=999999999999999;t=0");
}

#[test]
fn the_tightest_limit_comes_first() {
    let limits = json!([
        {"name": "half", "requests": 2, "window": "minute"},
        {"name": "most", "tokens": 1_000, "window": "day", "per": ["consumer"]},
        {"name": "none", "tokens": 600, "burst": 100, "window": "minute", "per": ["consumer"]},
        {"name": "some", "concurrent": 4},
    ]);
    let (store, worker) = (Memory::default(), Worker::new(&limits));
    let reservation = worker.admit(&store, at(0)).unwrap();
    let order = |standings: &[Standing]| -> Vec<_> {
        standings.iter().map(|s| (s.limit.name.to_string(), s.remaining, s.resets_in)).collect()
    };
    let expected = [
        ("none".to_owned(), 0, Some(10_000)),
        ("half".to_owned(), 1, Some(60_000)),
        ("some".to_owned(), 3, None),
        ("most".to_owned(), 900, Some(43_200_000)),
    ];
    assert_eq!(order(reservation.standings()), expected);
    let refusal = admit(&store, &worker.limits, &worker.ask(&store, at(0))).unwrap_err();
    assert_eq!(order(&refusal.standings), expected, "a refusal has taken nothing");
}

#[test]
fn a_refusal_says_when_to_come_back_as_exactly_as_each_header_can() {
    let limit = json!({"name": "a", "requests": 5, "window": "day"});
    for (retry, expected) in [
        (Retry::At(at(1)), vec!["retry-after: 1", "retry-after-ms: 1"]),
        (Retry::At(at(59_001)), vec!["retry-after: 60", "retry-after-ms: 59001"]),
        (Retry::At(at(60_001)), vec!["retry-after: 61", "retry-after-ms: 60001", "x-should-retry: false"]),
        (Retry::InFlight, vec!["retry-after: 1", "retry-after-ms: 1000"]),
        (Retry::Contended, vec!["retry-after: 1", "retry-after-ms: 1000"]),
        (Retry::Never, vec!["x-should-retry: false"]),
    ] {
        assert_eq!(shown(&retry_after(&denied(&limit, retry), at(0))), expected);
    }
}

#[test]
fn a_refusal_is_openais_error_and_names_the_limit_its_size_and_the_time() {
    let minute = json!({"name": "acme-tokens", "tokens": 1_000, "burst": 200, "window": "minute"});
    for (limit, retry, error) in [
        (
            minute.clone(),
            Retry::At(at(3_200)),
            json!({
                "message": "The limit \"acme-tokens\" is reached (1000 tokens per minute, 200 at once). Please try again in 3.2s.",
                "type": "tokens", "param": null, "code": "rate_limit_exceeded",
            }),
        ),
        (
            minute,
            Retry::Never,
            json!({
                "message": "The request is too large: it needs more than the limit \"acme-tokens\" allows at once (1000 tokens \
                            per minute, 200 at once). Please shorten the prompt or the answer asked for.",
                "type": "tokens", "param": null, "code": "rate_limit_exceeded",
            }),
        ),
        (
            json!({"name": "a", "concurrent": 5}),
            Retry::InFlight,
            json!({
                "message": "The limit \"a\" is reached (5 requests at the same time) by requests that are still being answered. \
                            Please try again shortly.",
                "type": "requests", "param": null, "code": "rate_limit_exceeded",
            }),
        ),
        (
            json!({"name": "a", "requests": 5, "window": "hour"}),
            Retry::Contended,
            json!({
                "message": "Too many requests came at the same time to be counted for the limit \"a\" (5 requests per hour). \
                            Please try again.",
                "type": "requests", "param": null, "code": "rate_limit_exceeded",
            }),
        ),
        (
            json!({"name": "a", "usd": 2.5, "window": "day"}),
            Retry::At(at(43_200_000)),
            json!({
                "message": "The limit \"a\" is reached (2.5 USD per day). Please try again in 12h0m0s.",
                "type": "insufficient_quota", "param": null, "code": "insufficient_quota",
            }),
        ),
    ] {
        let denied = denied(&limit, retry);
        let told = denied.error(at(0));
        assert_eq!((told.status, told.blame), (429, Blame::Request));
        assert_eq!(told.retry_after, denied.wait(at(0)).map(|wait| wait.div_ceil(1_000)));
        let body: Value = serde_json::from_slice(&told.to_json()).unwrap();
        assert_eq!(body, json!({"error": error}));
    }
}

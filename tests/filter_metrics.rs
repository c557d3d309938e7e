//! The whole filter on a fake Envoy: what is told of requests as metrics when they are over.

mod support;

use modelgate::observe::LABELS;
use serde_json::{Value, json};
use support::{End, Envoy, Request, Response, Sent, chat, completion, opening, says, stream, world};

fn configuration(more: &Value) -> String {
    let provider = |name: &str| json!({"vendor": "openai", "base_url": format!("https://{name}.example/v1"), "api_key": {"value": "key"}, "allow_unlisted": true});
    let mut document = json!({
        "providers": {"a": provider("a"), "b": provider("b")},
        "models": {
            "one": {"provider": "a", "aliases": ["first"], "price": {"input": 3, "output": 5}},
            "two": {"provider": "b", "price": {"input": 1, "output": 1}},
            "blind": {"provider": "b", "supports": {"image": false}},
        },
        "routes": {"smart": {"targets": [{"model": "one"}, {"model": "two"}]}, "seeing": {"targets": [{"model": "blind"}, {"model": "one"}]}},
        "auth": {"anonymous": {"consumer": "acme"}},
        "health": "off",
    });
    for (name, value) in more.as_object().unwrap() {
        document[name] = value.clone();
    }
    document.to_string()
}

/// Every provider answers with 1 token of prompt and 2 of answer, in the way that was asked for.
fn answers(sent: &Sent) -> Response {
    let streams = sent.json()["stream"] == true;
    if streams { Response::stream(stream(&["hel", "lo"])) } else { Response::json(200, completion("hello")) }
}

fn envoy(more: &Value) -> Envoy {
    Envoy::new(&configuration(more)).cluster("a", answers).cluster("b", answers)
}

/// What is told of a metric; Envoy has a rule for each label of it.
fn told(metric: &str) -> Vec<(String, Vec<u64>)> {
    let told = world(|world| world.metrics.of(metric));
    let labels = told.iter().flat_map(|(labels, _)| labels.split(';')).filter(|label| !label.is_empty());
    for label in labels {
        let (name, value) = label.split_once('=').expect("a label and its value");
        assert!(LABELS.contains(&name) && !value.is_empty(), "{metric}: {label}");
    }
    told
}

fn count(metric: &str, labels: &str) -> u64 {
    let told = told(metric);
    let found = told.iter().find(|(of, _)| of == labels);
    found.unwrap_or_else(|| panic!("{metric}: {labels} is not among {told:?}")).1.iter().sum()
}

const OF_ONE: &str =
    "gen_ai_operation_name=chat;gen_ai_provider_name=a;gen_ai_request_model=one;gen_ai_response_model=one";

#[test]
fn a_request_is_counted_with_what_it_was_for_and_who_answered() {
    let mut envoy = envoy(&json!({}));
    for model in ["one", "first"] {
        assert_eq!(envoy.ask(Request::chat(chat(model, ""))).status, 200);
    }
    assert_eq!(
        count("modelgate.requests", &format!("{OF_ONE};origin=client;outcome=ok")),
        2,
        "by either name"
    );
    assert_eq!(count("modelgate.consumer_requests", "consumer=acme;tier=default;outcome=ok"), 2);
    assert_eq!(told("gen_ai.server.request.duration_milliseconds").len(), 1);
    assert_eq!(told("gen_ai.server.time_to_first_token_milliseconds"), [], "of streams alone");
    assert_eq!(told("modelgate.errors"), []);
}

#[test]
fn tokens_and_cost_are_counted_by_who_asked_and_who_answered() {
    let mut envoy = envoy(&json!({}));
    envoy.ask(Request::chat(chat("one", "")));
    envoy.ask(Request::chat(chat("one", r#","stream":true"#)));
    let of = "consumer=acme;tier=default;gen_ai_response_model=one";
    assert_eq!(count("modelgate.tokens", &format!("{of};direction=input")), 2);
    assert_eq!(count("modelgate.tokens", &format!("{of};direction=output")), 4);
    assert_eq!(
        count("modelgate.cost_nano_usd", of),
        2 * (3_000 + 2 * 5_000),
        "$3 a million are 3,000 nano-dollars a token"
    );
    let usage = told("gen_ai.client.token.usage");
    let of = "gen_ai_provider_name=a;gen_ai_response_model=one;gen_ai_operation_name=chat;gen_ai_request_model=one";
    assert_eq!(
        usage,
        [
            (format!("{of};gen_ai_token_type=input"), vec![1, 1]),
            (format!("{of};gen_ai_token_type=output"), vec![2, 2]),
        ]
    );
}

#[test]
fn tokens_are_counted_where_nothing_has_a_price_or_a_limit() {
    let mut envoy = envoy(&json!({"models": {"one": {"provider": "a"}}, "routes": {}}));
    envoy.ask(Request::chat(chat("one", "")));
    envoy.ask(Request::chat(chat("one", r#","stream":true"#)));
    let of = "consumer=acme;tier=default;gen_ai_response_model=one";
    assert_eq!(count("modelgate.tokens", &format!("{of};direction=output")), 4);
    assert_eq!(told("modelgate.cost_nano_usd"), []);
}

#[test]
fn a_stream_has_a_first_token_and_others_and_they_come_at_times() {
    let late = |_: &Sent| {
        world(|world| world.now += 40_000_000);
        Response::stream(stream(&["a", "b", "c"]))
    };
    let mut envoy = Envoy::new(&configuration(&json!({}))).cluster("a", late);
    envoy.ask(Request::chat(chat("one", r#","stream":true"#)));
    assert_eq!(told("gen_ai.server.time_to_first_token_milliseconds"), [(OF_ONE.to_owned(), vec![40])]);
    assert_eq!(told("gen_ai.server.time_per_output_token_microseconds"), [(OF_ONE.to_owned(), vec![0])]);
    assert_eq!(told("gen_ai.server.request.duration_milliseconds"), [(OF_ONE.to_owned(), vec![40])]);
}

#[test]
fn a_fallback_is_told_from_whom_to_whom_and_why() {
    for (status, reason) in
        [(503, "unavailable"), (429, "rate_limited"), (500, "server_error"), (408, "timeout")]
    {
        let fails = move |_: &Sent| {
            Response::json(status, r#"{"error":{"message":"no","type":"x","code":"hostile;code=1"}}"#)
        };
        let mut envoy = Envoy::new(&configuration(&json!({}))).cluster("a", fails).cluster("b", answers);
        assert_eq!(envoy.ask(Request::chat(chat("smart", ""))).status, 200);
        assert_eq!(count("modelgate.fallbacks", &format!("from=one;to=two;reason={reason}")), 1, "{status}");
        assert_eq!(
            told("modelgate.attempts"),
            [
                (format!("gen_ai_provider_name=a;gen_ai_response_model=one;outcome={reason}"), vec![1]),
                ("gen_ai_provider_name=b;gen_ai_response_model=two;outcome=ok".to_owned(), vec![1]),
            ]
        );
    }
}

#[test]
fn errors_are_counted_by_their_kind_whoever_makes_them() {
    let refuses =
        |_: &Sent| Response::json(400, r#"{"error":{"message":"no","type":"invalid_request_error"}}"#);
    let mut envoy = Envoy::new(&configuration(&json!({}))).cluster("a", refuses);
    envoy.ask(Request::chat(chat("one", "")));
    assert_eq!(count("modelgate.errors", &format!("{OF_ONE};kind=invalid_request")), 1);
    envoy.ask(Request::chat("{"));
    envoy.ask(Request::chat(chat("no-such", "")));
    assert_eq!(count("modelgate.errors", "gen_ai_operation_name=chat;kind=invalid_request"), 1);
    let nobody = "gen_ai_operation_name=chat;gen_ai_request_model=unlisted;kind=not_found";
    assert_eq!(count("modelgate.errors", nobody), 1);
    let all: u64 = told("modelgate.requests").iter().flat_map(|(_, told)| told).sum();
    assert_eq!(all, 3, "whatever becomes of it, a request is counted");
}

#[test]
fn what_only_clients_name_has_one_name() {
    let mut envoy = envoy(&json!({}));
    for model in ["a/made-up", "a/made-up-too"] {
        assert_eq!(envoy.ask(Request::chat(chat(model, ""))).status, 200);
    }
    let of = "gen_ai_operation_name=chat;gen_ai_provider_name=a;gen_ai_request_model=unlisted;gen_ai_response_model=unlisted";
    assert_eq!(count("modelgate.requests", &format!("{of};origin=client;outcome=ok")), 2);
    let all: Vec<_> =
        ["modelgate.requests", "modelgate.tokens", "modelgate.attempts", "gen_ai.client.token.usage"]
            .iter()
            .flat_map(|metric| told(metric))
            .collect();
    assert!(all.iter().all(|(labels, _)| !labels.contains("made-up")), "{all:?}");
}

#[test]
fn limits_tell_what_they_decide_and_how_full_they_are() {
    let limits = json!([
        {"name": "rpm", "per": ["consumer"], "requests": 2, "window": "minute"},
        {"name": "watched", "per": ["consumer"], "requests": 1, "window": "hour", "mode": "observe"},
    ]);
    let mut envoy = envoy(&json!({"limits": limits}));
    let statuses: Vec<_> = (0..3).map(|_| envoy.ask(Request::chat(chat("one", ""))).status).collect();
    assert_eq!(statuses, [200, 200, 429]);
    let decided = told("modelgate.limit_decisions");
    assert_eq!(
        decided,
        [
            ("limit=rpm;decision=admitted".to_owned(), vec![2]),
            ("limit=rpm;decision=refused".to_owned(), vec![1]),
            ("limit=watched;decision=admitted".to_owned(), vec![2]),
            ("limit=watched;decision=observed".to_owned(), vec![1]),
        ]
    );
    assert_eq!(count("modelgate.limit_used_percent", "limit=rpm;unit=requests;consumer=acme"), 100);
    assert_eq!(
        count("modelgate.errors", "gen_ai_operation_name=chat;gen_ai_request_model=one;kind=rate_limited"),
        1
    );
}

#[test]
fn the_cache_tells_what_it_did_and_saved() {
    let mut envoy = envoy(&json!({"cache": {"exact": {}}}));
    for _ in 0..2 {
        envoy.ask(Request::chat(chat("one", r#","temperature":0"#)));
    }
    assert_eq!(
        told("modelgate.cache"),
        [
            ("result=hit;gen_ai_request_model=one".to_owned(), vec![1]),
            ("result=miss;gen_ai_request_model=one".to_owned(), vec![1]),
        ]
    );
    assert_eq!(count("modelgate.cache_saved_tokens", "result=hit;gen_ai_request_model=one"), 3);
}

#[test]
fn a_model_that_was_left_out_is_told_with_the_reason() {
    let mut envoy = envoy(&json!({}));
    let image = json!({"model": "seeing", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]}]});
    assert_eq!(envoy.ask(Request::chat(image.to_string())).status, 200);
    assert_eq!(count("modelgate.plan_exclusions", "model=blind;reason=ability"), 1);
}

#[test]
fn a_stream_that_breaks_is_told_as_one() {
    let breaks = |_: &Sent| {
        let events = [opening(), says("hel")].concat();
        Response::stream(events).ending(End::Reset)
    };
    let mut envoy = Envoy::new(&configuration(&json!({}))).cluster("a", breaks);
    envoy.ask(Request::chat(chat("one", r#","stream":true"#)));
    assert_eq!(count("modelgate.stream_breaks", OF_ONE), 1);
    assert_eq!(count("modelgate.requests", &format!("{OF_ONE};origin=client;outcome=broken")), 1);
}

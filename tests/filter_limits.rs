//! The whole filter on a fake Envoy: what a request needs is reserved before it is forwarded and settled when it is over,
//! however it ends; what does not fit is refused and told when it will.

mod support;

use serde_json::{Value, json};
use support::{
    Answer, DONE, End, Envoy, Request, Response, Sent, chat, closing, completion, opening, says, stream,
    usage, world,
};

/// Two providers, the first of which costs more, under these limits.
fn configuration(limits: &Value) -> String {
    let provider = |name: &str, vendor: &str| json!({"vendor": vendor, "base_url": format!("https://{name}.example/v1"), "api_key": {"value": format!("key-of-{name}")}});
    json!({
        "providers": {"a": provider("a", "openai"), "b": provider("b", "openai"), "c": provider("c", "anthropic")},
        "models": {
            "dear": {"provider": "a", "price": {"input": 1_000, "output": 10_000}, "max_output_tokens": 100},
            "cheap": {"provider": "b", "price": {"input": 1, "output": 10}, "max_output_tokens": 100},
            "priceless": {"provider": "b"},
            "urgent": {"provider": "b", "model": "cheap", "price": {"input": 2, "output": 20}, "max_output_tokens": 100},
            "foreign": {"provider": "c", "price": {"input": 1, "output": 10}, "max_output_tokens": 100},
        },
        "routes": {"smart": {"targets": [{"model": "dear"}, {"model": "cheap"}]}},
        "auth": {"anonymous": {"consumer": "acme"}},
        "limits": limits,
    })
    .to_string()
}

/// Every provider answers with 1 token of prompt and 2 of answer, in the way that was asked for.
fn envoy(limits: &Value) -> Envoy {
    let answer = |sent: &Sent| {
        let streams = sent.json()["stream"] == true;
        if streams { Response::stream(stream(&["hello"])) } else { Response::json(200, completion("hello")) }
    };
    Envoy::new(&configuration(limits)).cluster("a", answer).cluster("b", answer)
}

fn ask(envoy: &mut Envoy, model: &str, more: &str) -> Answer {
    envoy.ask(Request::chat(chat(model, more)))
}

fn after(seconds: u64) {
    world(|world| world.now += seconds * 1_000_000_000);
}

/// How much is left of the only limit.
fn left(answer: &Answer) -> u64 {
    let (_, left) = answer.header("ratelimit").split_once(";r=").expect("a limit");
    let digits = left.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().expect("a number")
}

#[test]
fn requests_beyond_a_limit_are_refused_until_the_time_that_is_told() {
    let mut envoy = envoy(&json!([{"name": "rpm", "per": ["consumer"], "requests": 2, "window": "minute"}]));
    for left in ["1", "0"] {
        let answer = ask(&mut envoy, "dear", "");
        assert_eq!((answer.status, answer.header("x-ratelimit-remaining-requests")), (200, left));
        after(10);
    }
    let refused = ask(&mut envoy, "dear", "");
    assert_eq!((refused.status, refused.error()["code"].as_str()), (429, Some("rate_limit_exceeded")));
    assert!(refused.error()["message"].as_str().unwrap().contains("\"rpm\""), "{}", refused.error());
    assert_eq!(envoy.tried(), ["a", "a"]);
    let wait: u64 = refused.header("retry-after-ms").parse().unwrap();
    assert_eq!(refused.header("retry-after"), wait.div_ceil(1000).to_string());
    world(|world| world.now += (wait - 1) * 1_000_000);
    assert_eq!(ask(&mut envoy, "dear", "").status, 429);
    world(|world| world.now += 1_000_000);
    assert_eq!(ask(&mut envoy, "dear", "").status, 200);
}

#[test]
fn what_was_reserved_is_settled_to_what_the_provider_says() {
    for more in ["", r#","stream":true"#] {
        let mut envoy = envoy(&json!([{"name": "tokens", "tokens": 10_000, "window": "day"}]));
        for used in [0, 3, 6] {
            let answer = ask(&mut envoy, "dear", more);
            // What is reserved for this one is not there now: at least its answer's expected length.
            assert!(
                answer.status == 200 && left(&answer) < 10_000 - used - 50,
                "{}",
                answer.header("ratelimit")
            );
            assert_eq!(
                ["tokens_in", "tokens_out", "usage"].map(|name| envoy.logged(name)),
                ["1", "2", "provider"]
            );
        }
        let answer = ask(&mut envoy, "dear", more);
        let reserved = 10_000 - 9 - left(&answer);
        assert!((50..300).contains(&reserved), "{reserved}");
    }
}

#[test]
fn an_attempt_costs_what_the_model_costs_that_served_it() {
    let mut envoy = envoy(&json!([{"name": "budget", "usd": 100, "window": "month"}]));
    let answer = ask(&mut envoy, "smart", "");
    assert_eq!((answer.header("x-modelgate-cost-usd"), &*envoy.logged("cost_usd")), ("0.021", "0.021"));
    envoy.script("a", |_| Response::error(500, "the provider fails"));
    let answer = ask(&mut envoy, "smart", "");
    assert_eq!((answer.header("x-modelgate-cost-usd"), &*envoy.logged("cost_usd")), ("0.000021", "0.000021"));
    // Both are settled: of a hundred dollars so much is left but for what is reserved for this one.
    let left = left(&ask(&mut envoy, "cheap", ""));
    assert!((100_000_000 - 21_021 - 3_000..=100_000_000 - 21_021).contains(&left), "{left}");
}

#[test]
fn a_model_that_the_catalog_has_under_two_names_costs_what_is_said_of_the_name_asked_for() {
    let mut envoy = envoy(&json!([]));
    for (model, cost) in [("cheap", "0.000021"), ("urgent", "0.000042")] {
        let answer = ask(&mut envoy, model, "");
        assert_eq!((answer.header("x-modelgate-cost-usd"), &*envoy.logged("cost_usd")), (cost, cost));
    }
}

#[test]
fn a_stream_tells_its_cost_with_its_usage_and_the_log_each_attempt_of_several() {
    let mut envoy = envoy(&json!([{"name": "budget", "usd": 100, "window": "month"}]));
    let answer = ask(&mut envoy, "dear", r#","stream":true,"stream_options":{"include_usage":true}"#);
    assert!(answer.text().contains(r#""x_modelgate":{"cost_usd":0.021}"#), "{}", answer.text());
    let answer = ask(&mut envoy, "dear", r#","stream":true"#);
    assert!(!answer.text().contains("x_modelgate"), "{}", answer.text());
    assert_eq!(envoy.logged("attempts"), "", "one attempt is all of the line");
    envoy.script("a", |_| Response::error(500, "the provider fails"));
    ask(&mut envoy, "smart", "");
    let attempts: Value = serde_json::from_str(&envoy.logged("attempts")).unwrap();
    assert_eq!(attempts[0], json!({"provider": "a", "model": "dear", "outcome": "500"}));
    assert_eq!(
        (&attempts[1]["outcome"], attempts[1]["cost_usd"].to_string()),
        (&json!("ok"), envoy.logged("cost_usd"))
    );
}

#[test]
fn what_envoy_says_by_itself_tells_how_the_limits_stand_too() {
    let mut envoy = envoy(&json!([{"name": "rpm", "requests": 5, "window": "minute"}]));
    envoy.script("a", |_| Response::unreachable());
    let answer = ask(&mut envoy, "dear", "");
    assert_eq!((answer.status, answer.header("x-ratelimit-remaining-requests")), (503, "4"));
    assert_eq!(answer.header("x-modelgate-attempts"), "");
}

#[test]
fn what_failed_is_given_back() {
    let limits =
        json!([{"name": "tokens", "tokens": 1_000, "window": "day"}, {"name": "slots", "concurrent": 1}]);
    for response in [Response::error(500, "no"), Response::refused(), Response::error(400, "no")] {
        let mut envoy = envoy(&limits);
        envoy.script("b", move |_| response.clone());
        for _ in 0..30 {
            assert_ne!(ask(&mut envoy, "cheap", "").status, 429);
        }
        assert_eq!(ask(&mut envoy, "dear", "").status, 200);
    }
    let mut envoy = envoy(&limits);
    for _ in 0..30 {
        assert_eq!(ask(&mut envoy, "dear", r#","temperature":9"#).status, 400);
    }
    assert_eq!(ask(&mut envoy, "dear", "").status, 200);
}

#[test]
fn what_never_reached_a_provider_was_not_even_a_request() {
    let mut envoy = envoy(&json!([{"name": "rph", "requests": 6, "window": "hour"}]));
    for (response, rest) in
        [(Response::unreachable(), 5), (Response::refused(), 3), (Response::unreachable(), 2)]
    {
        envoy.script("b", move |_| response.clone());
        assert_eq!(ask(&mut envoy, "cheap", "").status, 503);
        assert_eq!(left(&ask(&mut envoy, "dear", "")), rest);
    }
}

#[test]
fn what_the_rate_limit_filter_refuses_was_not_even_a_request() {
    let mut envoy = envoy(&json!([{"name": "rph", "requests": 9, "window": "hour"}]));
    for (limited, status, code, retried) in [
        ((429, "request_rate_limited", "60"), 429, "rate_limit_exceeded", ""),
        ((429, "request_rate_limited", "61"), 429, "rate_limit_exceeded", "false"),
        ((503, "rate_limiter_error", "1"), 503, "limits_unavailable", ""),
    ] {
        envoy.limited = Some(limited);
        let refused = ask(&mut envoy, "dear", "");
        assert_eq!((refused.status, refused.error()["code"].as_str()), (status, Some(code)));
        assert_eq!((refused.header("retry-after"), refused.header("x-should-retry")), (limited.2, retried));
        assert_eq!(envoy.logged("tokens"), "");
        // It is given back, and no provider is to blame for it.
        assert_eq!(left(&refused), 8);
    }
    assert!(envoy.sent.is_empty());
}

#[test]
fn what_counts_as_the_model_and_as_the_tokens_is_told_for_limits_of_many_envoys() {
    let mut envoy = envoy(&json!([{"name": "rph", "requests": 9, "window": "hour"}]));
    for (asked, counts) in [("dear", "dear"), ("smart", "smart"), ("b/cheap", "cheap")] {
        assert_eq!(ask(&mut envoy, asked, "").status, 200);
        assert_eq!(envoy.logged("request_model"), counts, "{asked}");
        assert_eq!(envoy.logged("tokens"), "3", "{asked}");
    }
}

/// The provider has begun, and Envoy's patience ends before there is any content.
#[test]
fn an_attempt_that_was_given_up_while_it_answered_is_charged_whoever_answers_then() {
    for (next, status) in [(Response::unreachable(), 503), (Response::stream(stream(&["hello"])), 200)] {
        let mut envoy = envoy(&json!([{"name": "tokens", "tokens": 10_000, "window": "day"}]));
        envoy.script("a", |_| Response::stream(opening()).ending(End::Stall));
        envoy.script("b", move |_| next.clone());
        assert_eq!(ask(&mut envoy, "smart", r#","stream":true"#).status, status);
        let input: u64 = envoy.logged("tokens_in").parse().unwrap();
        assert!((5..30).contains(&input), "{input}");
        assert_eq!(envoy.logged("usage"), if status == 200 { "mixed" } else { "estimated" });
    }
}

#[test]
fn a_stream_that_is_cut_is_charged_by_what_was_delivered_and_says_so() {
    let text = "a few words that were delivered before the end ";
    let body = [opening(), says(text), says(text)].concat();
    for response in [
        Response::stream(&body).ending(End::Reset),
        Response::stream(&body),
        Response::stream([body.clone(), closing(), DONE.to_string()].concat()),
    ] {
        let mut envoy = envoy(&json!([{"name": "tokens", "tokens": 10_000, "window": "day"}]));
        envoy.script("a", move |_| response.clone());
        ask(&mut envoy, "dear", r#","stream":true"#);
        let [input, output, usage] = ["tokens_in", "tokens_out", "usage"].map(|name| envoy.logged(name));
        assert_eq!(usage, "estimated");
        let (input, output): (u64, u64) = (input.parse().unwrap(), output.parse().unwrap());
        assert!((1..30).contains(&input) && (14..28).contains(&output), "{input} {output}");
    }
    // What was said is not counted where the provider counts it.
    let mut envoy = envoy(&json!([{"name": "tokens", "tokens": 10_000, "window": "day"}]));
    envoy.script("a", move |_| {
        Response::stream([body.clone(), closing(), usage(), DONE.to_string()].concat())
    });
    ask(&mut envoy, "dear", r#","stream":true"#);
    assert_eq!(["tokens_out", "usage"].map(|name| envoy.logged(name)), ["2", "provider"]);
}

/// Some tell how long the prompt was before they begin to answer, and of the answer that it has one token by then.
#[test]
fn what_is_reported_before_the_end_is_not_the_whole() {
    let of = |event: Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    let counts = json!({"input_tokens": 50, "output_tokens": 1});
    let opening = of(
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage": counts}}),
    );
    let text = "a few words that were delivered before the end ";
    let block =
        of(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}));
    let says =
        of(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}));
    let closing = of(
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 17}}),
    );
    let end = of(json!({"type": "message_stop"}));
    let begun = [&*opening, &block, &says, &says].concat();
    for (response, label, output) in [
        (Response::stream(&begun).ending(End::Reset), "mixed", 14..28),
        (Response::stream(&begun), "mixed", 14..28),
        (Response::stream([&*begun, &closing].concat()).ending(End::Reset), "mixed", 17..28),
        (Response::stream([&*begun, &closing, &end].concat()), "provider", 17..18),
    ] {
        let mut envoy = envoy(&json!([{"name": "tokens", "tokens": 10_000, "window": "day"}]));
        envoy.script("c", move |_| response.clone());
        ask(&mut envoy, "foreign", r#","stream":true"#);
        assert_eq!(["tokens_in", "usage"].map(|name| envoy.logged(name)), ["50", label]);
        assert!(
            output.contains(&envoy.logged("tokens_out").parse().unwrap()),
            "{}",
            envoy.logged("tokens_out")
        );
    }
}

/// The gateway ends the stream, and the provider still says what it has used.
#[test]
fn what_is_reported_after_a_stream_was_ended_from_here_is_believed() {
    let of = |event: Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    let counts = json!({"input_tokens": 50, "output_tokens": 1});
    let opening = of(
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage": counts}}),
    );
    let says = of(
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "words ".repeat(60)}}),
    );
    let block =
        of(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}));
    let closing = of(
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 123}}),
    );
    let end = of(json!({"type": "message_stop"}));
    for (last, label, output) in
        [(vec![&says, &closing, &end], "provider", 123..124), (vec![&says], "mixed", 40..100)]
    {
        let limit = json!({"name": "answers", "output_tokens": 40, "window": "day", "on_exceed": "stop"});
        let mut envoy = envoy(&json!([limit]));
        let pieces: Vec<String> = [&opening, &block, &says].into_iter().chain(last).cloned().collect();
        envoy.script("c", move |_| Response::stream("").in_pieces(&pieces).ending(End::Reset));
        let answer = ask(&mut envoy, "foreign", r#","stream":true"#);
        assert!(answer.text().contains(r#""finish_reason":"length""#));
        assert_eq!(envoy.logged("usage"), label);
        assert!(
            output.contains(&envoy.logged("tokens_out").parse().unwrap()),
            "{}",
            envoy.logged("tokens_out")
        );
    }
}

#[test]
fn what_nobody_counts_of_an_answer_is_estimated_whether_or_not_it_is_streamed() {
    let text = "a few words that are delivered until the end ".repeat(2);
    for (body, more) in [
        (
            completion(&text)
                .replace(r#","usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}"#, ""),
            "",
        ),
        ([opening(), says(&text), closing(), DONE.to_string()].concat(), r#","stream":true"#),
    ] {
        let mut envoy = envoy(&json!([{"name": "tokens", "tokens": 10_000, "window": "day"}]));
        let response = if more.is_empty() { Response::json(200, &body) } else { Response::stream(&body) };
        envoy.script("a", move |_| response.clone());
        assert_eq!(ask(&mut envoy, "dear", more).status, 200);
        assert_eq!(envoy.logged("usage"), "estimated");
        assert!((14..28).contains(&envoy.logged("tokens_out").parse::<u64>().unwrap()), "{more}");
    }
}

#[test]
fn where_a_limit_is_in_money_a_model_without_a_price_is_refused() {
    let mut envoy = envoy(&json!([{"name": "budget", "usd": 100, "window": "month"}]));
    let answer = ask(&mut envoy, "priceless", "");
    assert_eq!((answer.status, answer.error()["code"].as_str()), (503, Some("price_unknown")));
    let mut envoy = self::envoy(&json!([{"name": "rpm", "requests": 5, "window": "minute"}]));
    assert_eq!(ask(&mut envoy, "priceless", "").status, 200);
    assert_eq!(envoy.logged("cost_usd"), "");
}

#[test]
fn a_limit_that_observes_refuses_nothing_and_reports_what_it_would() {
    let mut envoy = envoy(&json!([{"name": "rpm", "requests": 1, "window": "minute", "mode": "observe"}]));
    for told in ["", "rpm", "rpm"] {
        let answer = ask(&mut envoy, "dear", "");
        assert_eq!(
            (answer.status, answer.header("ratelimit"), &*envoy.logged("limits_observed")),
            (200, "", told)
        );
    }
}

#[test]
fn without_limits_and_prices_what_a_provider_reports_is_all_that_is_told() {
    let mut document: Value = serde_json::from_str(&configuration(&json!([]))).unwrap();
    for model in ["dear", "cheap", "urgent", "foreign"] {
        document["models"][model].as_object_mut().unwrap().remove("price");
    }
    let mut envoy =
        Envoy::new(&document.to_string()).answering("a", Response::json(200, completion("hello")));
    assert_eq!(ask(&mut envoy, "dear", "").header("x-modelgate-cost-usd"), "");
    let logged = ["tokens_in", "tokens_out", "usage", "cost_usd"].map(|name| envoy.logged(name));
    assert_eq!(logged, ["1", "2", "provider", ""]);
    let silent = completion("hello").replace("usage", "usual");
    envoy.script("a", move |_| Response::json(200, &silent));
    ask(&mut envoy, "dear", "");
    assert_eq!(envoy.logged("usage"), "", "what nobody has said is not estimated");
}

#[test]
fn a_stream_that_outgrows_its_budget_is_ended_cleanly_where_the_limit_says_so() {
    let words = "words that go on and on and on without an end ";
    let long: String = [opening()].into_iter().chain((0..40).map(|_| says(words))).collect();
    let body = [long, closing(), usage(), DONE.to_string()].concat();
    for (on_exceed, ends) in [("finish", "stop"), ("stop", "length")] {
        let limit = json!({"name": "answers", "output_tokens": 150, "window": "day", "on_exceed": on_exceed});
        let mut envoy = envoy(&json!([limit]));
        let pieces: Vec<_> = body.split_inclusive("\n\n").map(str::to_owned).collect();
        envoy.script("a", move |_| Response::stream("").in_pieces(&pieces));
        let answer = ask(&mut envoy, "dear", r#","stream":true,"stream_options":{"include_usage":true}"#);
        let events: Vec<_> = answer.text().split_terminator("\n\n").map(str::to_owned).collect();
        assert_eq!(events.last().map(String::as_str), Some("data: [DONE]"), "{on_exceed}");
        let chunk = |at: usize| -> Value {
            serde_json::from_str(events[at].strip_prefix("data: ").unwrap()).unwrap()
        };
        let (usage, finish) = (chunk(events.len() - 2), chunk(events.len() - 3));
        assert_eq!(finish["choices"][0]["finish_reason"], ends);
        assert_eq!((&finish["id"], &usage["id"]), (&json!("chatcmpl-1"), &json!("chatcmpl-1")));
        let said = events.len() - 4;
        if on_exceed == "stop" {
            // 150 tokens are there, and are reserved 32 at a time; each of the texts has about ten.
            assert!((10..=20).contains(&said), "{said}");
            assert!((118..=160).contains(&usage["usage"]["completion_tokens"].as_u64().unwrap()), "{usage}");
        } else {
            assert_eq!(said, 40);
        }
        // The provider has said all of it and is believed; the next one has what is left.
        assert_eq!(envoy.logged("tokens_out"), "2");
        assert_eq!(ask(&mut envoy, "cheap", "").status, 200);
    }
}

/// More is expected of the answer than the limit has: what is reserved is all there is.
#[test]
fn a_stream_is_ended_where_less_is_reserved_than_was_expected() {
    let text = "words that go on and on and on without an end ";
    let long: Vec<_> = [opening()].into_iter().chain((0..40).map(|_| says(text))).collect();
    for counted in ["tokens", "output_tokens"] {
        let limit = json!({"name": "answers", counted: 40, "window": "day", "on_exceed": "stop"});
        let mut envoy = envoy(&json!([limit]));
        let pieces = [&long[..], &[closing(), usage(), DONE.to_string()]].concat();
        envoy.script("a", move |_| Response::stream("").in_pieces(&pieces));
        let answer = ask(&mut envoy, "dear", r#","stream":true"#);
        let said = answer.text().matches(text).count();
        assert!(
            answer.text().contains(r#""finish_reason":"length""#) && (2..=7).contains(&said),
            "{counted} {said}"
        );
    }
}

#[test]
fn what_nobody_in_this_vm_has_seen_is_settled_as_it_was_expected() {
    let mut envoy = envoy(&json!([{"name": "tokens", "tokens": 10_000, "window": "day"}]));
    envoy.vms_apart = true;
    let answer = ask(&mut envoy, "dear", r#","max_tokens":50"#);
    assert_eq!((answer.status, answer.header("x-modelgate-cost-usd")), (200, "0.021"));
    assert_eq!(["tokens_out", "usage"].map(|name| envoy.logged(name)), ["50", "estimated"]);
    // What failed for good is given back here too, because Envoy answers.
    envoy.script("a", |_| Response::refused());
    ask(&mut envoy, "dear", r#","max_tokens":50"#);
    assert_eq!(envoy.logged("usage"), "");
}

#[test]
fn a_request_reads_and_writes_nothing_that_is_shared_but_its_counters() {
    let limits = json!([
        {"name": "tokens", "per": ["consumer"], "tokens": 10_000_000, "window": "minute"},
        {"name": "requests", "per": ["consumer"], "requests": 1_000, "window": "minute"},
    ]);
    let mut envoy = envoy(&limits);
    // Until enough is known of the model and of how long its answers are, each answer is a lesson.
    for _ in 0..300 {
        ask(&mut envoy, "cheap", "");
    }
    // Later it is learned from one in some, by the millisecond; and what was read is read again after a second.
    world(|world| world.now += 1_001_000_000);
    ask(&mut envoy, "cheap", "");
    world(|world| world.touched.clear());
    ask(&mut envoy, "cheap", "");
    let counters = "quota consumer acme";
    let once = [format!("read {counters}"), format!("write {counters}")];
    assert_eq!(world(|world| world.touched.clone()), [once.clone(), once].concat());
}

//! The whole filter on a fake Envoy: an attempt that fails is tried on the next target, as a request of its own; an
//! error that every target would give is not; the last target's error reaches the client.

mod support;

use serde_json::json;
use support::{
    Answer, CONFIG, DONE, End, Envoy, Request, Response, Sent, chat, closing, completion, opening, says,
    stream,
};

const STREAM: &str = r#","stream":true"#;

/// `a` fails so, `b` and `c` answer.
fn failing(response: Response) -> Envoy {
    let answer = |sent: &Sent| {
        let streams = sent.json()["stream"] == true;
        if streams { Response::stream(stream(&["hello"])) } else { Response::json(200, completion("hello")) }
    };
    Envoy::new(CONFIG).answering("a", response).cluster("b", answer).cluster("cluster-of-c", answer)
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// What makes an attempt fail whatever was asked.
fn failures() -> Vec<(&'static str, Response)> {
    let with_body = [401, 403, 404, 408, 429, 500, 502, 503, 504, 529].map(|status| {
        let response = Response::error(status, "the provider fails").with("retry-after", "7");
        ("an error", response)
    });
    let bare = [401, 429, 500, 503].map(|status| ("an error without a body", Response::bare(status)));
    let in_pieces = Response::error(500, "the provider fails").in_pieces_of(7);
    let in_trailers = Response::error(503, "the provider fails").ending(End::Trailers(Vec::new()));
    let html = Response::json(502, "<html>bad gateway</html>").with("content-type", "text/html");
    let mut failures = vec![
        ("no connection", Response::refused()),
        ("no answer in time", Response::silence()),
        ("no end in time", Response::json(200, "").in_pieces([r#"{"id":"x","#]).ending(End::Stall)),
        ("a reset after the headers", Response::json(200, "").in_pieces([""; 0]).ending(End::Reset)),
        ("an error in pieces", in_pieces),
        ("an error that ends in trailers", in_trailers),
        ("HTML", html),
        ("an empty 200", Response::bare(200)),
    ];
    failures.extend(with_body);
    failures.extend(bare);
    failures
}

/// After `a` has failed, `b` has answered, and nothing of the failure is told.
fn assert_b_has_answered(envoy: &Envoy, answer: &Answer, about: &str) {
    assert_eq!((answer.status, envoy.tried()), (200, vec!["a", "b"]), "{about}");
    assert!(answer.text().contains("hello"), "{about}");
    for (name, value) in [
        ("x-modelgate-provider", "b"),
        ("x-modelgate-model", "other"),
        ("x-modelgate-attempts", "2"),
        ("retry-after", ""),
    ] {
        assert_eq!(answer.header(name), value, "{about}");
    }
}

#[test]
fn what_fails_is_tried_on_the_next_target() {
    for (what, response) in failures() {
        for (more, vms_apart) in [("", false), (STREAM, false), ("", true), (STREAM, true)] {
            let mut envoy = failing(response.clone());
            envoy.vms_apart = vms_apart;
            let answer = envoy.ask(Request::chat(chat("smart", more)));
            assert_b_has_answered(&envoy, &answer, &format!("{what}: {response:?}"));
        }
    }
}

#[test]
fn an_answer_that_is_none_is_tried_on_the_next_target() {
    for body in [
        "",
        "hello",
        "<html></html>",
        "{}",
        "[]",
        r#"{"error":{"message":"overloaded"}}"#,
        r#"{"choices":[]}"#,
    ] {
        for end in [End::Separate, End::WithLast, End::Trailers(Vec::new())] {
            let mut envoy = failing(Response::json(200, body).ending(end));
            let answer = envoy.ask(Request::chat(chat("smart", "")));
            assert_eq!((answer.status, envoy.tried()), (200, vec!["a", "b"]), "{body}");
        }
    }
}

#[test]
fn a_stream_that_fails_before_its_first_content_is_tried_on_the_next_target() {
    let error = event(r#"{"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}"#);
    for (what, body) in [
        ("nothing", String::new()),
        ("no content", opening()),
        ("only an end", DONE.to_string()),
        ("no content, but an end", [&opening(), DONE].concat()),
        ("an error at once", error.clone()),
        ("an error before content", [opening(), error.clone()].concat()),
        ("an error before content, and an end", [&opening(), &error, DONE].concat()),
        ("half an event", says("never").trim_end().chars().take(60).collect()),
        ("no JSON", event("hello")),
        ("comments", ": ping\n\n: ping\n\n".to_string()),
        ("HTML", "<html></html>".to_string()),
    ] {
        for end in [End::Separate, End::WithLast, End::Trailers(Vec::new()), End::Reset, End::Stall] {
            for size in [1, 20, 10_000] {
                let mut envoy = failing(Response::stream(&body).in_pieces_of(size).ending(end.clone()));
                let answer = envoy.ask(Request::chat(chat("smart", STREAM)));
                assert_eq!((answer.status, envoy.tried()), (200, vec!["a", "b"]), "{what}, {end:?}, {size}");
                assert_eq!((answer.said().as_str(), answer.is_finished()), ("hello", true), "{what}");
            }
        }
    }
}

#[test]
fn an_error_of_the_request_is_not_tried_elsewhere() {
    for status in [400, 422] {
        for more in ["", STREAM] {
            let mut envoy = failing(Response::error(status, "messages: too clever"));
            let answer = envoy.ask(Request::chat(chat("smart", more)));
            assert_eq!((answer.status, envoy.tried()), (status, vec!["a"]));
            assert!(answer.error()["message"].as_str().unwrap().contains("too clever"));
            assert_eq!(
                (answer.header("x-modelgate-provider"), answer.header("x-modelgate-attempts")),
                ("a", "1")
            );
        }
    }
}

#[test]
fn the_last_targets_error_reaches_the_client_with_its_retry_after() {
    for (status, more, shown) in [(429, "", 429), (503, STREAM, 503), (529, "", 503)] {
        let last = Response::error(status, "come back later")
            .with("retry-after", "17")
            .with("x-should-retry", "true");
        let mut envoy = Envoy::new(CONFIG)
            .answering("a", Response::refused())
            .answering("b", Response::error(500, "not this one").with("retry-after", "9"))
            .answering("cluster-of-c", last);
        let answer = envoy.ask(Request::chat(chat("smart", more)));
        assert_eq!((answer.status, envoy.tried()), (shown, vec!["a", "b", "cluster-of-c"]));
        assert!(answer.error()["message"].as_str().unwrap().contains("come back later"));
        for (name, value) in [
            ("retry-after", "17"),
            ("x-should-retry", "true"),
            ("x-modelgate-provider", "c"),
            ("x-modelgate-model", "last"),
            ("x-modelgate-attempts", "3"),
            ("x-request-id", "request-1"),
            ("content-type", "application/json"),
            ("set-cookie", ""),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
    }
}

#[test]
fn an_error_without_a_body_is_given_one() {
    for response in [Response::bare(503), Response::bare(200), Response::bare(404)] {
        for end in [End::WithLast, End::Trailers(Vec::new()), End::Separate] {
            let mut envoy = Envoy::new(CONFIG).answering("a", response.clone().ending(end));
            let answer = envoy.ask(Request::chat(chat("small", "")));
            assert!(answer.status >= 400, "{response:?}");
            answer.error();
            assert_eq!(answer.header("x-modelgate-provider"), "a", "{response:?}");
        }
    }
}

#[test]
fn a_providers_garbage_is_a_502_that_says_so() {
    for (more, response) in [
        ("", Response::json(200, "hello")),
        ("", Response::json(200, "{}")),
        (STREAM, Response::stream("hello")),
        (STREAM, Response::stream("data: hello\n\n")),
        (STREAM, Response::stream("")),
        (STREAM, Response::json(200, "hello")),
    ] {
        let answer =
            Envoy::new(CONFIG).answering("a", response.clone()).ask(Request::chat(chat("small", more)));
        assert_eq!(answer.status, 502, "{response:?}");
        answer.error();
    }
}

#[test]
fn no_header_credential_or_body_of_one_attempt_is_in_the_next() {
    let mut envoy = Envoy::new(CONFIG)
        .answering("a", Response::error(500, "no"))
        .answering("b", Response::error(500, "no"))
        .answering("cluster-of-c", Response::json(200, completion("hello")));
    assert_eq!(envoy.ask(Request::chat(chat("smart", r#","seed":7"#))).status, 200);
    let everything = |sent: &Sent| {
        let headers =
            sent.headers.iter().map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value)));
        headers.collect::<String>() + sent.text()
    };
    let marks = [
        ("a", vec!["key-of-a", "org-of-a", "a.example"]),
        ("b", vec!["key-of-b", "b.example", "/prefix", "other-with-a-longer-name"]),
        ("cluster-of-c", vec!["c.example"]),
    ];
    for sent in &envoy.sent {
        for (cluster, marks) in &marks {
            for mark in marks {
                let there = everything(sent).contains(mark);
                assert_eq!(there, *cluster == sent.cluster, "{mark} in the request to {}", sent.cluster);
            }
        }
        assert_eq!(sent.json()["seed"], 7);
    }
    assert_eq!(envoy.last_sent().header("authorization"), "", "a provider that needs no key is sent none");
}

#[test]
fn every_attempt_has_the_length_of_its_own_body() {
    // The third target takes the body as it stands, the second does not; the fake Envoy compares lengths.
    let mut envoy = Envoy::new(CONFIG)
        .answering("a", Response::error(500, "no"))
        .answering("b", Response::error(500, "no"))
        .answering("cluster-of-c", Response::json(200, completion("hello")));
    for more in ["", STREAM, r#","stream":true,"stream_options":{"include_usage":true}"#] {
        envoy.sent.clear();
        envoy.ask(Request::chat(chat("smart", more)));
        let models: Vec<_> = envoy.sent.iter().map(|sent| sent.json()["model"].clone()).collect();
        assert_eq!(models, ["small-1", "other-with-a-longer-name", "small-1"]);
        let [first, _, last] = envoy.sent.as_slice() else { panic!("three attempts") };
        assert_eq!(first.text(), last.text());
    }
}

#[test]
fn a_target_is_tried_as_often_as_its_tries_say() {
    let mut envoy = Envoy::new(CONFIG)
        .answering("a", Response::error(503, "no"))
        .answering("cluster-of-c", Response::json(200, completion("hello")));
    let answer = envoy.ask(Request::chat(chat("stubborn", "")));
    assert_eq!((answer.status, envoy.tried()), (200, vec!["a", "a", "cluster-of-c"]));
    assert_eq!(answer.header("x-modelgate-attempts"), "3");
    let mut times = 0;
    let mut envoy = Envoy::new(CONFIG).cluster("a", move |_| {
        times += 1;
        if times == 1 { Response::refused() } else { Response::json(200, completion("hello")) }
    });
    assert_eq!(envoy.ask(Request::chat(chat("stubborn", ""))).header("x-modelgate-attempts"), "2");
    assert_eq!(envoy.tried(), ["a", "a"]);
}

#[test]
fn one_target_is_tried_once() {
    let mut envoy = Envoy::new(CONFIG).answering("a", Response::error(503, "no"));
    assert_eq!(envoy.ask(Request::chat(chat("small", ""))).status, 503);
    assert_eq!(envoy.tried(), ["a"]);
}

#[test]
fn an_envoy_that_retries_more_often_than_it_was_told_stays_with_the_last_target() {
    let mut envoy = Envoy::new(CONFIG).answering("a", Response::refused());
    envoy.surplus_retries = 2;
    let answer = envoy.ask(Request::chat(chat("small", "")));
    assert_eq!((answer.status, envoy.tried()), (503, vec!["a", "a", "a"]));
    assert_eq!(answer.header("x-request-id"), "request-1");
}

#[test]
fn the_access_log_is_told_who_failed_and_who_answered() {
    let mut envoy = failing(Response::error(429, "no"));
    let answer = envoy.ask(Request::chat(chat("smart", "")));
    let told = ["x-modelgate-provider", "x-modelgate-model"].map(|name| answer.header(name));
    assert_eq!(told, ["b", "other"]);
    assert!(envoy.logged("failures").starts_with("a=429"), "{}", envoy.logged("failures"));
}

#[test]
fn a_failure_after_the_first_content_is_not_tried_again() {
    let mut envoy = failing(Response::stream([opening(), says("partial")].concat()));
    let answer = envoy.ask(Request::chat(chat("smart", STREAM)));
    assert_eq!((answer.status, envoy.tried()), (200, vec!["a"]));
    assert_eq!((answer.said().as_str(), answer.is_finished()), ("partial", false));
    assert_eq!(answer.error()["code"], json!("stream_interrupted"));
}

#[test]
fn an_answer_is_never_said_twice() {
    let body = [opening(), says("one"), says("two"), closing(), DONE.to_string()].concat();
    for at in 0..body.len() {
        let mut envoy = failing(Response::stream(&body[..at]).ending(End::Reset));
        let answer = envoy.ask(Request::chat(chat("smart", STREAM)));
        let said = answer.said();
        assert!(["one", "onetwo", "hello"].contains(&said.as_str()), "{said} after {at} bytes");
        assert_eq!(said == "hello", envoy.tried() == ["a", "b"], "after {at} bytes");
    }
}

#[test]
fn a_fallback_gets_the_request_with_what_is_changed_for_it() {
    let mut document: serde_json::Value = serde_json::from_str(CONFIG).unwrap();
    let edits = json!({"system": "Be brief.", "temperature": 0, "max_tokens": 50, "tools": "strip"});
    document["routes"]["degrades"] =
        json!({"targets": [{"model": "small"}, {"model": "other", "tries": 2, "as_fallback": edits}]});
    document["cache"] = json!({"exact": {"when": "always"}});
    let answer = |sent: &Sent| {
        let streams = sent.json()["stream"] == true;
        if streams { Response::stream(stream(&["hello"])) } else { Response::json(200, completion("hello")) }
    };
    let tools = r#","tools":[{"type":"function","function":{"name":"look"}}],"max_tokens":900"#;
    for more in ["", STREAM] {
        for vms_apart in [false, true] {
            let mut envoy = Envoy::new(&document.to_string())
                .answering("a", Response::error(503, "no"))
                .cluster("b", answer);
            envoy.vms_apart = vms_apart;
            let said = envoy.ask(Request::chat(chat("degrades", &format!("{tools}{more}"))));
            assert_eq!((said.status, envoy.tried()), (200, vec!["a", "b"]));
            assert_eq!(said.header("x-modelgate-degraded"), "system,temperature,max_tokens,tools");
            let sent = envoy.last_sent().json();
            assert_eq!(sent["model"], "other-with-a-longer-name");
            assert_eq!(
                (&sent["temperature"], &sent["max_tokens"], &sent["tools"]),
                (&json!(0), &json!(50), &json!(null))
            );
            let system = sent["messages"][0]["content"].as_str().unwrap();
            assert!(system.starts_with("Be brief.\n\nYou cannot call functions."), "{system}");
            // As the first it gets what was asked, and what was changed is not kept as an answer to that.
            envoy.script("a", answer);
            let said = envoy.ask(Request::chat(chat("degrades", &format!("{tools}{more}"))));
            assert_eq!(
                (said.header("x-modelgate-model"), said.header("x-modelgate-degraded")),
                ("small", "")
            );
            assert_eq!(envoy.last_sent().json()["max_tokens"], 900);
        }
    }
}

/// The configuration for an Envoy whose retries stay in the first target's cluster.
fn without_retries(how: &str) -> String {
    CONFIG.replacen('{', &format!(r#"{{"fallback": "{how}","#), 1)
}

#[test]
fn where_envoys_retries_stay_the_gateway_asks_itself_for_the_others() {
    for (what, response) in failures() {
        for more in ["", STREAM] {
            let mut envoy = failing(response.clone());
            envoy.configure(&without_retries("calls"));
            let answer = envoy.ask(Request::chat(chat("smart", more)));
            assert_b_has_answered(&envoy, &answer, &format!("{what}: {response:?}"));
            for (name, value) in [
                ("x-modelgate-route", "smart"),
                ("content-type", if more.is_empty() { "application/json" } else { "text/event-stream" }),
            ] {
                assert_eq!(answer.header(name), value, "{what}");
            }
            assert_eq!(envoy.logged("orchestration"), "fallback");
        }
    }
}

#[test]
fn of_all_who_fail_the_last_ones_error_is_the_clients_whoever_asked_it() {
    for how in ["retries", "calls"] {
        let mut envoy = Envoy::new(&without_retries(how))
            .answering("a", Response::error(500, "no"))
            .answering("b", Response::error(503, "no"))
            .answering("cluster-of-c", Response::error(429, "no").with("retry-after", "7"));
        let answer = envoy.ask(Request::chat(chat("smart", "")));
        assert_eq!((answer.status, answer.header("retry-after")), (429, "7"), "{how}");
        assert_eq!(envoy.tried(), ["a", "b", "cluster-of-c"], "{how}");
        answer.error();
    }
}

#[test]
fn envoys_retries_in_the_first_targets_cluster_stay() {
    for (how, tried) in [("calls", vec!["a", "a", "cluster-of-c"]), ("none", vec!["a", "a"])] {
        let mut envoy = failing(Response::error(500, "no"));
        envoy.configure(&without_retries(how));
        let answer = envoy.ask(Request::chat(chat("stubborn", "")));
        assert_eq!((answer.status == 200, envoy.tried()), (how == "calls", tried), "{how}");
        assert_eq!(answer.header("x-modelgate-attempts"), if how == "calls" { "3" } else { "2" });
    }
}

#[test]
fn without_fallback_the_first_targets_error_is_the_clients() {
    for (what, response) in failures() {
        let mut envoy = failing(response);
        envoy.configure(&without_retries("none"));
        let answer = envoy.ask(Request::chat(chat("smart", "")));
        assert!(answer.status >= 400, "{what}");
        answer.error();
        assert_eq!(envoy.tried(), ["a"], "{what}");
    }
}

#[test]
fn a_bad_request_is_asked_of_nobody_else_by_calls_either() {
    let mut envoy = failing(Response::error(400, "no"));
    envoy.configure(&without_retries("calls"));
    assert_eq!(envoy.ask(Request::chat(chat("smart", ""))).status, 400);
    assert_eq!(envoy.tried(), ["a"]);
}

#[test]
fn where_envoy_has_nobody_to_send_it_to_others_are_asked_by_calls() {
    let mut envoy =
        Envoy::new(&without_retries("calls")).answering("b", Response::json(200, completion("hello")));
    let answer = envoy.ask(Request::chat(chat("smart", "")));
    assert_eq!((answer.status, envoy.tried()), (200, vec!["b"]));
    assert_eq!(answer.header("x-modelgate-attempts"), "1");
}

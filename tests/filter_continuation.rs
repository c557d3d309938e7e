//! The whole filter on a fake Envoy: a stream that breaks after its content has begun is gone on with by another target, and the client
//! sees one stream with one finish. What is asked and how the joint is cleaned is told without a host in `src/orchestrate`.

mod support;

use serde_json::{Value, json};
use support::{CONFIG, DONE, End, Envoy, Request, Response, Sent, chat, completion, event, opening, says};

const STREAM: &str = r#","stream":true,"stream_options":{"include_usage":true}"#;
const ERROR: &str = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n";

fn configuration(route: &Value) -> String {
    let mut document: Value = serde_json::from_str(CONFIG).unwrap();
    for model in ["small", "other"] {
        document["models"][model]["price"] = json!({"input": 1, "output": 2});
    }
    document["routes"]["steady"] =
        json!({"targets": [{"model": "small"}, {"model": "other"}], "continuation": true});
    document["routes"]["steady"].as_object_mut().unwrap().extend(route.as_object().cloned().unwrap());
    document.to_string()
}

/// The first target says "one two" and breaks off so, the second one says what is given.
fn breaking(end: &str, rest: &Response) -> Envoy {
    Envoy::new(&configuration(&json!({})))
        .answering("a", Response::stream([&opening(), &says("one "), &says("two"), end].concat()))
        .answering("b", rest.clone())
}

fn ask(envoy: &mut Envoy, more: &str) -> support::Answer {
    envoy.sent.clear();
    envoy.ask(Request::chat(chat("steady", &format!("{STREAM}{more}"))))
}

fn finishes(answer: &support::Answer) -> Vec<Value> {
    let reasons = answer.chunks().into_iter().map(|chunk| chunk["choices"][0]["finish_reason"].clone());
    reasons.filter(|reason| !reason.is_null()).collect()
}

#[test]
fn another_target_goes_on_wherever_the_stream_is_cut_and_in_whatever_pieces_it_comes() {
    let rest = Response::json(200, completion(" three"));
    for (what, broken) in [("an error", ERROR), ("an end without finish", "")] {
        for end in [End::Separate, End::WithLast, End::Trailers(Vec::new())] {
            // Upon trailers Envoy gives no place to write to, so that the filter cannot say that something is missing.
            if broken.is_empty() && matches!(end, End::Trailers(_)) {
                continue;
            }
            for size in [1, 7, 50, 10_000] {
                for at_once in [false, true] {
                    let about = format!("{what}, {end:?}, {size}, {at_once}");
                    let mut envoy = breaking(broken, &rest);
                    envoy.answers_at_once = at_once;
                    let stream = Response::stream([&opening(), &says("one "), &says("two"), broken].concat());
                    envoy.script("a", {
                        let stream = stream.in_pieces_of(size).ending(end.clone());
                        move |_| stream.clone()
                    });
                    let answer = ask(&mut envoy, "");
                    assert_eq!(answer.said(), "one two three", "{about}");
                    assert_eq!(
                        (finishes(&answer), answer.is_finished()),
                        (vec![json!("stop")], true),
                        "{about}"
                    );
                    let ids: Vec<_> = answer.chunks().iter().map(|chunk| chunk["id"].clone()).collect();
                    assert!(ids.iter().all(|id| *id == ids[0]), "{about}: {ids:?}");
                    assert_eq!(envoy.tried(), ["a", "b"], "{about}");
                }
            }
        }
    }
}

#[test]
fn who_goes_on_is_told_what_was_asked_and_what_was_said() {
    let mut envoy = breaking(ERROR, &Response::json(200, completion(" three")));
    ask(&mut envoy, "");
    let asked = envoy.last_sent().json();
    let roles: Vec<_> =
        asked["messages"].as_array().unwrap().iter().map(|turn| turn["role"].clone()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert_eq!(asked["messages"][1]["content"], "one two");
    assert_ne!(asked["stream"], true);
    assert_eq!(envoy.inner.len(), 1, "it is a request of its own, with a line of its own");
}

#[test]
fn what_is_said_twice_at_the_joint_is_told_once() {
    let first = "The quick brown fox jumps over";
    let mut envoy = breaking("", &Response::json(200, completion("brown fox jumps over the dog.")));
    envoy.script("a", move |_| Response::stream([&opening(), &says(first), ERROR].concat()));
    assert_eq!(ask(&mut envoy, "").said(), "The quick brown fox jumps over the dog.");
}

#[test]
fn usage_is_that_of_both_and_the_bill_as_well() {
    let mut envoy = breaking(ERROR, &Response::json(200, completion(" three")));
    let answer = ask(&mut envoy, "");
    let told: Vec<_> = answer.chunks().into_iter().filter(|chunk| chunk["usage"].is_object()).collect();
    let [told] = told.as_slice() else { panic!("told once: {}", answer.text()) };
    let rest = envoy.inner[0].borrow();
    let billed = |name: &str| {
        let of_rest = String::from_utf8(rest[name].clone()).unwrap();
        [envoy.logged(name), of_rest].map(|tokens| tokens.parse::<u64>().unwrap())
    };
    for (logged, member) in [("tokens_in", "prompt_tokens"), ("tokens_out", "completion_tokens")] {
        let [first, second] = billed(logged);
        assert!(first > 0 && second > 0, "{logged}: {first} and {second}");
        assert_eq!(told["usage"][member], first + second, "{member}");
    }
    assert_eq!(envoy.logged("usage"), "estimated", "the first one's provider had no time to tell it");
}

#[test]
fn the_client_is_told_of_the_break_where_nobody_goes_on() {
    let rests = [
        ("an error", Response::error(500, "no")),
        ("nobody", Response::refused()),
        ("silence", Response::silence()),
        ("garbage", Response::json(200, "hello")),
    ];
    for (what, rest) in rests {
        for at_once in [false, true] {
            let mut envoy = breaking(ERROR, &rest);
            envoy.answers_at_once = at_once;
            let answer = ask(&mut envoy, "");
            assert_eq!((answer.status, answer.said().as_str()), (200, "one two"), "{what}");
            assert_eq!((finishes(&answer), answer.is_finished()), (vec![], false), "{what}");
            answer.error();
            assert_eq!(envoy.tried(), ["a", "b"], "{what}");
        }
    }
}

#[test]
fn what_cannot_be_gone_on_with_is_not() {
    let call = event(
        r#"[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"a"}}]},"finish_reason":null}]"#,
        "",
    );
    let tools = r#","tools":[{"type":"function","function":{"name":"look"}}]"#;
    let cases = [
        ("a call that was cut", [&opening(), &says("one"), &call, ERROR].concat(), tools, json!({})),
        (
            "structured output",
            [&opening(), &says("one"), ERROR].concat(),
            r#","response_format":{"type":"json_object"}"#,
            json!({}),
        ),
        (
            "a route that does not say so",
            [&opening(), &says("one"), ERROR].concat(),
            "",
            json!({"continuation": false}),
        ),
    ];
    for (what, stream, more, route) in cases {
        let mut envoy = Envoy::new(&configuration(&route))
            .answering("a", Response::stream(stream))
            .answering("b", Response::json(200, completion("never")));
        let answer = ask(&mut envoy, more);
        assert_eq!(envoy.tried(), ["a"], "{what}");
        answer.error();
        assert!(!answer.text().contains("never"), "{what}");
    }
}

#[test]
fn a_stream_that_ends_well_is_left_alone_and_one_without_content_is_tried_again() {
    let mut envoy = breaking("", &Response::stream(support::stream(&["hello"])));
    envoy.script("a", |_| Response::stream(support::stream(&["whole"])));
    assert_eq!((ask(&mut envoy, "").said().as_str(), envoy.tried()), ("whole", vec!["a"]));
    envoy.script("a", |_: &Sent| Response::stream([&opening(), ERROR, DONE].concat()));
    assert_eq!((ask(&mut envoy, "").said().as_str(), envoy.tried()), ("hello", vec!["a", "b"]));
}

//! The whole filter on a fake Envoy: a target that keeps failing is left alone for a while, one that is limited for as long as it
//! says, and both are asked when nobody else is left.

mod support;

use serde_json::{Value, json};
use support::{
    CONFIG, DONE, End, Envoy, Request, Response, Sent, chat, completion, opening, pass, says, stream,
};

const STREAM: &str = r#","stream":true"#;

fn answering(sent: &Sent) -> Response {
    match sent.json()["stream"] == true {
        true => Response::stream(stream(&["hello"])),
        false => Response::json(200, completion("hello")),
    }
}

/// `a` answers so, `b` and `c` well.
fn envoy(health: Value, response: Response) -> Envoy {
    let mut document: Value = serde_json::from_str(CONFIG).unwrap();
    document["health"] = health;
    Envoy::new(&document.to_string())
        .answering("a", response)
        .cluster("b", answering)
        .cluster("cluster-of-c", answering)
}

/// Does something in a VM that has seen nothing yet.
fn anew(act: impl FnOnce() + Send + 'static) {
    std::thread::spawn(act).join().expect("what is said above");
}

/// Which clusters a request for the route tries.
fn tried(envoy: &mut Envoy, more: &str) -> Vec<String> {
    let before = envoy.sent.len();
    envoy.ask(Request::chat(chat("smart", more)));
    envoy.sent.iter().skip(before).map(|sent| sent.cluster.clone()).collect()
}

#[test]
fn who_fails_five_times_in_a_row_is_left_alone_and_tried_again_by_one() {
    let failures: Vec<(&str, Response)> = vec![
        ("an error", Response::error(500, "no")),
        ("the gateway's key is refused", Response::error(401, "no")),
        ("no connection", Response::refused()),
        ("no answer in time", Response::silence()),
        ("no answer", Response::json(200, "{}")),
        ("a reset", Response::json(200, "").in_pieces([""; 0]).ending(End::Reset)),
    ];
    for (what, response) in failures {
        for more in ["", STREAM] {
            let response = response.clone();
            anew(move || {
                let mut envoy = envoy(json!({}), response);
                for _ in 0..5 {
                    assert_eq!(tried(&mut envoy, more), ["a", "b"], "{what} {more}");
                }
                for _ in 0..3 {
                    assert_eq!(tried(&mut envoy, more), ["b"], "{what} {more}");
                }
                pass(10);
                assert_eq!(tried(&mut envoy, more), ["a", "b"], "{what} {more}: a probe");
                assert_eq!(tried(&mut envoy, more), ["b"], "{what} {more}: it has failed again");
                envoy.script("a", answering);
                pass(20);
                for _ in 0..3 {
                    assert_eq!(tried(&mut envoy, more), ["a"], "{what} {more}: it is back");
                }
            });
        }
    }
}

#[test]
fn what_says_nothing_of_the_target_leaves_it_where_it_was() {
    for response in [Response::error(400, "no such parameter"), Response::error(422, "no")] {
        let mut envoy = envoy(json!({"failures": 1}), response);
        for _ in 0..3 {
            assert_eq!(tried(&mut envoy, ""), ["a"]);
        }
    }
}

#[test]
fn a_stream_that_breaks_off_is_a_failure_and_one_that_ends_is_not() {
    let broken = format!("{}{}", opening(), says("hel"));
    for (body, end, is_failure) in [
        (broken.clone(), End::Separate, true),
        (broken.clone(), End::Reset, true),
        // The client has left.
        (broken, End::Stall, false),
        (stream(&["hello"]), End::Separate, false),
        (stream(&["hello"]).replace(DONE, ""), End::Separate, false),
    ] {
        anew(move || {
            let response = Response::stream(body).ending(end.clone());
            let mut envoy = envoy(json!({"failures": 2}), response);
            for _ in 0..2 {
                assert_eq!(tried(&mut envoy, STREAM), ["a"]);
            }
            assert_eq!(tried(&mut envoy, STREAM), [if is_failure { "b" } else { "a" }], "{end:?}");
        });
    }
}

#[test]
fn who_is_limited_is_left_alone_for_as_long_as_it_says() {
    let limited = |status, name: &str, value: &str| Response::error(status, "later").with(name, value);
    for (response, seconds) in [
        (limited(429, "retry-after", "7"), 7),
        (limited(429, "retry-after-ms", "3000"), 3),
        (limited(503, "retry-after", "2"), 2),
        (Response::error(429, "later"), 1),
    ] {
        anew(move || {
            let mut envoy = envoy(json!({}), response);
            assert_eq!(tried(&mut envoy, ""), ["a", "b"]);
            pass(seconds - 1);
            assert_eq!(tried(&mut envoy, ""), ["b"]);
            pass(1);
            assert_eq!(tried(&mut envoy, ""), ["a", "b"], "{seconds}");
        });
    }
}

#[test]
fn who_is_left_alone_is_asked_when_nobody_else_is_left() {
    let mut envoy = envoy(json!({"failures": 1}), Response::error(500, "no"));
    for cluster in ["b", "cluster-of-c"] {
        envoy.script(cluster, |_| Response::error(502, "no"));
    }
    assert_eq!(tried(&mut envoy, ""), ["a", "b", "cluster-of-c"]);
    for cluster in ["b", "cluster-of-c"] {
        envoy.script(cluster, answering);
    }
    assert_eq!(envoy.ask(Request::chat(chat("smart", ""))).status, 200, "they are asked one after the other");
    for _ in 0..3 {
        assert_eq!(envoy.ask(Request::chat(chat("small", ""))).status, 500, "a model alone is always asked");
    }
}

#[test]
fn where_nothing_is_watched_everybody_is_asked_every_time() {
    let mut envoy = envoy(json!("off"), Response::error(500, "no"));
    for _ in 0..8 {
        assert_eq!(tried(&mut envoy, ""), ["a", "b"]);
    }
}

#[test]
fn a_target_whose_cluster_has_no_host_is_left_alone_too() {
    let mut document: Value = serde_json::from_str(CONFIG).unwrap();
    document["health"] = json!({"failures": 2});
    let mut envoy = Envoy::new(&document.to_string()).cluster("b", answering);
    for _ in 0..2 {
        assert_eq!(envoy.ask(Request::chat(chat("smart", ""))).status, 503, "Envoy does not retry that");
    }
    assert_eq!(tried(&mut envoy, ""), ["b"]);
}

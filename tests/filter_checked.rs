//! The whole filter on a fake Envoy: answers that are checked, what is learned from those that did not fit, and what is kept of them.

mod support;

use serde_json::{Value, json};
use support::{Envoy, Request, Response, chat, completion};

/// A route with the targets a and b.
fn configuration(route: &Value, more: &Value) -> String {
    let mut of_route = json!({"targets": [{"model": "a"}, {"model": "b"}]});
    of_route.as_object_mut().unwrap().extend(route.as_object().cloned().unwrap());
    let provider = |name: &str| json!({"vendor": "openai", "base_url": format!("https://{name}.example/v1"), "api_key": "none"});
    let mut document = json!({
        "providers": {"a": provider("a"), "b": provider("b")},
        "models": {"a": {"provider": "a"}, "b": {"provider": "b"}},
        "routes": {"route": of_route},
        "auth": {"anonymous": {"consumer": "anonymous"}},
    });
    document.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    document.to_string()
}

/// An Envoy with such a route, of whose targets a says what does not fit.
fn envoy(route: &Value, more: &Value) -> Envoy {
    Envoy::new(&configuration(route, more))
        .answering("a", Response::json(200, completion("I would say so.")))
        .answering("b", Response::json(200, completion("{}")))
}

fn ask(envoy: &mut Envoy) -> String {
    let answer = envoy.ask(Request::chat(chat("route", r#","response_format":{"type":"json_object"}"#)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

#[test]
fn a_route_that_learns_asks_whoever_does_not_fit_less_and_less() {
    for tasks in [json!({}), json!({"tasks": {}})] {
        let mut envoy = envoy(&json!({"strategy": "adaptive", "check": true, "explore": 0.02}), &tasks);
        let mut first_asked = |count: usize| {
            let first = (0..count).map(|_| {
                envoy.sent.clear();
                assert_eq!(ask(&mut envoy), "{}");
                envoy.tried()[0].to_owned()
            });
            first.filter(|cluster| cluster == "b").count()
        };
        first_asked(40);
        let now = first_asked(40);
        assert!(now >= 34, "{now} of 40 {tasks}");
    }
}

#[test]
fn what_was_kept_before_answers_were_checked_is_no_answer_any_more() {
    let cached = json!({"cache": {"exact": {"when": "always"}}, "health": "off"});
    let mut envoy = envoy(&json!({}), &cached);
    for _ in 0..2 {
        assert_eq!(ask(&mut envoy), "I would say so.");
    }
    assert_eq!(envoy.tried(), ["a"], "it was kept");
    for (check, tried) in
        [(json!(true), ["a", "a", "b"].as_slice()), (json!({"tools": false}), &["a", "a", "b"])]
    {
        envoy.configure(&configuration(&json!({"check": check}), &cached));
        envoy.sent.clear();
        for _ in 0..2 {
            assert_eq!(ask(&mut envoy), "{}");
        }
        assert_eq!(envoy.tried(), tried, "what was checked is kept too");
    }
    envoy.configure(&configuration(&json!({}), &cached));
    assert_eq!(ask(&mut envoy), "I would say so.");
}

//! The whole filter on a fake Envoy: why a request would go where it would, and what users say of answers.

mod support;

use serde_json::{Value, json};
use support::{CONFIG, Envoy, Request, Response, chat, completion};

fn envoy(more: &Value) -> Envoy {
    let mut document: Value = serde_json::from_str(CONFIG).unwrap();
    document.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    Envoy::new(&document.to_string())
        .answering("a", Response::json(200, completion("hello")))
        .answering("b", Response::json(200, completion("hello")))
}

fn post(path: &str, body: &Value) -> Request {
    Request::chat(body.to_string()).with(":path", path)
}

#[test]
fn a_decision_is_explained_and_nobody_is_asked() {
    let mut envoy = envoy(&json!({"tasks": {}}));
    let body = serde_json::from_str(&chat("smart", r#","n":2"#)).unwrap();
    let answer = envoy.ask(post("/v1/route/explain", &body));
    let said = answer.json();
    assert_eq!((answer.status, &said["plan"]), (200, &json!(["small", "other", "last"])));
    assert_eq!(said["targets"].as_array().unwrap().len(), 3);
    assert!(envoy.sent.is_empty());
    for (body, status) in [
        (json!({"model": "smrt", "messages": []}), 400),
        (json!({"model": "smrt", "messages": [{"role": "user", "content": "hi"}]}), 404),
    ] {
        assert_eq!(envoy.ask(post("/v1/route/explain", &body)).status, status, "{body}");
    }
    assert_eq!(envoy.ask(Request::new("GET", "/v1/route/explain")).status, 405);
}

#[test]
fn limits_are_told_and_nothing_stays_reserved() {
    let limits = json!([{"name": "few", "requests": 2, "window": "minute"}, {"name": "tokens", "tokens": 1000, "window": "minute"}]);
    let mut envoy = envoy(&json!({"limits": limits}));
    let body: Value = serde_json::from_str(&chat("smart", r#","max_tokens":5"#)).unwrap();
    for _ in 0..5 {
        let said = envoy.ask(post("/v1/route/explain", &body)).json();
        assert_eq!(said["limits"]["x-ratelimit-remaining-requests"], "1", "{said}");
    }
    for _ in 0..2 {
        assert_eq!(envoy.ask(Request::chat(body.to_string())).status, 200);
    }
    let said = envoy.ask(post("/v1/route/explain", &body)).json();
    assert_eq!(said["limits"]["refused"]["error"]["code"], "rate_limit_exceeded", "{said}");
}

#[test]
fn an_answer_of_a_route_that_learns_can_be_rated_by_who_asked() {
    let routes =
        json!({"learns": {"strategy": "adaptive", "targets": [{"model": "small"}, {"model": "other"}]}});
    let mut envoy = envoy(&json!({"routes": routes, "health": {}}));
    let answer = envoy.ask(Request::chat(chat("learns", "")));
    let (id, model) =
        (answer.header("x-modelgate-request-id").to_owned(), answer.header("x-modelgate-model").to_owned());
    let said = envoy.ask(post("/v1/feedback", &json!({"request_id": id, "score": true})));
    assert_eq!((said.status, &said.json()["model"]), (200, &json!(model)));
    let other = envoy.ask(Request::chat(chat("small", "")));
    let said =
        envoy.ask(post("/v1/feedback", &json!({"request_id": other.header("x-request-id"), "score": 0.5})));
    assert_eq!((said.status, said.error()["code"].as_str()), (404, Some("request_not_found")));
}

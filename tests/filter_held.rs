//! The whole filter on a fake host: requests that are held until something else is known, and all the ways in which they go on.

mod support;

use serde_json::json;
use support::{Call, Headers, Held, Now, Plugin, Request, chat, header, pass, worker, world};

const EMBEDDER: &str = r#"{"model": "embedder", "dimensions": 2, "timeout_ms": 700}"#;

fn configuration(more: &str) -> String {
    format!(
        r#"{{
            "providers": {{"a": {{"vendor": "openai", "base_url": "https://a.example/v1", "api_key": {{"value": "key-of-a"}}}}}},
            "models": {{"small": {{"provider": "a"}}, "embedder": {{"provider": "a"}}}},
            "routes": {{"desk": {{"targets": [{{"model": "small"}}], "cache": {{"semantic": {{}}}}}}}},
            "auth": {{"anonymous": {{"consumer": "anonymous"}}}},
            "cache": {{"exact": {{"when": "always"}}, "wait": 10{more}}}
        }}"#
    )
}

/// A worker with the gateway role.
struct Worker(Plugin);

impl Worker {
    fn new(configuration: &str) -> Self {
        Self(worker(configuration))
    }

    /// A request of which all has come.
    fn ask(&self, model: &str, question: &str) -> Held {
        self.send(Request::chat(chat(model, "").replace("hi", question)))
    }

    fn send(&self, request: Request) -> Held {
        Held::send(&self.0, request)
    }
}

fn one_call() -> Call {
    world(|world| {
        assert_eq!(world.calls.len(), 1);
        world.calls[0].clone()
    })
}

fn answer(status: &str, body: &str) -> Option<(Headers, Vec<u8>)> {
    Some((vec![(":status".to_string(), status.as_bytes().to_vec())], body.as_bytes().to_vec()))
}

fn no_errors() {
    let errors = world(|world| world.errors().join("\n"));
    assert!(errors.is_empty(), "{errors}");
}

#[test]
fn the_same_request_waits_and_goes_alone_when_the_first_one_comes_to_nothing() {
    let worker = Worker::new(&configuration(""));
    let mut first = worker.ask("small", "hi");
    let mut others = [worker.ask("small", "hi"), worker.ask("small", "hi")];
    let mut another = worker.ask("small", "ho");
    assert_eq!(first.now(), Now::Sent);
    assert_eq!(another.now(), Now::Sent);
    assert!(others.iter_mut().all(|other| other.now() == Now::Held));
    first.end();
    assert!(others.iter_mut().all(|other| other.now() == Now::Sent), "its stream is over");
    another.end();
    let mut late = worker.ask("small", "hi");
    assert_eq!(late.now(), Now::Held, "the first of those that went alone leads now");
    others.into_iter().for_each(Held::end);
    assert_eq!(late.now(), Now::Sent);
    late.end();
    no_errors();
}

#[test]
fn nobody_waits_longer_than_configured() {
    let worker = Worker::new(&configuration(""));
    let mut first = worker.ask("small", "hi");
    assert_eq!(first.now(), Now::Sent);
    pass(9);
    let mut other = worker.ask("small", "hi");
    worker.0.tick();
    assert_eq!(other.now(), Now::Held);
    pass(1);
    worker.0.tick();
    assert_eq!(other.now(), Now::Sent);
    let mut late = worker.ask("small", "hi");
    assert_eq!(late.now(), Now::Sent, "the first one has had its time");
    [first, other, late].into_iter().for_each(Held::end);
    no_errors();
}

#[test]
fn who_leaves_while_it_waits_is_let_go_no_more() {
    let worker = Worker::new(&configuration(""));
    let first = worker.ask("small", "hi");
    let mut others: Vec<Held> = (0..3).map(|_| worker.ask("small", "hi")).collect();
    others.remove(1).end();
    first.end();
    assert!(others.iter_mut().all(|other| other.now() == Now::Sent));
    others.into_iter().for_each(Held::end);
    no_errors();
}

#[test]
fn a_model_is_asked_for_the_questions_vector_on_behalf_of_who_asks() {
    let worker = Worker::new(&configuration(&format!(r#","embedder": {EMBEDDER}"#)));
    let request = Request::chat(chat("desk", "").replace("hi", "How tall is the tower?"));
    let mut held = worker.send(request.with("traceparent", "00-1-2-01"));
    assert_eq!(held.now(), Now::Held);
    let call = one_call();
    let head =
        |name: &str| String::from_utf8(header(&call.headers, name).unwrap_or_default().to_vec()).unwrap();
    assert_eq!((call.cluster.as_str(), call.timeout_ms), ("modelgate_internal", 700));
    assert_eq!(
        (head(":method").as_str(), head(":path").as_str(), head("traceparent").as_str()),
        ("POST", "/v1/embeddings", "00-1-2-01")
    );
    let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(
        body,
        json!({"model": "embedder", "input": "How tall is the tower?", "dimensions": 2, "encoding_format": "float"})
    );
    // The call, as the internal listener brings it.
    let asked = Request::new("POST", "/v1/embeddings")
        .without("authorization")
        .with("content-type", "application/json")
        .with("x-modelgate-caller", head("x-modelgate-caller"));
    let mut inner = worker.send(Request { pieces: vec![call.body.clone()], ..asked.clone() });
    assert_eq!(inner.now(), Now::Sent);
    assert_eq!(inner.filter_state.borrow()["consumer"], b"anonymous");
    inner.end();
    held.filter.answer(call.token, answer("200", r#"{"data":[{"embedding":[0.6,0.8]}]}"#));
    assert_eq!(held.now(), Now::Sent);
    let mut spoofed = worker.send(Request { pieces: vec![call.body], ..asked });
    assert_eq!(spoofed.now(), Now::Answered(401), "the call is over, and its word with it");
    held.end();
    spoofed.end();
    no_errors();
}

#[test]
fn without_a_vector_the_request_goes_on_all_the_same() {
    let worker = Worker::new(&configuration(&format!(r#","embedder": {EMBEDDER}"#)));
    for bad in [
        None,
        answer("503", "no healthy upstream"),
        answer("504", ""),
        answer("not a status", "{}"),
        answer("200", ""),
        answer("200", "<html>"),
        answer("200", r#"{"data":[]}"#),
        answer("200", r#"{"data":[{"embedding":[]}]}"#),
        answer("200", r#"{"data":[{"embedding":["a"]}]}"#),
        answer("200", r#"{"data":[{"embedding":[1e99,0]}]}"#),
        answer("200", &format!(r#"{{"data":[{{"embedding":[{}1]}}]}}"#, "1,".repeat(5000))),
    ] {
        let mut held = worker.ask("desk", "How tall is the tower?");
        assert_eq!(held.now(), Now::Held);
        held.filter.answer(one_call().token, bad.clone());
        assert_eq!(held.now(), Now::Sent, "{bad:?}");
        held.end();
    }
    no_errors();
}

#[test]
fn a_cluster_that_is_not_there_is_logged_and_the_request_goes_on() {
    let elsewhere = configuration(&format!(r#","embedder": {EMBEDDER}"#));
    let worker = Worker::new(&elsewhere.replacen('{', r#"{"internal_cluster": "nowhere","#, 1));
    let mut sent = worker.ask("desk", "How tall is the tower?");
    assert_eq!(sent.now(), Now::Sent);
    assert_eq!(
        world(|world| world.errors().join("\n")),
        "Envoy refused a call to the cluster nowhere: status 2"
    );
    sent.end();
}

#[test]
fn a_client_may_leave_while_the_model_is_asked_and_others_wait() {
    let worker = Worker::new(&configuration(&format!(r#","embedder": {EMBEDDER}"#)));
    let first = worker.ask("desk", "How tall is the tower?");
    let mut other = worker.ask("desk", "How tall is the tower?");
    assert_eq!(other.now(), Now::Held);
    one_call();
    first.end();
    assert_eq!(other.now(), Now::Sent, "it goes alone, and asks for no vector of its own");
    one_call();
    other.end();
    no_errors();
}

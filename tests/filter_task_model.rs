//! The whole filter on a fake host: a model is asked of which task a request is, where its words leave that in doubt.

mod support;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{Call, Held, Plugin, Request, header, pass, worker, world};

/// Of this, words do not say clearly what it is; of the other one they do.
const DOUBT: &str = "the old thing again";
const CLEAR: &str = "Write a function in Rust that reverses a list.";

fn configuration(more: &Value) -> String {
    let mut document = json!({
        "providers": {"a": {"vendor": "openai", "base_url": "https://a.example/v1", "api_key": {"value": "key-of-a"}}},
        "models": {"small": {"provider": "a"}, "judge": {"provider": "a"}, "embedder": {"provider": "a"}},
        "routes": {"desk": {"targets": [{"model": "small"}], "cache": {"semantic": {}}}},
        "auth": {"anonymous": {"consumer": "anonymous"}},
        "tasks": {"legal": {"keywords": ["NDA"]}},
        "task_model": {"model": "judge", "below": 0.8, "timeout_ms": 700, "ttl": 100},
    });
    document.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    document.to_string()
}

/// A worker with the gateway role.
struct Worker(Plugin);

impl Worker {
    fn new(more: &Value) -> Self {
        Self(worker(&configuration(more)))
    }

    fn ask(&self, model: &str, text: &str) -> Asked {
        self.send(says(model, text))
    }

    /// A request of which all has come.
    fn send(&self, request: Request) -> Asked {
        Asked(Held::send(&self.0, request))
    }

    /// The call, as the internal listener brings it.
    fn bring(&self, call: &Call) -> Asked {
        let mut request = Request::new("POST", "/v1/chat/completions").without("authorization");
        for name in ["content-type", "x-modelgate-caller", "x-modelgate-task"] {
            request = request.with(name, text(call, name));
        }
        self.send(Request { pieces: vec![call.body.clone()], ..request })
    }

    /// Who would answer, and why.
    fn explain(&self, words: &str) -> Value {
        let request = Request::new("POST", "/v1/route/explain").with("content-type", "application/json");
        let held = self.send(Request { pieces: says("small", words).pieces, ..request });
        serde_json::from_slice::<Value>(&held.0.reply.unwrap().body).unwrap()["task"].clone()
    }
}

fn says(model: &str, words: &str) -> Request {
    let body = json!({"model": model, "messages": [{"role": "user", "content": words}]});
    Request::chat(body.to_string())
}

fn text(call: &Call, name: &str) -> String {
    String::from_utf8(header(&call.headers, name).unwrap_or_default().to_vec()).unwrap()
}

/// A request, which is told apart by its task.
struct Asked(Held);

/// What became of a request.
#[derive(Debug, PartialEq)]
enum Now {
    Held,
    /// Of which task it was told to be.
    Sent(String),
    Answered(u16),
}

fn sent(task: &str) -> Now {
    Now::Sent(task.to_owned())
}

impl Asked {
    fn now(&mut self) -> Now {
        match self.0.now() {
            support::Now::Held => Now::Held,
            support::Now::Answered(status) => Now::Answered(status),
            support::Now::Sent => {
                let state = self.0.filter_state.borrow();
                Now::Sent(String::from_utf8(state["task"].clone()).unwrap())
            }
        }
    }

    fn answer(&mut self, call: &Call, status: &str, body: &str) {
        self.0.answer(call, status, body);
    }

    fn end(self) {
        self.0.end();
    }
}

fn completion(said: &str) -> String {
    json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": said}}]}).to_string()
}

/// The calls that nobody has answered yet.
fn calls() -> Vec<Call> {
    world(|world| world.calls.clone())
}

fn one_call() -> Call {
    let calls = calls();
    assert_eq!(calls.len(), 1);
    calls[0].clone()
}

fn no_errors() {
    let errors = world(|world| world.errors().join("\n"));
    assert!(errors.is_empty(), "{errors}");
}

#[test]
fn a_model_is_asked_once_and_its_word_holds_for_the_same_text() {
    let worker = Worker::new(&json!({}));
    let mut first = worker.ask("small", DOUBT);
    assert_eq!(first.now(), Now::Held);
    let call = one_call();
    assert_eq!((call.cluster.as_str(), call.timeout_ms), ("modelgate_internal", 700));
    assert_eq!(text(&call, ":path"), "/v1/chat/completions");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    let members = ["model", "max_completion_tokens", "temperature"].map(|name| body[name].clone());
    assert_eq!(members, [json!("judge"), json!(32), json!(0)]);
    assert_eq!(body["messages"][1], json!({"role": "user", "content": DOUBT}));
    let told = body["messages"][0]["content"].as_str().unwrap();
    assert!(told.contains("\ncode (") && told.ends_with("\nlegal"), "{told}");
    first.answer(&call, "200", &completion("Legal."));
    assert_eq!(first.now(), sent("legal"));
    first.end();
    for _ in 0..2 {
        let mut again = worker.ask("small", DOUBT);
        assert_eq!((again.now(), calls().len()), (sent("legal"), 0), "it is remembered");
        again.end();
        pass(49);
    }
    pass(2);
    let mut late = worker.ask("small", DOUBT);
    assert_eq!((late.now(), calls().len()), (Now::Held, 1), "its time is over");
    late.end();
    no_errors();
}

#[test]
fn nobody_is_asked_where_there_is_no_doubt() {
    let tagged = || says("small", DOUBT).with("x-modelgate-task", "summary");
    for (more, request, task) in [
        (json!({}), says("small", CLEAR), "code"),
        (json!({}), says("small", "Is this NDA any good?"), "legal"),
        (json!({}), tagged(), "summary"),
        (json!({"task_model": {"model": "judge", "below": 0}}), says("small", DOUBT), "chat"),
    ] {
        let worker = Worker::new(&more);
        let mut held = worker.send(request);
        assert_eq!((held.now(), calls().len()), (sent(task), 0));
        held.end();
    }
    let worker = Worker::new(&json!({}));
    let mut nothing = worker.ask("small", "");
    assert_eq!((nothing.now(), calls().len()), (sent("chat"), 0), "there is nothing to show");
    nothing.end();
    let mut unknown = worker.ask("nobody", DOUBT);
    assert_eq!((unknown.now(), calls().len()), (Now::Answered(404), 0));
    let mut bad = worker.send(says("small", DOUBT).with("x-modelgate-max-cost-usd", "much"));
    assert_eq!((bad.now(), calls().len()), (Now::Answered(400), 0));
    [unknown, bad].into_iter().for_each(Asked::end);
    no_errors();
}

#[test]
fn what_was_said_before_tells_more_than_a_model_would_see() {
    let worker = Worker::new(&json!({}));
    let body = json!({"model": "small", "messages": [
        {"role": "user", "content": "Translate into French: good morning"},
        {"role": "assistant", "content": "Bonjour"},
        {"role": "user", "content": DOUBT},
    ]});
    let mut held = worker.send(Request::chat(body.to_string()));
    assert_eq!((held.now(), calls().len()), (sent("translation"), 0));
    held.end();
}

#[test]
fn who_does_not_say_it_is_not_asked_again_for_a_minute() {
    for (status, body) in [
        ("503", String::new()),
        ("429", String::new()),
        ("not a status", completion("code")),
        ("200", "<html>".to_owned()),
        ("200", "{}".to_owned()),
        ("200", json!({"choices": []}).to_string()),
        ("200", json!({"choices": [{"message": {"content": null}}]}).to_string()),
        ("200", completion("")),
        ("200", completion("nonsense")),
        ("200", completion("code or legal")),
    ] {
        let worker = Worker::new(&json!({}));
        let mut first = worker.ask("small", DOUBT);
        assert_eq!(first.now(), Now::Held);
        first.answer(&one_call(), status, &body);
        assert_eq!(first.now(), sent("chat"), "{status} {body}");
        first.end();
        pass(59);
        let mut second = worker.ask("small", DOUBT);
        assert_eq!((second.now(), calls().len()), (sent("chat"), 0), "{status} {body}");
        second.end();
        let mut another = worker.ask("small", "something with apples");
        assert_eq!((another.now(), calls().len()), (Now::Held, 1), "another text is another question");
        another.end();
        world(|world| world.calls.clear());
        pass(1);
        let mut third = worker.ask("small", DOUBT);
        assert_eq!((third.now(), calls().len()), (Now::Held, 1));
        third.end();
        no_errors();
    }
}

#[test]
fn a_call_that_runs_out_of_time_leaves_the_words() {
    let worker = Worker::new(&json!({}));
    let mut held = worker.ask("small", DOUBT);
    held.0.filter.answer(one_call().token, None);
    assert_eq!(held.now(), sent("chat"));
    held.end();
    let mut again = worker.ask("small", DOUBT);
    assert_eq!((again.now(), calls().len()), (sent("chat"), 0));
    again.end();
    no_errors();
}

#[test]
fn a_cluster_that_is_not_there_is_logged_and_the_request_goes_on() {
    let worker = Worker::new(&json!({"internal_cluster": "nowhere"}));
    for _ in 0..2 {
        let mut held = worker.ask("small", DOUBT);
        assert_eq!(held.now(), sent("chat"));
        held.end();
    }
    let errors = world(|world| world.errors().join("\n"));
    assert_eq!(errors, "Envoy refused a call to the cluster nowhere: status 2", "once for the same text");
}

#[test]
fn what_the_gateway_asks_itself_asks_nobody() {
    // Whoever judges, or makes vectors, is on the very route that asks for both.
    let more = json!({
        "task_model": {"model": "desk", "below": 1},
        "cache": {"embedder": {"model": "embedder", "dimensions": 2}},
    });
    let worker = Worker::new(&more);
    let mut held = worker.ask("small", DOUBT);
    assert_eq!(held.now(), Now::Held);
    let call = one_call();
    let mut inner = worker.bring(&call);
    assert_eq!((inner.now(), calls().len()), (sent("classification"), 1), "it goes on at once");
    inner.end();
    let mut untagged = call.clone();
    untagged.headers.retain(|(name, _)| name != "x-modelgate-task");
    let caller = Request::new("POST", "/v1/chat/completions")
        .without("authorization")
        .with("content-type", "application/json")
        .with("x-modelgate-caller", text(&call, "x-modelgate-caller"));
    let mut inner = worker.send(Request { pieces: vec![call.body.clone()], ..caller });
    assert!(matches!(inner.now(), Now::Sent(_)) && calls().len() == 1, "also where it does not say its task");
    inner.end();
    held.answer(&call, "200", &completion("creative"));
    assert_eq!(held.now(), sent("creative"));
    held.end();
    let mut spoofed = worker.bring(&call);
    assert_eq!(spoofed.now(), Now::Answered(401), "the call is over, and its word with it");
    spoofed.end();
    no_errors();
}

#[test]
fn one_request_may_ask_for_its_vector_and_then_for_its_task() {
    let question = "How tall is the tower?";
    let more = json!({"cache": {"exact": {"when": "always"}, "wait": 10, "embedder": {"model": "embedder", "dimensions": 2}}});
    let vector = r#"{"data":[{"embedding":[0.6,0.8]}]}"#;
    for (vector, said, task) in [
        (vector, completion("legal"), "legal"),
        ("{}", completion("legal"), "legal"),
        (vector, "{}".to_owned(), "chat"),
    ] {
        let worker = Worker::new(&more);
        let mut held = worker.ask("desk", question);
        let embedding = one_call();
        assert_eq!((held.now(), text(&embedding, ":path").as_str()), (Now::Held, "/v1/embeddings"));
        let mut same = worker.ask("desk", question);
        held.answer(&embedding, "200", vector);
        let judging = one_call();
        assert_eq!((held.now(), text(&judging, ":path").as_str()), (Now::Held, "/v1/chat/completions"));
        held.answer(&judging, "200", &said);
        assert_eq!((held.now(), calls().len()), (sent(task), 0), "neither is asked for again");
        assert_eq!(same.now(), Now::Held, "it waits for the answer to the same request");
        held.end();
        assert_eq!((same.now(), calls().len()), (sent(task), 0), "it knows what was said");
        same.end();
        no_errors();
    }
}

#[test]
fn an_explanation_knows_what_was_said_and_asks_nobody() {
    let worker = Worker::new(&json!({}));
    let before = worker.explain(DOUBT);
    assert_eq!((&before["task"], calls().len()), (&json!("chat"), 0));
    let mut held = worker.ask("small", DOUBT);
    held.answer(&one_call(), "200", &completion("analysis"));
    held.end();
    let after = worker.explain(DOUBT);
    let told = ["task", "confidence", "evidence"].map(|name| after[name].clone());
    assert_eq!(told, [json!("analysis"), json!(0.9), json!("model")]);
    no_errors();
}

#[test]
fn a_client_may_leave_while_a_model_is_asked() {
    let worker = Worker::new(&json!({}));
    let first = worker.ask("small", DOUBT);
    first.end();
    let mut second = worker.ask("small", DOUBT);
    assert_eq!(second.now(), Now::Held, "nothing was heard");
    second.end();
    no_errors();
}

#[test]
fn a_new_configuration_begins_without_what_others_have_said() {
    let worker = Worker::new(&json!({}));
    let mut held = worker.ask("small", DOUBT);
    held.answer(&one_call(), "200", &completion("legal"));
    assert_eq!(held.now(), sent("legal"));
    held.end();
    let worker =
        Worker(Plugin::configure("gateway", configuration(&json!({"tasks": {}})).as_bytes()).unwrap());
    let mut again = worker.ask("small", DOUBT);
    assert_eq!(again.now(), Now::Held);
    again.end();
    no_errors();
}

#[test]
fn what_was_said_of_a_text_is_known_to_those_who_share_answers_with_who_sent_it() {
    let key = |name: &str| Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let consumer = |name: &str, scope: &str| {
        (name.to_owned(), json!({"keys": [{"sha256": key(name)}], "cache_scope": scope}))
    };
    let consumers: serde_json::Map<_, _> = [
        ("a", "consumer"),
        ("b", "consumer"),
        ("c", "tier"),
        ("d", "tier"),
        ("e", "shared"),
        ("f", "shared"),
    ]
    .map(|(name, scope)| consumer(name, scope))
    .into_iter()
    .collect();
    let worker = Worker::new(&json!({"auth": {}, "consumers": consumers}));
    for (name, is_asked) in
        [("a", true), ("a", false), ("b", true), ("c", true), ("d", false), ("e", true), ("f", false)]
    {
        let request = says("small", DOUBT).without("authorization");
        let mut held = worker.send(request.with("authorization", format!("Bearer {name}")));
        assert_eq!((held.now() == Now::Held, calls().len()), (is_asked, usize::from(is_asked)), "{name}");
        if is_asked {
            held.answer(&one_call(), "200", &completion("legal"));
        }
        assert_eq!(held.now(), sent("legal"), "{name}");
        held.end();
    }
    no_errors();
}

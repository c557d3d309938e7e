//! The whole filter on a fake Envoy: what kind of request it is, told to the client and to the access log.

mod support;

use serde_json::{Value, json};
use support::{Answer, CONFIG, Envoy, Request, Response, completion, stream};

fn envoy(more: &Value) -> Envoy {
    let mut document: Value = serde_json::from_str(CONFIG).unwrap();
    document.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    Envoy::new(&document.to_string()).cluster("a", |sent| match sent.json()["stream"] == true {
        true => Response::stream(stream(&["hello"])),
        false => Response::json(200, completion("hello")),
    })
}

fn says(text: &str, more: &str) -> String {
    format!(r#"{{"model":"small","messages":[{{"role":"user","content":{}}}]{more}}}"#, json!(text))
}

/// What the client and the access log are told: task, task, complexity.
fn told(envoy: &Envoy, answer: &Answer) -> (String, String, String) {
    let noted = |name: &str| {
        let state = envoy.filter_state.borrow();
        String::from_utf8(state.get(name).cloned().unwrap_or_default()).unwrap()
    };
    (answer.header("x-modelgate-task").to_owned(), noted("task"), noted("complexity"))
}

fn are(task: &str, complexity: &str) -> (String, String, String) {
    (task.to_owned(), task.to_owned(), complexity.to_owned())
}

#[test]
fn the_kind_of_request_is_told_with_the_answer_and_to_the_log() {
    for (text, task, complexity) in [
        ("Write a function in Rust that reverses a list.", "code", "simple"),
        (
            "Prove step by step that there are infinitely many primes, and explain in detail why each step holds.",
            "reasoning",
            "hard",
        ),
        ("\u{7ffb}\u{8bd1}\u{6210}\u{82f1}\u{6587}\u{ff1a}\u{4f60}\u{597d}", "translation", "simple"),
        ("hi there", "chat", "simple"),
    ] {
        for more in ["", r#","stream":true"#] {
            let mut envoy = envoy(&json!({"tasks": {}}));
            let answer = envoy.ask(Request::chat(says(text, more)));
            assert_eq!((answer.status, told(&envoy, &answer)), (200, are(task, complexity)), "{text} {more}");
        }
    }
}

#[test]
fn who_says_what_kind_it_is_is_believed() {
    let configuration = json!({"tasks": {"legal": {"keywords": ["NDA"]}}});
    let tagged = says("hi there", r#","metadata":{"task":"Summary"}"#);
    for (request, task) in [
        (Request::chat(says("hi there", "")).with("x-modelgate-task", "legal"), "legal"),
        (Request::chat(tagged.clone()), "summary"),
        (Request::chat(tagged).with("x-modelgate-task", "code"), "code"),
        (Request::chat(says("Is this NDA any good?", "")), "legal"),
    ] {
        let mut envoy = envoy(&configuration);
        let answer = envoy.ask(request);
        assert_eq!((answer.status, told(&envoy, &answer).0.as_str()), (200, task));
    }
}

#[test]
fn a_kind_that_there_is_not_is_refused_with_the_nearest() {
    for (request, place) in [
        (Request::chat(says("hi", "")).with("x-modelgate-task", "sumary"), "x-modelgate-task"),
        (Request::chat(says("hi", r#","metadata":{"task":"sumary"}"#)), "metadata.task"),
    ] {
        let mut envoy = envoy(&json!({"tasks": {}}));
        let answer = envoy.ask(request);
        let error = answer.error();
        assert_eq!(
            (answer.status, &error["code"], &error["param"]),
            (400, &json!("invalid_value"), &json!(place))
        );
        assert!(error["message"].as_str().unwrap().ends_with("did you mean 'summary'?"), "{error}");
        assert!(envoy.tried().is_empty());
    }
}

#[test]
fn answers_from_here_tell_it_too() {
    let more = json!({
        "tasks": {},
        "cache": {"exact": {"when": "always"}},
        "limits": [{"name": "one", "requests": 1, "window": "minute"}],
    });
    let mut envoy = envoy(&more);
    let request = || Request::chat(says("Write a function in Rust that reverses a list.", ""));
    for (status, cache) in [(200, "miss"), (200, "hit")] {
        let answer = envoy.ask(request());
        assert_eq!((answer.status, answer.header("x-modelgate-cache")), (status, cache));
        assert_eq!(told(&envoy, &answer), are("code", "simple"));
    }
    let refused = envoy.ask(Request::chat(says("Write a poem about the sea.", "")));
    assert_eq!((refused.status, told(&envoy, &refused).0.as_str()), (429, "creative"));
}

#[test]
fn without_tasks_in_the_configuration_nothing_is_told_and_a_tag_is_the_providers_affair() {
    let mut envoy = envoy(&json!({}));
    let request = says("hi", r#","metadata":{"task":"sumary"}"#);
    let answer = envoy.ask(Request::chat(request).with("x-modelgate-task", "sumary"));
    let headers: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((answer.status, headers.contains(&"x-modelgate-task")), (200, false));
    assert!(!envoy.filter_state.borrow().contains_key("task"));
}

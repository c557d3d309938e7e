//! The whole filter on a fake Envoy: whatever a client sends, it is told in OpenAI's form what is wrong with it, nothing
//! of it reaches a provider, and the next request is served.

mod support;

use serde_json::json;
use support::{CONFIG, Envoy, Request, Response, chat, completion};

/// Asks, and then asks something sound of the same worker.
fn refused(request: Request) -> (support::Answer, serde_json::Value) {
    let mut envoy = Envoy::new(CONFIG).answering("a", Response::json(200, completion("hello")));
    let answer = envoy.ask(request);
    assert_eq!(envoy.tried(), [""; 0], "nothing of it reaches a provider");
    assert_eq!(envoy.ask(Request::chat(chat("small", ""))).status, 200, "the next request is served");
    let error = answer.error();
    assert_eq!(
        (error["type"].as_str(), answer.header("content-type")),
        (Some("invalid_request_error"), "application/json")
    );
    assert_eq!(answer.header("x-request-id"), "request-1");
    (answer, error)
}

#[test]
fn a_bad_body_is_a_400_that_names_the_member() {
    let nested = |open: &str, close: &str| {
        chat("small", &format!(r#","metadata":{}1{}"#, open.repeat(10_000), close.repeat(10_000)))
    };
    let roomy = CONFIG.replace("20000", "200000");
    let cases = [
        ("", None, "empty"),
        (" \n", None, "empty"),
        ("null", None, "must be a JSON object, not null"),
        ("[]", None, "must be a JSON object, not an array"),
        ("hello", None, "not valid JSON"),
        ("{\"model\":\"small\"", Some("model"), "ends too early"),
        (r#"{"model":"small","messages":[{"role":"user","content":"hi"}]} x"#, None, "not valid JSON"),
        (r#"{"messages":[{"role":"user","content":"hi"}]}"#, Some("model"), "model"),
        (r#"{"model":null,"messages":[{"role":"user","content":"hi"}]}"#, Some("model"), "model"),
        (
            r#"{"model":7,"messages":[{"role":"user","content":"hi"}]}"#,
            Some("model"),
            "expected a string, found 7",
        ),
        (r#"{"model":" ","messages":[{"role":"user","content":"hi"}]}"#, Some("model"), "empty"),
        (r#"{"model":"small"}"#, Some("messages"), "messages"),
        (r#"{"model":"small","messages":"hi"}"#, Some("messages"), "a string"),
        (r#"{"model":"small","messages":[]}"#, Some("messages"), "at least one"),
        (r#"{"model":"small","messages":["hi"]}"#, Some("messages[0]"), "a string"),
        (r#"{"model":"small","messages":[{"content":"hi"}]}"#, Some("messages[0].role"), "role"),
        (
            r#"{"model":"small","messages":[{"role":"user","content":7}]}"#,
            Some("messages[0].content"),
            "a number",
        ),
        (&chat("small", r#","stream":"yes""#), Some("stream"), "a string"),
        (&chat("small", r#","temperature":9"#), Some("temperature"), "2"),
        (&chat("small", r#","temperature":NaN"#), Some("temperature"), "not valid JSON"),
        (&chat("small", r#","temperature":-Infinity"#), Some("temperature"), "not valid JSON"),
        (&chat("small", r#","temperature":1e999"#), Some("temperature"), "2"),
        (&chat("small", r#","max_tokens":99999999999999999999999999"#), Some("max_tokens"), "max_tokens"),
        (&chat("small", r#","max_tokens":-1"#), Some("max_tokens"), "max_tokens"),
        (&chat("small", r#","max_tokens":1.5"#), Some("max_tokens"), "max_tokens"),
        (&chat("small", r#","n":0"#), Some("n"), "n"),
        (&chat("small", r#","stream_options":[]"#), Some("stream_options"), "an array"),
        (&chat("small", r#","model":"other""#), Some("model"), "twice"),
        (
            r#"{"model":"small","messages":[{"role":"user","role":"system","content":"hi"}]}"#,
            Some("messages[0].role"),
            "twice",
        ),
        (
            r#"{"model":"small","messages":[{"role":"user","content":"\ud800"}]}"#,
            Some("messages[0].content"),
            "lone surrogate",
        ),
        (
            r#"{"model":"small","messages":[{"role":"user","content":"\udc00\ud800"}]}"#,
            Some("messages[0].content"),
            "lone surrogate",
        ),
        (
            "{\"model\":\"small\",\"messages\":[{\"role\":\"user\",\"content\":\"a\nb\"}]}",
            Some("messages[0].content"),
            "control character",
        ),
        (&nested("[", "]"), Some("metadata[0][0][0][0][0][0][0]"), "deep"),
        (&nested(r#"{"a":"#, "}"), Some("metadata.a.a.a.a.a.a.a"), "deep"),
    ];
    let mut wrong = Vec::new();
    for (body, param, words) in cases {
        let mut envoy = Envoy::new(&roomy).answering("a", Response::json(200, completion("hello")));
        let answer = envoy.ask(Request::chat(body));
        let error = answer.error();
        let named = error["param"].as_str();
        let says = error["message"].as_str().is_some_and(|message| message.contains(words));
        let kind = error["type"] == "invalid_request_error";
        if (answer.status, named, says, kind) != (400, param, true, true) {
            wrong.push(format!("{}: {} {error}", body.chars().take(100).collect::<String>(), answer.status));
        }
        assert_eq!(envoy.tried(), [""; 0]);
        assert_eq!(envoy.ask(Request::chat(chat("small", ""))).status, 200);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn bytes_that_are_no_utf8_are_a_400() {
    let mut body = chat("small", "").into_bytes();
    let at = body.windows(2).position(|two| two == b"hi").unwrap();
    body[at] = 0xFF;
    let (answer, error) = refused(Request::chat(body));
    assert_eq!((answer.status, &error["param"]), (400, &json!("messages[0].content")));
}

#[test]
fn an_unknown_model_is_a_404_with_the_nearest_names() {
    for (asked, nearest) in [
        ("smal", "small"),
        ("othre", "other"),
        ("smrat", "smart"),
        ("b/other-with-a-longer-nam", "b/other-with-a-longer-name"),
    ] {
        let (answer, error) = refused(Request::chat(chat(asked, "")));
        assert_eq!(
            (answer.status, &error["code"], &error["param"]),
            (404, &json!("model_not_found"), &json!("model"))
        );
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("`{asked}`")) && message.contains(&format!("`{nearest}`")),
            "{message}"
        );
    }
}

#[test]
fn an_absurd_model_name_is_not_repeated_in_full() {
    let (answer, error) = refused(Request::chat(chat(&"x".repeat(10_000), "")));
    assert_eq!(answer.status, 404);
    assert!(error["message"].as_str().unwrap().len() < 1000);
}

#[test]
fn another_content_type_is_a_415() {
    for (content_type, status) in [
        ("text/plain", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonx", 415),
        ("", 415),
        ("application/json", 200),
        ("Application/JSON ; charset=utf-8", 200),
        ("application/vnd.api+json", 200),
    ] {
        let mut envoy = Envoy::new(CONFIG).answering("a", Response::json(200, completion("hello")));
        let answer = envoy.ask(Request::chat(chat("small", "")).with("content-type", content_type));
        assert_eq!(answer.status, status, "{content_type}");
        if status == 415 {
            assert!(answer.error()["message"].as_str().unwrap().contains("application/json"));
        }
    }
    let (answer, _) = refused(Request::chat(chat("small", "")).with("content-type", b"\xFF\xFE"));
    assert_eq!(answer.status, 415);
}

#[test]
fn a_request_without_a_body_is_a_400() {
    let (answer, error) =
        refused(Request::new("POST", "/v1/chat/completions").with("content-type", "application/json"));
    assert!(answer.status == 400 && error["message"].as_str().unwrap().contains("empty"), "{error}");
}

#[test]
fn a_body_over_the_limit_is_a_413_whether_or_not_it_says_its_length() {
    let body = chat("small", &format!(r#","metadata":"{}""#, "x".repeat(20_000)));
    let say = Request::chat(&body);
    let lie = Request::chat(&body).with("content-length", "10");
    let hide = Request::chat(&body).without("content-length").in_pieces_of(1000);
    let odd = Request::chat(&body).with("content-length", "a lot");
    for request in [say, lie, hide, odd] {
        let (answer, error) = refused(request);
        assert_eq!((answer.status, &error["code"]), (413, &json!("request_too_large")));
        assert!(error["message"].as_str().unwrap().contains("20000"), "{error}");
    }
}

#[test]
fn headers_that_are_not_utf8_do_no_harm() {
    let bad = b"\xFF\xFE\x80";
    for name in ["authorization", "user-agent", "x-anything", "traceparent", "accept"] {
        let mut envoy = Envoy::new(CONFIG).answering("a", Response::json(200, completion("hello")));
        assert_eq!(envoy.ask(Request::chat(chat("small", "")).with(name, bad)).status, 200, "{name}");
    }
    for name in [":path", ":method"] {
        let mut envoy = Envoy::new(CONFIG).answering("a", Response::json(200, completion("hello")));
        let answer = envoy.ask(Request::chat(chat("small", "")).with(name, bad));
        assert!(matches!(answer.status, 404 | 405), "{name}");
        answer.error();
    }
}

use super::{Anthropic, client, framed, streamed};
use crate::error::Blame::{Request, Target};
use crate::provider::Adapter;
use serde_json::json;

#[test]
fn an_error_keeps_its_meaning() {
    let error =
        |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}});
    let invalid = "invalid_request_error";
    let cases = [
        (400, error(invalid, "max_tokens: Field required"), (400, invalid, None, Request)),
        (
            400,
            error(invalid, "prompt is too long: 210000 tokens > 200000 maximum"),
            (400, invalid, Some("context_length_exceeded"), Target),
        ),
        (
            413,
            error(invalid, "Request size exceeds model context window"),
            (413, invalid, Some("context_length_exceeded"), Target),
        ),
        (
            400,
            error(invalid, "Your credit balance is too low to access the Anthropic API."),
            (402, "insufficient_quota", Some("insufficient_quota"), Target),
        ),
        (
            400,
            error(invalid, "\"thinking.type.enabled\" is not supported for this model."),
            (400, invalid, None, Target),
        ),
        (
            401,
            error("authentication_error", "invalid x-api-key"),
            (502, "server_error", Some("provider_authentication_failed"), Target),
        ),
        (402, error("billing_error", "Pay"), (402, "insufficient_quota", Some("insufficient_quota"), Target)),
        (403, error("permission_error", "No"), (403, "permission_error", Some("request_forbidden"), Target)),
        (404, error("not_found_error", "model: claude-9"), (404, invalid, Some("model_not_found"), Target)),
        (404, error("not_found_error", "File not found"), (404, invalid, None, Target)),
        (
            413,
            json!({"error": {"type": "request_too_large", "message": "Too large"}}),
            (413, invalid, Some("request_too_large"), Request),
        ),
        (
            429,
            error("rate_limit_error", "Slow"),
            (429, "rate_limit_error", Some("rate_limit_exceeded"), Target),
        ),
        (500, error("api_error", "Oops"), (500, "server_error", None, Target)),
        (504, error("timeout_error", "Late"), (504, "server_error", Some("timeout"), Target)),
        (529, error("overloaded_error", "Overloaded"), (503, "server_error", Some("overloaded"), Target)),
        (500, error("overloaded_error", "Overloaded"), (503, "server_error", Some("overloaded"), Target)),
        (418, error("some_new_error", "Teapot"), (418, invalid, None, Target)),
        (500, json!({"message": "An unexpected error occurred"}), (500, "server_error", None, Target)),
        (503, json!({"error": "upstream gone"}), (503, "server_error", Some("overloaded"), Target)),
        (422, json!([1]), (422, invalid, None, Request)),
    ];
    for (status, body, expected) in cases {
        let error = Anthropic.error(status, body.to_string().as_bytes());
        let found = (error.status, error.kind.as_ref(), error.code.as_deref(), error.blame);
        assert_eq!(found, expected, "{status} {body}");
        let message =
            body["error"]["message"].as_str().or(body["message"].as_str()).or(body["error"].as_str());
        assert!(error.message.contains(message.unwrap_or("[1]")), "{}", error.message);
    }
}

#[test]
fn a_body_that_is_no_error_object_is_told_as_text() {
    for (status, body, expected) in [
        (500, "<html><body><h1>Internal Server Error</h1></body></html>", "Internal Server Error"),
        (502, "", "the provider answered with status 502"),
        (503, "no healthy upstream", "no healthy upstream"),
        (
            529,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Busy\"}}\n\n",
            "Busy",
        ),
    ] {
        assert_eq!(Anthropic.error(status, body.as_bytes()).message, expected);
    }
    let error = Anthropic
        .error(401, br#"{"error":{"type":"authentication_error","message":"bad key sk-ant-api03-abc_def"}}"#);
    assert_eq!(error.message, "the provider refused the gateway's credentials: bad key ***");
}

#[test]
fn an_error_in_a_stream_ends_it_before_and_after_content() {
    let start = json!({"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 1}}});
    let text =
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}});
    let error = |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "Sorry"}});
    let stop = json!({"type": "message_stop"});
    for (events, content, kind, code) in [
        (vec![error("overloaded_error")], None, "server_error", json!("overloaded")),
        (vec![start.clone(), error("api_error"), stop.clone()], None, "server_error", json!(null)),
        (
            vec![start.clone(), text.clone(), error("rate_limit_error"), text.clone(), stop.clone()],
            Some("Hi"),
            "rate_limit_error",
            json!("rate_limit_exceeded"),
        ),
        (
            vec![start, text, json!({"type": "error"}), stop],
            Some("Hi"),
            "server_error",
            json!("bad_provider_response"),
        ),
    ] {
        let seen = client::read(&streamed([framed(&events).as_slice()]));
        let error = seen.error.unwrap();
        assert_eq!((&error["type"], &error["code"]), (&json!(kind), &code), "{events:?}");
        assert_eq!((seen.done, seen.finish, seen.message["content"].as_str()), (false, None, content));
    }
}

#[test]
fn what_stands_in_a_stream_and_is_no_event_is_an_error() {
    let bare = b"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}";
    let error = client::read(&streamed([bare.as_slice()])).error.unwrap();
    assert_eq!(error["code"], "overloaded");
    for garbage in ["data: {\n\n", "data: []\n\n", "data: 7\n\n", "data: {\"x\":1}\n\n"] {
        let error = client::read(&streamed([garbage.as_bytes()])).error.unwrap();
        assert_eq!(error["code"], "bad_provider_response", "{garbage}");
    }
    let error = client::read(&streamed([&b": nothing\n\n"[..]])).error.unwrap();
    assert_eq!(error["code"], "stream_interrupted");
}

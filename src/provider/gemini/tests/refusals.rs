//! What is refused before it is sent, and what the provider refuses.

use super::*;
use crate::error::Blame;

#[test]
fn what_cannot_be_honoured_is_refused_and_another_target_may_serve_it() {
    let tool = |tool: Tree| json!({"tools": [tool]});
    let function = || json!({"type": "function", "function": {"name": "f"}});
    let recursive = json!({"type": "object", "properties": {"a": {"$ref": "#"}}});
    for (model, body, param) in [
        ("gemini-2.5-flash", hello(json!({"n": 9})), "n"),
        ("gemini-3-flash-preview", hello(json!({"n": 2})), "n"),
        ("gemini-2.5-flash", hello(json!({"modalities": ["text", "audio"]})), "modalities"),
        ("gemini-2.5-flash", hello(json!({"stop": ["1", "2", "3", "4", "5", "6"]})), "stop"),
        (
            "gemini-2.5-flash",
            hello(tool(json!({"type": "custom", "custom": {"name": "c"}}))),
            "tools[0].type",
        ),
        ("gemini-2.5-flash", hello(tool(json!({"type": "web_search_preview"}))), "tools[0].type"),
        (
            "gemini-2.5-flash",
            hello(json!({"tools": [function()], "response_format": {"type": "json_object"}})),
            "response_format",
        ),
        (
            "gemini-3-pro-preview",
            hello(json!({"tools": [function()], "web_search_options": {}})),
            "web_search_options",
        ),
        (
            "gemini-2.0-flash",
            hello(
                json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": recursive}}}),
            ),
            "response_format",
        ),
        (
            "gemini-2.0-flash",
            hello(tool(json!({"type": "function", "function": {"name": "f", "parameters": recursive}}))),
            "tools[0].function.parameters",
        ),
        (
            "gemini-2.5-flash",
            chat(
                json!([{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-abc"}}]}]),
                json!({}),
            ),
            "messages[0].content[0].file.file_id",
        ),
        (
            "gemini-2.5-flash",
            chat(
                json!([{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]}]),
                json!({}),
            ),
            "messages[0].content[0].type",
        ),
        (
            "gemini-3.8-flash",
            chat(json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]), json!({})),
            "messages",
        ),
    ] {
        let error = translated(model, &body).unwrap_err();
        assert_eq!(
            (error.status, error.code.as_deref(), error.blame),
            (400, Some("unsupported_parameter"), Blame::Target),
            "{body}"
        );
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
        let text = serde_json::to_vec(&body).unwrap();
        let document = Document::parse(&text, Surrogates::Paired).unwrap();
        let request = Request::read(document.root()).unwrap();
        assert_eq!(Gemini.fits(&request, target(model)), Err(error), "{body}");
    }
}

#[test]
fn what_no_target_could_serve_is_the_requests_fault() {
    let call = |arguments: &str| json!({"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}]});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "ok"});
    let question = || json!({"role": "user", "content": "?"});
    for (messages, param) in [
        (json!([question(), call("{\"a\":"), result("a")]), "messages[1].tool_calls[0].function.arguments"),
        (json!([question(), call("[1]"), result("a")]), "messages[1].tool_calls[0].function.arguments"),
        (json!([question(), call("{}"), question()]), "messages[1].tool_calls"),
        (json!([question(), call("{}"), result("b")]), "messages[1].tool_calls"),
        (json!([question(), call("{}"), result("a"), result("a")]), "messages[3].tool_call_id"),
        (json!([question(), result("a")]), "messages[1].tool_call_id"),
        (
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "cat.png"}}]}]),
            "messages[0].content[0].image_url.url",
        ),
    ] {
        let error = translated("gemini-2.5-flash", &chat(messages.clone(), json!({}))).unwrap_err();
        assert_eq!((error.status, error.blame), (400, Blame::Request), "{messages}");
        assert_eq!(error.param.as_deref(), Some(param), "{messages}");
    }
}

#[test]
fn errors_are_said_in_openais_words() {
    let body = |code: u16, status: &str, message: &str| {
        json!({"error": {"code": code, "message": message, "status": status}}).to_string()
    };
    let with = |code: u16, status: &str, details: Tree| {
        json!({"error": {"code": code, "message": "m", "status": status, "details": details}}).to_string()
    };
    let info =
        |reason: &str| json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]);
    let too_long = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).";
    let signature = "Function call is missing a thought_signature in functionCall parts.";
    let not_here = "User location is not supported for the API use.";
    for (status, body, client, code, blame) in [
        (400, body(400, "INVALID_ARGUMENT", "bad"), 400, None, Blame::Request),
        (400, format!("[{}]", body(400, "INVALID_ARGUMENT", "bad")), 400, None, Blame::Request),
        (
            400,
            with(400, "INVALID_ARGUMENT", info("API_KEY_INVALID")),
            502,
            Some("provider_authentication_failed"),
            Blame::Target,
        ),
        (
            400,
            body(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
            502,
            Some("provider_authentication_failed"),
            Blame::Target,
        ),
        (401, body(401, "UNAUTHENTICATED", "no"), 502, Some("provider_authentication_failed"), Blame::Target),
        (400, body(400, "INVALID_ARGUMENT", too_long), 400, Some("context_length_exceeded"), Blame::Target),
        (400, body(400, "INVALID_ARGUMENT", signature), 400, None, Blame::Target),
        (
            400,
            body(400, "INVALID_ARGUMENT", "Penalty is not enabled for this model"),
            400,
            None,
            Blame::Target,
        ),
        (400, body(400, "FAILED_PRECONDITION", not_here), 400, None, Blame::Target),
        (404, body(404, "NOT_FOUND", "models/x is not found"), 404, Some("model_not_found"), Blame::Target),
        (429, body(429, "RESOURCE_EXHAUSTED", "slow down"), 429, Some("rate_limit_exceeded"), Blame::Target),
        (503, body(503, "UNAVAILABLE", "overloaded"), 503, Some("overloaded"), Blame::Target),
    ] {
        let error = Gemini.error(status, body.as_bytes());
        assert_eq!((error.status, error.code.as_deref(), error.blame), (client, code, blame), "{body}");
        assert!(!error.kind.is_empty() && !error.message.is_empty());
    }
    let retry = |delay: &str| {
        let details = json!([{"@type": "type.googleapis.com/google.rpc.QuotaFailure"}, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]);
        Gemini.error(429, with(429, "RESOURCE_EXHAUSTED", details).as_bytes()).retry_after
    };
    assert_eq!(
        [retry("43s"), retry("43.2s"), retry("0.5s"), retry("soon")],
        [Some(43), Some(44), Some(1), None]
    );
    for (body, said) in [
        ("", "status 500"),
        ("<html><title>Oops</title><body>It <b>broke</b></body></html>", "It broke"),
        ("nope", "nope"),
        ("{\"error\":\"words\"}", "words"),
        ("{}", "{}"),
    ] {
        let error = Gemini.error(500, body.as_bytes());
        assert!(error.message.contains(said), "{body}: {}", error.message);
        assert_eq!((error.status, error.kind.as_ref()), (500, "server_error"));
    }
}

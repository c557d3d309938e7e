use super::*;
use crate::error::Blame::{self, Request as Theirs, Target as Ours};

type Case =
    (u16, &'static str, (u16, &'static str, Option<&'static str>, Option<&'static str>), &'static str, Blame);

#[test]
fn every_vendors_form_becomes_openais() {
    let auth = (502, "server_error", Some("provider_authentication_failed"), None);
    let cases: &[Case] = &[
        // OpenAI.
        (
            400,
            r#"{"error":{"message":"bad","type":"invalid_request_error","param":"n","code":"invalid_value"}}"#,
            (400, "invalid_request_error", Some("invalid_value"), Some("n")),
            "bad",
            Theirs,
        ),
        (
            400,
            r#"{"error":{"message":"Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
            (400, "invalid_request_error", Some("unsupported_parameter"), Some("max_tokens")),
            "max_completion_tokens",
            Ours,
        ),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            (400, "invalid_request_error", Some("context_length_exceeded"), Some("messages")),
            "maximum context",
            Ours,
        ),
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-abc1234567.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            auth,
            "credentials",
            Ours,
        ),
        (
            429,
            r#"{"error":{"message":"quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            (429, "insufficient_quota", Some("insufficient_quota"), None),
            "quota",
            Ours,
        ),
        (
            404,
            r#"{"error":{"message":"The model `x` does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
            (404, "invalid_request_error", Some("model_not_found"), None),
            "does not exist",
            Ours,
        ),
        // Azure.
        (
            400,
            r#"{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            (400, "invalid_request_error", Some("content_filter"), Some("prompt")),
            "filtered",
            Ours,
        ),
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"no"}}"#,
            (404, "invalid_request_error", Some("model_not_found"), None),
            "no",
            Ours,
        ),
        // Mistral.
        (
            422,
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","store"],"msg":"Extra inputs are not permitted"},{"loc":["body","messages",0],"msg":"bad"}]}"#,
            (422, "invalid_request_error", None, Some("store")),
            "store: Extra inputs are not permitted; messages.0: bad",
            Ours,
        ),
        (
            422,
            r#"{"object":"error","message":{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required"}]},"type":"invalid_request_error","param":null,"code":null}"#,
            (422, "invalid_request_error", None, Some("model")),
            "model: Field required",
            Theirs,
        ),
        (
            400,
            r#"{"object":"error","message":"Invalid model: foo","type":"invalid_model","param":null,"code":"1500"}"#,
            (400, "invalid_model", Some("model_not_found"), None),
            "Invalid model",
            Ours,
        ),
        (401, r#"{"message":"Unauthorized","request_id":"x"}"#, auth, "credentials", Ours),
        // xAI.
        (
            400,
            r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xai-12***89. You can obtain an API key from https://console.x.ai."}"#,
            auth,
            "credentials",
            Ours,
        ),
        (
            400,
            r#"{"code":"Client specified an invalid argument","error":"Argument not good"}"#,
            (400, "invalid_request_error", None, None),
            "Argument not good",
            Theirs,
        ),
        // DeepSeek.
        (
            402,
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
            (402, "insufficient_quota", Some("insufficient_quota"), None),
            "Insufficient Balance",
            Ours,
        ),
        // Groq.
        (
            400,
            r#"{"error":{"message":"Failed to call a function.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"x"}}"#,
            (400, "invalid_request_error", Some("tool_use_failed"), None),
            "Failed to call",
            Ours,
        ),
        (
            413,
            r#"{"error":{"message":"Request too large for model on tokens per minute (TPM)","type":"tokens","code":"rate_limit_exceeded"}}"#,
            (413, "tokens", Some("rate_limit_exceeded"), None),
            "too large",
            Ours,
        ),
        // OpenRouter.
        (
            502,
            r#"{"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"{\"error\":\"overloaded\"}","provider_name":"X"}},"user_id":"u"}"#,
            (502, "server_error", None, None),
            "overloaded",
            Ours,
        ),
        (
            400,
            r#"{"error":{"message":"x/y is not a valid model ID","code":400}}"#,
            (400, "invalid_request_error", Some("model_not_found"), None),
            "not a valid model",
            Ours,
        ),
        // DashScope.
        (
            401,
            r#"{"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"x"}"#,
            auth,
            "credentials",
            Ours,
        ),
        // Gemini's OpenAI endpoint.
        (
            429,
            r#"[{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"retryDelay":"42.5s"}]}}]"#,
            (429, "rate_limit_error", Some("rate_limit_exceeded"), None),
            "Quota",
            Ours,
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
            auth,
            "credentials",
            Ours,
        ),
        // FastAPI, proxies, nothing at all.
        (
            404,
            r#"{"detail":"Not Found"}"#,
            (404, "invalid_request_error", Some("model_not_found"), None),
            "Not Found",
            Ours,
        ),
        (500, r#""out of memory""#, (500, "server_error", None, None), "out of memory", Ours),
        (
            503,
            "<html><head><title>x</title></head><body><h1>503 Busy</h1></body></html>",
            (503, "server_error", Some("overloaded"), None),
            "503 Busy",
            Ours,
        ),
        (502, "", (502, "server_error", None, None), "502", Ours),
        (529, "{}", (503, "server_error", Some("overloaded"), None), "529", Ours),
    ];
    for (status, body, expected, message, blame) in cases {
        let error = adapter("compatible").error(*status, body.as_bytes());
        let found = (error.status, error.kind.as_ref(), error.code.as_deref(), error.param.as_deref());
        assert_eq!(found, *expected, "{body}");
        assert!(error.message.contains(message), "{body}: {}", error.message);
        assert_eq!(error.blame, *blame, "{body}");
        for secret in ["sk-abc1234567", "xai-12***89"] {
            assert!(!error.message.contains(secret), "{}", error.message);
        }
    }
}

#[test]
fn the_wait_that_the_body_asks_for_is_told() {
    let body = br#"[{"error":{"code":429,"message":"m","details":[{"@type":"x"},{"retryDelay":"42.5s"}]}}]"#;
    assert_eq!(adapter("compatible").error(429, body).retry_after, Some(43));
    assert_eq!(adapter("compatible").error(429, b"{}").retry_after, None);
}

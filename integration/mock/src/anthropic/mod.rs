//! Anthropic Messages: headers, credentials and errors.
pub mod check;
mod messages;
pub mod request;
pub mod response;
mod tools;

use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::failure::{Failure, Kind, WireError};
use crate::ids;

/// The headers of every answer.
pub fn headers() -> Vec<(&'static str, String)> {
    vec![
        ("request-id", ids::id("req_011C", 20)),
        ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000".into()),
        ("anthropic-ratelimit-requests-limit", "4000".into()),
        ("anthropic-ratelimit-requests-remaining", "3999".into()),
        ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:00Z".into()),
    ]
}

/// Refuses a request without a usable key or version. With the newest version, which its SDK sends, the key comes as
/// a bearer token; with the older ones that would be another provider's key.
pub fn admit(headers: &HeaderMap) -> Result<(), Failure> {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    let version = header("anthropic-version");
    let bearer =
        header("authorization").and_then(|v| v.strip_prefix("Bearer ")).filter(|_| version == Some(NEWEST));
    match header("x-api-key").or(bearer) {
        None | Some("") => return Err(Failure::of(Kind::NoKey)),
        Some(key) if key.contains("bad") || key.contains("invalid") => return Err(Failure::of(Kind::BadKey)),
        Some(_) => {}
    }
    match version {
        Some("2023-01-01" | "2023-06-01" | NEWEST) => Ok(()),
        None => Err(Failure::bad("anthropic-version: header is required")),
        Some(other) => Err(Failure::bad(format!("anthropic-version: \"{other}\" is not a valid version"))),
    }
}

/// What anthropic-sdk-python 2.11 sends.
const NEWEST: &str = "2026-10-21";

/// A failure in Anthropic's words.
pub fn error(failure: &Failure, model: &str) -> WireError {
    let (status, kind, usual) = match failure.kind {
        Kind::BadRequest => (400, "invalid_request_error", "Invalid request.".into()),
        Kind::NoKey => (401, "authentication_error", "x-api-key header is required".into()),
        Kind::BadKey => (401, "authentication_error", "invalid x-api-key".into()),
        Kind::Permission => {
            (403, "permission_error", "Your API key does not have permission to use the specified resource.".into())
        }
        Kind::Quota => (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or \
             purchase credits."
                .into(),
        ),
        Kind::ModelNotFound => (404, "not_found_error", format!("model: {model}")),
        Kind::NotFound => (404, "not_found_error", "Not found".into()),
        Kind::TooLarge => (413, "request_too_large", "Request exceeds the maximum size".into()),
        Kind::ContextTooLong => {
            (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum".into())
        }
        Kind::RateLimit => (
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 50,000 input tokens per minute.".into(),
        ),
        Kind::Server => (500, "api_error", "Internal server error".into()),
        Kind::Overloaded => (529, "overloaded_error", "Overloaded".into()),
        Kind::Timeout => (504, "timeout_error", "Request timed out".into()),
    };
    let message = if failure.message.is_empty() { usual } else { failure.message.clone() };
    let mut body = json!({"type": "error", "error": {"type": kind, "message": message}});
    let mut headers = Vec::new();
    match failure.kind {
        // The edge answers this one, in its own shape.
        Kind::TooLarge => body = json!({"error": {"type": kind, "message": message}}),
        Kind::BadRequest | Kind::NoKey | Kind::BadKey => headers.push(("x-should-retry", "false".into())),
        Kind::Overloaded | Kind::Server => headers.push(("x-should-retry", "true".into())),
        _ => {}
    }
    WireError { status, headers, body }
}

/// The list of models.
pub fn models() -> Value {
    let model = |id: &str| json!({"type": "model", "id": id, "display_name": id, "created_at": "2025-09-29T00:00:00Z"});
    let ids = ["claude-opus-4-6", "claude-sonnet-4-5", "claude-haiku-4-5"];
    json!({"data": ids.map(model), "has_more": false, "first_id": ids[0], "last_id": ids[2]})
}

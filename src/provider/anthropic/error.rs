//! Anthropic's errors, as bodies of a failed request and as events in a stream.

use crate::error::{ApiError, Blame};
use crate::json::{Kind, Value};
use crate::provider::error::{described, json_in, plain_text};

/// What the message says where the prompt does not fit the model.
const TOO_LONG: [&str; 4] =
    ["prompt is too long", "context window", "context limit", "exceed the maximum number of tokens"];

/// What it says where the reason is this model or this account, and another target may do.
const OF_THE_TARGET: [&str; 5] =
    ["this model", "not supported", "does not support", "usage limits", "content filtering policy"];

/// Reads the body of a status that is not 200.
pub(super) fn read(status: u16, body: &[u8]) -> ApiError {
    let parsed = json_in(body).and_then(|document| {
        let root = document.root();
        of(root, Some(status)).or_else(|| Some(described(status, message(root)?)))
    });
    parsed.unwrap_or_else(|| described(status, plain_text(body)))
}

/// The error in `{"type": "error", "error": {"type", "message"}}`, if there is one; in a stream
/// there is no `status`.
pub(super) fn of(body: Value<'_>, status: Option<u16>) -> Option<ApiError> {
    let error = body.get("error")?;
    let kind = error.get("type").and_then(Value::text).unwrap_or_default();
    let kind = kind.decode();
    let status = match (kind.as_ref(), status) {
        ("overloaded_error", _) => 529,
        ("authentication_error", _) => 401,
        (_, Some(status)) => status,
        ("invalid_request_error", None) => 400,
        ("billing_error", None) => 402,
        ("permission_error", None) => 403,
        ("not_found_error", None) => 404,
        ("request_too_large", None) => 413,
        ("rate_limit_error", None) => 429,
        ("timeout_error", None) => 504,
        _ => 500,
    };
    let message = message(body).unwrap_or_default();
    let says = |phrases: &[&str]| {
        let message = message.to_ascii_lowercase();
        phrases.iter().any(|phrase| message.contains(phrase))
    };
    let described = |status| described(status, message.clone());
    Some(match kind.as_ref() {
        "invalid_request_error" if says(&["credit balance is too low"]) => described(402),
        "invalid_request_error" if says(&TOO_LONG) => {
            let error = described(status).coded("context_length_exceeded").at("messages");
            error.blaming(Blame::Target)
        }
        "invalid_request_error" if says(&OF_THE_TARGET) => described(status).blaming(Blame::Target),
        "not_found_error" if !says(&["model"]) => ApiError { code: None, ..described(status) },
        _ => described(status),
    })
}

/// The message, wherever it stands.
fn message(body: Value<'_>) -> Option<String> {
    let error = body.get("error");
    let inner = error.and_then(|error| error.get("message"));
    let bare = error.filter(|error| error.kind() == Kind::String);
    let found = inner.or(bare).or_else(|| body.get("message")).or_else(|| body.get("detail"))?;
    Some(found.text()?.decode().into_owned())
}

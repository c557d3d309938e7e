//! OpenAI chat completions: headers, credentials and errors as OpenAI and its followers write them.
pub mod check;
mod messages;
pub mod request;
pub mod response;
pub mod tools;
mod vendors;

use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::failure::{Failure, Kind, WireError};
use crate::ids;

/// The headers of every answer.
pub fn headers() -> Vec<(&'static str, String)> {
    vec![
        ("x-request-id", ids::hex_id("req_")),
        ("openai-version", "2020-10-01".into()),
        ("openai-organization", "org-mock".into()),
        ("openai-processing-ms", "12".into()),
        ("x-ratelimit-limit-requests", "5000".into()),
        ("x-ratelimit-remaining-requests", "4999".into()),
        ("x-ratelimit-reset-requests", "12ms".into()),
    ]
}

/// Refuses a request without a usable key. Azure takes it in `api-key` too.
pub fn admit(provider: &str, headers: &HeaderMap) -> Result<(), Failure> {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    if provider == "ollama" || provider == "vllm" {
        return Ok(());
    }
    let azure = (provider == "azure").then(|| header("api-key")).flatten();
    let bearer = header("authorization").and_then(|v| v.strip_prefix("Bearer "));
    match azure.or(bearer).map(str::trim) {
        None | Some("") => Err(Failure::of(Kind::NoKey)),
        Some(key) if key.contains("bad") || key.contains("invalid") => Err(Failure {
            message: format!(
                "Incorrect API key provided: {}***. You can find your API key at \
                 https://platform.openai.com/account/api-keys.",
                key.chars().take(6).collect::<String>()
            ),
            ..Failure::of(Kind::BadKey)
        }),
        Some(_) => Ok(()),
    }
}

/// A failure in OpenAI's words, or its follower's.
pub fn error(provider: &str, failure: &Failure, model: &str) -> WireError {
    let (status, kind, code, usual) = match failure.kind {
        Kind::BadRequest => (400, "invalid_request_error", None, "Invalid request.".into()),
        Kind::NoKey => (
            401,
            "invalid_request_error",
            None,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using \
             Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
                .into(),
        ),
        Kind::BadKey => {
            (401, "invalid_request_error", Some("invalid_api_key"), "Incorrect API key provided: sk-mo***.".into())
        }
        Kind::Permission => (
            403,
            "request_forbidden",
            Some("unsupported_country_region_territory"),
            "Country, region, or territory not supported".into(),
        ),
        Kind::Quota => (
            429,
            "insufficient_quota",
            Some("insufficient_quota"),
            "You exceeded your current quota, please check your plan and billing details. For more information on \
             this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
                .into(),
        ),
        Kind::ModelNotFound => (
            404,
            "invalid_request_error",
            Some("model_not_found"),
            format!("The model `{model}` does not exist or you do not have access to it."),
        ),
        Kind::NotFound => (404, "invalid_request_error", None, "Invalid URL.".into()),
        Kind::TooLarge => (413, "invalid_request_error", None, "Request too large.".into()),
        Kind::ContextTooLong => (
            400,
            "invalid_request_error",
            Some("context_length_exceeded"),
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. \
             Please reduce the length of the messages."
                .into(),
        ),
        Kind::RateLimit => (
            429,
            "tokens",
            Some("rate_limit_exceeded"),
            format!(
                "Rate limit reached for {model} in organization org-mock on tokens per min (TPM): Limit 30000, \
                 Used 29900, Requested 500. Please try again in 800ms."
            ),
        ),
        Kind::Server => (
            500,
            "server_error",
            None,
            "The server experienced an error while processing your request. Sorry about that! You can retry your \
             request, or contact us through our help center at help.openai.com if the error persists."
                .into(),
        ),
        Kind::Overloaded => (
            503,
            "server_error",
            None,
            "The server is currently overloaded with other requests. Sorry about that! You can retry your request."
                .into(),
        ),
        Kind::Timeout => (504, "server_error", Some("timeout"), "Request timed out.".into()),
    };
    let param = match failure.kind {
        Kind::ContextTooLong => Some("messages".to_owned()),
        _ => failure.param.clone(),
    };
    let message = if failure.message.is_empty() { usual } else { failure.message.clone() };
    let code = failure.code.or(code);
    let body = json!({"error": {"message": message, "type": kind, "param": param, "code": code}});
    let mut error = WireError { status, headers: Vec::new(), body };
    vendors::reword(provider, failure, &mut error);
    error
}

/// The list of models.
pub fn models() -> Value {
    let model = |id| json!({"id": id, "object": "model", "created": 1_754_500_000, "owned_by": "system"});
    let models = ["gpt-5", "gpt-5-mini", "gpt-4o", "gpt-4o-mini"].map(model);
    json!({"object": "list", "data": models})
}

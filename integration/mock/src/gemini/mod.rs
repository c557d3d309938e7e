//! Gemini generateContent: headers, credentials and errors.
pub mod check;
mod contents;
mod fields;
pub mod request;
pub mod response;

use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::failure::{Failure, Kind, WireError};

/// The headers of every answer.
pub fn headers() -> Vec<(&'static str, String)> {
    vec![
        ("vary", "Origin, X-Origin, Referer".into()),
        ("server", "scaffolding on HTTPServer2".into()),
        ("server-timing", "gfet4t7; dur=12".into()),
        ("x-content-type-options", "nosniff".into()),
    ]
}

/// Refuses a request without a usable key. Vertex (`/projects/` in the path) takes a bearer token.
pub fn admit(path: &str, query: Option<&str>, headers: &HeaderMap) -> Result<(), Failure> {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    let key = match path.contains("/projects/") {
        true => header("authorization").and_then(|v| v.strip_prefix("Bearer ")),
        false => header("x-goog-api-key")
            .or_else(|| query.and_then(|q| q.split('&').find_map(|pair| pair.strip_prefix("key=")))),
    };
    match key {
        None | Some("") => Err(Failure::of(Kind::NoKey)),
        Some(key) if key.contains("bad") || key.contains("invalid") => Err(Failure::of(Kind::BadKey)),
        Some(_) => Ok(()),
    }
}

/// A failure in Google's words.
pub fn error(failure: &Failure, model: &str) -> WireError {
    let (code, status, usual) = match failure.kind {
        Kind::BadRequest => (400, "INVALID_ARGUMENT", "Request contains an invalid argument.".into()),
        Kind::NoKey => (
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or \
             other form of API consumer identity to call this API."
                .into(),
        ),
        Kind::BadKey => (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.".into()),
        Kind::Permission => (403, "PERMISSION_DENIED", "The caller does not have permission".into()),
        Kind::Quota | Kind::RateLimit => (
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota, please check your plan and billing details. Please retry in 43s.".into(),
        ),
        Kind::ModelNotFound => (
            404,
            "NOT_FOUND",
            format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call \
                 ModelService.ListModels to see the list of available models and their supported methods."
            ),
        ),
        Kind::NotFound => (404, "NOT_FOUND", "Requested entity was not found.".into()),
        Kind::TooLarge => (
            413,
            "INVALID_ARGUMENT",
            "Request payload size exceeds the limit: 20971520 bytes. Please reduce the request size.".into(),
        ),
        Kind::ContextTooLong => (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).".into(),
        ),
        Kind::Server => (
            500,
            "INTERNAL",
            "An internal error has occurred. Please retry or report in \
             https://developers.generativeai.google/guide/troubleshooting"
                .into(),
        ),
        Kind::Overloaded => (503, "UNAVAILABLE", "The model is overloaded. Please try again later.".into()),
        Kind::Timeout => (504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.".into()),
    };
    let message = if failure.message.is_empty() { usual } else { failure.message.clone() };
    let mut error = json!({"code": code, "message": message, "status": status});
    match failure.kind {
        Kind::BadKey => {
            error["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
                "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"},
            }]);
        }
        Kind::RateLimit => {
            error["details"] =
                json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "43s"}]);
        }
        _ => {}
    }
    WireError { status: code, headers: Vec::new(), body: json!({"error": error}) }
}

/// The list of models.
pub fn models() -> Value {
    let model = |id: &str| {
        json!({"name": format!("models/{id}"), "displayName": id, "inputTokenLimit": 1_048_576,
               "outputTokenLimit": 65_536, "supportedGenerationMethods": ["generateContent", "countTokens"]})
    };
    let models = ["gemini-2.5-pro", "gemini-2.5-flash", "gemini-3-pro-preview"].map(model);
    json!({ "models": models })
}

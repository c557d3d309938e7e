//! Which of OpenAI's endpoints a request is for, and the answers that need no provider.

use super::Reply;
use crate::config::{Config, Consumer};
use crate::error::{ApiError, Blame};
use crate::json::{self, Object};
use crate::route::{self, Listed};

/// What this gateway serves.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Endpoint {
    /// One that asks something of a model.
    Service(Service),
    /// `GET /v1/models`.
    Models,
    /// `GET /v1/models/{id}`; a model's id may hold slashes.
    Model(String),
    /// `GET /healthz`.
    Health,
    /// How the gateway is doing: `GET /modelgate/`, for people,
    Page,
    /// and `GET /modelgate/status`, for programs.
    Status,
}

/// What is asked of a model.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// A chat completion: `POST /v1/chat/completions`.
    Chat,
    /// Embeddings: `POST /v1/embeddings`.
    Embeddings,
    /// Who would answer a chat, and why: `POST /v1/route/explain`.
    Explain,
    /// How good an answer was: `POST /v1/feedback`.
    Feedback,
}

impl Service {
    /// What is asked of a model, as OpenTelemetry calls it; none where nothing is.
    #[must_use]
    pub fn operation(self) -> Option<&'static str> {
        match self {
            Self::Chat => Some("chat"),
            Self::Embeddings => Some("embeddings"),
            Self::Explain | Self::Feedback => None,
        }
    }
}

/// The endpoint of a method and path, or why there is none.
pub(super) fn of(method: &[u8], path: &[u8]) -> Result<Endpoint, Reply> {
    let path = path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
    let (endpoint, allowed) = match path {
        b"/v1/chat/completions" => (Endpoint::Service(Service::Chat), "POST"),
        b"/v1/embeddings" => (Endpoint::Service(Service::Embeddings), "POST"),
        b"/v1/route/explain" => (Endpoint::Service(Service::Explain), "POST"),
        b"/v1/feedback" => (Endpoint::Service(Service::Feedback), "POST"),
        b"/v1/models" | b"/v1/models/" => (Endpoint::Models, "GET"),
        b"/healthz" => (Endpoint::Health, "GET"),
        b"/modelgate" | b"/modelgate/" => (Endpoint::Page, "GET"),
        b"/modelgate/status" => (Endpoint::Status, "GET"),
        other => match other.strip_prefix(b"/v1/models/") {
            Some(id) => (Endpoint::Model(percent_decoded(id)), "GET"),
            None => return Err(not_found(method, path).into()),
        },
    };
    if method == allowed.as_bytes() {
        return Ok(endpoint);
    }
    let (method, path) = (String::from_utf8_lossy(method), String::from_utf8_lossy(path));
    let message = format!("{method} is not allowed on {path}: expected {allowed}");
    let error = ApiError { status: 405, ..ApiError::invalid_request(message).coded("method_not_allowed") };
    Err(Reply { headers: vec![("allow", allowed.to_string())], ..error.into() })
}

pub(super) fn not_found(method: &[u8], path: &[u8]) -> ApiError {
    let shown: String = String::from_utf8_lossy(path).chars().take(200).collect();
    let message = format!("unknown URL: {} {shown}", String::from_utf8_lossy(method));
    let error = ApiError::new(404, "invalid_request_error", message).coded("unknown_url");
    error.blaming(Blame::Request)
}

/// The list of models, as `GET /v1/models` answers.
pub(super) fn models(config: &Config, consumer: &Consumer, now: i64) -> Reply {
    let mut body = Vec::new();
    json::object(&mut body, |list| {
        list.string("object", "list");
        list.array("data", |data| {
            for listed in route::models(config, consumer) {
                data.object(|entry| write(entry, listed, now));
            }
        });
    });
    Reply::json(body)
}

/// One model, as `GET /v1/models/{id}` answers.
pub(super) fn model(config: &Config, consumer: &Consumer, name: &str, now: i64) -> Reply {
    let Some(listed) = route::listed(config, name, consumer) else {
        let message = format!("the model '{name}' does not exist");
        let error = ApiError::invalid_param("model", message).coded("model_not_found");
        return ApiError { status: 404, ..error }.into();
    };
    let mut body = Vec::new();
    json::object(&mut body, |entry| write(entry, listed, now));
    Reply::json(body)
}

fn write(entry: &mut Object<'_>, listed: Listed<'_>, now: i64) {
    entry.string("id", listed.id);
    entry.string("object", "model");
    entry.number("created", now);
    entry.string("owned_by", listed.owned_by);
}

/// Undoes `%2F` and its like; what is no valid escape stays as it is.
fn percent_decoded(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.split_at_checked(2).filter(|_| *first == b'%');
        let byte = digits.and_then(|(digits, after)| {
            let byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            Some((byte, after))
        });
        let (byte, after) = byte.unwrap_or((*first, after));
        out.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned()
}

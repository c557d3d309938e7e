//! An error as OpenAI's clients know it: `{"error": {"message", "type", "param", "code"}}`.
//!
//! Official SDKs choose the exception by the HTTP status alone and read `type`, `param` and `code`
//! from the body; in a stream the same object in a `data:` event ends the iteration.

use crate::json;
use std::borrow::Cow;

/// Whose doing an error is: it decides whether another target is worth trying.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Blame {
    /// The request is wrong; every target would say so.
    Request,
    /// This target cannot serve it, now or at all; another may.
    Target,
}

/// An error on its way to the client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiError {
    /// HTTP status for the client.
    pub status: u16,
    /// `type`, as `invalid_request_error`.
    pub kind: Cow<'static, str>,
    /// `code`, as `model_not_found`.
    pub code: Option<Cow<'static, str>>,
    /// The request's member that is at fault.
    pub param: Option<Cow<'static, str>>,
    /// For people.
    pub message: String,
    /// Whether another target may do better.
    pub blame: Blame,
    /// Seconds to wait, as the provider said in the body.
    pub retry_after: Option<u64>,
}

impl ApiError {
    /// An error of the request itself: 400 `invalid_request_error`.
    #[must_use]
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message).blaming(Blame::Request)
    }

    /// A member of the request that is not what it should be.
    #[must_use]
    pub fn invalid_param(param: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::invalid_request(message).at(param)
    }

    /// A parameter that this target cannot honour and that must not be dropped in silence.
    #[must_use]
    pub fn unsupported(param: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::invalid_param(param, message).coded("unsupported_parameter").blaming(Blame::Target)
    }

    /// A provider's answer that makes no sense: 502.
    #[must_use]
    pub fn bad_answer(message: impl Into<String>) -> Self {
        Self::new(502, "server_error", message).coded("bad_provider_response")
    }

    /// An error of the given status and type, blamed on the target.
    #[must_use]
    pub fn new(status: u16, kind: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            status,
            kind: kind.into(),
            code: None,
            param: None,
            message: message.into(),
            blame: Blame::Target,
            retry_after: None,
        }
    }

    /// With a `code`.
    #[must_use]
    pub fn coded(self, code: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// With a `param`.
    #[must_use]
    pub fn at(self, param: impl Into<Cow<'static, str>>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    /// With the blame put elsewhere.
    #[must_use]
    pub fn blaming(self, blame: Blame) -> Self {
        Self { blame, ..self }
    }

    /// Writes the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        let optional = |out: &mut Vec<u8>, value: &Option<Cow<'static, str>>| match value {
            Some(value) => json::string(out, value),
            None => out.extend_from_slice(b"null"),
        };
        json::object(out, |body| {
            body.object("error", |error| {
                error.string("message", &self.message);
                error.string("type", &self.kind);
                optional(error.value("param"), &self.param);
                optional(error.value("code"), &self.code);
            });
        });
    }

    /// The body as bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

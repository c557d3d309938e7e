//! What can go wrong, before it is said in a provider's own words.

/// The kinds of error a provider tells apart. Each dialect has its own status, type and words for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request is malformed or asks for what is not supported.
    BadRequest,
    /// No credential came.
    NoKey,
    /// The credential is wrong.
    BadKey,
    /// The credential may not do this.
    Permission,
    /// The account has no money left.
    Quota,
    /// There is no such model.
    ModelNotFound,
    /// There is no such path.
    NotFound,
    /// The body is too large for the edge.
    TooLarge,
    /// The prompt does not fit the model's context.
    ContextTooLong,
    /// Too many requests.
    RateLimit,
    /// The provider failed.
    Server,
    /// The provider is overloaded.
    Overloaded,
    /// The provider gave up waiting for itself.
    Timeout,
}

impl Kind {
    /// The kind a directive names.
    pub fn named(name: &str) -> Option<Kind> {
        Some(match name {
            "bad_request" => Kind::BadRequest,
            "no_key" => Kind::NoKey,
            "bad_key" => Kind::BadKey,
            "permission" => Kind::Permission,
            "quota" => Kind::Quota,
            "model_not_found" => Kind::ModelNotFound,
            "not_found" => Kind::NotFound,
            "too_large" => Kind::TooLarge,
            "context_too_long" => Kind::ContextTooLong,
            "rate_limit" => Kind::RateLimit,
            "server_error" => Kind::Server,
            "overloaded" => Kind::Overloaded,
            "timeout" => Kind::Timeout,
            _ => return None,
        })
    }

    /// The kind that a status without a named kind stands for.
    pub fn of_status(status: u16) -> Kind {
        match status {
            401 => Kind::BadKey,
            402 => Kind::Quota,
            403 => Kind::Permission,
            404 => Kind::ModelNotFound,
            408 | 504 => Kind::Timeout,
            413 => Kind::TooLarge,
            429 => Kind::RateLimit,
            503 | 529 => Kind::Overloaded,
            500.. => Kind::Server,
            _ => Kind::BadRequest,
        }
    }
}

/// A refusal of a request, with the words of the provider that refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: Kind,
    /// The provider's words; empty where the dialect's usual words for the kind will do.
    pub message: String,
    /// The parameter at fault (OpenAI says it).
    pub param: Option<String>,
    /// A finer code (OpenAI says it).
    pub code: Option<&'static str>,
}

impl Failure {
    /// A failure of this kind in the provider's usual words.
    pub fn of(kind: Kind) -> Failure {
        Failure { kind, message: String::new(), param: None, code: None }
    }

    /// A bad request, for the reason said.
    pub fn bad(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), ..Failure::of(Kind::BadRequest) }
    }

    /// The same, naming the parameter and OpenAI's code.
    pub fn about(mut self, param: impl Into<String>, code: &'static str) -> Failure {
        self.param = Some(param.into());
        self.code = (!code.is_empty()).then_some(code);
        self
    }
}

/// An error as it goes over the wire.
#[derive(Debug)]
pub struct WireError {
    /// HTTP status.
    pub status: u16,
    /// Headers that belong to this error.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: serde_json::Value,
}

//! Which requests are answered from what is kept, and which answers are kept.

use super::control::Control;
use super::key::question;
use super::semantic::Question;
use crate::chat::{Request, ToolKind};
use crate::config::{CachePolicy, Exact, Similarity, When};
use crate::error::{ApiError, Blame};
use crate::json::Value;

/// What the cache does for one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Handling {
    /// The answer to the same request is good, if it is less old than this, in seconds.
    pub exact: Option<u64>,
    /// So is one to a question that is so similar and less old than this, in seconds.
    pub semantic: Option<(Similarity, u64)>,
    /// A new answer is kept for so many seconds.
    pub keep: Option<u64>,
    /// What is asked, where an answer to a similar question would do, and this one's for such.
    pub question: Option<Question>,
    /// No provider is to be asked.
    pub only_if_cached: bool,
}

/// What became of a request, as `x-modelgate-cache` says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// It was answered by the answer to the same request.
    Hit,
    /// By the answer to a similar question.
    Semantic,
    /// There was no answer.
    Miss,
    /// None was looked for.
    Bypass,
}

impl Status {
    /// The word in the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Semantic => "semantic",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

impl Handling {
    /// What is done for a request, by what the configuration says of the name it asks for and what
    /// the client says.
    #[must_use]
    pub fn of(request: &Request<'_>, policy: CachePolicy, control: Control) -> Self {
        let nothing = Self { only_if_cached: control.only_if_cached, ..Self::default() };
        if control.no_store || asks_for_more(request) {
            return nothing;
        }
        let exact = policy.exact.filter(|exact| is_for(*exact, request));
        let semantic = policy
            .semantic
            .and_then(|semantic| Some((semantic, Question::read(&question(request)?.decode())?)));
        let (semantic, question) = semantic.unzip();
        let keep = exact.map(|exact| exact.ttl).max(semantic.map(|semantic| semantic.ttl));
        if control.no_cache {
            return Self { keep, question, ..nothing };
        }
        Self {
            exact: exact.map(|exact| control.freshness(exact.ttl)),
            semantic: semantic.map(|semantic| (semantic.threshold, control.freshness(semantic.ttl))),
            keep,
            question,
            ..nothing
        }
    }

    /// What the header says where nothing was found.
    #[must_use]
    pub fn without_answer(&self) -> Status {
        if self.exact.is_some() || self.semantic.is_some() { Status::Miss } else { Status::Bypass }
    }
}

/// What a client is told that wanted an answer only if there is one here; RFC 9111 gives the status.
#[must_use]
pub fn not_cached() -> ApiError {
    let message = "`only-if-cached` was asked for, and no answer is cached";
    ApiError::new(504, "invalid_request_error", message).coded("not_cached").blaming(Blame::Request)
}

/// Whether the request is for more than an answer that can be given again: it is also to be stored at
/// the provider, or its sound is, to be referred to for a while.
fn asks_for_more(request: &Request<'_>) -> bool {
    let stores = request.get("store").and_then(Value::bool) == Some(true);
    let mut modalities = request.get("modalities").into_iter().flat_map(Value::items);
    stores || modalities.any(|modality| modality.says("audio"))
}

fn is_for(exact: Exact, request: &Request<'_>) -> bool {
    match exact.when {
        When::Always => true,
        // What a provider's own tools find is another thing each time.
        When::Deterministic => {
            request.temperature == Some(0.0)
                && request.get("web_search_options").is_none()
                && !request.tools.iter().any(|tool| tool.kind == ToolKind::Other)
        }
    }
}

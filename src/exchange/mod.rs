//! One client request, from its headers to the plan it is forwarded with.
//!
//! Knows no host: what arrives are values, what comes out is a [`Step`]. The answer itself does not
//! pass through here: each attempt turns its provider's answer into the client's form, and only
//! what Envoy says by itself, when no provider answered, is put into OpenAI's words here.

mod chat;
mod content;
mod embedding;
mod embeddings;
mod endpoint;
mod excerpt;
mod explain;
mod feedback;
mod hosts;
mod judge;
mod kept;
mod lesson;
mod local;
mod memory;
mod meter;
mod needs;
mod notes;
mod order;
mod prepare;
mod prices;
mod recent;
mod room;
mod several;
mod status;
mod task;
#[cfg(test)]
mod tests;
mod told;
mod trials;
mod wishes;

pub use content::CONTENT_RULES;
pub use endpoint::Service;
pub use excerpt::{Excerpt, prompt};
pub use hosts::CLUSTERS;
pub use kept::{Caching, Keep};
pub use local::{is_limited, is_long, is_unsent, local_reply};
pub use memory::Memory;
pub use meter::{Books, Item, Meter, Statement, Used, reported};
pub use several::{Findings, Several};
pub use told::{About, Told};
pub use trials::Trials;
pub use wishes::{PREFIX, Wishes};

use crate::auth::{self, Credentials, Denied, Token};
use crate::cache::{Control, Key};
use crate::chat::{Before, JSON, Request};
use crate::classify::{Classifier, Verdict};
use crate::config::{Config, Consumer};
use crate::error::ApiError;
use crate::json::{Document, Error, Surrogates, Value};
use crate::names::ArmName;
use crate::observe::Record;
use crate::plan::{Operation, Plan};
use crate::route::{self, Needs, Unresolved};
use crate::time::Timestamp;
use crate::trim::Trimmed;
use endpoint::Endpoint;
use kept::{Look, look_up};
use needs::{Asked, Asks};
use order::{Terms, arrange};
use prepare::{Prepared, prepare};
use std::rc::Rc;

/// The head of a client's request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'h> {
    /// `:method`.
    pub method: &'h [u8],
    /// `:path`, with its query.
    pub path: &'h [u8],
    /// `content-type`.
    pub content_type: Option<&'h [u8]>,
    /// `content-length`.
    pub content_length: Option<&'h [u8]>,
    /// Whether no body follows.
    pub ends: bool,
    /// What says who asks.
    pub credentials: Credentials<'h>,
    /// A token that Envoy has verified.
    pub token: Option<&'h Token>,
    /// For whom the gateway itself asks, if it does; an error if it says so and does not.
    pub caller: Option<Result<&'h Rc<Consumer>, Denied>>,
}

/// What is known of a request besides its body.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// What is asked for.
    pub service: Service,
    /// Who asks.
    pub consumer: &'a Rc<Consumer>,
    /// The request's id (`x-request-id`).
    pub request_id: &'a str,
    /// What the client says about cached answers.
    pub control: Control,
    /// Whether an answer under this key is on its way, so that the request waits for it; asked at most once, and never
    /// without need.
    pub joins: &'a dyn Fn(&Key) -> bool,
    /// What models have said that were asked on its behalf.
    pub told: &'a Told,
    /// What tells kinds of request apart; none where they are not.
    pub classifier: Option<&'a Classifier>,
    /// What the client wishes for by its headers.
    pub wishes: &'a Wishes,
    /// Where it is noted what is found out about it.
    pub record: &'a Record,
}

/// What the filter does next with the request.
#[derive(Debug)]
pub enum Step {
    /// Hold the request, which is for this, until its whole body is there.
    Hold(Service),
    /// Hold it until the same request, which is on its way, has been answered; then look again.
    Wait(Key),
    /// Hold it until the gateway has been answered what it asks itself; then look again. Meanwhile the same request may wait for
    /// the answer under this key, until then.
    Call(Call, Option<(Key, Timestamp)>),
    /// Hold it while several calls make its answer.
    Orchestrate(Box<Several>),
    /// Let it go to the plan's first target.
    Forward(Box<Forward>),
    /// Answer from here.
    Reply(Reply),
}

/// A request of the gateway's own, to itself.
#[derive(Debug, Eq, PartialEq)]
pub struct Call {
    /// The endpoint's path; the method is POST.
    pub path: &'static str,
    /// A JSON text.
    pub body: Vec<u8>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u32,
    /// What is asked.
    pub about: About,
}

/// How a request is forwarded.
#[derive(Debug)]
pub struct Forward {
    /// Who answers, in which order.
    pub plan: Plan,
    /// The body, where it changes.
    pub body: Option<Vec<u8>>,
    /// What was reserved for it; none where nothing is counted.
    pub meter: Option<Box<Meter>>,
    /// What the cache does for it; none where no answers are kept.
    pub caching: Option<Caching>,
    /// What kind of request it is, where that is told.
    pub verdict: Option<Box<Verdict>>,
    /// The route that was asked for, if it is one.
    pub route: Option<Rc<str>>,
    /// The arm of its experiment.
    pub arm: Option<ArmName>,
    /// What is sent in the place of what the client sent, where that has no room: how many messages were left out, and the rest.
    pub truncated: Option<Trimmed>,
    /// What is sent in the place of that, where content rules take something out.
    pub redacted: Option<Vec<u8>>,
    /// How its targets' health hears of its attempts.
    pub trials: Trials,
    /// What calls have used that its answer is made of.
    pub before: Option<Rc<Before>>,
    /// For whom a stream is gone on with that breaks; none where none is.
    pub continues: Option<Rc<Consumer>>,
    /// How long an attempt may take until its answer is let go, in milliseconds; none where that is
    /// left to Envoy's configuration.
    pub attempt_ms: Option<u64>,
}

/// An answer of the gateway's own.
#[derive(Debug, Eq, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `content-type`.
    pub content_type: &'static str,
    /// Other headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How many tokens it would have used, had a provider been asked; none where that does not come into question.
    pub saved: Option<u64>,
    /// What kind of request it is an answer to, where that is told.
    pub verdict: Option<Box<Verdict>>,
}

impl Reply {
    /// A JSON text that is what was asked for.
    fn json(body: Vec<u8>) -> Self {
        Self { status: 200, content_type: JSON, headers: Vec::new(), body, saved: None, verdict: None }
    }
}

impl From<Reply> for Box<Step> {
    fn from(reply: Reply) -> Self {
        Self::new(Step::Reply(reply))
    }
}

impl From<ApiError> for Box<Step> {
    fn from(error: ApiError) -> Self {
        Reply::from(error).into()
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        let headers = error.retry_after.map(|seconds| ("retry-after", seconds.to_string()));
        Self { status: error.status, headers: headers.into_iter().collect(), ..Self::json(error.to_json()) }
    }
}

impl From<Denied> for Reply {
    fn from(denied: Denied) -> Self {
        // RFC 9110, section 15.5.2: a 401 says how to authenticate.
        Self { headers: vec![("www-authenticate", "Bearer".to_string())], ..ApiError::from(denied).into() }
    }
}

/// Who asks, where that has to be known, and what to do with a request of this head.
#[must_use]
pub fn on_head(head: Head<'_>, config: &Config, books: Books<'_>) -> (Option<Rc<Consumer>>, Step) {
    let now = books.now.seconds();
    let asks = || match head.caller {
        Some(caller) => caller.map(Rc::clone),
        None => auth::identify(config.auth(), head.credentials, head.token, now),
    };
    let to_consumer = |serve: &dyn Fn(&Consumer) -> Step| match asks() {
        Ok(consumer) => {
            let step = serve(&consumer);
            (Some(consumer), step)
        }
        Err(denied) => (None, Step::Reply(denied.into())),
    };
    match endpoint::of(head.method, head.path) {
        Ok(Endpoint::Service(service)) => to_consumer(&|_| match accept(head, config) {
            Ok(()) => Step::Hold(service),
            Err(error) => Step::Reply(error.into()),
        }),
        Ok(Endpoint::Health) => (None, Step::Reply(Reply::json(br#"{"status":"ok"}"#.to_vec()))),
        Ok(Endpoint::Page | Endpoint::Status) if !config.auth().has_admin() => {
            (None, Step::Reply(endpoint::not_found(head.method, head.path).into()))
        }
        Ok(what @ (Endpoint::Page | Endpoint::Status)) => {
            match auth::identify_admin(config.auth(), head.credentials, head.token, now) {
                Ok(consumer) if what == Endpoint::Page => (Some(consumer), Step::Reply(status::page())),
                Ok(consumer) => (Some(consumer), Step::Reply(status::status(config, books))),
                Err(denied) => (None, Step::Reply(status::refused(denied))),
            }
        }
        Ok(Endpoint::Models) => to_consumer(&|asks| Step::Reply(endpoint::models(config, asks, now))),
        Ok(Endpoint::Model(name)) => {
            to_consumer(&|asks| Step::Reply(endpoint::model(config, asks, &name, now)))
        }
        Err(reply) => (None, Step::Reply(reply)),
    }
}

/// What to do with a request of this body.
#[must_use]
pub fn on_body(body: &[u8], asking: Asking<'_>, config: &Config, books: Books<'_>) -> Step {
    forward(body, asking, config, books)
        .map_or_else(|instead| *instead, |forward| Step::Forward(Box::new(forward)))
}

/// Refuses what needs no look at the body.
fn accept(head: Head<'_>, config: &Config) -> Result<(), ApiError> {
    if let Some(found) = head.content_type
        && !is_json(found)
    {
        let found = String::from_utf8_lossy(found);
        let message = format!("unsupported content type '{found}': expected 'application/json'");
        return Err(ApiError { status: 415, ..ApiError::invalid_request(message) });
    }
    if head.ends {
        return Err(ApiError::invalid_request("the body is empty: expected a JSON object"));
    }
    let length = head.content_length.and_then(|length| std::str::from_utf8(length).ok()?.parse::<u64>().ok());
    let limit = config.bounds().request_bytes;
    match length {
        Some(length) if length > limit as u64 => Err(too_large(limit)),
        _ => Ok(()),
    }
}

fn too_large(limit: usize) -> ApiError {
    let message = format!("the body is larger than this gateway's limit of {limit} bytes");
    ApiError { status: 413, ..ApiError::invalid_request(message).coded("request_too_large") }
}

/// `application/json` or any `+json`, with any parameters.
fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/json") || essence.to_ascii_lowercase().ends_with(b"+json")
}

/// How the request is forwarded, or what is done instead.
fn forward(body: &[u8], asking: Asking<'_>, config: &Config, books: Books<'_>) -> Result<Forward, Box<Step>> {
    if body.len() > config.bounds().request_bytes {
        return Err(too_large(config.bounds().request_bytes).into());
    }
    if body.trim_ascii().is_empty() {
        return Err(ApiError::invalid_request("the body is empty: expected a JSON object").into());
    }
    let document = Document::parse(body, Surrogates::Paired).map_err(not_json)?;
    match asking.service {
        Service::Chat => chat::forward(body, document.root(), None, asking, config, books),
        Service::Embeddings => embeddings::forward(body, document.root(), None, asking, config, books),
        Service::Explain => Err(explain::explain(body, document.root(), 0, asking, config, books)?.into()),
        Service::Feedback => Err(feedback::take(document.root(), asking, config, books)?.into()),
    }
}

fn not_json(error: Error) -> ApiError {
    let refused =
        ApiError::invalid_request(format!("the body is not valid JSON: {error}")).coded("invalid_json");
    if error.path.is_empty() { refused } else { refused.at(error.path) }
}

fn unresolved(error: Unresolved) -> ApiError {
    let (message, unsupported, constraint) = (error.to_string(), error.unsupported(), error.constraint());
    match error {
        Unresolved::Unknown { .. } => {
            ApiError { status: 404, ..ApiError::invalid_param("model", message).coded("model_not_found") }
        }
        Unresolved::NotAllowed { .. } => forbidden(message).coded("model_not_allowed"),
        Unresolved::NoRegion { .. } => forbidden(message).coded("region_not_allowed"),
        Unresolved::NotWarranted { .. } => forbidden(message).coded("tag_required"),
        Unresolved::Incapable { .. } => match unsupported {
            Some(member) => ApiError::invalid_param(member, message).coded("unsupported_parameter"),
            None => ApiError::invalid_param("messages", message).coded("context_length_exceeded"),
        },
        Unresolved::Unfit { .. } => {
            ApiError::invalid_param(constraint.unwrap_or_default(), message).coded("constraint_not_met")
        }
        Unresolved::Nobody { .. } => ApiError::new(503, "server_error", message).coded("no_provider"),
    }
}

fn forbidden(message: String) -> ApiError {
    ApiError { status: 403, ..ApiError::invalid_param("model", message) }
}

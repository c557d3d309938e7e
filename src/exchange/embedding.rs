//! The vector of a question, from a model: what the gateway asks itself for it, and what it makes of the answer.

use super::{About, Call};
use crate::cache::semantic::Vector;
use crate::config::Embedder;
use crate::embeddings;
use crate::json::{self, Value};

/// What is known of the vector of a request's question, where a model makes it.
#[derive(Debug, Default)]
pub enum Embedding {
    /// It has not been asked for.
    #[default]
    Unasked,
    /// It is there.
    Made(Vector),
    /// It was asked for, and cannot be had.
    Unmade,
}

/// The call that asks for the vector of a text.
pub(super) fn call(embedder: &Embedder, text: &str) -> Call {
    let mut body = Vec::with_capacity(text.len().saturating_add(128));
    json::object(&mut body, |body| {
        body.string("model", &embedder.model);
        body.string("input", text);
        if let Some(dimensions) = embedder.dimensions {
            body.number("dimensions", dimensions);
        }
        body.string("encoding_format", "float");
    });
    Call { path: "/v1/embeddings", body, timeout_ms: embedder.timeout_ms, about: About::Vector }
}

/// The vector in the answer to such a call.
///
/// # Errors
/// What is there in its place, for the log: nothing of what was asked is in it.
pub(super) fn embedding(answer: Value<'_>) -> Result<Vector, &'static str> {
    let first = answer.get("data").and_then(|data| data.items().next());
    let made = first.and_then(|first| first.get("embedding")).ok_or("an answer without an embedding")?;
    let direction = embeddings::Vector::read(made).and_then(|made| Vector::of(&made.0));
    direction.ok_or("an embedding that is no vector")
}

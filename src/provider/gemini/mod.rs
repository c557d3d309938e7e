//! Google's `generateContent`, on the Gemini API and on Vertex AI.
//!
//! Requests: `request` says the parameters, `contents` the conversation, `tools` the tools;
//! what differs between models is in `models`. Answers, whole and streamed, are chunks of one
//! form, which `answer` reads.

mod answer;
mod call;
mod citations;
mod contents;
mod embeddings;
mod error;
mod fits;
mod ids;
mod logprobs;
mod media;
mod models;
mod partial;
mod pieces;
mod request;
mod schema;
mod stream;
mod tools;
mod words;

use super::{Adapter, Embeds, Emit, Outgoing, StreamReader, Target, Vectors};
use crate::chat::Request;
use crate::embeddings::Wanted;
use crate::error::ApiError;
use crate::json::Value;
use contents::Conversation;
use models::Model;

/// The dialect of Gemini. The base URL ends in the version (`…/v1beta`), or on Vertex AI in
/// `…/publishers/google`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gemini;

impl Adapter for Gemini {
    fn fits(&self, request: &Request<'_>, target: Target<'_>) -> Result<(), ApiError> {
        let model = Model::named(target.model);
        fits::check(request, model)?;
        Conversation::read(request, model).map(drop)
    }

    fn path(&self, target: Target<'_>, stream: bool) -> String {
        let model = encoded(target.model.strip_prefix("models/").unwrap_or(target.model));
        let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
        format!("/models/{model}:{method}")
    }

    fn credential(&self, key: &str) -> (&'static str, String) {
        ("x-goog-api-key", key.to_string())
    }

    fn request(&self, request: &Request<'_>, target: Target<'_>) -> Result<Outgoing, ApiError> {
        request::write(request, target)
    }

    fn answer(&self, body: Value<'_>, emit: Emit<'_>) {
        answer::whole(body, emit);
    }

    fn stream(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Stream::default())
    }

    fn embeddings_path(&self, target: Target<'_>) -> String {
        format!("/models/{}:batchEmbedContents", encoded(embeddings::model(target)))
    }

    fn embeds(&self) -> Option<&'static Embeds> {
        Some(&embeddings::EMBEDS)
    }

    fn embeddings(
        &self,
        _: &[u8],
        request: &crate::embeddings::Request<'_>,
        target: Target<'_>,
    ) -> Result<Outgoing, ApiError> {
        self.fits_embeddings(request, target).map(|_| embeddings::write(request, target))
    }

    fn embedded(
        &self,
        _: &[u8],
        answer: Value<'_>,
        wanted: Wanted,
        target: Target<'_>,
    ) -> Result<Vectors, ApiError> {
        embeddings::read(answer, wanted, target)
    }

    fn error(&self, status: u16, body: &[u8]) -> ApiError {
        error::of_body(status, body)
    }
}

/// A name as one segment of a path: nothing in it can end the segment.
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Several members of an object in one pass; like [`Value::get`], none where it is `null`.
fn fields<'d, const N: usize>(object: Value<'d>, names: [&str; N]) -> [Option<Value<'d>>; N] {
    let mut found = [None; N];
    for (key, value) in object.entries() {
        let Some(key) = key.text() else { continue };
        let slot = found.iter_mut().zip(names).find(|(_, name)| key == *name);
        if let Some((slot, _)) = slot {
            *slot = Some(value).filter(|value| !value.is_null());
        }
    }
    found
}

#[cfg(test)]
mod tests;

//! Anthropic's Messages API.
//!
//! Sources: Anthropic's API reference and recorded traffic. A request is decided (`request::Plan`) and
//! then written; answers are read block by block, whole or streamed, and what is not meant for a chat
//! client (server tools, compaction, fallback marks) never becomes a tool call of the client's.

mod answer;
mod citations;
mod content;
mod error;
mod media;
mod messages;
mod models;
mod request;
mod schema;
mod stream;
mod thinking;
mod tools;

#[cfg(test)]
mod tests;

use super::{Adapter, Emit, Outgoing, StreamReader, Target};
use crate::chat::Request;
use crate::error::ApiError;
use crate::json::Value;
use std::borrow::Cow;

/// Speaks the Messages API; the base URL ends in `/v1`.
#[derive(Clone, Copy, Debug)]
pub struct Anthropic;

impl Adapter for Anthropic {
    fn fits(&self, request: &Request<'_>, target: Target<'_>) -> Result<(), ApiError> {
        request::Plan::of(request, target).map(|_| ())
    }

    fn path(&self, _: Target<'_>, _: bool) -> String {
        "/messages".to_string()
    }

    fn credential(&self, key: &str) -> (&'static str, String) {
        ("x-api-key", key.to_string())
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn request(&self, request: &Request<'_>, target: Target<'_>) -> Result<Outgoing, ApiError> {
        Ok(request::Plan::of(request, target)?.write())
    }

    fn answer(&self, body: Value<'_>, emit: Emit<'_>) {
        answer::read(body, emit);
    }

    fn stream(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    fn error(&self, status: u16, body: &[u8]) -> ApiError {
        error::read(status, body)
    }
}

/// Notes that a parameter is left out, once.
fn lose(outgoing: &mut Outgoing, parameter: impl Into<Cow<'static, str>>) {
    let parameter = parameter.into();
    if !outgoing.dropped.contains(&parameter) {
        outgoing.dropped.push(parameter);
    }
}

//! The canonical words of embeddings: OpenAI's request, and the vectors of an answer in either form.
//!
//! Clients ask for numbers or for base64 of them (OpenAI's own SDKs do), providers answer in what they know; [`Encoding`] is
//! what a vector is put into where the two differ.

mod encoding;
mod request;

pub use encoding::{Encoding, Vector};
pub use request::{Input, Request};

use crate::json;

/// Writes the `usage` of an answer whose input has so many tokens.
pub fn write_usage(out: &mut Vec<u8>, tokens: u64) {
    json::object(out, |usage| {
        usage.number("prompt_tokens", tokens);
        usage.number("total_tokens", tokens);
    });
}

#[cfg(test)]
mod tests;

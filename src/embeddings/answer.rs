//! What an answer has to be like, whoever gives it.

use super::Encoding;
use crate::error::ApiError;
use crate::json;

/// What is wanted of an answer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// The form of the vectors.
    pub encoding: Encoding,
    /// How many vectors: one of each input.
    pub vectors: u64,
    /// How many numbers each has, where the client said so.
    pub dimensions: Option<u64>,
    /// How many tokens the input is expected to have, for providers that do not say.
    pub tokens: u64,
}

impl Wanted {
    /// Whether that is what has come: vectors with so many numbers each.
    ///
    /// # Errors
    /// 502, and the target is to blame.
    pub fn check(&self, lengths: &[usize]) -> Result<(), ApiError> {
        let bad = |what: String| Err(ApiError::bad_answer(format!("the provider sent {what}")));
        let (found, wanted) = (lengths.len(), self.vectors);
        if found as u64 != wanted {
            return bad(format!("embeddings of another number than the inputs: {found} of {wanted}"));
        }
        let Some(first) = lengths.first() else { return Ok(()) };
        if let Some(other) = lengths.iter().find(|length| *length != first) {
            return bad(format!("embeddings of unequal lengths: {first} and {other}"));
        }
        match self.dimensions {
            Some(dimensions) if dimensions != *first as u64 => {
                bad(format!("embeddings of another length than was asked for: {first}, not {dimensions}"))
            }
            _ => Ok(()),
        }
    }
}

/// Writes the `usage` of an answer whose input has so many tokens.
pub fn write_usage(out: &mut Vec<u8>, tokens: u64) {
    json::object(out, |usage| {
        usage.number("prompt_tokens", tokens);
        usage.number("total_tokens", tokens);
    });
}

//! Reads a streamed answer, chunk by chunk.
//!
//! The stream has no end mark: it is complete when it ends after every candidate gave its finish
//! reason, and was cut where one did not. Errors may stand in it as bare JSON.

use super::answer::Answer;
use crate::error::ApiError;
use crate::json::{Document, Nodes, Surrogates};
use crate::provider::{Emit, StreamReader};

/// A stream being read.
#[derive(Debug, Default)]
pub(super) struct Stream {
    nodes: Nodes,
    answer: Answer,
}

impl StreamReader for Stream {
    fn read(&mut self, _name: &[u8], data: &[u8], emit: Emit<'_>) {
        // Proxies like to end every stream the same way.
        if !matches!(data.trim_ascii(), b"" | b"[DONE]") {
            self.json(data, emit);
        }
    }

    fn finish(&mut self, stray: &[u8], emit: Emit<'_>) {
        if !stray.trim_ascii().is_empty() {
            self.json(stray, emit);
        }
        if self.answer.is_complete() {
            self.answer.end(emit);
        }
    }
}

impl Stream {
    fn json(&mut self, text: &[u8], emit: Emit<'_>) {
        match Document::reusing(std::mem::take(&mut self.nodes), text, Surrogates::Lone) {
            Ok(document) => {
                self.answer.read(document.root(), emit);
                self.nodes = document.into_nodes();
            }
            Err(error) => {
                let message = format!("expected a GenerateContentResponse as JSON: {error}");
                self.answer.fail(ApiError::bad_answer(message), emit);
            }
        }
    }
}

//! A streamed answer, chunk by chunk.

use super::choice::Choices;
use super::{answer, error, usage};
use crate::chat::Event;
use crate::error::ApiError;
use crate::json::{Document, Kind, Nodes, Surrogates, Value};
use crate::provider::{Emit, StreamReader};

/// What is known of the stream so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    nodes: Nodes,
    choices: Choices,
    ended: bool,
}

impl StreamReader for Reader {
    fn read(&mut self, name: &[u8], data: &[u8], emit: Emit<'_>) {
        let data = data.trim_ascii();
        if self.ended || data.is_empty() || name == b"ping" {
            return;
        }
        if data == b"[DONE]" {
            self.ended = true;
            return emit(Event::End);
        }
        match Document::reusing(std::mem::take(&mut self.nodes), data, Surrogates::Lone) {
            Ok(document) => {
                let root = document.root();
                if name == b"error" || error::is_one(root) {
                    self.fail(error::in_band(root), emit);
                } else if root.kind() == Kind::Object {
                    self.chunk(root, emit);
                } else {
                    let found = root.kind().as_str();
                    let message = format!("expected a chunk of a chat completion, found {found}");
                    self.fail(ApiError::bad_answer(message), emit);
                }
                self.nodes = document.into_nodes();
            }
            Err(_) if name == b"error" => self.fail(error::in_band_text(data), emit),
            Err(fault) => {
                let message = format!("expected a chunk of a chat completion, found bad JSON: {fault}");
                self.fail(ApiError::bad_answer(message), emit);
            }
        }
    }

    fn finish(&mut self, stray: &[u8], emit: Emit<'_>) {
        if self.ended {
            return;
        }
        let stray = stray.trim_ascii();
        if !stray.is_empty() {
            self.stray(stray, emit);
        }
        // Not all send `[DONE]`; an answer of which a finish is missing was cut off.
        if !self.ended && self.choices.complete() {
            self.ended = true;
            emit(Event::End);
        }
    }
}

impl Reader {
    fn chunk(&mut self, chunk: Value<'_>, emit: Emit<'_>) {
        if self.choices.answer.is_empty()
            && let Some(id) = answer::start(chunk, emit)
        {
            self.choices.answer = id.as_bytes().to_vec();
        }
        answer::members(chunk, false, emit);
        let mut failed = false;
        if let Some(choices) = chunk.get("choices") {
            self.choices.read(choices, &mut |event| {
                failed |= matches!(event, Event::Error(_));
                emit(event);
            });
        }
        self.ended |= failed;
        if let Some(usage) = usage::find(chunk) {
            emit(Event::Usage(usage));
        }
    }

    /// Text outside of the events: an error, or a whole answer although a stream was asked for.
    fn stray(&mut self, stray: &[u8], emit: Emit<'_>) {
        match Document::parse(stray, Surrogates::Lone) {
            Ok(document) if error::is_one(document.root()) => {
                self.fail(error::in_band(document.root()), emit);
            }
            Ok(document) if document.root().get("choices").is_some() => {
                self.ended = true;
                answer::read(document.root(), emit);
            }
            _ if self.choices.complete() => {}
            _ => {
                let message = "expected server-sent events, found something else";
                self.fail(ApiError::bad_answer(message), emit);
            }
        }
    }

    fn fail(&mut self, error: ApiError, emit: Emit<'_>) {
        self.ended = true;
        emit(Event::Error(error));
    }
}

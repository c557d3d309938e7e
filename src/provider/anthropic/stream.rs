//! A streamed Message as events.
//!
//! Content blocks carry Anthropic's own index; what a block is, is remembered under it, so that a
//! fragment always goes to the block it belongs to and fragments of blocks that are not for the
//! client go nowhere. The reason and the end are told only with `message_stop`: a stream cut before
//! it is a failure and must not look complete.

use super::answer::{self, Count, Tokens};
use super::error;
use crate::chat::{Delta, Event, FinishReason, Thinking};
use crate::error::ApiError;
use crate::json::{Document, Nodes, Surrogates, Text, Value};
use crate::provider::{Emit, StreamReader};

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    nodes: Nodes,
    open: Vec<(u64, Block)>,
    count: Count,
    tokens: Tokens,
    started: bool,
    reason: Option<FinishReason>,
    explanation: Option<Text<'static>>,
}

/// A content block that has begun.
#[derive(Debug)]
enum Block {
    Text,
    /// A call of the client's tools.
    Call {
        index: u32,
        input: Input,
    },
    /// The call whose input is the answer itself.
    Answer(Input),
    /// Thinking; its number once there is anything in it.
    Thinking(Option<u32>),
    /// Not for the client: server tools, their results, compaction, fallback marks, unknown ones.
    Silent,
}

/// How far a call's input has come.
#[derive(Debug)]
enum Input {
    /// Nothing streamed; what stood in the block's start, if anything.
    Waiting(Option<Text<'static>>),
    Streamed,
}

impl Input {
    fn of(block: Value<'_>) -> Self {
        Self::Waiting(answer::input(block).map(Text::into_owned))
    }

    /// What is still to be said when the block ends.
    fn rest(&mut self) -> Option<Text<'static>> {
        match std::mem::replace(self, Self::Streamed) {
            Self::Waiting(input) => input,
            Self::Streamed => None,
        }
    }
}

impl StreamReader for Reader {
    fn read(&mut self, name: &[u8], data: &[u8], emit: Emit<'_>) {
        if data.trim_ascii() == b"[DONE]" || data.trim_ascii().is_empty() {
            return;
        }
        let nodes = std::mem::take(&mut self.nodes);
        let document = match Document::reusing(nodes, data, Surrogates::Lone) {
            Ok(document) => document,
            Err(fault) => {
                let message = format!("expected a JSON event in the provider's stream: {fault}");
                return emit(Event::Error(ApiError::bad_answer(message)));
            }
        };
        self.event(name, document.root(), emit);
        self.nodes = document.into_nodes();
    }

    fn finish(&mut self, stray: &[u8], emit: Emit<'_>) {
        let document = Document::parse(stray, Surrogates::Lone).ok();
        if let Some(error) = document.and_then(|document| error::of(document.root(), None)) {
            emit(Event::Error(error));
        }
    }
}

impl Reader {
    fn event(&mut self, name: &[u8], event: Value<'_>, emit: Emit<'_>) {
        let kind = event.get("type").and_then(Value::text);
        let kind = kind.as_ref().map_or(name, Text::as_bytes);
        match kind {
            b"content_block_delta" => self.delta(event, emit),
            b"content_block_start" => self.block_start(event, emit),
            b"content_block_stop" => self.block_stop(event, emit),
            b"message_start" => self.message_start(event, emit),
            b"message_delta" => self.message_delta(event, emit),
            b"message_stop" => self.message_stop(emit),
            _ => {
                if let Some(error) = error::of(event, None) {
                    emit(Event::Error(error));
                } else if kind == b"error" || kind.is_empty() {
                    let message = "expected an event of a Message in the provider's stream";
                    emit(Event::Error(ApiError::bad_answer(message)));
                }
            }
        }
    }

    fn message_start(&mut self, event: Value<'_>, emit: Emit<'_>) {
        let Some(message) = event.get("message") else { return };
        emit(answer::start(message));
        self.used(message, emit);
        // Content that stands here already is not streamed again; a second start repeats it.
        if !std::mem::replace(&mut self.started, true) {
            for block in message.get("content").into_iter().flat_map(Value::items) {
                self.count.block(block, emit);
            }
            self.stopped(message);
        }
    }

    fn message_delta(&mut self, event: Value<'_>, emit: Emit<'_>) {
        if let Some(delta) = event.get("delta") {
            self.stopped(delta);
        }
        self.used(event, emit);
    }

    fn message_stop(&mut self, emit: Emit<'_>) {
        for (_, mut block) in std::mem::take(&mut self.open) {
            block.close(emit);
        }
        self.count.citations.tell(emit);
        if let Some(explanation) = self.explanation.take() {
            emit(Event::Delta { choice: 0, delta: Delta::Refusal(explanation) });
        }
        emit(Event::Finish { choice: 0, reason: self.reason.unwrap_or(FinishReason::Stop) });
        emit(Event::End);
    }

    fn used(&mut self, holder: Value<'_>, emit: Emit<'_>) {
        if let Some(usage) = holder.get("usage") {
            self.tokens.take(usage);
            emit(Event::Usage(self.tokens.usage()));
        }
    }

    fn stopped(&mut self, holder: Value<'_>) {
        let Some(reason) = holder.get("stop_reason").and_then(Value::text) else { return };
        let reason = answer::reason_named(&reason);
        self.reason = Some(reason);
        let explanation = answer::explanation(holder).filter(|_| reason == FinishReason::ContentFilter);
        self.explanation = explanation.map(Text::into_owned);
    }

    fn block_start(&mut self, event: Value<'_>, emit: Emit<'_>) {
        let Some(content) = event.get("content_block") else { return };
        let block = if answer::is(content, "text") {
            self.count.block(content, emit);
            Block::Text
        } else if answer::is_call(content) {
            match answer::is_answer(content) {
                true => Block::Answer(Input::of(content)),
                false => Block::Call { index: self.count.call(content, emit), input: Input::of(content) },
            }
        } else if answer::is(content, "thinking") {
            let mut block = Block::Thinking(None);
            let text = |key: &str| content.get(key).and_then(Value::text);
            block.think(text("thinking").map(Thinking::Text), &mut self.count, emit);
            block.think(text("signature").map(Thinking::Signature), &mut self.count, emit);
            block
        } else {
            self.count.block(content, emit);
            Block::Silent
        };
        let index = index(event);
        // An index that comes again without an end in between begins a new block.
        if let Some(at) = self.open.iter().position(|(open, _)| *open == index) {
            self.open.swap_remove(at).1.close(emit);
        }
        self.open.push((index, block));
    }

    fn delta(&mut self, event: Value<'_>, emit: Emit<'_>) {
        let Some(delta) = event.get("delta") else { return };
        let text = |key: &str| delta.get(key).and_then(Value::text).filter(|text| !text.is_empty());
        let index = index(event);
        let block = self.open.iter_mut().find(|(open, _)| *open == index).map(|(_, block)| block);
        let mut say = |delta| emit(Event::Delta { choice: 0, delta });
        match block {
            // Without its start a block is known by what comes of it.
            Some(Block::Text) | None => {
                if let Some(text) = text("text") {
                    self.count.citations.text(&text);
                    say(Delta::Text(text));
                }
                if let Some(citation) = delta.get("citation") {
                    self.count.citations.cite(citation);
                }
            }
            Some(Block::Call { index, input }) => {
                if let Some(fragment) = text("partial_json") {
                    *input = Input::Streamed;
                    say(Delta::Arguments { index: *index, fragment });
                }
            }
            Some(Block::Answer(input)) => {
                if let Some(fragment) = text("partial_json") {
                    *input = Input::Streamed;
                    say(Delta::Text(fragment));
                }
            }
            Some(block @ Block::Thinking(_)) => {
                block.think(text("thinking").map(Thinking::Text), &mut self.count, emit);
                block.think(text("signature").map(Thinking::Signature), &mut self.count, emit);
            }
            Some(Block::Silent) => {}
        }
    }

    fn block_stop(&mut self, event: Value<'_>, emit: Emit<'_>) {
        let index = index(event);
        if let Some(at) = self.open.iter().position(|(open, _)| *open == index) {
            self.open.swap_remove(at).1.close(emit);
        }
        self.count.citations.close();
    }
}

impl Block {
    fn think(&mut self, piece: Option<Thinking<'_>>, count: &mut Count, emit: Emit<'_>) {
        let (Self::Thinking(number), Some(piece)) = (self, piece) else { return };
        let (Thinking::Text(text) | Thinking::Signature(text) | Thinking::Redacted(text)) = &piece;
        if !text.is_empty() {
            let block = *number.get_or_insert_with(|| count.thinking());
            emit(Event::Delta { choice: 0, delta: Delta::Thinking { block, piece } });
        }
    }

    /// Says what the block still owes.
    fn close(&mut self, emit: Emit<'_>) {
        let delta = match self {
            Self::Call { index, input } => {
                input.rest().map(|fragment| Delta::Arguments { index: *index, fragment })
            }
            Self::Answer(Input::Waiting(input)) => {
                Some(Delta::Text(input.take().unwrap_or_else(|| Text::of("{}"))))
            }
            _ => None,
        };
        if let Some(delta) = delta {
            emit(Event::Delta { choice: 0, delta });
        }
    }
}

fn index(event: Value<'_>) -> u64 {
    event.get("index").and_then(Value::u64).unwrap_or(0)
}

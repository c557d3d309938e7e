//! Writes an answer as OpenAI's `chat.completion.chunk` stream.
//!
//! What the official SDKs demand is kept whatever the provider did: one id for all chunks, the role
//! once per choice, names and ids of calls once, arguments that join to JSON, one finish per
//! choice, usage in a chunk of its own and only if asked for, `[DONE]` only after success.

use super::answer::{Progress, call_words, entry, google_signature, write_call};
use super::costs::Costs;
use super::event::{Delta, Event, FinishReason, Thinking, Usage};
use crate::error::ApiError;
use crate::json::{self, Object, Text, Value};
use std::borrow::Cow;

/// A stream being written.
#[derive(Debug)]
pub struct ChunkWriter {
    id: Text<'static>,
    model: Text<'static>,
    created: i64,
    members: Vec<(Text<'static>, Vec<u8>)>,
    /// The members that begin every chunk, rendered once.
    head: Vec<u8>,
    include_usage: bool,
    /// What is told of the cost with the usage, if anything.
    costs: Option<Costs>,
    functions: bool,
    usage: Option<Usage>,
    choices: Vec<Choice>,
    state: State,
}

#[derive(Debug, Default)]
struct Choice {
    progress: Progress,
    thinking: u32,
    signature: Option<Text<'static>>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum State {
    Open,
    Ended,
    Failed,
}

impl ChunkWriter {
    /// `id`, `model` and `created` stand where the provider gives none.
    #[must_use]
    pub fn new(id: &str, model: &str, created: i64, include_usage: bool) -> Self {
        Self {
            id: Text::of(id).into_owned(),
            model: Text::of(model).into_owned(),
            created,
            members: Vec::new(),
            head: Vec::new(),
            include_usage,
            costs: None,
            functions: false,
            usage: None,
            choices: Vec::new(),
            state: State::Open,
        }
    }

    /// Says a call as the legacy `function_call`, for a client that offered `functions`: there can
    /// be only one, the first.
    #[must_use]
    pub fn with_functions(self, functions: bool) -> Self {
        Self { functions, ..self }
    }

    /// Tells with the usage what it cost.
    #[must_use]
    pub fn with_costs(self, costs: Option<Costs>) -> Self {
        Self { costs, ..self }
    }

    /// Goes on with a stream that was passed on so far, and whose chunks began like `chunk`: so many choices have begun, and
    /// those in `ended` have ended.
    #[must_use]
    pub fn going_on(mut self, chunk: Value<'_>, choices: u32, ended: &[u32]) -> Self {
        let text = |key| chunk.get(key).and_then(Value::text);
        self.start(text("id"), text("model"), chunk.get("created").and_then(Value::i64));
        for index in 0..choices {
            if let Some(choice) = entry(&mut self.choices, index) {
                choice.progress.begun = true;
                choice.progress.finished = ended.contains(&index);
            }
        }
        self
    }

    /// Ends the stream although the provider has not: what has no finish yet has its length as the reason.
    pub fn stop(&mut self, usage: Usage, out: &mut Vec<u8>) {
        if self.state != State::Open || !self.begun() {
            return;
        }
        self.usage = Some(usage);
        for index in 0..u32::try_from(self.choices.len()).unwrap_or(u32::MAX) {
            if entry(&mut self.choices, index).is_some_and(|choice| choice.progress.begun) {
                self.finish_choice(index, FinishReason::Length, out);
            }
        }
        self.end(out);
    }

    /// Writes what the event comes to, if anything; nothing after the end.
    pub fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.state != State::Open {
            return;
        }
        match event {
            Event::Start { id, model, created } => self.start(id, model, created),
            Event::Member { key, value } => self.member(&key, value),
            Event::Delta { choice, delta } => self.delta(choice, delta, out),
            Event::Finish { choice, reason } => self.finish_choice(choice, reason, out),
            Event::Withheld { choice } => self.finish_choice(choice, FinishReason::ContentFilter, out),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Error(error) => self.fail(&error, out),
            Event::End => self.end(out),
        }
    }

    /// The bytes are over: without the provider's end mark that is a failure, and said to be one.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.state == State::Open {
            let error = ApiError::new(
                502,
                "server_error",
                "the provider's stream ended before the answer was complete",
            );
            self.fail(&error.coded("stream_interrupted"), out);
        }
    }

    /// Whether anything of the answer itself has been written.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.choices.iter().any(|choice| choice.progress.begun)
    }

    /// Whether every choice that began has its finish.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.begun() && self.choices.iter().all(|choice| choice.progress.finished || !choice.progress.begun)
    }

    /// Whether nothing more will be written.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.state != State::Open
    }

    /// Whether the stream ended in an error.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.state == State::Failed
    }

    /// What the provider said was used, so far.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn start(&mut self, id: Option<Text<'_>>, model: Option<Text<'_>>, created: Option<i64>) {
        // The first answer's names hold: clients expect one id for all chunks.
        if self.begun() {
            return;
        }
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.id = id.into_owned();
        }
        if let Some(model) = model.filter(|model| !model.is_empty()) {
            self.model = model.into_owned();
        }
        if let Some(created) = created.filter(|created| *created > 0) {
            self.created = created;
        }
        self.head.clear();
    }

    fn member(&mut self, key: &Text<'_>, value: &[u8]) {
        let value = &*on_one_line(value);
        match self.members.iter_mut().find(|(name, _)| name == key) {
            Some((_, known)) if known == value => return,
            Some((_, known)) => *known = value.to_vec(),
            None => self.members.push((key.clone().into_owned(), value.to_vec())),
        }
        self.head.clear();
    }

    fn delta(&mut self, index: u32, delta: Delta<'_>, out: &mut Vec<u8>) {
        if let Delta::Text(text) | Delta::Reasoning(text) | Delta::Refusal(text) = &delta
            && text.is_empty()
        {
            return;
        }
        self.begin(index, matches!(delta, Delta::Call { .. }), out);
        let Some(choice) = entry(&mut self.choices, index).filter(|choice| !choice.progress.finished) else {
            return;
        };
        match delta {
            Delta::Text(text) => self.chunk(out, index, |delta| delta.text("content", &text)),
            Delta::Reasoning(text) => self.chunk(out, index, |delta| delta.text("reasoning_content", &text)),
            Delta::Refusal(text) => self.chunk(out, index, |delta| delta.text("refusal", &text)),
            Delta::Thinking { block, piece } => {
                let first = block >= choice.thinking;
                choice.thinking = choice.thinking.max(block.saturating_add(1));
                self.chunk(out, index, |delta| thinking(delta, block, first, &piece));
            }
            Delta::Signature(signature) => choice.signature = Some(signature.into_owned()),
            Delta::Call { index: call, id, name, custom, signature } => {
                choice.progress.call(call, custom);
                if self.functions {
                    let first = call == 0;
                    return if first {
                        self.function_call(out, index, Some(&name), &Text::default())
                    };
                }
                self.chunk(out, index, |delta| {
                    delta.array("tool_calls", |calls| {
                        calls.object(|entry| {
                            entry.number("index", call);
                            write_call(entry, &id, &name, custom, signature.as_ref(), &Text::default());
                        });
                    });
                });
            }
            Delta::Arguments { index: call, fragment } => {
                if !fragment.is_empty() {
                    let custom = choice.progress.arguments(call);
                    self.arguments(out, index, call, custom, &fragment);
                }
            }
            Delta::Member { key, value } => {
                self.chunk(out, index, |delta| delta.member(&key, &on_one_line(value)))
            }
            Delta::Logprobs(value) => self.choice_chunk(out, index, |choice| {
                choice.object("delta", |_| {});
                choice.raw("logprobs", &on_one_line(value));
                choice.null("finish_reason");
            }),
            Delta::ChoiceMember { key, value } => self.choice_chunk(out, index, |choice| {
                choice.object("delta", |_| {});
                choice.member(&key, &on_one_line(value));
                choice.null("finish_reason");
            }),
        }
    }

    /// Writes the role chunk of a choice that has not begun.
    fn begin(&mut self, index: u32, with_call: bool, out: &mut Vec<u8>) {
        let Some(choice) = entry(&mut self.choices, index) else { return };
        if std::mem::replace(&mut choice.progress.begun, true) {
            return;
        }
        self.chunk(out, index, |delta| {
            delta.string("role", "assistant");
            if with_call { delta.null("content") } else { delta.string("content", "") }
        });
    }

    fn function_call(&mut self, out: &mut Vec<u8>, index: u32, name: Option<&Text<'_>>, fragment: &Text<'_>) {
        self.chunk(out, index, |delta| {
            delta.object("function_call", |function| {
                if let Some(name) = name {
                    function.text("name", name);
                }
                function.text("arguments", fragment);
            });
        });
    }

    fn arguments(&mut self, out: &mut Vec<u8>, index: u32, call: u32, custom: bool, fragment: &Text<'_>) {
        if self.functions {
            let first = call == 0;
            return if first {
                self.function_call(out, index, None, fragment)
            };
        }
        self.chunk(out, index, |delta| {
            delta.array("tool_calls", |calls| {
                calls.object(|entry| {
                    entry.number("index", call);
                    let (kind, input) = call_words(custom);
                    entry.object(kind, |function| function.text(input, fragment));
                });
            });
        });
    }

    fn finish_choice(&mut self, index: u32, reason: FinishReason, out: &mut Vec<u8>) {
        self.begin(index, false, out);
        let Some(choice) = entry(&mut self.choices, index) else { return };
        if std::mem::replace(&mut choice.progress.finished, true) {
            return;
        }
        let reason = choice.progress.reason(reason, self.functions);
        let signature = choice.signature.take();
        let silent: Vec<u32> = choice.progress.silent_calls().collect();
        for call in silent {
            self.arguments(out, index, call, false, &Text::of("{}"));
        }
        if let Some(signature) = signature {
            self.chunk(out, index, |delta| google_signature(delta, &signature));
        }
        self.choice_chunk(out, index, |choice| {
            choice.object("delta", |_| {});
            choice.null("logprobs");
            choice.string("finish_reason", reason.as_str());
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if !self.begun() {
            let error = ApiError::bad_answer("the provider's stream ended without an answer");
            return self.fail(&error, out);
        }
        for index in 0..u32::try_from(self.choices.len()).unwrap_or(u32::MAX) {
            if entry(&mut self.choices, index).is_some_and(|choice| choice.progress.begun) {
                self.finish_choice(index, FinishReason::Stop, out);
            }
        }
        let costs = self.costs.take();
        let usage =
            self.usage.or_else(|| costs.as_ref().filter(|costs| costs.adds()).map(|_| Usage::default()));
        if let Some(usage) = usage.filter(|_| self.include_usage) {
            self.envelope(out, |chunk| {
                chunk.extend_from_slice(br#""choices":[],"usage":"#);
                let all = costs.as_ref().map_or(usage, |costs| costs.usage(&usage));
                all.write(chunk);
                if let Some(costs) = costs {
                    costs.write(chunk, &usage);
                }
            });
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        self.state = State::Ended;
    }

    fn fail(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        error.write(out);
        out.extend_from_slice(b"\n\n");
        self.state = State::Failed;
    }

    fn chunk(&mut self, out: &mut Vec<u8>, index: u32, delta: impl FnOnce(&mut Object<'_>)) {
        self.choice_chunk(out, index, |choice| {
            choice.object("delta", delta);
            choice.null("logprobs");
            choice.null("finish_reason");
        });
    }

    fn choice_chunk(&mut self, out: &mut Vec<u8>, index: u32, members: impl FnOnce(&mut Object<'_>)) {
        let include_usage = self.include_usage;
        self.envelope(out, |chunk| {
            chunk.extend_from_slice(br#""choices":["#);
            json::object(chunk, |choice| {
                choice.number("index", index);
                members(choice);
            });
            chunk.push(b']');
            if include_usage {
                chunk.extend_from_slice(br#","usage":null"#);
            }
        });
    }

    /// Writes one event: the members common to all chunks, then `rest`.
    fn envelope(&mut self, out: &mut Vec<u8>, rest: impl FnOnce(&mut Vec<u8>)) {
        if self.head.is_empty() {
            self.head.extend_from_slice(b"data: ");
            json::object(&mut self.head, |chunk| {
                chunk.text("id", &self.id);
                chunk.string("object", "chat.completion.chunk");
                chunk.number("created", self.created);
                chunk.text("model", &self.model);
                for (key, value) in &self.members {
                    chunk.member(key, value);
                }
            });
            // The object goes on.
            self.head.pop();
            self.head.push(b',');
        }
        out.extend_from_slice(&self.head);
        rest(out);
        out.extend_from_slice(b"}\n\n");
    }
}

/// JSON without line breaks, which would end the event. They stand between its values only.
fn on_one_line(json: &[u8]) -> Cow<'_, [u8]> {
    let breaks = |byte: &u8| matches!(byte, b'\n' | b'\r');
    if json.iter().any(breaks) {
        Cow::Owned(json.iter().copied().filter(|byte| !breaks(byte)).collect())
    } else {
        Cow::Borrowed(json)
    }
}

fn thinking(delta: &mut Object<'_>, block: u32, first: bool, piece: &Thinking<'_>) {
    if let Thinking::Text(text) = piece {
        delta.text("reasoning_content", text);
    }
    delta.object("extra_content", |extra| {
        extra.object("anthropic", |anthropic| {
            anthropic.array("thinking_blocks", |blocks| {
                blocks.object(|entry| {
                    entry.number("index", block);
                    let redacted = matches!(piece, Thinking::Redacted(_));
                    if first {
                        entry.string("type", if redacted { "redacted_thinking" } else { "thinking" });
                    }
                    match piece {
                        Thinking::Text(text) => entry.text("thinking", text),
                        Thinking::Signature(signature) => entry.text("signature", signature),
                        Thinking::Redacted(data) => entry.text("data", data),
                    }
                });
            });
        });
    });
}

//! Writes an answer as one OpenAI `chat.completion` object.

use super::answer::{Progress, entry, google_signature, write_call};
use super::event::{Delta, Event, FinishReason, Thinking, Usage};
use crate::error::ApiError;
use crate::json::{self, Object, Text};

/// An answer being collected.
#[derive(Debug)]
pub struct CompletionWriter {
    id: Text<'static>,
    model: Text<'static>,
    created: i64,
    members: Vec<(Text<'static>, Vec<u8>)>,
    usage: Option<Usage>,
    choices: Vec<Choice>,
    error: Option<ApiError>,
    functions: bool,
}

#[derive(Debug, Default)]
struct Choice {
    progress: Progress,
    content: Option<Text<'static>>,
    reasoning: Option<Text<'static>>,
    refusal: Option<Text<'static>>,
    thinking: Vec<Block>,
    signature: Option<Text<'static>>,
    calls: Vec<Call>,
    members: Vec<(Text<'static>, Vec<u8>)>,
    choice_members: Vec<(Text<'static>, Vec<u8>)>,
    logprobs: Option<Vec<u8>>,
    reason: Option<FinishReason>,
}

#[derive(Debug, Default)]
struct Block {
    thinking: Text<'static>,
    signature: Option<Text<'static>>,
    redacted: Option<Text<'static>>,
}

#[derive(Debug)]
struct Call {
    index: u32,
    id: Text<'static>,
    name: Text<'static>,
    custom: bool,
    signature: Option<Text<'static>>,
    arguments: Text<'static>,
}

impl CompletionWriter {
    /// `id`, `model` and `created` stand where the provider gives none.
    #[must_use]
    pub fn new(id: &str, model: &str, created: i64) -> Self {
        Self {
            id: Text::of(id).into_owned(),
            model: Text::of(model).into_owned(),
            created,
            members: Vec::new(),
            usage: None,
            choices: Vec::new(),
            error: None,
            functions: false,
        }
    }

    /// Says a call as the legacy `function_call`, for a client that offered `functions`: there can
    /// be only one, the first.
    #[must_use]
    pub fn with_functions(self, functions: bool) -> Self {
        Self { functions, ..self }
    }

    /// Takes the next event.
    pub fn write(&mut self, event: Event<'_>) {
        match event {
            Event::Start { id, model, created } => {
                if let Some(id) = id.filter(|id| !id.is_empty()) {
                    self.id = id.into_owned();
                }
                if let Some(model) = model.filter(|model| !model.is_empty()) {
                    self.model = model.into_owned();
                }
                self.created = created.filter(|created| *created > 0).unwrap_or(self.created);
            }
            Event::Member { key, value } => set(&mut self.members, key, value),
            Event::Delta { choice, delta } => {
                if let Some(choice) = entry(&mut self.choices, choice) {
                    choice.progress.begun = true;
                    choice.take(delta);
                }
            }
            Event::Finish { choice, reason } => {
                if let Some(choice) = entry(&mut self.choices, choice) {
                    choice.progress.begun = true;
                    choice.reason.get_or_insert(reason);
                }
            }
            Event::Withheld { choice } => {
                if let Some(choice) = entry(&mut self.choices, choice) {
                    *choice = Choice { reason: Some(FinishReason::ContentFilter), ..Choice::default() };
                    choice.progress.begun = true;
                }
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Error(error) => self.error = self.error.take().or(Some(error)),
            Event::End => {}
        }
    }

    /// What the provider said was used.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Writes the body.
    ///
    /// # Errors
    /// The provider's own error, or that there was no answer in what it sent.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), ApiError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if !self.choices.iter().any(|choice| choice.progress.begun) {
            return Err(ApiError::bad_answer("the provider's answer holds no choice"));
        }
        json::object(out, |body| {
            body.text("id", &self.id);
            body.string("object", "chat.completion");
            body.number("created", self.created);
            body.text("model", &self.model);
            body.array("choices", |choices| {
                let begun = self.choices.iter_mut().enumerate().filter(|(_, choice)| choice.progress.begun);
                for (index, choice) in begun {
                    choices.object(|entry| choice.write(index, self.functions, entry));
                }
            });
            if let Some(usage) = &self.usage {
                usage.write(body.value("usage"));
            }
            for (key, value) in &self.members {
                body.member(key, value);
            }
        });
        Ok(())
    }
}

impl Choice {
    fn take(&mut self, delta: Delta<'_>) {
        match delta {
            Delta::Text(text) => append(&mut self.content, text),
            Delta::Reasoning(text) => append(&mut self.reasoning, text),
            Delta::Refusal(text) => append(&mut self.refusal, text),
            Delta::Thinking { block, piece } => {
                if let Thinking::Text(text) = &piece {
                    append(&mut self.reasoning, text.borrow());
                }
                let Some(block) = entry(&mut self.thinking, block) else { return };
                match piece {
                    Thinking::Text(text) => block.thinking.push(&text),
                    Thinking::Signature(signature) => append(&mut block.signature, signature),
                    Thinking::Redacted(data) => append(&mut block.redacted, data),
                }
            }
            Delta::Signature(signature) => self.signature = Some(signature.into_owned()),
            Delta::Call { index, id, name, custom, signature } => {
                self.progress.call(index, custom);
                self.calls.push(Call {
                    index,
                    id: id.into_owned(),
                    name: name.into_owned(),
                    custom,
                    signature: signature.map(Text::into_owned),
                    arguments: Text::default(),
                });
            }
            Delta::Arguments { index, fragment } => {
                if fragment.is_empty() {
                    return;
                }
                self.progress.arguments(index);
                if let Some(call) = self.calls.iter_mut().find(|call| call.index == index) {
                    call.arguments.push(&fragment);
                }
            }
            Delta::Logprobs(value) => self.logprobs = Some(value.to_vec()),
            Delta::Member { key, value } => set(&mut self.members, key, value),
            Delta::ChoiceMember { key, value } => set(&mut self.choice_members, key, value),
        }
    }

    fn write(&mut self, index: usize, functions: bool, entry: &mut Object<'_>) {
        let silent: Vec<u32> = self.progress.silent_calls().collect();
        for call in self.calls.iter_mut().filter(|call| silent.contains(&call.index)) {
            call.arguments = Text::of("{}");
        }
        entry.number("index", index);
        entry.object("message", |message| {
            message.string("role", "assistant");
            optional(message, "content", self.content.as_ref());
            optional(message, "refusal", self.refusal.as_ref());
            if let Some(reasoning) = &self.reasoning {
                message.text("reasoning_content", reasoning);
            }
            if let Some(call) = self.calls.first().filter(|_| functions) {
                message.object("function_call", |function| {
                    function.text("name", &call.name);
                    function.text("arguments", &call.arguments);
                });
            } else if !self.calls.is_empty() {
                message.array("tool_calls", |calls| {
                    for call in &self.calls {
                        calls.object(|entry| {
                            let signature = call.signature.as_ref();
                            write_call(entry, &call.id, &call.name, call.custom, signature, &call.arguments);
                        });
                    }
                });
            }
            if !self.thinking.is_empty() {
                message.object("extra_content", |extra| {
                    extra.object("anthropic", |anthropic| self.write_thinking(anthropic));
                });
            } else if let Some(signature) = &self.signature {
                google_signature(message, signature);
            }
            for (key, value) in &self.members {
                message.member(key, value);
            }
        });
        match &self.logprobs {
            Some(logprobs) => entry.raw("logprobs", logprobs),
            None => entry.null("logprobs"),
        }
        let reason = self.progress.reason(self.reason.unwrap_or(FinishReason::Stop), functions);
        entry.string("finish_reason", reason.as_str());
        for (key, value) in &self.choice_members {
            entry.member(key, value);
        }
    }

    fn write_thinking(&self, anthropic: &mut Object<'_>) {
        anthropic.array("thinking_blocks", |blocks| {
            for (index, block) in self.thinking.iter().enumerate() {
                blocks.object(|entry| {
                    entry.number("index", index);
                    if let Some(data) = &block.redacted {
                        entry.string("type", "redacted_thinking");
                        entry.text("data", data);
                    } else {
                        entry.string("type", "thinking");
                        entry.text("thinking", &block.thinking);
                        entry.text("signature", block.signature.as_ref().unwrap_or(&Text::default()));
                    }
                });
            }
        });
    }
}

fn append(whole: &mut Option<Text<'static>>, fragment: Text<'_>) {
    match whole {
        Some(whole) => whole.push(&fragment),
        None => *whole = Some(fragment.into_owned()),
    }
}

fn set(members: &mut Vec<(Text<'static>, Vec<u8>)>, key: Text<'_>, value: &[u8]) {
    match members.iter_mut().find(|(name, _)| *name == key) {
        Some((_, known)) => *known = value.to_vec(),
        None => members.push((key.into_owned(), value.to_vec())),
    }
}

fn optional(message: &mut Object<'_>, key: &str, text: Option<&Text<'_>>) {
    match text {
        Some(text) => message.text(key, text),
        None => message.null(key),
    }
}

//! Reads `GenerateContentResponse`: a whole answer is one of them, a streamed one many.
//!
//! A candidate's finish reason does not end it: more text, or an error, may follow in a later
//! chunk. So reasons are kept and told when the answer is over.

use super::call::Calls;
use super::citations::{self, Offsets};
use super::words::{self, Tokens};
use super::{error, fields, ids, logprobs};
use crate::chat::{Delta, Event, FinishReason};
use crate::error::ApiError;
use crate::json::{Kind, Text, Value, array};
use crate::provider::Emit;

/// The most candidates that are told apart; requests ask for no more than 8.
const MOST: u32 = 128;

/// An answer being read.
#[derive(Debug, Default)]
pub(super) struct Answer {
    named: bool,
    /// What the answer is known by, once that is known.
    fingerprint: Option<u64>,
    tokens: Tokens,
    candidates: Vec<Candidate>,
    failed: bool,
}

#[derive(Debug)]
struct Candidate {
    index: u32,
    reason: Option<FinishReason>,
    calls: Calls,
    offsets: Offsets,
    images: u32,
    annotations: Option<Vec<u8>>,
    /// The provider's words on why it stopped.
    message: Option<Text<'static>>,
}

/// Reads a whole answer: a chunk, or the array of chunks that a stream without `alt=sse` is.
pub(super) fn whole(body: Value<'_>, emit: Emit<'_>) {
    let mut answer = Answer::default();
    answer.read(body, emit);
    if answer.failed {
        return;
    }
    if answer.candidates.is_empty() {
        let message = "expected a GenerateContentResponse with candidates, found an object without any";
        emit(Event::Error(ApiError::bad_answer(message)));
    } else if body.kind() == Kind::Array && !answer.is_complete() {
        let message = "the provider's stream ended before the answer was complete";
        emit(Event::Error(ApiError::bad_answer(message).coded("stream_interrupted")));
    } else {
        answer.end(emit);
    }
}

impl Answer {
    /// Reads one chunk, or an array of them.
    pub fn read(&mut self, value: Value<'_>, emit: Emit<'_>) {
        match value.kind() {
            _ if self.failed => {}
            Kind::Object => self.chunk(value, emit),
            Kind::Array => value.items().for_each(|chunk| self.read(chunk, emit)),
            kind => {
                let message = format!("expected a GenerateContentResponse object, found {}", kind.as_str());
                self.fail(ApiError::bad_answer(message), emit);
            }
        }
    }

    /// Makes the answer fail; nothing comes after.
    pub fn fail(&mut self, error: ApiError, emit: Emit<'_>) {
        self.failed = true;
        emit(Event::Error(error));
    }

    /// Whether every candidate that began has its finish reason.
    pub fn is_complete(&self) -> bool {
        let done = self.candidates.iter().all(|candidate| candidate.reason.is_some());
        !self.failed && !self.candidates.is_empty() && done
    }

    /// The answer is over: tells what was kept.
    pub fn end(&mut self, emit: Emit<'_>) {
        let fingerprint = self.fingerprint.unwrap_or_default();
        for candidate in &mut self.candidates {
            candidate.end(fingerprint, emit);
        }
        emit(Event::End);
    }

    fn chunk(&mut self, chunk: Value<'_>, emit: Emit<'_>) {
        let [error, id, model, candidates, feedback, usage] = fields(
            chunk,
            ["error", "responseId", "modelVersion", "candidates", "promptFeedback", "usageMetadata"],
        );
        if let Some(error) = error {
            return self.fail(error::in_answer(error), emit);
        }
        let (id, model) = (id.and_then(Value::text), model.and_then(Value::text));
        let fingerprint = *self
            .fingerprint
            .get_or_insert_with(|| ids::fingerprint(id.as_ref().map_or(chunk.raw(), |id| id.as_bytes())));
        if !self.named && (id.is_some() || model.is_some()) {
            self.named = id.is_some() && model.is_some();
            emit(Event::Start { id, model, created: None });
        }
        for (place, candidate) in candidates.into_iter().flat_map(Value::items).enumerate() {
            let index =
                candidate.get("index").and_then(Value::u64).map_or(u32::try_from(place), u32::try_from);
            let Some(known) = index.ok().and_then(|index| self.candidate(index)) else { continue };
            if let Err(error) = known.read(candidate, fingerprint, emit) {
                return self.fail(error, emit);
            }
        }
        if usage.is_some_and(|usage| self.tokens.read(usage)) {
            emit(Event::Usage(self.tokens.usage()));
        }
        if let Some(feedback) = feedback {
            self.feedback(feedback);
        }
    }

    /// The candidate of that index, made where it is missing.
    fn candidate(&mut self, index: u32) -> Option<&mut Candidate> {
        let place = self.candidates.iter().position(|candidate| candidate.index == index);
        if place.is_none() && index < MOST {
            self.candidates.push(Candidate::new(index));
        }
        let place = place.unwrap_or(self.candidates.len().saturating_sub(1));
        self.candidates.get_mut(place).filter(|candidate| candidate.index == index)
    }

    /// The prompt may be blocked, at once or while the answer comes: then nothing more does.
    fn feedback(&mut self, feedback: Value<'_>) {
        let [reason, message] = fields(feedback, ["blockReason", "blockReasonMessage"]);
        let reason = match reason {
            Some(reason) if reason.kind() == Kind::String => {
                reason.text().unwrap_or_default().decode().into_owned()
            }
            Some(reason) if reason.i64().is_some_and(|number| number != 0) => {
                String::from_utf8_lossy(reason.raw()).into_owned()
            }
            _ => return,
        };
        if reason.is_empty() || reason.ends_with("_UNSPECIFIED") {
            return;
        }
        let message = message.and_then(Value::text).map(Text::into_owned).unwrap_or_else(|| {
            Text::of(&format!("The provider blocked the prompt (reason: {reason}).")).into_owned()
        });
        if self.candidates.is_empty() {
            self.candidates.push(Candidate::new(0));
        }
        for candidate in self.candidates.iter_mut().filter(|candidate| candidate.reason.is_none()) {
            candidate.reason = Some(FinishReason::ContentFilter);
            candidate.message = Some(message.clone());
        }
    }
}

impl Candidate {
    fn new(index: u32) -> Self {
        Self {
            index,
            reason: None,
            calls: Calls::of(index),
            offsets: Offsets::default(),
            images: 0,
            annotations: None,
            message: None,
        }
    }

    fn read(&mut self, candidate: Value<'_>, answer: u64, emit: Emit<'_>) -> Result<(), ApiError> {
        let [content, reason, message, logprobs, grounding] = fields(
            candidate,
            ["content", "finishReason", "finishMessage", "logprobsResult", "groundingMetadata"],
        );
        let parts = content.and_then(|content| content.get("parts"));
        let mut images = Vec::new();
        for part in parts.into_iter().flat_map(Value::items) {
            images.extend(self.part(part, answer, emit)?);
        }
        if !images.is_empty() {
            self.images(&images, emit);
        }
        if let Some(logprobs) = logprobs {
            let logprobs = logprobs::of(logprobs);
            emit(Event::Delta { choice: self.index, delta: Delta::Logprobs(&logprobs) });
        }
        if let Some(grounding) = grounding {
            // It comes with every chunk, each time whole.
            self.annotations = citations::annotations(grounding, &self.offsets).or(self.annotations.take());
        }
        self.reason = reason.and_then(words::finish_reason).or(self.reason);
        if let Some(message) = message.and_then(Value::text).filter(|message| !message.is_empty()) {
            self.message = Some(message.into_owned());
        }
        Ok(())
    }

    /// Reads one part; gives an image back. What is neither text, call nor image is left out.
    fn part<'d>(
        &mut self,
        part: Value<'d>,
        answer: u64,
        emit: Emit<'_>,
    ) -> Result<Option<Value<'d>>, ApiError> {
        let [text, thought, call, inline, signature] =
            fields(part, ["text", "thought", "functionCall", "inlineData", "thoughtSignature"]);
        let choice = self.index;
        let signature = signature.and_then(Value::text).filter(|signature| !signature.is_empty());
        if let Some(call) = call.filter(|call| call.kind() == Kind::Object) {
            let read = self.calls.read(call, signature, answer, emit);
            return read.map(|()| None).map_err(|_| {
                ApiError::bad_answer(
                    "expected the JSONPath of an argument in `partialArgs`, found something else",
                )
            });
        }
        if let Some(text) = text.and_then(Value::text).filter(|text| !text.is_empty()) {
            let delta = if thought.and_then(Value::bool) == Some(true) {
                Delta::Reasoning(text)
            } else {
                self.offsets.push(&text);
                Delta::Text(text)
            };
            emit(Event::Delta { choice, delta });
        }
        if let Some(signature) = signature {
            emit(Event::Delta { choice, delta: Delta::Signature(signature) });
        }
        let is_image = |inline: &Value<'_>| {
            inline
                .get("mimeType")
                .and_then(Value::text)
                .is_some_and(|mime| mime.as_bytes().starts_with(b"image"))
        };
        Ok(inline.filter(is_image))
    }

    /// Images as the message's `images`, in the form of image parts; numbered, so that lists that
    /// arrive in pieces can be joined.
    fn images(&mut self, images: &[Value<'_>], emit: Emit<'_>) {
        let mut json = Vec::new();
        array(&mut json, |list| {
            for image in images {
                let [mime, data] =
                    fields(*image, ["mimeType", "data"]).map(|value| value.and_then(Value::text));
                list.object(|entry| {
                    entry.number("index", self.images);
                    entry.string("type", "image_url");
                    entry.object("image_url", |address| {
                        let mut url = Text::of("data:").into_owned();
                        url.push(&mime.unwrap_or_default());
                        url.push(&Text::of(";base64,"));
                        url.push(&data.unwrap_or_default());
                        address.text("url", &url);
                    });
                });
                self.images = self.images.saturating_add(1);
            }
        });
        let delta = Delta::Member { key: Text::of("images"), value: &json };
        emit(Event::Delta { choice: self.index, delta });
    }

    fn end(&mut self, answer: u64, emit: Emit<'_>) {
        let choice = self.index;
        let reason = self.reason.unwrap_or(FinishReason::Stop);
        self.calls.close(answer, emit);
        if reason == FinishReason::ContentFilter
            && self.offsets.is_empty()
            && let Some(message) = self.message.take()
        {
            emit(Event::Delta { choice, delta: Delta::Refusal(message) });
        }
        if let Some(annotations) = self.annotations.take() {
            let delta = Delta::Member { key: Text::of("annotations"), value: &annotations };
            emit(Event::Delta { choice, delta });
        }
        emit(Event::Finish { choice, reason });
    }
}

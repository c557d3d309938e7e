//! A Message as events: its blocks, why it stopped and what it used.

use super::citations::Citations;
use super::error;
use super::tools::JSON_TOOL;
use crate::chat::{Delta, Event, FinishReason, Thinking, Usage};
use crate::error::ApiError;
use crate::json::{Document, Kind, Surrogates, Text, Value};
use crate::provider::Emit;

/// Reads a whole answer.
pub(super) fn read(body: Value<'_>, emit: Emit<'_>) {
    if let Some(error) = error::of(body, None) {
        return emit(Event::Error(error));
    }
    let Some(content) = body.get("content").filter(|content| content.kind() == Kind::Array) else {
        let message = "expected a Message with `content` from the provider";
        return emit(Event::Error(ApiError::bad_answer(message)));
    };
    emit(start(body));
    let mut count = Count::default();
    // Where the answer is a tool's input, what the model says beside it is no part of the JSON.
    let answers = content.items().any(|block| is_call(block) && is_answer(block));
    for block in content.items().filter(|block| !(answers && is(*block, "text"))) {
        count.block(block, emit);
        count.citations.close();
    }
    count.citations.tell(emit);
    finish(body, emit);
    let mut tokens = Tokens::default();
    if let Some(usage) = body.get("usage") {
        tokens.take(usage);
        emit(Event::Usage(tokens.usage()));
    }
    emit(Event::End);
}

/// Id and model of a Message.
pub(super) fn start(message: Value<'_>) -> Event<'_> {
    let text = |key: &str| message.get(key).and_then(Value::text);
    Event::Start { id: text("id"), model: text("model"), created: None }
}

/// Says why the answer stopped: `holder` has `stop_reason` and `stop_details`.
pub(super) fn finish(holder: Value<'_>, emit: Emit<'_>) {
    let reason = holder.get("stop_reason").and_then(Value::text).unwrap_or_default();
    let reason = reason_named(&reason);
    if reason == FinishReason::ContentFilter
        && let Some(explanation) = explanation(holder)
    {
        emit(Event::Delta { choice: 0, delta: Delta::Refusal(explanation) });
    }
    emit(Event::Finish { choice: 0, reason });
}

/// Why the model declined, if it says so.
pub(super) fn explanation(holder: Value<'_>) -> Option<Text<'_>> {
    holder.get("stop_details")?.get("explanation")?.text().filter(|text| !text.is_empty())
}

/// The reason in OpenAI's words. What is neither a limit, a refusal nor a call is a stop: also
/// `pause_turn` and `compaction`, which a chat client answers as any other turn, and reasons to come.
pub(super) fn reason_named(reason: &Text<'_>) -> FinishReason {
    match reason.decode().as_ref() {
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    }
}

/// How many calls and thinking blocks there were, and what was cited.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub citations: Citations,
    calls: u32,
    thinking: u32,
}

impl Count {
    /// Reads a block that is whole.
    pub fn block(&mut self, block: Value<'_>, emit: Emit<'_>) {
        let text = |key: &str| block.get(key).and_then(Value::text).filter(|text| !text.is_empty());
        let mut say = |delta| emit(Event::Delta { choice: 0, delta });
        if is(block, "text") {
            if let Some(text) = text("text") {
                self.citations.text(&text);
                say(Delta::Text(text));
            }
            let cited = block.get("citations").into_iter().flat_map(Value::items);
            cited.for_each(|citation| self.citations.cite(citation));
        } else if is_call(block) {
            let input = input(block).unwrap_or(Text::of("{}"));
            if is_answer(block) {
                return say(Delta::Text(input));
            }
            let index = self.call(block, emit);
            emit(Event::Delta { choice: 0, delta: Delta::Arguments { index, fragment: input } });
        } else if is(block, "thinking") {
            let pieces = [text("thinking").map(Thinking::Text), text("signature").map(Thinking::Signature)];
            if pieces.iter().any(Option::is_some) {
                let number = self.thinking();
                let pieces = pieces.into_iter().flatten();
                pieces.for_each(|piece| say(Delta::Thinking { block: number, piece }));
            }
        } else if is(block, "redacted_thinking")
            && let Some(data) = text("data")
        {
            let block = self.thinking();
            say(Delta::Thinking { block, piece: Thinking::Redacted(data) });
        }
    }

    /// Begins a call; its index.
    pub fn call(&mut self, block: Value<'_>, emit: Emit<'_>) -> u32 {
        let index = self.calls;
        self.calls = index.saturating_add(1);
        let text = |key: &str| block.get(key).and_then(Value::text).unwrap_or_default();
        let made_up = format!("call_{index}");
        let id = Some(text("id")).filter(|id| !id.is_empty()).unwrap_or_else(|| Text::of(&made_up));
        let delta = Delta::Call { index, id, name: text("name"), custom: false, signature: None };
        emit(Event::Delta { choice: 0, delta });
        index
    }

    /// The number of a thinking block that begins.
    pub fn thinking(&mut self) -> u32 {
        let number = self.thinking;
        self.thinking = number.saturating_add(1);
        number
    }
}

/// Whether the block is of the type.
pub(super) fn is(block: Value<'_>, kind: &str) -> bool {
    block.get("type").and_then(Value::text).is_some_and(|found| found == *kind)
}

/// Whether the block is a call of a tool of the client's. One without a name could not be made.
pub(super) fn is_call(block: Value<'_>) -> bool {
    is(block, "tool_use") && block.get("name").and_then(Value::text).is_some_and(|name| !name.is_empty())
}

/// Whether the call's input is the answer itself.
pub(super) fn is_answer(block: Value<'_>) -> bool {
    block.get("name").and_then(Value::text).is_some_and(|name| name == JSON_TOOL)
}

/// The input of a call as JSON text, if there is any.
pub(super) fn input(block: Value<'_>) -> Option<Text<'_>> {
    let input = block.get("input")?;
    let json = std::str::from_utf8(input.raw()).ok()?;
    match input.kind() {
        Kind::Object if input.entries().next().is_none() => None,
        // Some models hand the object over as a string.
        Kind::String => {
            let quoted = input.text()?;
            let inner = quoted.decode().into_owned();
            let document = Document::parse(inner.as_bytes(), Surrogates::Lone).ok();
            let is_object = document.is_some_and(|document| document.root().kind() == Kind::Object);
            Some(if is_object { quoted } else { Text::of(json) })
        }
        _ => Some(Text::of(json)),
    }
}

/// What was used, as Anthropic counts: `input_tokens` without what the cache gave or took.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    input: u64,
    output: u64,
    cache_read: Option<u64>,
    cache_written: Option<u64>,
    thinking: Option<u64>,
    /// Prompt and answer of compactions, which the totals leave out although they are charged.
    compaction: (u64, u64),
}

impl Tokens {
    /// Takes what a `usage` object says; what it does not say stays. The numbers are totals.
    pub fn take(&mut self, usage: Value<'_>) {
        let number = |holder: Value<'_>, key: &str| holder.get(key).and_then(Value::u64);
        self.input = number(usage, "input_tokens").unwrap_or(self.input);
        self.output = number(usage, "output_tokens").unwrap_or(self.output);
        self.cache_read = number(usage, "cache_read_input_tokens").or(self.cache_read);
        self.cache_written = number(usage, "cache_creation_input_tokens").or(self.cache_written);
        let details = usage.get("output_tokens_details");
        self.thinking = details.and_then(|details| number(details, "thinking_tokens")).or(self.thinking);
        if let Some(iterations) = usage.get("iterations") {
            let compactions = iterations.items().filter(|iteration| is(*iteration, "compaction"));
            self.compaction = compactions.fold((0, 0), |(prompt, answer): (u64, u64), iteration| {
                let tokens = |key| number(iteration, key).unwrap_or(0);
                let input = tokens("input_tokens")
                    .saturating_add(tokens("cache_read_input_tokens"))
                    .saturating_add(tokens("cache_creation_input_tokens"));
                (prompt.saturating_add(input), answer.saturating_add(tokens("output_tokens")))
            });
        }
    }

    /// The same as OpenAI counts.
    pub fn usage(&self) -> Usage {
        let cache = self.cache_read.unwrap_or(0).saturating_add(self.cache_written.unwrap_or(0));
        Usage {
            prompt: self.input.saturating_add(cache).saturating_add(self.compaction.0),
            completion: self.output.saturating_add(self.compaction.1),
            cached: self.cache_read,
            cache_write: self.cache_written,
            reasoning: self.thinking.map(|thinking| thinking.min(self.output)),
            ..Usage::default()
        }
    }
}

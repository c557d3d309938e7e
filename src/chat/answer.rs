//! What holds for every answer, streamed or whole: the state both writers keep per choice, and how
//! a call is written.

use super::event::FinishReason;
use crate::json::{Object, Text};

/// What is known of one choice.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Whether anything of it was written.
    pub begun: bool,
    /// Its tool calls, in order.
    calls: Vec<Call>,
    /// Whether its finish was written.
    pub finished: bool,
}

#[derive(Debug)]
struct Call {
    index: u32,
    /// Its input is free text rather than JSON.
    custom: bool,
    /// Arguments have begun, or must not be made up because the input is free text.
    spoken: bool,
}

impl Progress {
    /// A call begins.
    pub fn call(&mut self, index: u32, custom: bool) {
        self.calls.push(Call { index, custom, spoken: custom });
    }

    /// A call's arguments have begun; says whether they are a custom tool's free text.
    pub fn arguments(&mut self, index: u32) -> bool {
        let Some(call) = self.calls.iter_mut().find(|call| call.index == index) else { return false };
        call.spoken = true;
        call.custom
    }

    /// The calls that have no arguments yet; an empty string is not JSON, so they get `{}`.
    pub fn silent_calls(&mut self) -> impl Iterator<Item = u32> {
        let silent = self.calls.iter_mut().filter(|call| !call.spoken);
        silent.map(|call| {
            call.spoken = true;
            call.index
        })
    }

    /// The finish reason that agrees with what was said: `tool_calls` exactly where there are some.
    /// Where the client offered `functions`, the word is `function_call`.
    pub fn reason(&self, said: FinishReason, functions: bool) -> FinishReason {
        match (said, self.calls.is_empty()) {
            (FinishReason::Stop | FinishReason::ToolCalls, false) if functions => FinishReason::FunctionCall,
            (FinishReason::Stop, false) => FinishReason::ToolCalls,
            (FinishReason::ToolCalls, true) => FinishReason::Stop,
            _ => said,
        }
    }
}

/// The entry of `index`, made where it is missing. Providers choose the index, so it is bounded.
pub(super) fn entry<T: Default>(choices: &mut Vec<T>, index: u32) -> Option<&mut T> {
    const MOST: u32 = 128;
    if index >= MOST {
        return None;
    }
    let index = index as usize;
    if choices.len() <= index {
        choices.resize_with(index.saturating_add(1), T::default);
    }
    choices.get_mut(index)
}

/// What a call is, and what its input is called.
pub(super) fn call_words(custom: bool) -> (&'static str, &'static str) {
    if custom { ("custom", "input") } else { ("function", "arguments") }
}

/// The members of a tool call after its index.
pub(super) fn write_call(
    entry: &mut Object<'_>,
    id: &Text<'_>,
    name: &Text<'_>,
    custom: bool,
    signature: Option<&Text<'_>>,
    arguments: &Text<'_>,
) {
    entry.text("id", id);
    let (kind, input) = call_words(custom);
    entry.string("type", kind);
    entry.object(kind, |function| {
        function.text("name", name);
        function.text(input, arguments);
    });
    if let Some(signature) = signature {
        google_signature(entry, signature);
    }
}

/// `extra_content.google.thought_signature`, where Google's own OpenAI endpoint puts it.
pub(super) fn google_signature(object: &mut Object<'_>, signature: &Text<'_>) {
    object.object("extra_content", |extra| {
        extra.object("google", |google| google.text("thought_signature", signature));
    });
}

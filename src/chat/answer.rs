//! What holds for every answer, streamed or whole: the state both writers keep per choice.

use super::event::FinishReason;

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

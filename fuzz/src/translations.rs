//! A request in the words of each provider: valid JSON, or refused with the same reason before and after.

use crate::input::Input;
use crate::support::soundness::{check_embeddings, check_request};
use modelgate::provider::Target;

const MODELS: [&str; 9] = [
    "claude-sonnet-4-5",
    "claude-opus-4-6",
    "claude-sonnet-5-5",
    "gemini-2.5-pro",
    "gemini-3-pro-preview",
    "gpt-5-mini",
    "grok-4",
    "deepseek-chat",
    "some-model",
];

pub fn target(data: &[u8]) {
    let mut input = Input(data);
    let is_chat = input.is_set();
    let model = input.one_of(&MODELS);
    let max_output_tokens = input.is_set().then_some(4096);
    if is_chat {
        check_request(input.0, Target { model, max_output_tokens });
    } else {
        let body = input.part();
        check_embeddings(body, input.0);
    }
}

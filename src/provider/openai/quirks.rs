//! In what vendors of the OpenAI dialect differ, as data.
//!
//! A vendor is a [`Quirks`]: what it calls things, what it lacks, what it wants echoed. The vendors
//! themselves stand in `vendors`, what differs from model to model in `models`.

use super::models::Model;
pub use super::vendors::*;
use crate::provider::Embeds;

/// One vendor's way of speaking OpenAI.
#[derive(Debug)]
pub struct Quirks {
    /// The vendor's name in the configuration.
    pub vendor: &'static str,
    /// The dialect is OpenAI's own.
    pub canonical: bool,
    /// The header that carries the key.
    pub credential: Credential,
    /// What the limit on answer tokens is called.
    pub limit: Limit,
    /// Members that have another name here.
    pub renames: &'static [(&'static str, &'static str)],
    /// OpenAI's members that the vendor rejects and whose loss is harmless.
    pub drops: &'static [&'static str],
    /// What it cannot do at all.
    pub lacks: Lacks,
    /// What of `stream_options` is known.
    pub stream_options: StreamOptions,
    /// The word for a `tool_choice` that wants any tool called.
    pub required: &'static str,
    /// What messages must look like.
    pub messages: Messages,
    /// What of an echoed answer may go back.
    pub replay: Replay,
    /// How it makes embeddings, if it does.
    pub embeds: Option<Embeds>,
    /// By the model's name; the first that fits holds.
    pub models: &'static [Model],
}

/// How the key is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Credential {
    /// `authorization: Bearer …`.
    Bearer,
    /// `api-key: …`.
    ApiKey,
}

/// What the limit on answer tokens is called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
    /// Either; the client's word stays.
    AsSaid,
}

/// What of `stream_options` is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamOptions {
    /// All that OpenAI knows.
    All,
    /// `include_usage`.
    Usage,
    /// Nothing; usage comes unasked.
    None,
}

/// What a vendor cannot do; asking for it is refused, because dropping it would break the contract.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lacks {
    /// `n` greater than 1.
    pub choices: bool,
    /// `logprobs`.
    pub logprobs: bool,
    /// Spoken answers.
    pub audio: bool,
    /// `response_format` of type `json_schema`.
    pub json_schema: bool,
    /// Tools of type `custom`.
    pub custom_tools: bool,
    /// `functions`, `function_call` and messages of role `function`.
    pub functions: bool,
    /// `tool_choice` of type `allowed_tools`; not refused, the list of tools is shortened instead.
    pub allowed_tools: bool,
}

/// What messages must look like.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Messages {
    /// The role `developer` is known.
    pub developer: bool,
    /// `name` is rejected.
    pub nameless: bool,
    /// Members of assistant messages that OpenAI answers with but the vendor rejects (`refusal`,
    /// `annotations`, `audio`) are left out.
    pub strict: bool,
    /// Mistral's rules: tool ids of nine letters or digits, no user or system message right after a
    /// tool's, a last assistant message is a `prefix`.
    pub mistral: bool,
}

/// What of an echoed answer may go back to the vendor.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Replay {
    /// Reasoning text, and under which name.
    pub reasoning: Reasoning,
    /// `reasoning_details` of OpenRouter.
    pub details: bool,
    /// `extra_content.google` of Gemini's OpenAI endpoint.
    pub google: bool,
    /// `cache_control` on messages, parts and tools.
    pub cache_control: bool,
}

/// Which reasoning goes back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reasoning {
    /// None.
    #[default]
    Never,
    /// That of turns in which tools were called, under this name.
    ToolTurns(&'static str),
    /// As [`ToolTurns`](Self::ToolTurns); a message with calls must have it, so that a blank stands
    /// where there is none (another model's turn, or a client that lost it).
    ToolTurnsAlways(&'static str),
    /// All of it, under this name.
    Always(&'static str),
}

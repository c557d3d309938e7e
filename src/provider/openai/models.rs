//! What differs from model to model of one vendor, by the beginning of the model's name.
//!
//! The first entry whose prefix fits holds; a model that no entry names gets what is safe: what
//! some models reject is left out. Facts as of summer 2026.

use crate::chat::Effort::{self, High, Low, Max, Medium, Minimal, None as Off, Xhigh};

/// One family of models.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// How the names of the family begin; empty for all that are left.
    pub prefix: &'static str,
    /// `max_tokens` is rejected in favour of `max_completion_tokens`.
    pub completion_limit: bool,
    /// Members it rejects, and whose loss is harmless.
    pub drops: &'static [&'static str],
    /// `stop` is rejected.
    pub no_stop: bool,
    /// How `reasoning_effort` is said.
    pub thinking: Thinking,
}

/// How `reasoning_effort` is said to a model.
#[derive(Clone, Copy, Debug)]
pub struct Thinking {
    /// The words it knows, least first; the nearest that is not less is taken.
    pub words: &'static [Effort],
    /// The member that turns thinking off, where `none` is not a word.
    pub off: Option<(&'static str, &'static str)>,
    /// The member that turns thinking on.
    pub on: Option<(&'static str, &'static str)>,
    /// The member that takes a number of tokens instead of a word.
    pub budget: Option<&'static str>,
}

impl Model {
    const fn new(prefix: &'static str, words: &'static [Effort]) -> Self {
        let thinking = Thinking { words, off: None, on: None, budget: None };
        Self { prefix, completion_limit: false, drops: &[], no_stop: false, thinking }
    }

    const fn without(self, drops: &'static [&'static str]) -> Self {
        Self { drops, ..self }
    }

    const fn no_stop(self) -> Self {
        Self { no_stop: true, ..self }
    }

    const fn off(mut self, key: &'static str, value: &'static str) -> Self {
        self.thinking.off = Some((key, value));
        self
    }

    const fn on(mut self, key: &'static str, value: &'static str) -> Self {
        self.thinking.on = Some((key, value));
        self
    }

    const fn budget(mut self, key: &'static str) -> Self {
        self.thinking.budget = Some(key);
        self
    }

    const fn completion_limit(self) -> Self {
        Self { completion_limit: true, ..self }
    }
}

/// The family that `model` belongs to.
pub(super) fn of(models: &'static [Model], model: &str) -> Model {
    let fits = |family: &&Model| model.starts_with(family.prefix);
    models.iter().find(fits).copied().unwrap_or(Model::new("", &[]))
}

impl Thinking {
    /// The word that comes nearest to the effort asked for, if words are how it is said.
    pub fn word(&self, asked: Effort) -> Option<Effort> {
        if asked == Off {
            return self.words.first().copied().filter(|least| *least == Off || self.off.is_none());
        }
        let offered = || self.words.iter().copied().filter(|word| *word != Off);
        offered().find(|word| *word >= asked).or_else(|| offered().next_back())
    }
}

/// Tokens of thinking; Google's numbers for its own OpenAI endpoint. Most effort: no limit.
pub(super) fn tokens(effort: Effort) -> Option<u32> {
    match effort {
        Off | Minimal | Low => Some(1024),
        Medium => Some(8192),
        High => Some(24_576),
        Xhigh | Max => None,
    }
}

const ALL: &[Effort] = &[Off, Minimal, Low, Medium, High, Xhigh, Max];
const THREE: &[Effort] = &[Low, Medium, High];
const THREE_OR_OFF: &[Effort] = &[Off, Low, Medium, High];

/// The sampling members that OpenAI's reasoning models answer with 400 `unsupported_value` or
/// `unsupported_parameter`. (Theirs from gpt-5.1 on take them where they do not reason.)
const FIXED_SAMPLING: &[&str] =
    &["temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias"];

pub(super) const ANY: &[Model] = &[Model::new("", ALL)];

pub(super) const OPENAI: &[Model] = &[
    Model::new("o1", ALL).completion_limit().without(FIXED_SAMPLING),
    Model::new("o3", ALL).completion_limit().without(FIXED_SAMPLING).no_stop(),
    Model::new("o4", ALL).completion_limit().without(FIXED_SAMPLING).no_stop(),
    Model::new("gpt-5-chat", ALL).completion_limit(),
    Model::new("gpt-5.", ALL).completion_limit(),
    Model::new("gpt-5", ALL).completion_limit().without(FIXED_SAMPLING),
    Model::new("", ALL),
];

/// Thinks by default; `low` and `medium` are taken as `high`, `xhigh` as `max`.
pub(super) const DEEPSEEK: &[Model] =
    &[Model::new("", &[Low, Medium, High, Max]).off("thinking", r#"{"type":"disabled"}"#)];

pub(super) const MISTRAL: &[Model] = &[
    Model::new("mistral-small", &[Off, High]),
    Model::new("mistral-medium", &[Off, High]),
    Model::new("", &[]),
];

pub(super) const GROQ: &[Model] =
    &[Model::new("openai/gpt-oss", THREE), Model::new("qwen/", &[Off]), Model::new("", &[])];

pub(super) const TOGETHER: &[Model] =
    &[Model::new("openai/gpt-oss", THREE), Model::new("", THREE).off("reasoning", r#"{"enabled":false}"#)];

pub(super) const OPENROUTER: &[Model] = &[Model::new("", &[Off, Minimal, Low, Medium, High, Xhigh])];

/// Reasoning models reject these and `stop` (<https://docs.x.ai/docs/guides/reasoning>), and most of them the
/// effort too.
const XAI_REASONING: &[&str] = &["presence_penalty", "frequency_penalty"];
pub(super) const XAI: &[Model] = &[
    Model::new("grok-3-mini", &[Low, High]).without(XAI_REASONING).no_stop(),
    Model::new("grok-4.3", THREE_OR_OFF).without(XAI_REASONING).no_stop(),
    Model::new("grok-4", &[]).without(XAI_REASONING).no_stop(),
    Model::new("grok-code", &[]).without(XAI_REASONING).no_stop(),
    Model::new("", &[]),
];

/// Models that think can be told how long; the others ignore it.
pub(super) const QWEN: &[Model] = &[Model::new("", &[])
    .off("enable_thinking", "false")
    .on("enable_thinking", "true")
    .budget("thinking_budget")];

pub(super) const MOONSHOT: &[Model] = &[
    Model::new("kimi-k3", &[Low, High, Max]),
    Model::new("kimi-k2.", &[])
        .off("thinking", r#"{"type":"disabled"}"#)
        .on("thinking", r#"{"type":"enabled"}"#),
    Model::new("", &[]),
];

pub(super) const FIREWORKS: &[Model] = &[Model::new("", THREE_OR_OFF)];

pub(super) const CEREBRAS: &[Model] =
    &[Model::new("gpt-oss", THREE), Model::new("zai-glm", &[Off]), Model::new("", &[])];

/// Chat templates that can leave thinking out are told so by this name.
pub(super) const VLLM: &[Model] =
    &[Model::new("", THREE).off("chat_template_kwargs", r#"{"enable_thinking":false}"#)];

pub(super) const OLLAMA: &[Model] = &[Model::new("", THREE_OR_OFF)];

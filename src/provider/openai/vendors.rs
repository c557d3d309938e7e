//! The vendors that speak OpenAI's dialect, each with its [`Quirks`].
//!
//! Where no source is given a fact is from the vendor's own API reference as of summer 2026.

use super::models;
use super::quirks::{Credential, Lacks, Limit, Messages, Quirks, Reasoning, Replay, StreamOptions};
use crate::provider::Embeds;

/// What an unknown server is trusted with: the oldest words, nothing that a strict one rejects.
pub const COMPATIBLE: Quirks = Quirks {
    vendor: "compatible",
    canonical: false,
    credential: Credential::Bearer,
    limit: Limit::MaxTokens,
    renames: &[],
    drops: &[],
    lacks: Lacks {
        choices: false,
        logprobs: false,
        audio: false,
        json_schema: false,
        custom_tools: true,
        functions: false,
        allowed_tools: true,
    },
    stream_options: StreamOptions::Usage,
    required: "required",
    messages: Messages { developer: false, nameless: false, strict: false, mistral: false },
    // Gemini's and other vendors' OpenAI endpoints are reached this way.
    replay: Replay {
        reasoning: Reasoning::ToolTurns("reasoning_content"),
        details: false,
        google: true,
        cache_control: false,
    },
    embeds: Some(TEXTS),
    models: models::ANY,
};

/// What most who make embeddings know.
const TEXTS: Embeds = Embeds {
    dimensions: Some("dimensions"),
    encoding_format: true,
    user: true,
    tokens: false,
    most_inputs: &[],
};

/// Of those who are told no more than they have to be.
const PLAIN_TEXTS: Embeds = Embeds { encoding_format: false, user: false, ..TEXTS };

/// <https://platform.openai.com/docs/api-reference/chat>
pub const OPENAI: Quirks = Quirks {
    vendor: "openai",
    canonical: true,
    limit: Limit::AsSaid,
    stream_options: StreamOptions::All,
    lacks: Lacks {
        choices: false,
        logprobs: false,
        audio: false,
        json_schema: false,
        custom_tools: false,
        functions: false,
        allowed_tools: false,
    },
    messages: Messages { developer: true, nameless: false, strict: false, mistral: false },
    replay: Replay { reasoning: Reasoning::Never, details: false, google: false, cache_control: false },
    embeds: Some(Embeds { tokens: true, ..TEXTS }),
    models: models::OPENAI,
    ..COMPATIBLE
};

/// Azure OpenAI, `…/openai/v1`; deployments are mostly named after their model.
pub const AZURE: Quirks = Quirks {
    vendor: "azure",
    canonical: false,
    credential: Credential::ApiKey,
    models: models::OPENAI,
    ..OPENAI
};

/// What most vendors have in common: no audio, no legacy functions.
const TEXT_ONLY: Lacks = Lacks {
    choices: false,
    logprobs: false,
    audio: true,
    json_schema: false,
    custom_tools: true,
    functions: true,
    allowed_tools: true,
};

/// `response_format` knows `json_object` only. A message that called tools in thinking mode is
/// rejected without its `reasoning_content`, in all later requests.
/// <https://api-docs.deepseek.com/guides/thinking_mode>
pub const DEEPSEEK: Quirks = Quirks {
    vendor: "deepseek",
    lacks: Lacks { choices: true, json_schema: true, ..TEXT_ONLY },
    replay: Replay {
        reasoning: Reasoning::ToolTurnsAlways("reasoning_content"),
        google: false,
        ..COMPATIBLE.replay
    },
    embeds: None,
    models: models::DEEPSEEK,
    ..COMPATIBLE
};

/// Unknown members are answered with 422 `extra_forbidden`, also `stream_options`; usage always
/// comes. <https://docs.mistral.ai/api>
pub const MISTRAL: Quirks = Quirks {
    vendor: "mistral",
    renames: &[("seed", "random_seed")],
    drops: &[
        "store",
        "metadata",
        "user",
        "safety_identifier",
        "service_tier",
        "logit_bias",
        "top_logprobs",
        "verbosity",
        "web_search_options",
        "prompt_cache_retention",
        "prompt_cache_options",
        "moderation",
        "modalities",
        "audio",
        "logprobs",
    ],
    lacks: Lacks { logprobs: true, ..TEXT_ONLY },
    stream_options: StreamOptions::None,
    required: "any",
    messages: Messages { developer: false, nameless: true, strict: true, mistral: true },
    replay: Replay { reasoning: Reasoning::Never, google: false, ..COMPATIBLE.replay },
    embeds: Some(Embeds { dimensions: Some("output_dimension"), user: false, ..TEXTS }),
    models: models::MISTRAL,
    ..COMPATIBLE
};

/// <https://console.groq.com/docs/openai>: these are 400 errors.
pub const GROQ: Quirks = Quirks {
    vendor: "groq",
    limit: Limit::AsSaid,
    drops: &[
        "store",
        "metadata",
        "safety_identifier",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "verbosity",
        "prediction",
        "web_search_options",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "moderation",
        "modalities",
        "audio",
    ],
    lacks: Lacks { choices: true, logprobs: true, ..TEXT_ONLY },
    messages: Messages { developer: false, nameless: true, strict: true, mistral: false },
    replay: Replay { reasoning: Reasoning::ToolTurns("reasoning"), google: false, ..COMPATIBLE.replay },
    embeds: Some(Embeds { dimensions: None, ..TEXTS }),
    models: models::GROQ,
    ..COMPATIBLE
};

/// `logprobs` is a number there and answered in another form.
pub const TOGETHER: Quirks = Quirks {
    vendor: "together",
    drops: &["logprobs", "top_logprobs"],
    lacks: Lacks { logprobs: true, ..TEXT_ONLY },
    replay: Replay { reasoning: Reasoning::ToolTurns("reasoning"), google: false, ..COMPATIBLE.replay },
    embeds: Some(PLAIN_TEXTS),
    models: models::TOGETHER,
    ..COMPATIBLE
};

/// Hands on to the vendors behind it, with their signatures in `reasoning_details`.
/// <https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks>
pub const OPENROUTER: Quirks = Quirks {
    vendor: "openrouter",
    limit: Limit::AsSaid,
    lacks: Lacks { choices: true, audio: false, ..TEXT_ONLY },
    messages: Messages { developer: true, ..COMPATIBLE.messages },
    replay: Replay {
        reasoning: Reasoning::Always("reasoning"),
        details: true,
        google: false,
        cache_control: true,
    },
    models: models::OPENROUTER,
    ..COMPATIBLE
};

/// <https://docs.x.ai/docs/api-reference#chat-completions>
pub const XAI: Quirks = Quirks {
    vendor: "xai",
    limit: Limit::AsSaid,
    lacks: TEXT_ONLY,
    replay: Replay { reasoning: Reasoning::Never, google: false, ..COMPATIBLE.replay },
    models: models::XAI,
    ..COMPATIBLE
};

/// More are answered with 400 "batch size is invalid".
/// <https://help.aliyun.com/en/model-studio/text-embedding-synchronous-api>
const QWEN_INPUTS: &[(&str, usize)] =
    &[("text-embedding-v1", 25), ("text-embedding-v2", 25), ("text-embedding", 10)];

/// DashScope's compatible mode; its omni models answer with audio.
/// <https://help.aliyun.com/en/model-studio/deep-thinking>
pub const QWEN: Quirks = Quirks {
    vendor: "qwen",
    lacks: Lacks { audio: false, ..TEXT_ONLY },
    replay: Replay { google: false, ..COMPATIBLE.replay },
    embeds: Some(Embeds { most_inputs: QWEN_INPUTS, ..PLAIN_TEXTS }),
    models: models::QWEN,
    ..COMPATIBLE
};

/// Kimi's thinking models answer 400 "reasoning_content is missing in assistant tool call message".
pub const MOONSHOT: Quirks = Quirks {
    vendor: "moonshot",
    limit: Limit::AsSaid,
    drops: &["logprobs", "top_logprobs"],
    lacks: Lacks { logprobs: true, ..TEXT_ONLY },
    replay: Replay {
        reasoning: Reasoning::ToolTurnsAlways("reasoning_content"),
        google: false,
        ..COMPATIBLE.replay
    },
    embeds: None,
    models: models::MOONSHOT,
    ..COMPATIBLE
};

/// Unknown members are answered with 400 "Extra inputs are not permitted".
pub const FIREWORKS: Quirks = Quirks {
    vendor: "fireworks",
    drops: &[
        "store",
        "safety_identifier",
        "verbosity",
        "web_search_options",
        "prompt_cache_retention",
        "prompt_cache_options",
        "moderation",
        "modalities",
        "audio",
    ],
    lacks: TEXT_ONLY,
    messages: Messages { strict: true, ..COMPATIBLE.messages },
    replay: Replay { google: false, ..COMPATIBLE.replay },
    embeds: Some(PLAIN_TEXTS),
    models: models::FIREWORKS,
    ..COMPATIBLE
};

/// <https://inference-docs.cerebras.ai/resources/openai>: these are 400 errors; no developer role.
pub const CEREBRAS: Quirks = Quirks {
    vendor: "cerebras",
    limit: Limit::MaxCompletionTokens,
    drops: &[
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "service_tier",
        "store",
        "metadata",
        "safety_identifier",
        "verbosity",
        "web_search_options",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "moderation",
        "modalities",
        "audio",
    ],
    lacks: Lacks { choices: true, ..TEXT_ONLY },
    messages: Messages { strict: true, ..COMPATIBLE.messages },
    replay: Replay { reasoning: Reasoning::ToolTurns("reasoning"), google: false, ..COMPATIBLE.replay },
    embeds: None,
    models: models::CEREBRAS,
    ..COMPATIBLE
};

/// <https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>
pub const VLLM: Quirks = Quirks {
    vendor: "vllm",
    lacks: TEXT_ONLY,
    replay: Replay { google: false, ..COMPATIBLE.replay },
    models: models::VLLM,
    ..COMPATIBLE
};

/// Ignores what it does not know. <https://github.com/ollama/ollama/blob/main/docs/openai.md>
pub const OLLAMA: Quirks = Quirks {
    vendor: "ollama",
    lacks: Lacks { choices: true, ..TEXT_ONLY },
    replay: Replay { reasoning: Reasoning::ToolTurns("reasoning"), google: false, ..COMPATIBLE.replay },
    models: models::OLLAMA,
    ..COMPATIBLE
};

//! What differs between Claude models, as data.
//!
//! Source: Anthropic's model overview, migration guides, and the pages on thinking, effort and
//! structured outputs (platform.claude.com, read November 2026). The longest prefix decides. A Claude that is
//! not listed is taken for a newer one, and newer ones refuse more; a name without "claude" is
//! another maker's model behind the same API and gets the plain, old form.

use crate::chat::Effort;

/// How a model is asked to think.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Thinking {
    /// Not at all.
    Never,
    /// `thinking: {type: enabled, budget_tokens}`; off unless asked for. Every assistant turn of a tool loop
    /// must then begin with its signed thinking.
    Budget,
    /// `thinking: {type: adaptive}` and `output_config.effort`.
    Adaptive {
        /// How thinking is turned off.
        off: Off,
        /// The efforts above `high` that it knows.
        above_high: &'static [Effort],
    },
}

/// How a model that thinks adaptively is told not to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Off {
    /// By not asking for it.
    Default,
    /// `{type: disabled}`: it thinks by default.
    Disabled,
    /// `{type: between_tools}`: it thinks by default, and between tool calls in any case.
    BetweenTools,
    /// It always thinks.
    Impossible,
}

/// Which of `temperature` and `top_p` a model takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sampling {
    /// Both.
    Both,
    /// One of them at a time.
    Either,
    /// None, nor `top_k`.
    Fixed,
}

/// What a model can and cannot do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    pub thinking: Thinking,
    pub sampling: Sampling,
    /// `output_config.format` and `strict` tools.
    pub structured: bool,
    /// A conversation may end with the beginning of the answer.
    pub prefill: bool,
    /// `tool_choice` may force a call.
    pub forced_tools: bool,
    /// The most tokens of an answer where neither client nor catalog says: what the model can give, or
    /// less where prompt and limit together must fit its context window.
    pub max_output: u64,
}

const PLAIN: Model = Model {
    thinking: Thinking::Never,
    sampling: Sampling::Both,
    structured: false,
    prefill: true,
    forced_tools: true,
    max_output: 4096,
};
const BUDGET: Model = Model { thinking: Thinking::Budget, max_output: 32_000, ..PLAIN };
const V4_5: Model = Model { sampling: Sampling::Either, structured: true, max_output: 64_000, ..BUDGET };
const V4_6: Model = Model {
    thinking: Thinking::Adaptive { off: Off::Default, above_high: &[Effort::Max] },
    prefill: false,
    max_output: 128_000,
    ..V4_5
};
const V4_7: Model = Model { thinking: adaptive(Off::Default), sampling: Sampling::Fixed, ..V4_6 };
const V5: Model = Model { thinking: adaptive(Off::Disabled), ..V4_7 };
const ALWAYS: Model = Model { thinking: adaptive(Off::Impossible), ..V4_7 };
const V5_5: Model = Model { forced_tools: false, ..ALWAYS };

const fn adaptive(off: Off) -> Thinking {
    Thinking::Adaptive { off, above_high: &[Effort::Xhigh, Effort::Max] }
}

const MODELS: [(&str, Model); 26] = [
    // Whatever speaks this API and is no Claude.
    ("", Model { max_output: 8192, ..BUDGET }),
    ("claude-instant", PLAIN),
    ("claude-2", PLAIN),
    ("claude-3-", PLAIN),
    ("claude-3-5-", Model { max_output: 8192, ..PLAIN }),
    ("claude-3-7-", BUDGET),
    ("claude-opus-4", BUDGET),
    ("claude-opus-4-1", Model { sampling: Sampling::Either, ..BUDGET }),
    ("claude-sonnet-4", BUDGET),
    ("claude-sonnet-4-5", V4_5),
    ("claude-haiku-4-5", V4_5),
    ("claude-opus-4-5", V4_5),
    ("claude-sonnet-4-6", V4_6),
    ("claude-opus-4-6", V4_6),
    ("claude-opus-4-7", V4_7),
    ("claude-opus-4-8", V4_7),
    ("claude-sonnet-5", V5),
    ("claude-opus-5", V5),
    ("claude-haiku-5", V5),
    ("claude-fable-5", ALWAYS),
    ("claude-mythos", ALWAYS),
    ("claude-sonnet-5-5", Model { thinking: adaptive(Off::BetweenTools), ..V5_5 }),
    // Opus 5.5, Fable 5.1, and those to come.
    ("claude-opus-5-", V5_5),
    ("claude-fable-5-", V5_5),
    ("claude-mythos-5-", V5_5),
    ("claude-", V5_5),
];

/// The facts of a model, by the provider's own name of it. Names with something before `claude`
/// (`anthropic.claude-…`, `anthropic/claude-…`) are understood.
pub(super) fn named(name: &str) -> Model {
    let name = name.find("claude").and_then(|at| name.get(at..)).unwrap_or("");
    let rows = MODELS.iter().filter(|(prefix, _)| name.starts_with(prefix));
    let longest = rows.max_by_key(|(prefix, _)| prefix.len());
    longest.map_or(V5_5, |(_, model)| *model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides_and_the_unknown_is_taken_for_new() {
        let facts = |name| {
            let model = named(name);
            let off = match model.thinking {
                Thinking::Adaptive { off, .. } => Some(off),
                _ => None,
            };
            (model.thinking == Thinking::Budget, off, model.structured, model.forced_tools, model.max_output)
        };
        for (name, expected) in [
            ("claude-3-haiku-20240307", (false, None, false, true, 4096)),
            ("claude-3-5-sonnet-20241022", (false, None, false, true, 8192)),
            ("claude-3-7-sonnet-latest", (true, None, false, true, 32_000)),
            ("claude-opus-4-20250514", (true, None, false, true, 32_000)),
            ("claude-opus-4-5-20251101", (true, None, true, true, 64_000)),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", (true, None, true, true, 64_000)),
            ("claude-opus-4-6", (false, Some(Off::Default), true, true, 128_000)),
            ("anthropic/claude-opus-5", (false, Some(Off::Disabled), true, true, 128_000)),
            ("claude-opus-5-5", (false, Some(Off::Impossible), true, false, 128_000)),
            ("claude-sonnet-5-5", (false, Some(Off::BetweenTools), true, false, 128_000)),
            ("claude-fable-5", (false, Some(Off::Impossible), true, true, 128_000)),
            ("claude-fable-5-1", (false, Some(Off::Impossible), true, false, 128_000)),
            ("claude-opus-7", (false, Some(Off::Impossible), true, false, 128_000)),
            ("glm-4.6", (true, None, false, true, 8192)),
        ] {
            assert_eq!(facts(name), expected, "{name}");
        }
    }
}

//! What differs between the models that speak this dialect.
//!
//! Sources: ai.google.dev/gemini-api/docs (thinking, function calling, structured output, the
//! "what's new" pages of 3.5 to 3.8), cloud.google.com's pages of the models, and the errors that
//! the API gave, as of 2026-09. A model that is not listed is taken for a newer one.

use crate::chat::Effort;

/// Facts of a model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    /// Takes JSON Schema as it is (`responseJsonSchema`, `parametersJsonSchema`); older ones know
    /// only a subset of OpenAPI's.
    pub json_schema: bool,
    /// How its thinking is set.
    pub thinking: Thinking,
    /// The most candidates: 3.x answers "Multiple candidates is not enabled for this model".
    pub candidates: u64,
    /// Takes `temperature`, `topP`, `topK`; withdrawn with 3.6 and 3.5 Flash-Lite.
    pub sampling: bool,
    /// Takes penalties; later ones answer "Penalty is not enabled for this model".
    pub penalties: bool,
    /// Goes on with a conversation that ends with its own turn.
    pub prefill: bool,
    /// Refuses function calls of the current turn that lack their thought signature.
    pub signatures: bool,
    /// Takes images in function responses.
    pub media_results: bool,
    /// Takes functions and a response format in one request.
    pub tools_with_format: bool,
}

/// How thinking is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Thinking {
    /// It does not think, or cannot be told how much.
    Fixed,
    /// `thinkingBudget`, in tokens.
    Budget { least: u32, most: u32, can_be_off: bool },
    /// `thinkingLevel`, one of these.
    Level(&'static [Effort]),
}

const ALL: &[Effort] = &[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High];
const FROM_LOW: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High];

const NEWEST: Model = Model {
    json_schema: true,
    thinking: Thinking::Level(FROM_LOW),
    candidates: 1,
    sampling: false,
    penalties: false,
    prefill: false,
    signatures: true,
    media_results: true,
    tools_with_format: true,
};
const V3: Model = Model { sampling: true, prefill: true, ..NEWEST };
const V25: Model = Model {
    candidates: 8,
    signatures: false,
    media_results: false,
    tools_with_format: false,
    thinking: Thinking::Budget { least: 1, most: 24_576, can_be_off: true },
    ..V3
};
const OLD: Model = Model { json_schema: false, thinking: Thinking::Fixed, penalties: true, ..V25 };

/// By the beginning of the name; the first that fits holds.
const TABLE: [(&str, Model); 21] = [
    ("gemini-1", OLD),
    ("gemini-2.0", OLD),
    ("gemma-", OLD),
    ("learnlm-", OLD),
    ("gemini-2.5-flash-image", Model { thinking: Thinking::Fixed, ..V25 }),
    ("gemini-2.5-flash-lite", budget(512, 24_576, true)),
    ("gemini-2.5-pro", budget(128, 32_768, false)),
    ("gemini-2.5", V25),
    ("gemini-3-pro-image", Model { thinking: Thinking::Fixed, ..V3 }),
    ("gemini-3-pro", level(&[Effort::Low, Effort::High])),
    ("gemini-3-flash", level(ALL)),
    ("gemini-3.1-flash-image", level(&[Effort::Minimal, Effort::High])),
    ("gemini-3.1-flash-lite-image", level(&[Effort::Minimal, Effort::High])),
    ("gemini-3.1-flash-lite", level(ALL)),
    ("gemini-3.1-pro", level(FROM_LOW)),
    ("gemini-3.1", level(FROM_LOW)),
    ("gemini-3-", level(FROM_LOW)),
    ("gemini-3.5-flash-lite", Model { thinking: Thinking::Level(ALL), ..NEWEST }),
    ("gemini-3.5-flash", level(ALL)),
    ("gemini-3.5", level(FROM_LOW)),
    ("gemini-3.6-flash", Model { thinking: Thinking::Level(ALL), ..NEWEST }),
];

const fn budget(least: u32, most: u32, can_be_off: bool) -> Model {
    Model { thinking: Thinking::Budget { least, most, can_be_off }, ..V25 }
}

const fn level(levels: &'static [Effort]) -> Model {
    Model { thinking: Thinking::Level(levels), ..V3 }
}

impl Model {
    /// The facts of the model of that name.
    pub fn named(name: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        TABLE.iter().find(|(prefix, _)| name.starts_with(prefix)).map_or(NEWEST, |(_, model)| *model)
    }
}

/// What an effort comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Setting {
    /// `thinkingBudget` or `thinkingLevel`; neither for a model whose thinking is fixed.
    pub amount: Option<Amount>,
    /// Whether the model does as asked.
    pub honoured: bool,
}

/// An amount of thinking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Amount {
    Tokens(u32),
    Level(Effort),
}

impl Thinking {
    /// The setting for an effort. Budgets are those of Google's own OpenAI endpoint; where a level
    /// is missing, the next higher one is taken.
    pub fn at(self, effort: Effort) -> Setting {
        let off = effort == Effort::None;
        match self {
            Self::Fixed => Setting { amount: None, honoured: off },
            Self::Budget { least, most, can_be_off } => {
                let tokens = match effort {
                    Effort::None if can_be_off => 0,
                    Effort::None => least,
                    Effort::Minimal | Effort::Low => 1024,
                    Effort::Medium => 8192,
                    Effort::High => 24_576,
                    Effort::Xhigh | Effort::Max => most,
                };
                Setting { amount: Some(Amount::Tokens(tokens)), honoured: !off || can_be_off }
            }
            Self::Level(levels) => {
                let next = levels.iter().find(|level| **level >= effort).or(levels.last());
                Setting { amount: next.copied().map(Amount::Level), honoured: !off }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effort_becomes_what_the_model_knows() {
        let tokens = |tokens, honoured| Setting { amount: Some(Amount::Tokens(tokens)), honoured };
        let level = |level, honoured| Setting { amount: Some(Amount::Level(level)), honoured };
        let nothing = |honoured| Setting { amount: None, honoured };
        for (model, effort, expected) in [
            ("gemini-2.0-flash", Effort::High, nothing(false)),
            ("gemini-2.0-flash", Effort::None, nothing(true)),
            ("gemini-2.5-flash", Effort::None, tokens(0, true)),
            ("gemini-2.5-flash", Effort::Low, tokens(1024, true)),
            ("models/gemini-2.5-pro", Effort::None, tokens(128, false)),
            ("gemini-2.5-pro-preview-06-05", Effort::Max, tokens(32_768, true)),
            ("gemini-3-pro-preview", Effort::Minimal, level(Effort::Low, true)),
            ("gemini-3-pro-preview", Effort::Medium, level(Effort::High, true)),
            ("gemini-3-flash-preview", Effort::Minimal, level(Effort::Minimal, true)),
            ("gemini-3-flash-preview", Effort::None, level(Effort::Minimal, false)),
            ("gemini-3.8-flash", Effort::None, level(Effort::Low, false)),
            ("gemini-5-something", Effort::Xhigh, level(Effort::High, true)),
        ] {
            assert_eq!(Model::named(model).thinking.at(effort), expected, "{model} {effort:?}");
        }
    }
}

//! An answer as a sequence of events, whatever provider gave it and in whatever form.

use crate::error::ApiError;
use crate::json::{self, Text, Value};

/// One step of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// Facts of the whole answer; may come again with more of them.
    Start {
        /// The provider's id of the answer.
        id: Option<Text<'a>>,
        /// The model that answers, as the provider names it.
        model: Option<Text<'a>>,
        /// Unix time in seconds.
        created: Option<i64>,
    },
    /// A member of the answer's top level that is passed on as it is, as `system_fingerprint`.
    Member {
        /// Its name.
        key: Text<'a>,
        /// Its JSON text.
        value: &'a [u8],
    },
    /// Something of one choice.
    Delta {
        /// Which choice, from 0.
        choice: u32,
        /// What of it.
        delta: Delta<'a>,
    },
    /// A choice is complete.
    Finish {
        /// Which choice, from 0.
        choice: u32,
        /// Why it ended.
        reason: FinishReason,
    },
    /// Something was said that must not be: a choice ends, and what was said of it is not shown, as far as it has not been.
    Withheld {
        /// Which choice, from 0.
        choice: u32,
    },
    /// What the answer used, so far; the last one holds.
    Usage(Usage),
    /// The provider failed after it had begun to answer.
    Error(ApiError),
    /// The provider's own mark that the answer is complete.
    End,
}

/// A piece of one choice's message.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta<'a> {
    /// Answer text.
    Text(Text<'a>),
    /// Reasoning text (`reasoning_content`).
    Reasoning(Text<'a>),
    /// The model declines (`refusal`).
    Refusal(Text<'a>),
    /// A tool call begins. Calls of a choice are numbered from 0 without gaps.
    Call {
        /// Which call.
        index: u32,
        /// The id by which its result will refer to it.
        id: Text<'a>,
        /// The tool's name.
        name: Text<'a>,
        /// Whether it is a custom tool, whose input is free text rather than JSON.
        custom: bool,
        /// Gemini's `thoughtSignature` of the call, which has to come back with it.
        signature: Option<Text<'a>>,
    },
    /// A fragment of a call's arguments: the JSON text, itself escaped as a string.
    Arguments {
        /// Which call.
        index: u32,
        /// The fragment.
        fragment: Text<'a>,
    },
    /// A piece of one of Anthropic's thinking blocks, which have to come back verbatim.
    Thinking {
        /// Which block of the message, counted from 0 over thinking blocks only.
        block: u32,
        /// What of it.
        piece: Thinking<'a>,
    },
    /// Gemini's `thoughtSignature` of the text, which has to come back with it.
    Signature(Text<'a>),
    /// `logprobs` of the choice, a JSON object.
    Logprobs(&'a [u8]),
    /// A member of the message that is passed on as it is, as `audio` or `annotations`.
    Member {
        /// Its name.
        key: Text<'a>,
        /// Its JSON text.
        value: &'a [u8],
    },
    /// A member of the choice that is passed on as it is, as `content_filter_results`.
    ChoiceMember {
        /// Its name.
        key: Text<'a>,
        /// Its JSON text.
        value: &'a [u8],
    },
}

/// A piece of a thinking block.
#[derive(Clone, Debug, PartialEq)]
pub enum Thinking<'a> {
    /// Reasoning text; clients see it as `reasoning_content` too.
    Text(Text<'a>),
    /// The signature without which the block is not accepted back.
    Signature(Text<'a>),
    /// A whole block whose text is withheld.
    Redacted(Text<'a>),
}

/// Why a choice ended; OpenAI's clients know no other reasons.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "OpenAI's words")]
pub enum FinishReason {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
    FunctionCall,
}

impl FinishReason {
    const ALL: [Self; 5] =
        [Self::Stop, Self::Length, Self::ToolCalls, Self::ContentFilter, Self::FunctionCall];

    /// The reason with this word on the wire.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::FunctionCall => "function_call",
        }
    }
}

/// Tokens used, as OpenAI counts: `prompt` includes cached tokens, `completion` includes reasoning.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Tokens of the request.
    pub prompt: u64,
    /// Tokens of the answer.
    pub completion: u64,
    /// As the provider said; the sum of the two where it did not.
    pub total: Option<u64>,
    /// Of `prompt`: read from the provider's cache.
    pub cached: Option<u64>,
    /// Of `prompt`: written to the provider's cache.
    pub cache_write: Option<u64>,
    /// Of `prompt`: audio.
    pub prompt_audio: Option<u64>,
    /// Of `completion`: reasoning.
    pub reasoning: Option<u64>,
    /// Of `completion`: audio.
    pub completion_audio: Option<u64>,
    /// Predicted tokens that were used and that were not.
    pub prediction: Option<(u64, u64)>,
}

impl Usage {
    /// Reads a `usage` object in OpenAI's form; what is missing counts as nothing.
    #[must_use]
    pub fn read(usage: Value<'_>) -> Self {
        let count = |object: Option<Value<'_>>, key: &str| object?.get(key)?.u64();
        let all = Some(usage);
        let prompt = usage.get("prompt_tokens_details");
        let completion = usage.get("completion_tokens_details");
        let accepted = count(completion, "accepted_prediction_tokens");
        Self {
            prompt: count(all, "prompt_tokens").unwrap_or(0),
            completion: count(all, "completion_tokens").unwrap_or(0),
            total: count(all, "total_tokens"),
            cached: count(prompt, "cached_tokens"),
            cache_write: count(prompt, "cache_write_tokens"),
            prompt_audio: count(prompt, "audio_tokens"),
            reasoning: count(completion, "reasoning_tokens"),
            completion_audio: count(completion, "audio_tokens"),
            prediction: accepted
                .map(|accepted| (accepted, count(completion, "rejected_prediction_tokens").unwrap_or(0))),
        }
    }

    /// Writes the `usage` object.
    pub fn write(&self, out: &mut Vec<u8>) {
        json::object(out, |usage| {
            usage.number("prompt_tokens", self.prompt);
            usage.number("completion_tokens", self.completion);
            usage.number("total_tokens", self.total());
            usage.object("prompt_tokens_details", |details| {
                details.number("cached_tokens", self.cached.unwrap_or(0));
                for (key, value) in
                    [("cache_write_tokens", self.cache_write), ("audio_tokens", self.prompt_audio)]
                {
                    if let Some(value) = value {
                        details.number(key, value);
                    }
                }
            });
            usage.object("completion_tokens_details", |details| {
                details.number("reasoning_tokens", self.reasoning.unwrap_or(0));
                if let Some(audio) = self.completion_audio {
                    details.number("audio_tokens", audio);
                }
                if let Some((accepted, rejected)) = self.prediction {
                    details.number("accepted_prediction_tokens", accepted);
                    details.number("rejected_prediction_tokens", rejected);
                }
            });
        });
    }

    /// The sum of this and other tokens.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        Self {
            prompt: self.prompt.saturating_add(other.prompt),
            completion: self.completion.saturating_add(other.completion),
            total: Some(self.total().saturating_add(other.total())),
            cached: sum(self.cached, other.cached),
            cache_write: sum(self.cache_write, other.cache_write),
            prompt_audio: sum(self.prompt_audio, other.prompt_audio),
            reasoning: sum(self.reasoning, other.reasoning),
            completion_audio: sum(self.completion_audio, other.completion_audio),
            prediction: match (self.prediction, other.prediction) {
                (Some((accepted, rejected)), Some((more, others))) => {
                    Some((accepted.saturating_add(more), rejected.saturating_add(others)))
                }
                (one, other) => one.or(other),
            },
        }
    }

    /// All tokens.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.unwrap_or(self.prompt.saturating_add(self.completion))
    }
}

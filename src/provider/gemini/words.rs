//! Gemini's words for why an answer ended, and its count of tokens.

use super::fields;
use crate::chat::{FinishReason, Usage};
use crate::json::Value;

/// Why a candidate ended; none while it goes on. `content_filter` is kept for reasons of policy:
/// what merely went wrong, as `MALFORMED_FUNCTION_CALL`, is an answer that stopped.
pub(super) fn finish_reason(value: Value<'_>) -> Option<FinishReason> {
    let Some(word) = value.text() else { return value.i64().and_then(numbered) };
    Some(match word.decode().as_ref() {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "JAILBREAK"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    })
}

/// The numbers of `google.cloud.aiplatform.v1.Candidate.FinishReason`: only Vertex is known to have
/// written them.
fn numbered(number: i64) -> Option<FinishReason> {
    Some(match number {
        0 => return None,
        2 => FinishReason::Length,
        // SAFETY, RECITATION; BLOCKLIST, PROHIBITED_CONTENT, SPII; MODEL_ARMOR, IMAGE_SAFETY,
        // IMAGE_PROHIBITED_CONTENT, IMAGE_RECITATION.
        3 | 4 | 6..=8 | 10..=13 => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    })
}

/// `usageMetadata`: the counts are of the whole answer so far, and a chunk may leave some out.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    prompt: Option<u64>,
    tool_use: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
    cached: Option<u64>,
    total: Option<u64>,
    prompt_audio: Option<u64>,
    answer_audio: Option<u64>,
}

impl Tokens {
    /// Takes the counts that are there; says whether there were any.
    pub fn read(&mut self, metadata: Value<'_>) -> bool {
        let [prompt, tool_use, candidates, thoughts, cached, total, prompt_details, answer_details] = fields(
            metadata,
            [
                "promptTokenCount",
                "toolUsePromptTokenCount",
                "candidatesTokenCount",
                "thoughtsTokenCount",
                "cachedContentTokenCount",
                "totalTokenCount",
                "promptTokensDetails",
                "candidatesTokensDetails",
            ],
        );
        let mut any = false;
        let counts = [
            (&mut self.prompt, prompt.and_then(Value::u64)),
            (&mut self.tool_use, tool_use.and_then(Value::u64)),
            (&mut self.candidates, candidates.and_then(Value::u64)),
            (&mut self.thoughts, thoughts.and_then(Value::u64)),
            (&mut self.cached, cached.and_then(Value::u64)),
            (&mut self.total, total.and_then(Value::u64)),
            (&mut self.prompt_audio, prompt_details.and_then(audio)),
            (&mut self.answer_audio, answer_details.and_then(audio)),
        ];
        for (known, count) in counts {
            any |= count.is_some();
            *known = count.or(*known);
        }
        any
    }

    /// The same as OpenAI counts: `candidatesTokenCount` leaves thoughts out, and what tools of
    /// the provider's own put into the prompt is prompt. What the total has beyond the parts was
    /// spent on the answer: some models think without saying how much.
    pub fn usage(&self) -> Usage {
        let prompt = self.prompt.unwrap_or(0).saturating_add(self.tool_use.unwrap_or(0));
        let candidates = self.candidates.unwrap_or(0);
        let thoughts = self.thoughts.unwrap_or(0);
        let completion = match self.total.map(|total| total.saturating_sub(prompt)) {
            // Some answers have the thoughts in both; the total tells.
            Some(rest) if rest >= candidates.max(thoughts) => rest,
            _ => candidates.saturating_add(thoughts),
        };
        Usage {
            prompt,
            completion,
            total: None,
            cached: self.cached.map(|cached| cached.min(prompt)),
            prompt_audio: self.prompt_audio,
            reasoning: self.thoughts,
            completion_audio: self.answer_audio,
            ..Usage::default()
        }
    }
}

/// Of a list of counts by modality, the audio.
fn audio(details: Value<'_>) -> Option<u64> {
    let is_audio = |modality: Value<'_>| {
        modality.text().is_some_and(|word| word == "AUDIO") || modality.i64() == Some(4)
    };
    details.items().find(|detail| detail.get("modality").is_some_and(is_audio))?.get("tokenCount")?.u64()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::json::{Document, Surrogates};

    #[test]
    fn every_reason_is_one_that_clients_know() {
        let (stop, filter) = (Some(FinishReason::Stop), Some(FinishReason::ContentFilter));
        for (json, expected) in [
            (r#""STOP""#, stop),
            (r#""MAX_TOKENS""#, Some(FinishReason::Length)),
            (r#""SAFETY""#, filter),
            (r#""RECITATION""#, filter),
            (r#""SPII""#, filter),
            (r#""IMAGE_SAFETY""#, filter),
            (r#""LANGUAGE""#, stop),
            (r#""OTHER""#, stop),
            (r#""MALFORMED_FUNCTION_CALL""#, stop),
            (r#""SOMETHING_NEW""#, stop),
            (r#""FINISH_REASON_UNSPECIFIED""#, None),
            ("0", None),
            ("1", stop),
            ("2", Some(FinishReason::Length)),
            ("3", filter),
            ("5", stop),
            ("8", filter),
            ("9", stop),
            ("99", stop),
        ] {
            let document = Document::parse(json.as_bytes(), Surrogates::Lone).unwrap();
            assert_eq!(finish_reason(document.root()), expected, "{json}");
        }
    }

    #[test]
    fn tokens_are_counted_as_openai_counts_them() {
        for (json, prompt, completion, total) in [
            (r#"{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":8}"#, 5, 3, 8),
            (
                r#"{"promptTokenCount":5,"candidatesTokenCount":3,"thoughtsTokenCount":4,"totalTokenCount":12}"#,
                5,
                7,
                12,
            ),
            (
                r#"{"promptTokenCount":5,"candidatesTokenCount":7,"thoughtsTokenCount":4,"totalTokenCount":12}"#,
                5,
                7,
                12,
            ),
            (r#"{"promptTokenCount":5,"thoughtsTokenCount":4,"totalTokenCount":9}"#, 5, 4, 9),
            (
                r#"{"promptTokenCount":5,"toolUsePromptTokenCount":6,"candidatesTokenCount":1,"totalTokenCount":12}"#,
                11,
                1,
                12,
            ),
            (r#"{"promptTokenCount":6}"#, 6, 0, 6),
            // Thoughts that are told in the total alone, and a total that is none.
            (r#"{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":20}"#, 5, 15, 20),
            (r#"{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":6}"#, 5, 3, 8),
        ] {
            let document = Document::parse(json.as_bytes(), Surrogates::Lone).unwrap();
            let mut tokens = Tokens::default();
            assert!(tokens.read(document.root()));
            let usage = tokens.usage();
            assert_eq!(
                (usage.prompt, usage.completion, usage.total()),
                (prompt, completion, total),
                "{json}"
            );
        }
    }

    #[test]
    fn metadata_without_counts_changes_nothing() {
        let document = Document::parse(br#"{"trafficType":"ON_DEMAND"}"#, Surrogates::Lone).unwrap();
        let mut tokens = Tokens { prompt: Some(3), ..Tokens::default() };
        assert!(!tokens.read(document.root()));
        assert_eq!(tokens.usage().prompt, 3);
    }
}

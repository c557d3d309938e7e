//! What is known of a model's tokenizer before any of its answers was seen.

use super::makeup::{KINDS, TEXTS};
use crate::config::Vendor;

/// Models that share a tokenizer, or nearly so, and a way to count images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// OpenAI's, and whatever nothing else is known of.
    OpenAi,
    /// Anthropic's.
    Claude,
    /// Google's Gemini and Gemma.
    Gemini,
    /// DeepSeek's.
    DeepSeek,
    /// Mistral's.
    Mistral,
    /// Alibaba's.
    Qwen,
}

/// What families' models have in their names, wherever they are served.
const NAMES: [(&str, Family); 9] = [
    ("claude", Family::Claude),
    ("gemini", Family::Gemini),
    ("gemma", Family::Gemini),
    // Before the models of others that were distilled from it: they kept their tokenizers.
    ("qwen", Family::Qwen),
    ("llama", Family::OpenAi),
    ("deepseek", Family::DeepSeek),
    ("mistral", Family::Mistral),
    ("ministral", Family::Mistral),
    ("mixtral", Family::Mistral),
];

impl Family {
    /// The family of the model that a vendor calls `model`.
    #[must_use]
    pub fn of(vendor: Vendor, model: &str) -> Self {
        let by_name = || {
            let model = model.to_ascii_lowercase();
            NAMES.iter().find(|(name, _)| model.contains(name)).map_or(Self::OpenAi, |(_, family)| *family)
        };
        match vendor {
            Vendor::OpenAi | Vendor::Azure => Self::OpenAi,
            Vendor::Anthropic => Self::Claude,
            Vendor::Gemini => Self::Gemini,
            Vendor::DeepSeek => Self::DeepSeek,
            Vendor::Mistral => Self::Mistral,
            Vendor::Qwen => Self::Qwen,
            _ => by_name(),
        }
    }

    /// How many times as many tokens as by the weights, for each kind of text: fitted to the tokenizer that the family
    /// has published. Anthropic's is that of Claude 2; later ones are not public.
    fn factors(self) -> [f32; TEXTS] {
        match self {
            Self::OpenAi => [1.0; TEXTS],
            Self::Claude => [1.11, 0.80, 1.29, 0.62, 2.30, 2.55, 2.88, 4.38, 1.32, 1.39, 1.94, 1.07],
            Self::Gemini => [0.97, 1.80, 1.18, 1.59, 0.86, 0.96, 1.07, 0.73, 0.55, 0.84, 0.91, 0.68],
            Self::DeepSeek => [1.05, 0.92, 1.14, 0.93, 1.49, 1.22, 1.18, 1.03, 0.91, 0.72, 1.14, 0.87],
            Self::Mistral => [1.03, 1.86, 1.02, 1.02, 0.92, 1.05, 0.97, 1.19, 0.81, 1.15, 0.88, 1.24],
            Self::Qwen => [1.05, 1.89, 0.89, 0.86, 1.41, 1.65, 1.18, 1.76, 0.89, 0.79, 1.08, 1.05],
        }
    }

    /// What to believe of each kind at first.
    pub(super) fn beliefs(self) -> [Belief; KINDS] {
        let mut beliefs = [OTHERS[0]; KINDS];
        let text = self.factors().map(|factor| Belief {
            factor,
            alone: 0.3 * factor,
            shared: 0.2 * factor,
            drift: 0.006 * factor,
            range: (0.2, 10.0),
        });
        for (belief, known) in beliefs.iter_mut().zip(text.into_iter().chain(OTHERS)) {
            *belief = known;
        }
        beliefs
    }
}

impl Belief {
    /// How much it is doubted before anything was learned: a variance.
    pub fn doubt(&self) -> f32 {
        self.alone * self.alone + self.shared * self.shared
    }
}

/// What is believed of the factor of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Belief {
    /// How many times as many tokens as without correction.
    pub factor: f32,
    /// How far off it may be by itself: one standard deviation.
    pub alone: f32,
    /// How far off it may be together with all others: a tokenizer that cuts finer does so in every script.
    pub shared: f32,
    /// How far it may move from one report to the next: models are replaced behind their names.
    pub drift: f32,
    /// It never leaves these.
    pub range: (f32, f32),
}

/// Tools, the frame and media. The frame is four tokens, and whatever else the provider adds to every request.
const OTHERS: [Belief; KINDS - TEXTS] = [
    Belief { factor: 1.0, alone: 0.5, shared: 0.2, drift: 0.01, range: (0.1, 10.0) },
    Belief { factor: 1.0, alone: 10.0, shared: 0.0, drift: 0.2, range: (0.0, 1000.0) },
    Belief { factor: 1.0, alone: 0.5, shared: 0.0, drift: 0.01, range: (0.05, 20.0) },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_known_by_its_vendor_or_by_the_models_name() {
        for (vendor, model, family) in [
            (Vendor::OpenAi, "gpt-5", Family::OpenAi),
            (Vendor::Azure, "my-claude-lookalike", Family::OpenAi),
            (Vendor::Anthropic, "opus", Family::Claude),
            (Vendor::OpenRouter, "anthropic/Claude-Sonnet-4.5", Family::Claude),
            (Vendor::OpenRouter, "google/gemma-3-27b-it", Family::Gemini),
            (Vendor::Groq, "deepseek-r1-distill-llama-70b", Family::OpenAi),
            (Vendor::Together, "deepseek-ai/DeepSeek-V3", Family::DeepSeek),
            (Vendor::Vllm, "mistralai/Mixtral-8x7B", Family::Mistral),
            (Vendor::Ollama, "qwen3:8b", Family::Qwen),
            (Vendor::Compatible, "whatever", Family::OpenAi),
        ] {
            assert_eq!(Family::of(vendor, model), family, "{model}");
        }
    }
}

//! What a request or an answer is made of: tokens of each kind of content.

/// The kinds of content that tokenizers treat differently from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ASCII letters, in words and identifiers; also Georgian, Khmer and what else is between U+1000 and U+1FFF.
    Latin,
    /// Digits, in numbers.
    Digits,
    /// Punctuation, brackets, operators.
    Marks,
    /// Line breaks and indentation.
    Space,
    /// Latin letters beyond ASCII.
    Accents,
    /// Cyrillic.
    Cyrillic,
    /// Hebrew and Arabic, their neighbours in Unicode, and Greek, which tokenizers treat alike.
    Semitic,
    /// The scripts of India, Thai, Lao, Tibetan.
    Indic,
    /// Japanese kana, East Asian punctuation.
    Kana,
    /// Chinese characters.
    Han,
    /// Korean.
    Hangul,
    /// Emoji and what else is beyond Unicode's first plane.
    Emoji,
    /// Tools and schemas: providers put them into words of their own.
    Tools,
    /// What is there in every request: the provider's own frame, or a system prompt that nobody sees.
    Frame,
    /// Images, audio and files.
    Media,
}

/// How many kinds there are.
pub(super) const KINDS: usize = 15;
/// How many of them, the first ones, are kinds of text.
pub(super) const TEXTS: usize = 12;

/// How many tokens of each [`Kind`], before a [`Calibration`](super::Calibration) corrects them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Makeup {
    /// By kind, in its order.
    pub(super) parts: [f32; KINDS],
    /// What needs no correction: the marks around messages and calls.
    pub(super) fixed: f32,
}

impl Makeup {
    /// The tokens of one kind.
    #[must_use]
    pub fn part(&self, kind: Kind) -> f32 {
        self.parts.get(kind as usize).copied().unwrap_or_default()
    }

    /// All tokens, uncorrected.
    #[must_use]
    pub fn total(&self) -> f32 {
        self.parts.iter().sum::<f32>() + self.fixed
    }

    /// All tokens, uncorrected, as a number of them.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    pub fn tokens(&self) -> u64 {
        self.total().ceil() as u64
    }

    /// Adds to one kind.
    pub(super) fn add(&mut self, kind: Kind, tokens: f32) {
        if let Some(part) = self.parts.get_mut(kind as usize) {
            *part += tokens;
        }
    }
}

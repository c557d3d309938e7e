//! Vectors by letters alone, for those who have no model that makes them: no network, no memory, a
//! few microseconds.
//!
//! Words, the pieces of three letters that they consist of, and pairs of neighbouring words are
//! hashed to places of the vector. Words that say little weigh little. So what is near is said in
//! nearly the same words; it knows nothing of what they mean.

use super::lexicon;
use super::vector::Vector;
use super::words::{Weight, Word, Words};
use crate::fnv;

/// So that rarely two of a question's features meet in one place.
const DIMENSIONS: usize = 256;
/// What a filler weighs, and a common word; all others weigh 1.
const FILLER: f32 = 0.1;
const COMMON: f32 = 0.5;
/// What all the letters of a word weigh together, and a pair of words, each in proportion to the words' own weight.
const LETTERS: f32 = 0.25;
const PAIR: f32 = 0.4;

/// The vector of a question.
pub(super) fn vector(words: &Words) -> Option<Vector> {
    let mut numbers = [0.0_f32; DIMENSIONS];
    let mut add = |feature: Feature, weight: f32| {
        let hash = feature.hash();
        let sign = if hash >> 63 == 0 { weight } else { -weight };
        let place = usize::try_from(hash % DIMENSIONS as u64).unwrap_or_default();
        if let Some(number) = numbers.get_mut(place) {
            *number += sign;
        }
    };
    let mut before: Option<(&str, f32)> = None;
    for word in &words.words {
        let weight = weight(word);
        let stem = stem(&word.text);
        add(Feature::of(b'w').with(stem), weight);
        if word.weight == Weight::Filler {
            continue;
        }
        let letters = word.text.len();
        if letters > 3 {
            #[expect(clippy::cast_precision_loss, reason = "words are short")]
            let each = weight * LETTERS / (letters as f32).sqrt();
            let framed = std::iter::once(b'<').chain(word.text.bytes()).chain([b'>']);
            framed.fold([0; 2], |[first, second], third| {
                if first != 0 {
                    add(Feature::of(b'l').bytes(&[first, second, third]), each);
                }
                [second, third]
            });
        }
        if let Some((other, its)) = before {
            add(Feature::of(b'p').with(other).with(stem), PAIR * (its * weight).sqrt());
        }
        before = Some((stem, weight));
    }
    Vector::of(&numbers)
}

fn weight(word: &Word) -> f32 {
    match word.weight {
        Weight::Filler => FILLER,
        _ if lexicon::is_common(&word.text) => COMMON,
        _ => 1.0,
    }
}

/// What forms of a word begin with. Other words may begin so too: the guards compare whole words.
fn stem(word: &str) -> &str {
    let without = |end: &str| word.strip_suffix(end).filter(|stem| stem.len() >= 3);
    let stem =
        ["ies", "ied", "ing", "ed", "es", "s", "y"].iter().find_map(|end| without(end)).unwrap_or(word);
    let doubled = stem.strip_suffix(|c: char| {
        stem.len() >= 4 && stem.trim_end_matches(c).len().saturating_add(2) == stem.len()
    });
    doubled.unwrap_or(stem).trim_end_matches('e')
}

/// The hash of a feature (FNV-1a, and mixed once more, because its high bits alone say little).
struct Feature(u64);

impl Feature {
    fn of(kind: u8) -> Self {
        Self(fnv::of(&[kind]))
    }

    fn with(self, text: &str) -> Self {
        self.bytes(text.as_bytes()).bytes(&[0xFF])
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        Self(fnv::extend(self.0, bytes))
    }

    fn hash(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    }
}

//! How hard a request is, so that "the cheapest that can do it" has a meaning.
//!
//! Points for what makes work: the task, length, parts, tools, words that ask for thoroughness. It is a guess from the outside, made
//! to be wrong upward rather than downward where much is asked.

use super::Marks;
use super::features::{Features, Format};

/// How hard a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Complexity {
    /// Any model does it.
    Simple,
    /// The usual.
    Standard,
    /// It takes a strong model.
    Hard,
}

impl Complexity {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Standard => "standard",
            Self::Hard => "hard",
        }
    }
}

/// From this many points on.
const STANDARD: i32 = 2;
const HARD: i32 = 5;

/// How hard it is; `task` is its place among the built-in ones, and the points are those of words that speak of it.
pub(super) fn complexity(
    features: &Features<'_>,
    task: usize,
    marks: &Marks,
    hard: u8,
    easy: u8,
) -> Complexity {
    let mut points = match task {
        // Code and reasoning go wrong where a model is weak; what is asked in passing does not.
        0 | 1 | 4 => 2,
        2 | 3 => 1,
        _ => 0,
    };
    points += match features.bytes {
        0..80 => -1,
        80..400 => 0,
        400..2000 => 1,
        _ => 2,
    };
    points += match features.tokens {
        0..2000 => 0,
        2000..16_000 => 1,
        _ => 2,
    };
    points += i32::from(marks.items >= 3) + i32::from(marks.items >= 6) + i32::from(marks.questions >= 3);
    points += i32::from(features.tools > 0) + i32::from(features.tools > 8);
    points += i32::from(features.code_fences >= 4) + i32::from(features.format == Format::Schema);
    points += i32::from(features.messages > 12) + i32::from(features.images > 0);
    points += i32::from(hard.min(12)) / 3 - i32::from(easy.min(4)) / 3;
    match points {
        HARD.. => Complexity::Hard,
        STANDARD.. => Complexity::Standard,
        _ => Complexity::Simple,
    }
}

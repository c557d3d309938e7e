//! Has nearly the same been asked before?
//!
//! A question is the last turn of a conversation, the user's and in plain words; all before it, and
//! everything else of the request, has to be the same. Two questions are one if their vectors are
//! near, and if nothing is between them that vectors are known to overlook. Where it is not certain
//! it is another question: an answer made twice costs less than a wrong one.

mod guard;
mod index;
mod lexicon;
mod local;
#[cfg(test)]
mod tests;
mod vector;
mod words;

pub use index::{Asked, Index};
pub use vector::{MOST_DIMENSIONS, Vector};

use words::Words;

/// Longer texts are rarely asked twice, and what they differ in is drowned by what they have in common.
const MOST_BYTES: usize = 512;
/// What says less than this says it all in its context.
const LEAST_WORDS: usize = 2;

/// A question that can be compared with others.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    text: String,
    words: Words,
}

impl Question {
    /// The question in a text, if it is one that can be compared.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > MOST_BYTES {
            return None;
        }
        let words = Words::of(text);
        let says_enough = words.meaning().nth(LEAST_WORDS.saturating_sub(1)).is_some();
        says_enough.then(|| Self { text: text.to_owned(), words })
    }

    /// What is asked.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its vector by letters alone.
    #[must_use]
    pub fn vector(&self) -> Option<Vector> {
        local::vector(&self.words)
    }
}

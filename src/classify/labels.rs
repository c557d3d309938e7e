//! What models have said of texts, kept for a while: the same words come again, and a model takes its time and costs money.

use crate::names::TaskName;
use crate::time::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// Of so many texts. What was heard first goes first.
pub(super) const MOST: usize = 512;

/// By what a text is known, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark([u8; 16]);

/// What is known of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nobody has been asked, or not lately.
    Unasked,
    /// Somebody has been asked, and has not said.
    Unsaid,
    /// It is of this task.
    Said(TaskName),
}

/// What was said, in the order in which it was.
#[derive(Debug, Default)]
pub struct Labels(VecDeque<Label>);

#[derive(Debug)]
struct Label {
    mark: Mark,
    task: Option<TaskName>,
    until: Timestamp,
}

impl Mark {
    /// That of a text of theirs: what is known of others' texts would tell that they have sent them.
    #[must_use]
    pub fn of(whose: &str, text: &str) -> Self {
        let digest = Sha256::new().chain_update(whose).chain_update([0]).chain_update(text).finalize();
        let mut mark = [0; 16];
        mark.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(mark)
    }
}

impl Labels {
    /// Nothing was said yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// What is known of a text.
    #[must_use]
    pub fn find(&self, mark: Mark, now: Timestamp) -> Known {
        let label = self.0.iter().find(|label| label.mark == mark && now < label.until);
        label.map_or(Known::Unasked, |label| label.task.clone().map_or(Known::Unsaid, Known::Said))
    }

    /// Keeps what was said of a text until then; no task if it was not said.
    pub fn note(&mut self, mark: Mark, task: Option<TaskName>, until: Timestamp) {
        self.0.retain(|label| label.mark != mark);
        while self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(Label { mark, task, until });
    }

    /// Forgets everything: others may be asked now, about other tasks.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

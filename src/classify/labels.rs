//! What models have said of texts, kept for a while: the same words come again, and a model takes its time and costs money.

use crate::names::TaskName;
use crate::time::Timestamp;

/// Of so many texts. What was heard first goes first.
pub(super) const MOST: usize = 512;

/// By what a text is known, and whose it is: a hash of both.
pub type Mark = [u8; 16];

/// What was said, in the order in which it was.
#[derive(Debug, Default)]
pub struct Labels(Vec<Label>);

#[derive(Debug)]
struct Label {
    mark: Mark,
    task: Option<TaskName>,
    until: Timestamp,
}

impl Labels {
    /// Nothing was said yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// What was said of a text, which may be nothing; none if nobody has been asked, or not lately.
    #[must_use]
    pub fn find(&self, mark: &Mark, now: Timestamp) -> Option<Option<&TaskName>> {
        let label = self.0.iter().find(|label| label.mark == *mark && now < label.until);
        label.map(|label| label.task.as_ref())
    }

    /// Keeps what was said of a text until then; no task if it was not said.
    pub fn note(&mut self, mark: Mark, task: Option<TaskName>, until: Timestamp) {
        let old = self.0.iter().position(|label| label.mark == mark);
        if let Some(gone) = old.or_else(|| (self.0.len() >= MOST).then_some(0)) {
            self.0.remove(gone);
        }
        self.0.push(Label { mark, task, until });
    }

    /// Forgets everything: others may be asked now, about other tasks.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

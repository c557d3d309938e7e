//! What models have said that the gateway has asked itself on a request's behalf: one after another, each once.

use super::embedding::{Embedding, embedding};
use super::{Books, judge};
use crate::classify::{Classifier, Mark};
use crate::config::Config;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The vector of a question.
    Vector,
    /// Of which task a text is.
    Task(Mark),
}

/// What was said so far.
#[derive(Debug, Default)]
pub struct Told {
    /// The vector of its question.
    pub(super) embedding: Embedding,
    /// Whether nobody is to be asked any more of which task it is. What was said is in the worker's memory.
    pub(super) task: bool,
}

impl Told {
    /// That of a request for which nobody is to be asked anything, such as one of the gateway's own.
    #[must_use]
    pub fn all() -> Self {
        Self { embedding: Embedding::Unmade, task: true }
    }

    /// Nobody is to be asked anything any more.
    pub fn close(&mut self) {
        self.task = true;
        if matches!(self.embedding, Embedding::Unasked) {
            self.embedding = Embedding::Unmade;
        }
    }

    /// Takes an answer, of this status and with this body.
    ///
    /// # Errors
    /// What that means, for the log, where it does not say what was asked.
    pub fn take(
        &mut self,
        about: About,
        answer: (u16, &[u8]),
        classifier: Option<&Classifier>,
        config: &Config,
        books: Books<'_>,
    ) -> Result<(), String> {
        match about {
            About::Vector => {
                let made = embedding(answer.0, answer.1);
                let failed = made.as_ref().err().map(|found| {
                    format!("no vector of a question, so it is compared with no other: {found}")
                });
                self.embedding = made.map_or(Embedding::Unmade, Embedding::Made);
                failed.map_or(Ok(()), Err)
            }
            About::Task(mark) => {
                self.task = true;
                let Some((classifier, model)) = classifier.zip(config.task_model()) else { return Ok(()) };
                judge::hear(answer, mark, classifier, model, books).map_err(|found| {
                    format!("no model says of which task a request is, so its words do: {found}")
                })
            }
        }
    }
}

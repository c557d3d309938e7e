//! What models have said that the gateway has asked itself on a request's behalf: one after another, each once.

use super::embedding::{Embedding, embedding};
use super::{Books, judge};
use crate::classify::{Classifier, Mark};
use crate::config::Config;
use crate::json::{Document, Surrogates};
use crate::names::RouteName;
use crate::route::Among;

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
    /// Whether the route's own targets are to answer, whatever else the route says.
    pub(super) plain: bool,
    /// The route on whose behalf it is asked, if it is.
    pub(super) route: Option<RouteName>,
    /// Who of these.
    pub(super) among: Among,
}

impl Told {
    /// That of a request for which nobody is to be asked anything, such as one of the gateway's own, or
    /// one that has waited long enough.
    #[must_use]
    pub fn all() -> Self {
        Self { embedding: Embedding::Unmade, task: true, ..Self::default() }
    }

    /// That of a request of the gateway's own, on behalf of what was asked of a route.
    #[must_use]
    pub fn on_behalf(route: Option<RouteName>) -> Self {
        Self { route, ..Self::all() }
    }

    /// The same, and the targets of whatever route it asks for are to answer.
    #[must_use]
    pub fn plain(route: Option<RouteName>) -> Self {
        Self { plain: true, route, ..Self::all() }
    }

    /// The same, by some of the models that the name that is asked for stands for.
    #[must_use]
    pub fn by(self, among: Among) -> Self {
        Self { among, ..self }
    }

    /// Takes an answer, of this status and with this body.
    ///
    /// # Errors
    /// What is there in the place of what was asked, for the log.
    pub fn take(
        &mut self,
        about: About,
        (status, body): (u16, &[u8]),
        classifier: Option<&Classifier>,
        config: &Config,
        books: Books<'_>,
    ) -> Result<(), &'static str> {
        let document = match status {
            200 => Document::parse(body, Surrogates::Lone).map_err(|_| "an answer that is not JSON"),
            _ => Err("it was not answered"),
        };
        let answer = document.as_ref().map(Document::root).map_err(|found| *found);
        match about {
            About::Vector => {
                self.embedding = Embedding::Unmade;
                self.embedding = Embedding::Made(embedding(answer?)?);
            }
            About::Task(mark) => {
                self.task = true;
                let Some((classifier, model)) = classifier.zip(config.task_model()) else { return Ok(()) };
                let task = answer.and_then(|answer| judge::task(answer, classifier));
                judge::note(mark, task.as_ref().ok().cloned(), model, books);
                task?;
            }
        }
        Ok(())
    }
}

impl About {
    /// What it means that it was not said, for the log.
    #[must_use]
    pub fn lack(self) -> &'static str {
        match self {
            Self::Vector => "no vector of a question, so it is compared with no other",
            Self::Task(_) => "no model says of which task a request is, so its words do",
        }
    }
}

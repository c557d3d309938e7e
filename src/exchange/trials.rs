//! The attempts of a request, as the health of its targets hears of them: when each begins, and how it ends.
//!
//! There is one at a time. Envoy does not say when an attempt has ended without a response, so the next one's beginning or the
//! request's end says it.

use super::Books;
use super::lesson::Lesson;
use crate::affinity;
use crate::chat::Usage;
use crate::health::{Ended, Probe, Table, Trial};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The attempts of a request.
#[derive(Debug, Default)]
pub struct Trials {
    stream: bool,
    /// How long an attempt may take until it answers, in milliseconds.
    attempt_ms: Option<u64>,
    /// The permission to try this target, until an attempt has it.
    probe: RefCell<Option<(Rc<str>, Probe)>>,
    /// At which target.
    under_way: RefCell<Option<(Rc<str>, Trial)>>,
    begun: Cell<usize>,
    /// What is learned from them.
    lesson: Option<Box<Lesson>>,
    /// The conversation that stays with whoever answers.
    bond: Option<(affinity::Key, affinity::Rules)>,
}

impl Trials {
    /// Of a request which asks for a stream or not, and whose attempts may take so long until they answer.
    #[must_use]
    pub fn new(
        stream: bool,
        attempt_ms: Option<u64>,
        probe: Option<(Rc<str>, Probe)>,
        lesson: Option<Lesson>,
        bond: Option<(affinity::Key, affinity::Rules)>,
    ) -> Self {
        Self {
            stream,
            attempt_ms,
            probe: RefCell::new(probe),
            lesson: lesson.map(Box::new),
            bond,
            ..Self::default()
        }
    }

    /// Under which name users may say how good the answer was, where that is learned.
    #[must_use]
    pub fn rated_as(&self) -> Option<&str> {
        self.lesson.as_ref().map(|lesson| &*lesson.request_id)
    }

    /// How many have begun.
    #[must_use]
    pub fn begun(&self) -> usize {
        self.begun.get()
    }

    /// Whether the time of a first token is of interest.
    #[must_use]
    pub fn awaits_first_token(&self) -> bool {
        self.stream && self.is_open()
    }

    /// Whether there is nothing more to be told.
    #[must_use]
    pub fn are_over(&self) -> bool {
        !self.is_open() && self.probe.borrow().is_none()
    }

    /// Whether an attempt is under way.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.under_way.borrow().is_some()
    }

    /// An attempt at a target begins. If there was one before it of which nothing came, that has failed.
    pub fn begin(&self, target: &Rc<str>, books: Books<'_>) {
        self.unanswered(books);
        self.begun.set(self.begun.get().saturating_add(1));
        let probe = self.probe.take().and_then(|(of, probe)| {
            let is_for_it = of == *target;
            if !is_for_it {
                self.probe.replace(Some((of, probe)));
            }
            is_for_it.then_some(probe)
        });
        let trial = books.memory.targets.borrow_mut().begin(target, self.stream, probe, books.now);
        self.under_way.replace(Some((Rc::clone(target), trial)));
    }

    /// The first token of the attempt's stream is there.
    pub fn first_token(&self, books: Books<'_>) {
        if let Some((_, trial)) = self.under_way.borrow_mut().as_mut().filter(|_| self.stream) {
            books.memory.targets.borrow_mut().first_token(trial, books.now);
        }
    }

    /// The attempt that is under way has ended, with this usage as far as its provider has said; says nothing of one that had
    /// ended before.
    pub fn end(&self, ended: Ended, usage: Option<&Usage>, books: Books<'_>) {
        let Some((target, trial)) = self.under_way.take() else { return };
        if let Some(lesson) = &self.lesson {
            lesson.learn(&target, ended, trial.waited_ms(books.now), books);
        }
        if let Some((key, rules)) = &self.bond {
            match (ended, usage) {
                (Ended::Answered { .. }, Some(usage)) => {
                    affinity::note(books.store, *key, &target, usage, rules, books.now);
                }
                (Ended::Answered { .. } | Ended::Untold, _) => {}
                _ => affinity::break_off(books.store, *key, &target),
            }
        }
        tell(&mut books.memory.targets.borrow_mut(), trial, ended, books);
    }

    /// Envoy has given up the attempt that is under way, and no response has come.
    pub fn unanswered(&self, books: Books<'_>) {
        let took = self.under_way.borrow().as_ref().map_or(0, |(_, trial)| books.now.since(trial.began()));
        let timed_out = self.attempt_ms.is_some_and(|most| took >= most);
        self.end(if timed_out { Ended::TimedOut } else { Ended::Failed }, None, books);
    }

    /// The request is over: what no attempt has used is given back.
    pub fn over(&self, books: Books<'_>) {
        if let Some((target, probe)) = self.probe.take() {
            give_back(&target, probe, books);
        }
    }
}

/// Gives a permission back that no attempt has used.
pub(super) fn give_back(target: &str, probe: Probe, books: Books<'_>) {
    let mut targets = books.memory.targets.borrow_mut();
    let trial = targets.begin(target, false, Some(probe), books.now);
    tell(&mut targets, trial, Ended::Untold, books);
}

fn tell(targets: &mut Table, trial: Trial, ended: Ended, books: Books<'_>) {
    if targets.record(trial, ended, books.now) {
        // What is not told now is told a second later.
        let _ = targets.exchange(books.store, books.now);
    }
}

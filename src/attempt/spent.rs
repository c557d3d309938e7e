//! What an attempt has used, as far as is known at any moment.
//!
//! A request is settled when it is over, however that comes: the client may leave, the provider may break off. So this is
//! kept up to date with every piece of the answer, where the gateway role can read it at any time.

use super::response::Piece;
use crate::chat::{Form, Usage, said};
use crate::estimate::Tally;
use crate::health::Ended;
use std::cell::{Cell, RefCell};

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Stage {
    /// The provider has been asked, and has said nothing yet.
    #[default]
    Asked,
    /// It answers, or has answered.
    Answering,
    /// It has failed before it answered.
    Failed,
}

/// What a provider has said of what its answer used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Report {
    /// Nothing yet.
    #[default]
    Missing,
    /// How much it was before the answer's end: some say at the beginning how long the prompt was.
    SoFar(Usage),
    /// How much it was.
    Whole(Usage),
}

impl Report {
    /// What was said, and whether the answer has come to its end.
    pub(super) fn new(usage: Option<Usage>, ended: bool) -> Self {
        match usage {
            None => Self::Missing,
            Some(usage) if ended => Self::Whole(usage),
            Some(usage) => Self::SoFar(usage),
        }
    }

    /// The counts, as far as they are known.
    #[must_use]
    pub fn usage(self) -> Option<Usage> {
        match self {
            Self::Missing => None,
            Self::SoFar(usage) | Self::Whole(usage) => Some(usage),
        }
    }
}

/// What an attempt has used.
#[derive(Debug, Default)]
pub struct Spent {
    stage: Cell<Stage>,
    report: Cell<Report>,
    said: Cell<Tally>,
    failure: RefCell<Option<String>>,
    ended: Cell<Option<Ended>>,
    finished: Cell<bool>,
}

impl Spent {
    /// How far it has come.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// What the provider said was used.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report.get()
    }

    /// What was said of an answer whose usage is not reported, or not yet.
    #[must_use]
    pub fn said(&self) -> Tally {
        self.said.get()
    }

    /// How it has failed, if it has: `503:overloaded`.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    /// How it has ended, once.
    #[must_use]
    pub fn take_end(&self) -> Option<Ended> {
        self.ended.take()
    }

    /// Whether the provider has said all of its answer, though the end of it may not have come.
    #[must_use]
    pub fn has_finished(&self) -> bool {
        self.finished.get()
    }

    pub(super) fn end(&self, ended: Ended) {
        self.ended.set(Some(ended));
    }

    pub(super) fn finished(&self, finished: bool, report: Report) {
        self.finished.set(finished);
        self.report.set(report);
    }

    pub(super) fn fail(&self, how: &str) {
        self.stage.set(Stage::Failed);
        self.failure.replace(Some(how.to_owned()));
    }

    pub(super) fn at(&self, stage: Stage) {
        self.stage.set(stage);
    }

    /// Takes note of what was generated so far, where that may be more than what is shown, and of what is reported with it.
    pub(super) fn generated(&self, tally: Tally, report: Report) {
        self.report.set(report);
        self.said.set(tally);
    }

    /// Takes note of a piece of the answer, which came as `bytes` and goes out in this form, if that is one that says something, and of what is reported with it.
    pub(super) fn note(&self, bytes: &[u8], piece: &Piece, form: Option<Form>, report: Report) {
        self.report.set(report);
        if matches!(report, Report::Whole(_)) {
            return;
        }
        let (Some(form), Some(shown)) = (form, piece.shown(bytes)) else { return };
        let mut tally = self.said.get();
        said(shown, form, &mut |text| tally.push(text));
        self.said.set(tally);
    }
}

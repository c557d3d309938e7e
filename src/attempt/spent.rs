//! What an attempt has used, as far as is known at any moment.
//!
//! A request is settled when it is over, however that comes: the client may leave, the provider may break off. So this is
//! kept up to date with every piece of the answer, where the gateway role can read it at any time.

use super::response::Piece;
use crate::chat::{Usage, said};
use crate::estimate::Tally;
use std::cell::Cell;

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

/// What an attempt has used.
#[derive(Debug, Default)]
pub struct Spent {
    stage: Cell<Stage>,
    usage: Cell<Option<Usage>>,
    said: Cell<Tally>,
}

impl Spent {
    /// How far it has come.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// What the provider said was used, as far as it said so.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.usage.get()
    }

    /// What was said of an answer that nobody has counted yet.
    #[must_use]
    pub fn said(&self) -> Tally {
        self.said.get()
    }

    pub(super) fn at(&self, stage: Stage) {
        self.stage.set(stage);
    }

    /// Takes note of a piece of the answer, which came as `bytes`, and of the usage that is known after it.
    pub(super) fn note(&self, bytes: &[u8], piece: &Piece, usage: Option<Usage>) {
        self.usage.set(usage);
        if usage.is_some() {
            return;
        }
        let shown = match piece {
            Piece::Wait | Piece::Take => return,
            Piece::Pass => bytes,
            Piece::Write(bytes) => bytes,
        };
        let mut tally = self.said.get();
        said(shown, |text| tally.push(text));
        self.said.set(tally);
    }
}

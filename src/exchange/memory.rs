//! What a worker keeps in its own memory from one request to the next.

use super::recent::Recent;
use crate::bandit::Bandit;
use crate::chance;
use crate::classify::Labels;
use crate::config::Config;
use crate::health::{Circuit, Table};
use crate::observe::{Board, Labels as Said, Metric};
use crate::quota::Unsettled;
use crate::route::Turns;
use crate::store::{Contended, Store};
use crate::time::Timestamp;
use std::cell::{Cell, RefCell};

/// What is kept.
#[derive(Debug)]
pub struct Memory {
    /// What could not be written yet; it is tried again every second.
    pub(super) unsettled: RefCell<Vec<Unsettled>>,
    /// What was read of what only estimates hang on.
    pub(super) recent: Recent,
    /// How the targets are doing.
    pub(super) targets: RefCell<Table>,
    /// Who has done well at what.
    pub(super) bandit: RefCell<Bandit>,
    /// What the page shows.
    pub(super) board: RefCell<Board>,
    /// What models have said of texts.
    pub(super) labels: RefCell<Labels>,
    chance: Cell<u64>,
    /// Whose turn it is on which route.
    pub(super) turns: RefCell<Turns>,
}

impl Memory {
    /// That of a worker that has done nothing yet. `chance` is a random number.
    #[must_use]
    pub const fn new(chance: u64) -> Self {
        Self {
            unsettled: RefCell::new(Vec::new()),
            recent: Recent::new(),
            targets: RefCell::new(Table::new(chance)),
            turns: RefCell::new(Turns::new()),
            bandit: RefCell::new(Bandit::new()),
            board: RefCell::new(Board::new()),
            labels: RefCell::new(Labels::new()),
            chance: Cell::new(chance),
        }
    }

    /// Takes over a configuration.
    pub fn adopt(&self, config: &Config) {
        self.targets.borrow_mut().adopt(config);
        self.turns.borrow_mut().adopt(config);
        self.labels.borrow_mut().forget();
        self.recent.forget();
    }

    /// A number from 0 up to 1 that looks like chance.
    pub(super) fn chance(&self) -> f64 {
        let mut state = self.chance.get();
        let number = chance::next(&mut state);
        self.chance.set(state);
        chance::part(number)
    }

    /// Takes a number that is told, for the page.
    pub fn note(&self, metric: &'static Metric, labels: Said<'_>, value: u64, now: Timestamp) {
        self.board.borrow_mut().take(metric, labels, value, now);
    }

    /// The targets, each with the state of its circuit: 0 where it is closed, 1 half open, 2 open.
    pub fn circuits(&self, now: Timestamp, tell: &mut dyn FnMut(&str, u64)) {
        let targets = self.targets.borrow();
        for name in targets.names() {
            let state = match targets.circuit(name, now) {
                Circuit::Closed => 0,
                Circuit::HalfOpen { .. } => 1,
                Circuit::Open { .. } => 2,
            };
            tell(name, state);
        }
    }

    /// A second has gone by: what waits to be written is, and workers tell each other what they have seen.
    ///
    /// # Errors
    /// If others did at the same time all along. It is told a second later.
    pub fn tick(&self, store: &dyn Store, now: Timestamp) -> Result<(), Contended> {
        let unsettled = self.unsettled.take();
        let left = unsettled.into_iter().filter_map(|unsettled| unsettled.retry(store, now).err());
        self.unsettled.borrow_mut().extend(left);
        self.board.borrow_mut().exchange(store, now)?;
        self.bandit.borrow_mut().exchange(store)?;
        self.targets.borrow_mut().exchange(store, now)
    }
}

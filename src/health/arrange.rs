//! Which targets are tried now, and which only when nothing else is left.

use super::{Circuit, Probe, Table};
use crate::store::Store;
use crate::time::Timestamp;

/// The order in which targets are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arranged {
    /// By their positions in what was asked; all of them.
    pub order: Vec<usize>,
    /// How many of them are tried now. Those after them are the last resort.
    pub usable: usize,
    /// The first is tried with this: its circuit is half open.
    pub probe: Option<Probe>,
}

impl Table {
    /// Arranges targets, which a strategy has put in an order. Those whose circuit is closed keep it. One that is half open
    /// may come first, as a probe, if the strategy has it there. All others are the last resort, the one first that is
    /// first to be tried again. The store is asked only where there is a probe to be had.
    ///
    /// A probe has to be [begun](Table::begin) and [recorded](Table::record), whatever becomes of the request.
    pub fn arrange(&mut self, store: &dyn Store, targets: &[&str], now: Timestamp) -> Arranged {
        let (mut probe, mut usable) = (None, 0);
        // When each may be tried, with those first that may be at once.
        let mut order: Vec<(Timestamp, usize)> = Vec::with_capacity(targets.len());
        for (at, target) in targets.iter().enumerate() {
            let from = match self.circuit(target, now) {
                Circuit::Closed => Timestamp::default(),
                Circuit::Open { until } => until,
                Circuit::HalfOpen { .. } => {
                    if usable == 0 {
                        probe = self.probe(store, target, now);
                    }
                    if usable == 0 && probe.is_some() { Timestamp::default() } else { now }
                }
            };
            usable += usize::from(from == Timestamp::default());
            let place = order.partition_point(|(other, _)| *other <= from);
            order.insert(place, (from, at));
        }
        Arranged { order: order.iter().map(|(_, at)| *at).collect(), usable, probe }
    }
}

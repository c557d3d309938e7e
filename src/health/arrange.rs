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
    /// How targets would be arranged; nobody is asked for a probe, and one that may be had counts as had.
    #[must_use]
    pub fn outlook(&self, targets: &[&str], now: Timestamp) -> Arranged {
        self.put(targets, now, self.half_open_first(targets, now))
    }

    /// Arranges targets, which a strategy has put in an order. Those whose circuit is closed keep it. One that is half open
    /// may come first, as a probe, if the strategy has it there. All others are the last resort, the one first that is
    /// first to be tried again. The store is asked only where there is a probe to be had.
    ///
    /// A probe has to be [begun](Table::begin) and [recorded](Table::record), whatever becomes of the request.
    pub fn arrange(&mut self, store: &dyn Store, targets: &[&str], now: Timestamp) -> Arranged {
        let Some(first) = self.half_open_first(targets, now) else { return self.put(targets, now, None) };
        let probe = targets.get(first).and_then(|target| self.probe(store, target, now));
        let arranged = self.put(targets, now, probe.is_some().then_some(first));
        Arranged { probe, ..arranged }
    }

    /// The first of those that may be tried, if its circuit is half open and it may be probed.
    fn half_open_first(&self, targets: &[&str], now: Timestamp) -> Option<usize> {
        targets
            .iter()
            .map(|target| self.circuit(target, now))
            .enumerate()
            .find(|(_, circuit)| {
                !matches!(circuit, Circuit::Open { .. } | Circuit::HalfOpen { may_probe: false })
            })
            .filter(|(_, circuit)| *circuit != Circuit::Closed)
            .map(|(at, _)| at)
    }

    /// Puts targets in order, where the one at `probed` may be tried as if its circuit were closed.
    fn put(&self, targets: &[&str], now: Timestamp, probed: Option<usize>) -> Arranged {
        let mut usable = 0;
        // When each may be tried, with those first that may be at once.
        let mut order: Vec<(Timestamp, usize)> = Vec::with_capacity(targets.len());
        for (at, target) in targets.iter().enumerate() {
            let from = match self.circuit(target, now) {
                Circuit::Closed => Timestamp::default(),
                Circuit::HalfOpen { .. } if probed == Some(at) => Timestamp::default(),
                Circuit::HalfOpen { .. } => now,
                Circuit::Open { until } => until,
            };
            usable += usize::from(from == Timestamp::default());
            let place = order.partition_point(|(other, _)| *other <= from);
            order.insert(place, (from, at));
        }
        Arranged { order: order.iter().map(|(_, at)| *at).collect(), usable, probe: None }
    }
}

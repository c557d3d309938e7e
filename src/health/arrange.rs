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
        let mut order = Vec::with_capacity(targets.len());
        let (mut rest, mut probe) = (Vec::new(), None);
        for (at, target) in targets.iter().enumerate() {
            match self.view(target, now).circuit {
                Circuit::Closed => order.push(at),
                Circuit::Open { until } => rest.push((until, at)),
                Circuit::HalfOpen { .. } => {
                    probe = probe
                        .or_else(|| if order.is_empty() { self.probe(store, target, now) } else { None });
                    match probe {
                        Some(_) if order.is_empty() => order.push(at),
                        _ => rest.push((Timestamp::default(), at)),
                    }
                }
            }
        }
        let usable = order.len();
        rest.sort_unstable();
        order.extend(rest.into_iter().map(|(_, at)| at));
        Arranged { order, usable, probe }
    }
}

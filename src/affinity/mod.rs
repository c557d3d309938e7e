//! Which target of a route has the beginning of a conversation in its cache? That one is asked again, for as long as it pays.
//!
//! Providers keep prompts for a few minutes, and read what a new one has in common with an old one for a fraction of its time
//! and its price. So a conversation ([`Key`]) is bonded to the target that has answered it last ([`note`]). Whether the bond
//! pays is told by the tokens that come back as cached: two answers in a row without any end it, and so does a failure
//! ([`break_off`]). Where a strategy has put somebody else first, [`stays`] says whether the bonded target is asked
//! nevertheless.
//!
//! What is known is common to all workers, and kept in a bounded number of places (`places`). There is no clock here.

mod bond;
mod key;
mod places;
#[cfg(test)]
mod tests;

pub use bond::{Bond, LEAST};
pub use key::Key;
pub use places::{break_off, find, note};

/// How bonds are gone about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How long a bond lasts after its last use, in milliseconds: no longer than providers keep a prompt.
    pub ttl: u64,
    /// By which share of what the bonded target takes another one has to be cheaper, from 0 to 1.
    pub switch_cost: f32,
}

impl Default for Rules {
    fn default() -> Self {
        Self { ttl: 300_000, switch_cost: 0.1 }
    }
}

/// What a request is expected to cost, in nano-dollars; none where there is no price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expenses {
    /// At the bonded target, less what it [saves](Bond::saves).
    pub bonded: Option<f32>,
    /// At the target that the strategy has put first.
    pub first: Option<f32>,
}

/// Whether the bonded target is asked rather than the one that the strategy has put first, if it may be asked at all. Strategies
/// that are about money say what both are expected to take: a target that is cheaper by more than it costs to switch is asked.
///
/// Only this request is looked at. For the rest of a long conversation a target at a third of the price is the cheaper one, even
/// if it has to read all of it once; but nobody knows how long one will be.
#[must_use]
pub fn stays(bond: &Bond, expenses: Option<Expenses>, rules: &Rules) -> bool {
    bond.pays()
        && expenses.is_none_or(|expenses| match (expenses.bonded, expenses.first) {
            (Some(bonded), Some(first)) => first >= bonded * (1.0 - rules.switch_cost),
            (bonded, first) => bonded.is_some() || first.is_none(),
        })
}

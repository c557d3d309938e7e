//! May they, and when? Limits that neither leak nor block who spent nothing.
//!
//! What a request will need is reserved before it is forwarded ([`admit`]) and settled when it is known ([`settle`]); what never
//! reached a provider is given back ([`release`]), and a stream that outgrows its reservation asks for more ([`extend`]).
//! So what is used and what is reserved are never more than a limit allows when something is admitted, whatever the workers
//! do at the same time: they count in a shared store, by compare and swap.
//!
//! A value of the store (`tenants`) holds the counters of all limits with the same `per` (`scope`), each of one of four kinds
//! (`counter`: `window`, `bucket`, `budget`, and `holds` for what is reserved by whom). All of it is little-endian behind a
//! byte for its version; what cannot be read is a value in which nothing was counted. There is no clock here: `now` comes with
//! every call. A clock that goes back makes nothing fit that did not fit before, and nobody wait longer than a
//! window; one that goes ahead cannot be told from time that passed.

mod admit;
mod bucket;
mod budget;
mod bytes;
mod counter;
mod denied;
mod extend;
mod headers;
mod holders;
mod holds;
mod keys;
pub mod learn;
mod scope;
mod settle;
mod standing;
mod tenants;
#[cfg(test)]
mod tests;
mod window;

pub use admit::{Refusal, admit};
pub use denied::{Denied, Retry};
pub use extend::{Stopped, extend};
pub use headers::{Header, PATIENCE, rate_limit, retry_after};
pub use holders::{Holder, HolderId};
pub use settle::{Reservation, Unsettled, release, settle};
pub use standing::Standing;

use crate::config::{Counted, Kind, Limit, Limits, Model};
use crate::money::NanoUsd;
use crate::names::{ConsumerName, TierName};
use crate::time::Timestamp;
use counter::Need;

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Who asks.
    pub consumer: Consumer<'a>,
    /// The consumer's tier, one that the configuration has.
    pub tier: &'a TierName,
    /// What is asked for; of a route, what is tried first.
    pub model: &'a Model,
    /// How many tokens the prompt has, as far as it can be told.
    pub input: u64,
    /// How many tokens the answer is expected to have.
    pub output: u64,
    /// What both are expected to cost.
    pub cost: NanoUsd,
    /// The time.
    pub now: Timestamp,
    /// Which instance of the VM this is.
    pub holder: HolderId,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumer<'a> {
    /// One that the configuration has.
    Configured(&'a ConsumerName),
    /// One that only its token names. Limits `per` consumer count them in a bounded number of places.
    OfToken(&'a ConsumerName),
}

/// What a request has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Actual {
    /// Tokens of prompts, of all attempts together.
    pub input: u64,
    /// Tokens of answers.
    pub output: u64,
    /// What they cost.
    pub cost: NanoUsd,
}

/// The first limit in money that concerns a request: one that cannot be counted for a model without a price.
#[must_use]
pub fn in_money<'l>(limits: &'l Limits, ask: &Ask<'_>) -> Option<&'l Limit> {
    limits.iter().find(|limit| matches!(limit.kind, Kind::Usd(_)) && concerns(limit, ask))
}

/// Whether a limit is for such a request.
fn concerns(limit: &Limit, ask: &Ask<'_>) -> bool {
    // A consumer of a token may be called like anything, also like one that a limit is for.
    let is_consumer = |only: &ConsumerName| ask.consumer == Consumer::Configured(only);
    (limit.tiers.is_empty() || limit.tiers.contains(ask.tier))
        && (limit.consumers.is_empty() || limit.consumers.iter().any(is_consumer))
        && (limit.models.is_empty() || limit.models.contains(&ask.model.name))
}

/// How much of what a limit counts a request needs.
fn need(kind: Kind, ask: &Ask<'_>) -> Need {
    match kind {
        Kind::Requests(_) | Kind::Concurrent => Need::exactly(1),
        Kind::Tokens(Counted::Input, _) => Need::exactly(ask.input),
        Kind::Tokens(Counted::Output, _) => Need { certain: 0, expected: ask.output },
        Kind::Tokens(Counted::All, _) => {
            Need { certain: ask.input, expected: ask.input.saturating_add(ask.output) }
        }
        Kind::Usd(_) => Need::exactly(ask.cost.nanos()),
    }
}

/// How much of what a limit counts was used; requests are counted when they are admitted.
fn used(kind: Kind, actual: Actual) -> u64 {
    match kind {
        Kind::Requests(_) | Kind::Concurrent => 0,
        Kind::Tokens(Counted::Input, _) => actual.input,
        Kind::Tokens(Counted::Output, _) => actual.output,
        Kind::Tokens(Counted::All, _) => actual.input.saturating_add(actual.output),
        Kind::Usd(_) => actual.cost.nanos(),
    }
}

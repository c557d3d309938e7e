//! What becomes of a reservation: it is settled to what was used, or given back.

use super::counter::Receipt;
use super::denied::Denied;
use super::extend::may_stop;
use super::holders::{Census, HolderId};
use super::keys::Place;
use super::standing::Standing;
use super::tenants::Opened;
use super::{Actual, used};
use crate::config::{Counted, Kind, Limit};
use crate::store::{Contended, Store, update};
use crate::time::Timestamp;
use std::rc::Rc;

/// What was reserved for a request. It has to be settled or released: nobody else knows of it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what is reserved stays so until it is settled or released"]
pub struct Reservation {
    pub(super) holder: HolderId,
    pub(super) shares: Vec<Share>,
    pub(super) standings: Vec<Standing>,
    pub(super) observed: Vec<Denied>,
}

/// What was reserved at one place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub place: Place,
    pub taken: Vec<Taken>,
}

/// What was reserved of one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    pub limit: Rc<Limit>,
    pub receipt: Receipt,
    /// The last extension; those before it are in the receipt, because a stream that wants more has used what it had.
    pub more: Option<Receipt>,
}

/// What could not be written because too many others did. It is still reserved; try again later.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what is reserved stays so until it is settled or released"]
pub struct Unsettled {
    shares: Vec<Share>,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Used(Actual),
    /// As if it had never been asked for.
    Unused,
}

/// Nobody is refused while this is tried, so it may take longer than an admission.
const ATTEMPTS: u32 = 1_000;

impl Reservation {
    /// How the limits stand that concern the request, after it was admitted; the tightest first.
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// How many tokens of the answer are reserved of those limits that may end a stream that outgrows that; none if there
    /// are no such limits. They may have less than the `output` that was expected, with a prompt of `input` tokens.
    pub fn stops_after(&self, input: u64, output: u64) -> Option<u64> {
        let taken = self.shares.iter().flat_map(|share| &share.taken);
        let reserved = taken.filter(|taken| may_stop(&taken.limit)).map(|taken| match taken.limit.kind {
            Kind::Tokens(Counted::Output, _) => taken.receipt.amount,
            Kind::Tokens(Counted::All, _) => taken.receipt.amount.saturating_sub(input),
            // Of money all is reserved that the answer is expected to cost, and an answer takes nothing of the others.
            Kind::Usd(_) | Kind::Tokens(Counted::Input, _) | Kind::Requests(_) | Kind::Concurrent => output,
        });
        reserved.min()
    }

    /// What would have been refused by limits that only observe.
    pub fn observed(&self) -> &[Denied] {
        &self.observed
    }
}

/// Puts what a request has used in the place of what was reserved for it: what was too much is given back, what was too
/// little is charged, if need be as a debt.
///
/// # Errors
/// Gives what could not be written.
pub fn settle(
    store: &dyn Store,
    reservation: Reservation,
    actual: Actual,
    now: Timestamp,
) -> Result<(), Unsettled> {
    conclude(store, reservation.shares, Outcome::Used(actual), now)
}

/// Gives everything back that was reserved, also the request itself: it never reached a provider.
///
/// # Errors
/// Gives what could not be written.
pub fn release(store: &dyn Store, reservation: Reservation, now: Timestamp) -> Result<(), Unsettled> {
    give_back(store, reservation.shares, now)
}

impl Unsettled {
    /// Tries again.
    ///
    /// # Errors
    /// Gives what could still not be written.
    pub fn retry(self, store: &dyn Store, now: Timestamp) -> Result<(), Self> {
        conclude(store, self.shares, self.outcome, now)
    }
}

/// See [`release`].
pub(super) fn give_back(store: &dyn Store, shares: Vec<Share>, now: Timestamp) -> Result<(), Unsettled> {
    conclude(store, shares, Outcome::Unused, now)
}

fn conclude(
    store: &dyn Store,
    mut shares: Vec<Share>,
    outcome: Outcome,
    now: Timestamp,
) -> Result<(), Unsettled> {
    shares.retain(|share| outcome.changes(share) && write(store, share, outcome, now).is_err());
    if shares.is_empty() { Ok(()) } else { Err(Unsettled { shares, outcome }) }
}

impl Outcome {
    /// Whether it says anything new at a place: that a request was made is settled when it is admitted.
    fn changes(self, share: &Share) -> bool {
        self == Self::Unused || share.taken.iter().any(|taken| !matches!(taken.limit.kind, Kind::Requests(_)))
    }
}

fn write(store: &dyn Store, share: &Share, outcome: Outcome, now: Timestamp) -> Result<(), Contended> {
    let mut census = Census::new(store);
    update(store, &share.place.key, ATTEMPTS, |old| {
        let mut opened = Opened::new(old, share.place.tenant, now, &mut census);
        for Taken { limit, receipt, more } in &share.taken {
            opened.scope.with(limit, |counter, now| match outcome {
                Outcome::Used(actual) => {
                    let used = used(limit.kind, actual);
                    let first = more.map_or(used, |_| used.min(receipt.amount));
                    counter.settle(*receipt, first, now);
                    more.iter().for_each(|more| counter.settle(*more, used - first, now));
                }
                Outcome::Unused => {
                    counter.give_back(*receipt, now);
                    more.iter().for_each(|more| counter.give_back(*more, now));
                }
            });
        }
        ((), Some(opened.close(&mut census)))
    })
}

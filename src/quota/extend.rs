//! A stream that outgrows what was reserved for it.

use super::admit::{ATTEMPTS, refuses_uncounted};
use super::counter::Need;
use super::denied::{Denied, Retry};
use super::holders::{Census, HolderId};
use super::settle::{Reservation, Share, Taken, Unsettled, give_back};
use super::tenants::Opened;
use super::{Actual, used};
use crate::config::{Limit, Mode, OnExceed};
use crate::store::{Contended, Store, update};
use crate::time::Timestamp;
use std::rc::Rc;

/// A stream that gets no more.
#[derive(Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Why.
    pub denied: Denied,
    /// What was reserved before the refusal and could not be given back yet.
    pub unsettled: Option<Unsettled>,
}

/// Reserves more for a stream. Limits that let it finish give what it needs, if need be as a debt, because it is used
/// already; those that may stop it give what they have.
///
/// # Errors
/// If one that may stop it has not as much: then none gives anything, and the stream is to be ended.
pub fn extend(
    store: &dyn Store,
    reservation: &mut Reservation,
    more: Actual,
    now: Timestamp,
) -> Result<(), Box<Stopped>> {
    let mut extended = Vec::with_capacity(reservation.shares.len());
    for share in &reservation.shares {
        let more = share.taken.iter().map(|taken| (&taken.limit, used(taken.limit.kind, more)));
        let wanted: Vec<_> = more.filter(|(_, amount)| *amount > 0).collect();
        let denied = match take(store, reservation.holder, share, &wanted, now) {
            Ok(Ok(taken)) => {
                extended.push(Share { place: share.place.clone(), taken });
                continue;
            }
            Ok(Err(denied)) => denied,
            Err(Contended) => {
                let Some((limit, _)) =
                    wanted.iter().find(|(limit, _)| may_stop(limit) && refuses_uncounted(limit))
                else {
                    // It is charged when the stream is settled.
                    extended.push(Share { place: share.place.clone(), taken: Vec::new() });
                    continue;
                };
                Denied { limit: Rc::clone(limit), retry: Retry::Contended }
            }
        };
        let unsettled = give_back(store, extended, now).err();
        return Err(Box::new(Stopped { denied, unsettled }));
    }
    for (share, more) in reservation.shares.iter_mut().zip(extended) {
        for taken in &mut share.taken {
            if let Some(more) = more.taken.iter().find(|more| more.limit.id == taken.limit.id) {
                let before = taken.more.replace(more.receipt).map_or(0, |before| before.amount);
                taken.receipt.amount = taken.receipt.amount.saturating_add(before);
            }
        }
    }
    Ok(())
}

/// Whether a limit may end a stream that outgrows what is reserved of it.
pub(super) fn may_stop(limit: &Limit) -> bool {
    limit.mode == Mode::Enforce && limit.on_exceed == OnExceed::Stop
}

fn take(
    store: &dyn Store,
    holder: HolderId,
    share: &Share,
    wanted: &[(&Rc<Limit>, u64)],
    now: Timestamp,
) -> Result<Result<Vec<Taken>, Denied>, Contended> {
    if wanted.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let mut census = Census::new(store);
    update(store, &share.place.key, ATTEMPTS, |old| {
        let mut opened = Opened::new(old, share.place.tenant, now, &mut census);
        let mut taken = Vec::with_capacity(wanted.len());
        for (limit, amount) in wanted {
            let verdict = opened.scope.with(limit, |counter, now| {
                counter.drop_dead(&mut census, now);
                let verdict = counter.admits(Need::exactly(*amount), limit);
                let verdict = if may_stop(limit) { verdict } else { Ok(*amount) };
                verdict.map(|amount| counter.take(amount, holder, now))
            });
            match verdict {
                Ok(receipt) => taken.push(Taken { limit: Rc::clone(limit), receipt, more: None }),
                // What the others have given was never written.
                Err(retry) => {
                    let denied = Denied { limit: Rc::clone(limit), retry };
                    return (Err(denied), Opened::unchanged(old, share.place.tenant, now, &mut census));
                }
            }
        }
        (Ok(taken), Some(opened.close(&mut census)))
    })
}

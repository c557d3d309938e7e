//! Whether a request is admitted: all limits that concern it must have room, and then all of them have it reserved.
//!
//! The places of the limits are one after the other, each in one reading and one writing. When one has no room, what was
//! reserved at those before is given back, and all of them are looked at for how long it will take: the answer names
//! the limit that takes longest, so that what it promises holds for all.

use super::denied::{Denied, Retry};
use super::holders::Census;
use super::keys::{Place, place};
use super::settle::{Reservation, Share, Taken, Unsettled, give_back};
use super::standing::{self, Standing};
use super::tenants::Opened;
use super::{Ask, concerns, need};
use crate::config::{Group, Limit, Limits, Mode, OnContention};
use crate::store::{Contended, Store, update};
use std::rc::Rc;

/// A request that was not admitted.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub denied: Denied,
    /// How the limits stand that concern the request, the tightest first.
    pub standings: Vec<Standing>,
    /// What was reserved before the refusal and could not be given back yet.
    pub unsettled: Option<Unsettled>,
}

/// A client waits meanwhile. Four workers that do nothing else lose no more than one race in ten thousand for so long.
pub(super) const ATTEMPTS: u32 = 32;

/// Reserves what a request asks for of all limits that concern it, or nothing.
///
/// # Errors
/// If it does not fit into all of them, or one could not be counted.
pub fn admit(store: &dyn Store, limits: &Limits, ask: &Ask<'_>) -> Result<Reservation, Box<Refusal>> {
    let mut reservation =
        Reservation { holder: ask.holder, shares: Vec::new(), standings: Vec::new(), observed: Vec::new() };
    for group in limits.groups() {
        if concerned(group, ask).next().is_none() {
            continue;
        }
        let place = place(&group.per, ask);
        let denied = match reserve(store, group, &place, ask, &mut reservation) {
            Ok(Ok(taken)) => {
                reservation.shares.push(Share { place, taken });
                continue;
            }
            Ok(Err(denied)) => denied,
            Err(Contended) => match concerned(group, ask).find(|limit| refuses_uncounted(limit)) {
                Some(limit) => Denied { limit: Rc::clone(limit), retry: Retry::Contended },
                None => continue,
            },
        };
        return Err(Box::new(refuse(store, limits, ask, reservation, denied)));
    }
    standing::sort(&mut reservation.standings);
    Ok(reservation)
}

/// The limits of a group that concern a request.
fn concerned<'a>(group: &'a Group, ask: &'a Ask<'_>) -> impl Iterator<Item = &'a Rc<Limit>> {
    group.limits.iter().filter(|limit| concerns(limit, ask))
}

/// Whether nothing may go on that this limit has not counted.
pub(super) fn refuses_uncounted(limit: &Limit) -> bool {
    limit.mode == Mode::Enforce && limit.on_contention == OnContention::Refuse
}

/// Reserves at one place, and notes how its limits stand then.
fn reserve(
    store: &dyn Store,
    group: &Group,
    place: &Place,
    ask: &Ask<'_>,
    noted: &mut Reservation,
) -> Result<Result<Vec<Taken>, Denied>, Contended> {
    let Reservation { standings, observed, .. } = noted;
    let before = (standings.len(), observed.len());
    let mut census = Census::new(store);
    let reserved = update(store, &place.key, ATTEMPTS, |old| {
        standings.truncate(before.0);
        observed.truncate(before.1);
        let mut opened = Opened::new(old, place.tenant, ask.now, &mut census);
        let mut taken = Vec::with_capacity(group.limits.len());
        let mut worst = None;
        for limit in concerned(group, ask) {
            let (verdict, standing) = opened.scope.with(limit, |counter, now| {
                counter.drop_dead(&mut census, now);
                let verdict = counter.admits(need(limit.kind, ask), limit);
                let verdict = verdict.map(|amount| counter.take(amount, ask.holder, now));
                (verdict, Standing::of(limit, counter, now))
            });
            standings.push(standing);
            match verdict {
                Ok(receipt) => taken.push(Taken { limit: Rc::clone(limit), receipt, more: None }),
                Err(retry) if limit.mode == Mode::Observe => {
                    observed.push(Denied { limit: Rc::clone(limit), retry });
                }
                Err(retry) => worst = worse(worst, limit, retry),
            }
        }
        match worst {
            // What the others have given was never written.
            Some(denied) => (Err(denied), Opened::unchanged(old, place.tenant, ask.now, &mut census)),
            None => (Ok(taken), Some(opened.close(&mut census))),
        }
    });
    if reserved.is_err() {
        standings.truncate(before.0);
        observed.truncate(before.1);
    }
    reserved
}

/// The denial that takes longer; of two that take the same, the first.
fn worse(one: Option<Denied>, limit: &Rc<Limit>, retry: Retry) -> Option<Denied> {
    one.filter(|one| one.retry >= retry).or_else(|| Some(Denied { limit: Rc::clone(limit), retry }))
}

/// Gives back what was reserved before the denial, and looks what takes longest.
fn refuse(
    store: &dyn Store,
    limits: &Limits,
    ask: &Ask<'_>,
    reservation: Reservation,
    denied: Denied,
) -> Refusal {
    let unsettled = give_back(store, reservation.shares, ask.now).err();
    let (worst, standings) = survey(store, limits, ask, Some(denied.clone()));
    Refusal { denied: worst.unwrap_or(denied), standings, unsettled }
}

/// What would refuse a request for longest, and how all limits stand that concern it; nothing is reserved.
pub(super) fn survey(
    store: &dyn Store,
    limits: &Limits,
    ask: &Ask<'_>,
    mut worst: Option<Denied>,
) -> (Option<Denied>, Vec<Standing>) {
    let mut standings = Vec::new();
    let mut census = Census::new(store);
    for group in limits.groups().iter().filter(|group| concerned(group, ask).next().is_some()) {
        let place = place(&group.per, ask);
        let value = store.get(&place.key);
        let value = value.as_ref().map(|(value, _)| value.as_slice());
        let mut opened = Opened::new(value, place.tenant, ask.now, &mut census);
        for limit in concerned(group, ask) {
            let (verdict, standing) = opened.scope.with(limit, |counter, now| {
                counter.drop_dead(&mut census, now);
                (counter.admits(need(limit.kind, ask), limit), Standing::of(limit, counter, now))
            });
            standings.push(standing);
            if let (Err(retry), Mode::Enforce) = (verdict, limit.mode) {
                worst = worse(worst, limit, retry);
            }
        }
    }
    standing::sort(&mut standings);
    (worst, standings)
}

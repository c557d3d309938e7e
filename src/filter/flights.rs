//! The same request several times at once on this worker: who waits for whom.
//!
//! A request that waits is held by Envoy, and goes on from within a callback of another context: the end of the stream that it
//! has waited for, or the tick by which it has waited long enough. Envoy acts on what is asked of it for another stream when
//! the callback is over, so nothing here is entered twice. It has to be a callback without a result: of one with a result Envoy
//! takes any reply for a reply to its own stream, and stops that.

use super::abi;
use super::gateway::Gateway;
use crate::cache::{Flights, Key};
use crate::time::Timestamp;
use std::cell::RefCell;
use std::rc::Weak;

/// A request that waits, by its context's number.
pub(super) type Waiting = (u32, Weak<RefCell<Gateway>>);

thread_local! { static FLIGHTS: RefCell<Flights<Weak<RefCell<Gateway>>>> = RefCell::default(); }

/// Whether a request waits for the answer under `key`.
pub(super) fn join(key: &Key, who: Waiting, now: Timestamp) -> bool {
    FLIGHTS.with_borrow_mut(|flights| flights.join(key, who, now))
}

/// The request of this context is sent for the answer under `key`. Says whether others wait for that.
pub(super) fn lead(key: Key, context: u32, until: Timestamp) -> bool {
    FLIGHTS.with_borrow_mut(|flights| flights.lead(key, context, until))
}

/// The stream of this context is over, which was sent for the answer under `key`, or has waited for that: those who have waited
/// for it go on, and it waits no more.
pub(super) fn end(key: &Key, context: u32) {
    let landed = FLIGHTS.with_borrow_mut(|flights| {
        flights.left(key, context);
        flights.landed(key, context)
    });
    release(landed, context);
}

/// Lets those go that have waited long enough; `root` is the context that has the tick.
pub(super) fn tick(now: Timestamp, root: u32) {
    release(FLIGHTS.with_borrow_mut(|flights| flights.overdue(now)), root);
}

/// Lets requests go on, from within a callback of the context `here`.
fn release(waiting: Vec<Waiting>, here: u32) {
    for (context, gateway) in waiting {
        let Some(gateway) = gateway.upgrade() else { continue };
        // No callback of a request that waits is under way, so nobody has it borrowed.
        if let Ok(mut gateway) = gateway.try_borrow_mut()
            && abi::act_for(context).is_ok()
        {
            gateway.go_on();
        }
        if abi::act_for(here).is_err() {
            log::error!("Envoy refused to go back to the context it is in");
        }
    }
}

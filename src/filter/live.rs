//! The requests under way in this VM, so that their attempts find in memory what the host would have to hand over.
//!
//! Both roles run in the same VM, and a request stays on its worker. A value read back from Envoy costs more than all that is
//! done with it here, so an attempt reads its ticket, and finds the rest by that. Where the roles run in different VMs, as
//! while a new build is being rolled out, the ticket finds nothing, and everything goes by way of Envoy.

use super::abi;
use super::roster::Roster;
use crate::attempt::Spent;
use crate::chat::Before;
use crate::classify::TASK_HEADER;
use crate::exchange::{Caching, Keep, Meter, Trials};
use crate::names::{ArmName, TaskName};
use crate::observe::Record;
use crate::plan::Plan;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A request that was forwarded, as its gateway role and its attempts see it.
pub(super) struct Live {
    pub plan: Rc<Plan>,
    /// Whether the last attempt let an answer go that is for the client; none before an attempt has come by.
    pub answered: Cell<Option<bool>>,
    /// What is reserved for it, until it is settled.
    pub meter: RefCell<Option<Box<Meter>>>,
    /// What the cache does for it.
    pub caching: Option<Caching>,
    /// What kind of request it is, where that is told.
    pub task: Option<TaskName>,
    /// The route that was asked for, if it is one.
    pub route: Option<Rc<str>>,
    /// The arm of its experiment.
    pub arm: Option<ArmName>,
    /// How many messages were left out because there was no room.
    pub truncated: usize,
    /// How its targets' health hears of its attempts.
    pub trials: Trials,
    /// What calls have used that its answer is made of.
    pub before: Option<Rc<Before>>,
    /// Where it is noted what is found out about it.
    pub record: Rc<Record>,
    /// What each attempt has used.
    pub spent: RefCell<Vec<Rc<Spent>>>,
}

/// Keeps a request among those under way for as long as it lives itself.
pub(super) struct Ticket {
    number: u64,
    live: Rc<Live>,
}

thread_local! {
    static ALL: RefCell<Roster<u64, Rc<Live>>> = const { RefCell::new(Roster::new()) };
    static LAST: Cell<u64> = const { Cell::new(0) };
}

impl Ticket {
    pub fn new(live: Live) -> Self {
        let live = Rc::new(live);
        // The count begins at the nanosecond of its first use: no VM gives so many tickets in so short a time that one
        // that comes after it on the same worker could give the same.
        let number = match LAST.get() {
            0 => abi::now(),
            last => last.wrapping_add(1),
        };
        LAST.set(number);
        ALL.with_borrow_mut(|all| all.add(number, Rc::clone(&live)));
        Self { number, live }
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    pub fn live(&self) -> &Live {
        &self.live
    }
}

impl Live {
    /// A request that is about to be forwarded.
    pub fn new(
        plan: Plan,
        meter: Option<Box<Meter>>,
        caching: Option<Caching>,
        task: Option<TaskName>,
        (route, arm, truncated): (Option<Rc<str>>, Option<ArmName>, usize),
        trials: Trials,
        record: Rc<Record>,
    ) -> Self {
        let (plan, meter) = (Rc::new(plan), RefCell::new(meter));
        Self {
            plan,
            answered: Cell::new(None),
            meter,
            caching,
            task,
            route,
            arm,
            truncated,
            trials,
            before: None,
            record,
            spent: RefCell::default(),
        }
    }

    /// What its answer's headers tell of it: how the limits stand that concern it, and of an answer also what was found out about it.
    #[inline(never)]
    pub fn told(&self, is_answer: bool) -> Vec<(&'static str, String)> {
        let mut told = self.standing();
        if is_answer {
            told.extend(self.found());
        }
        told
    }

    /// How the limits stand that concern it, for its answer's headers.
    fn standing(&self) -> Vec<(&'static str, String)> {
        self.meter.borrow().as_ref().map(|meter| meter.standing()).unwrap_or_default()
    }

    /// What was found out about it before it was forwarded, for its answer's headers: what the cache did for it, what kind of
    /// request it is, by which route it was to be tried at whom, and under which name it can be rated.
    fn found(&self) -> impl Iterator<Item = (&'static str, String)> {
        let cache =
            self.caching.as_ref().map(|caching| ("x-modelgate-cache", caching.status.as_str().to_owned()));
        let task = self.task.as_ref().map(|task| (TASK_HEADER, task.to_string()));
        let route = self.route.iter().flat_map(|route| {
            [("x-modelgate-route", route.to_string()), ("x-modelgate-plan", self.planned())]
        });
        let rated = self.trials.rated_as().map(|id| ("x-modelgate-request-id", id.to_owned()));
        let truncated = Some(self.truncated).filter(|count| *count > 0);
        let truncated = truncated.map(|count| ("x-modelgate-truncated", count.to_string()));
        let arm = self.arm.as_ref().map(|arm| ("x-modelgate-arm", arm.to_string()));
        cache.into_iter().chain(task).chain(route).chain(arm).chain(rated).chain(truncated)
    }

    /// The models in the order in which they are to be tried.
    pub fn planned(&self) -> String {
        let mut names: Vec<&str> = self.plan.targets.iter().map(|target| &*target.name).collect();
        names.dedup();
        names.join(",")
    }

    /// How its answer is kept, if it is.
    pub fn keep(&self) -> Option<&Keep> {
        self.caching.as_ref()?.keep.as_deref()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        ALL.with_borrow_mut(|all| all.remove(&self.number));
    }
}

/// The request with this ticket, if it is under way in this VM.
pub(super) fn find(ticket: u64) -> Option<Rc<Live>> {
    ALL.with_borrow(|all| all.find(&ticket).cloned())
}

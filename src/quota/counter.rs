//! The counter of one limit: one of four kinds, as the limit says, and what can be done with any of them.

use super::bucket::{Bucket, Mark};
use super::budget::Budget;
use super::bytes::Reader;
use super::denied::Retry;
use super::holders::{Census, HolderId};
use super::holds::Holds;
use super::window::Window;
use crate::config::{Kind, Limit, Pace, Period};
use crate::time::Timestamp;

/// What is counted, with the state of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Counter {
    /// Requests.
    Window(Window),
    /// Tokens per minute.
    Bucket(Bucket),
    /// Tokens per day, or money.
    Budget(Budget),
    /// Requests at the same time: how many at most, and whose they are.
    Slots(u64, Holds),
}

/// How much of what a limit counts a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    /// This much for certain.
    pub certain: u64,
    /// With what can only be expected.
    pub expected: u64,
}

/// What was reserved of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    pub amount: u64,
    holder: HolderId,
    /// The time at the place of the counter.
    then: Timestamp,
    mark: Mark,
}

impl Need {
    const NOTHING: Self = Self::exactly(0);

    /// Known beforehand.
    pub const fn exactly(amount: u64) -> Self {
        Self { certain: amount, expected: amount }
    }

    /// What to reserve where no more than so much ever can be: an expectation that goes beyond that may be wrong, so it is
    /// given all there is, but what is certain to be too much is.
    pub fn within(self, capacity: u64) -> u64 {
        self.expected.min(capacity).max(self.certain)
    }
}

impl Counter {
    /// One that has counted nothing.
    pub fn new(kind: Kind, now: Timestamp) -> Self {
        match kind {
            Kind::Requests(_) => Self::Window(Window::default()),
            Kind::Tokens(_, Pace::Minute { .. }) => Self::Bucket(Bucket::new(now)),
            Kind::Tokens(_, Pace::Day) => Self::Budget(Budget::new(Period::Day)),
            Kind::Usd(period) => Self::Budget(Budget::new(period)),
            Kind::Concurrent => Self::Slots(0, Holds::default()),
        }
    }

    /// Brings it up to now, by the rule that the limit is today. What is no counter of such a limit is begun anew.
    pub fn adopt(&mut self, limit: &Limit, now: Timestamp) {
        if !self.follow(limit, now) {
            *self = Self::new(limit.kind, now);
            self.follow(limit, now);
        }
    }

    /// Whether this is a counter of such a limit.
    fn follow(&mut self, limit: &Limit, now: Timestamp) -> bool {
        match (self, limit.kind) {
            (Self::Window(window), Kind::Requests(span)) => window.adopt(span, limit.size, now),
            (Self::Bucket(bucket), Kind::Tokens(_, Pace::Minute { burst })) => {
                bucket.adopt(limit.size, burst, now);
            }
            (Self::Budget(budget), Kind::Tokens(_, Pace::Day)) => budget.adopt(Period::Day, limit.size, now),
            (Self::Budget(budget), Kind::Usd(period)) => budget.adopt(period, limit.size, now),
            (Self::Slots(size, _), Kind::Concurrent) => *size = limit.size,
            _ => return false,
        }
        true
    }

    /// How much the request can have: what it needs, or why not and when.
    pub fn admits(&self, need: Need, limit: &Limit) -> Result<u64, Retry> {
        // What costs nothing is never too much, whatever is owed.
        if need == Need::NOTHING {
            return Ok(0);
        }
        let amount = need.within(limit.capacity());
        match self {
            Self::Window(window) => window.admits().map(|()| 1),
            Self::Bucket(bucket) => bucket.admits(amount).map(|()| amount),
            Self::Budget(budget) => budget.admits(amount).map(|()| amount),
            Self::Slots(size, holds) if holds.total() < *size => Ok(1),
            Self::Slots(..) => Err(Retry::InFlight),
        }
    }

    /// Reserves so much, whether or not there is as much.
    pub fn take(&mut self, amount: u64, holder: HolderId, now: Timestamp) -> Receipt {
        let mark = match self {
            Self::Window(window) => {
                window.take(now);
                Mark::default()
            }
            Self::Bucket(bucket) => bucket.take(amount),
            Self::Budget(Budget { holds, .. }) | Self::Slots(_, holds) => {
                holds.take(holder, amount, now);
                Mark::default()
            }
        };
        Receipt { amount, holder, then: now, mark }
    }

    /// Undoes a reservation.
    pub fn give_back(&mut self, receipt: Receipt, now: Timestamp) {
        let Receipt { amount, holder, then, mark } = receipt;
        match self {
            Self::Window(window) => window.give_back(then),
            Self::Bucket(bucket) => bucket.give_back(amount, mark),
            Self::Budget(Budget { holds, .. }) | Self::Slots(_, holds) => {
                holds.give_back(holder, amount, now)
            }
        }
    }

    /// Puts what was used in the place of what was reserved.
    pub fn settle(&mut self, receipt: Receipt, used: u64, now: Timestamp) {
        let Receipt { amount, holder, mark, .. } = receipt;
        match self {
            Self::Window(_) => {}
            Self::Bucket(bucket) if used > amount => {
                bucket.take(used - amount);
            }
            Self::Bucket(bucket) => bucket.give_back(amount - used, mark),
            Self::Budget(budget) => {
                budget.holds.give_back(holder, amount, now);
                budget.spend(used);
            }
            Self::Slots(_, holds) => holds.give_back(holder, amount, now),
        }
    }

    /// How much there is now.
    pub fn remaining(&self) -> u64 {
        match self {
            Self::Window(window) => window.remaining(),
            Self::Bucket(bucket) => bucket.remaining(),
            Self::Budget(budget) => budget.remaining(),
            Self::Slots(size, holds) => size.saturating_sub(holds.total()),
        }
    }

    /// When all of it is there again, if nobody asks any more; nothing where that hangs on others.
    pub fn resets(&self) -> Option<Timestamp> {
        match self {
            Self::Window(window) => Some(window.expires()),
            Self::Bucket(bucket) => Some(bucket.expires()),
            Self::Budget(budget) => Some(budget.ends()),
            Self::Slots(..) => None,
        }
    }

    /// Drops what the dead have reserved.
    pub fn drop_dead(&mut self, census: &mut Census<'_>, now: Timestamp) {
        if let Self::Budget(Budget { holds, .. }) | Self::Slots(_, holds) = self {
            holds.drop_dead(census, now);
        }
    }

    /// When it says nothing any more that a new one would not, but for what is reserved.
    pub fn expires(&self) -> Timestamp {
        match self {
            Self::Window(window) => window.expires(),
            Self::Bucket(bucket) => bucket.expires(),
            Self::Budget(budget) => budget.expires(),
            Self::Slots(..) => Timestamp::default(),
        }
    }

    /// What is reserved by holders, if it is of a kind that knows.
    pub fn holds(&self) -> Option<&Holds> {
        match self {
            Self::Window(_) | Self::Bucket(_) => None,
            Self::Budget(Budget { holds, .. }) | Self::Slots(_, holds) => Some(holds),
        }
    }

    /// Keeps the ages of what it remembers when the clock goes back.
    pub fn shift(&mut self, back: u64, now: Timestamp) {
        match self {
            Self::Window(window) => window.shift(back),
            Self::Bucket(bucket) => bucket.shift(back),
            Self::Budget(budget) => budget.shift(back, now),
            Self::Slots(_, holds) => holds.shift(back),
        }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Window(window) => {
                out.push(0);
                window.write(out);
            }
            Self::Bucket(bucket) => {
                out.push(1);
                bucket.write(out);
            }
            Self::Budget(budget) => {
                out.push(2);
                budget.write(out);
            }
            Self::Slots(_, holds) => {
                out.push(3);
                holds.write(out);
            }
        }
    }

    pub fn read(from: &mut Reader<'_>) -> Option<Self> {
        match from.u8()? {
            0 => Window::read(from).map(Self::Window),
            1 => Bucket::read(from).map(Self::Bucket),
            2 => Budget::read(from).map(Self::Budget),
            3 => Holds::read(from).map(|holds| Self::Slots(0, holds)),
            _ => None,
        }
    }
}

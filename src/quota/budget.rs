//! What may be spent in a day or a month of UTC, tokens or money: what was used in the period there is, and what those in
//! flight have reserved. A reservation outlives the period's end; what comes of it is spent in the period in which it is settled.

use super::bytes::Reader;
use super::denied::Retry;
use super::holds::Holds;
use crate::config::Period;
use crate::time::Timestamp;

/// What is spent of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Budget {
    /// From the configuration, not kept.
    size: u64,
    period: Period,
    /// When the period ends that this was used in.
    ends: Timestamp,
    used: u64,
    pub holds: Holds,
}

impl Budget {
    /// One of which nothing is spent.
    pub fn new(period: Period) -> Self {
        Self { size: 0, period, ends: Timestamp::default(), used: 0, holds: Holds::default() }
    }

    /// Is for such a period from now on, and forgets what was used in another than the present one.
    pub fn adopt(&mut self, period: Period, size: u64, now: Timestamp) {
        (self.period, self.size) = (period, size);
        let ends = end_of(period, now);
        if self.ends != ends {
            (self.ends, self.used) = (ends, 0);
        }
    }

    /// Whether so much can be spent, or when it can.
    pub fn admits(&self, amount: u64) -> Result<(), Retry> {
        let reserved = self.holds.total().saturating_add(amount);
        if self.used.saturating_add(reserved) <= self.size {
            return Ok(());
        }
        Err(match () {
            () if amount > self.size => Retry::Never,
            () if reserved > self.size => Retry::InFlight,
            () => Retry::At(self.ends),
        })
    }

    /// Spends so much.
    pub fn spend(&mut self, amount: u64) {
        self.used = self.used.saturating_add(amount);
    }

    /// How much can be spent.
    pub fn remaining(&self) -> u64 {
        self.size.saturating_sub(self.used).saturating_sub(self.holds.total())
    }

    /// When the period ends.
    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    /// When nothing that was used counts any more.
    pub fn expires(&self) -> Timestamp {
        if self.used == 0 { Timestamp::default() } else { self.ends }
    }

    /// What was used in a period that the clock went back from counts for the present one: so nothing is used again, and
    /// nobody waits longer than for its end.
    pub fn shift(&mut self, back: u64, now: Timestamp) {
        self.ends = self.ends.min(end_of(self.period, now));
        self.holds.shift(back);
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.period as u8);
        out.extend(self.ends.millis().to_le_bytes());
        out.extend(self.used.to_le_bytes());
        self.holds.write(out);
    }

    pub fn read(from: &mut Reader<'_>) -> Option<Self> {
        let period = if from.u8()? == Period::Day as u8 { Period::Day } else { Period::Month };
        let (ends, used) = (Timestamp::from_millis(from.u64()?), from.u64()?);
        Some(Self { size: 0, period, ends, used, holds: Holds::read(from)? })
    }
}

fn end_of(period: Period, now: Timestamp) -> Timestamp {
    match period {
        Period::Day => now.day_end(),
        Period::Month => now.month_end(),
    }
}

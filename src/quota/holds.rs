//! What is reserved and by whom: by each instance of the VM, so that what one has reserved can be dropped when it is no more.

use super::bytes::Reader;
use super::holders::{Census, HolderId};
use crate::time::Timestamp;

/// What is reserved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Holds(Vec<Hold>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hold {
    holder: HolderId,
    /// When it was last known to be there.
    seen: Timestamp,
    amount: u64,
}

impl Holds {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |total, hold| total.saturating_add(hold.amount))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn take(&mut self, holder: HolderId, amount: u64, now: Timestamp) {
        match self.0.iter_mut().find(|hold| hold.holder == holder) {
            Some(hold) => *hold = Hold { holder, seen: now, amount: hold.amount.saturating_add(amount) },
            None => self.0.push(Hold { holder, seen: now, amount }),
        }
        self.0.retain(|hold| hold.amount > 0);
    }

    /// What a holder has reserved no more. If it was taken for dead there is nothing left of it, and nothing to do.
    pub fn give_back(&mut self, holder: HolderId, amount: u64, now: Timestamp) {
        if let Some(hold) = self.0.iter_mut().find(|hold| hold.holder == holder) {
            *hold = Hold { holder, seen: now, amount: hold.amount.saturating_sub(amount) };
        }
        self.0.retain(|hold| hold.amount > 0);
    }

    /// Drops what the dead have reserved. Only who was not seen for a while is looked for, or is said to have been seen at a time
    /// yet to come, which nobody wrote.
    pub fn drop_dead(&mut self, census: &mut Census<'_>, now: Timestamp) {
        self.0.retain_mut(|hold| {
            if hold.seen <= now && !Census::is_overdue(hold.seen, now) {
                return true;
            }
            hold.seen = now;
            census.is_alive(hold.holder)
        });
    }

    /// When at the earliest all of them may be dead.
    pub fn expires(&self) -> Timestamp {
        self.0.iter().map(|hold| Census::overdue_at(hold.seen)).max().unwrap_or_default()
    }

    /// Keeps the ages of what it remembers when the clock goes back.
    pub fn shift(&mut self, back: u64) {
        self.0.iter_mut().for_each(|hold| hold.seen = hold.seen.before(back));
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(u16::try_from(self.0.len()).unwrap_or(u16::MAX).to_le_bytes());
        for hold in self.0.iter().take(usize::from(u16::MAX)) {
            out.extend(hold.holder.0.to_le_bytes());
            out.extend(hold.seen.millis().to_le_bytes());
            out.extend(hold.amount.to_le_bytes());
        }
    }

    pub fn read(from: &mut Reader<'_>) -> Option<Self> {
        let count = from.u16()?;
        let mut holds = Vec::with_capacity((from.0.len() / 24).min(usize::from(count)) + 1);
        for _ in 0..count {
            let holder = HolderId(from.u64()?);
            let seen = Timestamp::from_millis(from.u64()?);
            holds.push(Hold { holder, seen, amount: from.u64()? });
        }
        Some(Self(holds))
    }
}

//! Requests in a sliding window: never more than the size in any stretch of the window's length.
//!
//! A window of few requests remembers each of them, so that its room comes back exactly when the oldest is as old as the
//! window is long. One of many remembers them by sixtieths of the window, each by its last request: a request then
//! counts for the window and at most a sixtieth of it longer, never shorter.

use super::bytes::Reader;
use super::denied::Retry;
use crate::config::Span;
use crate::time::{DAY, HOUR, MINUTE, Timestamp};

/// So many parts a window of many requests has; one of no more requests than this has an entry for each.
const PARTS: u64 = 60;

/// The requests of a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// From the configuration, not kept.
    rule: Rule,
    /// Oldest first.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rule {
    /// In milliseconds.
    length: u64,
    size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// When the last of them came.
    last: Timestamp,
    count: u32,
}

impl Rule {
    /// Whether two requests share an entry.
    fn together(self, one: Timestamp, other: Timestamp) -> bool {
        let part = (self.length / PARTS).max(1);
        one == other || (self.size > PARTS && one.millis() / part == other.millis() / part)
    }
}

impl Window {
    /// Counts by this rule from now on, and forgets what has left the window, or is not of this time: nobody wrote what is yet to come.
    pub fn adopt(&mut self, span: Span, size: u64, now: Timestamp) {
        let length = match span {
            Span::Minute => MINUTE,
            Span::Hour => HOUR,
            Span::Day => DAY,
        };
        self.rule = Rule { length, size };
        self.entries.retain(|entry| entry.last <= now && entry.last.after(length) > now);
    }

    /// Whether one more fits, or when it will.
    pub fn admits(&self) -> Result<(), Retry> {
        let mut too_many = (self.count() + 1).saturating_sub(self.rule.size);
        if too_many == 0 {
            return Ok(());
        }
        for entry in &self.entries {
            too_many = too_many.saturating_sub(u64::from(entry.count));
            if too_many == 0 {
                return Err(Retry::At(entry.last.after(self.rule.length)));
            }
        }
        Err(Retry::Never)
    }

    /// Counts a request.
    pub fn take(&mut self, now: Timestamp) {
        match self.entries.last_mut() {
            Some(entry) if self.rule.together(entry.last, now) => {
                entry.count = entry.count.saturating_add(1);
                entry.last = now;
            }
            _ => self.entries.push(Entry { last: now, count: 1 }),
        }
    }

    /// Takes back the request that was counted then, if it still counts.
    pub fn give_back(&mut self, then: Timestamp) {
        let rule = self.rule;
        let entry =
            self.entries.iter_mut().find(|entry| entry.last >= then && rule.together(entry.last, then));
        if let Some(entry) = entry {
            entry.count = entry.count.saturating_sub(1);
        }
        self.entries.retain(|entry| entry.count > 0);
    }

    /// How many more fit now.
    pub fn remaining(&self) -> u64 {
        self.rule.size.saturating_sub(self.count())
    }

    /// When nothing of it counts any more.
    pub fn expires(&self) -> Timestamp {
        self.entries.last().map_or(Timestamp::default(), |entry| entry.last.after(self.rule.length))
    }

    /// Keeps the ages of what it remembers when the clock goes back.
    pub fn shift(&mut self, back: u64) {
        self.entries.iter_mut().for_each(|entry| entry.last = entry.last.before(back));
    }

    fn count(&self) -> u64 {
        self.entries.iter().map(|entry| u64::from(entry.count)).sum()
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(u16::try_from(self.entries.len()).unwrap_or(u16::MAX).to_le_bytes());
        for entry in self.entries.iter().take(usize::from(u16::MAX)) {
            out.extend(entry.last.millis().to_le_bytes());
            out.extend(entry.count.to_le_bytes());
        }
    }

    pub fn read(from: &mut Reader<'_>) -> Option<Self> {
        let count = from.u16()?;
        // As much as is there at most, whatever it claims; one more will often be added.
        let mut entries = Vec::with_capacity((from.0.len() / 12).min(usize::from(count)) + 1);
        for _ in 0..count {
            entries.push(Entry { last: Timestamp::from_millis(from.u64()?), count: from.u32()? });
        }
        Some(Self { rule: Rule::default(), entries })
    }
}

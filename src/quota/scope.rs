//! The counters of one group of limits for whoever they are counted for: together, so that a request costs one reading and one
//! writing however many limits there are.
//!
//! A counter is known by its limit's id, not by its place, so it survives a change of the configuration. One whose limit is
//! no more, or not for this request, is kept until it says nothing any more: another worker may still have the old
//! configuration, and a bad one may be taken back.

use super::bytes::Reader;
use super::counter::Counter;
use super::holders::Census;
use crate::config::Limit;
use crate::time::Timestamp;

/// The workers read their clocks before they win a value, so one may be late by this much without the clock having gone back,
/// in milliseconds.
pub(super) const TOLERANCE: u64 = 1_000;
/// Twice as many as a configuration has limits: there is room for a whole other configuration's.
const MOST: usize = 128;

/// The counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// The latest time that any of it was looked at.
    latest: Timestamp,
    sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    /// The limit's.
    id: u64,
    /// See [`Counter::expires`]; kept, because only the limit's rule can tell.
    expires: Timestamp,
    counter: Counter,
    /// Whether it was asked for since it was read.
    used: bool,
}

impl Scope {
    /// Brings the time up to `now`, and says whether the clock went back.
    ///
    /// What is a little earlier than the latest is taken for the latest. What is much earlier means that the clock went back:
    /// then nothing is taken to have passed since the latest, so nothing that counted ceases to. This has to be written
    /// down even where nothing else is, or nothing would ever pass.
    pub fn advance(&mut self, now: Timestamp) -> bool {
        let back = self.latest.since(now);
        if back <= TOLERANCE {
            self.latest = self.latest.max(now);
            return false;
        }
        for section in &mut self.sections {
            section.expires = section.expires.before(back);
            section.counter.shift(back, now);
        }
        self.latest = now;
        true
    }

    /// Does something with the counter of a limit, as of the time here.
    pub fn with<T>(&mut self, limit: &Limit, act: impl FnOnce(&mut Counter, Timestamp) -> T) -> T {
        let now = self.latest;
        match self.sections.iter_mut().find(|section| section.id == limit.id) {
            Some(section) => section.with(limit, now, act),
            None => {
                let counter = Counter::new(limit.kind, now);
                let mut section = Section { id: limit.id, expires: now, counter, used: true };
                let outcome = section.with(limit, now, act);
                self.sections.push(section);
                outcome
            }
        }
    }

    /// Drops what the dead have reserved.
    pub fn drop_dead(&mut self, census: &mut Census<'_>) {
        let now = self.latest;
        self.sections.iter_mut().for_each(|section| section.counter.drop_dead(census, now));
    }

    /// Forgets what says nothing any more.
    pub fn tidy(&mut self) {
        let now = self.latest;
        let mut surplus = self.sections.len().saturating_sub(MOST);
        self.sections.retain(|section| {
            let speaks =
                section.expires > now || section.counter.holds().is_some_and(|holds| !holds.is_empty());
            let is_surplus = surplus > 0 && !section.used;
            surplus -= usize::from(is_surplus);
            speaks && !is_surplus
        });
    }

    /// When all of it may say nothing any more.
    pub fn idle_at(&self) -> Timestamp {
        let holds = self.sections.iter().filter_map(|section| Some(section.counter.holds()?.expires()));
        self.sections.iter().map(|section| section.expires).chain(holds).max().unwrap_or_default()
    }

    /// The latest time that any of it was looked at.
    pub fn latest(&self) -> Timestamp {
        self.latest
    }

    /// The latest time in the bytes of a scope.
    pub fn latest_in(bytes: &[u8]) -> Option<Timestamp> {
        Reader(bytes).u64().map(Timestamp::from_millis)
    }

    /// Whether there is nothing that counts.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.latest.millis().to_le_bytes());
        for section in &self.sections {
            out.extend(section.id.to_le_bytes());
            out.extend(section.expires.millis().to_le_bytes());
            section.counter.write(out);
        }
    }

    /// The counters in `bytes`, if there is nothing else in them.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        let latest = Timestamp::from_millis(from.u64()?);
        let mut sections = Vec::with_capacity(4);
        while !from.0.is_empty() {
            let (id, expires) = (from.u64()?, Timestamp::from_millis(from.u64()?));
            sections.push(Section { id, expires, counter: Counter::read(&mut from)?, used: false });
        }
        Some(Self { latest, sections })
    }
}

impl Section {
    fn with<T>(
        &mut self,
        limit: &Limit,
        now: Timestamp,
        act: impl FnOnce(&mut Counter, Timestamp) -> T,
    ) -> T {
        self.counter.adopt(limit, now);
        let outcome = act(&mut self.counter, now);
        self.expires = self.counter.expires();
        self.used = true;
        outcome
    }
}

//! What all workers know: one value of the store with a history of each target, in no order.
//!
//! Targets of another configuration are kept for a while: another worker may still have it, and a bad one may be taken back.

use super::form::{Back, Reader, Walk};
use super::history::History;
use crate::time::{HOUR, Timestamp};

/// Where it is.
pub(super) const KEY: &str = "health";
/// The form of the value, its first byte.
const VERSION: u8 = 2;
/// Of a target of which nothing was seen for so long, and which need not be left alone, nothing is kept; in milliseconds.
const FORGOTTEN: u64 = HOUR;
/// Workers read their clocks before they exchange anything, so one may be late by this much without the clock having gone
/// back, in milliseconds.
pub(super) const TOLERANCE: u64 = 1_000;

/// A value that is read, and the one that is written in its place.
pub(super) struct Shared<'v> {
    from: Reader<'v>,
    /// The latest time that anybody has seen.
    latest: Timestamp,
    /// By how many milliseconds the clock went back.
    back: u64,
    /// Whether nobody has written for a while.
    is_old: bool,
    /// Whether the time has to be written down, if nothing else: a clock that went back would otherwise do so again every time
    /// it is looked at, and no time would pass; and while a circuit is open, only what is fresh tells that a clock went back.
    pub is_stale: bool,
    pub out: Vec<u8>,
}

impl<'v> Shared<'v> {
    /// What cannot be read, all of it, holds nothing.
    pub fn new(value: Option<&'v [u8]>, now: Timestamp) -> Self {
        let rest = value.and_then(|value| value.strip_prefix(&[VERSION])).unwrap_or_default();
        let (mut from, mut latest) = (Reader { rest, is_broken: false }, Timestamp::default());
        from.time(&mut latest);
        let rest = from.rest;
        while read(&mut from).is_some() {}
        from = Reader { rest: if from.is_broken { &[] } else { rest }, is_broken: false };
        let back = latest.since(now);
        let is_stale = back > TOLERANCE;
        let is_old = now.since(latest) >= TOLERANCE / 2;
        let (back, mut latest) = if is_stale { (back, now) } else { (0, latest.max(now)) };
        let mut out = vec![VERSION];
        out.time(&mut latest);
        Self { from, latest, back, is_old, is_stale, out }
    }

    /// The next target, and what is known of it. Where the clock went back, what is left of every time is kept.
    pub fn next(&mut self) -> Option<(&'v str, History)> {
        let (name, mut history) = read(&mut self.from)?;
        history.walk(&mut Back(self.back));
        self.is_stale |= self.is_old && !history.breaker.is_at_rest(self.latest);
        Some((name, history))
    }

    /// Writes what is known of a target, if that is anything.
    pub fn write(&mut self, name: &str, history: &mut History) {
        let is_old = self.latest.since(history.as_of()) >= FORGOTTEN;
        if let Ok(length) = u8::try_from(name.len())
            && !(is_old && history.breaker.is_at_rest(self.latest))
        {
            self.out.push(length);
            self.out.extend_from_slice(name.as_bytes());
            history.walk(&mut self.out);
        }
    }
}

#[inline(never)]
fn read<'v>(from: &mut Reader<'v>) -> Option<(&'v str, History)> {
    if from.rest.is_empty() {
        return None;
    }
    let (name, mut history) = (from.text(), History::default());
    history.walk(from);
    (!from.is_broken).then_some((name, history))
}

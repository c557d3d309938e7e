//! What all workers know: one value of the store with a history of each target, sorted by name.
//!
//! Targets of another configuration are kept for a while: another worker may still have it, and a bad one may be taken back.

use super::bytes::Reader;
use super::history::History;
use crate::time::{MINUTE, Timestamp};

/// Where it is.
pub(super) const KEY: &str = "health";
/// The form of the value, its first byte.
const VERSION: u8 = 1;
/// Nothing is kept for so long of a target that the configuration does not have, in milliseconds.
const FORGOTTEN: u64 = 10 * MINUTE;
/// Workers read their clocks before they exchange anything, so one may be late by this much without the clock having gone
/// back, in milliseconds.
pub(super) const TOLERANCE: u64 = 1_000;

/// What a value holds.
#[derive(Default)]
pub(super) struct Shared<'v> {
    /// The latest time that anybody has seen.
    pub latest: Timestamp,
    /// Whether that has to be written down: a clock that went back would otherwise do so again every time it is looked at,
    /// and no time would pass; and while a circuit is open, only what is fresh tells that a clock went back.
    pub is_stale: bool,
    pub histories: Vec<(&'v str, History)>,
}

impl<'v> Shared<'v> {
    /// What cannot be read holds nothing. Where the clock went back, what is left of every time is kept.
    pub fn read(value: Option<&'v [u8]>, now: Timestamp) -> Self {
        let mut shared = value.and_then(Self::from_bytes).unwrap_or_default();
        let back = shared.latest.since(now);
        let is_back = back > TOLERANCE;
        if is_back {
            shared.histories.iter_mut().for_each(|(_, history)| history.shift(back));
            shared.latest = now;
        }
        let is_old = now.since(shared.latest) >= TOLERANCE / 2;
        let mut closed =
            shared.histories.iter().map(|(_, history)| history.breaker.is_at_rest(shared.latest));
        shared.is_stale = is_back || is_old && closed.any(|closed| !closed);
        shared.latest = shared.latest.max(now);
        shared
    }

    fn from_bytes(value: &'v [u8]) -> Option<Self> {
        let mut from = Reader(value.strip_prefix(&[VERSION])?);
        let latest = from.time()?;
        let mut histories = Vec::with_capacity(from.0.len() / 256 + 1);
        let mut last = "";
        while !from.0.is_empty() {
            let name = from.text().filter(|name| *name > last)?;
            histories.push((name, History::read(&mut from)?));
            last = name;
        }
        Some(Self { latest, is_stale: false, histories })
    }
}

/// Writes a value, one history after the other in the order of their names.
pub(super) struct Writer {
    latest: Timestamp,
    out: Vec<u8>,
}

impl Writer {
    pub fn new(latest: Timestamp) -> Self {
        let mut out = vec![VERSION];
        out.extend(latest.millis().to_le_bytes());
        Self { latest, out }
    }

    /// Writes what is known of a target, if anything is.
    pub fn write(&mut self, name: &str, history: &History) {
        let Ok(length) = u8::try_from(name.len()) else { return };
        if history.as_of() > Timestamp::default() {
            self.out.push(length);
            self.out.extend_from_slice(name.as_bytes());
            history.write(&mut self.out);
        }
    }

    /// Writes what is known of a target that this worker's configuration does not have.
    pub fn keep(&mut self, name: &str, history: &History) {
        if self.latest.since(history.as_of()) < FORGOTTEN {
            self.write(name, history);
        }
    }

    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}

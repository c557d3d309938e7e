//! The circuit of a target: closed, open for a time, half open until some have shown that it answers again. Beside it, what
//! the target itself has asked for, and what Envoy says of its hosts.
//!
//! An attempt says something of the circuit only if it began after the circuit's last change: what began before that and
//! times out long after tells how the target was, not how it is.

use super::form::Walk;
use super::{Circuit, Probe};
use crate::chance::mixed;
use crate::config::Health;
use crate::time::Timestamp;

/// What Envoy has said of a target's hosts holds for so long, in milliseconds.
const FRESH: u64 = 15_000;
/// A probe whose worker has not renewed it for so long is nobody's, in milliseconds.
const LEASE: u64 = 15_000;
/// Every opening lasts twice as long as the one before, up to this one; by then any limit is reached.
const LONGEST: u32 = 20;

/// A circuit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    state: State,
    /// When it has opened or closed last.
    changed: Timestamp,
    /// How many times it has opened one after the other.
    openings: u32,
    /// Until when the target wants to be left alone.
    limited: Timestamp,
    /// When Envoy was last asked.
    asked: Timestamp,
    /// Whether Envoy had no healthy host then.
    hostless: bool,
    /// Those that try it, and until when each is taken to be under way.
    probes: Vec<(Probe, Timestamp)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    /// Open until a time, and half open from then on.
    Open {
        until: Timestamp,
        /// How many have succeeded in a row since it has opened.
        passed: u32,
    },
}

impl Breaker {
    #[inline(never)]
    pub fn circuit(&self, now: Timestamp, rules: &Health) -> Circuit {
        let hostless = if self.hostless { self.asked.after(FRESH) } else { Timestamp::default() };
        let opened = match self.state {
            State::Open { until, .. } => until,
            State::Closed => Timestamp::default(),
        };
        let until = opened.max(self.limited).max(hostless);
        match self.state {
            _ if until > now => Circuit::Open { until },
            State::Open { .. } => {
                let under_way = self.probes.iter().filter(|(_, lease)| *lease > now).count();
                Circuit::HalfOpen { may_probe: under_way < rules.probes as usize }
            }
            State::Closed => Circuit::Closed,
        }
    }

    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether no time has to pass for it to be closed.
    pub fn is_at_rest(&self, now: Timestamp) -> bool {
        self.is_closed() && self.limited <= now
    }

    /// Whether an attempt that began then tells something of the circuit as it is.
    pub fn is_told_by(&self, began: Timestamp) -> bool {
        began >= self.changed
    }

    /// Opens it, for the longer the more often it has opened without having been closed for as long as it may be open. All
    /// gateways that see a target fail should not try it again at the same time, so `chance` takes away up to a tenth.
    #[inline(never)]
    pub fn open(&mut self, now: Timestamp, rules: &Health, chance: u64) {
        if self.is_closed() && now.since(self.changed) >= rules.open_most_ms {
            self.openings = 0;
        }
        let long = rules.open_ms.saturating_mul(1 << self.openings.min(LONGEST)).min(rules.open_most_ms);
        let until = now.after(long.saturating_sub(mixed(chance ^ now.millis()) % (long / 10 + 1)));
        self.openings = self.openings.saturating_add(1).min(LONGEST);
        self.state = State::Open { until, passed: 0 };
        self.changed = now;
    }

    /// Takes in what came of an attempt while it is not closed. Gives whether it has closed by that.
    pub fn tried(&mut self, failed: bool, (began, now): (Timestamp, Timestamp), rules: &Health, chance: u64) {
        let State::Open { until, passed } = &mut self.state else { return };
        match failed {
            // It has had its time.
            true if began >= *until => self.open(now, rules, chance),
            true => *passed = 0,
            false => {
                *passed = passed.saturating_add(1);
                if *passed >= rules.successes {
                    (self.state, self.changed) = (State::Closed, now);
                }
            }
        }
    }

    /// Leaves the target alone as long as it wants, within reason.
    pub fn limit(&mut self, now: Timestamp, wait: u64, rules: &Health) {
        self.limited = self.limited.max(now.after(wait.min(rules.open_most_ms)));
    }

    /// Takes in whether Envoy has a healthy host.
    pub fn hosts(&mut self, now: Timestamp, hostless: bool) {
        if now >= self.asked {
            (self.asked, self.hostless) = (now, hostless);
        }
    }

    pub fn is_hostless(&self) -> bool {
        self.hostless
    }

    /// Lets one more try it, if one may.
    pub fn probe(&mut self, probe: Probe, now: Timestamp, rules: &Health) -> bool {
        let granted = self.circuit(now, rules) == Circuit::HalfOpen { may_probe: true };
        if granted {
            self.probes.retain(|(_, lease)| *lease > now);
            self.probes.push((probe, now.after(LEASE)));
        }
        granted
    }

    /// Whether this one is under way, as far as is known here.
    pub fn has(&self, probe: Probe) -> bool {
        self.probes.iter().any(|(other, _)| *other == probe)
    }

    /// Says that these are still under way.
    pub fn renew(&mut self, held: &[Probe], now: Timestamp) {
        for (_, lease) in self.probes.iter_mut().filter(|(probe, _)| held.contains(probe)) {
            *lease = now.after(LEASE);
        }
    }

    /// It is over.
    pub fn give_back(&mut self, probe: Probe) {
        self.probes.retain(|(other, _)| *other != probe);
    }

    /// What others should know at once when it changes.
    pub fn news(&self) -> (bool, Timestamp) {
        (self.is_closed(), self.changed)
    }

    pub fn limited(&self) -> Timestamp {
        self.limited
    }

    pub fn walk(&mut self, by: &mut dyn Walk) {
        const CLOSED: u32 = u32::MAX;
        let (mut until, mut passed) = match self.state {
            State::Closed => (Timestamp::default(), CLOSED),
            State::Open { until, passed } => (until, passed),
        };
        by.time(&mut until);
        by.count(&mut passed);
        self.state = if passed == CLOSED { State::Closed } else { State::Open { until, passed } };
        by.count(&mut self.openings);
        for time in [&mut self.changed, &mut self.limited, &mut self.asked] {
            by.time(time);
        }
        let (mut hostless, mut probes) = (self.hostless.into(), self.probes.len() as u32);
        by.count(&mut hostless);
        by.count(&mut probes);
        self.hostless = hostless != 0;
        self.probes.resize(probes.min(Health::MOST_PROBES) as usize, (Probe(0), Timestamp::default()));
        for (probe, lease) in &mut self.probes {
            by.number(&mut probe.0);
            by.time(lease);
        }
    }
}

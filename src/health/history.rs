//! What is known of a target: what follows from everything that was seen of it, by whomever.

use super::breaker::Breaker;
use super::fading::{Mean, Speed, left};
use super::form::Walk;
use super::window::{Tally, Window};
use super::{Probe, View};
use crate::config::Health;
use crate::time::Timestamp;

/// What a target usually is like is what it was like in about so many windows before this one.
const USUAL: u64 = 20;
/// A target is taken to have answered so many requests before it was known.
const BELIEVED: f32 = 100.0;
/// So many of which may have failed.
const SUSPECTED: f32 = 5.0;
/// A rate is unusual that is so many standard deviations above the usual one. It is looked at after every request, so what is
/// only rare would come by.
const UNUSUAL: f32 = 6.0;

/// Something that was seen of a target. Milliseconds that are 0 are not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    pub at: Timestamp,
    pub what: What,
    pub first_token_ms: f32,
    pub total_ms: f32,
    pub per_token_ms: f32,
    /// Of an answer; 0 if not known.
    pub tokens: f32,
    /// The probe that has ended by this.
    pub probe: Option<Probe>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum What {
    /// Nothing but how long something took.
    Nothing,
    Answered {
        began: Timestamp,
    },
    Failed {
        began: Timestamp,
    },
    /// It wants to be left alone for so long, in milliseconds.
    Limited(u64),
    /// Whether Envoy has no healthy host of it.
    Hosts {
        hostless: bool,
    },
}

impl Seen {
    pub fn walk(&mut self, by: &mut dyn Walk) {
        by.time(&mut self.at);
        if let What::Answered { began } | What::Failed { began } = &mut self.what {
            by.time(began);
        }
    }
}

/// What is known of a target.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct History {
    /// What fades has faded until then.
    as_of: Timestamp,
    last_seen: Timestamp,
    outcomes: u32,
    success: Mean,
    /// How much of what has left the window had failed.
    usual: Mean,
    window: Window,
    /// Failures since the last answer.
    failures: u32,
    first_token: Speed,
    total: Speed,
    per_token: Speed,
    tokens: Mean,
    pub breaker: Breaker,
}

impl History {
    /// Takes in what was seen. It may have been seen a little earlier than what is known already: then as much of it has faded.
    pub fn take(&mut self, seen: &Seen, rules: &Health, chance: u64) {
        self.advance(seen.at, rules);
        let weight = left(self.as_of.since(seen.at), rules.half_life_ms);
        for (speed, ms) in [
            (&mut self.first_token, seen.first_token_ms),
            (&mut self.total, seen.total_ms),
            (&mut self.per_token, seen.per_token_ms),
        ] {
            if ms > 0.0 {
                speed.add(ms, weight);
            }
        }
        if seen.tokens > 0.0 {
            self.tokens.add(seen.tokens, weight);
        }
        if let Some(probe) = seen.probe {
            self.breaker.give_back(probe);
        }
        let (failed, began) = match seen.what {
            What::Nothing => return,
            What::Hosts { hostless } => return self.breaker.hosts(seen.at, hostless),
            What::Limited(wait) => {
                self.last_seen = self.last_seen.max(seen.at);
                return self.breaker.limit(seen.at, wait, rules);
            }
            What::Answered { began } => (false, began),
            What::Failed { began } => (true, began),
        };
        self.last_seen = self.last_seen.max(seen.at);
        self.outcomes = self.outcomes.saturating_add(1);
        self.success.add(if failed { 0.0 } else { 1.0 }, weight);
        if self.breaker.is_told_by(began) {
            self.tell(failed, (began, seen.at), rules, chance);
        }
    }

    /// Tells the circuit of an attempt.
    fn tell(&mut self, failed: bool, (began, at): (Timestamp, Timestamp), rules: &Health, chance: u64) {
        if !self.breaker.is_closed() {
            return self.breaker.tried(failed, (began, at), rules, chance);
        }
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        self.window.add(at.millis(), failed);
        if self.failures >= rules.failures || self.fails_unusually(rules) {
            self.breaker.open(at, rules, chance);
            self.failures = 0;
            let tally = self.window.clear();
            self.remember(tally);
        }
    }

    /// Whether, of the requests in the window that usually would not have failed, as many have as the rules do not allow,
    /// and more than chance could have it.
    fn fails_unusually(&self, rules: &Health) -> bool {
        let Tally { all, failed } = self.window.total();
        if all < rules.min_requests {
            return false;
        }
        let (all, failed, known) = (all as f32, failed as f32, self.usual.weight + BELIEVED);
        let usual = self.usual.sum / known;
        let too_many = all * (usual + (1.0 - usual) * rules.error_rate);
        let suspected = (self.usual.sum + SUSPECTED) / known;
        let spread = (all * suspected * (1.0 - suspected)).sqrt();
        failed >= too_many && failed >= all * suspected + UNUSUAL * spread
    }

    /// Lets time pass.
    fn advance(&mut self, now: Timestamp, rules: &Health) {
        let elapsed = now.since(self.as_of);
        if elapsed > 0 {
            self.as_of = now;
            let left_of_it = left(elapsed, rules.half_life_ms);
            self.success.fade(left_of_it);
            self.tokens.fade(left_of_it);
            for speed in [&mut self.first_token, &mut self.total, &mut self.per_token] {
                speed.fade(left_of_it);
            }
            self.usual.fade(left(elapsed, rules.window_ms.saturating_mul(USUAL)));
        }
        let tally = self.window.advance(self.as_of.millis(), rules.window_ms);
        self.remember(tally);
    }

    /// What is no longer in the window is what is usual.
    fn remember(&mut self, Tally { all, failed }: Tally) {
        if all > 0 {
            self.usual.add(failed as f32 / all as f32, all as f32);
        }
    }

    pub fn view(&self, now: Timestamp, rules: &Health) -> View {
        let left = left(now.since(self.as_of), rules.half_life_ms);
        View {
            circuit: self.breaker.circuit(now, rules),
            success: self.success.value().unwrap_or(1.0),
            samples: self.success.weight * left,
            outcomes: self.outcomes,
            first_token: self.first_token.latency(left),
            total: self.total.latency(left),
            per_token: self.per_token.latency(left),
            tokens: self.tokens.value(),
            in_flight: 0,
            begun: 0,
            last_seen: (self.last_seen > Timestamp::default()).then_some(self.last_seen),
        }
    }

    /// When something was last seen of it; the epoch if nothing ever was.
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }

    pub fn walk(&mut self, by: &mut dyn Walk) {
        by.time(&mut self.as_of);
        by.time(&mut self.last_seen);
        by.count(&mut self.outcomes);
        by.count(&mut self.failures);
        self.success.walk(by);
        self.usual.walk(by);
        self.window.walk(by);
        for speed in [&mut self.first_token, &mut self.total, &mut self.per_token] {
            speed.walk(by);
        }
        self.tokens.walk(by);
        self.breaker.walk(by);
    }
}

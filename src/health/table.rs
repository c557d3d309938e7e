//! A worker's targets: what it notes of them, what a plan asks of them, and what it exchanges with the others.

use super::form::Back;
use super::history::{History, Seen, What};
use super::shared::{KEY, Shared, TOLERANCE};
use super::{Circuit, Ended, Probe, View};
use crate::config::{Config, Health, Model};
use crate::store::{Contended, Store, update};
use crate::time::Timestamp;
use std::rc::Rc;

/// How often a race for the value may be lost. Exchanges are rare, and what is not told now is told a second later.
const ATTEMPTS: u32 = 32;
/// With so many observations of a target that the others have not been told it is time to tell them.
const MANY: usize = 256;
/// If that cannot be done, what comes after so many is not told at all.
const MOST: usize = 1_024;
/// How long a target that is limited and does not say for how long is left alone, in milliseconds.
const UNSAID: u64 = 1_000;

/// The targets of the configuration, as one worker knows them.
#[derive(Debug)]
pub struct Table {
    rules: Option<Health>,
    chance: u64,
    /// The latest time that this worker has seen.
    latest: Timestamp,
    /// How many probes it has asked for.
    probes: u64,
    /// Sorted by name.
    targets: Vec<Target>,
}

/// What this worker knows of a target.
#[derive(Debug, Default)]
struct Target {
    name: Rc<str>,
    cluster: Rc<str>,
    /// Whether the configuration names it.
    is_named: bool,
    history: History,
    /// What is in the history and the others have not been told.
    untold: Vec<Seen>,
    /// The probes that are this worker's.
    held: Vec<Probe>,
    in_flight: u32,
    /// Attempts that this worker has begun.
    begun: u32,
}

/// An attempt under way. It has to be [recorded](Table::record) however it ends.
#[must_use]
#[derive(Debug)]
pub struct Trial {
    /// None if the configuration does not name the model.
    target: Option<Rc<str>>,
    stream: bool,
    began: Timestamp,
    first_token: Option<Timestamp>,
    probe: Option<Probe>,
}

impl Trial {
    /// When it began.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// How long a client would have waited for it until now, in milliseconds: for a stream to its first token, if that is there.
    #[must_use]
    pub fn waited_ms(&self, now: Timestamp) -> f32 {
        elapsed(self.began, self.first_token.unwrap_or(now))
    }
}

impl Table {
    /// A table without targets. `chance` is a random number, or at least one that no other worker has.
    #[must_use]
    pub const fn new(chance: u64) -> Self {
        Self { rules: None, chance, latest: Timestamp::from_millis(0), probes: 0, targets: Vec::new() }
    }

    /// Takes over a configuration: its rules, and the targets that it names, of which what is known is kept. Models that
    /// only clients name are no targets: there is no end of them, and nobody stands in for them.
    pub fn adopt(&mut self, config: &Config) {
        self.rules = config.health().copied();
        self.targets.iter_mut().for_each(|target| target.is_named = false);
        for model in config.models() {
            self.add(model);
        }
        for target in config.routes().iter().flat_map(|route| route.all()) {
            self.add(&target.model);
        }
        self.targets.retain(|target| target.is_named);
    }

    /// Adds a target, or goes on with it.
    #[inline(never)]
    fn add(&mut self, model: &Model) {
        let at = position(&self.targets, model.name.as_str()).unwrap_or_else(|at| {
            self.targets.insert(at, Target { name: model.name.shared(), ..Target::default() });
            at
        });
        if let Some(target) = self.targets.get_mut(at) {
            target.cluster = model.provider.cluster.shared();
            target.is_named = self.rules.is_some();
        }
    }

    /// The targets that the configuration names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.targets.iter().map(|target| &*target.name)
    }

    /// How a target is doing; asks nobody.
    #[must_use]
    pub fn view(&self, target: &str, now: Timestamp) -> View {
        let (Some(rules), Ok(at)) = (&self.rules, position(&self.targets, target)) else {
            return View::default();
        };
        let Some(target) = self.targets.get(at) else { return View::default() };
        View { in_flight: target.in_flight, begun: target.begun, ..target.history.view(now, rules) }
    }

    /// Whether a target is to be tried; asks nobody.
    #[must_use]
    pub fn circuit(&self, target: &str, now: Timestamp) -> Circuit {
        let (Some(rules), Ok(at)) = (&self.rules, position(&self.targets, target)) else {
            return Circuit::Closed;
        };
        self.targets.get(at).map_or(Circuit::Closed, |target| target.history.breaker.circuit(now, rules))
    }

    /// Begins an attempt, which asks for a stream or not, and may be a probe.
    pub fn begin(&mut self, target: &str, stream: bool, probe: Option<Probe>, now: Timestamp) -> Trial {
        let target = self.target(target).map(|target| {
            target.in_flight = target.in_flight.saturating_add(1);
            target.begun = target.begun.saturating_add(1);
            Rc::clone(&target.name)
        });
        Trial { target, stream, began: now, first_token: None, probe }
    }

    /// Notes that the first token of a stream is there.
    pub fn first_token(&mut self, trial: &mut Trial, now: Timestamp) {
        if trial.first_token.is_none() {
            trial.first_token = Some(now);
            let first_token_ms = elapsed(trial.began, now);
            let at = trial.target.as_deref().and_then(|target| position(&self.targets, target).ok());
            self.note(at, Seen { first_token_ms, ..nothing(now) });
        }
    }

    /// Notes how an attempt ended. Gives whether the others should know at once, by an [exchange](Self::exchange); all else
    /// can wait for the next one.
    #[must_use]
    pub fn record(&mut self, trial: Trial, ended: Ended, now: Timestamp) -> bool {
        let Trial { target, stream, began, first_token, probe } = trial;
        let mut seen = Seen { probe, ..nothing(now) };
        seen.what = match ended {
            Ended::Answered { tokens } => {
                seen.tokens = tokens as f32;
                match first_token {
                    None => seen.total_ms = elapsed(began, now),
                    Some(first) if tokens > 1 => {
                        seen.per_token_ms = elapsed(first, now) / (tokens - 1) as f32;
                    }
                    Some(_) => {}
                }
                What::Answered { began }
            }
            Ended::TimedOut => {
                match first_token {
                    None if stream => seen.first_token_ms = elapsed(began, now),
                    None => seen.total_ms = elapsed(began, now),
                    Some(_) => {}
                }
                What::Failed { began }
            }
            Ended::Failed => What::Failed { began },
            Ended::Limited { retry_after_ms } => What::Limited(retry_after_ms.unwrap_or(UNSAID)),
            Ended::Untold => What::Nothing,
        };
        let at = target.and_then(|target| position(&self.targets, &target).ok());
        if let Some(target) = at.and_then(|at| self.targets.get_mut(at)) {
            target.in_flight = target.in_flight.saturating_sub(1);
        }
        self.note(at, seen)
    }

    /// Notes what Envoy says of a cluster: how many of how many hosts are healthy. One without any is open for as long as that
    /// is news. Of a cluster that lists none, it says nothing: there are kinds that make their hosts as they need them.
    pub fn envoy(&mut self, cluster: &str, healthy: u32, total: u32, now: Timestamp) {
        let (what, hostless) =
            (What::Hosts { hostless: healthy == 0 && total > 0 }, healthy == 0 && total > 0);
        for at in 0..self.targets.len() {
            let Some(target) = self.targets.get(at).filter(|target| *target.cluster == *cluster) else {
                continue;
            };
            // That all is well is only news if it was not.
            if hostless || target.history.breaker.is_hostless() {
                self.note(Some(at), Seen { what, ..nothing(now) });
            }
        }
    }

    /// Tells the others what was noted since the last time, and takes over what they have told.
    ///
    /// # Errors
    /// If too many others did at the same time: nothing is lost, and it is told with the next exchange.
    pub fn exchange(&mut self, store: &dyn Store, now: Timestamp) -> Result<(), Contended> {
        self.share(store, now, None).map(|_| ())
    }

    /// Asks to try a target whose circuit is half open, among all workers; asks nobody if it is known that it may not be.
    pub(super) fn probe(&mut self, store: &dyn Store, target: &str, now: Timestamp) -> Option<Probe> {
        if self.circuit(target, now) != (Circuit::HalfOpen { may_probe: true }) {
            return None;
        }
        self.probes = self.probes.wrapping_add(1);
        let probe = Probe(self.chance.wrapping_add(self.probes));
        let at = position(&self.targets, target).ok()?;
        self.share(store, now, Some((at, probe))).is_ok_and(|granted| granted).then_some(probe)
    }

    /// Exchanges, and asks for a probe of a target, if that is wished. Gives whether it was granted.
    fn share(
        &mut self,
        store: &dyn Store,
        now: Timestamp,
        wish: Option<(usize, Probe)>,
    ) -> Result<bool, Contended> {
        self.notice(now);
        let Some(rules) = self.rules else { return Ok(false) };
        let (targets, chance) = (&mut self.targets, self.chance);
        let tells = |target: &Target| !target.untold.is_empty() || !target.held.is_empty();
        let has_news = wish.is_some() || targets.iter().any(tells);
        let granted = update(store, KEY, ATTEMPTS, |value| {
            let mut shared = Shared::new(value, now);
            while let Some((name, mut history)) = shared.next() {
                match position(targets, name).ok().and_then(|at| targets.get_mut(at)) {
                    Some(target) => {
                        target.untold.iter().for_each(|seen| history.take(seen, &rules, chance));
                        target.history = history;
                    }
                    None => shared.write(name, &mut history),
                }
            }
            // Of a target that is not there, as after something that could not be read, nobody knows more than this worker.
            let mut granted = false;
            for (at, target) in targets.iter_mut().enumerate() {
                let breaker = &mut target.history.breaker;
                breaker.renew(&target.held, now);
                if let Some((_, probe)) = wish.filter(|(wished, _)| *wished == at) {
                    breaker.give_back(probe);
                    granted = breaker.probe(probe, now, &rules);
                }
                shared.write(&target.name, &mut target.history);
            }
            (granted, (has_news || shared.is_stale).then_some(shared.out))
        });
        if let Some((at, probe)) = wish
            && let Some(target) = self.targets.get_mut(at)
        {
            match granted {
                Ok(true) => target.held.push(probe),
                _ => target.history.breaker.give_back(probe),
            }
        }
        for target in &mut self.targets {
            target.held.retain(|probe| target.history.breaker.has(*probe));
            if granted.is_ok() {
                target.untold.clear();
            }
        }
        granted
    }

    /// Takes in what was seen, and remembers to tell it. Gives whether that should be done at once.
    fn note(&mut self, target: Option<usize>, seen: Seen) -> bool {
        self.notice(seen.at);
        let (Some(rules), chance) = (self.rules, self.chance) else { return false };
        let Some(target) = target.and_then(|at| self.targets.get_mut(at)) else { return false };
        let before = (target.history.breaker.news(), target.history.breaker.limited());
        target.history.take(&seen, &rules, chance);
        let breaker = &target.history.breaker;
        // A limit that was there before and is a little longer now can wait.
        let is_limited = before.1 <= seen.at && breaker.limited() > seen.at
            || breaker.limited().since(before.1) >= TOLERANCE;
        if target.untold.len() < MOST {
            target.untold.push(seen);
        }
        target.held.retain(|probe| Some(*probe) != seen.probe);
        before.0 != breaker.news() || is_limited || seen.probe.is_some() || target.untold.len() >= MANY
    }

    /// Sees what time it is. Where the clock went back, what is left of every time is kept.
    fn notice(&mut self, now: Timestamp) {
        let back = self.latest.since(now);
        if back <= TOLERANCE {
            self.latest = self.latest.max(now);
            return;
        }
        self.latest = now;
        for target in &mut self.targets {
            target.history.walk(&mut Back(back));
            target.untold.iter_mut().for_each(|seen| seen.walk(&mut Back(back)));
        }
    }

    fn target(&mut self, target: &str) -> Option<&mut Target> {
        let at = position(&self.targets, target).ok()?;
        self.targets.get_mut(at)
    }
}

/// Where a target is, or where it would be.
#[inline(never)]
fn position(targets: &[Target], name: &str) -> Result<usize, usize> {
    targets.binary_search_by(|target| (*target.name).cmp(name))
}

/// Nothing, at this time.
fn nothing(at: Timestamp) -> Seen {
    Seen {
        at,
        what: What::Nothing,
        first_token_ms: 0.0,
        total_ms: 0.0,
        per_token_ms: 0.0,
        tokens: 0.0,
        probe: None,
    }
}

/// Milliseconds; none if the clock went back meanwhile.
fn elapsed(since: Timestamp, now: Timestamp) -> f32 {
    now.since(since) as f32
}

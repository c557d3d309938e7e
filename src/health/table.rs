//! A worker's targets: what it notes of them, what a plan asks of them, and what it exchanges with the others.

use super::history::{History, Seen, What};
use super::shared::{KEY, Shared, TOLERANCE, Writer};
use super::{Circuit, Ended, Probe, View};
use crate::config::{Config, Health, Model};
use crate::store::{Contended, Store, update};
use crate::time::Timestamp;
use std::rc::Rc;

/// How often a race for the value may be lost. Exchanges are rare, and what is not told now is told a second later.
const ATTEMPTS: u32 = 32;
/// With so many observations of a target that the others have not been told it is time to tell them.
const MANY: usize = 256;
/// If that cannot be done, the oldest of so many are not told at all.
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
    history: History,
    /// What is in the history and the others have not been told.
    untold: Vec<Seen>,
    /// The probes that are this worker's.
    held: Vec<Probe>,
    in_flight: u32,
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
        let routed = config.routes().iter().flat_map(|route| &route.targets).map(|target| &target.model);
        let mut models: Vec<&Rc<Model>> = config.models().iter().chain(routed).collect();
        models.retain(|_| self.rules.is_some());
        models.sort_unstable_by_key(|model| &model.name);
        models.dedup_by_key(|model| &model.name);
        let new = models.into_iter().map(|model| Target {
            name: model.name.shared(),
            cluster: model.provider.cluster.shared(),
            ..Target::default()
        });
        let old = std::mem::replace(&mut self.targets, new.collect());
        for old in old {
            if let Some(target) = self.target(&old.name) {
                *target = Target { cluster: Rc::clone(&target.cluster), ..old };
            }
        }
    }

    /// How a target is doing; asks nobody.
    #[must_use]
    pub fn view(&self, target: &str, now: Timestamp) -> View {
        let target = self.position(target).and_then(|at| self.targets.get(at));
        match (target, &self.rules) {
            (Some(target), Some(rules)) => {
                View { in_flight: target.in_flight, ..target.history.view(now, rules) }
            }
            _ => View::default(),
        }
    }

    /// Begins an attempt, which asks for a stream or not, and may be a probe.
    pub fn begin(&mut self, target: &str, stream: bool, probe: Option<Probe>, now: Timestamp) -> Trial {
        let target = self.target(target).map(|target| {
            target.in_flight = target.in_flight.saturating_add(1);
            Rc::clone(&target.name)
        });
        Trial { target, stream, began: now, first_token: None, probe }
    }

    /// Notes that the first token of a stream is there.
    pub fn first_token(&mut self, trial: &mut Trial, now: Timestamp) {
        if trial.first_token.is_none() {
            trial.first_token = Some(now);
            let first_token_ms = elapsed(trial.began, now);
            self.note(trial.target.as_deref(), Seen { first_token_ms, ..nothing(now) });
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
            Ended::NotConnected | Ended::Reset | Ended::Broken | Ended::Unusable => What::Failed { began },
            Ended::Limited { retry_after_ms } => What::Limited(retry_after_ms.unwrap_or(UNSAID)),
            Ended::Refused | Ended::Cancelled => What::Nothing,
        };
        let Some(target) = target else { return false };
        if let Some(target) = self.target(&target) {
            target.in_flight = target.in_flight.saturating_sub(1);
        }
        self.note(Some(&target), seen)
    }

    /// Notes what Envoy says of a cluster: how many of how many hosts are healthy. One without any is open for as long as that
    /// is news. Of a cluster that lists none, it says nothing: there are kinds that make their hosts as they need them.
    pub fn envoy(&mut self, cluster: &str, healthy: u32, total: u32, now: Timestamp) {
        let hostless = healthy == 0 && total > 0;
        let theirs = self.targets.iter().filter(|target| *target.cluster == *cluster);
        let theirs: Vec<_> = theirs.map(|target| Rc::clone(&target.name)).collect();
        for target in theirs {
            // That all is well is only news if it was not.
            if hostless || self.view(&target, now).circuit != Circuit::Closed {
                self.note(Some(&target), Seen { what: What::Hosts { hostless }, ..nothing(now) });
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
        if self.view(target, now).circuit != (Circuit::HalfOpen { may_probe: true }) {
            return None;
        }
        let at = self.position(target)?;
        self.probes = self.probes.wrapping_add(1);
        let probe = Probe(self.chance.wrapping_add(self.probes));
        let granted = self.share(store, now, Some((at, probe))).unwrap_or(false);
        granted.then_some(probe)
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
        let (targets, chance) = (&self.targets, self.chance);
        let tells = |target: &Target| !target.untold.is_empty() || !target.held.is_empty();
        let has_news = wish.is_some() || targets.iter().any(tells);
        let (histories, granted) = update(store, KEY, ATTEMPTS, |value| {
            let shared = Shared::read(value, now);
            let mut writer = Writer::new(shared.latest);
            let writes = has_news || shared.is_stale;
            let mut known = shared.histories.into_iter().peekable();
            let (mut histories, mut granted) = (Vec::with_capacity(targets.len()), false);
            for (at, target) in targets.iter().enumerate() {
                while let Some((name, history)) = known.next_if(|(name, _)| *name < &*target.name) {
                    writer.keep(name, &history);
                }
                let mut history = match known.next_if(|(name, _)| *name == &*target.name) {
                    Some((_, mut history)) => {
                        target.untold.iter().for_each(|seen| history.take(seen, &rules, chance));
                        history
                    }
                    // Nobody knows more than this worker.
                    None => target.history.clone(),
                };
                history.breaker.renew(&target.held, now);
                if let Some((_, probe)) = wish.filter(|(wished, _)| *wished == at) {
                    granted = history.breaker.probe(probe, now, &rules);
                }
                writer.write(&target.name, &history);
                histories.push(history);
            }
            known.for_each(|(name, history)| writer.keep(name, &history));
            ((histories, granted), writes.then(|| writer.finish()))
        })?;
        for (target, history) in self.targets.iter_mut().zip(histories) {
            target.history = history;
            target.untold.clear();
            target.held.retain(|probe| target.history.breaker.has(*probe));
        }
        if let Some((at, probe)) = wish.filter(|_| granted) {
            self.targets.get_mut(at).into_iter().for_each(|target| target.held.push(probe));
        }
        Ok(granted)
    }

    /// Takes in what was seen, and remembers to tell it. Gives whether that should be done at once.
    fn note(&mut self, target: Option<&str>, seen: Seen) -> bool {
        self.notice(seen.at);
        let (Some(rules), chance) = (self.rules, self.chance) else { return false };
        let Some(target) = target.and_then(|target| self.target(target)) else { return false };
        let before = (target.history.breaker.news(), target.history.breaker.limited());
        target.history.take(&seen, &rules, chance);
        let breaker = &target.history.breaker;
        // A limit that was there before and is a little longer now can wait.
        let is_limited = before.1 <= seen.at && breaker.limited() > seen.at
            || breaker.limited().since(before.1) >= TOLERANCE;
        if target.untold.len() >= MOST {
            target.untold.remove(0);
        }
        target.untold.push(seen);
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
            target.history.shift(back);
            target.untold.iter_mut().for_each(|seen| seen.shift(back));
        }
    }

    fn position(&self, target: &str) -> Option<usize> {
        self.targets.binary_search_by(|known| (*known.name).cmp(target)).ok()
    }

    fn target(&mut self, target: &str) -> Option<&mut Target> {
        let at = self.position(target)?;
        self.targets.get_mut(at)
    }
}

/// Nothing, at this time.
fn nothing(at: Timestamp) -> Seen {
    Seen { at, what: What::Nothing, first_token_ms: 0.0, total_ms: 0.0, per_token_ms: 0.0, probe: None }
}

/// Milliseconds; none if the clock went back meanwhile.
fn elapsed(since: Timestamp, now: Timestamp) -> f32 {
    now.since(since) as f32
}

//! Routes that are more than a choice of one model: several calls whose answers make one, when they are made, and within which
//! bounds.

use super::catalog::Catalog;
use super::check::Check;
use super::{Agent, Cascade, Checked, Ensemble, Race, raw};
use crate::money::NanoUsd;
use crate::names::{self, TaskName, TierName};
use std::ops::RangeInclusive;
use std::rc::Rc;

/// As long as a client waits for one answer.
const TIMEOUT_MS: u64 = 120_000;
const CALL_TIMEOUT_MS: u64 = 60_000;
const TIMES: RangeInclusive<u64> = 1..=600_000;
const TOKENS: RangeInclusive<u64> = 0..=100_000_000;
/// All requests, in the unit of shares.
const ALL: u32 = 10_000;

/// How several calls answer the requests of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orchestration {
    /// Which requests they answer; the route's targets answer the others.
    pub when: Trigger,
    /// How long all of it may take, in milliseconds.
    pub timeout_ms: u32,
    /// How long one call may take, in milliseconds.
    pub call_timeout_ms: u32,
    /// After so much is spent no further call is made.
    pub max_cost: Option<NanoUsd>,
    /// Whether the answer says how it was made.
    pub report: bool,
    /// What is done.
    pub how: How,
}

/// What is done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Several answer, and one answer is made of theirs.
    Ensemble(Rc<Ensemble>),
    /// One answers after another, until one is believed.
    Cascade(Rc<Cascade>),
    /// Several answer, and the first good answer counts.
    Race(Rc<Race>),
    /// The route's targets answer, until an answer has the form that was asked for.
    Checked(Rc<Checked>),
    /// A plan is made of what is to be done, and carried out.
    Agent(Rc<Agent>),
}

/// Which requests several calls answer: those of which all of this holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trigger {
    /// Their task is one of these; any if there is no list.
    pub tasks: Option<Vec<TaskName>>,
    /// Whoever asks is of one of these tiers; of any if there is no list.
    pub tiers: Option<Vec<TierName>>,
    /// Their prompt has so many tokens, about.
    pub min_prompt_tokens: u64,
    /// The first calls are expected to cost no more than this in all.
    pub max_cost: Option<NanoUsd>,
    /// They are among so many of ten thousand.
    pub share: u32,
}

impl How {
    /// All who may be asked before anything is known, as a client would ask for them.
    #[must_use]
    pub fn first(&self) -> Vec<&str> {
        match self {
            Self::Ensemble(ensemble) => ensemble.members.iter().map(|member| &*member.model).collect(),
            Self::Cascade(cascade) => {
                let first = cascade.stages.first().map(|stage| &*stage.model);
                first.into_iter().cycle().take(cascade.samples()).collect()
            }
            Self::Race(race) => race.targets.iter().map(|target| &*target.model).collect(),
            Self::Checked(_) => Vec::new(),
            Self::Agent(agent) => vec![&agent.planner],
        }
    }

    /// The models whose speed or price decides or is told, as a client would ask for them: those of a race, the last of a cascade, and
    /// those that an agent may give a step to.
    #[must_use]
    pub fn weighed(&self) -> Vec<&str> {
        match self {
            Self::Cascade(cascade) => cascade.stages.last().map(|stage| &*stage.model).into_iter().collect(),
            Self::Race(_) => self.first(),
            Self::Agent(agent) => agent.models.iter().map(|skilled| &*skilled.model).collect(),
            Self::Ensemble(_) | Self::Checked(_) => Vec::new(),
        }
    }

    /// The models that are named, with where: as a client would ask for them.
    pub(super) fn models(&self) -> Vec<(String, &str)> {
        match self {
            Self::Ensemble(ensemble) => ensemble.models(),
            Self::Cascade(cascade) => cascade.models(),
            Self::Race(race) => race.models(),
            Self::Checked(_) => Vec::new(),
            Self::Agent(agent) => agent.models(),
        }
    }
}

impl Check<'_> {
    pub(super) fn orchestration(
        &mut self,
        catalog: &Catalog,
        path: &str,
        raw: &raw::Orchestration,
    ) -> Option<Rc<Orchestration>> {
        let path = format!("{path}.orchestration");
        let (timeout_ms, call_timeout_ms, max_cost) =
            self.time_and_money(&path, (raw.timeout_ms, raw.call_timeout_ms), raw.max_cost_usd);
        let when = self.when(&format!("{path}.when"), &raw.when);
        let how = match (&raw.ensemble, &raw.cascade, &raw.race, &raw.agent) {
            (Some(raw), None, None, None) => {
                How::Ensemble(Rc::new(self.ensemble(&format!("{path}.ensemble"), raw)?))
            }
            (None, Some(raw), None, None) => {
                How::Cascade(Rc::new(self.cascade(&format!("{path}.cascade"), raw)?))
            }
            (None, None, Some(raw), None) => How::Race(Rc::new(self.race(&format!("{path}.race"), raw))),
            (None, None, None, Some(raw)) => {
                How::Agent(Rc::new(self.agent(catalog, &format!("{path}.agent"), raw)?))
            }
            (ensemble, ..) => {
                let is_several = ensemble.is_some() || raw.cascade.is_some() || raw.race.is_some();
                let found = if is_several { "more than one way is said" } else { "no way is said" };
                self.problems.add(path, found, "one of `ensemble`, `cascade`, `race` and `agent`");
                return None;
            }
        };
        Some(Rc::new(Orchestration { when, timeout_ms, call_timeout_ms, max_cost, report: raw.report, how }))
    }

    /// How long all calls may take and how long one, in milliseconds, and what they may cost.
    pub(super) fn time_and_money(
        &mut self,
        path: &str,
        (all, call): (Option<u64>, Option<u64>),
        max_cost: Option<f64>,
    ) -> (u32, u32, Option<NanoUsd>) {
        let all = self.ms(&format!("{path}.timeout_ms"), all, TIMEOUT_MS);
        let call = self.ms(&format!("{path}.call_timeout_ms"), call, CALL_TIMEOUT_MS);
        (all, call, self.usd(&format!("{path}.max_cost_usd"), max_cost))
    }

    /// How long something may take, in milliseconds.
    pub(super) fn ms(&mut self, path: &str, raw: Option<u64>, default: u64) -> u32 {
        u32::try_from(self.limited(path, raw, default, &TIMES)).unwrap_or(u32::MAX)
    }

    fn when(&mut self, path: &str, raw: &raw::Trigger) -> Trigger {
        let mut tasks = Vec::new();
        for (at, name) in raw.tasks.iter().flatten().enumerate() {
            tasks.extend(self.name(TaskName::parse(name), &format!("{path}.tasks[{at}]"), name));
        }
        let mut tiers = Vec::new();
        for (at, name) in raw.tiers.iter().flatten().enumerate() {
            tiers.extend(self.name(TierName::parse(name), &format!("{path}.tiers[{at}]"), name));
        }
        let share = raw.share.unwrap_or(100.0);
        if !(0.0..=100.0).contains(&share) {
            self.problems.add(format!("{path}.share"), share.to_string(), "a percentage, from 0 to 100");
        }
        Trigger {
            tasks: raw.tasks.as_ref().map(|_| tasks),
            tiers: raw.tiers.as_ref().map(|_| tiers),
            min_prompt_tokens: self.limited(
                &format!("{path}.min_prompt_tokens"),
                raw.min_prompt_tokens,
                0,
                &TOKENS,
            ),
            max_cost: self.usd(&format!("{path}.max_cost_usd"), raw.max_cost_usd),
            share: (share * 100.0).round() as u32,
        }
    }

    /// An amount of money that has to be more than nothing.
    pub(super) fn usd(&mut self, path: &str, raw: Option<f64>) -> Option<NanoUsd> {
        let usd = raw?;
        let amount = NanoUsd::from_usd(usd).ok().filter(|amount| *amount > NanoUsd::ZERO);
        if amount.is_none() {
            self.problems.add(path, usd.to_string(), "an amount in USD, more than 0");
        }
        amount
    }

    /// Says which models and tasks of orchestrations there are not, and which routes name each other in a circle.
    pub(super) fn orchestrations_are_known(&mut self, catalog: &Catalog, tasks: Option<&[TaskName]>) {
        let all: Vec<_> = catalog
            .routes
            .iter()
            .filter_map(|route| Some((Rc::clone(route), Rc::clone(route.orchestration.as_ref()?))))
            .collect();
        for (route, orchestration) in &all {
            let path = format!("routes.{}.orchestration", route.name);
            for (at, model) in orchestration.how.models() {
                self.is_known(catalog, None, &format!("{path}.{at}"), model);
            }
            self.tasks_are_known(&path, &orchestration.when, tasks);
        }
        // Whoever names nobody that is left is in no circle.
        let mut left: Vec<_> = all.iter().collect();
        loop {
            let is_left = |name: &str| left.iter().any(|(route, _)| route.name == *name);
            let before = left.len();
            let done: Vec<bool> = left
                .iter()
                .map(|(_, orchestration)| !orchestration.how.models().iter().any(|(_, name)| is_left(name)))
                .collect();
            let mut done = done.into_iter();
            left.retain(|_| !done.next().unwrap_or(false));
            if left.len() == before {
                break;
            }
        }
        for (route, _) in left {
            let expected = "routes that do not come back to where they began";
            let path = format!("routes.{}.orchestration", route.name);
            self.problems.add(path, "it names itself, or a route that names it", expected);
        }
    }

    fn tasks_are_known(&mut self, path: &str, when: &Trigger, tasks: Option<&[TaskName]>) {
        let Some(named) = &when.tasks else { return };
        let Some(tasks) = tasks else {
            let expected = "tasks, if need be an empty map";
            self.problems.add(format!("{path}.when.tasks"), "there are no tasks", expected);
            return;
        };
        for (at, name) in named.iter().enumerate().filter(|(_, name)| !tasks.contains(name)) {
            let nearest = names::nearest(name.as_str(), tasks.iter().map(TaskName::as_str));
            let path = format!("{path}.when.tasks[{at}]");
            self.problems.add_with_nearest(path, format!("unknown task {name:?}"), "a task", nearest);
        }
    }
}

impl Trigger {
    /// It holds of every request.
    pub(super) fn always() -> Self {
        Self { share: ALL, ..Self::default() }
    }

    /// Whether the request with this number is among the share.
    #[must_use]
    pub fn takes(&self, lot: u64) -> bool {
        lot % u64::from(ALL) < u64::from(self.share)
    }
}

//! Routes that are more than a choice of one model: several calls whose answers make one, when they are made, and within which
//! bounds.

use super::catalog::Catalog;
use super::check::Check;
use super::shape::words;
use super::{Edits, raw};
use crate::money::NanoUsd;
use crate::names::{self, TaskName, TierName};
use std::ops::RangeInclusive;
use std::rc::Rc;

/// As long as a client waits for one answer.
const TIMEOUT_MS: u64 = 120_000;
const CALL_TIMEOUT_MS: u64 = 60_000;
const TIMES: RangeInclusive<u64> = 1..=600_000;
const MEMBERS: RangeInclusive<u64> = 1..=8;
const WEIGHTS: RangeInclusive<u64> = 1..=1_000;
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
    Ensemble(Ensemble),
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

/// Several who answer the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensemble {
    /// Who answers; at least one.
    pub members: Vec<Member>,
    /// How one answer is made of theirs.
    pub combine: Combine,
    /// After so many answers (to a vote: that agree) the others are not waited for.
    pub quorum: Option<u32>,
    /// With fewer answers the route's targets answer.
    pub min_responses: u32,
}

/// Someone whose answer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// A model, as a client would ask for it, or a route.
    pub model: Rc<str>,
    /// What is changed in the request.
    pub edits: Option<Rc<Edits>>,
    /// What its vote counts.
    pub weight: u32,
}

/// How one answer is made of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Combine {
    /// A model says how good each of them is.
    BestOfN(Judge),
    /// What most of them say.
    Vote(Ballot),
    /// A model writes it.
    Fuse(Rc<str>),
    /// The longest.
    Longest,
    /// The first that is good.
    FirstValid,
}

/// A model that says how good answers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judge {
    /// A model, as a client would ask for it, or a route.
    pub model: Rc<str>,
    /// What makes an answer good.
    pub rubric: Rc<str>,
}

/// What of an answer is its vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ballot {
    /// Its text, but for case, space and punctuation.
    Text,
    /// The last number in it.
    Number,
    /// A member of the JSON object that it is, by its path (`a.b`).
    Field(Rc<str>),
}

/// What the judge is told where the configuration says nothing.
const RUBRIC: &str = "It is correct, complete, does what was asked for, and is no longer than it has to be.";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    BestOfN,
    Vote,
    Fuse,
    Longest,
    FirstValid,
}

words! {
    Rule: "best_of_n" => Rule::BestOfN, "vote" => Rule::Vote, "fuse" => Rule::Fuse, "longest" => Rule::Longest,
    "first_valid" => Rule::FirstValid
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum VoteBy {
    #[default]
    Text,
    Number,
    Json,
}

words! { VoteBy: "text" => VoteBy::Text, "number" => VoteBy::Number, "json" => VoteBy::Json }

impl How {
    /// Who is asked first, at once, as a client would ask for them.
    #[must_use]
    pub fn first(&self) -> Vec<&str> {
        match self {
            Self::Ensemble(ensemble) => ensemble.members.iter().map(|member| &*member.model).collect(),
        }
    }

    /// The models that are named, with where: as a client would ask for them.
    pub(super) fn models(&self) -> Vec<(String, &str)> {
        match self {
            Self::Ensemble(ensemble) => {
                let members = ensemble.members.iter().enumerate();
                let mut all: Vec<_> = members
                    .map(|(at, member)| (format!("ensemble.members[{at}].model"), &*member.model))
                    .collect();
                match &ensemble.combine {
                    Combine::BestOfN(judge) => all.push(("ensemble.judge.model".to_owned(), &judge.model)),
                    Combine::Fuse(model) => all.push(("ensemble.model".to_owned(), model)),
                    Combine::Vote(_) | Combine::Longest | Combine::FirstValid => {}
                }
                all
            }
        }
    }
}

impl Check<'_> {
    pub(super) fn orchestration(
        &mut self,
        path: &str,
        raw: &raw::Orchestration,
    ) -> Option<Rc<Orchestration>> {
        let path = format!("{path}.orchestration");
        let mut ms = |key: &str, raw: Option<u64>, default: u64| {
            let number = self.limited(&format!("{path}.{key}"), raw, default, &TIMES);
            u32::try_from(number).unwrap_or(u32::MAX)
        };
        let timeout_ms = ms("timeout_ms", raw.timeout_ms, TIMEOUT_MS);
        let call_timeout_ms = ms("call_timeout_ms", raw.call_timeout_ms, CALL_TIMEOUT_MS);
        let max_cost = self.usd(&format!("{path}.max_cost_usd"), raw.max_cost_usd);
        let when = self.when(&format!("{path}.when"), &raw.when);
        let how = match &raw.ensemble {
            Some(raw) => How::Ensemble(self.ensemble(&format!("{path}.ensemble"), raw)?),
            None => {
                self.problems.add(path, "nothing is said of what is done", "one of `ensemble`");
                return None;
            }
        };
        Some(Rc::new(Orchestration { when, timeout_ms, call_timeout_ms, max_cost, report: raw.report, how }))
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

    fn ensemble(&mut self, path: &str, raw: &raw::Ensemble) -> Option<Ensemble> {
        let members = self.members(&format!("{path}.members"), &raw.members);
        let most = members.len() as u64;
        let mut count = |key: &str, raw: Option<u64>, default: u64| {
            let number = self.limited(&format!("{path}.{key}"), raw, default, &(1..=most.max(1)));
            u32::try_from(number).unwrap_or(u32::MAX)
        };
        let quorum = raw.quorum.map(|quorum| count("quorum", Some(quorum), 1));
        let min_responses = count("min_responses", raw.min_responses, 1);
        let combine = match raw.combine {
            Rule::BestOfN => Combine::BestOfN(self.judge(&format!("{path}.judge"), raw.judge.as_ref())?),
            Rule::Vote => Combine::Vote(match (raw.vote.by, &raw.vote.field) {
                (VoteBy::Text, _) => Ballot::Text,
                (VoteBy::Number, _) => Ballot::Number,
                (VoteBy::Json, Some(field)) if !field.is_empty() => Ballot::Field(field.as_str().into()),
                (VoteBy::Json, _) => {
                    let expected = "the path of a member of the answers, as `a.b`";
                    self.problems.add(format!("{path}.vote.field"), "there is none", expected);
                    return None;
                }
            }),
            Rule::Fuse => match &raw.model {
                Some(model) => Combine::Fuse(model.as_str().into()),
                None => {
                    let expected = "the model that writes the answer";
                    self.problems.add(format!("{path}.model"), "there is none", expected);
                    return None;
                }
            },
            Rule::Longest => Combine::Longest,
            Rule::FirstValid => Combine::FirstValid,
        };
        Some(Ensemble { members, combine, quorum, min_responses })
    }

    pub(super) fn members(&mut self, path: &str, raw: &[raw::Member]) -> Vec<Member> {
        if !MEMBERS.contains(&(raw.len() as u64)) {
            self.problems.add(path, raw.len().to_string(), "from 1 to 8 of them");
        }
        raw.iter().enumerate().map(|(at, raw)| self.member(&format!("{path}[{at}]"), raw)).collect()
    }

    fn member(&mut self, path: &str, raw: &raw::Member) -> Member {
        let weight = self.limited(&format!("{path}.weight"), raw.weight, 1, &WEIGHTS);
        let edits = raw.request.as_ref().map(|raw| Rc::new(self.edits(&format!("{path}.request"), raw)));
        Member { model: raw.model.as_str().into(), edits, weight: u32::try_from(weight).unwrap_or(1) }
    }

    pub(super) fn judge(&mut self, path: &str, raw: Option<&raw::Judge>) -> Option<Judge> {
        let Some(raw) = raw else {
            self.problems.add(path, "there is none", "a map with the keys model and rubric");
            return None;
        };
        let rubric = raw.rubric.as_deref().filter(|text| !text.trim().is_empty()).unwrap_or(RUBRIC);
        Some(Judge { model: raw.model.as_str().into(), rubric: rubric.into() })
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
    /// Whether the request with this number is among the share.
    #[must_use]
    pub fn takes(&self, lot: u64) -> bool {
        lot % u64::from(ALL) < u64::from(self.share)
    }
}

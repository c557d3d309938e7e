//! Cascades: the cheapest answers first, and a dearer one only where that answer is not believed. Races: whoever answers first.

use super::check::{Check, within};
use super::ensemble::{Judge, Member};
use super::pattern::{Builder, Program};
use super::shape::words;
use super::{Score, raw};
use std::ops::RangeInclusive;

/// More than half sure, and not quite sure.
const THRESHOLD: Score = 700;
const SAMPLES: RangeInclusive<u64> = 2..=8;
const LENGTHS: RangeInclusive<u64> = 0..=1_000_000;
const STAGGERS: RangeInclusive<u64> = 0..=600_000;

/// Several who answer one after another, until one is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cascade {
    /// Who answers, in this order; at least two. Whatever the last one says is believed.
    pub stages: Vec<Member>,
    /// Fewer characters are no answer.
    pub min_length: u64,
    /// What an answer has to have in it, somewhere.
    pub pattern: Option<Program>,
    /// How it is told how sure an answer is; none if that does not matter.
    pub measure: Option<Measure>,
    /// How sure it has to be, in thousandths.
    pub threshold: Score,
}

impl Cascade {
    /// How often a stage is asked.
    #[must_use]
    pub fn samples(&self) -> usize {
        match self.measure {
            Some(Measure::Samples(samples)) => samples as usize,
            _ => 1,
        }
    }
}

/// How it is told how sure an answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// The model says so itself.
    Said,
    /// By how likely its words were to the model, where its provider tells.
    Logprobs,
    /// By how much so many answers have in common.
    Samples(u32),
    /// A judge says how good it is.
    Judge(Judge),
}

/// Several of whom the first good answer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Race {
    /// Who takes part, in this order; at least two.
    pub targets: Vec<Member>,
    /// How long the next one waits for those before it, in milliseconds; as long as nineteen of twenty of their answers take if none.
    pub stagger_ms: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Said,
    Logprobs,
    Samples,
    Judge,
}

words! { By: "said" => By::Said, "logprobs" => By::Logprobs, "samples" => By::Samples, "judge" => By::Judge }

impl Cascade {
    /// The models that it names, with where: as a client would ask for them.
    pub(super) fn models(&self) -> Vec<(String, &str)> {
        let mut all = named("cascade.stages", &self.stages);
        if let Some(Measure::Judge(judge)) = &self.measure {
            all.push(("cascade.accept.judge.model".to_owned(), &judge.model));
        }
        all
    }
}

impl Race {
    /// The models that it names, with where: as a client would ask for them.
    pub(super) fn models(&self) -> Vec<(String, &str)> {
        named("race.targets", &self.targets)
    }
}

fn named<'a>(path: &str, members: &'a [Member]) -> Vec<(String, &'a str)> {
    members.iter().enumerate().map(|(at, member)| (format!("{path}[{at}].model"), &*member.model)).collect()
}

impl Check<'_> {
    pub(super) fn cascade(&mut self, path: &str, raw: &raw::Cascade) -> Option<Cascade> {
        let stages = self.at_least_two(&format!("{path}.stages"), &raw.stages);
        let path = format!("{path}.accept");
        let accept = &raw.accept;
        let min_length = self.limited(&format!("{path}.min_length"), accept.min_length, 0, &LENGTHS);
        let pattern = accept.pattern.as_deref().and_then(|text| {
            let mut builder = Builder::default();
            if let Err(why) = builder.pattern(text) {
                let expected = "a regular expression; see docs/content-rules.md";
                self.problems.add(format!("{path}.pattern"), format!("{text:?}: {why}"), expected);
            }
            builder.build()
        });
        let samples = self.limited(&format!("{path}.samples"), accept.samples, 3, &SAMPLES);
        let threshold =
            accept.threshold.map_or(Some(THRESHOLD), |it| self.score(&format!("{path}.threshold"), it));
        let measure = match accept.by {
            None => None,
            Some(By::Said) => Some(Measure::Said),
            Some(By::Logprobs) => Some(Measure::Logprobs),
            Some(By::Samples) => Some(Measure::Samples(u32::try_from(samples).unwrap_or(u32::MAX))),
            Some(By::Judge) => {
                Some(Measure::Judge(self.judge(&format!("{path}.judge"), accept.judge.as_ref())?))
            }
        };
        Some(Cascade { stages, min_length, pattern, measure, threshold: threshold? })
    }

    pub(super) fn race(&mut self, path: &str, raw: &raw::Race) -> Race {
        let targets = self.at_least_two(&format!("{path}.targets"), &raw.targets);
        if let Some(ms) = raw.stagger_ms.filter(|ms| !STAGGERS.contains(ms)) {
            self.problems.add(format!("{path}.stagger_ms"), ms.to_string(), within(&STAGGERS));
        }
        Race { targets, stagger_ms: raw.stagger_ms.and_then(|ms| u32::try_from(ms).ok()) }
    }

    fn at_least_two(&mut self, path: &str, raw: &[raw::Member]) -> Vec<Member> {
        if raw.len() == 1 {
            self.problems.add(path, "one alone", "from 2 to 8 of them");
        }
        self.members(path, raw)
    }
}

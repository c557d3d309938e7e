//! Experiments: a route tried in several ways at once, each by a share of those who ask.

use super::catalog::Catalog;
use super::check::Check;
use super::shape::words;
use super::{Target, raw};
use crate::names::ArmName;

/// An experiment on a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// What stays in one arm.
    pub by: By,
    /// At least two, sorted by name.
    pub arms: Vec<Arm>,
}

/// What stays in one arm of an experiment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum By {
    /// `consumer`: all that a consumer asks.
    #[default]
    Consumer,
    /// `conversation`: all turns of a conversation.
    Conversation,
}

words! { By: "consumer" => By::Consumer, "conversation" => By::Conversation }

/// One way in which the route is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// What it is called.
    pub name: ArmName,
    /// How many of ten thousand are in it.
    pub share: u32,
    /// Its own targets; empty where it has those of the route.
    pub targets: Vec<Target>,
}

/// All of them, in the unit of shares.
const ALL: u32 = 10_000;

impl Experiment {
    /// The arm of whoever has this hash: the same for as long as the shares are the same.
    #[must_use]
    pub fn arm(&self, hash: u64) -> Option<&Arm> {
        let mut place = u32::try_from(hash % u64::from(ALL)).unwrap_or(0);
        self.arms.iter().find(|arm| match place.checked_sub(arm.share) {
            Some(rest) => {
                place = rest;
                false
            }
            None => true,
        })
    }
}

impl Check<'_> {
    pub(super) fn experiment(&mut self, catalog: &Catalog, path: &str, raw: &raw::Experiment) -> Experiment {
        let path = format!("{path}.experiment");
        let (mut arms, mut sum) = (Vec::with_capacity(raw.arms.0.len()), 0);
        for (name, raw) in &raw.arms.0 {
            let path = format!("{path}.arms.{name}");
            if !(0.0..=100.0).contains(&raw.share) {
                self.problems.add(
                    format!("{path}.share"),
                    raw.share.to_string(),
                    "a percentage, from 0 to 100",
                );
            }
            let share = (raw.share * 100.0).round() as u32;
            sum += share;
            if raw.targets.as_ref().is_some_and(Vec::is_empty) {
                self.problems.add(format!("{path}.targets"), "there is none", "at least one target");
            }
            let targets = raw.targets.iter().flatten().enumerate().filter_map(|(place, target)| {
                self.target(catalog, &format!("{path}.targets[{place}]"), target)
            });
            let targets = targets.collect();
            if let Some(name) = self.name(ArmName::parse(name), &path, name) {
                arms.push(Arm { name, share, targets });
            }
        }
        if raw.arms.0.len() < 2 {
            self.problems.add(format!("{path}.arms"), raw.arms.0.len().to_string(), "at least two arms");
        } else if sum != ALL {
            let found = format!("the shares are {} together", f64::from(sum) / 100.0);
            self.problems.add(format!("{path}.arms"), found, "100");
        }
        Experiment { by: raw.by, arms }
    }
}

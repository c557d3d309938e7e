//! Which target of a route does best at a kind of request? It is learned from how the requests before it went.
//!
//! For each route and task, the targets are the arms of a bandit. What is learned of an arm are the rewards of the requests
//! that it served ([`reward`]), of which old ones fade (`rewards`). For each request every arm draws a reward that it might
//! bring, the further from its average the less is known of it, and they are tried in the order of what they drew
//! (Thompson's sampling): who is likely to be the best is likely to be first, and who is surely not is hardly ever. A share
//! of the requests goes to any arm by chance alone, so that one that has become better is found.
//!
//! Every worker has a [`Bandit`] in its own memory. Once a second it is exchanged with one value of the store (`shared`). What
//! a worker has learned since the last time is kept as sums, and by how much they let fade what was known before; so nothing
//! is lost with a race that is lost, nothing is taken in twice, and it is the same as if one worker had learned everything.
//!
//! There is no clock and no chance here.

mod reward;
mod rewards;
mod shared;
mod subject;
#[cfg(test)]
mod tests;

pub use reward::{Toll, reward};

use crate::store::{Contended, Store};
use rewards::Rewards;
use subject::{Subject, last, limit, name};

/// How a bandit goes about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Which share of the requests goes to an arm by chance alone, from 0 to 1.
    pub explore: f32,
    /// After so many more observations of the same route and task an observation counts half. At least 1 and at most 100,000.
    pub half_life: u32,
}

/// What one worker has learned of the arms of all routes and tasks.
#[derive(Debug, Default)]
pub struct Bandit {
    /// The one that was learned of last is the last.
    subjects: Vec<Subject>,
}

impl Bandit {
    /// One that knows nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { subjects: Vec::new() }
    }

    /// The order in which the arms of a route and task are to be tried, by their positions; all of them. `chance` gives
    /// numbers from 0 up to 1, each as likely as the other.
    ///
    /// An arm of which nothing is known is taken to be good, and so is tried soon; but not by all, because it may be one that
    /// keeps everybody waiting, and that is only known in the end.
    #[must_use]
    pub fn order(
        &self,
        subject: (&str, &str),
        arms: &[&str],
        rules: &Rules,
        chance: &mut dyn FnMut() -> f64,
    ) -> Vec<usize> {
        let explores = chance() < f64::from(rules.explore);
        let any = if explores { (chance() * arms.len() as f64) as usize } else { usize::MAX };
        let (mut drawn, mut order) = (Vec::with_capacity(arms.len()), Vec::with_capacity(arms.len()));
        for (at, arm) in arms.iter().enumerate() {
            let rewards = self.rewards(subject, arm).unwrap_or_default();
            let might_bring = if at == any { f32::INFINITY } else { rewards.draw(chance) };
            let place = drawn.partition_point(|other| *other >= might_bring);
            drawn.insert(place, might_bring);
            order.insert(place, at);
        }
        order
    }

    /// Learns that an arm has brought a reward, from 0 to 1. What is no number is nothing.
    pub fn learn(&mut self, subject: (&str, &str), arm: &str, reward: f32, rules: &Rules) {
        if reward.is_nan() {
            return;
        }
        if let Some(known) = last(&mut self.subjects, &name(subject)) {
            known.learn(arm, reward.clamp(0.0, 1.0), rules.half_life);
        }
        limit(&mut self.subjects);
    }

    /// Tells the others what was learned since the last time, and takes over what they have told.
    ///
    /// # Errors
    /// If too many others did at the same time: nothing is lost, and it is told with the next exchange.
    pub fn exchange(&mut self, store: &dyn Store) -> Result<(), Contended> {
        shared::exchange(store, &mut self.subjects)
    }

    /// The mean reward of an arm, and how many observations that is of, where old ones are parts of one. None if nothing is
    /// known of it.
    #[must_use]
    pub fn view(&self, subject: (&str, &str), arm: &str) -> Option<(f32, f32)> {
        self.rewards(subject, arm).map(|Rewards { weight, sum, .. }| (sum / weight, weight))
    }

    #[inline(never)]
    fn rewards(&self, subject: (&str, &str), arm: &str) -> Option<Rewards> {
        let known = self.subjects.iter().rfind(|known| known.is(subject))?;
        known.arms.iter().find(|known| *known.name == *arm).map(|known| known.rewards)
    }
}

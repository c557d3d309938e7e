//! What requests are expected to cost at each target, and what speaks for targets besides.

use super::Books;
use super::lesson::{self, Arm, Lesson};
use super::needs::Asks;
use super::order::{Standing, Terms};
use crate::affinity::{self, Bond, Expenses};
use crate::config::{Config, Model, Route, Target};
use crate::cost;
use crate::health::View;
use crate::money::NanoUsd;
use crate::route::{Candidates, Merits};

/// How long an answer is of which nobody knows anything, in tokens.
const USUAL: f32 = 300.0;
/// A target is taken to have answered so many requests of late that nobody has seen: what has failed is forgiven in time.
const BELIEVED: f32 = 1.0;

/// How long answers are on average, in tokens, as far as anybody's are known.
pub(super) fn usual(known: impl Iterator<Item = f32>) -> f32 {
    mean(known).unwrap_or(USUAL)
}

fn mean(numbers: impl Iterator<Item = f32>) -> Option<f32> {
    let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), number| (sum + number, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// What requests are expected to cost.
pub(super) struct Prices<'c> {
    /// Whether anybody asks.
    pub is_asked: bool,
    /// How long an answer is of a model of which nobody knows.
    pub usual: f32,
    pub config: &'c Config,
}

impl Prices<'_> {
    pub fn merits(&self, model: &Model, view: &View, terms: &Terms<'_>, books: Books<'_>) -> Merits {
        let prompt = if self.is_asked { terms.asks.prompt(model, books) } else { 0 };
        let latency = if terms.asks.stream() { view.first_token } else { view.total };
        Merits {
            latency_ms: latency.map(|latency| latency.mean_ms),
            peak_ms: latency.map_or(0.0, |latency| latency.peak_ms),
            samples: latency.map_or(0.0, |latency| latency.samples),
            success: (view.success * view.samples + BELIEVED) / (view.samples + BELIEVED),
            in_flight: view.in_flight,
            begun: view.begun,
            prompt,
            cost: if self.is_asked { self.cost(model, view, terms.asks, prompt) } else { None },
            quality: model.quality.at(terms.verdict.map(|verdict| verdict.task.as_str())),
        }
    }

    /// What a model is expected to take for the request.
    fn cost(&self, model: &Model, view: &View, asks: &Asks<'_>, prompt: u64) -> Option<NanoUsd> {
        let price = self.config.price(model)?;
        let expected = view.tokens.unwrap_or(self.usual) as u64;
        let output = expected.saturating_mul(asks.choices()).min(asks.most_output(model).unwrap_or(u64::MAX));
        Some(cost::expected(&price, prompt, output, asks.images()))
    }

    /// Puts the target first that a conversation is bonded to, where that pays. It has to be of the same priority as the first.
    pub fn stay(
        &self,
        bond: &Bond,
        rules: &affinity::Rules,
        in_money: bool,
        order: &mut [usize],
        targets: &[Target],
        merits: &dyn Fn(usize) -> Merits,
    ) {
        let target = |at: usize| targets.get(at);
        let is_bonded = |at: &usize| target(*at).is_some_and(|target| target.model.name == *bond.target);
        let Some(place) = order.iter().position(is_bonded).filter(|place| *place > 0) else { return };
        let (Some(first), Some(bonded)) = (order.first().copied(), order.get(place).copied()) else { return };
        let (Some(favourite), Some(target)) = (target(first), target(bonded)) else { return };
        if favourite.priority != target.priority {
            return;
        }
        let expenses = in_money.then(|| {
            let mut bonded = merits(bonded);
            let saves = self.config.price(&target.model).map(|price| bond.saves(&price, bonded.prompt));
            bonded.cost = bonded.cost.map(|cost| cost.saturating_sub(saves.unwrap_or_default()));
            Expenses { bonded: bonded.expense(), first: merits(first).expense() }
        });
        if affinity::stays(bond, expenses, rules)
            && let Some(part) = order.get_mut(..=place)
        {
            part.rotate_right(1);
        }
    }

    /// What is to be learned from the attempts of a request.
    pub fn lesson(
        &self,
        route: &Route,
        candidates: &Candidates,
        standings: &[Standing],
        terms: &Terms<'_>,
    ) -> Lesson {
        let arm = |(target, standing): (&Target, &Standing)| {
            let model = &target.model;
            let price = self.config.price(model).unwrap_or_default();
            let of = |input, output| cost::expected(&price, input, output, 0).nanos() as f32;
            let prompt = of(standing.merits.prompt, 0);
            // A price is for a million tokens, so that of one may be a part of the smallest amount there is.
            Arm {
                model: model.name.shared(),
                prompt,
                token: of(0, 1_000_000) / 1e6,
                most: terms.asks.most_output(model),
            }
        };
        let cost = |standing: &Standing| standing.merits.cost.map(|cost| cost.nanos() as f32);
        Lesson {
            route: route.name.shared(),
            task: terms.task().to_owned(),
            rules: lesson::rules(route),
            weights: route.adaptive,
            consumer: terms.asking.consumer.name.shared(),
            request_id: terms.asking.request_id.to_owned(),
            usual_cost: mean(standings.iter().filter_map(cost)).unwrap_or(0.0),
            usual_ms: mean(standings.iter().filter_map(|it| it.merits.latency_ms)).unwrap_or(0.0),
            arms: candidates.targets.iter().zip(standings).map(arm).collect(),
        }
    }
}

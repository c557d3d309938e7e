//! In which order a route's targets are tried, and what whoever answers has to keep to.

use super::check::{Check, within};
use super::quality::Score;
use super::shape::words;
use super::{Target, raw};
use crate::money::NanoUsd;
use crate::names;
use std::ops::RangeInclusive;

/// In which order targets of the same priority are tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strategy {
    /// `priority`: as they are listed.
    #[default]
    Priority,
    /// `round_robin`: each in its turn.
    RoundRobin,
    /// `weighted`: each in its turn, as often as its weight says.
    Weighted,
    /// `latency`: the fastest first.
    Latency,
    /// `least_cost`: the cheapest for this request first.
    LeastCost,
    /// `quality`: the best at this kind of request first.
    Quality,
    /// `intent`: the best first, and of those that are as good the cheapest.
    Intent,
    /// `adaptive`: whoever was seen to do best at this kind of request.
    Adaptive,
}

/// What counts, and for how long, with the strategy `adaptive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adaptive {
    /// How much of an answer's worth its cost can take, in thousandths.
    pub cost: u16,
    /// How much its latency can take, in thousandths.
    pub latency: u16,
    /// After so many more requests of its kind an observation counts half.
    pub half_life: u32,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self { cost: 200, latency: 200, half_life: 300 }
    }
}

words! {
    Strategy:
    "priority" => Strategy::Priority,
    "round_robin" => Strategy::RoundRobin,
    "weighted" => Strategy::Weighted,
    "latency" => Strategy::Latency,
    "least_cost" => Strategy::LeastCost,
    "quality" => Strategy::Quality,
    "intent" => Strategy::Intent,
    "adaptive" => Strategy::Adaptive,
}

impl Strategy {
    /// Its word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::RoundRobin => "round_robin",
            Self::Weighted => "weighted",
            Self::Latency => "latency",
            Self::LeastCost => "least_cost",
            Self::Quality => "quality",
            Self::Intent => "intent",
            Self::Adaptive => "adaptive",
        }
    }
}

/// How conversations stay with the target that has their beginning in its cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Affinity {
    /// How long after its last turn, in milliseconds.
    pub ttl_ms: u64,
    /// By how many thousandths another target has to be cheaper.
    pub switch_cost: Score,
}

/// What whoever answers has to keep to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Constraints {
    /// What the answer may be expected to cost.
    pub max_cost: Option<NanoUsd>,
    /// How long it may be expected to take: a stream to its first token, other answers to their end.
    pub max_latency_ms: Option<u64>,
    /// How good a model has to be.
    pub min_quality: Option<Score>,
}

impl Constraints {
    /// Both of these: the stricter of each.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        fn stricter<T: Copy>(one: Option<T>, other: Option<T>, of: fn(T, T) -> T) -> Option<T> {
            one.zip(other).map(|(one, other)| of(one, other)).or(one).or(other)
        }
        Self {
            max_cost: stricter(self.max_cost, other.max_cost, Ord::min),
            max_latency_ms: stricter(self.max_latency_ms, other.max_latency_ms, Ord::min),
            min_quality: stricter(self.min_quality, other.min_quality, Ord::max),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// Thousandths of what the fastest takes that may be spent on trying others, where nothing is said,
const EXPLORE: u16 = 30;
/// and thousandths of the requests that go to anybody by chance where it is learned who does best.
const EXPLORE_ADAPTIVE: u16 = 50;
/// A day, in seconds.
const TTL: RangeInclusive<u64> = 1..=86_400;
const REQUESTS: RangeInclusive<u64> = 1..=100_000;
/// How hard a request can look.
const HARD: [&str; 3] = ["simple", "standard", "hard"];
const MOST_EXPLORED: f64 = 0.5;
pub(super) const WEIGHTS: RangeInclusive<u64> = 0..=1_000_000;
pub(super) const PRIORITIES: RangeInclusive<u64> = 0..=100;
/// A day.
const MILLISECONDS: RangeInclusive<u64> = 1..=86_400_000;

/// What there is to order targets by.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// Whether it is watched how targets are doing.
    pub health: bool,
    /// Whether all models have a price.
    pub default_price: bool,
    /// Whether kinds of request are told apart, and how hard they look.
    pub tasks: bool,
}

impl Check<'_> {
    /// How much of the time is spent on learning how fast others are, in thousandths.
    pub(super) fn explore(&mut self, path: &str, strategy: Strategy, raw: Option<f64>) -> u16 {
        let is_adaptive = strategy == Strategy::Adaptive;
        let Some(share) = raw else { return if is_adaptive { EXPLORE_ADAPTIVE } else { EXPLORE } };
        if !(0.0..=MOST_EXPLORED).contains(&share) {
            self.problems.add(format!("{path}.explore"), share.to_string(), "a share, from 0 to 0.5");
        }
        (share * 1_000.0).round() as u16
    }

    pub(super) fn affinity(&mut self, path: &str, raw: Option<&raw::Affinity>) -> Option<Affinity> {
        let default = raw::AffinityRules::default();
        let raw = match raw? {
            raw::Affinity::Switch(false) => return None,
            raw::Affinity::Switch(true) => &default,
            raw::Affinity::By(raw) => raw,
        };
        let ttl = self.limited(&format!("{path}.affinity.ttl"), raw.ttl, 300, &TTL);
        let switch_cost = raw
            .switch_cost
            .map_or(Some(100), |share| self.score(&format!("{path}.affinity.switch_cost"), share));
        Some(Affinity { ttl_ms: ttl.saturating_mul(1_000), switch_cost: switch_cost.unwrap_or(0) })
    }

    pub(super) fn adaptive(&mut self, path: &str, raw: &raw::Adaptive) -> Adaptive {
        let default = Adaptive::default();
        let path = |key: &str| format!("{path}.adaptive.{key}");
        let cost = raw.cost.map_or(Some(default.cost), |share| self.score(&path("cost"), share));
        let latency = raw.latency.map_or(Some(default.latency), |share| self.score(&path("latency"), share));
        let (cost, latency) = (cost.unwrap_or(0), latency.unwrap_or(0));
        if cost.saturating_add(latency) >= 1_000 {
            let found = "cost and latency are 1 or more together";
            let expected = "less than 1: an answer is worth more than none";
            self.problems.add(path("cost"), found, expected);
        }
        let half_life = self.limited(&path("half_life"), raw.half_life, default.half_life.into(), &REQUESTS);
        Adaptive { cost, latency, half_life: u32::try_from(half_life).unwrap_or(u32::MAX) }
    }

    pub(super) fn constraints(&mut self, path: &str, raw: &raw::Constraints) -> Constraints {
        let path = |key: &str| format!("{path}.constraints.{key}");
        let max_cost = self.usd(&path("max_cost_usd"), raw.max_cost_usd);
        if let Some(ms) = raw.max_latency_ms.filter(|ms| !MILLISECONDS.contains(ms)) {
            self.problems.add(path("max_latency_ms"), ms.to_string(), within(&MILLISECONDS));
        }
        let min_quality = match &raw.min_quality {
            Some(raw::Quality::All(score)) => self.score(&path("min_quality"), *score),
            Some(raw::Quality::By(_)) | None => None,
        };
        Constraints { max_cost, max_latency_ms: raw.max_latency_ms, min_quality }
    }

    /// How good a model has to be for a request that is as hard as each of these.
    pub(super) fn bars(&mut self, path: &str, raw: &raw::Constraints, tells: bool) -> [Option<Score>; 3] {
        let mut bars = [None; 3];
        let Some(raw::Quality::By(entries)) = &raw.min_quality else { return bars };
        let path = format!("{path}.constraints.min_quality");
        for (word, score) in &entries.0 {
            let path = format!("{path}.{word}");
            let Some(place) = HARD.iter().position(|other| other == word) else {
                let nearest = names::nearest(word, HARD);
                let expected = format!("one of `{}`", HARD.join("`, `"));
                self.problems.add_with_nearest(path, format!("unknown key `{word}`"), expected, nearest);
                continue;
            };
            if let Some(bar) = bars.get_mut(place) {
                *bar = self.score(&path, *score);
            }
        }
        if !tells {
            let expected = "tasks, if need be an empty map: how hard a request looks is told with them";
            self.problems.add(path, "there are no tasks", expected);
        }
        bars
    }

    /// Says what a strategy lacks that its order is by.
    pub(super) fn strategy_is_of_use(
        &mut self,
        path: &str,
        strategy: Strategy,
        targets: &[Target],
        raw: &raw::Route,
        known: Known,
    ) {
        let weights = raw.targets.iter().filter_map(|target| target.weight);
        match strategy {
            Strategy::Weighted if targets.iter().all(|target| target.weight == 0) => {
                let expected = "a weight above 0 for at least one of them";
                self.problems.add(format!("{path}.targets"), "all weights are 0", expected);
            }
            Strategy::Weighted => {}
            _ if weights.count() > 0 => {
                let found = format!("{:?}, by which weights mean nothing", strategy.as_str());
                self.problems.add(format!("{path}.strategy"), found, "weighted, or no weights");
            }
            Strategy::LeastCost
                if !known.default_price && targets.iter().all(|target| target.model.price.is_none()) =>
            {
                let found = "\"least_cost\", and no target has a price";
                self.problems.add(format!("{path}.strategy"), found, "models.*.price of its targets");
            }
            Strategy::Latency | Strategy::Adaptive if !known.health => {
                let found =
                    format!("{:?}, and health is off: nobody would know who does well", strategy.as_str());
                self.problems.add(format!("{path}.strategy"), found, "");
            }
            Strategy::Quality | Strategy::Intent
                if targets.iter().all(|target| target.model.quality.is_unknown()) =>
            {
                let found = format!("{:?}, and no target has a quality", strategy.as_str());
                self.problems.add(format!("{path}.strategy"), found, "models.*.quality of its targets");
            }
            _ => {}
        }
    }
}

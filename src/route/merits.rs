//! What speaks for a target, as far as it is known, and what that makes of a route's constraints and its strategy.

use crate::config::{Constraints, Score, Strategy};
use crate::money::NanoUsd;
use std::fmt;

/// Of a target that never answers, some answers may be expected nevertheless.
const LEAST_SUCCESS: f32 = 0.05;
/// A peak that is so many times the average is one.
const PEAK: f32 = 2.0;

/// What speaks for a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merits {
    /// How long it takes on average, in milliseconds: a stream to its first token, other answers to their end.
    pub latency_ms: Option<f32>,
    /// How long the slowest took lately.
    pub peak_ms: f32,
    /// How many answers that is of, where old ones are parts of one.
    pub samples: f32,
    /// Which part of its attempts are answers.
    pub success: f32,
    /// How many are under way on this worker.
    pub in_flight: u32,
    /// How many this worker has begun.
    pub begun: u32,
    /// How many tokens its prompt is expected to have for it; 0 where nobody asks.
    pub prompt: u64,
    /// What the request is expected to cost; none if it has no price.
    pub cost: Option<NanoUsd>,
    /// How good it is at this kind of request, if anybody has said.
    pub quality: Option<Score>,
}

impl Merits {
    /// Of a target of which nothing is known.
    pub const UNKNOWN: Self = Self {
        latency_ms: None,
        peak_ms: 0.0,
        samples: 0.0,
        success: 1.0,
        in_flight: 0,
        begun: 0,
        prompt: 0,
        cost: None,
        quality: None,
    };

    /// How long it may be expected to take until somebody answers, in milliseconds. One that was slow just now is slow at
    /// once, and of what fails the next one has to be waited for too.
    #[must_use]
    pub fn wait_ms(&self) -> Option<f32> {
        let mean = self.latency_ms?;
        Some(mean.max(self.peak_ms / PEAK) / self.success.max(LEAST_SUCCESS))
    }

    /// What it may be expected to cost until somebody answers, in nano-dollars: what fails is asked again.
    #[must_use]
    pub fn expense(&self) -> Option<f32> {
        Some(self.cost?.nanos() as f32 / self.success.max(LEAST_SUCCESS))
    }

    /// What a strategy puts it in order by: the lower the earlier, and those without it last. None for strategies that put
    /// nothing in order by merit.
    #[must_use]
    pub fn score(&self, strategy: Strategy) -> (f32, f32) {
        let last = |score: Option<f32>| score.unwrap_or(f32::INFINITY);
        let quality = || last(self.quality.map(|quality| -f32::from(quality)));
        match strategy {
            Strategy::Priority | Strategy::RoundRobin | Strategy::Weighted | Strategy::Adaptive => (0.0, 0.0),
            Strategy::Latency => (last(self.wait_ms()), 0.0),
            Strategy::LeastCost => (last(self.expense()), 0.0),
            Strategy::Quality => (quality(), 0.0),
            Strategy::Intent => (quality(), last(self.expense())),
        }
    }

    /// Which of the constraints it does not keep to. How long it takes is only known of those that have been tried; what is not
    /// known of price and quality does not keep to anything.
    #[must_use]
    pub fn breaks(&self, constraints: Constraints) -> Option<Broken> {
        if let Some(most) = constraints.max_cost
            && self.cost.is_none_or(|cost| cost > most)
        {
            return Some(Broken::Cost { expected: self.cost, most });
        }
        if let (Some(most), Some(expected)) = (constraints.max_latency_ms, self.latency_ms)
            && expected > most as f32
        {
            return Some(Broken::Latency { expected: expected as u64, most });
        }
        if let Some(least) = constraints.min_quality
            && self.quality.is_none_or(|quality| quality < least)
        {
            return Some(Broken::Quality { known: self.quality, least });
        }
        None
    }
}

/// A constraint that a target does not keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It would cost too much, or nobody knows how much.
    Cost {
        /// What it is expected to cost.
        expected: Option<NanoUsd>,
        /// What it may.
        most: NanoUsd,
    },
    /// It takes too long.
    Latency {
        /// How long, in milliseconds.
        expected: u64,
        /// How long it may.
        most: u64,
    },
    /// It is not good enough, or nobody has said how good.
    Quality {
        /// How good it is.
        known: Option<Score>,
        /// How good it has to be.
        least: Score,
    },
}

impl Broken {
    /// What the constraint is called.
    #[must_use]
    pub const fn constraint(self) -> &'static str {
        match self {
            Self::Cost { .. } => "max_cost_usd",
            Self::Latency { .. } => "max_latency_ms",
            Self::Quality { .. } => "min_quality",
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cost { expected: Some(expected), most } => {
                write!(f, "is expected to cost {expected} USD, and max_cost_usd is {most}")
            }
            Self::Cost { expected: None, most } => write!(f, "has no price, and max_cost_usd is {most}"),
            Self::Latency { expected, most } => {
                write!(f, "takes about {expected} ms, and max_latency_ms is {most}")
            }
            Self::Quality { known: Some(known), least } => {
                write!(
                    f,
                    "has the quality {}, and min_quality is {}",
                    thousandths(*known),
                    thousandths(*least)
                )
            }
            Self::Quality { known: None, least } => {
                write!(f, "has no quality, and min_quality is {}", thousandths(*least))
            }
        }
    }
}

/// A number of thousandths, as a decimal fraction.
#[must_use]
pub fn thousandths(score: Score) -> String {
    format!("{}.{:03}", score / 1_000, score % 1_000)
}

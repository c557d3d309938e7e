//! Averages in which what was seen fades with time, and with what is seen after it.

use super::Latency;
use super::form::Walk;

/// Latencies are averaged over no more than this many: then a change shows within so many, however many there are in a
/// half-life.
const MOST: f32 = 32.0;
/// What is left of a peak's distance from the average after a sample that is no peak.
const EASED: f32 = 0.875;
/// So many of all are not late,
const LATE: f32 = 0.95;
/// and what is late moves by this part of the average at a step.
const STEP: f32 = 0.2;
/// Less than this part of a sample says nothing.
const FORGOTTEN: f32 = 0.001;

/// Which part of an observation is left after so long, both in milliseconds.
#[inline(never)]
pub(super) fn left(elapsed: u64, half_life: u64) -> f32 {
    if elapsed == 0 { 1.0 } else { (-(elapsed as f32) / half_life as f32).exp2() }
}

/// An average.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Mean {
    pub weight: f32,
    pub sum: f32,
}

impl Mean {
    pub fn add(&mut self, value: f32, weight: f32) {
        self.weight += weight;
        self.sum += value * weight;
    }

    pub fn fade(&mut self, left: f32) {
        self.weight *= left;
        self.sum *= left;
        if self.weight < FORGOTTEN {
            *self = Self::default();
        }
    }

    pub fn value(&self) -> Option<f32> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }

    pub fn walk(&mut self, by: &mut dyn Walk) {
        by.amount(&mut self.weight);
        by.amount(&mut self.sum);
    }
}

/// How long something takes, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Speed {
    mean: Mean,
    peak: f32,
    /// Nineteen of twenty are faster: moved a little by each that is not, and a nineteenth of that by each that is.
    late: f32,
}

impl Speed {
    #[inline(never)]
    pub fn add(&mut self, ms: f32, weight: f32) {
        let room = MOST - weight;
        if self.mean.weight > room {
            self.mean.fade(room / self.mean.weight);
        }
        self.mean.add(ms, weight);
        let mean = self.mean.value().unwrap_or(ms);
        self.peak = ms.max(mean + (self.peak - mean) * EASED);
        let step = mean * STEP * weight;
        self.late = match self.late {
            0.0 => ms,
            late if ms > late => late + step * LATE,
            late => late - step * (1.0 - LATE),
        };
    }

    #[inline(never)]
    pub fn fade(&mut self, left: f32) {
        self.peak = self.peak_after(left);
        self.mean.fade(left);
    }

    fn peak_after(&self, left: f32) -> f32 {
        let mean = self.mean.value().unwrap_or(0.0);
        mean + (self.peak - mean) * left
    }

    /// What there is to say of it when it has faded to this part.
    #[inline(never)]
    pub fn latency(&self, left: f32) -> Option<Latency> {
        let mean_ms = self.mean.value()?;
        Some(Latency {
            mean_ms,
            peak_ms: self.peak_after(left),
            late_ms: self.late.max(mean_ms),
            samples: self.mean.weight * left,
        })
    }

    pub fn walk(&mut self, by: &mut dyn Walk) {
        self.mean.walk(by);
        by.amount(&mut self.peak);
        by.amount(&mut self.late);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f32, b: f32) -> bool {
        (a - b).abs() <= 0.001 * b.abs().max(1.0)
    }

    #[test]
    fn an_observation_counts_half_after_a_half_life() {
        for (elapsed, expected) in
            [(0, 1.0), (1_000, 0.5), (2_000, 0.25), (3_000, 0.125), (10_000, 0.000_976_6), (u64::MAX, 0.0)]
        {
            assert!(near(left(elapsed, 1_000), expected), "{elapsed}");
        }
        let mut mean = Mean::default();
        mean.add(100.0, 1.0);
        mean.fade(left(30_000, 30_000));
        mean.add(400.0, 1.0);
        assert!(near(mean.value().unwrap(), 300.0));
        mean.fade(left(600_000, 30_000));
        assert_eq!(mean.value(), None, "it is forgotten");
    }

    #[test]
    fn a_slower_one_counts_at_once_and_faster_ones_decay_in() {
        let mut speed = Speed::default();
        let mut last = 0.0;
        for _ in 0..100 {
            speed.add(100.0, 1.0);
        }
        assert!(near(speed.latency(1.0).unwrap().peak_ms, 100.0));
        speed.add(1_000.0, 1.0);
        assert_eq!(speed.latency(1.0).unwrap().peak_ms, 1_000.0);
        assert!(speed.latency(1.0).unwrap().mean_ms < 130.0);
        for n in 0..40 {
            let peak = speed.latency(1.0).unwrap().peak_ms;
            assert!(n == 0 || peak < last, "{n}: {peak}");
            last = peak;
            speed.add(100.0, 1.0);
        }
        assert!(last < 125.0, "{last}");
    }

    #[test]
    fn one_of_twenty_is_late() {
        let mut speed = Speed::default();
        // From 100 to 199, each as often as the others.
        let mut late = 0;
        for n in 0..20_000_u32 {
            let ms = (100 + n * 37 % 100) as f32;
            late += u32::from(n >= 10_000 && speed.latency(1.0).is_some_and(|seen| ms > seen.late_ms));
            speed.add(ms, 1.0);
        }
        assert!((400..=600).contains(&late), "{late} of 10,000");
    }

    #[test]
    fn a_peak_nears_the_average_while_nobody_looks() {
        let mut speed = Speed::default();
        (0..31).for_each(|_| speed.add(100.0, 1.0));
        speed.add(1_060.0, 1.0);
        for (left, peak) in [(1.0, 1_060.0), (0.5, 595.0), (0.25, 362.5), (0.0, 130.0)] {
            let seen = speed.latency(left).unwrap();
            assert!(near(seen.peak_ms, peak) && near(seen.mean_ms, 130.0), "{seen:?}");
            let mut faded = speed;
            faded.fade(left);
            assert!(
                left == 0.0 || near(faded.latency(1.0).unwrap().peak_ms, peak),
                "it is the same when it is kept"
            );
        }
    }

    #[test]
    fn a_change_shows_within_as_many_as_are_averaged() {
        let mut speed = Speed::default();
        (0..10_000).for_each(|_| speed.add(100.0, 1.0));
        (0..50).for_each(|_| speed.add(10.0, 1.0));
        let seen = speed.latency(1.0).unwrap();
        assert!(seen.mean_ms < 30.0 && near(seen.samples, 32.0), "{seen:?}");
    }
}

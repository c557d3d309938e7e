//! Two workers that serve thousands of requests together, are told late what became of them, and exchange once a second.

use super::*;
use crate::store::tests::Memory;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const ARMS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// Requests a second.
const RATE: usize = 20;

/// How an arm answers: in which part of the cases at all, how good that is, and by how much that differs at most.
#[derive(Debug, Clone, Copy)]
struct Nature {
    success: f64,
    worth: f64,
    spread: f64,
}

const fn nature(success: f64, worth: f64, spread: f64) -> Nature {
    Nature { success, worth, spread }
}

impl Nature {
    fn mean(self) -> f64 {
        self.success * self.worth
    }

    fn reward(self, chance: &mut Chance) -> f32 {
        let is_success = chance.next() < self.success;
        let worth = self.worth + self.spread * (2.0 * chance.next() - 1.0);
        if is_success { worth as f32 } else { 0.0 }
    }
}

/// Such as a route may have: none ever is as good as the first, on average.
const WORLDS: [&[Nature]; 4] = [
    // Models that differ in price, and one that is overloaded.
    &[nature(0.99, 0.85, 0.1), nature(0.97, 0.75, 0.15), nature(0.99, 0.7, 0.1), nature(0.8, 0.8, 0.2)],
    // Nothing but answers and failures.
    &[
        nature(0.9, 1.0, 0.0),
        nature(0.7, 1.0, 0.0),
        nature(0.5, 1.0, 0.0),
        nature(0.6, 1.0, 0.0),
        nature(0.3, 1.0, 0.0),
    ],
    // One that is dead.
    &[nature(0.95, 0.8, 0.2), nature(0.0, 1.0, 0.0), nature(0.95, 0.6, 0.2)],
    // One that is very good when it answers.
    &[nature(0.98, 0.75, 0.1), nature(0.6, 0.95, 0.05), nature(0.98, 0.55, 0.1)],
];

/// What became of the requests, in their order.
struct Seen {
    /// Which arm was first.
    asked: Vec<usize>,
    rewards: Vec<f64>,
    /// How much better the best arm is than the one that was asked, on average.
    regrets: Vec<f64>,
}

/// The natures are those of a request's number.
fn run(seed: u64, rules: Rules, requests: usize, natures: impl Fn(usize) -> Vec<Nature>) -> Seen {
    let (store, mut chance) = (Memory::default(), Chance(seed));
    let mut workers = [Bandit::new(), Bandit::new()];
    let mut ends: BinaryHeap<Reverse<(usize, usize, usize, u32)>> = BinaryHeap::new();
    let mut seen = Seen { asked: Vec::new(), rewards: Vec::new(), regrets: Vec::new() };
    let mut ticks = 0;
    for request in 0..requests {
        let (now, natures) = (request * 1_000 / RATE, natures(request));
        while let Some(Reverse((end, who, arm, reward))) = ends.pop() {
            if end > now {
                ends.push(Reverse((end, who, arm, reward)));
                break;
            }
            workers[who].learn(SUBJECT, ARMS[arm], f32::from_bits(reward), &rules);
        }
        // One in the middle of the other's second.
        while ticks * 500 <= now {
            workers[ticks % 2].exchange(&store).unwrap();
            ticks += 1;
        }
        let who = chance.below(2);
        let arms = &ARMS[..natures.len()];
        let arm = workers[who].order(SUBJECT, arms, &rules, &mut || chance.next())[0];
        let reward = natures[arm].reward(&mut chance);
        let best = natures.iter().map(|nature| nature.mean()).fold(0.0, f64::max);
        seen.asked.push(arm);
        seen.rewards.push(f64::from(reward));
        seen.regrets.push(best - natures[arm].mean());
        let lasts = 200 + chance.below(2_800);
        ends.push(Reverse((now + lasts, who, arm, reward.to_bits())));
    }
    seen
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

impl Seen {
    /// How often an arm was asked between two requests.
    fn asked(&self, arm: usize, from: usize, to: usize) -> usize {
        self.asked[from..to].iter().filter(|asked| **asked == arm).count()
    }
}

#[test]
fn after_two_thousand_requests_it_is_nearly_as_good_as_the_best_arm_alone() {
    for (world, natures) in WORLDS.iter().enumerate() {
        let parts: Vec<_> = (0..20)
            .map(|seed| {
                mean(&run(seed, RULES, 2_500, |_| natures.to_vec()).rewards[2_000..]) / natures[0].mean()
            })
            .collect();
        // A twentieth of the requests is the floor's.
        assert!(mean(&parts) > 0.96 && parts.iter().all(|part| *part > 0.92), "{world}: {parts:?}");
    }
}

#[test]
fn it_costs_less_and_less_to_know_better() {
    // Without what exploring and forgetting cost.
    let rules = Rules { explore: 0.0, half_life: 100_000 };
    for (world, natures) in WORLDS.iter().enumerate() {
        let (mut early, mut at_1000, mut at_8000, mut late) = (0.0, 0.0, 0.0, 0.0);
        for seed in 0..20 {
            let regrets = run(seed, rules, 8_000, |_| natures.to_vec()).regrets;
            early += mean(&regrets[..200]);
            at_1000 += regrets[..1_000].iter().sum::<f64>();
            at_8000 += regrets.iter().sum::<f64>();
            late += mean(&regrets[4_000..]);
        }
        assert!(late < early / 20.0, "{world}: {early} {late}");
        assert!(at_8000 < 2.0 * at_1000, "{world}: eight times as many would cost eight times as much");
    }
}

#[test]
fn with_a_floor_and_forgetting_it_costs_as_little_for_ever() {
    for (world, natures) in WORLDS.iter().enumerate() {
        let worst = natures.iter().map(|nature| nature.mean()).sum::<f64>() / natures.len() as f64;
        let by_chance = natures[0].mean() - worst;
        for seed in 0..5 {
            let regrets = run(seed, RULES, 10_000, |_| natures.to_vec()).regrets;
            for (from, regrets) in regrets.chunks(1_000).enumerate().skip(1) {
                let part = mean(regrets) / by_chance;
                assert!(part < 0.2, "{world} {seed}: {part} from {from} thousand");
            }
        }
    }
}

#[test]
fn a_change_of_the_best_is_followed_within_one_and_a_half_half_lives() {
    // That is 750 requests.
    const CHANGE: usize = 1_500;
    for (world, natures) in WORLDS.iter().enumerate() {
        let last = natures.len() - 1;
        let changed = |request: usize| {
            let mut natures = natures.to_vec();
            if request >= CHANGE {
                natures.swap(0, last);
            }
            natures
        };
        let mut followed = Vec::new();
        for seed in 0..40 {
            let seen = run(seed, RULES, CHANGE + 1_250, changed);
            assert!(seen.asked(0, CHANGE - 250, CHANGE) > 150, "{world} {seed}");
            followed.push(seen.asked(last, CHANGE + 750, CHANGE + 1_250) as f64 / 500.0);
        }
        assert!(mean(&followed) > 0.9, "{world}: {followed:?}");
    }
}

#[test]
fn an_arm_that_was_down_is_used_again_when_it_is_well() {
    let natures = |request: usize| {
        let is_down = (1_500..3_000).contains(&request);
        vec![nature(if is_down { 0.0 } else { 0.99 }, 0.85, 0.1), nature(0.98, 0.6, 0.1)]
    };
    for seed in 0..20 {
        let seen = run(seed, RULES, 5_000, natures);
        let down = [seen.asked(0, 1_500, 2_000), seen.asked(0, 2_000, 3_000)];
        // About half of a half-life, because what was known of it has to fade, and then little more than the floor.
        assert!(down[0] < 350 && down[1] < 50, "{seed}: {down:?}");
        assert!(seen.asked(0, 4_000, 5_000) > 900, "{seed}");
    }
}

#[test]
fn every_arm_has_its_share_of_what_is_explored() {
    let rules = Rules { explore: 0.2, ..RULES };
    for seed in 0..5 {
        let natures =
            [nature(1.0, 0.9, 0.05), nature(1.0, 0.1, 0.05), nature(0.0, 0.0, 0.0), nature(1.0, 0.2, 0.1)];
        let seen = run(seed, rules, 10_000, |_| natures.to_vec());
        let asked: Vec<_> = (0..4).map(|arm| seen.asked(arm, 1_000, 10_000)).collect();
        // A twentieth for each, 450, give or take what chance does.
        assert!(asked[1..].iter().all(|asked| (390..=520).contains(asked)), "{seed}: {asked:?}");
    }
    let everything = Rules { explore: 1.0, ..RULES };
    let seen = run(1, everything, 6_000, |_| WORLDS[2].to_vec());
    let asked: Vec<_> = (0..3).map(|arm| seen.asked(arm, 0, 6_000)).collect();
    assert!(asked.iter().all(|asked| (1_850..2_150).contains(asked)), "{asked:?}");
}

#[test]
fn a_dead_arm_is_hardly_asked() {
    for seed in 0..20 {
        let seen = run(seed, RULES, 5_000, |_| WORLDS[2].to_vec());
        // A sixtieth of all, 67, by the floor.
        let asked = [seen.asked(1, 0, 1_000), seen.asked(1, 1_000, 5_000)];
        assert!(asked[0] < 70 && asked[1] < 105, "{seed}: {asked:?}");
        let rules = Rules { explore: 0.0, ..RULES };
        let seen = run(seed, rules, 5_000, |_| WORLDS[2].to_vec());
        let asked = seen.asked(1, 1_000, 5_000);
        assert!(asked < 30, "{seed}: {asked}");
    }
}

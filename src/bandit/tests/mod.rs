//! What a bandit promises: by the book as cases and properties, and as simulations of workers that serve thousands of requests.

mod exchange;
mod reward;
mod simulation;

use super::*;
use crate::chance;
use proptest::prelude::*;

/// Numbers that look like chance, the same every time.
pub(super) struct Chance(pub u64);

impl Chance {
    /// From 0 up to 1.
    pub fn next(&mut self) -> f64 {
        chance::part(chance::next(&mut self.0))
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() * end as f64) as usize
    }
}

pub(super) const RULES: Rules = Rules { explore: 0.05, half_life: 500 };
/// By which nothing but what was learned decides.
const GREEDY: Rules = Rules { explore: 0.0, ..RULES };
pub(super) const SUBJECT: (&str, &str) = ("chat", "code");

/// How often of a thousand times each arm is the first.
fn firsts(bandit: &Bandit, subject: (&str, &str), arms: &[&str], rules: &Rules) -> Vec<usize> {
    let mut chance = Chance(7);
    let mut firsts = vec![0; arms.len()];
    for _ in 0..1_000 {
        firsts[bandit.order(subject, arms, rules, &mut || chance.next())[0]] += 1;
    }
    firsts
}

fn taught(rewards: &[(&str, &[f32])]) -> Bandit {
    let mut bandit = Bandit::new();
    for (arm, rewards) in rewards {
        rewards.iter().for_each(|reward| bandit.learn(SUBJECT, arm, *reward, &GREEDY));
    }
    bandit
}

#[test]
fn arms_of_which_nothing_is_known_are_alike() {
    let firsts = firsts(&Bandit::new(), SUBJECT, &["a", "b", "c", "d"], &GREEDY);
    assert!(firsts.iter().all(|first| (200..300).contains(first)), "{firsts:?}");
}

#[test]
fn who_has_done_better_is_tried_before_who_has_done_worse() {
    let bandit = taught(&[("a", &[0.5; 30]), ("b", &[0.9; 30]), ("c", &[0.7; 30])]);
    assert_eq!(firsts(&bandit, SUBJECT, &["a", "b", "c"], &GREEDY), [0, 1_000, 0]);
    let mut chance = Chance(1);
    assert_eq!(bandit.order(SUBJECT, &["a", "b", "c"], &GREEDY, &mut || chance.next()), [1, 2, 0]);
}

#[test]
fn one_of_which_nothing_is_known_is_tried_soon_but_not_by_all() {
    // Its first answer may be long in coming.
    let bandit = taught(&[("a", &[0.9; 30]), ("b", &[0.8; 30])]);
    let firsts = firsts(&bandit, SUBJECT, &["a", "b", "new"], &GREEDY);
    assert!((500..800).contains(&firsts[2]), "{firsts:?}");
}

#[test]
fn the_less_is_known_and_the_more_it_differs_the_more_is_doubted() {
    let steady: &[f32] = &[0.7; 20];
    let wild: Vec<f32> = (0..20).map(|n| if n % 10 < 7 { 1.0 } else { 0.0 }).collect();
    let share = |rewards: &[f32]| {
        let bandit = taught(&[("a", &[0.8; 500]), ("b", rewards)]);
        firsts(&bandit, SUBJECT, &["a", "b"], &GREEDY)[1]
    };
    let (little, much, wild) = (share(&steady[..4]), share(steady), share(&wild));
    assert!(little > 200 && much < 20 && wild > 60, "{little} {much} {wild}");
}

#[test]
fn one_failure_is_not_the_end() {
    let bandit = taught(&[("a", &[0.7; 30]), ("b", &[0.0])]);
    let once = firsts(&bandit, SUBJECT, &["a", "b"], &GREEDY)[1];
    let bandit = taught(&[("a", &[0.7; 30]), ("b", &[0.0; 10])]);
    let ten_times = firsts(&bandit, SUBJECT, &["a", "b"], &GREEDY)[1];
    assert!(once > 60 && ten_times < 5, "{once} {ten_times}");
}

#[test]
fn routes_and_tasks_are_learned_apart() {
    let mut bandit = Bandit::new();
    for _ in 0..30 {
        for (subject, better, worse) in [
            (("chat", "code"), "a", "b"),
            (("chat", "prose"), "b", "a"),
            (("chat", ""), "c", "a"),
            (("cha", "tcode"), "c", "b"),
        ] {
            bandit.learn(subject, better, 0.9, &RULES);
            bandit.learn(subject, worse, 0.2, &RULES);
        }
    }
    let firsts = |subject, arms: &[&str]| firsts(&bandit, subject, arms, &GREEDY);
    assert_eq!(firsts(("chat", "code"), &["a", "b"]), [1_000, 0]);
    assert_eq!(firsts(("chat", "prose"), &["a", "b"]), [0, 1_000]);
    assert_eq!(firsts(("chat", ""), &["a", "c"]), [0, 1_000]);
    assert_eq!(firsts(("cha", "tcode"), &["b", "c"]), [0, 1_000]);
    assert_eq!(bandit.view(("chat", "maths"), "a"), None);
    assert_eq!(bandit.view(("chat", "prose"), "c"), None);
}

#[test]
fn an_observation_counts_half_after_so_many_others() {
    for half_life in [1, 10, 500] {
        let rules = Rules { half_life, ..RULES };
        let mut bandit = Bandit::new();
        bandit.learn(SUBJECT, "a", 0.5, &rules);
        bandit.learn(("chat", "prose"), "a", 0.5, &rules);
        for _ in 0..half_life {
            bandit.learn(SUBJECT, "b", 1.0, &rules);
        }
        let (mean, weight) = bandit.view(SUBJECT, "a").unwrap();
        assert!((mean - 0.5).abs() < 1e-4 && (weight - 0.5).abs() < 1e-4, "{half_life}: {mean} {weight}");
        assert_eq!(bandit.view(("chat", "prose"), "a"), Some((0.5, 1.0)), "others are not of its kind");
        for _ in 0..10 * half_life {
            bandit.learn(SUBJECT, "b", 1.0, &rules);
        }
        assert_eq!(bandit.view(SUBJECT, "a"), None, "it is forgotten");
    }
}

#[test]
fn rewards_are_from_0_to_1_and_what_is_no_number_is_nothing() {
    let mut bandit = Bandit::new();
    bandit.learn(SUBJECT, "a", f32::NAN, &RULES);
    assert_eq!(bandit.view(SUBJECT, "a"), None);
    for (arm, reward, mean) in [
        ("b", f32::INFINITY, 1.0),
        ("c", -3.0, 0.0),
        ("d", f32::NEG_INFINITY, 0.0),
        ("e", 1e30, 1.0),
        ("f", -0.0, 0.0),
    ] {
        bandit.learn((arm, ""), arm, reward, &RULES);
        assert_eq!(bandit.view((arm, ""), arm), Some((mean, 1.0)), "{reward}");
    }
}

#[test]
fn no_more_is_kept_than_there_is_room_for_and_what_was_not_learned_of_goes_first() {
    let mut bandit = Bandit::new();
    let kept = |bandit: &Bandit| bandit.subjects.iter().map(|subject| subject.arms.len()).sum::<usize>();
    for n in 0..1_000 {
        let route = format!("route-{n}");
        for arm in ["a", "b"] {
            bandit.learn((&route, "code"), arm, 0.5, &RULES);
        }
        bandit.learn(SUBJECT, "a", 0.5, &RULES);
        assert!(kept(&bandit) <= subject::MOST, "{n}");
    }
    assert!(kept(&bandit) >= subject::MOST - 1, "a route goes with both of its arms");
    assert!(bandit.view(SUBJECT, "a").is_some(), "it is in use");
    assert!(bandit.view(("route-999", "code"), "a").is_some());
    assert!(bandit.view(("route-999", "code"), "b").is_some());
    assert!(bandit.view(("route-400", "code"), "b").is_none());
}

#[test]
fn a_route_with_more_arms_than_there_is_room_for_is_forgotten_and_no_other_is_hurt_for_long() {
    let mut bandit = Bandit::new();
    for n in 0..3_000 {
        bandit.learn(SUBJECT, &format!("arm-{n}"), 0.5, &Rules { half_life: 100_000, ..RULES });
        bandit.learn(("chat", "prose"), "a", 0.5, &RULES);
        assert!(bandit.view(("chat", "prose"), "a").is_some());
    }
    assert!(bandit.subjects.iter().map(|subject| subject.arms.len()).sum::<usize>() <= subject::MOST);
}

/// Numbers that are none, or too large, or of the other sign.
fn odd() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => 0.0..=1.0_f32,
        1 => any::<f32>(),
        1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE]),
    ]
}

proptest! {
    #[test]
    fn an_order_has_every_arm_once_whatever_was_learned_and_whatever_chance_says(
        learned in prop::collection::vec((0..6_usize, odd(), any::<u32>()), 0..60),
        arms in prop::collection::vec(0..8_usize, 0..8),
        explore in odd(),
        chances in prop::collection::vec(prop_oneof![0.0..1.0_f64, any::<f64>()], 1..50),
    ) {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let mut bandit = Bandit::new();
        for (arm, reward, half_life) in learned {
            bandit.learn(SUBJECT, names[arm], reward, &Rules { explore, half_life });
            if let Some((mean, weight)) = bandit.view(SUBJECT, names[arm]) {
                prop_assert!((0.0..=1.0).contains(&mean) && weight > 0.0, "{} {}", mean, weight);
            }
        }
        let arms: Vec<_> = arms.into_iter().map(|arm| names[arm]).collect();
        let mut chance = chances.into_iter().cycle();
        let rules = Rules { explore, half_life: 0 };
        let mut order = bandit.order(SUBJECT, &arms, &rules, &mut || chance.next().unwrap());
        order.sort_unstable();
        prop_assert_eq!(order, (0..arms.len()).collect::<Vec<_>>());
    }

    #[test]
    fn a_mean_is_that_of_the_rewards_where_few_have_faded(rewards in prop::collection::vec(0.0..=1.0_f32, 1..200)) {
        let mut bandit = Bandit::new();
        let rules = Rules { half_life: u32::MAX, ..RULES };
        rewards.iter().for_each(|reward| bandit.learn(SUBJECT, "a", *reward, &rules));
        let (mean, weight) = bandit.view(SUBJECT, "a").unwrap();
        let expected = rewards.iter().sum::<f32>() / rewards.len() as f32;
        prop_assert!((mean - expected).abs() < 0.002, "{} {}", mean, expected);
        prop_assert!((weight - rewards.len() as f32).abs() < 0.2, "{}", weight);
    }
}

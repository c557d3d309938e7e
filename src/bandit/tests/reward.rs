//! What a request was worth.

use super::*;

const NOTHING: Toll = Toll { weight: 0.0, amount: 0.0, usual: 0.0 };

fn toll(weight: f32, amount: f32, usual: f32) -> Toll {
    Toll { weight, amount, usual }
}

#[test]
fn a_failure_is_worth_nothing_and_a_success_what_its_tolls_leave() {
    for (cost, time, expected) in [
        (NOTHING, NOTHING, 1.0),
        // What is usual takes half, twice that two thirds, half of that one third, and what is free nothing.
        (toll(0.3, 10.0, 10.0), NOTHING, 0.85),
        (toll(0.3, 20.0, 10.0), NOTHING, 0.8),
        (toll(0.3, 5.0, 10.0), NOTHING, 0.9),
        (toll(0.3, 0.0, 10.0), NOTHING, 1.0),
        (NOTHING, toll(0.4, 800.0, 800.0), 0.8),
        (toll(0.3, 10.0, 10.0), toll(0.4, 800.0, 800.0), 0.65),
        (toll(1.0, 90.0, 10.0), toll(1.0, 90.0, 10.0), 0.0),
        // Nobody knows what is usual.
        (toll(0.3, 10.0, 0.0), NOTHING, 1.0),
        (toll(0.3, 10.0, f32::NAN), NOTHING, 1.0),
        (toll(0.3, 10.0, f32::INFINITY), NOTHING, 1.0),
        // Things that cannot be.
        (toll(0.3, f32::NAN, 10.0), NOTHING, 1.0),
        (toll(0.3, -10.0, 10.0), NOTHING, 1.0),
        (toll(0.3, f32::INFINITY, 10.0), NOTHING, 0.7),
        (toll(f32::NAN, 10.0, 10.0), NOTHING, 1.0),
        (toll(-1.0, 10.0, 10.0), NOTHING, 1.0),
        (toll(5.0, 10.0, 10.0), NOTHING, 0.5),
    ] {
        let worth = reward(true, cost, time);
        assert!((worth - expected).abs() < 1e-6, "{cost:?} {time:?}: {worth}");
        assert_eq!(reward(false, cost, time), 0.0, "{cost:?} {time:?}");
    }
}

proptest! {
    #[test]
    fn a_reward_is_from_0_to_1_whatever_it_is_of(numbers in prop::array::uniform6(any::<f32>()), is_success in any::<bool>()) {
        let [a, b, c, d, e, f] = numbers;
        prop_assert!((0.0..=1.0).contains(&reward(is_success, toll(a, b, c), toll(d, e, f))));
    }

    #[test]
    fn who_is_dearer_or_slower_is_never_worth_more(
        weight in 0.0..=1.0_f32, usual in 0.001..1e6_f32, amount in 0.0..1e9_f32, more in 1.0..100.0_f32, time in 0.0..=1.0_f32,
    ) {
        let time = toll(0.2, time, 0.5);
        let (less, more) = (toll(weight, amount, usual), toll(weight, amount * more, usual));
        prop_assert!(reward(true, more, time) <= reward(true, less, time));
        prop_assert!(reward(true, time, more) <= reward(true, time, less));
    }
}

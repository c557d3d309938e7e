//! Clocks that go back, and ahead.

use super::*;
use proptest::prelude::*;

/// Two hours, so that there is room to go back.
const BEGIN: u64 = 7_200_000;

#[test]
fn when_the_clock_goes_back_nobody_waits_longer() {
    for back in [0, 400, 1_500, 3_600_000, BEGIN] {
        let store = Memory::default();
        let (mut table, mut other) = (worker(1, &json!({})), worker(2, &json!({})));
        attempts(&mut table, &store, "FFFFF", BEGIN);
        attempt(&mut table, &store, "b", limited(7_000), at(BEGIN + 40));
        let left = |table: &Table, target: &str, now: u64| {
            open_until(table, target, now).map(|until| until.saturating_sub(now))
        };
        let before = ["a", "b"].map(|target| left(&table, target, BEGIN + 1_000).unwrap());
        // As every second.
        for table in [&mut table, &mut other] {
            table.exchange(&store, at(BEGIN + 1_000)).unwrap();
        }
        let now = BEGIN + 1_000 - back;
        for table in [&mut table, &mut other] {
            table.exchange(&store, at(now)).unwrap();
            for (target, before) in ["a", "b"].into_iter().zip(before) {
                // Up to a second earlier is taken for the same time.
                let after = left(table, target, now).unwrap();
                let most = if back <= 1_000 { before + back } else { before };
                assert!(
                    after <= most && after >= before.saturating_sub(1_000),
                    "{back} {target}: {before} {after}"
                );
            }
        }
        assert_eq!(table.view("a", at(now)).outcomes, 5);
    }
}

#[test]
fn what_was_noted_before_the_clock_went_back_is_told_and_counts_no_more_than_it_did() {
    let (store, mut table) = (Memory::default(), worker(1, &json!({})));
    attempt(&mut worker(2, &json!({})), &store, "a", ANSWERED, at(BEGIN));
    let mut other = worker(3, &json!({}));
    attempt(&mut other, &store, "a", Ended::Failed, at(BEGIN));
    other.exchange(&store, at(BEGIN)).unwrap();
    attempt(&mut table, &store, "a", ANSWERED, at(BEGIN));
    table.exchange(&store, at(0)).unwrap();
    let view = table.view("a", at(0));
    assert!(view.outcomes == 2 && (1.9..=2.0).contains(&view.samples), "{view:?}");
    let view = table.view("a", at(30_000));
    assert!((0.9..=1.1).contains(&view.samples), "it goes on fading: {view:?}");
}

#[test]
fn when_the_clock_goes_ahead_that_much_time_has_passed() {
    let store = Memory::default();
    let (mut table, _) = opened(&store, &json!({}));
    table.exchange(&store, at(3_600_000)).unwrap();
    assert_eq!(table.view("a", at(3_600_000)).circuit, Circuit::HalfOpen { may_probe: true });
}

#[test]
fn an_attempt_that_was_overtaken_by_the_clock_has_no_time() {
    let mut table = worker(1, &json!({}));
    let mut trial = table.begin("a", true, None, at(BEGIN));
    table.first_token(&mut trial, at(0));
    assert!(!table.record(trial, Ended::Answered { tokens: 9 }, at(0)));
    let view = table.view("a", at(0));
    assert_eq!((view.first_token, view.per_token, view.outcomes), (None, None, 1));
}

proptest! {
    /// In real time, whatever the clock does meanwhile; but for the time since the last exchange, and the second by which
    /// workers' clocks may differ, each time that it goes back.
    #[test]
    fn a_circuit_is_never_open_for_longer_than_it_may_be(
        steps in prop::collection::vec((1..8_u64, -4_000_000..4_000_000_i64), 0..4),
    ) {
        let store = Memory::default();
        let mut workers = [worker(1, &json!({})), worker(2, &json!({}))];
        let begin = 100_000_000_u64;
        let [table, _] = &mut workers;
        attempts(table, &store, "FFFFF", begin);
        // What the clock is ahead by, when in seconds it steps, and by how much.
        let (mut ahead, mut steps) = (0_i64, steps);
        let slack = 3 * steps.iter().filter(|(_, step)| *step < 0).count() as u64;
        for second in 1..=10 + slack {
            for (_, step) in steps.extract_if(.., |(when, _)| *when == second) {
                ahead += step;
            }
            for table in &mut workers {
                table.exchange(&store, at((begin + 1_000 * second).checked_add_signed(ahead).unwrap())).unwrap();
            }
        }
        let now = (begin + 1_000 * (11 + slack)).checked_add_signed(ahead).unwrap();
        for table in &workers {
            prop_assert_ne!(table.view("a", at(now)).circuit, Circuit::Closed);
            prop_assert_eq!(open_until(table, "a", now), None);
        }
    }
}

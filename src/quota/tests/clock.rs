//! Clocks that are wrong: one that goes back makes nothing fit that did not, and nobody wait longer than a window.

use super::*;
use crate::store::tests::Memory;
use crate::time::{DAY, HOUR, MINUTE};
use proptest::prelude::*;

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Event {
    Pass(u64),
    StepBack(u64),
    Ask { uses: u64 },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => (0..20_000_u64).prop_map(Event::Pass),
        1 => prop_oneof![0..2_000_u64, 0..3 * DAY].prop_map(Event::StepBack),
        6 => (0..=100_u64).prop_map(|uses| Event::Ask { uses }),
    ];
    prop::collection::vec(event, 1..120)
}

/// Lets it happen. Gives when each admitted request came, in true time, with what it used; and the clock in the end.
fn play(worker: &Worker, store: &Memory, events: &[Event]) -> (Vec<(u64, u64)>, Timestamp) {
    let (mut truth, mut clock, mut came) = (0, at(30 * DAY), Vec::new());
    for event in events {
        match *event {
            Event::Pass(millis) => (truth, clock) = (truth + millis, clock.after(millis)),
            Event::StepBack(millis) => clock = clock.before(millis),
            Event::Ask { uses } => {
                if let Ok(reservation) = worker.admit(store, clock) {
                    settle(store, reservation, Actual { input: uses, ..Actual::default() }, clock).unwrap();
                    came.push((truth, uses));
                }
            }
        }
    }
    // Whoever asks next sees where the clock is now.
    let _ = worker.admit(store, clock).map(|reservation| release(store, reservation, clock).unwrap());
    (came, clock)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_clock_that_goes_back_lets_no_window_have_more_and_nobody_wait_longer(
        events in events(),
        size in prop_oneof![1..8_u64, 61..70_u64],
    ) {
        let worker = Worker::new(&json!([{"name": "a", "requests": size, "window": "minute"}]));
        let store = Memory::default();
        let (came, clock) = play(&worker, &store, &events);
        for (first, (then, _)) in came.iter().enumerate() {
            let within = came[first..].iter().take_while(|(other, _)| other - then < MINUTE).count();
            prop_assert!(within as u64 <= size);
        }
        // The part of the window and the tolerance for late workers are a second each.
        let (_, standings) = admit::survey(&store, &worker.limits, &worker.ask(&store, clock), None);
        prop_assert!(standings[0].resets_in <= Some(MINUTE + 1_000));
        prop_assert_eq!(worker.left(&store, clock.after(MINUTE + 2_000)), size);
    }

    #[test]
    fn a_clock_that_goes_back_fills_no_bucket(events in events(), burst in 100..500_u64) {
        let worker = Worker::new(&json!([{"name": "a", "tokens": 600, "burst": burst, "window": "minute"}]));
        let store = Memory::default();
        let (came, clock) = play(&worker, &store, &events);
        for (first, (then, _)) in came.iter().enumerate() {
            let mut used = 0;
            for (now, uses) in &came[first..] {
                used += uses;
                prop_assert!(used * MINUTE <= burst * MINUTE + (now - then) * 600, "{used}");
            }
        }
        // Ten tokens flow in each second.
        prop_assert_eq!(worker.left(&store, clock.after(burst * 100 + 1_000)), burst);
    }

    /// Whole days forward only by passing: so what is used is never more than the days there were allow.
    #[test]
    fn a_clock_that_goes_back_renews_no_budget(events in events()) {
        let worker = Worker::new(&json!([{"name": "a", "tokens": 500, "window": "day"}]));
        let store = Memory::default();
        let (came, clock) = play(&worker, &store, &events);
        let (mut now, mut days) = (at(30 * DAY), 1);
        for event in &events {
            match *event {
                Event::Pass(millis) => {
                    // A midnight may be passed again after the clock went back over it.
                    days += u64::from(now.after(millis).day_end() > now.day_end());
                    now = now.after(millis);
                }
                Event::StepBack(millis) => now = now.before(millis),
                Event::Ask { .. } => {}
            }
        }
        prop_assert!(came.iter().map(|(_, uses)| uses).sum::<u64>() <= 500 * days);
        prop_assert_eq!(worker.left(&store, clock.after(DAY)), 500);
    }
}

#[test]
fn a_day_that_the_clock_went_back_from_does_not_count_beyond_the_end_of_the_one_it_is_now() {
    let worker = Worker::new(&json!([{"name": "a", "tokens": 200, "window": "day"}]));
    for back in [1_000, HOUR, 12 * HOUR, DAY, 400 * DAY] {
        let store = Memory::default();
        let began = at(600 * DAY);
        std::mem::forget(worker.admit(&store, began).unwrap());
        let reservation = worker.admit(&store, began).unwrap();
        settle(&store, reservation, as_asked(), began).unwrap();
        let now = began.before(back);
        assert_eq!(worker.admit(&store, now), Err(Retry::At(now.day_end())), "{back}");
        assert_eq!(worker.left(&store, now.day_end()), 100, "the other is still in flight");
    }
}

#[test]
fn a_month_is_left_by_its_end_however_the_clock_goes() {
    let worker = Worker::new(&json!([{"name": "a", "usd": 0.1, "window": "month"}]));
    let store = Memory::default();
    let reservation = worker.admit(&store, at(0)).unwrap();
    settle(&store, reservation, as_asked(), at(0)).unwrap();
    // The 8th of November; the month before ends seven and a half days earlier.
    for now in [at(0), at(20 * DAY), at(0).before(7 * DAY), at(0).before(8 * DAY), at(0).before(40 * DAY)] {
        assert_eq!(worker.admit(&store, now), Err(Retry::At(now.month_end())), "{now:?}");
    }
    assert!(worker.admit(&store, at(0).month_end()).is_ok());
}

#[test]
fn a_worker_that_is_a_little_late_is_no_clock_that_went_back() {
    let worker = Worker::new(&json!([{"name": "a", "requests": 2, "window": "minute"}]));
    let store = Memory::default();
    std::mem::forget(worker.admit(&store, at(1_000)).unwrap());
    std::mem::forget(worker.admit(&store, at(400)).unwrap());
    // Both count from the later time: had the first been moved to the second's, it would be over too early.
    assert_eq!(worker.admit(&store, at(60_999)), Err(Retry::At(at(61_000))));
    assert!(worker.admit(&store, at(61_000)).is_ok());
}

#[test]
fn what_was_reserved_before_the_clock_went_back_is_settled_after_it() {
    for limit in each_kind(2) {
        let (store, worker) = (Memory::default(), Worker::new(&json!([limit])));
        let full = worker.left(&store, at(50 * DAY));
        let first = worker.admit(&store, at(50 * DAY)).unwrap();
        let second = worker.admit(&store, at(50 * DAY)).unwrap();
        release(&store, first, at(HOUR)).unwrap();
        settle(&store, second, Actual::default(), at(HOUR)).unwrap();
        let is_window = !limit["requests"].is_null();
        // A request that was counted cannot be found again by its time; it leaves the window in its time.
        let expected = if is_window { 0 } else { full };
        assert_eq!(worker.left(&store, at(HOUR)), expected, "{limit}");
        assert_eq!(worker.left(&store, at(HOUR + DAY + MINUTE)), full, "{limit}");
    }
}

#[test]
fn times_beyond_all_reason_are_survived() {
    let everything = Actual { input: u64::MAX, output: u64::MAX, cost: NanoUsd::MAX };
    for limit in each_kind(2) {
        for times in [[0, u64::MAX, 0], [u64::MAX, 0, u64::MAX], [u64::MAX; 3], [0; 3]] {
            let (store, worker) = (Memory::default(), Worker::new(&json!([limit])));
            for now in times.map(Timestamp::from_millis) {
                if let Ok(reservation) = worker.admit(&store, now) {
                    settle(&store, reservation, everything, now).unwrap();
                }
                worker.left(&store, now);
            }
        }
    }
}

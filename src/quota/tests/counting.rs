//! Each kind by itself: how much fits, what is given back, what is charged.

use super::*;
use crate::store::tests::Memory;

#[test]
fn each_kind_admits_what_fits_and_not_one_more() {
    for limit in each_kind(7) {
        let (store, worker) = (Memory::default(), Worker::new(&json!([limit])));
        let admitted: Vec<_> = (0..10).map(|_| worker.admit(&store, at(0)).is_ok()).collect();
        assert_eq!(admitted, [[true; 7].as_slice(), &[false; 3]].concat(), "{limit}");
        assert_eq!(worker.left(&store, at(0)), 0, "{limit}");
    }
}

#[test]
fn what_is_released_was_never_there() {
    for limit in each_kind(3) {
        let (store, worker) = (Memory::default(), Worker::new(&json!([limit])));
        let full = worker.left(&store, at(0));
        let first = worker.admit(&store, at(0)).unwrap();
        let left = worker.left(&store, at(0));
        for _ in 0..5 {
            let second = worker.admit(&store, at(0)).unwrap();
            let third = worker.admit(&store, at(0)).unwrap();
            assert!(worker.admit(&store, at(0)).is_err(), "{limit}");
            release(&store, third, at(0)).unwrap();
            release(&store, second, at(0)).unwrap();
            assert_eq!(worker.left(&store, at(0)), left, "{limit}");
        }
        release(&store, first, at(0)).unwrap();
        assert_eq!(worker.left(&store, at(0)), full, "{limit}");
    }
}

#[test]
fn what_is_settled_is_what_was_used() {
    // What is left of three times 10 tokens of prompt, 90 of answer and a tenth of a dollar.
    for (limit, left) in
        each_kind(3).into_iter().zip([2, 2, 2, 250, 250, 10, 240, 250, 10, 240, 3, 200_000_000, 200_000_000])
    {
        let (store, worker) = (Memory::default(), Worker::new(&json!([limit])));
        let reservation = worker.admit(&store, at(0)).unwrap();
        let actual = Actual { input: 20, output: 30, cost: NanoUsd::new(NanoUsd::PER_USD / 10) };
        settle(&store, reservation, actual, at(0)).unwrap();
        assert_eq!(worker.left(&store, at(0)), left, "{limit}");
    }
}

#[test]
fn what_is_used_beyond_the_limit_is_owed() {
    let actual = Actual { input: 10, output: 590, cost: NanoUsd::new(NanoUsd::PER_USD) };
    for (limit, retry) in [
        // 100 tokens flow in each minute; 500 are owed, and 100 asked for.
        (json!({"name": "a", "tokens": 100, "window": "minute"}), Retry::At(at(360_000))),
        (json!({"name": "a", "tokens": 100, "window": "day"}), Retry::At(at(0).day_end())),
        (json!({"name": "a", "usd": 0.1, "window": "month"}), Retry::At(at(0).month_end())),
    ] {
        let (store, worker) = (Memory::default(), Worker::new(&json!([limit])));
        settle(&store, worker.admit(&store, at(0)).unwrap(), actual, at(0)).unwrap();
        assert_eq!(worker.admit(&store, at(0)), Err(retry), "{limit}");
        assert_eq!(worker.left(&store, at(0)), 0);
    }
}

#[test]
fn what_costs_nothing_is_admitted_whatever_is_owed() {
    let worker = Worker::new(&json!([{"name": "a", "usd": 0.1, "window": "day"}]));
    let store = Memory::default();
    let actual = Actual { cost: NanoUsd::new(NanoUsd::PER_USD), ..Actual::default() };
    settle(&store, worker.admit(&store, at(0)).unwrap(), actual, at(0)).unwrap();
    let ask = Ask { cost: NanoUsd::ZERO, ..worker.ask(&store, at(0)) };
    assert!(worker.admit_as(&store, &ask).is_ok());
}

#[test]
fn an_expectation_beyond_the_limit_gets_all_there_is_and_a_certainty_nothing() {
    for (limit, input, output, expected) in [
        (json!({"name": "a", "tokens": 100, "window": "minute"}), 10, 5_000, Ok(0)),
        (json!({"name": "a", "tokens": 100, "window": "day"}), 100, 5_000, Ok(0)),
        (json!({"name": "a", "tokens": 100, "window": "day"}), 101, 1, Err(Retry::Never)),
        (json!({"name": "a", "tokens": 1_000, "burst": 100, "window": "minute"}), 101, 1, Err(Retry::Never)),
        (json!({"name": "a", "input_tokens": 100, "window": "minute"}), 101, 1, Err(Retry::Never)),
        (json!({"name": "a", "output_tokens": 100, "window": "minute"}), 500, 5_000, Ok(0)),
        (json!({"name": "a", "usd": 0.05, "window": "day"}), 1, 1, Err(Retry::Never)),
    ] {
        let (store, worker) = (Memory::default(), Worker::new(&json!([limit])));
        let ask = Ask { input, output, ..worker.ask(&store, at(0)) };
        let left = worker.admit_as(&store, &ask).map(|_| worker.left(&store, at(0)));
        assert_eq!(left, expected, "{limit}");
    }
}

#[test]
fn all_limits_must_admit_and_what_the_first_gave_comes_back() {
    let limits = json!([
        {"name": "all", "tokens": 1_000, "window": "day"},
        {"name": "slots", "concurrent": 10},
        {"name": "mine", "requests": 100, "window": "minute", "per": ["consumer"]},
        {"name": "bucket", "tokens": 1_000, "window": "minute", "per": ["consumer"]},
        {"name": "model", "requests": 2, "window": "minute", "per": ["consumer", "model"]},
    ]);
    let (store, worker) = (Memory::default(), Worker::new(&limits));
    let _reservations = [(); 2].map(|()| worker.admit(&store, at(0)).unwrap());
    let before = (worker.remaining(&store, at(0)), store.entries());
    for _ in 0..3 {
        assert_eq!(worker.admit(&store, at(0)), Err(Retry::At(at(60_000))));
    }
    assert_eq!(worker.remaining(&store, at(0)), before.0);
    assert_eq!(store.entries().len(), before.1.len());
}

#[test]
fn the_refusal_names_the_limit_that_takes_longest_wherever_it_is() {
    let limits = json!([
        {"name": "minute", "requests": 1, "window": "minute"},
        {"name": "day", "requests": 1, "window": "day", "per": ["model"]},
        {"name": "hour", "requests": 1, "window": "hour", "per": ["consumer"]},
    ]);
    let (store, worker) = (Memory::default(), Worker::new(&limits));
    let _reservation = worker.admit(&store, at(0)).unwrap();
    let refusal = admit(&store, &worker.limits, &worker.ask(&store, at(0))).unwrap_err();
    assert_eq!(refusal.denied.limit.name, "day");
    assert_eq!(refusal.denied.retry, Retry::At(at(86_400_000)));
}

#[test]
fn limits_are_for_whom_and_what_they_name() {
    let limits = json!([
        {"name": "a", "requests": 1, "window": "minute", "consumers": ["acme"]},
        {"name": "b", "requests": 1, "window": "minute", "tiers": ["premium"]},
        {"name": "c", "requests": 1, "window": "minute", "models": ["mini"]},
    ]);
    let (store, worker) = (Memory::default(), Worker::new(&limits));
    let concerned = |ask: &Ask<'_>| -> Vec<String> {
        let (_, standings) = admit::survey(&store, &worker.limits, ask, None);
        standings.iter().map(|standing| standing.limit.name.to_string()).collect()
    };
    let ask = worker.ask(&store, at(0));
    let (premium, other) = (TierName::parse("premium").unwrap(), ConsumerName::parse("umbrella").unwrap());
    assert_eq!(concerned(&ask), ["a"]);
    assert_eq!(concerned(&Ask { tier: &premium, ..ask }), ["a", "b"]);
    assert_eq!(concerned(&Ask { consumer: Consumer::Configured(&other), ..ask }), [""; 0]);
    let mini = Model { name: crate::names::ModelName::parse("mini").unwrap(), ..ask.model.clone() };
    assert_eq!(concerned(&Ask { model: &mini, ..ask }), ["a", "c"]);
    // A token may say what it likes; it is not the consumer that the configuration has.
    assert_eq!(concerned(&Ask { consumer: Consumer::OfToken(&worker.consumer), ..ask }), [""; 0]);
}

#[test]
fn what_only_observes_refuses_nothing_and_reports_what_it_would_have() {
    for limit in each_kind(2) {
        let mut limit = limit;
        limit["mode"] = json!("observe");
        let (store, worker) = (Memory::default(), Worker::new(&json!([limit])));
        let reservations: Vec<_> = (0..5).map(|_| worker.admit(&store, at(0)).unwrap()).collect();
        let observed: Vec<_> = reservations.iter().map(|reservation| reservation.observed().len()).collect();
        assert_eq!(observed, [0, 0, 1, 1, 1], "{limit}");
        // What would have been refused is not counted: it would have used nothing.
        for reservation in reservations {
            settle(&store, reservation, as_asked(), at(0)).unwrap();
        }
        let mut enforced = limit.clone();
        enforced["mode"] = json!("enforce");
        let (twin, enforcing) = (Memory::default(), Worker::new(&json!([enforced])));
        for _ in 0..5 {
            // All at once, as above.
            let _ = enforcing.admit(&twin, at(0)).map(std::mem::forget);
        }
        if limit["concurrent"].is_null() {
            assert_eq!(worker.left(&store, at(0)), enforcing.left(&twin, at(0)), "{limit}");
        }
    }
}

#[test]
fn a_stream_that_may_be_stopped_gets_what_there_is_and_one_that_may_finish_gets_all() {
    let more = Actual { input: 0, output: 60, cost: NanoUsd::new(1) };
    for window in ["minute", "day"] {
        for (on_exceed, extended) in [("stop", false), ("finish", true)] {
            let limit = json!({"name": "a", "tokens": 200, "window": window, "on_exceed": on_exceed});
            let (store, worker) = (Memory::default(), Worker::new(&json!([limit])));
            let mut stream = worker.admit(&store, at(0)).unwrap();
            extend(&store, &mut stream, more, at(0)).unwrap();
            assert_eq!(worker.left(&store, at(0)), 40);
            assert_eq!(extend(&store, &mut stream, more, at(0)).is_ok(), extended, "{window} {on_exceed}");
            assert_eq!(worker.left(&store, at(0)), if extended { 0 } else { 40 });
            // Settled to what it used, whatever it had reserved.
            settle(&store, stream, Actual { input: 10, output: 100, cost: NanoUsd::ZERO }, at(0)).unwrap();
            assert_eq!(worker.left(&store, at(0)), 90, "{window} {on_exceed}");
        }
    }
}

#[test]
fn a_stream_that_one_limit_stops_has_got_nothing_of_the_others() {
    let limits = json!([
        {"name": "a", "tokens": 1_000, "window": "day"},
        {"name": "b", "tokens": 1_000, "window": "minute"},
        {"name": "c", "requests": 5, "window": "minute"},
        {"name": "d", "output_tokens": 100, "window": "day", "on_exceed": "stop", "per": ["consumer"]},
    ]);
    let (store, worker) = (Memory::default(), Worker::new(&limits));
    let mut stream = worker.admit(&store, at(0)).unwrap();
    let before = worker.remaining(&store, at(0));
    let stopped = extend(&store, &mut stream, Actual { output: 60, ..Actual::default() }, at(0)).unwrap_err();
    assert_eq!((stopped.denied.limit.name.as_str(), stopped.unsettled), ("d", None));
    assert_eq!(worker.remaining(&store, at(0)), before);
    settle(&store, stream, as_asked(), at(0)).unwrap();
    assert_eq!(worker.remaining(&store, at(0)), before, "what was used is what was reserved");
}

#[test]
fn a_stream_that_was_extended_gets_back_what_it_did_not_use_of_that() {
    let worker = Worker::new(&json!([{"name": "a", "tokens": 600, "burst": 200, "window": "minute"}]));
    let store = Memory::default();
    let mut stream = worker.admit(&store, at(0)).unwrap();
    // It is full again, and gives sixty more, of which fifty are used until forty have flown in.
    extend(&store, &mut stream, Actual { output: 60, ..Actual::default() }, at(10_000)).unwrap();
    settle(&store, stream, Actual { input: 10, output: 140, ..Actual::default() }, at(14_000)).unwrap();
    assert_eq!(worker.left(&store, at(14_000)), 190);
}

#[test]
fn a_reservation_outlives_the_end_of_the_day_and_is_spent_on_the_next() {
    let worker = Worker::new(&json!([{"name": "a", "tokens": 200, "window": "day"}]));
    let store = Memory::default();
    let reservations = [(); 2].map(|()| worker.admit(&store, at(0)).unwrap());
    let tomorrow = at(0).day_end();
    assert_eq!(worker.left(&store, tomorrow), 0, "it is in flight, and may be used any time");
    assert_eq!(worker.admit(&store, tomorrow), Err(Retry::InFlight), "nobody knows for how long");
    let [first, second] = reservations;
    settle(&store, first, as_asked(), tomorrow).unwrap();
    assert_eq!(worker.left(&store, tomorrow), 0);
    release(&store, second, tomorrow).unwrap();
    assert_eq!(worker.left(&store, tomorrow), 100);
    assert_eq!(worker.left(&store, tomorrow.day_end()), 200);
}

#[test]
fn a_bucket_gets_nothing_back_that_would_have_flown_over() {
    let worker = Worker::new(&json!([{"name": "a", "tokens": 600, "burst": 100, "window": "minute"}]));
    for (late, left) in [(0, 100), (2_000, 80), (5_000, 50), (10_000, 0), (20_000, 0)] {
        let store = Memory::default();
        let unused = worker.admit(&store, at(0)).unwrap();
        let now = at(late);
        // All that has flown in meanwhile is used at once; without the reservation it would have flown over.
        let ask = Ask { output: late.min(10_000) / 100, input: 0, ..worker.ask(&store, now) };
        settle(
            &store,
            worker.admit_as(&store, &ask).unwrap(),
            Actual { output: ask.output, ..Actual::default() },
            now,
        )
        .unwrap();
        settle(&store, unused, Actual::default(), now).unwrap();
        assert_eq!(worker.left(&store, now), left, "{late}");
    }
}

#[test]
fn what_would_have_flown_over_is_given_back_to_no_second_one_either() {
    // Two took all, and ten seconds later a third took what had flown in; without the first two it had been full by then.
    let worker = Worker::new(&json!([{"name": "a", "tokens": 600, "burst": 200, "window": "minute"}]));
    let store = Memory::default();
    let [first, second] = [(); 2].map(|()| worker.admit(&store, at(0)).unwrap());
    std::mem::forget(worker.admit(&store, at(10_000)).unwrap());
    release(&store, first, at(10_000)).unwrap();
    assert_eq!(worker.left(&store, at(10_000)), 100);
    release(&store, second, at(10_000)).unwrap();
    assert_eq!(worker.left(&store, at(10_000)), 100);
}

#[test]
fn a_bucket_that_was_begun_anew_gets_nothing_back_of_what_was_taken_before() {
    let worker = Worker::new(&json!([{"name": "a", "tokens": 600, "burst": 200, "window": "minute"}]));
    let store = Memory::default();
    let late = worker.admit(&store, at(0)).unwrap();
    // Full again since ten seconds, and so forgotten.
    let settled = [30_000, 30_000].map(|then| worker.admit(&store, at(then)).unwrap());
    release(&store, late, at(30_000)).unwrap();
    assert_eq!(worker.left(&store, at(30_000)), 0);
    settled.into_iter().for_each(|reservation| release(&store, reservation, at(30_000)).unwrap());
    assert_eq!(worker.left(&store, at(30_000)), 200);
}

#[test]
fn a_busy_bucket_gets_back_what_was_not_used_however_late() {
    let worker = Worker::new(&json!([{"name": "a", "tokens": 600, "window": "minute"}]));
    let store = Memory::default();
    // Others use a hundred every ten seconds, which is all that flows in.
    let mut others = vec![];
    (0..5).for_each(|_| others.push(worker.admit(&store, at(0)).unwrap()));
    let early = worker.admit(&store, at(0)).unwrap();
    for tens in 1..=30 {
        others.push(worker.admit(&store, at(10_000 * tens)).unwrap());
    }
    assert_eq!(worker.left(&store, at(300_000)), 0);
    settle(&store, early, Actual::default(), at(300_000)).unwrap();
    assert_eq!(worker.left(&store, at(300_000)), 100, "after five minutes, all of it");
}

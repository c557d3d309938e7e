//! When a circuit opens, and for how long.

use super::*;

#[test]
fn so_many_failures_in_a_row_open_it() {
    for (failures, letters, is_open) in [
        (5, "FFFF", false),
        (5, "FFFFF", true),
        (5, "FFFFAFFFF", false),
        (5, "AAAAFFFFF", true),
        // What says nothing of the target is as if it were not there.
        (5, "FFrcFFrrcc", false),
        (5, "FFrcFFF", true),
        (5, "rrrrrrccccccrrrrrcccccc", false),
        (1, "F", true),
        (1, "A", false),
    ] {
        let (store, mut table) = (Memory::default(), worker(1, &json!({"failures": failures})));
        attempts(&mut table, &store, letters, 0);
        assert_eq!(open_until(&table, "a", 100).is_some(), is_open, "{failures} {letters}");
        assert_eq!(table.view("b", at(100)).circuit, Circuit::Closed, "it is one target's circuit");
    }
}

#[test]
fn what_counts_as_a_failure_is_said_by_how_it_ended() {
    let failures = [Ended::Failed, Ended::TimedOut];
    let others = [ANSWERED, Ended::Untold];
    for ended in failures.into_iter().chain(others) {
        let (store, mut table) = (Memory::default(), worker(1, &json!({})));
        for _ in 0..5 {
            attempt(&mut table, &store, "a", ended, at(0));
        }
        let is_failure = failures.contains(&ended);
        assert_eq!(open_until(&table, "a", 0).is_some(), is_failure, "{ended:?}");
        let view = table.view("a", at(0));
        assert_eq!(view.success, if is_failure { 0.0 } else { 1.0 }, "{ended:?}");
        assert_eq!(view.outcomes, if is_failure || ended == ANSWERED { 5 } else { 0 }, "{ended:?}");
    }
}

#[test]
fn a_share_of_failures_opens_it_when_there_are_enough_requests() {
    // Letters, how often, and how far apart in milliseconds.
    for (letters, times, gap, is_open) in [
        ("AF", 9, 10, false),
        ("AFA", 6, 10, false),
        ("AF", 10, 10, true),
        ("AAF", 30, 10, false),
        ("AFAFF", 4, 10, true),
        // Of those in the window there are never enough.
        ("AF", 200, 2_000, false),
        ("AF", 200, 1_200, true),
    ] {
        let (store, mut table) = (Memory::default(), worker(1, &json!({"min_requests": 20})));
        for (n, letter) in letters.repeat(times).chars().enumerate() {
            attempts(&mut table, &store, &letter.to_string(), gap * n as u64);
            if table.view("a", at(gap * n as u64)).circuit != Circuit::Closed {
                assert!(n >= 19, "too early: {letters} {n}");
            }
        }
        let now = gap * (letters.len() * times) as u64;
        let is_closed = table.view("a", at(now)).circuit == Circuit::Closed;
        assert_eq!(!is_closed, is_open, "{letters} {times} {gap}");
    }
}

/// How many of `requests` requests, five a second, are made before a circuit opens, if one does.
fn opens(table: &mut Table, chance: &mut Chance, begin: u64, per_mille: u64, requests: u64) -> Option<u64> {
    let store = Memory::default();
    (0..requests).find(|n| {
        let now = at(begin + 200 * n);
        let ended = if chance.per_mille(per_mille) { Ended::Failed } else { ANSWERED };
        attempt(table, &store, "a", ended, now);
        table.view("a", now).circuit != Circuit::Closed
    })
}

#[test]
fn a_target_that_always_fails_now_and_then_is_measured_by_that() {
    let rules = json!({"error_rate": 0.05, "min_requests": 20, "failures": 1_000});
    for seed in 0..40 {
        let (mut table, mut chance) = (worker(1, &rules), Chance(seed));
        // Ten minutes of one failure in twenty, unknown before.
        let mut now = 0;
        for _ in 0..10 {
            opens(&mut table, &mut chance, now, 50, 300);
            now += 60_000;
        }
        table = {
            // As it is then, with a closed circuit.
            let (store, mut table) = (Memory::default(), table);
            while table.view("a", at(now)).circuit != Circuit::Closed {
                now += 300_000;
                attempt(&mut table, &store, "a", ANSWERED, at(now));
            }
            table
        };
        assert_eq!(opens(&mut table, &mut chance, now, 50, 3_000), None, "{seed}: as ever");
        now += 600_000;
        assert_eq!(opens(&mut table, &mut chance, now, 60, 3_000), None, "{seed}: hardly more");
        now += 600_000;
        let opened = opens(&mut table, &mut chance, now, 400, 300);
        assert!(opened.is_some_and(|requests| requests < 100), "{seed}: {opened:?}");
    }
}

#[test]
fn a_target_that_never_fails_is_opened_at_the_rate_that_was_configured() {
    for (per_mille, is_open) in [(700, true), (350, false)] {
        for seed in 0..20 {
            let (mut table, mut chance) = (worker(1, &json!({"failures": 1_000})), Chance(seed));
            assert_eq!(opens(&mut table, &mut chance, 0, 0, 1_000), None);
            let opened = opens(&mut table, &mut chance, 200_000, per_mille, 600);
            assert_eq!(opened.is_some(), is_open, "{per_mille} {seed}");
        }
    }
}

#[test]
fn each_opening_lasts_twice_as_long_up_to_the_longest() {
    let (store, mut table) = (Memory::default(), worker(7, &json!({"open": 10, "open_most": 60})));
    attempts(&mut table, &store, "FFFFF", 0);
    let mut now = 40;
    for seconds in [10, 20, 40, 60, 60] {
        let until = open_until(&table, "a", now).expect("open");
        let long = until - now;
        assert!(long <= seconds * 1_000 && long >= seconds * 900, "{seconds}: {long}");
        assert_eq!(open_until(&table, "a", until - 1), Some(until));
        assert_eq!(table.view("a", at(until)).circuit, Circuit::HalfOpen { may_probe: true });
        now = until;
        attempt(&mut table, &store, "a", Ended::TimedOut, at(now));
    }
}

#[test]
fn who_opens_again_soon_stays_open_longer_and_who_was_well_for_long_does_not() {
    for (well, seconds) in [(59_000, 20), (60_000, 10)] {
        let store = Memory::default();
        let (mut table, until) = opened(&store, &json!({"open": 10, "open_most": 60}));
        attempts(&mut table, &store, "AA", until);
        let closed = until + 10;
        assert_eq!(table.view("a", at(closed)).circuit, Circuit::Closed);
        for _ in 0..5 {
            attempt(&mut table, &store, "a", Ended::Failed, at(closed + well));
        }
        let long = open_until(&table, "a", closed + well).expect("open") - closed - well;
        assert!(long <= seconds * 1_000 && long >= seconds * 900, "{well}: {long}");
    }
}

#[test]
fn gateways_that_see_the_same_do_not_try_again_at_the_same_time() {
    let mut times: Vec<_> = (0..20)
        .map(|number| {
            let (store, mut table) = (Memory::default(), worker(number, &json!({})));
            attempts(&mut table, &store, "FFFFF", 0);
            open_until(&table, "a", 40).expect("open")
        })
        .collect();
    times.sort_unstable();
    times.dedup();
    assert!(times.len() > 15, "{times:?}");
}

#[test]
fn who_is_limited_is_left_alone_exactly_as_long_as_it_says() {
    for (retry_after_ms, long) in [
        (Some(7_300), 7_300),
        (Some(1), 1),
        (Some(0), 0),
        // No longer than a circuit may be open.
        (Some(3_600_000), 300_000),
        (Some(u64::MAX), 300_000),
        (None, 1_000),
    ] {
        let (store, mut table) = (Memory::default(), worker(1, &json!({})));
        attempt(&mut table, &store, "a", Ended::Limited { retry_after_ms }, at(50));
        if long > 0 {
            assert_eq!(open_until(&table, "a", 50 + long - 1), Some(50 + long), "{retry_after_ms:?}");
        }
        // It is closed then, without anybody having tried.
        let view = table.view("a", at(50 + long));
        assert_eq!((view.circuit, view.outcomes, view.success), (Circuit::Closed, 0, 1.0));
    }
}

#[test]
fn being_limited_is_no_failure_nor_the_end_of_them() {
    let (store, mut table) = (Memory::default(), worker(1, &json!({})));
    for n in 0..50 {
        attempt(&mut table, &store, "a", limited(10), at(20 * n));
        assert_eq!(table.view("a", at(20 * n + 10)).circuit, Circuit::Closed);
    }
    attempts(&mut table, &store, "FFFF", 2_000);
    attempt(&mut table, &store, "a", limited(10), at(2_100));
    assert_eq!(table.view("a", at(2_200)).circuit, Circuit::Closed);
    attempts(&mut table, &store, "F", 2_300);
    assert!(open_until(&table, "a", 2_300).is_some());
}

#[test]
fn the_longest_of_several_waits_holds() {
    let (store, mut table) = (Memory::default(), worker(1, &json!({})));
    for (now, wait) in [(0, 30_000), (10, 5_000), (20, 40_000), (30, 1_000)] {
        attempt(&mut table, &store, "a", limited(wait), at(now));
    }
    assert_eq!(open_until(&table, "a", 40), Some(40_020));
    // An open circuit does not become shorter by it either.
    let (store, mut table) = (Memory::default(), worker(1, &json!({})));
    attempts(&mut table, &store, "FFFFF", 0);
    let until = open_until(&table, "a", 40).unwrap();
    attempt(&mut table, &store, "a", limited(100), at(50));
    assert_eq!(open_until(&table, "a", 60), Some(until));
    attempt(&mut table, &store, "a", limited(60_000), at(70));
    assert_eq!(open_until(&table, "a", 60_069), Some(60_070));
    assert_eq!(table.view("a", at(60_070)).circuit, Circuit::HalfOpen { may_probe: true });
}

#[test]
fn a_cluster_without_a_healthy_host_is_open_while_that_is_news() {
    for (healthy, total, is_open) in [(0, 2, true), (1, 2, false), (2, 2, false), (0, 0, false)] {
        let mut table = worker(1, &json!({}));
        table.envoy("openai", healthy, total, at(0));
        let open = ["a", "b", "openai/c"].map(|target| open_until(&table, target, 10).is_some());
        assert_eq!(open, [is_open, false, is_open], "{healthy} of {total}");
        assert_eq!(table.view("a", at(15_000)).circuit, Circuit::Closed, "it is no news any more");
    }
    let mut table = worker(1, &json!({}));
    table.envoy("openai", 0, 2, at(0));
    table.envoy("openai", 1, 2, at(500));
    assert_eq!(table.view("a", at(500)).circuit, Circuit::Closed);
    // What Envoy says does not close what has failed.
    let store = Memory::default();
    let (mut table, until) = opened(&store, &json!({}));
    table.envoy("openai", 2, 2, at(500));
    assert_eq!(open_until(&table, "a", 500), Some(until));
}

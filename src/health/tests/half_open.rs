//! How a circuit closes again, and what is tried meanwhile.

use super::*;

/// Arranges `a` before `b`: whether `a` comes first, and by which probe.
fn first(table: &mut Table, store: &Memory, now: u64) -> (bool, Option<Probe>) {
    let arranged = table.arrange(store, &["a", "b"], at(now));
    (arranged.order == [0, 1], arranged.probe)
}

#[test]
fn an_open_target_is_skipped_and_tried_when_nothing_else_is_left() {
    let store = Memory::default();
    let (mut table, until) = opened(&store, &json!({}));
    attempt(&mut table, &store, "b", limited(5_000), at(0));
    for (targets, order, usable) in [
        (&["a", "openai/c"][..], vec![1, 0], 1),
        (&["openai/c", "a"], vec![0, 1], 1),
        // The one first that will be back first.
        (&["a", "b", "openai/c"], vec![2, 1, 0], 1),
        (&["a", "b"], vec![1, 0], 0),
        (&["a"], vec![0], 0),
        (&["a", "openai/c", "a"], vec![1, 0, 2], 1),
        (&[], vec![], 0),
    ] {
        let arranged = table.arrange(&store, targets, at(10));
        assert_eq!((arranged.order, arranged.usable, arranged.probe), (order, usable, None), "{targets:?}");
    }
    assert!(until > 5_000);
}

#[test]
fn half_open_it_is_tried_by_as_many_as_allowed_and_only_where_it_would_come_first() {
    for probes in 1..=3 {
        let store = Memory::default();
        let (mut table, until) = opened(&store, &json!({"probes": probes}));
        let version = |store: &Memory| store.get("health").unwrap().1;
        let before = version(&store);
        let arranged = table.arrange(&store, &["b", "a"], at(until));
        assert_eq!((arranged.order, arranged.usable, arranged.probe), (vec![0, 1], 1, None));
        for _ in 0..probes {
            let (comes_first, probe) = first(&mut table, &store, until);
            assert!(comes_first && probe.is_some());
        }
        assert_ne!(version(&store), before, "the others know of it");
        let before = version(&store);
        assert_eq!(first(&mut table, &store, until), (false, None));
        assert_eq!(version(&store), before, "and nobody is asked in vain");
        assert_eq!(table.view("a", at(until)).circuit, Circuit::HalfOpen { may_probe: false });
    }
}

#[test]
fn among_several_that_are_half_open_one_is_tried() {
    let (store, mut table) = (Memory::default(), worker(1, &json!({})));
    for target in ["a", "b"] {
        (0..5).for_each(|_| attempt(&mut table, &store, target, Ended::Failed, at(0)));
    }
    let arranged = table.arrange(&store, &["a", "b", "openai/c"], at(10_000));
    assert_eq!((arranged.order, arranged.usable), (vec![0, 2, 1], 2));
    // The first has no place left, so it is the second's turn.
    let arranged = table.arrange(&store, &["a", "b", "openai/c"], at(10_000));
    assert_eq!((&arranged.order[..], arranged.usable, arranged.probe.is_some()), (&[1, 2, 0][..], 2, true));
    let arranged = table.arrange(&store, &["a", "b"], at(10_000));
    assert_eq!((arranged.order, arranged.usable, arranged.probe), (vec![0, 1], 0, None));
}

/// Lets probes come, in this order, as soon as the one before has ended: answered, failed, limited, refused or cancelled.
fn probe(table: &mut Table, store: &Memory, letters: &str, now: u64) {
    for letter in letters.chars() {
        let (_, probe) = first(table, store, now);
        assert!(probe.is_some(), "{letters}: a place was free");
        let trial = table.begin("a", true, probe, at(now));
        let ended = match letter {
            'A' => ANSWERED,
            'F' => Ended::Failed,
            'r' => Ended::Untold,
            _ => Ended::Untold,
        };
        assert!(table.record(trial, ended, at(now)), "the others should know");
        table.exchange(store, at(now)).unwrap();
    }
}

#[test]
fn so_many_answers_close_it_and_one_failure_opens_it_for_longer() {
    for (successes, letters, closed) in [
        (1, "A", true),
        (2, "A", false),
        (2, "AA", true),
        (3, "AAA", true),
        // What says nothing of the target gives the place back, and is all it does.
        (2, "rcArcA", true),
        (2, "rcrcrc", false),
    ] {
        let store = Memory::default();
        let (mut table, until) = opened(&store, &json!({"successes": successes}));
        probe(&mut table, &store, letters, until);
        let expected = if closed { Circuit::Closed } else { Circuit::HalfOpen { may_probe: true } };
        assert_eq!(table.view("a", at(until)).circuit, expected, "{successes} {letters}");
    }
    for letters in ["F", "AF", "rcAcF"] {
        let store = Memory::default();
        let (mut table, until) = opened(&store, &json!({}));
        probe(&mut table, &store, letters, until);
        let long = open_until(&table, "a", until).expect("open") - until;
        assert!((18_000..=20_000).contains(&long), "{letters}: {long}");
        // The answer before the failure counts no more.
        probe(&mut table, &store, "A", until + long);
        assert_ne!(table.view("a", at(until + long)).circuit, Circuit::Closed, "{letters}");
    }
}

#[test]
fn a_probe_that_is_limited_gives_its_place_back() {
    let store = Memory::default();
    let (mut table, until) = opened(&store, &json!({}));
    let (_, probe) = first(&mut table, &store, until);
    let trial = table.begin("a", true, probe, at(until));
    assert!(table.record(trial, limited(3_000), at(until)));
    assert_eq!(open_until(&table, "a", until), Some(until + 3_000));
    assert_eq!(table.view("a", at(until + 3_000)).circuit, Circuit::HalfOpen { may_probe: true });
}

#[test]
fn what_began_before_the_circuit_changed_says_nothing_of_it() {
    // Twenty hang; five of them time out, and the circuit opens.
    let store = Memory::default();
    let (mut table, until) = opened(&store, &json!({}));
    let late = |table: &mut Table, ended: Ended, now: u64| {
        let (began, now) = (Timestamp::from_millis(at(0).millis() - 1), at(now));
        lasting(table, &store, "a", ended, (began, now));
    };
    (0..5).for_each(|_| late(&mut table, ANSWERED, 100));
    assert_eq!(open_until(&table, "a", 100), Some(until), "late answers do not close it");
    late(&mut table, Ended::TimedOut, until + 1);
    assert_eq!(
        table.view("a", at(until + 1)).circuit,
        Circuit::HalfOpen { may_probe: true },
        "nor open it again"
    );
    probe(&mut table, &store, "AA", until + 2);
    (0..10).for_each(|_| late(&mut table, Ended::TimedOut, until + 3));
    assert_eq!(table.view("a", at(until + 3)).circuit, Circuit::Closed, "nor when it has closed");
    assert_eq!(table.view("a", at(until + 3)).outcomes, 5 + 5 + 1 + 2 + 10, "but they are counted");
}

#[test]
fn an_answer_of_the_last_resort_counts() {
    let store = Memory::default();
    let (mut table, until) = opened(&store, &json!({}));
    attempts(&mut table, &store, "AFA", 100);
    assert_eq!(
        open_until(&table, "a", 200),
        Some(until),
        "two in a row are needed, and failures change nothing"
    );
    attempts(&mut table, &store, "A", 300);
    assert_eq!(table.view("a", at(300)).circuit, Circuit::Closed);
}

#[test]
fn the_place_of_a_worker_that_is_gone_comes_back_and_that_of_one_at_work_stays_its() {
    let store = Memory::default();
    let (mut table, until) = opened(&store, &json!({}));
    let mut other = worker(2, &json!({}));
    let (_, held) = first(&mut table, &store, until);
    for second in 1..60 {
        let now = until + 1_000 * second;
        table.exchange(&store, at(now)).unwrap();
        other.exchange(&store, at(now)).unwrap();
        assert_eq!(first(&mut other, &store, now), (false, None), "{second}");
    }
    // From here on nothing is heard of it.
    let gone = until + 59_000;
    for (later, free) in [(14_999, false), (15_000, true)] {
        other.exchange(&store, at(gone + later)).unwrap();
        let expected = Circuit::HalfOpen { may_probe: free };
        assert_eq!(other.view("a", at(gone + later)).circuit, expected, "{later}");
    }
    // It was only asleep: what came of it counts all the same.
    assert!(first(&mut other, &store, gone + 15_000).0);
    let trial = table.begin("a", true, held, at(until));
    assert!(table.record(trial, Ended::Failed, at(gone + 16_000)));
    table.exchange(&store, at(gone + 16_000)).unwrap();
    assert!(open_until(&table, "a", gone + 16_000).is_some());
}

#[test]
fn the_place_is_given_back_by_whichever_vm_sees_the_end() {
    let store = Memory::default();
    let (mut gateway, until) = opened(&store, &json!({}));
    let mut provider = worker(2, &json!({}));
    provider.exchange(&store, at(until)).unwrap();
    let (_, probe) = first(&mut gateway, &store, until);
    let trial = provider.begin("a", true, probe, at(until));
    assert!(provider.record(trial, ANSWERED, at(until + 500)));
    provider.exchange(&store, at(until + 500)).unwrap();
    gateway.exchange(&store, at(until + 1_000)).unwrap();
    assert_eq!(gateway.view("a", at(until + 1_000)).circuit, Circuit::HalfOpen { may_probe: true });
    // Nor does the gateway's go on saying that it holds it.
    assert!(first(&mut provider, &store, until + 1_000).0);
}

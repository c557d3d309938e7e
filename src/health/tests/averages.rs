//! How fast and how reliable a target is.

use super::*;

fn near(found: f32, expected: f32) -> bool {
    (found - expected).abs() <= 0.005 * expected.max(1.0)
}

fn mean(latency: Option<Latency>) -> f32 {
    latency.map_or(f32::NAN, |latency| latency.mean_ms)
}

/// A stream whose first token comes after a time, and which ends after another one.
fn stream(table: &mut Table, begin: u64, first: u64, end: u64, ended: Ended) {
    let mut trial = table.begin("a", true, None, at(begin));
    table.first_token(&mut trial, at(begin + first));
    let _ = table.record(trial, ended, at(begin + end));
}

#[test]
fn streams_are_measured_to_their_first_token_and_whole_answers_to_their_end() {
    let mut table = worker(1, &json!({}));
    stream(&mut table, 0, 300, 2_280, Ended::Answered { tokens: 100 });
    let view = table.view("a", at(2_280));
    assert!(near(mean(view.first_token), 300.0) && near(mean(view.per_token), 20.0), "{view:?}");
    assert_eq!(view.total, None);

    let trial = table.begin("b", false, None, at(0));
    let _ = table.record(trial, Ended::Answered { tokens: 100 }, at(4_000));
    let view = table.view("b", at(4_000));
    assert!(near(mean(view.total), 4_000.0), "{view:?}");
    assert_eq!((view.first_token, view.per_token), (None, None));
}

#[test]
fn the_first_token_is_known_while_the_stream_flows_and_counts_once() {
    let mut table = worker(1, &json!({}));
    let mut trial = table.begin("a", true, None, at(0));
    table.first_token(&mut trial, at(300));
    table.first_token(&mut trial, at(500));
    let seen = table.view("a", at(500)).first_token.unwrap();
    assert!(near(seen.mean_ms, 300.0) && near(seen.samples, 1.0), "{seen:?}");
    let _ = table.record(trial, Ended::Failed, at(60_000));
    let seen = table.view("a", at(60_000));
    assert!(seen.first_token.unwrap().samples < 1.0 && seen.per_token.is_none(), "{seen:?}");
}

#[test]
fn what_took_too_long_is_as_slow_as_that() {
    for (is_stream, ended, first_token, total) in [
        (true, Ended::TimedOut, Some(30_000.0), None),
        (false, Ended::TimedOut, None, Some(30_000.0)),
        (true, Ended::Failed, None, None),
        (false, Ended::Untold, None, None),
    ] {
        let mut table = worker(1, &json!({}));
        let trial = table.begin("a", is_stream, None, at(0));
        let _ = table.record(trial, ended, at(30_000));
        let view = table.view("a", at(30_000));
        let means = [view.first_token, view.total].map(|latency| latency.map(|latency| latency.mean_ms));
        assert_eq!(means, [first_token, total], "{is_stream} {ended:?}");
    }
}

#[test]
fn answers_are_as_long_as_lately_on_average() {
    let (store, mut table) = (Memory::default(), worker(1, &json!({})));
    assert_eq!(table.view("a", at(0)).tokens, None);
    for tokens in [100, 0, 300] {
        attempt(&mut table, &store, "a", Ended::Answered { tokens }, at(0));
    }
    attempt(&mut table, &store, "a", Ended::Failed, at(0));
    assert_eq!(table.view("a", at(0)).tokens, Some(200.0), "what nobody counted is not counted");
}

#[test]
fn lengths_that_nobody_knows_give_no_pace() {
    for tokens in [0, 1] {
        let mut table = worker(1, &json!({}));
        stream(&mut table, 0, 300, 900, Ended::Answered { tokens });
        assert_eq!(table.view("a", at(900)).per_token, None);
    }
}

#[test]
fn what_was_seen_counts_half_after_a_half_life() {
    let (store, mut table) = (Memory::default(), worker(1, &json!({"half_life": 10, "failures": 100})));
    attempts(&mut table, &store, "FFFF", 0);
    for (later, samples) in [(30, 4.0), (10_030, 2.0), (20_030, 1.0)] {
        assert!(near(table.view("a", at(later)).samples, samples), "{later}");
    }
    attempts(&mut table, &store, "AAA", 20_030);
    let view = table.view("a", at(20_030));
    assert!(near(view.success, 0.75) && view.outcomes == 7, "{view:?}");
    assert_eq!(view.last_seen, Some(at(20_050)));
}

#[test]
fn an_idle_target_is_forgotten_but_not_that_it_was_there() {
    let mut table = worker(1, &json!({}));
    stream(&mut table, 0, 300, 900, Ended::Failed);
    stream(&mut table, 3_600_000, 0, 0, Ended::Untold);
    let view = table.view("a", at(3_600_000));
    assert_eq!((view.success, view.first_token, view.outcomes), (1.0, None, 1));
}

#[test]
fn a_slow_sample_of_one_worker_is_a_peak_for_all() {
    let store = Memory::default();
    let mut workers = [worker(1, &json!({})), worker(2, &json!({}))];
    let [seer, other] = &mut workers;
    for n in 0..40 {
        stream(other, 1_000 * n, 200, 800, ANSWERED);
    }
    stream(seer, 38_000, 2_000, 2_500, ANSWERED);
    for _ in 0..2 {
        other.exchange(&store, at(41_000)).unwrap();
        seer.exchange(&store, at(41_000)).unwrap();
    }
    for table in workers {
        let seen = table.view("a", at(41_000)).first_token.unwrap();
        assert!(seen.peak_ms > 1_700.0 && seen.mean_ms < 350.0, "{seen:?}");
    }
}

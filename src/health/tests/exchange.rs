//! What workers tell each other: everything, once, whatever races are lost.

use super::*;
use crate::config::Config;
use crate::store::tests::{Racing, Rival};
use crate::store::{Conflict, Contended, Expected, Version};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};

/// Rules by which nothing opens.
fn patient() -> Value {
    json!({"failures": 1_000_000, "min_requests": 1_000_000})
}

struct Borrowed<'a>(&'a dyn Store);

impl Store for Borrowed<'_> {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.0.get(key)
    }

    fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), Conflict> {
        self.0.set(key, value, expected)
    }
}

/// A store in which somebody else always writes first.
struct Hopeless<'a>(&'a Memory, Cell<usize>);

impl Store for Hopeless<'_> {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.0.get(key)
    }

    fn set(&self, _: &str, _: &[u8], _: Expected) -> Result<(), Conflict> {
        self.1.set(self.1.get() + 1);
        Err(Conflict)
    }
}

/// What is known of a target, whoever has seen it.
fn known(table: &Table, target: &str, now: Timestamp) -> View {
    View { begun: 0, ..table.view(target, now) }
}

#[test]
fn a_worker_learns_at_its_next_exchange_what_another_saw() {
    let store = Memory::default();
    let (mut seer, mut other) = (worker(1, &json!({})), worker(2, &json!({})));
    attempts(&mut seer, &store, "FFFFF", 0);
    attempt(&mut seer, &store, "b", limited(7_300), at(40));
    assert_eq!(other.view("a", at(50)).circuit, Circuit::Closed);
    other.exchange(&store, at(1_000)).unwrap();
    assert_eq!(open_until(&other, "a", 1_000), open_until(&seer, "a", 1_000));
    assert_eq!(open_until(&other, "b", 1_000), Some(7_340), "to the millisecond");
    for target in ["a", "b", "openai/c"] {
        assert_eq!(known(&other, target, at(1_000)), known(&seer, target, at(1_000)), "{target}");
    }
}

#[test]
fn failures_in_a_row_are_in_a_row_whoever_sees_them() {
    for (letters, is_open) in [(["FF", "FFF"], true), (["FF", "FF"], false), (["FFF", "AFF"], false)] {
        let store = Memory::default();
        let mut workers = [worker(1, &json!({})), worker(2, &json!({}))];
        for (table, letters) in workers.iter_mut().zip(letters) {
            attempts(table, &store, letters, 0);
            table.exchange(&store, at(1_000)).unwrap();
        }
        let [_, last] = &workers;
        assert_eq!(open_until(last, "a", 1_000).is_some(), is_open, "{letters:?}");
    }
}

#[test]
fn two_that_open_a_circuit_at_the_same_time_open_it_once() {
    let store = Memory::default();
    let mut workers = [worker(1, &json!({})), worker(2, &json!({}))];
    for table in &mut workers {
        // Neither has heard of the other.
        for _ in 0..5 {
            let trial = table.begin("a", false, None, at(0));
            let _ = table.record(trial, Ended::Failed, at(0));
        }
    }
    for table in &mut workers {
        table.exchange(&store, at(10)).unwrap();
    }
    let [first, second] = workers.map(|table| open_until(&table, "a", 10).unwrap());
    assert_eq!(first, second);
    assert!(first <= 10_000, "not for the second time");
}

#[test]
fn what_can_wait_is_no_news_and_what_matters_at_once_is() {
    let mut table = worker(1, &json!({}));
    let mut urgent = |ended: Ended, now: u64| {
        let trial = table.begin("a", false, None, at(now));
        table.record(trial, ended, at(now))
    };
    for (ended, now, expected) in [
        (ANSWERED, 0, false),
        (Ended::Failed, 1, false),
        (Ended::Untold, 2, false),
        (limited(5_000), 10, true),
        // The others know of it, and of this a second later.
        (limited(5_000), 20, false),
        (limited(4_000), 30, false),
        (limited(9_000), 40, true),
        (limited(5_000), 9_040, true),
    ] {
        assert_eq!(urgent(ended, now), expected, "{ended:?} {now}");
    }
    let opening: Vec<_> = (0..7).map(|n| urgent(Ended::Failed, 20_000 + n)).collect();
    assert_eq!(opening, [false, false, false, true, false, false, false], "it was one failure already");
    let many = (0..300).filter(|n| urgent(Ended::Untold, 21_000 + n)).count();
    assert!(many > 0, "there is much to be told");
}

#[test]
fn who_has_nothing_to_tell_writes_nothing() {
    let store = Memory::default();
    let (mut seer, mut other) = (worker(1, &json!({})), worker(2, &json!({})));
    attempts(&mut seer, &store, "A", 0);
    seer.exchange(&store, at(1_000)).unwrap();
    let version = store.get("health").unwrap().1;
    for second in 1..5 {
        seer.exchange(&store, at(1_000 * second)).unwrap();
        other.exchange(&store, at(1_000 * second)).unwrap();
    }
    assert_eq!(store.get("health").unwrap().1, version);
}

#[test]
fn what_cannot_be_told_is_acted_on_all_the_same_and_told_later_once() {
    let memory = Memory::default();
    let (mut table, mut other) = (worker(1, &json!({})), worker(2, &json!({})));
    attempt(&mut other, &memory, "b", ANSWERED, at(0));
    other.exchange(&memory, at(0)).unwrap();
    let store = Hopeless(&memory, Cell::new(0));
    for n in 0..5 {
        let trial = table.begin("a", false, None, at(n));
        if table.record(trial, Ended::Failed, at(n)) {
            assert_eq!(table.exchange(&store, at(n)), Err(Contended));
        }
    }
    assert_eq!(store.1.get(), 32, "it is bounded");
    assert!(open_until(&table, "a", 5).is_some());
    let until = open_until(&table, "a", 5).unwrap();
    assert_eq!(
        table.arrange(&store, &["a", "b"], at(until)).order,
        [1, 0],
        "a probe that is not granted is none"
    );
    for _ in 0..3 {
        table.exchange(&memory, at(until)).unwrap();
        other.exchange(&memory, at(until)).unwrap();
    }
    assert_eq!(other.view("a", at(until)).outcomes, 5);
    assert_eq!(table.view("b", at(until)).outcomes, 1);
}

#[test]
fn what_waits_to_be_told_is_bounded() {
    let memory = Memory::default();
    let mut table = worker(1, &patient());
    for n in 0..3_000 {
        let trial = table.begin("a", false, None, at(n));
        let _ = table.record(trial, ANSWERED, at(n));
    }
    assert_eq!(table.view("a", at(3_000)).outcomes, 3_000);
    // Somebody else is there, so that only what waited is told.
    attempt(&mut worker(2, &patient()), &memory, "a", ANSWERED, at(0));
    let mut other = worker(3, &patient());
    attempt(&mut other, &memory, "a", ANSWERED, at(0));
    other.exchange(&memory, at(0)).unwrap();
    table.exchange(&memory, at(3_000)).unwrap();
    assert_eq!(table.view("a", at(3_000)).outcomes, 1_025);
}

/// What somebody does.
#[derive(Debug, Clone)]
struct Act {
    who: usize,
    target: &'static str,
    failed: bool,
    /// Milliseconds after the one before.
    gap: u64,
    lasts: u64,
    /// Who exchanges after it, and who writes before their writing.
    exchange: Option<(usize, Vec<usize>)>,
}

const WORKERS: usize = 4;

fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    let exchange = prop::option::of((0..WORKERS, prop::collection::vec(0..WORKERS, 0..4)));
    let act =
        (0..WORKERS, prop_oneof![Just("a"), Just("b")], any::<bool>(), 0..3_000_u64, 1..5_000_u64, exchange);
    let act = act.prop_map(|(who, target, failed, gap, lasts, exchange)| Act {
        who,
        target,
        failed,
        gap,
        lasts,
        exchange,
    });
    prop::collection::vec(act, 1..most)
}

/// Exchanges, while each writing is preceded by one of the rivals'.
fn exchange(workers: &[RefCell<Table>], who: usize, rivals: &[usize], memory: &Memory, now: Timestamp) {
    let rivals = rivals.iter().filter(|rival| **rival != who).map(|rival| -> Option<Rival<'_>> {
        Some(Box::new(move |store| workers[*rival].borrow_mut().exchange(store, now).unwrap()))
    });
    let racing = Racing::new(Borrowed(memory), rivals.chain([None]));
    workers[who].borrow_mut().exchange(&racing, now).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Against one who sees everything.
    #[test]
    fn nothing_is_counted_twice_and_nothing_is_lost(story in acts(30)) {
        let memory = Memory::default();
        let workers: Vec<_> = (0..WORKERS as u64).map(|n| RefCell::new(worker(n, &patient()))).collect();
        let mut seer = worker(9, &patient());
        let (mut now, mut counts) = (0, [0, 0]);
        for act in &story {
            now += act.gap;
            let ended = if act.failed { Ended::TimedOut } else { ANSWERED };
            for table in [&mut *workers[act.who].borrow_mut(), &mut seer] {
                let trial = table.begin(act.target, false, None, at(now));
                let _ = table.record(trial, ended, at(now + act.lasts));
            }
            now += act.lasts;
            counts[usize::from(act.target == "b")] += 1;
            if let Some((who, rivals)) = &act.exchange {
                exchange(&workers, *who, rivals, &memory, at(now));
            }
        }
        for _ in 0..2 {
            (0..WORKERS).for_each(|who| exchange(&workers, who, &[], &memory, at(now)));
        }
        for (target, count) in [("a", counts[0]), ("b", counts[1])] {
            let expected = known(&seer, target, at(now));
            prop_assert_eq!(expected.outcomes, count);
            for table in &workers {
                let view = known(&table.borrow(), target, at(now));
                prop_assert_eq!((view.outcomes, view.last_seen), (count, expected.last_seen));
                let both = [
                    (view.samples, expected.samples),
                    (view.success, expected.success),
                    (
                        view.total.map_or(0.0, |latency| latency.mean_ms),
                        expected.total.map_or(0.0, |latency| latency.mean_ms),
                    ),
                ];
                for (found, expected) in both {
                    prop_assert!((found - expected).abs() <= 0.01 * expected.max(0.01), "{view:?} {expected:?}");
                }
            }
        }
    }

    /// Also circuits: what all know in the end is one thing.
    #[test]
    fn in_the_end_all_know_the_same(story in acts(60)) {
        let memory = Memory::default();
        let rules = json!({"failures": 3, "open": 2, "min_requests": 5});
        let workers: Vec<_> = (0..WORKERS as u64).map(|n| RefCell::new(worker(n, &rules))).collect();
        let mut now = 0;
        for act in &story {
            now += act.gap;
            let table = &workers[act.who];
            let probe = table.borrow_mut().arrange(&memory, &[act.target, "openai/c"], at(now)).probe;
            let trial = table.borrow_mut().begin(act.target, true, probe, at(now));
            let ended = if act.failed { Ended::Failed } else { ANSWERED };
            if table.borrow_mut().record(trial, ended, at(now)) {
                exchange(&workers, act.who, &[], &memory, at(now));
            }
            if let Some((who, rivals)) = &act.exchange {
                exchange(&workers, *who, rivals, &memory, at(now));
            }
        }
        for _ in 0..2 {
            (0..WORKERS).for_each(|who| exchange(&workers, who, &[], &memory, at(now)));
        }
        for target in ["a", "b"] {
            let [first, others @ ..] = &workers[..] else { panic!("several workers") };
            let expected = known(&first.borrow(), target, at(now));
            for other in others {
                prop_assert_eq!(known(&other.borrow(), target, at(now)), expected);
            }
        }
    }

    /// Whatever is in the store.
    #[test]
    fn a_value_that_cannot_be_read_is_made_again_from_what_is_known(
        garbage in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..600),
            (0..400_usize).prop_map(|length| {
                let store = Memory::default();
                let _ = opened(&store, &json!({}));
                store.entries()[0].1.iter().copied().take(length).collect()
            }),
            (prop_oneof![Just(0_u8), 2..=255_u8]).prop_map(|version| vec![version; 200]),
        ],
    ) {
        let memory = Memory::default();
        let (mut table, until) = opened(&memory, &json!({}));
        let is_whole = memory.entries()[0].1 == garbage;
        memory.set("health", &garbage, Expected::Anything).unwrap();
        attempt(&mut table, &memory, "b", ANSWERED, at(10));
        table.exchange(&memory, at(10)).unwrap();
        let mut other = worker(2, &json!({}));
        other.exchange(&memory, at(20)).unwrap();
        prop_assert_eq!(open_until(&other, "a", 20), Some(until));
        prop_assert_eq!(other.view("a", at(20)).outcomes, 5, "{}", is_whole);
        prop_assert_eq!(other.view("b", at(20)).outcomes, 1);
    }

    /// Some of which can be read, and says anything.
    #[test]
    fn a_value_with_other_bits_in_it_is_survived(at_byte in 0..400_usize, bit in 0..8_u32) {
        let memory = Memory::default();
        let (mut table, _) = opened(&memory, &json!({}));
        let mut bytes = memory.entries()[0].1.clone();
        let at_byte = at_byte % bytes.len();
        bytes[at_byte] ^= 1 << bit;
        memory.set("health", &bytes, Expected::Anything).unwrap();
        for n in 0..10 {
            attempt(&mut table, &memory, "a", ANSWERED, at(1_000 * n));
            table.exchange(&memory, at(1_000 * n)).unwrap();
            table.arrange(&memory, &["a", "b"], at(1_000 * n));
            let view = table.view("a", at(1_000 * n));
            prop_assert!((0.0..=1.0).contains(&view.success) && view.samples.is_finite(), "{view:?}");
        }
    }
}

#[test]
fn a_reload_keeps_what_is_known_and_another_workers_targets() {
    let store = Memory::default();
    let (mut table, until) = opened(&store, &json!({}));
    let mut other = worker(2, &json!({}));
    let trial = table.begin("b", false, None, at(0));
    let _ = table.record(trial, ANSWERED, at(100));
    // The other worker's configuration has other targets, and other rules.
    let document = json!({
        "providers": {"openai": {"allow_unlisted": true}},
        "models": {"a": {"provider": "openai"}, "d": {"provider": "openai"}},
        "auth": {"anonymous": {"consumer": "anyone"}},
        "health": {"window": 60, "open": 1},
    });
    other.adopt(&Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned())).unwrap());
    table.adopt(&config(&json!({"failures": 7})));
    assert_eq!(open_until(&table, "a", 100), Some(until));
    table.exchange(&store, at(200)).unwrap();
    for now in [300, 400] {
        attempt(&mut other, &store, "d", ANSWERED, at(now));
        attempt(&mut other, &store, "a", ANSWERED, at(now));
        other.exchange(&store, at(now)).unwrap();
    }
    assert_eq!(other.view("a", at(400)).circuit, Circuit::Closed, "after two answers");
    assert_eq!(other.view("b", at(400)), View::default());
    table.exchange(&store, at(500)).unwrap();
    assert_eq!(table.view("b", at(500)).outcomes, 1, "what was noted before is told");
    assert_eq!(table.view("a", at(500)).outcomes, 7);
    // A new worker, as after a crash, knows all of it with its first exchange.
    let mut new = worker(3, &json!({}));
    new.exchange(&store, at(600)).unwrap();
    assert_eq!(known(&new, "b", at(600)), known(&table, "b", at(600)));
}

#[test]
fn what_nobody_has_seen_for_an_hour_is_forgotten() {
    let store = Memory::default();
    let mut table = worker(1, &json!({}));
    for target in ["a", "b"] {
        attempt(&mut table, &store, target, ANSWERED, at(0));
    }
    table.exchange(&store, at(0)).unwrap();
    let document = json!({
        "providers": {"openai": {}},
        "models": {"a": {"provider": "openai"}, "d": {"provider": "openai"}},
        "auth": {"anonymous": {"consumer": "anyone"}},
    });
    table.adopt(&Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned())).unwrap());
    for (now, known) in [(3_599_999, [1, 1]), (3_600_000, [1, 0])] {
        attempt(&mut table, &store, "a", ANSWERED, at(now));
        table.exchange(&store, at(now)).unwrap();
        let mut other = worker(2, &json!({}));
        other.exchange(&store, at(now)).unwrap();
        let seen = ["a", "b"].map(|target| other.view(target, at(now)).outcomes.min(1));
        assert_eq!(seen, known, "{now}");
    }
}

#[test]
fn a_hundred_targets_are_less_than_24_kb() {
    let store = Memory::default();
    let models: serde_json::Map<_, _> =
        (0..100).map(|n| (format!("model-{n:03}"), json!({"provider": "openai"}))).collect();
    let document = json!({
        "providers": {"openai": {}}, "models": models, "auth": {"anonymous": {"consumer": "anyone"}},
    });
    let mut table = Table::new(1);
    table.adopt(&Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned())).unwrap());
    for n in 0..100 {
        attempt(&mut table, &store, &format!("model-{n:03}"), ANSWERED, at(0));
    }
    table.exchange(&store, at(0)).unwrap();
    let [(_, value)] = &store.entries()[..] else { panic!("one value") };
    assert!((15_000..24_000).contains(&value.len()), "{}", value.len());
}

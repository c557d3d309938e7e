//! What circuits, averages and exchanges promise: by the book as tables, as properties, and as simulations of workers that
//! serve thousands of requests.

mod averages;
mod clock;
mod exchange;
mod half_open;
mod open;
mod simulation;

use super::*;
use crate::chance;
use crate::config::Config;
use crate::store::Store;
use crate::store::tests::Memory;
use serde_json::{Value, json};

/// A Wednesday noon.
pub(super) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_699_444_800_000 + millis)
}

/// Three targets, one of them unlisted and named by a route, with these rules.
pub(super) fn config(health: &Value) -> Config {
    let mut document = json!({
        "providers": {"openai": {"allow_unlisted": true}, "anthropic": {}},
        "models": {"a": {"provider": "openai"}, "b": {"provider": "anthropic"}},
        "routes": {"r": {"targets": [{"model": "a"}, {"model": "b"}, {"model": "openai/c"}, {"model": "a"}]}},
        "auth": {"anonymous": {"consumer": "anyone"}},
    });
    document["health"] = health.clone();
    Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned()))
        .unwrap_or_else(|problems| panic!("{problems}"))
}

pub(super) fn worker(number: u64, health: &Value) -> Table {
    let mut table = Table::new(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    table.adopt(&config(health));
    table
}

pub(super) const ANSWERED: Ended = Ended::Answered { tokens: 100 };

pub(super) const fn limited(retry_after_ms: u64) -> Ended {
    Ended::Limited { retry_after_ms: Some(retry_after_ms) }
}

/// An attempt that took no time, told at once where that matters.
pub(super) fn attempt(table: &mut Table, store: &dyn Store, target: &str, ended: Ended, now: Timestamp) {
    lasting(table, store, target, ended, (now, now));
}

/// An attempt from one time to another.
pub(super) fn lasting(
    table: &mut Table,
    store: &dyn Store,
    target: &str,
    ended: Ended,
    (began, ended_at): (Timestamp, Timestamp),
) {
    let trial = table.begin(target, false, None, began);
    if table.record(trial, ended, ended_at) {
        table.exchange(store, ended_at).unwrap();
    }
}

/// Attempts on `a`, 10 ms apart, each a letter: answered, failed, refused or cancelled.
pub(super) fn attempts(table: &mut Table, store: &dyn Store, letters: &str, begin: u64) {
    for (n, letter) in letters.chars().enumerate() {
        let ended = match letter {
            'A' => ANSWERED,
            'F' => Ended::Failed,
            'r' => Ended::Untold,
            'c' => Ended::Untold,
            letter => panic!("{letter}"),
        };
        attempt(table, store, "a", ended, at(begin + 10 * n as u64));
    }
}

/// Until when a circuit is open, in milliseconds after the beginning.
pub(super) fn open_until(table: &Table, target: &str, now: u64) -> Option<u64> {
    match table.view(target, at(now)).circuit {
        Circuit::Open { until } => Some(until.since(at(0))),
        _ => None,
    }
}

/// A table whose circuit of `a` has opened at the beginning.
pub(super) fn opened(store: &Memory, health: &Value) -> (Table, u64) {
    let mut table = worker(1, health);
    for _ in 0..5 {
        attempt(&mut table, store, "a", Ended::Failed, at(0));
    }
    let until = open_until(&table, "a", 0).expect("open");
    (table, until)
}

/// Numbers that look like chance, the same every time.
pub(super) struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        chance::next(&mut self.0)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True in so many of a thousand cases.
    pub fn per_mille(&mut self, share: u64) -> bool {
        self.below(1_000) < share
    }
}

#[test]
fn a_target_is_whatever_model_the_configuration_names_and_no_other() {
    let (store, mut table) = (Memory::default(), worker(1, &json!({})));
    for target in ["a", "b", "openai/c", "openai/d", "anthropic/b", "r", ""] {
        attempt(&mut table, &store, target, ANSWERED, at(0));
        let expected = u32::from(matches!(target, "a" | "b" | "openai/c"));
        assert_eq!(table.view(target, at(0)).outcomes, expected, "{target}");
    }
    table.exchange(&store, at(0)).unwrap();
    assert_eq!(store.entries().len(), 1, "everything is one value");
}

#[test]
fn where_nothing_is_watched_nothing_is_noted() {
    let (store, mut table) = (Memory::default(), worker(1, &json!("off")));
    attempts(&mut table, &store, "FFFFFFFFFF", 0);
    table.exchange(&store, at(1_000)).unwrap();
    assert_eq!(table.view("a", at(1_000)), View::default());
    assert_eq!(table.arrange(&store, &["a", "b"], at(0)).order, [0, 1]);
    assert!(store.entries().is_empty());
}

#[test]
fn what_is_under_way_is_known_to_its_worker() {
    let (store, mut table) = (Memory::default(), worker(1, &json!({})));
    let in_flight = |table: &Table| ["a", "b"].map(|target| table.view(target, at(0)).in_flight);
    let (first, second) = (table.begin("a", true, None, at(0)), table.begin("a", true, None, at(0)));
    assert_eq!(in_flight(&table), [2, 0]);
    assert!(!table.record(first, Ended::Untold, at(5)));
    table.exchange(&store, at(5)).unwrap();
    table.adopt(&config(&json!({})));
    assert_eq!(in_flight(&table), [1, 0], "whatever is exchanged or configured meanwhile");
    assert!(!table.record(second, ANSWERED, at(9)));
    assert_eq!(in_flight(&table), [0, 0]);
}

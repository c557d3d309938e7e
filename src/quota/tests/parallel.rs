//! Many workers at once: on threads, and with every race lost where it can be lost.

use super::*;
use crate::store::tests::{Memory, Racing, Rival};
use crate::store::{Conflict, Expected, Version};
use proptest::prelude::*;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

const WORKERS: u64 = 4;

/// Runs it on as many threads as there are workers, each with its own configuration, as in Envoy.
fn on_threads<T: Send>(limits: &Value, work: impl Fn(u64, Worker) -> T + Sync) -> Vec<T> {
    std::thread::scope(|threads| {
        let work = &work;
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| {
                let limits = limits.clone();
                threads.spawn(move || work(number, Worker::numbered(1_000 * number, &limits)))
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    })
}

/// Until the counter is won.
fn admit_at_last(worker: &Worker, store: &dyn Store, now: Timestamp) -> Answer {
    loop {
        match worker.admit(store, now) {
            Err(Retry::Contended) => std::thread::yield_now(),
            answer => return answer,
        }
    }
}

#[test]
fn of_parallel_requests_exactly_those_that_fit_are_admitted_for_each_kind() {
    for limit in each_kind(100) {
        let store = Memory::default();
        let admitted = on_threads(&json!([limit]), |_, worker| {
            let admitted = (0..50).filter_map(|_| admit_at_last(&worker, &store, at(0)).ok());
            // What is reserved stays so until all have asked.
            admitted.map(std::mem::forget).count()
        });
        assert_eq!(admitted.iter().sum::<usize>(), 100, "{limit}: {admitted:?}");
    }
}

#[test]
fn what_threads_settle_is_all_there_in_the_end_and_nothing_was_ever_too_much() {
    const SIZE: u64 = 3_000;
    let limits = json!([
        {"name": "a", "tokens": SIZE, "window": "day"},
        {"name": "b", "output_tokens": 1_000_000, "window": "day", "per": ["consumer"]},
        {"name": "c", "concurrent": 7, "per": ["model"]},
    ]);
    let (store, slots) = (Memory::default(), AtomicU64::new(0));
    // Never more than what the store says: added to after, and taken from before it is.
    let spent = AtomicU64::new(0);
    let settled = on_threads(&limits, |number, worker| {
        let mut settled = 0;
        for n in 0..200 {
            let Ok(mut reservation) = admit_at_last(&worker, &store, at(n)) else { continue };
            assert!(slots.fetch_add(1, Ordering::SeqCst) < 7);
            assert!(spent.fetch_add(100, Ordering::SeqCst) + 100 <= SIZE);
            let used = (n * 7 + number) % 100;
            slots.fetch_sub(1, Ordering::SeqCst);
            match n % 5 {
                0 => {
                    spent.fetch_sub(100, Ordering::SeqCst);
                    release(&store, reservation, at(n)).unwrap();
                }
                1 => {
                    spent.fetch_sub(100, Ordering::SeqCst);
                    // Also when there is no more, because it may finish.
                    let more = Actual { output: 5, ..Actual::default() };
                    extend(&store, &mut reservation, more, at(n)).unwrap();
                    let actual = Actual { input: 10, output: 5, ..Actual::default() };
                    settle(&store, reservation, actual, at(n)).unwrap();
                    spent.fetch_add(15, Ordering::SeqCst);
                    settled += 15;
                }
                _ => {
                    spent.fetch_sub(100 - used, Ordering::SeqCst);
                    let actual = Actual { input: used, ..Actual::default() };
                    settle(&store, reservation, actual, at(n)).unwrap();
                    settled += used;
                }
            }
        }
        settled
    });
    let worker = Worker::new(&limits);
    let left: Vec<_> = worker.remaining(&store, at(300)).into_iter().map(|(_, left)| left).collect();
    assert_eq!((left[0], left[2]), (SIZE - settled.iter().sum::<u64>(), 7));
    assert!(settled.iter().sum::<u64>() > SIZE / 2, "it was a test of something: {settled:?}");
}

/// What is done in a story with interruptions.
#[derive(Debug, Clone, Copy)]
enum Act {
    Admit,
    Settle { nth: usize, used: u64 },
    Release { nth: usize },
    Extend { nth: usize, more: u64 },
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Admit),
        2 => (0..9_usize, 0..150_u64).prop_map(|(nth, used)| Act::Settle { nth, used }),
        1 => (0..9_usize).prop_map(|nth| Act::Release { nth }),
        1 => (0..9_usize, 1..80_u64).prop_map(|(nth, more)| Act::Extend { nth, more }),
    ]
}

/// What has happened, told by those who did it.
#[derive(Default)]
struct Book {
    running: RefCell<Vec<(Reservation, u64)>>,
    reserved: Cell<u64>,
    settled: Cell<u64>,
}

impl Book {
    /// Does something, while each writing is preceded by one of the rivals' deeds.
    fn act(&self, worker: &Worker, store: &dyn Store, act: Act, rivals: &[Act]) {
        let rivals = rivals.iter().map(|rival| -> Option<Rival<'_>> {
            Some(Box::new(move |store| self.act(worker, store, *rival, &[])))
        });
        let racing = Racing::new(Borrowed(store), rivals);
        self.alone(worker, &racing, act);
    }

    fn take(&self, nth: usize) -> Option<(Reservation, u64)> {
        let mut running = self.running.borrow_mut();
        if nth < running.len() { Some(running.swap_remove(nth)) } else { None }
    }

    fn alone(&self, worker: &Worker, store: &dyn Store, act: Act) {
        match act {
            Act::Admit => {
                let Ok(reservation) = worker.admit(store, at(0)) else { return };
                self.running.borrow_mut().push((reservation, 100));
                self.reserved.set(self.reserved.get() + 100);
                assert!(self.reserved.get() + self.settled.get() <= SIZE, "admitted too much");
                assert!(self.running.borrow().len() <= SLOTS, "admitted too many");
            }
            Act::Settle { nth, used } => {
                let Some((reservation, amount)) = self.take(nth) else { return };
                let actual = Actual { input: used, ..Actual::default() };
                settle(store, reservation, actual, at(0)).unwrap();
                self.reserved.set(self.reserved.get() - amount);
                self.settled.set(self.settled.get() + used);
            }
            Act::Release { nth } => {
                let Some((reservation, amount)) = self.take(nth) else { return };
                release(store, reservation, at(0)).unwrap();
                self.reserved.set(self.reserved.get() - amount);
            }
            Act::Extend { nth, more } => {
                let Some((mut reservation, amount)) = self.take(nth) else { return };
                let actual = Actual { output: more, ..Actual::default() };
                let more = extend(store, &mut reservation, actual, at(0)).map_or(0, |()| more);
                self.running.borrow_mut().push((reservation, amount + more));
                self.reserved.set(self.reserved.get() + more);
            }
        }
    }
}

const SIZE: u64 = 1_000;
const SLOTS: usize = 6;

struct Borrowed<'a>(&'a dyn Store);

impl Store for Borrowed<'_> {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.0.get(key)
    }

    fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), Conflict> {
        self.0.set(key, value, expected)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whoever is interrupted in the middle of whatever by whatever.
    #[test]
    fn whatever_races_are_lost_nothing_is_admitted_too_much_and_nothing_is_lost(
        story in prop::collection::vec((acts(), prop::collection::vec(acts(), 0..5)), 1..40),
        on_exceed in prop_oneof![Just("stop"), Just("finish")],
    ) {
        let limits = json!([
            {"name": "slots", "concurrent": SLOTS},
            {"name": "tokens", "tokens": SIZE, "window": "day", "on_exceed": on_exceed},
        ]);
        let (worker, store, book) = (Worker::new(&limits), Memory::default(), Book::default());
        let _ = worker.ask(&store, at(0));
        for (act, rivals) in &story {
            book.act(&worker, &store, *act, rivals);
        }
        let left = worker.remaining(&store, at(0));
        let running = book.running.borrow().len();
        prop_assert_eq!(&left[0], &("slots".to_owned(), (SLOTS - running) as u64));
        let spent = book.reserved.get() + book.settled.get();
        prop_assert_eq!(&left[1], &("tokens".to_owned(), SIZE.saturating_sub(spent)));
    }
}

#[test]
fn a_race_that_is_lost_in_the_second_place_gives_the_first_back() {
    let limits = json!([
        {"name": "all", "tokens": 1_000, "window": "day"},
        {"name": "mine", "requests": 1, "window": "minute", "per": ["consumer"]},
    ]);
    let (worker, rival) = (Worker::new(&limits), Worker::numbered(5, &limits));
    let memory = Memory::default();
    let _ = (worker.ask(&memory, at(0)), rival.ask(&memory, at(0)));
    let rivals = [
        None,
        Some(Box::new(|store: &dyn Store| std::mem::forget(rival.admit(store, at(0)).unwrap())) as Rival<'_>),
    ];
    let racing = Racing::new(Borrowed(&memory), rivals);
    assert_eq!(worker.admit(&racing, at(0)), Err(Retry::At(at(60_000))));
    assert_eq!(racing.lost(), 1);
    let left: Vec<_> = worker.remaining(&memory, at(0)).into_iter().map(|(_, left)| left).collect();
    assert_eq!(left, [900, 0], "only the rival's");
}

#[test]
fn what_a_lost_race_had_found_is_not_told() {
    let limits = json!([
        {"name": "a", "requests": 5, "window": "minute"},
        {"name": "b", "requests": 1, "window": "minute", "mode": "observe"},
    ]);
    let (worker, rival) = (Worker::new(&limits), Worker::numbered(5, &limits));
    let memory = Memory::default();
    let _ = (worker.ask(&memory, at(0)), rival.ask(&memory, at(0)));
    let rivals = [(); 2].map(|()| -> Option<Rival<'_>> {
        Some(Box::new(|store| std::mem::forget(rival.admit(store, at(0)).unwrap())))
    });
    let racing = Racing::new(Borrowed(&memory), rivals);
    let reservation = worker.admit(&racing, at(0)).unwrap();
    assert_eq!(racing.lost(), 2);
    let told: Vec<_> = reservation.standings().iter().map(|standing| standing.remaining).collect();
    assert_eq!(told, [0, 2], "of each limit once, after all three");
    assert_eq!(reservation.observed().len(), 1);
}

/// A store in which somebody else always writes first.
struct Hopeless<'a> {
    inner: &'a Memory,
    /// How many writes pass before.
    passes: Cell<usize>,
    writes: Cell<usize>,
}

impl<'a> Hopeless<'a> {
    fn after(passes: usize, inner: &'a Memory) -> Self {
        Self { inner, passes: Cell::new(passes), writes: Cell::new(0) }
    }
}

impl Store for Hopeless<'_> {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.inner.get(key)
    }

    fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), Conflict> {
        self.writes.set(self.writes.get() + 1);
        let passes = self.passes.get().checked_sub(1).ok_or(Conflict)?;
        self.passes.set(passes);
        self.inner.set(key, value, expected)
    }
}

#[test]
fn a_counter_that_cannot_be_won_refuses_or_admits_as_configured() {
    for (limit, answer) in [
        (json!({"name": "a", "concurrent": 5}), Err(Retry::Contended)),
        (json!({"name": "a", "concurrent": 5, "on_contention": "admit"}), Ok(())),
        (json!({"name": "a", "concurrent": 5, "mode": "observe"}), Ok(())),
    ] {
        let (memory, worker) = (Memory::default(), Worker::new(&json!([limit])));
        let ask = worker.ask(&memory, at(0));
        let store = Hopeless::after(0, &memory);
        let admitted = worker.admit_as(&store, &ask);
        assert_eq!(admitted.as_ref().map(|_| ()).map_err(|retry| *retry), answer, "{limit}");
        assert_eq!(store.writes.get(), 32, "it is bounded");
        assert_eq!(worker.left(&memory, at(0)), 5);
        if let Ok(reservation) = admitted {
            settle(&store, reservation, as_asked(), at(0)).unwrap();
            assert_eq!(store.writes.get(), 32, "what was not counted is not settled");
        }
    }
}

#[test]
fn what_cannot_be_settled_yet_is_not_forgotten() {
    let limits = json!([
        {"name": "a", "tokens": 1_000, "window": "day"},
        {"name": "b", "requests": 10, "window": "day", "per": ["tier"]},
        {"name": "c", "usd": 1, "window": "day", "per": ["consumer"]},
    ]);
    let (memory, worker) = (Memory::default(), Worker::new(&limits));
    let reservation = worker.admit(&memory, at(0)).unwrap();
    let actual = Actual { input: 10, output: 20, cost: NanoUsd::new(5) };
    let unsettled = settle(&Hopeless::after(1, &memory), reservation, actual, at(0)).unwrap_err();
    let unsettled = unsettled.retry(&Hopeless::after(0, &memory), at(0)).unwrap_err();
    unsettled.retry(&memory, at(0)).unwrap();
    let left: Vec<_> = worker.remaining(&memory, at(0)).into_iter().map(|(_, left)| left).collect();
    assert_eq!(left, [970, 9, NanoUsd::PER_USD - 5]);
}

#[test]
fn what_a_refused_request_cannot_give_back_yet_is_not_forgotten() {
    let limits = json!([
        {"name": "a", "tokens": 1_000, "window": "day"},
        {"name": "b", "requests": 1, "window": "day", "per": ["tier"]},
    ]);
    let (memory, worker) = (Memory::default(), Worker::new(&limits));
    settle(&memory, worker.admit(&memory, at(0)).unwrap(), Actual::default(), at(0)).unwrap();
    let ask = worker.ask(&memory, at(0));
    let refusal = admit(&Hopeless::after(1, &memory), &worker.limits, &ask).unwrap_err();
    assert_eq!(refusal.denied.limit.name, "b");
    let left = || worker.remaining(&memory, at(0))[0].1;
    assert_eq!(left(), 900);
    refusal.unsettled.unwrap().retry(&memory, at(0)).unwrap();
    assert_eq!(left(), 1_000);
}

#[test]
fn a_stream_that_cannot_be_counted_goes_on_unless_a_limit_would_stop_it() {
    let more = Actual { output: 50, ..Actual::default() };
    for (limit, answer) in [
        (json!({"name": "a", "tokens": 1_000, "window": "day", "on_exceed": "stop"}), Err(Retry::Contended)),
        (json!({"name": "a", "tokens": 1_000, "window": "day"}), Ok(())),
    ] {
        let (memory, worker) = (Memory::default(), Worker::new(&json!([limit])));
        let mut stream = worker.admit(&memory, at(0)).unwrap();
        let extended = extend(&Hopeless::after(0, &memory), &mut stream, more, at(0));
        assert_eq!(extended.map_err(|stopped| stopped.denied.retry), answer);
        let actual = Actual { input: 10, output: 140, ..Actual::default() };
        settle(&memory, stream, actual, at(0)).unwrap();
        assert_eq!(worker.left(&memory, at(0)), 850, "what was used is charged all the same");
    }
}

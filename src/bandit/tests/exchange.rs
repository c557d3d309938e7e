//! What workers tell each other: everything, once, whatever races are lost.

use super::*;
use crate::store::tests::{Memory, Racing, Rival};
use crate::store::{Conflict, Expected, Version};
use shared::KEY;

/// A store in which somebody else always writes first.
struct Hopeless<'a>(&'a Memory);

impl Store for Hopeless<'_> {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.0.get(key)
    }

    fn set(&self, _: &str, _: &[u8], _: Expected) -> Result<(), Conflict> {
        Err(Conflict)
    }
}

fn value(store: &Memory) -> Option<Vec<u8>> {
    store.get(KEY).map(|(value, _)| value)
}

fn put(store: &Memory, value: &[u8]) {
    store.set(KEY, value, Expected::Anything).unwrap();
}

fn weight(bandit: &Bandit, arm: &str) -> f32 {
    bandit.view(SUBJECT, arm).map_or(0.0, |(_, weight)| weight)
}

/// Everything that is known, sorted.
fn known(bandit: &Bandit) -> Vec<(&str, &str, Rewards)> {
    let mut known: Vec<_> = bandit
        .subjects
        .iter()
        .flat_map(|subject| subject.arms.iter().map(|arm| (&*subject.name, &*arm.name, arm.rewards)))
        .collect();
    known.sort_by_key(|(subject, arm, _)| (*subject, *arm));
    known
}

fn assert_near(one: &Bandit, other: &Bandit) {
    let (one, other) = (known(one), known(other));
    let name = |known: &[(&str, &str, Rewards)]| -> Vec<String> {
        known.iter().map(|(subject, arm, _)| format!("{subject} {arm}")).collect()
    };
    assert_eq!(name(&one), name(&other));
    for (one, other) in one.iter().zip(&other) {
        let [a, b] = [one.2, other.2].map(|rewards| [rewards.weight, rewards.sum, rewards.squares]);
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-4 * b.max(1.0)), "{one:?} {other:?}");
    }
}

#[test]
fn a_worker_learns_at_its_next_exchange_what_another_has_seen() {
    let store = Memory::default();
    let (mut one, mut other) = (Bandit::new(), Bandit::new());
    one.learn(SUBJECT, "a", 0.8, &RULES);
    one.exchange(&store).unwrap();
    assert_eq!(other.view(SUBJECT, "a"), None);
    other.exchange(&store).unwrap();
    assert_eq!(other.view(SUBJECT, "a"), one.view(SUBJECT, "a"));
    assert_eq!(store.entries().len(), 1, "everything is one value");
}

#[test]
fn nothing_is_taken_in_twice() {
    let store = Memory::default();
    let mut workers = [Bandit::new(), Bandit::new()];
    workers[0].learn(SUBJECT, "a", 1.0, &RULES);
    workers[1].learn(SUBJECT, "b", 1.0, &RULES);
    for _ in 0..5 {
        workers.iter_mut().for_each(|worker| worker.exchange(&store).unwrap());
    }
    for worker in &workers {
        assert!(weight(worker, "a") < 1.0 && weight(worker, "a") > 0.99, "one more has come since");
        assert_eq!(weight(worker, "b"), 1.0);
    }
}

#[test]
fn who_has_nothing_to_tell_writes_nothing() {
    let store = Memory::default();
    let (mut one, mut other) = (Bandit::new(), Bandit::new());
    other.exchange(&store).unwrap();
    assert!(store.entries().is_empty());
    one.learn(SUBJECT, "a", 0.8, &RULES);
    one.exchange(&store).unwrap();
    let version = store.get(KEY).unwrap().1;
    one.exchange(&store).unwrap();
    other.exchange(&store).unwrap();
    assert_eq!(store.get(KEY).unwrap().1, version);
}

#[test]
fn a_lost_race_is_told_again_to_what_is_there_now() {
    let mut rival = Bandit::new();
    let mut worker = Bandit::new();
    let rivals: Vec<Option<Rival<'_>>> = vec![
        Some(Box::new(|store| {
            rival.learn(SUBJECT, "a", 0.5, &RULES);
            rival.learn(("chat", "prose"), "a", 0.5, &RULES);
            rival.exchange(store).unwrap();
        })),
        Some(Box::new(|store| {
            let mut third = Bandit::new();
            third.learn(SUBJECT, "a", 0.2, &RULES);
            third.exchange(store).unwrap();
        })),
        None,
    ];
    let store = Racing::new(Memory::default(), rivals);
    worker.learn(SUBJECT, "a", 0.9, &RULES);
    worker.exchange(&store).unwrap();
    assert_eq!(store.lost(), 2);
    let (mean, weight) = worker.view(SUBJECT, "a").unwrap();
    assert!((2.99..3.0).contains(&weight) && (mean - 1.6 / 3.0).abs() < 0.001, "{mean} {weight}");
    assert!(worker.view(("chat", "prose"), "a").is_some());
}

#[test]
fn what_could_not_be_told_is_told_with_the_next_exchange() {
    let store = Memory::default();
    let (mut worker, mut other) = (Bandit::new(), Bandit::new());
    other.learn(SUBJECT, "a", 0.5, &RULES);
    other.exchange(&store).unwrap();
    for n in 1..=3_u8 {
        worker.learn(SUBJECT, "a", 1.0, &RULES);
        assert_eq!(worker.exchange(&Hopeless(&store)), Err(Contended));
        assert!((weight(&worker, "a") - f32::from(n)).abs() < 0.01, "it goes on with what it knows itself");
    }
    worker.exchange(&store).unwrap();
    assert!((weight(&worker, "a") - 4.0).abs() < 0.03);
    other.exchange(&store).unwrap();
    assert_eq!(other.view(SUBJECT, "a"), worker.view(SUBJECT, "a"));
}

#[test]
fn what_cannot_be_read_is_nothing_and_is_replaced_by_what_a_worker_knows() {
    let store = Memory::default();
    let mut worker = Bandit::new();
    worker.learn(SUBJECT, "a", 0.8, &RULES);
    worker.exchange(&store).unwrap();
    let good = value(&store).unwrap();
    let mut bad: Vec<Vec<u8>> = (0..good.len()).map(|end| good[..end].to_vec()).collect();
    // An empty list of subjects is one.
    bad.remove(1);
    bad.extend([b"\x02".to_vec(), b"something else".to_vec(), vec![1; 200], vec![255; 64]]);
    bad.push([&good[..], b"\x01"].concat());
    bad.push([&good[..], &good[1..good.len() - 12], &[0; 12]].concat());
    for amounts in [
        [f32::NAN, 0.5, 0.5],
        [f32::INFINITY, 0.5, 0.5],
        [f32::MAX, 0.5, 0.5],
        [-1.0, -1.0, -1.0],
        [1.0, 2.0, 0.5],
        [1.0, 0.5, 0.9],
        [1.0, 0.5, -0.1],
        [1.0, 0.5, f32::NAN],
        [1.0, f32::NAN, 0.5],
        [0.0, 0.0, 0.0],
    ] {
        let mut value = good[..good.len() - 12].to_vec();
        amounts.iter().for_each(|amount| value.extend(amount.to_le_bytes()));
        bad.push(value);
    }
    for bad in bad {
        put(&store, &bad);
        let mut fresh = Bandit::new();
        fresh.exchange(&store).unwrap();
        assert_eq!(fresh.view(SUBJECT, "a"), None, "{bad:?}");
        assert_eq!(value(&store).unwrap(), bad, "who has nothing to tell leaves it");
        let before = weight(&worker, "a");
        worker.exchange(&store).unwrap();
        assert_eq!(weight(&worker, "a"), before, "{bad:?}");
        worker.learn(SUBJECT, "a", 0.8, &RULES);
        worker.exchange(&store).unwrap();
        fresh.exchange(&store).unwrap();
        assert_eq!(fresh.view(SUBJECT, "a"), worker.view(SUBJECT, "a"), "{bad:?}");
        assert!(weight(&fresh, "a") > before, "{bad:?}");
    }
}

#[test]
fn what_is_there_holds_no_more_than_there_is_room_for_and_who_knows_more_drops_it() {
    let store = Memory::default();
    let mut workers = [Bandit::new(), Bandit::new()];
    let mut longest = 0;
    for n in 0..2_000 {
        let route = format!("route-{n:04}");
        let worker = &mut workers[n % 2];
        worker.learn((&route, "code"), "a", 0.5, &RULES);
        worker.learn(SUBJECT, "a", 0.5, &RULES);
        if n % 20 == n % 2 {
            worker.exchange(&store).unwrap();
            longest = longest.max(value(&store).unwrap().len());
        }
    }
    workers.iter_mut().for_each(|worker| worker.exchange(&store).unwrap());
    workers.iter_mut().for_each(|worker| worker.exchange(&store).unwrap());
    assert!(longest <= 1 + subject::MOST * (4 + 10 + 4 + 4 + 4 + 4 + 1 + 12), "{longest}");
    for worker in &workers {
        assert_eq!(known(worker).len(), subject::MOST);
        assert!(worker.view(SUBJECT, "a").is_some(), "it is in use");
        assert!(worker.view(("route-1999", "code"), "a").is_some());
        assert!(worker.view(("route-0000", "code"), "a").is_none());
    }
    assert_eq!(known(&workers[0]), known(&workers[1]));
}

#[test]
fn threads_that_tell_at_once_lose_nothing() {
    let store = Memory::default();
    let rules = Rules { half_life: 100_000, ..RULES };
    std::thread::scope(|threads| {
        for arm in ["a", "b", "c", "d"] {
            let (store, rules) = (&store, &rules);
            threads.spawn(move || {
                let mut worker = Bandit::new();
                for _ in 0..200 {
                    worker.learn(SUBJECT, arm, 1.0, rules);
                    worker.learn(SUBJECT, "all", 0.5, rules);
                    let _ = worker.exchange(store);
                }
                while worker.exchange(store).is_err() {}
            });
        }
    });
    let mut reader = Bandit::new();
    reader.exchange(&store).unwrap();
    // Of 1,600, each has faded by half of a hundredth on average.
    assert!((790.0..800.0).contains(&weight(&reader, "all")), "{}", weight(&reader, "all"));
    for arm in ["a", "b", "c", "d"] {
        assert!((196.0..200.0).contains(&weight(&reader, arm)), "{arm} {}", weight(&reader, arm));
    }
}

/// What workers do: who, and what it learns, or that it exchanges, and whether that works.
#[derive(Debug, Clone)]
enum Act {
    Learn { who: usize, task: usize, arm: usize, reward: f32 },
    Exchange { who: usize, works: bool },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (0..3_usize, 0..2_usize, 0..3_usize, 0.0..=1.0_f32)
            .prop_map(|(who, task, arm, reward)| Act::Learn { who, task, arm, reward }),
        1 => (0..3_usize, any::<bool>()).prop_map(|(who, works)| Act::Exchange { who, works }),
    ];
    prop::collection::vec(act, 0..150)
}

proptest! {
    /// In the order in which it was told.
    #[test]
    fn it_is_as_if_one_had_learned_everything(acts in acts(), half_life in 5..1_000_u32) {
        let rules = Rules { half_life, ..RULES };
        let (tasks, arms) = (["code", "prose"], ["a", "b", "c"]);
        let store = Memory::default();
        let mut workers = [Bandit::new(), Bandit::new(), Bandit::new()];
        let mut untold: [Vec<_>; 3] = Default::default();
        let mut alone = Bandit::new();
        let all = (0..3).map(|who| Act::Exchange { who, works: true });
        for act in acts.into_iter().chain(all.clone()).chain(all) {
            match act {
                Act::Learn { who, task, arm, reward } => {
                    workers[who].learn(("chat", tasks[task]), arms[arm], reward, &rules);
                    untold[who].push((tasks[task], arms[arm], reward));
                }
                Act::Exchange { who, works: false } => {
                    let told = workers[who].exchange(&Hopeless(&store));
                    prop_assert_eq!(told.is_err(), !untold[who].is_empty());
                }
                Act::Exchange { who, works: true } => {
                    workers[who].exchange(&store).unwrap();
                    for (task, arm, reward) in untold[who].drain(..) {
                        alone.learn(("chat", task), arm, reward, &rules);
                    }
                    // What is nearly forgotten may be just forgotten by the other.
                    let forgets = |bandit: &Bandit| known(bandit).iter().any(|(.., rewards)| rewards.weight < 0.002);
                    if !forgets(&alone) && !forgets(&workers[who]) {
                        assert_near(&workers[who], &alone);
                    }
                }
            }
        }
    }

    #[test]
    fn whatever_is_there_only_numbers_that_can_be_are_taken_over_and_written(
        garbage in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..100),
            prop::collection::vec(prop::sample::select(vec![0_u8, 0, 0, 1, 1, 97, 0x3f, 0x80]), 0..100),
        ],
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let store = Memory::default();
        let mut teller = Bandit::new();
        for n in 0..20_u8 {
            teller.learn((["chat", "x"][usize::from(n % 2)], "code"), ["a", "b", "c"][usize::from(n % 3)], f32::from(n) / 20.0, &RULES);
        }
        teller.exchange(&store).unwrap();
        let mut flipped = value(&store).unwrap();
        for (at, byte) in flips {
            let at = at.index(flipped.len());
            flipped[at] = byte;
        }
        for bytes in [flipped, garbage.clone(), [&[shared::VERSION], &garbage[..]].concat()] {
            put(&store, &bytes);
            let mut worker = Bandit::new();
            worker.exchange(&store).unwrap();
            worker.learn(SUBJECT, "a", 0.5, &RULES);
            worker.exchange(&store).unwrap();
            let mut reader = Bandit::new();
            reader.exchange(&store).unwrap();
            prop_assert!(reader.view(SUBJECT, "a").is_some(), "what was written can be read");
            for (.., rewards) in known(&reader) {
                prop_assert!(rewards.checked().is_some(), "{:?}", rewards);
            }
        }
    }
}

use super::entry::entry;
use super::*;
use crate::cache::directory::{Arrival, Directory, Room};
use crate::config::CacheStore;
use crate::store::tests::{Memory, Racing};
use crate::store::{Conflict, Expected, Store, Version};
use crate::time::Timestamp;
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::HashSet;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const TTL: u64 = 100;

/// A store of `sets` sets, each with room for not quite four of the longest answers.
fn small(sets: u32) -> CacheStore {
    CacheStore { entries: sets * 64, entry_bytes: 1024, total_bytes: u64::from(sets) * 4096, questions: 1 }
}

/// The answer to the request of this number, of this length.
fn numbered(number: u64, len: usize) -> Entry {
    let mut bytes = [0; 32];
    for part in bytes.as_chunks_mut::<8>().0 {
        // As different as a hash's.
        *part = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    }
    let keys = Keys { exact: Key::from_bytes(bytes), context: Key::from_bytes([7; 32]) };
    Entry { keys, made: NOW, ..entry(&"x".repeat(len)) }
}

fn found(answers: &Answers, store: &dyn Store, number: u64, now: Timestamp) -> Option<Entry> {
    answers.find(store, &numbered(number, 0).keys, TTL, now).map(|found| found.entry)
}

/// Counts what is asked of a store.
#[derive(Default)]
struct Counting {
    inner: Memory,
    gets: Cell<usize>,
    sets: Cell<usize>,
    keys: std::cell::RefCell<HashSet<String>>,
}

impl Store for Counting {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.gets.set(self.gets.get() + 1);
        self.inner.get(key)
    }

    fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), Conflict> {
        self.sets.set(self.sets.get() + 1);
        self.keys.borrow_mut().insert(key.to_owned());
        self.inner.set(key, value, expected)
    }
}

#[test]
fn an_answer_that_is_kept_is_found_until_it_is_too_old() {
    let (answers, store) = (Answers::new(CacheStore::default()), Memory::default());
    let entry = numbered(1, 100);
    assert_eq!(found(&answers, &store, 1, NOW), None);
    assert!(answers.keep(&store, &entry, TTL, NOW));
    for (now, age) in [
        (NOW, Some(0)),
        (NOW.after(1_999), Some(1)),
        (NOW.after(99_999), Some(99)),
        (NOW.after(100_000), None),
        (NOW.before(5_000), Some(0)),
        (NOW.before(5_001), None),
    ] {
        let found = answers.find(&store, &entry.keys, TTL, now);
        assert_eq!(found, age.map(|age| Found { entry: entry.clone(), age }), "{now:?}");
    }
    assert_eq!(answers.find(&store, &entry.keys, 5, NOW.after(5000)), None, "the time that holds now counts");
    assert_eq!(found(&answers, &store, 2, NOW), None);
    let elsewhere = Keys { context: Key::from_bytes([8; 32]), ..entry.keys };
    assert_eq!(answers.find(&store, &elsewhere, TTL, NOW), None, "an answer from another context is none");
    let newer = Entry { made: NOW.after(50000), completion: b"newer".to_vec(), ..entry };
    assert!(answers.keep(&store, &newer, TTL, NOW.after(50000)));
    assert_eq!(
        found(&answers, &store, 1, NOW.after(120000)),
        Some(newer),
        "a new answer takes the place of the old one"
    );
}

#[test]
fn a_look_costs_one_get_where_there_is_nothing_and_two_where_there_is_something() {
    let (answers, store) = (Answers::new(CacheStore::default()), Counting::default());
    answers.keep(&store, &numbered(1, 100), TTL, NOW);
    let cost = |number, now| {
        store.gets.set(0);
        store.sets.set(0);
        let found = found(&answers, &store, number, now).is_some();
        (found, store.gets.get(), store.sets.get())
    };
    assert_eq!(cost(2, NOW), (false, 1, 0));
    assert_eq!(cost(1, NOW), (true, 2, 0), "it was stored in this second");
    assert_eq!(cost(1, NOW.after(1000)), (true, 2, 1), "once in a second it is noted that it was used");
    assert_eq!(cost(1, NOW.after(1000)), (true, 2, 0));
}

#[test]
fn what_is_too_long_is_not_kept() {
    let (answers, store) = (Answers::new(small(2)), Memory::default());
    assert!(answers.keep(&store, &numbered(1, 1024), TTL, NOW));
    assert!(!answers.keep(&store, &numbered(2, 1025), TTL, NOW));
    assert_eq!((found(&answers, &store, 1, NOW).is_some(), found(&answers, &store, 2, NOW)), (true, None));
    let tight = Answers::new(CacheStore { total_bytes: 1024, ..small(1) });
    assert!(!tight.keep(&store, &numbered(2, 1024), TTL, NOW), "what goes with it counts too");
}

#[test]
fn keys_are_bounded_and_so_is_memory() {
    for (bounds, sets) in [(small(1), 1), (small(8), 8), (CacheStore { entries: 1000, ..small(8) }, 8)] {
        let (answers, store) = (Answers::new(bounds), Counting::default());
        for number in 0..3000 {
            let len = usize::try_from(number * 7919 % 1025).unwrap();
            assert!(answers.keep(&store, &numbered(number, len), TTL, NOW.after(1000 * (number / 40))));
        }
        let keys = store.keys.take();
        assert!(
            keys.len() <= sets + usize::try_from(bounds.entries).unwrap(),
            "{bounds:?}: {} keys",
            keys.len()
        );
        let bytes: usize = keys.iter().map(|key| store.inner.get(key).unwrap().0.len()).sum();
        let directories = sets * 64 * 22 + sets;
        let most = usize::try_from(bounds.total_bytes).unwrap() + directories;
        assert!(bytes <= most, "{bounds:?}: {bytes} bytes of {most}");
        assert!(bytes > most / 3, "{bounds:?}: only {bytes} bytes are used");
        let kept =
            (0..3000).filter(|number| found(&answers, &store, *number, NOW.after(75000)).is_some()).count();
        assert!(kept > sets * 2, "{bounds:?}: only {kept} are there");
    }
}

#[test]
fn what_is_asked_for_again_outlives_what_is_not() {
    let (answers, store) = (Answers::new(small(1)), Memory::default());
    for number in 0..200 {
        let now = NOW.after(1000 * (number / 4));
        answers.keep(&store, &Entry { made: now, ..numbered(number + 1, 500) }, TTL, now);
        if number == 0 {
            answers.keep(&store, &numbered(0, 500), TTL, now);
        }
        assert!(found(&answers, &store, 0, now.after(1000)).is_some(), "{number}");
    }
}

#[test]
fn damaged_and_foreign_bytes_are_a_miss_and_do_not_last() {
    let answers = Answers::new(small(1));
    let keys = ["cache/set/0", "cache/set/0/0"];
    for (key, value) in [
        (keys[0], vec![]),
        (keys[0], vec![9, 9, 9]),
        (keys[0], vec![1, 2, 3]),
        (keys[1], vec![]),
        (keys[1], b"something else".to_vec()),
        (keys[1], numbered(2, 10).to_bytes()),
        (keys[1], {
            let mut bytes = numbered(1, 10).to_bytes();
            bytes.pop();
            bytes
        }),
    ] {
        let store = Memory::default();
        assert!(answers.keep(&store, &numbered(1, 10), TTL, NOW));
        store.set(key, &value, Expected::Anything).unwrap();
        assert_eq!(found(&answers, &store, 1, NOW), None, "{key} {value:?}");
        assert!(answers.keep(&store, &numbered(1, 10), TTL, NOW));
        assert!(found(&answers, &store, 1, NOW).is_some(), "{key} {value:?}");
    }
}

#[test]
fn what_lies_where_nobody_knows_is_removed() {
    let (answers, store) = (Answers::new(small(1)), Memory::default());
    for number in 0..3 {
        answers.keep(&store, &numbered(number, 500), TTL, NOW);
    }
    store.set("cache/set/0", b"?", Expected::Anything).unwrap();
    answers.keep(&store, &numbered(9, 500), TTL, NOW);
    let lens: Vec<_> = (0..64)
        .map(|place| store.get(&format!("cache/set/0/{place}")).map_or(0, |(value, _)| value.len()))
        .collect();
    assert_eq!(lens.iter().filter(|len| **len > 0).count(), 1, "{lens:?}");
}

#[test]
fn a_smaller_store_gives_back_what_it_has_too_much() {
    let store = Memory::default();
    let large = Answers::new(CacheStore { entries: 8, ..small(1) });
    (0..8).for_each(|number| assert!(large.keep(&store, &numbered(number, 100), TTL, NOW)));
    let smaller = Answers::new(CacheStore { entries: 3, ..small(1) });
    smaller.keep(&store, &numbered(9, 100), TTL, NOW);
    for place in 3..8 {
        assert_eq!(store.get(&format!("cache/set/0/{place}")).unwrap().0, b"", "{place}");
    }
    assert!(found(&smaller, &store, 9, NOW).is_some());
}

#[test]
fn whoever_is_overtaken_between_claim_and_writing_leaves_nothing_behind() {
    // The rival comes after the claim (the first write) and takes the only place.
    let answers = Answers::new(CacheStore { entries: 1, ..small(1) });
    let rival: crate::store::tests::Rival<'_> =
        Box::new(|store| assert!(answers.keep(store, &numbered(2, 10), TTL, NOW)));
    let store = Racing::new(Memory::default(), [None, Some(rival)]);
    assert!(!answers.keep(&store, &numbered(1, 1000), TTL, NOW));
    assert_eq!(store.get("cache/set/0/0").unwrap().0, b"", "the loser's answer is not counted by anybody");
    assert_eq!(found(&answers, &store, 1, NOW), None);
    assert_eq!(found(&answers, &store, 2, NOW), None);
}

#[test]
fn a_directory_that_cannot_be_won_keeps_nothing() {
    let answers = Answers::new(small(1));
    let rivals = (0..4).map(|number| -> Option<crate::store::tests::Rival<'_>> {
        Some(Box::new(move |store| assert!(answers.keep(store, &numbered(number, 10), TTL, NOW))))
    });
    let store = Racing::new(Memory::default(), rivals);
    assert!(!answers.keep(&store, &numbered(9, 10), TTL, NOW));
    assert_eq!(store.lost(), 4);
    assert_eq!(found(&answers, &store, 9, NOW), None);
    assert!(found(&answers, &store, 3, NOW).is_some());
}

#[test]
fn on_threads_nobody_gets_another_ones_answer_and_no_set_outgrows_its_share() {
    let bounds = small(2);
    let (answers, store) = (Answers::new(bounds), Memory::default());
    std::thread::scope(|threads| {
        for thread in 0..4_u64 {
            let store = &store;
            threads.spawn(move || {
                for round in 0..400_u64 {
                    let number = (round * 7 + thread * 13) % 24;
                    let len = usize::try_from(number * 40).unwrap();
                    if round % 3 == 0 {
                        answers.keep(store, &numbered(number, len), TTL, NOW);
                    } else if let Some(entry) = found(&answers, store, number, NOW) {
                        assert_eq!(entry, numbered(number, len));
                    }
                }
            });
        }
    });
    for set in 0..2 {
        let places = Directory::from_bytes(&store.get(&format!("cache/set/{set}")).unwrap().0).unwrap();
        for place in 0..64 {
            let lies_there =
                store.get(&format!("cache/set/{set}/{place}")).map_or(0, |(value, _)| value.len());
            assert!(lies_there <= places.size(place) as usize);
        }
        assert!(places.bytes() <= 4096);
    }
}

proptest! {
    #[test]
    fn a_set_never_outgrows_its_room(
        arrivals in prop::collection::vec((0..12_u64, 1..=1000_u32, 0..50_u32, any::<bool>()), 1..80),
        rooms in prop::collection::vec((1..8_usize, 1000..4000_u64), 1..4),
    ) {
        let mut places = Directory::default();
        let mut held = std::collections::BTreeMap::new();
        for (at, (tag, size, expires, used)) in arrivals.into_iter().enumerate() {
            let (most, bytes) = rooms[at % rooms.len()];
            let now = u32::try_from(at).unwrap();
            let arrival = Arrival { tag, size, expires };
            let (place, emptied) = places.admit(arrival, Room { places: most, bytes }, now);
            emptied.iter().for_each(|place| { held.remove(place); });
            held.insert(place, size);
            prop_assert!(place < most && places.holds(place, arrival) && !emptied.contains(&place));
            prop_assert!(places.bytes() <= bytes);
            prop_assert_eq!(held.values().map(|size| u64::from(*size)).sum::<u64>(), places.bytes(), "each that goes is told");
            prop_assert_eq!(Directory::from_bytes(&places.to_bytes()), Some(places.clone()));
            if used {
                prop_assert_eq!(places.find(tag), Some(place));
                places.touch(place, now + 1);
            }
        }
    }
}

use super::*;
use crate::store::tests::{Racing, Rival};
use crate::store::{Expected, Version};
use proptest::prelude::*;
use std::cell::Cell;

/// A store that counts what it is asked.
#[derive(Default)]
struct Counted {
    inner: Memory,
    gets: Cell<usize>,
    sets: Cell<usize>,
}

impl Store for Counted {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.gets.set(self.gets.get() + 1);
        self.inner.get(key)
    }

    fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), crate::store::Conflict> {
        self.sets.set(self.sets.get() + 1);
        self.inner.set(key, value, expected)
    }
}

fn served(store: &dyn Store, key: Key, target: &str, now: Timestamp) {
    note(store, key, target, &usage(4_000, 0), &RULES, now);
}

fn bonded(store: &dyn Store, key: Key, now: Timestamp) -> Option<String> {
    find(store, key, &RULES, now).map(|bond| bond.target.to_string())
}

/// Keys that lie in one place.
fn neighbours(count: usize) -> Vec<Key> {
    (0..count as u64).map(|number| Key(number << 32)).collect()
}

#[test]
fn a_bond_is_with_whoever_has_answered_last() {
    let store = Memory::default();
    assert_eq!(bonded(&store, key("k"), START), None);
    served(&store, key("k"), "a", START);
    served(&store, key("l"), "b", START);
    assert_eq!(bonded(&store, key("k"), START).as_deref(), Some("a"));
    assert_eq!(bonded(&store, key("l"), START).as_deref(), Some("b"));
    served(&store, key("k"), "c", START);
    assert_eq!(bonded(&store, key("k"), START).as_deref(), Some("c"));
    assert_eq!(bonded(&store, key("m"), START), None);
}

#[test]
fn whoever_takes_over_begins_anew() {
    let store = Memory::default();
    for _ in 0..3 {
        served(&store, key("k"), "a", START);
    }
    assert!(!find(&store, key("k"), &RULES, START).unwrap().pays());
    served(&store, key("k"), "b", START);
    assert!(find(&store, key("k"), &RULES, START).unwrap().pays());
}

#[test]
fn a_failure_ends_the_bond_with_whom_it_was() {
    let store = Memory::default();
    served(&store, key("k"), "a", START);
    served(&store, key("l"), "a", START);
    break_off(&store, key("k"), "b");
    assert_eq!(bonded(&store, key("k"), START).as_deref(), Some("a"), "that was somebody else");
    break_off(&store, key("k"), "a");
    assert_eq!(bonded(&store, key("k"), START), None);
    assert_eq!(bonded(&store, key("l"), START).as_deref(), Some("a"), "another conversation");
    break_off(&store, key("m"), "a");
    served(&store, key("k"), "a", START);
    assert!(find(&store, key("k"), &RULES, START).unwrap().pays());
}

#[test]
fn a_look_takes_one_get_and_a_note_one_of_each() {
    let store = Counted::default();
    let counts = |store: &Counted| (store.gets.take(), store.sets.take());
    bonded(&store, key("k"), START);
    assert_eq!(counts(&store), (1, 0));
    served(&store, key("k"), "a", START);
    assert_eq!(counts(&store), (1, 1));
    bonded(&store, key("k"), START);
    assert_eq!(counts(&store), (1, 0));
    break_off(&store, key("k"), "b");
    assert_eq!(counts(&store), (1, 0));
    break_off(&store, key("k"), "a");
    assert_eq!(counts(&store), (1, 1));
}

#[test]
fn a_bond_is_over_when_it_was_not_used_for_so_long() {
    let store = Memory::default();
    served(&store, key("k"), "a", START);
    let at = |millis| bonded(&store, key("k"), START.after(millis)).is_some();
    assert!(at(0) && at(RULES.ttl - 1) && !at(RULES.ttl) && !at(u64::MAX));
    served(&store, key("k"), "a", seconds(200));
    assert!(bonded(&store, key("k"), seconds(499)).is_some());
    assert!(bonded(&store, key("k"), seconds(500)).is_none());
    // What comes back after that begins anew: no miss is counted.
    for minute in 1..6 {
        served(&store, key("k"), "a", seconds(600 * minute));
        assert!(find(&store, key("k"), &RULES, seconds(600 * minute)).unwrap().pays(), "{minute}");
    }
}

#[test]
fn a_bond_from_before_a_clock_went_back_is_none_and_is_made_again() {
    let store = Memory::default();
    served(&store, key("k"), "a", seconds(3_600));
    assert!(bonded(&store, key("k"), seconds(3_596)).is_some(), "another worker has read its clock earlier");
    assert_eq!(bonded(&store, key("k"), START), None);
    served(&store, key("k"), "b", START);
    assert_eq!(bonded(&store, key("k"), START).as_deref(), Some("b"));
    assert!(bonded(&store, key("k"), seconds(299)).is_some());
    assert_eq!(bonded(&store, key("k"), seconds(3_600)), None);
}

#[test]
fn whoever_was_used_the_longest_ago_goes_when_a_place_is_full() {
    let (store, keys) = (Memory::default(), neighbours(10));
    for (second, key) in keys.iter().take(8).enumerate() {
        served(&store, *key, "a", seconds(second as u64));
    }
    served(&store, keys[0], "a", seconds(8));
    served(&store, keys[8], "b", seconds(9));
    served(&store, keys[9], "c", seconds(10));
    let left: Vec<_> = keys.iter().map(|key| bonded(&store, *key, seconds(10)).is_some()).collect();
    assert_eq!(left, [true, false, false, true, true, true, true, true, true, true]);
    assert_eq!(store.entries().len(), 1);
}

#[test]
fn what_is_too_old_makes_room_first_and_a_place_does_not_grow() {
    let (store, keys) = (Memory::default(), neighbours(1_000));
    let mut longest = 0;
    for (second, key) in keys.iter().enumerate() {
        served(&store, *key, "a-model-with-a-name", seconds(second as u64));
        longest = longest.max(store.entries()[0].1.len());
    }
    assert!(longest < 500, "{longest}");
    served(&store, keys[0], "a", seconds(5_000));
    assert!(store.entries()[0].1.len() < 50, "only this one is left");
}

#[test]
fn there_are_so_many_places_and_no_more() {
    let store = Memory::default();
    for number in 0..20_000 {
        served(&store, key(&number.to_string()), "a", START);
    }
    assert_eq!(store.entries().len(), 1_024);
    assert!(store.entries().iter().all(|(key, _)| key.starts_with("affinity/")));
}

#[test]
fn conversations_hardly_drive_each_other_out() {
    let store = Memory::default();
    let keys: Vec<_> = (0..4_096).map(|number| key(&number.to_string())).collect();
    keys.iter().for_each(|key| served(&store, *key, "a", START));
    let kept = keys.iter().filter(|key| bonded(&store, **key, START).is_some()).count();
    assert!(kept > 4_000, "{kept} of 4,096 at the same time");
}

fn rival<'a>(key: Key, target: &'a str) -> Option<Rival<'a>> {
    Some(Box::new(move |store| served(store, key, target, START)))
}

#[test]
fn a_lost_race_is_decided_again_and_then_given_up() {
    let keys = neighbours(6);
    let store = Racing::new(Memory::default(), [rival(keys[1], "b"), rival(keys[2], "c"), None]);
    served(&store, keys[0], "a", START);
    assert_eq!(store.lost(), 2);
    for (key, target) in keys.iter().zip(["a", "b", "c"]) {
        assert_eq!(bonded(&store, *key, START).as_deref(), Some(target), "nobody is lost");
    }
    let store =
        Racing::new(Memory::default(), [rival(keys[1], "b"), rival(keys[2], "c"), rival(keys[3], "d"), None]);
    served(&store, keys[0], "a", START);
    assert_eq!(store.lost(), 3);
    assert_eq!(bonded(&store, keys[0], START), None, "the next answer makes it");
    assert_eq!(bonded(&store, keys[3], START).as_deref(), Some("d"));
}

#[test]
fn a_failure_does_not_end_a_bond_that_another_worker_has_just_made() {
    let store = Racing::new(Memory::default(), [None, rival(key("k"), "b")]);
    served(&store, key("k"), "a", START);
    break_off(&store, key("k"), "a");
    assert_eq!(store.lost(), 1);
    assert_eq!(bonded(&store, key("k"), START).as_deref(), Some("b"));
}

#[test]
fn workers_on_threads_leave_a_place_that_can_be_read() {
    let (store, keys) = (Memory::default(), neighbours(4));
    std::thread::scope(|threads| {
        for key in &keys {
            let store = &store;
            threads.spawn(move || {
                for second in 0..200 {
                    served(store, *key, "a", seconds(second));
                    if second % 3 == 0 {
                        break_off(store, *key, "a");
                    }
                }
            });
        }
    });
    keys.iter().for_each(|key| served(&store, *key, "b", seconds(200)));
    assert!(keys.iter().all(|key| bonded(&store, *key, seconds(200)).as_deref() == Some("b")));
}

#[test]
fn what_cannot_be_read_holds_nothing_and_is_written_anew() {
    let good = Memory::default();
    served(&good, key("k"), "a", START);
    let (place, bytes) = good.entries().remove(0);
    let mut bad: Vec<Vec<u8>> = (1..bytes.len()).map(|cut| bytes[..cut].to_vec()).collect();
    bad.extend([vec![], vec![0], vec![2; 60], vec![0xFF; 60], [&[9], &bytes[1..]].concat()]);
    bad.push([&bytes[..bytes.len() - 1], b"\xFF"].concat());
    bad.push([&bytes[..], b"?"].concat());
    for value in bad {
        let store = Memory::of(vec![(place.clone(), value.clone())]);
        assert_eq!(bonded(&store, key("k"), START), None, "{value:?}");
        break_off(&store, key("k"), "a");
        assert_eq!(store.entries()[0].1, value, "nothing to end");
        served(&store, key("k"), "b", START);
        assert_eq!(bonded(&store, key("k"), START).as_deref(), Some("b"), "{value:?}");
    }
}

#[test]
fn a_name_that_is_too_long_is_nobodys() {
    let store = Memory::default();
    for length in [255, 256, 1_000] {
        let name = "n".repeat(length);
        served(&store, key("k"), &name, START);
        served(&store, key("l"), "a", START);
        assert_eq!(bonded(&store, key("k"), START) == Some(name), length < 256);
        assert_eq!(bonded(&store, key("l"), START).as_deref(), Some("a"));
    }
}

proptest! {
    #[test]
    fn no_garbage_breaks_anything(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        tail in prop::collection::vec(any::<u8>(), 0..80),
        is_appended in any::<bool>(),
    ) {
        let (good, keys) = (Memory::default(), neighbours(3));
        keys.iter().for_each(|key| served(&good, *key, "a", START));
        let (place, mut value) = good.entries().remove(0);
        for (at, byte) in flips {
            let at = at.index(value.len());
            value[at] = byte;
        }
        if is_appended {
            value.extend(tail);
        }
        let store = Memory::of(vec![(place, value)]);
        for key in &keys {
            if let Some(bond) = find(&store, *key, &RULES, START) {
                prop_assert!(bond.holds(100) <= 100);
            }
            break_off(&store, *key, "b");
            served(&store, *key, "c", START);
            prop_assert!(bonded(&store, *key, START).is_some_and(|target| target == "c"));
        }
    }
}

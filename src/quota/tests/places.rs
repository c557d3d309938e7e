//! Where counters are: under how many keys, whose they are, for how long, and what survives what.

use super::*;
use crate::config::Dimension;
use crate::names::ModelName;
use crate::store::tests::Memory;
use crate::store::{Expected, Version};
use crate::time::DAY;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::OnceLock;

fn stranger(number: u64) -> ConsumerName {
    ConsumerName::parse(&format!("stranger-{number}")).unwrap()
}

/// Strangers whose counters are under one key.
fn strangers_together() -> Vec<ConsumerName> {
    static NUMBERS: OnceLock<Vec<u64>> = OnceLock::new();
    let numbers = NUMBERS.get_or_init(|| {
        let (store, worker) = (Memory::default(), Worker::new(&json!([])));
        let key = |number| {
            let name = stranger(number);
            keys::place(&[Dimension::Consumer], &as_stranger(&worker, &store, &name, at(0))).key
        };
        let wanted = key(0);
        (0..).filter(|number| key(*number) == wanted).take(12).collect()
    });
    numbers.iter().copied().map(stranger).collect()
}

fn as_stranger<'a>(worker: &'a Worker, store: &Memory, name: &'a ConsumerName, now: Timestamp) -> Ask<'a> {
    Ask { consumer: Consumer::OfToken(name), ..worker.ask(store, now) }
}

/// The keys that limits use; the others are the holders'.
fn quota_keys(store: &Memory) -> Vec<String> {
    store.entries().into_iter().map(|(key, _)| key).filter(|key| key != keys::HOLDERS).collect()
}

#[test]
fn each_consumer_tier_and_model_has_a_key_and_what_the_configuration_does_not_have_has_none() {
    let (store, worker) = (Memory::default(), Worker::new(&json!([])));
    let ask = worker.ask(&store, at(0));
    let unlisted = Model { listed: false, name: ModelName::parse("openai/x").unwrap(), ..ask.model.clone() };
    let (odd, same) = (ConsumerName::parse("a/b=~c").unwrap(), ConsumerName::parse("acme").unwrap());
    use Dimension::{Consumer as C, Model as M, Tier as T};
    for (per, ask, expected) in [
        (&[][..], ask, "quota"),
        (&[C], ask, "quota consumer acme"),
        (&[C], Ask { consumer: Consumer::Configured(&odd), ..ask }, "quota consumer a/b=~c"),
        (&[T], ask, "quota tier default"),
        (&[M], ask, "quota model gpt"),
        (&[M], Ask { model: &unlisted, ..ask }, "quota models openai"),
        (&[C, T, M], ask, "quota consumer acme tier default model gpt"),
        (&[C], Ask { consumer: Consumer::OfToken(&same), ..ask }, "quota consumers 2946"),
    ] {
        assert_eq!(keys::place(per, &ask).key, expected);
    }
}

#[test]
fn consumers_of_tokens_have_a_bounded_number_of_keys_whatever_they_are_called() {
    let (store, worker) = (Memory::default(), Worker::new(&json!([])));
    let ask = worker.ask(&store, at(0));
    let keys: BTreeSet<_> = (0..50_000)
        .map(stranger)
        .map(|name| {
            keys::place(&[Dimension::Consumer], &Ask { consumer: Consumer::OfToken(&name), ..ask }).key
        })
        .collect();
    assert!(keys.len() <= 4096 && keys.len() > 4000, "{}", keys.len());
}

#[test]
fn a_value_is_bounded_however_many_ask_for_it() {
    let worker = Worker::new(&json!([{"name": "a", "tokens": 200, "window": "day", "per": ["consumer"]}]));
    let store = Memory::default();
    let length = || store.entries().iter().map(|(_, value)| value.len()).max().unwrap();
    let mut longest = Vec::new();
    for name in strangers_together() {
        let reservation = worker.admit_as(&store, &as_stranger(&worker, &store, &name, at(0)));
        let _ = reservation.map(|reservation| settle(&store, reservation, as_asked(), at(0)).unwrap());
        longest.push(length());
    }
    // Who comes and goes leaves nothing behind.
    let worker = Worker::new(&json!([{"name": "a", "requests": 2, "window": "minute", "per": ["consumer"]}]));
    let passing = Memory::default();
    for (minute, name) in (0..).zip(strangers_together()) {
        let ask = as_stranger(&worker, &passing, &name, at(60_000 * minute));
        std::mem::forget(worker.admit_as(&passing, &ask).unwrap());
        assert!(passing.get(&keys::place(&[Dimension::Consumer], &ask).key).unwrap().0.len() < 90);
    }
    assert_eq!(quota_keys(&store).len(), 1);
    assert!(longest[5..].iter().all(|length| *length == longest[5]), "{longest:?}");
}

#[test]
fn strangers_of_one_key_are_counted_apart_and_those_without_a_place_together() {
    let worker = Worker::new(&json!([{"name": "a", "requests": 3, "window": "minute", "per": ["consumer"]}]));
    let store = Memory::default();
    let names = strangers_together();
    let admitted = |name: &ConsumerName, now: Timestamp, times: u64| {
        let admit =
            |_| worker.admit_as(&store, &as_stranger(&worker, &store, name, now)).map(std::mem::forget);
        (0..times).filter_map(|n| admit(n).ok()).count()
    };
    let counts: Vec<_> = names[..7].iter().map(|name| admitted(name, at(0), 2)).collect();
    assert_eq!(counts, [2, 2, 2, 2, 2, 1, 0], "the last three share what one has");
    // The first comes back to what it has used, though others came in between.
    assert_eq!(admitted(&names[0], at(1), 5), 1);
    // Its place is free after a minute, and the others are still counted together: what they used still counts.
    assert_eq!(admitted(&names[4], at(30_000), 1), 0);
    assert_eq!(admitted(&names[4], at(60_000), 5), 3);
}

#[test]
fn who_was_counted_with_others_stays_there_until_nothing_counts_any_more() {
    let worker = Worker::new(&json!([{"name": "a", "requests": 3, "window": "minute", "per": ["consumer"]}]));
    let store = Memory::default();
    let names = strangers_together();
    let admit = |name: &ConsumerName, now: Timestamp| {
        worker.admit_as(&store, &as_stranger(&worker, &store, name, now)).map(std::mem::forget)
    };
    for name in &names[..4] {
        admit(name, at(0)).unwrap();
    }
    for now in [at(50_000), at(50_001), at(50_002)] {
        admit(&names[4], now).unwrap();
    }
    // All places are free now. In one of them it would have used nothing.
    assert_eq!(admit(&names[4], at(60_000)), Err(Retry::At(at(110_000))));
    assert_eq!(admit(&names[4], at(110_000)), Ok(()));
}

#[test]
fn a_place_is_kept_for_as_long_as_something_is_reserved_by_the_living() {
    let worker = Worker::new(&json!([{"name": "a", "concurrent": 1, "per": ["consumer"]}]));
    let store = Memory::default();
    let names = strangers_together();
    let admit = |name: &ConsumerName, now: Timestamp| {
        worker.admit_as(&store, &as_stranger(&worker, &store, name, now))
    };
    let hold: Vec<_> = names[..4].iter().map(|name| admit(name, at(0)).unwrap()).collect();
    let far = at(10 * DAY);
    let together = admit(&names[4], far).unwrap();
    assert_eq!(admit(&names[5], far), Err(Retry::InFlight), "four have the places, the others have one");
    assert_eq!(admit(&names[0], far), Err(Retry::InFlight));
    for reservation in hold {
        release(&store, reservation, far).unwrap();
    }
    release(&store, together, far).unwrap();
    let [(_, value)] =
        &store.entries().into_iter().filter(|(key, _)| key != keys::HOLDERS).collect::<Vec<_>>()[..]
    else {
        panic!("one value");
    };
    assert_eq!(value.len(), 1, "nothing is left of anybody");
}

#[test]
fn a_place_in_which_only_the_dead_have_reserved_is_free() {
    let limits = json!([{"name": "a", "concurrent": 1, "per": ["consumer"]}]);
    let (living, dying) = (Worker::numbered(10, &limits), Worker::numbered(20, &limits));
    let (store, names) = (Memory::default(), strangers_together());
    for name in &names[..4] {
        std::mem::forget(dying.admit_as(&store, &as_stranger(&dying, &store, name, at(0))).unwrap());
    }
    for second in 0..20 {
        let _ = living.ask(&store, at(1_000 * second));
    }
    for name in &names[4..8] {
        let ask = as_stranger(&living, &store, name, at(20_000));
        std::mem::forget(living.admit_as(&store, &ask).unwrap());
    }
}

#[test]
fn what_the_dead_have_reserved_is_there_again_and_what_the_living_have_is_not() {
    let limits = json!([
        {"name": "a", "concurrent": 4},
        {"name": "b", "tokens": 400, "window": "day"},
        {"name": "c", "usd": 0.4, "window": "month", "per": ["consumer"]},
    ]);
    let store = Memory::default();
    let (living, dying) = (Worker::numbered(10, &limits), Worker::numbered(20, &limits));
    let _held = living.admit(&store, at(0)).unwrap();
    for _ in 0..3 {
        // It crashes with three requests in flight.
        std::mem::forget(dying.admit(&store, at(0)).unwrap());
    }
    let mut freed = None;
    for second in 1..60 {
        match living.admit(&store, at(1_000 * second)) {
            Ok(reservation) => {
                release(&store, reservation, at(1_000 * second)).unwrap();
                freed = freed.or(Some(second));
            }
            Err(retry) => assert!(freed.is_none(), "{retry:?}"),
        }
    }
    assert_eq!(freed, Some(16), "seconds after the last beat");
    let left: Vec<_> = living.remaining(&store, at(60_000)).into_iter().map(|(_, left)| left).collect();
    assert_eq!(left, [3, 300, 300_000_000], "what lives is still reserved");
}

#[test]
fn what_was_settled_by_who_was_taken_for_dead_is_charged_once() {
    let limits = json!([{"name": "a", "tokens": 200, "window": "day"}, {"name": "b", "concurrent": 2}]);
    let store = Memory::default();
    let (living, sleeping) = (Worker::numbered(10, &limits), Worker::numbered(20, &limits));
    let asleep = sleeping.admit(&store, at(0)).unwrap();
    for second in 1..=20 {
        let _ = living.ask(&store, at(1_000 * second));
    }
    let now = at(20_500);
    let taken = living.admit(&store, now).unwrap();
    // It wakes up, and has another in flight under its new id when the first ends.
    let awake = sleeping.admit(&store, now).unwrap();
    assert!(living.admit(&store, now).is_err());
    settle(&store, asleep, as_asked(), now).unwrap();
    let left = |now| living.remaining(&store, now).into_iter().map(|(_, left)| left).collect::<Vec<_>>();
    assert_eq!(left(now), [0, 0], "what the new id has reserved is not taken back by the old one");
    release(&store, taken, now).unwrap();
    release(&store, awake, now).unwrap();
    assert_eq!(left(now), [100, 2]);
}

#[test]
fn limits_survive_a_change_of_the_configuration() {
    let old = Worker::new(&json!([
        {"name": "kept", "requests": 10, "window": "minute"},
        {"name": "gone", "requests": 10, "window": "hour"},
        {"name": "raised", "tokens": 1_000, "window": "day"},
        {"name": "bucket", "tokens": 1_000, "window": "minute"},
    ]));
    let new = Worker::numbered(
        7,
        &json!([
            {"name": "bucket", "tokens": 6_000, "window": "minute", "burst": 2_000},
            {"name": "raised", "tokens": 5_000, "window": "day"},
            {"name": "fresh", "requests": 3, "window": "minute"},
            {"name": "kept", "requests": 10, "window": "minute"},
        ]),
    );
    let store = Memory::default();
    let running = old.admit(&store, at(0)).unwrap();
    let left = |worker: &Worker, now| {
        worker.remaining(&store, now).into_iter().map(|(_, left)| left).collect::<Vec<_>>()
    };
    assert_eq!(left(&old, at(0)), [900, 9, 9, 900]);
    // bucket, fresh, kept, raised
    assert_eq!(left(&new, at(0)), [900, 3, 9, 4_900]);
    let other = new.admit(&store, at(0)).unwrap();
    assert_eq!(
        left(&old, at(0)),
        [800, 9, 8, 800],
        "what one configuration does not have is not lost to the other"
    );
    // A stream that began under the old one ends under the new one, and with it.
    settle(&store, running, Actual { input: 10, ..Actual::default() }, at(0)).unwrap();
    settle(&store, other, as_asked(), at(0)).unwrap();
    assert_eq!(left(&new, at(0)), [890, 2, 8, 4_890]);
}

#[test]
fn counters_of_limits_that_are_no_more_go_when_they_say_nothing_any_more() {
    let store = Memory::default();
    let length = || store.entries().iter().map(|(_, value)| value.len()).max().unwrap();
    let with = |name: &str| Worker::new(&json!([{"name": name, "requests": 5, "window": "minute"}]));
    std::mem::forget(with("first").admit(&store, at(0)).unwrap());
    let alone = length();
    std::mem::forget(with("second").admit(&store, at(30_000)).unwrap());
    assert!(length() > alone);
    std::mem::forget(with("second").admit(&store, at(90_000)).unwrap());
    assert_eq!(length(), alone);
    // However many there are, they are bounded.
    let mut longest = 0;
    for n in 0..300 {
        std::mem::forget(with(&format!("limit-{n}")).admit(&store, at(91_000)).unwrap());
        longest = longest.max(length());
    }
    assert_eq!(longest, length(), "it grows no more");
    assert!(length() < 129 * alone);
    assert_eq!(with("limit-299").left(&store, at(91_000)), 4, "the last are kept");
}

#[test]
fn a_value_of_another_form_is_one_in_which_nothing_was_counted() {
    let limits = json!([{"name": "a", "requests": 3, "window": "minute"}, {"name": "b", "tokens": 300, "window": "day"}]);
    let worker = Worker::new(&limits);
    let good = Memory::default();
    std::mem::forget(worker.admit(&good, at(0)).unwrap());
    let (value, _) = good.get("quota").unwrap();
    let mut newer = value.clone();
    newer[0] += 1;
    let cut = (0..value.len()).map(|end| value[..end].to_vec());
    for bytes in
        cut.chain([newer, vec![0xFF; 300], vec![1; 300], b"{}".to_vec(), [value.clone(), vec![0]].concat()])
    {
        let store = Memory::default();
        store.set("quota", &bytes, Expected::Absent).unwrap();
        let admitted = (0..5).filter(|_| worker.admit(&store, at(0)).map(std::mem::forget).is_ok()).count();
        assert_eq!(admitted, 3, "{bytes:?}");
    }
}

proptest! {
    /// Also where it looks like a value.
    #[test]
    fn whatever_a_value_holds_it_is_read_without_harm(
        mut changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        now in prop_oneof![Just(0), any::<u64>()],
    ) {
        let limits = json!([
            {"name": "a", "requests": 3, "window": "minute"},
            {"name": "b", "tokens": 300, "window": "day"},
            {"name": "c", "tokens": 300, "window": "minute"},
            {"name": "d", "concurrent": 3},
        ]);
        let (store, worker) = (Memory::default(), Worker::new(&limits));
        std::mem::forget(worker.admit(&store, at(0)).unwrap());
        let (mut value, Version(version)) = store.get("quota").unwrap();
        for (index, byte) in changes.drain(..) {
            *index.get_mut(&mut value) = byte;
        }
        store.set("quota", &value, Expected::Version(Version(version))).unwrap();
        let now = Timestamp::from_millis(now);
        for _ in 0..3 {
            if let Ok(reservation) = worker.admit(&store, now) {
                settle(&store, reservation, as_asked(), now).unwrap();
            }
        }
    }

    /// However they come and go, each consumer by itself keeps to its limit, and while there are places for all of them
    /// nobody is refused for what others have used.
    #[test]
    fn no_stranger_has_more_than_one_counter_and_none_inherits_anothers(
        asks in prop::collection::vec((0..9_usize, 0..20_000_u64), 1..200),
        few in any::<bool>(),
    ) {
        let worker = Worker::new(&json!([{"name": "a", "requests": 3, "window": "minute", "per": ["consumer"]}]));
        let (store, names) = (Memory::default(), strangers_together());
        let mut came: Vec<Vec<u64>> = vec![Vec::new(); 9];
        let mut now = 0;
        for (who, gap) in asks {
            now += gap;
            let who = if few { who % 4 } else { who };
            let answer = worker.admit_as(&store, &as_stranger(&worker, &store, &names[who], at(now)));
            if answer.map(std::mem::forget).is_ok() {
                came[who].push(now);
            } else if few {
                prop_assert!(came[who].iter().filter(|then| **then + 60_000 > now).count() == 3);
            }
            prop_assert!(came[who].iter().filter(|then| **then + 60_000 > now).count() <= 3);
        }
    }
}

//! Values of the store in which something else stands than was written.

use super::*;
use crate::store::tests::Memory;
use crate::time::DAY;

#[test]
fn no_limit_is_reached_for_ever_whatever_is_there() {
    for limit in each_kind(1) {
        // What is owed to a bucket may be any number.
        if limit["window"] == "minute" && limit.get("requests").is_none() {
            continue;
        }
        let limits = json!([limit]);
        let (dead, living) = (Worker::numbered(1, &limits), Worker::numbered(2, &limits));
        let store = Memory::default();
        let _ = dead.admit(&store, at(0)).unwrap();
        let entries = store.entries();
        for (key, from) in
            entries.iter().flat_map(|(key, value)| (0..value.len()).map(move |from| (key, from)))
        {
            let mut spoiled = entries.clone();
            let value = spoiled.iter_mut().find(|(other, _)| other == key).map(|(_, value)| value).unwrap();
            value.iter_mut().skip(from).take(8).for_each(|byte| *byte = 0xFF);
            let store = Memory::of(spoiled);
            let mut now = at(40 * DAY);
            // Long enough for the dead to be missed.
            for _ in 0..20 {
                let _ = living.admit(&store, now).map(|reservation| release(&store, reservation, now));
                now = now.after(1_000);
            }
            assert!(living.admit(&store, now).is_ok(), "{limit} with {key} spoiled from byte {from}");
        }
    }
}

//! What was read a moment ago of what only estimates hang on: how models count, and how long answers are.
//!
//! Asking the store is a call of the host, for each request the same, and what other workers have learned within the last
//! second is no news. What this worker writes goes to the store at once.

use crate::store::{Conflict, Expected, Store, Version};
use crate::time::Timestamp;
use std::cell::{Cell, RefCell};

/// For so long it is taken for what is there, in milliseconds.
const FRESH: u64 = 1_000;
/// So many values are remembered at most; each has less than a kilobyte.
const MOST: usize = 256;

/// The values that were read, sorted by their keys.
#[derive(Debug, Default)]
pub(super) struct Recent {
    since: Cell<Timestamp>,
    values: RefCell<Vec<(Box<str>, Value)>>,
}

type Value = Option<(Vec<u8>, Version)>;

impl Recent {
    pub const fn new() -> Self {
        Self { since: Cell::new(Timestamp::from_millis(0)), values: RefCell::new(Vec::new()) }
    }

    /// Begins anew.
    pub fn forget(&self) {
        self.values.borrow_mut().clear();
    }

    /// The store, as it was a moment ago.
    #[inline(never)]
    pub fn of<'a>(&'a self, store: &'a dyn Store, now: Timestamp) -> Remembered<'a> {
        let since = self.since.get();
        if now < since || now.since(since) >= FRESH {
            self.since.set(now);
            self.forget();
        }
        Remembered { recent: self, store }
    }
}

/// A store of which is remembered what was read. Who changes something by what is remembered, and is told of a conflict, reads
/// anew.
pub(super) struct Remembered<'a> {
    recent: &'a Recent,
    store: &'a dyn Store,
}

impl Store for Remembered<'_> {
    fn get(&self, key: &str) -> Value {
        let mut values = self.recent.values.borrow_mut();
        let at = match find(&values, key) {
            Ok(at) => return values.get(at).and_then(|(_, value)| value.clone()),
            Err(at) => at,
        };
        let value = self.store.get(key);
        if values.len() >= MOST {
            values.clear();
        }
        let at = at.min(values.len());
        values.insert(at, (key.into(), value.clone()));
        value
    }

    fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), Conflict> {
        // Which version it has then is only known to the store.
        let mut values = self.recent.values.borrow_mut();
        if let Ok(at) = find(&values, key) {
            values.remove(at);
        }
        self.store.set(key, value, expected)
    }
}

#[inline(never)]
fn find(values: &[(Box<str>, Value)], key: &str) -> Result<usize, usize> {
    values.binary_search_by(|(other, _)| (**other).cmp(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Memory;
    use crate::store::update;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    fn bytes(store: &dyn Store) -> Option<Vec<u8>> {
        store.get("a").map(|(bytes, _)| bytes)
    }

    fn write(store: &dyn Store, value: &[u8]) {
        update(store, "a", 2, |_| ((), Some(value.to_vec()))).unwrap();
    }

    #[test]
    fn what_was_read_is_what_is_there_for_a_second() {
        let (store, recent) = (Memory::default(), Recent::new());
        for (value, now) in [(b"1", 0), (b"2", 1_000), (b"3", 500)] {
            write(&store, value);
            assert_eq!(bytes(&recent.of(&store, at(now))).unwrap(), value, "{now}");
            write(&store, b"other");
            assert_eq!(bytes(&recent.of(&store, at(now + 499))).unwrap(), value, "{now}");
        }
        recent.forget();
        assert_eq!(bytes(&recent.of(&store, at(501))).unwrap(), b"other");
    }

    #[test]
    fn that_there_is_nothing_is_remembered_too() {
        let (store, recent) = (Memory::default(), Recent::new());
        assert_eq!(bytes(&recent.of(&store, at(0))), None);
        write(&store, b"1");
        assert_eq!(bytes(&recent.of(&store, at(1))), None);
    }

    #[test]
    fn what_is_written_is_seen_at_once_and_nothing_of_others_is_lost() {
        let (store, recent) = (Memory::default(), Recent::new());
        let push = |store: &dyn Store, byte: u8| {
            update(store, "a", 2, |old| ((), Some([old.unwrap_or_default(), &[byte]].concat()))).unwrap();
        };
        push(&recent.of(&store, at(0)), 1);
        assert_eq!(bytes(&recent.of(&store, at(0))).unwrap(), [1]);
        push(&store, 2);
        push(&recent.of(&store, at(1)), 3);
        assert_eq!(bytes(&store).unwrap(), [1, 2, 3]);
        assert_eq!(bytes(&recent.of(&store, at(1))).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn it_is_bounded() {
        let (store, recent) = (Memory::default(), Recent::new());
        for number in 0..3 * MOST {
            recent.of(&store, at(0)).get(&number.to_string());
        }
        let values = recent.values.borrow();
        assert!(values.len() <= MOST && values.is_sorted_by_key(|(key, _)| key.clone()));
    }
}

//! What all workers share: bytes under keys, changed by compare and swap.
//!
//! The trait is Envoy's shared data as far as it is used: a value is read with a version, and written if nobody has written in
//! between. There is no removal and no list of keys, so whoever makes keys bounds how many there can be. All counting across
//! workers goes through [`update`].

/// Where the values are.
pub trait Store {
    /// The value under a key, and which version of it that is.
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)>;

    /// Writes the value under a key, if what is there is what was expected.
    ///
    /// # Errors
    /// If something else is there; nothing is written then.
    fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), Conflict>;
}

/// Which of a key's values this is; another one after every change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub u32);

/// What has to be under the key for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No value yet.
    Absent,
    /// This version of it. A value that has gone since may be made again.
    Version(Version),
    /// Whatever: it is overwritten unseen.
    Anything,
}

/// Somebody else has written first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

/// Every attempt met a conflict: nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contended;

/// Changes the value under a key: `decide` gets the old one and gives its outcome and what to write, if anything. When
/// another worker has written in between, its decision was about what is no more, and is made again: it must not remember
/// the last time.
///
/// # Errors
/// If the write was lost so many times.
pub fn update<T>(
    store: &dyn Store,
    key: &str,
    attempts: u32,
    mut decide: impl FnMut(Option<&[u8]>) -> (T, Option<Vec<u8>>),
) -> Result<T, Contended> {
    for _ in 0..attempts {
        let old = store.get(key);
        let (outcome, new) = decide(old.as_ref().map(|(value, _)| value.as_slice()));
        let Some(new) = new else { return Ok(outcome) };
        let expected = old.map_or(Expected::Absent, |(_, version)| Expected::Version(version));
        if store.set(key, &new, expected).is_ok() {
            return Ok(outcome);
        }
    }
    Err(Contended)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::collections::HashMap;
    use std::sync::Mutex;

    /// A store that threads can share, with the rules of Envoy's.
    #[derive(Debug, Default)]
    pub(crate) struct Memory(Mutex<HashMap<String, (Vec<u8>, u32)>>);

    impl Memory {
        /// Every key with its value, sorted.
        pub(crate) fn entries(&self) -> Vec<(String, Vec<u8>)> {
            let entries = self.0.lock().unwrap();
            let mut entries: Vec<_> =
                entries.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect();
            entries.sort();
            entries
        }

        /// With these values.
        pub(crate) fn of(entries: Vec<(String, Vec<u8>)>) -> Self {
            Self(Mutex::new(entries.into_iter().map(|(key, value)| (key, (value, 1))).collect()))
        }
    }

    impl Store for Memory {
        fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
            let entries = self.0.lock().unwrap();
            entries.get(key).map(|(value, version)| (value.clone(), Version(*version)))
        }

        fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), Conflict> {
            let mut entries = self.0.lock().unwrap();
            let next = match (entries.get(key), expected) {
                (None, _) => 1,
                (Some((_, is)), Expected::Version(Version(expected))) if *is == expected => is + 1,
                (Some((_, is)), Expected::Anything) => is + 1,
                (Some(_), _) => return Err(Conflict),
            };
            entries.insert(key.to_owned(), (value.to_vec(), next));
            Ok(())
        }
    }

    /// What a rival does between a worker's reading and its writing.
    pub(crate) type Rival<'a> = Box<dyn FnOnce(&dyn Store) + 'a>;

    /// Before each write, the next rival of a list has its turn, so that races are lost where a test wants them lost.
    pub(crate) struct Racing<'a, S> {
        pub(crate) inner: S,
        rivals: RefCell<Vec<Option<Rival<'a>>>>,
        lost: Cell<usize>,
    }

    impl<'a, S: Store> Racing<'a, S> {
        /// The rivals in the order of the writes; none lets a write pass.
        pub(crate) fn new(inner: S, rivals: impl IntoIterator<Item = Option<Rival<'a>>>) -> Self {
            let mut rivals: Vec<_> = rivals.into_iter().collect();
            rivals.reverse();
            Self { inner, rivals: RefCell::new(rivals), lost: Cell::new(0) }
        }

        /// How many writes have met a conflict.
        pub(crate) fn lost(&self) -> usize {
            self.lost.get()
        }
    }

    impl<S: Store> Store for Racing<'_, S> {
        fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
            self.inner.get(key)
        }

        fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), Conflict> {
            let rival = self.rivals.borrow_mut().pop().flatten();
            if let Some(rival) = rival {
                rival(&self.inner);
            }
            let result = self.inner.set(key, value, expected);
            self.lost.set(self.lost.get() + usize::from(result.is_err()));
            result
        }
    }

    /// Adds one to the number under a key, and says what it was.
    fn count(store: &dyn Store, key: &str, attempts: u32) -> Result<u8, Contended> {
        update(store, key, attempts, |old| {
            let old = old.map_or(0, |value| value[0]);
            (old, Some(vec![old + 1]))
        })
    }

    fn rival<'a>(key: &'a str) -> Option<Rival<'a>> {
        Some(Box::new(move |store| assert!(count(store, key, 1).is_ok())))
    }

    #[test]
    fn what_is_not_looked_at_is_overwritten() {
        let store = Memory::default();
        for value in [b"a", b"b"] {
            assert_eq!(store.set("a", value, Expected::Anything), Ok(()));
        }
        assert_eq!(store.get("a"), Some((b"b".to_vec(), Version(2))));
    }

    #[test]
    fn a_value_is_made_and_changed() {
        let store = Memory::default();
        assert_eq!([0, 1, 2].map(|_| count(&store, "a", 1)), [Ok(0), Ok(1), Ok(2)]);
        assert_eq!(count(&store, "b", 1), Ok(0));
    }

    #[test]
    fn a_lost_race_is_decided_again_about_what_is_there_now() {
        // The first rival makes the value, the second changes it.
        let store = Racing::new(Memory::default(), [rival("a"), rival("a"), None]);
        assert_eq!(count(&store, "a", 3), Ok(2));
        assert_eq!(store.lost(), 2);
        assert_eq!(store.get("a").unwrap().0, [3]);
    }

    #[test]
    fn a_race_that_is_always_lost_ends_and_writes_nothing() {
        let store = Racing::new(Memory::default(), [rival("a"), rival("a"), rival("a")]);
        assert_eq!(count(&store, "a", 3), Err(Contended));
        assert_eq!(store.get("a").unwrap().0, [3], "only the rivals have counted");
        assert_eq!(count(&store, "a", 0), Err(Contended));
    }

    #[test]
    fn a_decision_to_write_nothing_writes_nothing() {
        let store = Racing::new(Memory::default(), [rival("a")]);
        assert_eq!(update(&store, "a", 1, |old| (old.is_none(), None)), Ok(true));
        assert!(store.get("a").is_none(), "the rival had no turn, for nothing was set");
    }

    #[test]
    fn counting_on_threads_loses_nothing() {
        let store = Memory::default();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| (0..50).for_each(|_| assert!(count(&store, "a", u32::MAX).is_ok())));
            }
        });
        assert_eq!(store.get("a").unwrap().0, [200]);
    }
}

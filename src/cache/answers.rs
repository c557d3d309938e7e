//! The answers that are kept, in what all workers share.
//!
//! Shared data has no removal and no list of keys, so answers lie in a fixed number of places: a key
//! belongs to one set of places, a small directory says what lies in which of them, and a place that
//! is emptied holds no bytes. To look an answer up takes one get where there is none, two where there is.
//!
//! Workers write side by side. The directory is changed by compare and swap; what lies in a place is
//! written after that, and believed by nobody without reading its own key. Whoever finds after writing
//! that somebody else has got the place in the meantime empties it: so, when all have done, no place
//! holds more than its directory says, and a set never more than its share of memory.

use super::directory::{Arrival, Directory, Room};
use super::entry::Entry;
use super::key::{Key, Keys};
use crate::config::CacheStore;
use crate::store::{self, Expected, Store};
use crate::time::Timestamp;

/// Where the answers are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answers {
    sets: u64,
    /// Of each set.
    room: Room,
    entry_bytes: u32,
}

/// An answer that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The answer.
    pub entry: Entry,
    /// How old it is, in seconds.
    pub age: u64,
}

/// So many places a set has at most: its directory is read for every request.
const MOST_PLACES: u64 = 64;
/// So many of the longest answers a set has room for at least, if there is memory for more than one set.
const LONGEST: u64 = 4;
/// How often a lost race is run again before the answer is not kept.
const ATTEMPTS: u32 = 4;
/// How far workers' clocks may differ, in milliseconds.
const SKEW: u64 = 5_000;

impl Answers {
    /// The places that there is room for.
    #[must_use]
    pub fn new(store: CacheStore) -> Self {
        let by_entries = u64::from(store.entries).div_ceil(MOST_PLACES);
        let by_bytes = store.total_bytes / u64::from(store.entry_bytes.max(1)).saturating_mul(LONGEST);
        let sets = by_entries.min(by_bytes).max(1);
        let places = (u64::from(store.entries) / sets).clamp(1, MOST_PLACES);
        let room = Room {
            places: usize::try_from(places).unwrap_or(1),
            bytes: store.total_bytes.checked_div(sets).unwrap_or(store.total_bytes),
        };
        Self { sets, room, entry_bytes: store.entry_bytes }
    }

    /// The answer under `keys`, if it is there and less than `ttl` seconds old. Whoever looks for the answer to a similar question has another exact key, but its own
    /// context: an answer from another one is none.
    pub fn find(&self, store: &dyn Store, keys: &Keys, ttl: u64, now: Timestamp) -> Option<Found> {
        let set = self.set(&keys.exact);
        let (bytes, version) = store.get(&directory(set))?;
        let mut places = Directory::from_bytes(&bytes)?;
        let place = places.find(keys.exact.part(1))?;
        let (bytes, _) = store.get(&slot(set, place))?;
        let entry = Entry::from_bytes(bytes, keys)?;
        let age = now.since(entry.made) / 1000;
        // An answer of the future was made before a clock was put back: nobody knows how old it is.
        if entry.made.since(now) > SKEW || age >= ttl {
            return None;
        }
        if places.touch(place, seconds(now)) {
            // A lost race loses a note of no importance.
            let _ = store.set(&directory(set), &places.to_bytes(), Expected::Version(version));
        }
        Some(Found { entry, age })
    }

    /// Keeps an answer that is good for `ttl` seconds, if it is not too long. Says whether it is kept.
    pub fn keep(&self, store: &dyn Store, entry: &Entry, ttl: u64, now: Timestamp) -> bool {
        let bytes = entry.to_bytes();
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if entry.completion.len() > self.entry_bytes as usize || u64::from(size) > self.room.bytes {
            return false;
        }
        let key = &entry.keys.exact;
        let set = self.set(key);
        let expires = seconds(now.after(ttl.saturating_mul(1000)));
        let arrival = Arrival { tag: key.part(1), size, expires };
        let admitted = store::update(store, &directory(set), ATTEMPTS, |old| {
            let unknown = || Directory::unknown(self.room.places);
            let mut places =
                old.map_or_else(Directory::default, |old| Directory::from_bytes(old).unwrap_or_else(unknown));
            let admitted = places.admit(arrival, self.room, seconds(now));
            (admitted, Some(places.to_bytes()))
        });
        let Ok((place, emptied)) = admitted else { return false };
        let write = |place: usize, value: &[u8]| store.set(&slot(set, place), value, Expected::Anything);
        for place in emptied {
            let _ = write(place, b"");
        }
        let written = write(place, &bytes).is_ok();
        let still_ours = store
            .get(&directory(set))
            .and_then(|(bytes, _)| Directory::from_bytes(&bytes))
            .is_some_and(|places| places.holds(place, arrival));
        if !still_ours {
            let _ = write(place, b"");
        }
        written && still_ours
    }

    fn set(&self, key: &Key) -> u64 {
        key.part(0).checked_rem(self.sets).unwrap_or_default()
    }
}

fn directory(set: u64) -> String {
    format!("cache/set/{set}")
}

fn slot(set: u64, place: usize) -> String {
    format!("cache/set/{set}/{place}")
}

/// Unix time in seconds, in a form that lasts until 2106.
fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.seconds()).unwrap_or(u32::MAX)
}

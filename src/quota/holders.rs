//! Which instances of the VM are alive, so that what one has reserved does not outlive it.
//!
//! Each has an id and beats, about once a second; a table in the store says when each has beaten last. The table has a clock of
//! its own that only beats move, and never by more than a moment each: a step of the host's clock, or a machine that slept,
//! makes nobody look dead. Who has not beaten for a while of that clock is dead; should it wake up again it goes on
//! under a new id, because what it had reserved under the old one may have been dropped.

use super::bytes::Reader;
use super::keys::HOLDERS;
use crate::store::{Contended, Store, update};
use crate::time::Timestamp;

/// The id of an instance of the VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HolderId(pub(super) u64);

/// An instance of the VM, which reserves.
#[derive(Debug)]
pub struct Holder {
    id: HolderId,
    /// When it has beaten last, if ever.
    beaten: Option<Timestamp>,
}

/// How often a holder beats, in milliseconds.
const BEAT: u64 = 1_000;
/// A gap between two beats of anybody counts for no more, in milliseconds: with one holder alone they are a second apart.
const LONGEST_GAP: u64 = 2 * BEAT;
/// Who has not beaten for so long is dead, in milliseconds: no worker is kept from its ticks for that long by its work.
const DEAD_AFTER: u64 = 15_000;
/// More workers than any machine has; it bounds the table.
const MOST: usize = 512;
/// The table's form, its first byte.
const VERSION: u8 = 1;
/// Beats are rare and short.
const ATTEMPTS: u32 = 64;

impl Holder {
    /// A new instance. `chance` is a random number, or at least one that no other instance has.
    #[must_use]
    pub const fn new(chance: u64) -> Self {
        Self { id: HolderId(chance), beaten: None }
    }

    /// The id to reserve under. It has been registered before, so that it is not taken for dead; this costs nothing while
    /// the last beat is fresh.
    pub fn id(&mut self, store: &dyn Store, now: Timestamp) -> HolderId {
        let is_fresh = self.beaten.is_some_and(|beaten| beaten <= now && now.since(beaten) < BEAT);
        if !is_fresh {
            // Where the table cannot be won there will be other beats before anybody is taken for dead.
            let _ = self.beat(store, now);
        }
        self.id
    }

    /// Says that this instance is alive; to be called on every tick.
    ///
    /// # Errors
    /// If the table could not be won.
    pub fn beat(&mut self, store: &dyn Store, now: Timestamp) -> Result<(), Contended> {
        let (first, old) = (self.beaten.is_none(), self.id);
        self.id = update(store, HOLDERS, ATTEMPTS, |table| {
            let mut table = Table::read(table);
            table.move_clock(now);
            // Random ids are far from each other, so the next number is nobody's.
            let id = if first || table.is_alive(old) { old } else { HolderId(old.0.wrapping_add(1)) };
            table.beat(id);
            (id, Some(table.to_bytes()))
        })?;
        self.beaten = Some(now);
        Ok(())
    }
}

/// Asks the store who is alive, once and only when it matters.
pub(super) struct Census<'a> {
    store: &'a dyn Store,
    table: Option<Table>,
}

impl<'a> Census<'a> {
    pub fn new(store: &'a dyn Store) -> Self {
        Self { store, table: None }
    }

    pub fn is_alive(&mut self, holder: HolderId) -> bool {
        let store = self.store;
        let table = self.table.get_or_insert_with(|| {
            let table = store.get(HOLDERS);
            Table::read(table.as_ref().map(|(bytes, _)| bytes.as_slice()))
        });
        table.is_alive(holder)
    }

    /// Whether a holder was not seen for so long that it has to be asked for.
    pub fn is_overdue(seen: Timestamp, now: Timestamp) -> bool {
        Self::overdue_at(seen) <= now
    }

    /// When that will be.
    pub fn overdue_at(seen: Timestamp) -> Timestamp {
        seen.after(DEAD_AFTER)
    }
}

#[derive(Debug, Default)]
struct Table {
    /// The host's time at the last beat of anybody.
    last: Timestamp,
    /// The table's own time, in milliseconds.
    clock: u64,
    /// Each holder, with the table's time of its last beat.
    beats: Vec<(HolderId, u64)>,
}

impl Table {
    /// What cannot be read is an empty table: then everybody is new.
    fn read(bytes: Option<&[u8]>) -> Self {
        bytes.and_then(Self::from_bytes).unwrap_or_default()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes.strip_prefix(&[VERSION])?);
        let (last, clock) = (Timestamp::from_millis(from.u64()?), from.u64()?);
        let mut beats = Vec::with_capacity(from.0.len() / 16 + 1);
        while !from.0.is_empty() {
            beats.push((HolderId(from.u64()?), from.u64()?));
        }
        Some(Self { last, clock, beats })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(17 + 16 * self.beats.len());
        out.push(VERSION);
        out.extend(self.last.millis().to_le_bytes());
        out.extend(self.clock.to_le_bytes());
        for (holder, beat) in &self.beats {
            out.extend(holder.0.to_le_bytes());
            out.extend(beat.to_le_bytes());
        }
        out
    }

    fn move_clock(&mut self, now: Timestamp) {
        self.clock = self.clock.wrapping_add(now.since(self.last).min(LONGEST_GAP));
        self.last = now;
    }

    fn beat(&mut self, holder: HolderId) {
        let clock = self.clock;
        self.beats.retain(|(other, beat)| *other != holder && is_recent(*beat, clock));
        self.beats.truncate(MOST - 1);
        self.beats.push((holder, clock));
    }

    fn is_alive(&self, holder: HolderId) -> bool {
        self.beats.iter().any(|(other, beat)| *other == holder && is_recent(*beat, self.clock))
    }
}

/// A beat that is yet to come, which nobody wrote, is not.
fn is_recent(beat: u64, clock: u64) -> bool {
    clock.wrapping_sub(beat) <= DEAD_AFTER
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Memory;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    fn is_alive(store: &Memory, holder: HolderId) -> bool {
        Census::new(store).is_alive(holder)
    }

    /// Beats once a second from `begin` to `end`, in seconds.
    fn tick(store: &Memory, holder: &mut Holder, begin: u64, end: u64) {
        (begin..=end).for_each(|second| holder.beat(store, at(1_000 * second)).unwrap());
    }

    #[test]
    fn a_holder_is_alive_until_it_has_not_beaten_for_a_while() {
        let store = Memory::default();
        let (mut living, mut dying) = (Holder::new(10), Holder::new(20));
        assert!(!is_alive(&store, living.id), "it has not beaten yet");
        let (a, b) = (living.id(&store, at(0)), dying.id(&store, at(0)));
        assert!(is_alive(&store, a) && is_alive(&store, b));
        tick(&store, &mut living, 1, 15);
        assert!(is_alive(&store, a) && is_alive(&store, b));
        tick(&store, &mut living, 16, 16);
        assert!(is_alive(&store, a) && !is_alive(&store, b));
    }

    #[test]
    fn who_wakes_up_again_goes_on_under_a_new_id() {
        let store = Memory::default();
        let (mut living, mut sleeping) = (Holder::new(10), Holder::new(20));
        let before = sleeping.id(&store, at(0));
        tick(&store, &mut living, 0, 20);
        let after = sleeping.id(&store, at(20_500));
        assert_ne!(before, after);
        assert!(is_alive(&store, after) && !is_alive(&store, before));
        assert_eq!(sleeping.id(&store, at(20_600)), after);
    }

    #[test]
    fn a_step_of_the_clock_kills_nobody() {
        for step in [-3_600_000_i64, -1_000, 3_600_000, 365 * 86_400_000] {
            let store = Memory::default();
            let (mut first, mut second) = (Holder::new(10), Holder::new(20));
            let ids = [first.id(&store, at(4_000_000)), second.id(&store, at(4_000_000))];
            let stepped = at(4_000_000_u64.checked_add_signed(step).unwrap());
            first.beat(&store, stepped).unwrap();
            assert!(is_alive(&store, ids[1]), "{step}");
            assert_eq!([first.id(&store, stepped), second.id(&store, stepped)], ids, "{step}");
        }
    }

    #[test]
    fn asking_for_the_id_beats_when_the_last_beat_is_old() {
        let store = Memory::default();
        let mut holder = Holder::new(10);
        let version = |store: &Memory| store.get(HOLDERS).map(|(_, version)| version);
        holder.id(&store, at(0));
        let first = version(&store);
        holder.id(&store, at(999));
        assert_eq!(version(&store), first);
        holder.id(&store, at(1_000));
        assert_ne!(version(&store), first);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_dead() {
        let store = Memory::default();
        let length = |store: &Memory| store.get(HOLDERS).unwrap().0.len();
        for n in 0..2_000 {
            Holder::new(10 * n).beat(&store, at(0)).unwrap();
        }
        assert_eq!(length(&store), 17 + 16 * MOST);
        let mut living = Holder::new(1);
        tick(&store, &mut living, 0, 16);
        assert_eq!(length(&store), 17 + 16);
    }

    #[test]
    fn a_table_that_cannot_be_read_is_begun_anew() {
        for bytes in [&b""[..], b"\x02", b"\x01abc", &[1; 40]] {
            let store = Memory::default();
            store.set(HOLDERS, bytes, crate::store::Expected::Absent).unwrap();
            let mut holder = Holder::new(10);
            let id = holder.id(&store, at(0));
            assert!(is_alive(&store, id) && id.0 == 10);
        }
    }
}

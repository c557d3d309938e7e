//! What lies in the places of one set, and who has to go for a new answer.
//!
//! All answers of a set together stay within its share of memory, because whoever comes takes the
//! room of those that go. First goes what is too old anyway, then what was given again least often,
//! then what has not been for the longest time. Each time somebody has to go, all others' merits are
//! halved, so that nobody lives on old ones.

use super::bytes::take;

/// The places of one set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Directory(Vec<Place>);

/// What lies in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Place {
    /// Part of the answer's key.
    tag: u64,
    /// How many bytes it has; 0 if the place is empty.
    size: u32,
    /// When it is too old, and when it was last asked for, in Unix time in seconds.
    expires: u32,
    used: u32,
    /// How often it was given again.
    hits: u16,
}

/// What a set may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    pub places: usize,
    pub bytes: u64,
}

/// An answer that comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub tag: u64,
    pub size: u32,
    pub expires: u32,
}

/// The form's version, its first byte.
const VERSION: u8 = 1;

impl Directory {
    /// The directory of places of which nobody knows what lies in them: all of it has to go.
    pub fn unknown(places: usize) -> Self {
        Self(vec![Place { size: u32::MAX, ..Place::default() }; places])
    }

    /// The directory in these bytes; none if they are something else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        let mut places = Vec::with_capacity(rest.len() / 22);
        while !rest.is_empty() {
            places.push(Place {
                tag: u64::from_le_bytes(take(&mut rest)?),
                size: u32::from_le_bytes(take(&mut rest)?),
                expires: u32::from_le_bytes(take(&mut rest)?),
                used: u32::from_le_bytes(take(&mut rest)?),
                hits: u16::from_le_bytes(take(&mut rest)?),
            });
        }
        Some(Self(places))
    }

    /// The directory as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len().saturating_mul(22).saturating_add(1));
        out.push(VERSION);
        for place in &self.0 {
            out.extend(place.tag.to_le_bytes());
            out.extend(place.size.to_le_bytes());
            out.extend(place.expires.to_le_bytes());
            out.extend(place.used.to_le_bytes());
            out.extend(place.hits.to_le_bytes());
        }
        out
    }

    /// Where an answer should lie.
    pub fn find(&self, tag: u64) -> Option<usize> {
        self.0.iter().position(|place| place.tag == tag && place.size > 0)
    }

    /// Notes that the answer in a place was given again; whether there is anything to write: what is
    /// asked for all the time is noted once in a second.
    pub fn touch(&mut self, place: usize, now: u32) -> bool {
        let Some(place) = self.0.get_mut(place).filter(|place| place.used < now) else { return false };
        place.used = now;
        place.hits = place.hits.saturating_add(1);
        true
    }

    /// Gives an answer a place, and says which other places are to be emptied. It must not be larger
    /// than the whole room.
    pub fn admit(&mut self, arrival: Arrival, room: Room, now: u32) -> (usize, Vec<usize>) {
        // There may have been more room once.
        let mut emptied: Vec<usize> =
            (room.places..self.0.len()).filter(|place| self.size(*place) > 0).collect();
        self.0.resize(room.places, Place::default());
        let known = self.find(arrival.tag);
        if let Some(place) = known {
            self.clear(place);
        }
        let free = |this: &Self| this.0.iter().position(|place| place.size == 0);
        let most = room.bytes.saturating_sub(arrival.size.into());
        let crowded = |this: &Self| this.bytes() > most || free(this).is_none();
        if crowded(self) {
            while let Some(victim) = self.victim(now).filter(|_| crowded(self)) {
                self.clear(victim);
                emptied.push(victim);
            }
            self.0.iter_mut().for_each(|place| place.hits /= 2);
        }
        let place = known.or_else(|| free(self)).unwrap_or_default();
        if let Some(taken) = self.0.get_mut(place) {
            let Arrival { tag, size, expires } = arrival;
            *taken = Place { tag, size, expires, used: now, hits: 0 };
        }
        emptied.retain(|emptied| *emptied != place);
        (place, emptied)
    }

    /// Whether a place holds this answer.
    pub fn holds(&self, place: usize, arrival: Arrival) -> bool {
        self.0.get(place).is_some_and(|held| held.tag == arrival.tag && held.size == arrival.size)
    }

    /// How many bytes all of them have.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|place| u64::from(place.size)).sum()
    }

    /// How many bytes lie in a place.
    pub fn size(&self, place: usize) -> u32 {
        self.0.get(place).map_or(0, |place| place.size)
    }

    /// Who goes first.
    fn victim(&self, now: u32) -> Option<usize> {
        let held = self.0.iter().enumerate().filter(|(_, place)| place.size > 0);
        let merit = |(_, place): &(usize, &Place)| (place.expires > now, place.hits, place.used);
        held.min_by_key(merit).map(|(at, _)| at)
    }

    fn clear(&mut self, place: usize) {
        if let Some(place) = self.0.get_mut(place) {
            *place = Place::default();
        }
    }
}

//! The same request several times at once: the first one leads, the others wait for its answer.
//!
//! A worker's own state, without a clock. Nobody waits longer than until the first has had its time, and everybody whose
//! leader fails goes alone: what one request suffers is no other one's fate. There is nothing here that could not be forgotten.

use super::key::Key;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// The requests of one worker that are on their way and whose answers will be kept. Each is known by a number; of those that
/// wait, `W` is how they are reached.
#[derive(Debug)]
pub struct Flights<W>(BTreeMap<Key, Flight<W>>);

#[derive(Debug)]
struct Flight<W> {
    leader: u32,
    /// When waiting ends.
    until: Timestamp,
    waiting: Vec<(u32, W)>,
}

/// No more requests lead at a time, and no more wait for one.
const MOST: usize = 1024;

impl<W> Default for Flights<W> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<W> Flights<W> {
    /// Whether a request waits for the answer under `key`, because that is on its way: until it is released, at the latest as
    /// [`overdue`](Self::overdue).
    pub fn join(&mut self, key: &Key, who: (u32, W), now: Timestamp) -> bool {
        let flight = self.0.get_mut(key).filter(|flight| flight.until > now && flight.waiting.len() < MOST);
        flight.map(|flight| flight.waiting.push(who)).is_some()
    }

    /// A request is sent for the answer under `key`, and others may wait for that until `until`. Says whether it leads: not if
    /// another one does already, or too many do.
    pub fn lead(&mut self, key: Key, who: u32, until: Timestamp) -> bool {
        match self.0.get(&key) {
            Some(flight) => flight.leader == who,
            None if self.0.len() >= MOST => false,
            None => {
                self.0.insert(key, Flight { leader: who, until, waiting: Vec::new() });
                true
            }
        }
    }

    /// A leader's answer is there, or it has failed: those who have waited, in the order of their
    /// coming. They look for the answer, and go alone if there is none. Of others nothing is said.
    pub fn landed(&mut self, key: &Key, who: u32) -> Vec<(u32, W)> {
        match self.0.get(key) {
            Some(flight) if flight.leader == who => {
                self.0.remove(key).map(|flight| flight.waiting).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// A request that waits is over: its client has gone.
    pub fn left(&mut self, key: &Key, who: u32) {
        if let Some(flight) = self.0.get_mut(key) {
            flight.waiting.retain(|(waiting, _)| *waiting != who);
        }
    }

    /// Those who have waited long enough and go alone.
    pub fn overdue(&mut self, now: Timestamp) -> Vec<(u32, W)> {
        let late = self.0.values_mut().filter(|flight| flight.until <= now);
        late.flat_map(|flight| std::mem::take(&mut flight.waiting)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn key(byte: u8) -> Key {
        Key::from_bytes([byte; 32])
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn numbers(released: Vec<(u32, ())>) -> Vec<u32> {
        released.into_iter().map(|(who, ())| who).collect()
    }

    const NOBODY: [u32; 0] = [];

    #[test]
    fn the_first_leads_and_the_others_wait_until_it_has_landed() {
        let mut flights = Flights::default();
        assert!(!flights.join(&key(1), (1, ()), at(1000)));
        assert!(flights.lead(key(1), 1, at(1100)));
        assert!(flights.join(&key(1), (2, ()), at(1010)));
        assert!(!flights.join(&key(2), (3, ()), at(1010)), "another request");
        assert!(flights.join(&key(1), (4, ()), at(1020)));
        assert!(!flights.lead(key(1), 5, at(2000)), "one that would not wait");
        assert_eq!(numbers(flights.landed(&key(1), 5)), NOBODY, "only the leader's answer counts");
        assert_eq!(numbers(flights.landed(&key(1), 1)), [2, 4]);
        assert_eq!(numbers(flights.landed(&key(1), 1)), NOBODY);
        assert!(!flights.join(&key(1), (6, ()), at(1030)));
    }

    #[test]
    fn nobody_waits_longer_than_the_leader_has_time() {
        let mut flights = Flights::default();
        flights.lead(key(1), 1, at(1100));
        assert!(flights.join(&key(1), (2, ()), at(1099)));
        assert_eq!(numbers(flights.overdue(at(1099))), NOBODY);
        assert_eq!(numbers(flights.overdue(at(1100))), [2]);
        assert!(!flights.join(&key(1), (3, ()), at(1100)));
        assert_eq!(numbers(flights.landed(&key(1), 1)), NOBODY);
    }

    #[test]
    fn who_has_gone_is_released_no_more() {
        let mut flights = Flights::default();
        flights.lead(key(1), 1, at(100));
        assert!(flights.join(&key(1), (2, ()), at(0)) && flights.join(&key(1), (3, ()), at(0)));
        flights.left(&key(1), 2);
        flights.left(&key(2), 3);
        assert_eq!(numbers(flights.landed(&key(1), 1)), [3]);
    }

    #[test]
    fn there_are_never_too_many() {
        let mut flights = Flights::default();
        let keys = |number: u32| Key::from_bytes([number.to_le_bytes(); 8].concat().try_into().unwrap());
        let most = u32::try_from(MOST).unwrap();
        assert!((0..most).all(|number| flights.lead(keys(number), number, at(100))));
        assert!(!flights.lead(keys(most), most, at(100)));
        assert!((0..most).all(|number| flights.join(&keys(0), (most + number, ()), at(0))));
        assert!(!flights.join(&keys(0), (3 * most, ()), at(0)));
        assert_eq!(numbers(flights.landed(&keys(0), 0)).len(), MOST);
    }

    proptest! {
        #[test]
        fn each_that_waits_is_released_exactly_once(steps in prop::collection::vec((0..3_u8, 0..4_u8, 0..30_u64), 1..200)) {
            let mut flights = Flights::default();
            let (mut now, mut waiting, mut leading) = (0, BTreeSet::new(), Vec::new());
            for (who, (what, of, pause)) in steps.into_iter().enumerate() {
                let who = u32::try_from(who).unwrap();
                now += pause;
                let released = match what {
                    0 => {
                        if flights.join(&key(of), (who, ()), at(now)) {
                            waiting.insert(who);
                        } else if flights.lead(key(of), who, at(now + 50)) {
                            leading.push((of, who));
                        }
                        Vec::new()
                    }
                    1 => numbers(flights.overdue(at(now))),
                    _ => match leading.iter().position(|(led, _)| *led == of) {
                        Some(at) => { let (of, who) = leading.swap_remove(at); numbers(flights.landed(&key(of), who)) }
                        None => Vec::new(),
                    },
                };
                for who in released {
                    prop_assert!(waiting.remove(&who), "{who} did not wait");
                }
            }
            for (of, who) in leading {
                numbers(flights.landed(&key(of), who)).iter().for_each(|who| { waiting.remove(who); });
            }
            prop_assert!(waiting.is_empty());
        }
    }
}

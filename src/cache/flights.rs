//! The same request several times at once: the first one leads, the others wait for its answer.
//!
//! A worker's own state, without a clock: who leads, who waits, until when. Nobody waits longer than
//! until the leader has had its time, and everybody whose leader fails goes alone: what one request
//! suffers is no other one's fate. There is nothing here that could not be forgotten.

use super::key::Key;
use std::collections::BTreeMap;

/// The requests of one worker that are on their way and could be answered for others.
#[derive(Debug)]
pub struct Flights {
    wait_ms: u64,
    flights: BTreeMap<Key, Flight>,
}

#[derive(Debug)]
struct Flight {
    leader: u32,
    /// When waiting ends, in milliseconds.
    until: u64,
    waiting: Vec<u32>,
}

/// What a request that arrives does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// It is sent, and its answer told of by [`Flights::landed`].
    Lead,
    /// It is held until it is released, at this time in milliseconds at the latest.
    Wait {
        /// Milliseconds, by the clock that `now` is of.
        until: u64,
    },
    /// It is sent, and no other one waits for it.
    Alone,
}

/// No more requests lead at a time, and no more wait for one.
const MOST: usize = 1024;

impl Flights {
    /// No flights; a request waits no longer than so many milliseconds.
    #[must_use]
    pub fn new(wait_ms: u64) -> Self {
        Self { wait_ms, flights: BTreeMap::new() }
    }

    /// A request arrives that nothing is kept for. `who` tells it from all others of this worker;
    /// `now` is in milliseconds.
    pub fn arrive(&mut self, key: Key, who: u32, now: u64) -> Turn {
        if let Some(flight) = self.flights.get_mut(&key) {
            if flight.until <= now || flight.waiting.len() >= MOST {
                return Turn::Alone;
            }
            flight.waiting.push(who);
            return Turn::Wait { until: flight.until };
        }
        if self.wait_ms == 0 || self.flights.len() >= MOST {
            return Turn::Alone;
        }
        let until = now.saturating_add(self.wait_ms);
        self.flights.insert(key, Flight { leader: who, until, waiting: Vec::new() });
        Turn::Lead
    }

    /// A leader's answer is there, or it has failed: those who have waited, in the order of their
    /// coming. They look for the answer, and go alone if there is none. Of others nothing is said.
    pub fn landed(&mut self, key: &Key, who: u32) -> Vec<u32> {
        match self.flights.get(key) {
            Some(flight) if flight.leader == who => {
                self.flights.remove(key).map(|flight| flight.waiting).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// A request that waits is over: its client has gone.
    pub fn left(&mut self, key: &Key, who: u32) {
        if let Some(flight) = self.flights.get_mut(key) {
            flight.waiting.retain(|waiting| *waiting != who);
        }
    }

    /// Those who have waited long enough and go alone. `now` is in milliseconds.
    pub fn overdue(&mut self, now: u64) -> Vec<u32> {
        let late = self.flights.values_mut().filter(|flight| flight.until <= now);
        late.flat_map(|flight| std::mem::take(&mut flight.waiting)).collect()
    }

    /// Whether anybody waits, so that somebody has to look at the clock.
    #[must_use]
    pub fn anybody_waits(&self) -> bool {
        self.flights.values().any(|flight| !flight.waiting.is_empty())
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

    #[test]
    fn the_first_leads_and_the_others_wait_until_it_has_landed() {
        let mut flights = Flights::new(100);
        assert_eq!(flights.arrive(key(1), 1, 1000), Turn::Lead);
        assert!(!flights.anybody_waits());
        assert_eq!(flights.arrive(key(1), 2, 1010), Turn::Wait { until: 1100 });
        assert_eq!(flights.arrive(key(2), 3, 1010), Turn::Lead, "another request");
        assert_eq!(flights.arrive(key(1), 4, 1020), Turn::Wait { until: 1100 });
        assert!(flights.anybody_waits());
        assert_eq!(flights.landed(&key(1), 2), [0_u32; 0], "only the leader's answer counts");
        assert_eq!(flights.landed(&key(1), 1), [2, 4]);
        assert_eq!(flights.landed(&key(1), 1), [0_u32; 0]);
        assert_eq!(flights.arrive(key(1), 5, 1030), Turn::Lead);
    }

    #[test]
    fn nobody_waits_longer_than_the_leader_has_time() {
        let mut flights = Flights::new(100);
        flights.arrive(key(1), 1, 1000);
        flights.arrive(key(1), 2, 1099);
        assert_eq!(flights.overdue(1099), [0_u32; 0]);
        assert_eq!(flights.overdue(1100), [2]);
        assert_eq!(flights.arrive(key(1), 3, 1100), Turn::Alone);
        assert_eq!(flights.landed(&key(1), 1), [0_u32; 0]);
    }

    #[test]
    fn who_has_gone_is_released_no_more() {
        let mut flights = Flights::new(100);
        flights.arrive(key(1), 1, 0);
        flights.arrive(key(1), 2, 0);
        flights.arrive(key(1), 3, 0);
        flights.left(&key(1), 2);
        flights.left(&key(2), 2);
        assert_eq!(flights.landed(&key(1), 1), [3]);
    }

    #[test]
    fn without_time_to_wait_everybody_goes_alone() {
        let mut flights = Flights::new(0);
        assert_eq!([1, 2].map(|who| flights.arrive(key(1), who, 0)), [Turn::Alone, Turn::Alone]);
    }

    #[test]
    fn there_are_never_too_many() {
        let mut flights = Flights::new(100);
        let keys = |number: u32| Key::from_bytes([number.to_le_bytes(); 8].concat().try_into().unwrap());
        let most = u32::try_from(MOST).unwrap();
        assert!((0..most).all(|number| flights.arrive(keys(number), number, 0) == Turn::Lead));
        assert_eq!(flights.arrive(keys(most), most, 0), Turn::Alone);
        assert!(
            (0..most).all(|number| flights.arrive(keys(0), most + number, 0) == Turn::Wait { until: 100 })
        );
        assert_eq!(flights.arrive(keys(0), 3 * most, 0), Turn::Alone);
        assert_eq!(flights.landed(&keys(0), 0).len(), MOST);
    }

    proptest! {
        #[test]
        fn each_that_waits_is_released_exactly_once(steps in prop::collection::vec((0..3_u8, 0..4_u8, 0..30_u64), 1..200)) {
            let mut flights = Flights::new(50);
            let (mut now, mut waiting, mut leading) = (0, BTreeSet::new(), Vec::new());
            for (who, (what, of, pause)) in steps.into_iter().enumerate() {
                let who = u32::try_from(who).unwrap();
                now += pause;
                let released = match what {
                    0 => {
                        match flights.arrive(key(of), who, now) {
                            Turn::Lead => leading.push((of, who)),
                            Turn::Wait { until } => { prop_assert!(until > now && until <= now + 50); waiting.insert(who); }
                            Turn::Alone => {}
                        }
                        Vec::new()
                    }
                    1 => flights.overdue(now),
                    _ => match leading.iter().position(|(led, _)| *led == of) {
                        Some(at) => { let (of, who) = leading.swap_remove(at); flights.landed(&key(of), who) }
                        None => Vec::new(),
                    },
                };
                for who in released {
                    prop_assert!(waiting.remove(&who), "{who} did not wait");
                }
                prop_assert_eq!(flights.anybody_waits(), !waiting.is_empty());
            }
            for (of, who) in leading {
                flights.landed(&key(of), who).iter().for_each(|who| { waiting.remove(who); });
            }
            prop_assert!(waiting.is_empty());
        }
    }
}

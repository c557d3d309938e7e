//! The requests of the last while, and how many of them failed, in six parts of it: one counts until the part in which it came
//! is as old as the window is long.

use super::form::Walk;

const PARTS: usize = 6;

/// Requests, and how many of them failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub all: u32,
    pub failed: u32,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.all = self.all.saturating_add(other.all);
        self.failed = self.failed.saturating_add(other.failed);
    }
}

/// A window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// How long a part is, in milliseconds.
    length: u64,
    /// The number of the newest, counted from the epoch.
    newest: u64,
    /// Each where the remainder of its number is.
    parts: [Tally; PARTS],
}

impl Window {
    /// Brings it up to `now`, in milliseconds, by a rule that may be another one than before. Gives what is in it no more.
    pub fn advance(&mut self, now: u64, window: u64) -> Tally {
        let length = (window / PARTS as u64).max(1);
        let newest = now / length;
        // A clock that went back, or parts of another length, cannot be put in order.
        let steps = match self.length == length && self.newest <= newest {
            true => (newest - self.newest).min(PARTS as u64),
            false => PARTS as u64,
        };
        (self.length, self.newest) = (length, newest);
        self.take(steps)
    }

    /// Counts a request that came at this time, in milliseconds.
    pub fn add(&mut self, at: u64, failed: bool) {
        let age = self.newest.saturating_sub(at / self.length.max(1)).min(PARTS as u64 - 1);
        self.part(age).add(Tally { all: 1, failed: failed.into() });
    }

    /// The part that is so many parts old.
    fn part(&mut self, age: u64) -> &mut Tally {
        let [first, rest @ ..] = &mut self.parts;
        let at = (self.newest.wrapping_sub(age) % PARTS as u64) as usize;
        rest.get_mut(at.wrapping_sub(1)).unwrap_or(first)
    }

    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.parts.iter().for_each(|part| total.add(*part));
        total
    }

    /// Empties it.
    pub fn clear(&mut self) -> Tally {
        self.take(PARTS as u64)
    }

    /// Empties the newest parts.
    #[inline(never)]
    fn take(&mut self, parts: u64) -> Tally {
        let mut taken = Tally::default();
        (0..parts).for_each(|age| taken.add(std::mem::take(self.part(age))));
        taken
    }

    pub fn walk(&mut self, by: &mut dyn Walk) {
        by.number(&mut self.length);
        by.number(&mut self.newest);
        for part in &mut self.parts {
            by.count(&mut part.all);
            by.count(&mut part.failed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(all: u32, failed: u32) -> Tally {
        Tally { all, failed }
    }

    #[test]
    fn a_request_counts_until_its_part_is_as_old_as_the_window_is_long() {
        let mut window = Window::default();
        window.advance(60_000, 30_000);
        window.add(61_000, true);
        window.advance(66_000, 30_000);
        window.add(66_000, false);
        for (now, gone, total) in [
            (66_000, tally(0, 0), tally(2, 1)),
            (89_999, tally(0, 0), tally(2, 1)),
            (90_000, tally(1, 1), tally(1, 0)),
            (94_999, tally(0, 0), tally(1, 0)),
            (95_000, tally(1, 0), tally(0, 0)),
        ] {
            assert_eq!((window.advance(now, 30_000), window.total()), (gone, total), "{now}");
        }
    }

    #[test]
    fn what_comes_late_counts_where_it_belongs() {
        let mut window = Window::default();
        window.advance(90_000, 30_000);
        for at in [89_000, 66_000, 1_000] {
            window.add(at, false);
        }
        assert_eq!(window.advance(95_000, 30_000), tally(2, 0), "the oldest part takes what is older");
        assert_eq!(window.total(), tally(1, 0));
    }

    #[test]
    fn a_window_of_another_length_or_of_a_future_begins_anew() {
        for (now, length) in [(60_000, 60_000), (30_000, 30_000), (3_600_000, 30_000)] {
            let mut window = Window::default();
            window.advance(60_000, 30_000);
            window.add(60_000, true);
            assert_eq!(window.advance(now, length), tally(1, 1), "{now} {length}");
            window.add(now, false);
            assert_eq!(window.total(), tally(1, 0));
        }
    }
}

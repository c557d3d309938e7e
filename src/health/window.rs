//! The requests of the last while, and how many of them failed, in six parts of it: one counts until the part in which it came
//! is as old as the window is long.

use super::bytes::Reader;

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
    /// The newest first.
    parts: [Tally; PARTS],
}

impl Window {
    /// Brings it up to `now`, in milliseconds, by a rule that may be another one than before. Gives what is in it no more.
    pub fn advance(&mut self, now: u64, window: u64) -> Tally {
        let length = (window / PARTS as u64).max(1);
        let newest = now / length;
        // A clock that went back, or parts of another length, cannot be put in order.
        let steps = match self.length == length && self.newest <= newest {
            true => usize::try_from(newest - self.newest).unwrap_or(PARTS).min(PARTS),
            false => PARTS,
        };
        (self.length, self.newest) = (length, newest);
        self.parts.rotate_right(steps);
        self.take(steps)
    }

    /// Counts a request that came at this time, in milliseconds.
    pub fn add(&mut self, at: u64, failed: bool) {
        let age = usize::try_from(self.newest.saturating_sub(at / self.length.max(1))).unwrap_or(PARTS);
        if let Some(part) = self.parts.get_mut(age.min(PARTS - 1)) {
            part.add(Tally { all: 1, failed: failed.into() });
        }
    }

    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.parts.iter().for_each(|part| total.add(*part));
        total
    }

    /// Empties it.
    pub fn clear(&mut self) -> Tally {
        self.take(PARTS)
    }

    fn take(&mut self, parts: usize) -> Tally {
        let mut taken = Tally::default();
        self.parts.iter_mut().take(parts).for_each(|part| taken.add(std::mem::take(part)));
        taken
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.length.to_le_bytes());
        out.extend(self.newest.to_le_bytes());
        for part in &self.parts {
            out.extend(part.all.to_le_bytes());
            out.extend(part.failed.to_le_bytes());
        }
    }

    pub fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut window = Self { length: from.u64()?, newest: from.u64()?, parts: Default::default() };
        for part in &mut window.parts {
            *part = Tally { all: from.u32()?, failed: from.u32()? };
        }
        Some(window)
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

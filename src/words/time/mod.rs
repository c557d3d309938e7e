//! Points in time, as the host's clock tells them and the configuration writes them, and the days and months of UTC that budgets
//! are for.

mod rfc3339;

pub use rfc3339::BadTimestamp;

/// A point in time: milliseconds since the Unix epoch, leap seconds not counted. Finer than any limit, and exact in
/// integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// A minute in milliseconds.
pub const MINUTE: u64 = 60_000;
/// An hour in milliseconds.
pub const HOUR: u64 = 60 * MINUTE;
/// A day in milliseconds.
pub const DAY: u64 = 24 * HOUR;

impl Timestamp {
    /// The point so many milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The point so many seconds after the epoch; the epoch itself for one before it.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(if seconds > 0 { seconds.unsigned_abs().saturating_mul(1000) } else { 0 })
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        (self.0 / 1000).cast_signed()
    }

    /// So many milliseconds later.
    #[must_use]
    pub const fn after(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// So many milliseconds earlier.
    #[must_use]
    pub const fn before(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(millis))
    }

    /// The milliseconds that have passed since `earlier`; none if that is still to come.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// When the day of UTC ends that this is in: the first point of the next.
    #[must_use]
    pub const fn day_end(self) -> Self {
        Self((self.0 / DAY).saturating_add(1).saturating_mul(DAY))
    }

    /// When the month of UTC ends that this is in: the first point of the next.
    #[must_use]
    pub const fn month_end(self) -> Self {
        // Years are counted from March here, so that the day which some years have and some do not is their last: then the
        // months' lengths repeat every five (31, 30, 31, 30, 31), and the years' every four, hundred and four hundred.
        let days = (self.0 / DAY).saturating_add(DAYS_TO_EPOCH);
        let day_of_era = days % DAYS_OF_ERA;
        let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day = day_of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let left = match month {
            // February, at the end of the year that began in March.
            11.. => {
                let next = year + 1;
                let leaps = next / 4 - next / 100 + next / 400;
                365 * next + leaps - day_of_era
            }
            month => (153 * (month + 1) + 2) / 5 - day,
        };
        Self((self.0 / DAY).saturating_add(left).saturating_mul(DAY))
    }
}

/// From the first of March of the year 0 to the epoch.
const DAYS_TO_EPOCH: u64 = 719_468;
/// After four hundred years the calendar repeats.
const DAYS_OF_ERA: u64 = 146_097;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_the_next_begins() {
        for (now, end) in [(0, DAY), (DAY - 1, DAY), (DAY, 2 * DAY), (u64::MAX, u64::MAX)] {
            assert_eq!(Timestamp(now).day_end(), Timestamp(end));
        }
    }

    /// Against counting the months one by one.
    #[test]
    fn a_month_ends_where_the_next_begins() {
        let mut begin = 0;
        for year in 1970..2810_u64 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let february = if leap { 29 } else { 28 };
            for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
                let end = begin + days * DAY;
                for now in [begin, begin + 1, begin + 27 * DAY, end - DAY, end - 1] {
                    assert_eq!(Timestamp(now).month_end(), Timestamp(end), "{now} in {year}");
                }
                begin = end;
            }
        }
        // A clock that is out of its mind still has a month.
        assert!(Timestamp(u64::MAX).month_end() >= Timestamp(u64::MAX).before(32 * DAY));
    }

    #[test]
    fn time_does_not_run_out_of_its_numbers() {
        let (early, late) = (Timestamp(1), Timestamp(u64::MAX));
        assert_eq!((early.before(2), late.after(1)), (Timestamp(0), late));
        assert_eq!((early.since(late), late.since(early)), (0, u64::MAX - 1));
    }
}

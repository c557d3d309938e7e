//! Points in time as the configuration writes them: RFC 3339.

use super::Timestamp;
use std::fmt;

/// Why a text is no point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTimestamp {
    /// Not of the form `2027-01-31T23:59:59Z`.
    Form,
    /// No such day in the calendar.
    Date,
    /// No such time of the day.
    Time,
    /// No such difference to UTC.
    Offset,
}

impl fmt::Display for BadTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "it has another form",
            Self::Date => "there is no such day",
            Self::Time => "there is no such time of the day",
            Self::Offset => "there is no such difference to UTC",
        })
    }
}

/// From the first of January of the year 1 to the epoch.
const DAYS_BEFORE_EPOCH: i64 = 719_162;
const DAY: i64 = 86_400;

impl Timestamp {
    /// Reads RFC 3339: `2027-01-31T23:59:59Z`, `2027-02-01 01:59:59.5+02:00`. Fractions of a second do not count; a leap
    /// second is the one after it, and a point before the epoch is the epoch.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, BadTimestamp> {
        let mut rest = text.as_bytes();
        let rest = &mut rest;
        let year = number(rest, 4)?;
        let month = after(rest, b"-").and_then(|()| number(rest, 2))?;
        let day = after(rest, b"-").and_then(|()| number(rest, 2))?;
        let hour = after(rest, b"Tt ").and_then(|()| number(rest, 2))?;
        let minute = after(rest, b":").and_then(|()| number(rest, 2))?;
        let second = after(rest, b":").and_then(|()| number(rest, 2))?;
        if after(rest, b".").is_ok() {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (_, behind) =
                rest.split_at_checked(digits).filter(|_| digits > 0).ok_or(BadTimestamp::Form)?;
            *rest = behind;
        }
        let offset = offset(rest)?;
        if !rest.is_empty() {
            return Err(BadTimestamp::Form);
        }
        if hour > 23 || minute > 59 || second > 60 {
            return Err(BadTimestamp::Time);
        }
        let days = days(year, month, day)?;
        Ok(Self::from_seconds(days * DAY + hour * 3600 + minute * 60 + second - offset))
    }
}

/// Days from the epoch to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Result<i64, BadTimestamp> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month =
        usize::try_from(month).ok().and_then(|month| month.checked_sub(1)).ok_or(BadTimestamp::Date)?;
    let length = lengths.get(month).ok_or(BadTimestamp::Date)?;
    if !(1..=*length).contains(&day) {
        return Err(BadTimestamp::Date);
    }
    let years = year - 1;
    let leaps = years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    let months: i64 = lengths.iter().take(month).sum();
    Ok(years * 365 + leaps + months + day - 1 - DAYS_BEFORE_EPOCH)
}

/// Seconds that the local time is ahead of UTC: `Z`, `+02:00`.
fn offset(rest: &mut &[u8]) -> Result<i64, BadTimestamp> {
    if after(rest, b"Zz").is_ok() {
        return Ok(0);
    }
    let sign = if after(rest, b"+").is_ok() { 1 } else { after(rest, b"-").map(|()| -1)? };
    let hours = number(rest, 2)?;
    let minutes = after(rest, b":").and_then(|()| number(rest, 2))?;
    if hours > 23 || minutes > 59 {
        Err(BadTimestamp::Offset)
    } else {
        Ok(sign * (hours * 3600 + minutes * 60))
    }
}

/// A number of exactly so many digits.
fn number(rest: &mut &[u8], digits: usize) -> Result<i64, BadTimestamp> {
    let (number, behind) = rest.split_at_checked(digits).ok_or(BadTimestamp::Form)?;
    *rest = behind;
    number.iter().try_fold(0, |number, byte| match byte {
        b'0'..=b'9' => Ok(number * 10 + i64::from(byte - b'0')),
        _ => Err(BadTimestamp::Form),
    })
}

/// Goes on behind one of these characters.
fn after(rest: &mut &[u8], one_of: &[u8]) -> Result<(), BadTimestamp> {
    match rest.split_first() {
        Some((first, behind)) if one_of.contains(first) => {
            *rest = behind;
            Ok(())
        }
        _ => Err(BadTimestamp::Form),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_read_as_seconds_since_the_epoch() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2023-11-14T22:13:20Z", 1_700_000_000),
            ("2023-11-14t22:13:20.999z", 1_700_000_000),
            ("2023-11-15 00:13:20+02:00", 1_700_000_000),
            ("2023-11-14T17:43:20-04:30", 1_700_000_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
            ("2027-01-01T00:00:00Z", 1_798_761_600),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
            ("0000-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(Timestamp::parse(text), Ok(Timestamp::from_seconds(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_point_in_time_is_refused_with_the_reason() {
        for (text, why) in [
            ("", BadTimestamp::Form),
            ("2027-01-01", BadTimestamp::Form),
            ("2027-01-01T00:00:00", BadTimestamp::Form),
            ("2027-01-01T00:00Z", BadTimestamp::Form),
            ("2027-1-1T00:00:00Z", BadTimestamp::Form),
            ("27-01-01T00:00:00Z", BadTimestamp::Form),
            ("+027-01-01T00:00:00Z", BadTimestamp::Form),
            ("2027-01-01T00:00:00.Z", BadTimestamp::Form),
            ("2027-01-01T00:00:00Z ", BadTimestamp::Form),
            ("2027-01-01T00:00:00+0200", BadTimestamp::Form),
            ("2027-01-01T00:00:00 UTC", BadTimestamp::Form),
            ("2027-00-01T00:00:00Z", BadTimestamp::Date),
            ("2027-13-01T00:00:00Z", BadTimestamp::Date),
            ("2027-02-29T00:00:00Z", BadTimestamp::Date),
            ("2100-02-29T00:00:00Z", BadTimestamp::Date),
            ("2027-04-31T00:00:00Z", BadTimestamp::Date),
            ("2027-01-00T00:00:00Z", BadTimestamp::Date),
            ("2027-01-01T24:00:00Z", BadTimestamp::Time),
            ("2027-01-01T00:60:00Z", BadTimestamp::Time),
            ("2027-01-01T00:00:61Z", BadTimestamp::Time),
            ("2027-01-01T00:00:00+24:00", BadTimestamp::Offset),
            ("2027-01-01T00:00:00-00:60", BadTimestamp::Offset),
        ] {
            assert_eq!(Timestamp::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn every_day_follows_the_last_one() {
        let mut expected = days(1, 1, 1).unwrap();
        for year in 1..=2400 {
            for month in 1..=12 {
                for day in (1..=31).filter_map(|day| days(year, month, day).ok()) {
                    assert_eq!(day, expected, "{year}-{month}");
                    expected += 1;
                }
            }
        }
        assert_eq!(days(1970, 1, 1), Ok(0));
    }
}

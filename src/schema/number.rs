//! Numbers as they are written, compared without rounding: `1.0` is `1`, `1e2` is `100`, and a number of a thousand digits is
//! told from its neighbour.

use crate::fnv::join;
use std::cmp::Ordering;

/// Divisors have at most so many digits, so that a remainder and one more digit fit 64 bits.
const DIVISOR_DIGITS: usize = 18;

/// `0.d₁d₂d₃… × 10^scale`, where neither the first nor the last digit is zero; zero has no digits.
#[derive(Clone, Copy)]
pub(super) struct Number<'a> {
    negative: bool,
    /// The digits, perhaps with a point among them.
    written: &'a [u8],
    scale: i64,
}

impl<'a> Number<'a> {
    /// Reads a JSON number.
    pub fn read(text: &'a [u8]) -> Self {
        let negative = text.first() == Some(&b'-');
        let e = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
        let mantissa = text.get(usize::from(negative)..e).unwrap_or_default();
        let point = mantissa.iter().position(|byte| *byte == b'.').unwrap_or(mantissa.len());
        let is_digit = |byte: &u8| matches!(byte, b'1'..=b'9');
        let Some(first) = mantissa.iter().position(is_digit) else {
            return Self { negative: false, written: b"", scale: 0 };
        };
        let last = mantissa.iter().rposition(is_digit).unwrap_or(first);
        let written = mantissa.get(first..=last).unwrap_or_default();
        // Behind the point, the point itself is one of the places between.
        let places =
            if first < point { offset(point, first) } else { offset(point.saturating_add(1), first) };
        let scale = places.saturating_add(exponent(text.get(e.saturating_add(1)..).unwrap_or_default()));
        Self { negative, written, scale }
    }

    fn digits(self) -> impl Iterator<Item = u64> {
        self.written.iter().filter(|byte| **byte != b'.').map(|byte| u64::from(byte.wrapping_sub(b'0')))
    }

    /// How many digits it has.
    fn len(self) -> usize {
        self.digits().count()
    }

    /// Whether it is an integer, however it is written.
    pub fn is_integer(self) -> bool {
        self.last_place() >= 0
    }

    /// The power of ten of its last digit.
    fn last_place(self) -> i64 {
        self.scale.saturating_sub(offset(self.len(), 0))
    }

    /// Which of two is more.
    pub fn compare(self, other: Self) -> Ordering {
        // Any positive number is more than zero, whatever its scale.
        let sign = |number: Self| match (number.written.is_empty(), number.negative) {
            (true, _) => 0_i8,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = || self.scale.cmp(&other.scale).then_with(|| self.digits().cmp(other.digits()));
        match sign(self).cmp(&sign(other)) {
            Ordering::Equal if self.negative => size().reverse(),
            Ordering::Equal => size(),
            differs => differs,
        }
    }

    /// Whether it is a whole number of times `divisor`; not known of a divisor that is zero or has too many digits.
    pub fn is_multiple_of(self, divisor: Self) -> Option<bool> {
        let by = divisor.digits().take(DIVISOR_DIGITS).fold(0, |by: u64, digit| append(by, digit));
        if by == 0 || divisor.len() > DIVISOR_DIGITS {
            return None;
        }
        let zeros = self.last_place().saturating_sub(divisor.last_place());
        if zeros < 0 {
            // It has a digit other than zero below the last place of any multiple.
            return Some(self.written.is_empty());
        }
        let rest = self.digits().fold(0, |rest, digit| append(rest, digit).checked_rem(by).unwrap_or(0));
        // Once there are as many zeros as the divisor has twos and fives, more of them change nothing.
        let rest = (0..zeros.min(64)).fold(rest, |rest: u64, _| append(rest, 0).checked_rem(by).unwrap_or(0));
        Some(rest == 0)
    }

    /// A hash that is the same for numbers that are.
    pub fn hash(self, seed: u64) -> u64 {
        let start = seed ^ u64::from(self.negative) ^ self.scale.unsigned_abs().rotate_left(1);
        self.digits().fold(start, join)
    }
}

/// A number with one more digit.
fn append(number: u64, digit: u64) -> u64 {
    number.wrapping_mul(10).wrapping_add(digit)
}

fn offset(to: usize, from: usize) -> i64 {
    let number = |at: usize| i64::try_from(at).unwrap_or(i64::MAX);
    number(to).saturating_sub(number(from))
}

/// An exponent; one that no 64 bits hold counts as the largest.
fn exponent(text: &[u8]) -> i64 {
    let negative = text.first() == Some(&b'-');
    let digits = text.iter().filter(|byte| byte.is_ascii_digit());
    let size = digits.fold(0_i64, |size, digit| {
        size.saturating_mul(10).saturating_add(i64::from(digit.wrapping_sub(b'0')))
    });
    // Half the range, so that scales do not meet at its end.
    let size = size.min(i64::MAX >> 1);
    if negative { size.saturating_neg() } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number<'_> {
        Number::read(text.as_bytes())
    }

    #[test]
    fn numbers_are_compared_as_they_are_meant() {
        for ascending in [
            &["-1e400", "-1e3", "-10.5", "-10.25", "-1", "-0.1", "-1e-400", "0", "1e-400", "0.1", "0.11"][..],
            &[
                "0.999",
                "1",
                "1.0000000000000000000000000000001",
                "2",
                "9",
                "10",
                "11",
                "1e2",
                "100.01",
                "1e400",
            ],
            &["9007199254740992", "9007199254740993", "18446744073709551615", "18446744073709551616"],
            &["1e-99999999999999999999999", "1e-5", "1", "1e99999999999999999999999"],
        ] {
            for (at, one) in ascending.iter().enumerate() {
                for (place, other) in ascending.iter().enumerate() {
                    assert_eq!(number(one).compare(number(other)), at.cmp(&place), "{one} and {other}");
                }
            }
        }
        for same in [
            &["0", "-0", "0.0", "0e5", "-0.000e-7", "0E+0"][..],
            &["1", "1.0", "1.00e0", "10e-1", "0.1e1", "0.001E+3", "1000e-3"],
            &["-1200", "-1.2e3", "-1200.0", "-120e1", "-0.0012e6"],
            &["0.05", "5e-2", "0.0500", "50.0e-3"],
        ] {
            for (one, other) in same.iter().zip(same.iter().skip(1)) {
                assert_eq!(number(one).compare(number(other)), Ordering::Equal, "{one} and {other}");
                assert_eq!(number(one).hash(7), number(other).hash(7), "{one} and {other}");
            }
        }
    }

    #[test]
    fn an_integer_is_one_however_it_is_written() {
        for (text, is) in [
            ("0", true),
            ("-0.0", true),
            ("1.0", true),
            ("1.5e1", true),
            ("1.25e1", false),
            ("1e400", true),
            ("1e-1", false),
            ("100e-2", true),
            ("0.00", true),
            ("123456789012345678901234567890.0", true),
            ("123456789012345678901234567890.1", false),
        ] {
            assert_eq!(number(text).is_integer(), is, "{text}");
        }
    }

    #[test]
    fn multiples_are_exact() {
        for (text, divisor, is) in [
            ("10", "2", Some(true)),
            ("7", "2", Some(false)),
            ("0", "3", Some(true)),
            ("-9", "3", Some(true)),
            ("4.5", "1.5", Some(true)),
            ("35", "1.5", Some(false)),
            ("0.0075", "0.0001", Some(true)),
            ("0.00751", "0.0001", Some(false)),
            ("19.99", "0.01", Some(true)),
            ("0.3", "0.1", Some(true)),
            ("1e308", "0.123456789", Some(false)),
            ("1e308", "0.5", Some(true)),
            ("1e99999999999", "1024", Some(true)),
            ("1e99999999999", "3", Some(false)),
            ("3", "1e99999999999", Some(false)),
            ("123456789012345678901234567890", "10", Some(true)),
            ("123456789012345678901234567891", "7", Some(false)),
            ("5", "0", None),
            ("5", "1234567890123456789", None),
        ] {
            assert_eq!(number(text).is_multiple_of(number(divisor)), is, "{text} of {divisor}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_compared_as_integers_are(one: i64, other: i64, zeros in 0..5_usize, divisor in 1..1000_i64) {
            let scale = 10_i128.pow(u32::try_from(zeros).unwrap_or(0));
            let text = format!("{one}e{zeros}");
            let exact = i128::from(one) * scale;
            prop_assert_eq!(number(&text).compare(number(&other.to_string())), exact.cmp(&other.into()));
            prop_assert_eq!(number(&text).compare(number(&exact.to_string())), Ordering::Equal);
            let is = exact % i128::from(divisor) == 0;
            prop_assert_eq!(number(&text).is_multiple_of(number(&divisor.to_string())), Some(is));
            let fraction = format!("{one}e-{zeros}");
            prop_assert_eq!(number(&fraction).is_integer(), i128::from(one) % scale == 0);
        }
    }
}

//! Money: whole nano-dollars, because prices are fractions of a cent for a thousand tokens and budgets are sums of very many of them.
//!
//! A configuration's number is a double, whether it was JSON text or a protobuf `Struct`. It stands for the shortest decimal that
//! reads as that double, which is what was written; that decimal is converted digit by digit, and from there on all is integers.

use std::fmt;
use std::iter::Sum;

/// An amount of money, in 10⁻⁹ US dollars; none is negative. Arithmetic saturates: the largest amount, 18 billion dollars,
/// is more than any budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoUsd(u64);

/// Why a number is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAmount {
    /// Less than nothing.
    Negative,
    /// More than [`NanoUsd::MAX`], or no number at all.
    TooLarge,
    /// Digits below a nano-dollar.
    TooFine,
}

impl fmt::Display for BadAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negative => f.write_str("it is negative"),
            Self::TooLarge => write!(f, "it is more than {} USD", NanoUsd::MAX),
            Self::TooFine => f.write_str("it has more than nine decimals"),
        }
    }
}

/// How many decimals of a dollar an amount has.
const DECIMALS: usize = 9;

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount.
    pub const MAX: Self = Self(u64::MAX);
    /// How many nano-dollars a dollar has.
    pub const PER_USD: u64 = 1_000_000_000;

    /// An amount in nano-dollars.
    #[must_use]
    pub const fn new(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The amount in nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The amount that a number of the configuration says, in dollars: exactly the decimal that was written.
    ///
    /// # Errors
    /// Says why the number is not an amount.
    pub fn from_usd(usd: f64) -> Result<Self, BadAmount> {
        if usd < 0.0 {
            return Err(BadAmount::Negative);
        }
        if !usd.is_finite() {
            return Err(BadAmount::TooLarge);
        }
        // The shortest decimal, never with an exponent; the sign is that of a negative zero.
        let decimal = usd.abs().to_string();
        let (whole, fraction) = decimal.split_once('.').unwrap_or((&decimal, ""));
        if fraction.len() > DECIMALS {
            return Err(BadAmount::TooFine);
        }
        Self::of_digits(whole, fraction).ok_or(BadAmount::TooLarge)
    }

    /// The amount that a decimal of dollars says, as one is written.
    #[must_use]
    pub fn read(decimal: &str) -> Option<Self> {
        let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > DECIMALS {
            return None;
        }
        Self::of_digits(whole, fraction)
    }

    /// The amount with these digits before and after the point, of the latter at most as many as there are decimals; none if it is too large.
    fn of_digits(whole: &str, fraction: &str) -> Option<Self> {
        format!("{whole}{fraction:0<DECIMALS$}").parse().ok().map(Self)
    }

    /// The sum.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or nothing.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// So many times the amount.
    #[must_use]
    pub const fn saturating_mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

/// In dollars, as a decimal without zeros at its end: `0.00025`, `12.5`, `100`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, mut fraction) = (self.0 / Self::PER_USD, self.0 % Self::PER_USD);
        write!(f, "{whole}")?;
        if fraction == 0 {
            return Ok(());
        }
        let mut decimals = DECIMALS;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            decimals -= 1;
        }
        write!(f, ".{fraction:0decimals$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_of_the_configuration_is_the_decimal_that_was_written() {
        for (usd, nanos) in [
            (0.0, 0),
            (-0.0, 0),
            (0.1, 100_000_000),
            (0.3, 300_000_000),
            (0.000_000_001, 1),
            (1e-9, 1),
            (2.5, 2_500_000_000),
            (1_234_567.891_234_567, 1_234_567_891_234_567),
            (18_446_744_073.0, 18_446_744_073_000_000_000),
        ] {
            assert_eq!(NanoUsd::from_usd(usd), Ok(NanoUsd(nanos)), "{usd}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for (usd, why) in [
            (-0.01, BadAmount::Negative),
            (f64::NEG_INFINITY, BadAmount::Negative),
            (0.000_000_000_1, BadAmount::TooFine),
            (0.123_456_789_1, BadAmount::TooFine),
            (18_446_744_074.0, BadAmount::TooLarge),
            (1e300, BadAmount::TooLarge),
            (f64::INFINITY, BadAmount::TooLarge),
            (f64::NAN, BadAmount::TooLarge),
        ] {
            assert_eq!(NanoUsd::from_usd(usd), Err(why), "{usd}");
        }
    }

    #[test]
    fn an_amount_is_shown_in_dollars_without_zeros_at_its_end() {
        for (nanos, shown) in [
            (0, "0"),
            (1, "0.000000001"),
            (250, "0.00000025"),
            (10_000_000, "0.01"),
            (1_500_000_000, "1.5"),
            (100 * NanoUsd::PER_USD, "100"),
            (u64::MAX, "18446744073.709551615"),
        ] {
            assert_eq!(NanoUsd(nanos).to_string(), shown);
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let (one, two) = (NanoUsd(1), NanoUsd(2));
        assert_eq!(NanoUsd::MAX.saturating_add(one), NanoUsd::MAX);
        assert_eq!(one.saturating_sub(two), NanoUsd::ZERO);
        assert_eq!(NanoUsd::MAX.saturating_mul(2), NanoUsd::MAX);
        assert_eq!([one, NanoUsd::MAX, two].into_iter().sum::<NanoUsd>(), NanoUsd::MAX);
    }

    proptest! {
        /// A double holds fifteen digits of any decimal.
        #[test]
        fn what_is_shown_reads_as_the_same_amount(nanos in 0..1_000_000_000_000_000_u64) {
            let usd: f64 = NanoUsd(nanos).to_string().parse().unwrap();
            prop_assert_eq!(NanoUsd::from_usd(usd), Ok(NanoUsd(nanos)));
        }
    }
}

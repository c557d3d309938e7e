//! How a limit stands for who has asked, for the headers of the answer.

use super::counter::Counter;
use crate::config::{Limit, Mode};
use crate::time::Timestamp;
use std::fmt;
use std::rc::Rc;

/// How a limit stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub limit: Rc<Limit>,
    /// How much is left of it: requests, tokens or nano-dollars, as its kind says.
    pub remaining: u64,
    /// In how many milliseconds all of it is there again, if nobody asks for anything; nothing where that hangs on those
    /// who are being answered.
    pub resets_in: Option<u64>,
}

impl Standing {
    pub(super) fn of(limit: &Rc<Limit>, counter: &Counter, now: Timestamp) -> Self {
        Self {
            limit: Rc::clone(limit),
            remaining: counter.remaining(),
            resets_in: counter.resets().map(|resets| resets.since(now)),
        }
    }

    /// Whether clients are told of it: what refuses nothing is nothing to them.
    pub(super) fn is_shown(&self) -> bool {
        self.limit.mode == Mode::Enforce
    }
}

/// The tightest first: that of which the smallest part is left.
pub(super) fn sort(standings: &mut [Standing]) {
    let left =
        |one: &Standing, other: &Standing| u128::from(one.remaining) * u128::from(other.limit.capacity());
    // There are few: each is moved up past those that have more left.
    for end in 1..=standings.len() {
        let mut sorted = standings.get_mut(..end).unwrap_or_default();
        while let [rest @ .., before, last] = sorted
            && left(last, before) < left(before, last)
        {
            std::mem::swap(before, last);
            let at = rest.len().saturating_add(1);
            sorted = sorted.get_mut(..at).unwrap_or_default();
        }
    }
}

/// How long that is, as OpenAI writes it (and Go): `6ms`, `1.5s`, `6m0s`, `1h0m0s`.
pub(super) fn lasting(millis: u64) -> impl fmt::Display {
    struct Lasting(u64);

    impl fmt::Display for Lasting {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let (seconds, millis) = (self.0 / 1_000, self.0 % 1_000);
            if seconds == 0 && millis > 0 {
                return write!(f, "{millis}ms");
            }
            let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
            if hours > 0 {
                write!(f, "{hours}h")?;
            }
            if hours > 0 || minutes > 0 {
                write!(f, "{minutes}m")?;
            }
            write!(f, "{seconds}")?;
            if millis > 0 {
                let fraction = format!("{millis:03}");
                write!(f, ".{}", fraction.trim_end_matches('0'))?;
            }
            f.write_str("s")
        }
    }

    Lasting(millis)
}

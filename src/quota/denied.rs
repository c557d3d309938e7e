//! A refusal: which limit, and when it will be none any more.

use super::standing::lasting;
use crate::config::{Kind, Limit};
use crate::error::{ApiError, Blame};
use crate::time::Timestamp;
use std::fmt;
use std::rc::Rc;

/// Why a request is not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The limit that it does not fit in; of several the one that takes longest.
    pub limit: Rc<Limit>,
    /// When it is worth asking again.
    pub retry: Retry,
}

/// When what was refused would be admitted, if nobody else asked for anything. The later, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retry {
    /// At once, for all that is known: too many have changed the counter at the same time.
    Contended,
    /// At this time and not before.
    At(Timestamp),
    /// When others are answered; nobody knows when that is.
    InFlight,
    /// Not as it is: it needs more than the limit has when nothing is used.
    Never,
}

/// Where no time can be told a client is asked to wait for this long, in milliseconds.
const SHORTLY: u64 = 1_000;

impl Denied {
    /// How long to wait before asking again, in milliseconds: exactly, where the limit tells when; a second where that
    /// hangs on others; nothing where it is no use to ask again.
    #[must_use]
    pub fn wait(&self, now: Timestamp) -> Option<u64> {
        match self.retry {
            Retry::At(then) => Some(then.since(now)),
            Retry::InFlight | Retry::Contended => Some(SHORTLY),
            Retry::Never => None,
        }
    }

    /// What the client is told: 429, with the types and codes that OpenAI has for it.
    #[must_use]
    pub fn error(&self, now: Timestamp) -> ApiError {
        let kind = match self.limit.kind {
            Kind::Requests(_) | Kind::Concurrent => "requests",
            Kind::Tokens(..) => "tokens",
            Kind::Usd(_) => "insufficient_quota",
        };
        let error = ApiError::new(429, kind, Message(self, now).to_string()).blaming(Blame::Request);
        let error = match self.limit.kind {
            Kind::Usd(_) => error.coded("insufficient_quota"),
            _ => error.coded("rate_limit_exceeded"),
        };
        ApiError { retry_after: self.wait(now).map(|wait| wait.div_ceil(1_000)), ..error }
    }
}

/// Which limit, what it allows, and when to ask again.
struct Message<'a>(&'a Denied, Timestamp);

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Denied { limit, retry }, now) = self;
        let name = limit.name.as_str();
        match retry {
            Retry::At(then) => write!(
                f,
                "The limit {name:?} is reached ({limit}). Please try again in {}.",
                lasting(then.since(*now))
            ),
            Retry::InFlight => write!(
                f,
                "The limit {name:?} is reached ({limit}) by requests that are still being answered. Please try again shortly."
            ),
            Retry::Contended => write!(
                f,
                "Too many requests came at the same time to be counted for the limit {name:?} ({limit}). Please try again."
            ),
            Retry::Never => write!(
                f,
                "The request is too large: it needs more than the limit {name:?} allows at once ({limit}). Please shorten \
                 the prompt or the answer asked for."
            ),
        }
    }
}

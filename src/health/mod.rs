//! How are the targets doing? What was seen of each, how fast it answers, and whether to leave it alone for a while.
//!
//! A target is a model that the configuration names. Every worker has a [`Table`] of them in its own memory: what it sees is
//! noted there, and what a plan wants to know is read there, without asking the host. Once a second, and at once where it
//! matters, a table is exchanged with one value of the store (`shared`): what was noted since the last time is taken into
//! what all know, in the order in which it was noted, and that is what the table goes on with. So a state is always what
//! follows from what was seen (`history`), whoever has seen it; a race that was lost is told again to what is there now, and
//! nothing is taken in twice.
//!
//! A history holds averages that fade (`fading`), the requests of the last while (`window`), and the circuit (`breaker`).
//! There is no clock and no chance here. A clock that goes back makes nothing last longer; one that goes ahead cannot be told
//! from time that passed.

mod arrange;
mod breaker;
mod fading;
mod form;
mod history;
mod shared;
mod table;
#[cfg(test)]
mod tests;
mod window;

pub use arrange::Arranged;
pub use table::{Table, Trial};

use crate::time::Timestamp;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With all of the answer.
    Answered {
        /// How many tokens it had; 0 if nobody knows.
        tokens: u64,
    },
    /// Without an answer, by the target's fault: no connection, one that was cut, a status of 5xx, the gateway's own key
    /// refused, garbage, an error within a stream.
    Failed,
    /// It took too long. A failure, and as slow as that.
    TimedOut,
    /// It has too much to do: 429, or 503 with `retry-after`. No failure, but it is left alone for so long.
    Limited {
        /// When to ask again, in milliseconds; after a second where it does not say.
        retry_after_ms: Option<u64>,
    },
    /// In a way that says nothing of the target: by an error that the client made, or because the client has left.
    Untold,
}

/// The permission to try a target whose circuit is half open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe(u64);

/// How a target is doing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Whether it is to be tried.
    pub circuit: Circuit,
    /// Which part of its answers and failures were answers, from 0 to 1; 1 where nothing is known.
    pub success: f32,
    /// How many answers and failures that is of, where one that is a half-life old is half of one.
    pub samples: f32,
    /// How many answers and failures there ever were.
    pub outcomes: u32,
    /// How long streams take to their first token.
    pub first_token: Option<Latency>,
    /// How long answers take that are no streams.
    pub total: Option<Latency>,
    /// How long each token of a stream takes after the first.
    pub per_token: Option<Latency>,
    /// How many tokens its answers have on average, if known.
    pub tokens: Option<f32>,
    /// How many of this worker's attempts are under way.
    pub in_flight: u32,
    /// How many attempts this worker has begun.
    pub begun: u32,
    /// When it last answered, failed or was limited.
    pub last_seen: Option<Timestamp>,
}

/// Whether a target is to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// Yes.
    Closed,
    /// By few.
    HalfOpen {
        /// Whether one of them may be added now.
        may_probe: bool,
    },
    /// Only when nothing else is left.
    Open {
        /// The first moment in which it is not open any more.
        until: Timestamp,
    },
}

/// How long something takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// On average, in milliseconds.
    pub mean_ms: f32,
    /// As long as the slowest lately, in milliseconds: a slower one counts at once, and as time passes and faster ones come
    /// it nears the average.
    pub peak_ms: f32,
    /// Nineteen of twenty take no longer, in milliseconds.
    pub late_ms: f32,
    /// How many that is of, where old ones are parts of one.
    pub samples: f32,
}

impl Default for View {
    /// Of a target of which nothing is known.
    fn default() -> Self {
        Self {
            circuit: Circuit::Closed,
            success: 1.0,
            samples: 0.0,
            outcomes: 0,
            first_token: None,
            total: None,
            per_token: None,
            tokens: None,
            in_flight: 0,
            begun: 0,
            last_seen: None,
        }
    }
}

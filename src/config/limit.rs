//! Limits: how much may be asked of the gateway, by whom, of what.
//!
//! Those that have the same `per` are one group: their counters are for the same consumers, tiers or models, so they are kept
//! together.

use super::shape::words;
use crate::money::NanoUsd;
use crate::names::{ConsumerName, LimitName, ModelName, TierName};
use std::fmt;
use std::rc::Rc;

/// What may be asked, of what, by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What clients and operators call it.
    pub name: LimitName,
    /// What its counters are known by: the same for as long as name, kind and window are, whatever becomes of its size.
    pub id: u64,
    /// The only tiers it is for; none: all.
    pub tiers: Vec<TierName>,
    /// The only consumers it is for; none: all.
    pub consumers: Vec<ConsumerName>,
    /// The only models it is for; none: all.
    pub models: Vec<ModelName>,
    /// What is counted, and over which time.
    pub kind: Kind,
    /// How much is allowed, at least 1: requests, tokens or nano-dollars, as the kind says.
    pub size: u64,
    /// What it does.
    pub mode: Mode,
    /// What becomes of a stream that outgrows what was reserved for it and gets no more.
    pub on_exceed: OnExceed,
    /// What becomes of a request that could not be counted.
    pub on_contention: OnContention,
}

/// What a limit counts, and over which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Requests in a sliding window.
    Requests(Span),
    /// Tokens.
    Tokens(Counted, Pace),
    /// Requests at the same time.
    Concurrent,
    /// Nano-dollars in a day or month of UTC.
    Usd(Period),
}

/// How long a sliding window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The last minute.
    Minute,
    /// The last hour.
    Hour,
    /// The last 24 hours.
    Day,
}

/// Which tokens count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Prompt and answer.
    All,
    /// The prompt's.
    Input,
    /// The answer's.
    Output,
}

/// How tokens are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A bucket into which the limit's size flows each minute, and which holds so many tokens, at least 1.
    Minute {
        /// How much may be taken at once.
        burst: u64,
    },
    /// The limit's size for each day of UTC.
    Day,
}

/// How long a budget lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A day of UTC.
    Day,
    /// A month of UTC.
    Month,
}

/// A limit's `window`, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// `minute`
    Minute,
    /// `hour`
    Hour,
    /// `day`
    Day,
    /// `month`
    Month,
}

words! { Window: "minute" => Window::Minute, "hour" => Window::Hour, "day" => Window::Day, "month" => Window::Month }

/// What a limit has counters for, one for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// `consumer`
    Consumer,
    /// `tier`
    Tier,
    /// `model`
    Model,
}

words! { Dimension: "consumer" => Dimension::Consumer, "tier" => Dimension::Tier, "model" => Dimension::Model }

impl Dimension {
    /// All there are, in their order.
    pub(super) const ALL: [Self; 3] = [Self::Consumer, Self::Tier, Self::Model];
}

/// Whether a limit is in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// `enforce`: what does not fit is refused.
    #[default]
    Enforce,
    /// `observe`: what would have been refused is reported, and not counted.
    Observe,
}

words! { Mode: "enforce" => Mode::Enforce, "observe" => Mode::Observe }

/// What becomes of a stream that outgrows what was reserved for it when there is no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnExceed {
    /// `finish`: it goes on, and what it took is owed.
    #[default]
    Finish,
    /// `stop`: it is ended.
    Stop,
}

words! { OnExceed: "finish" => OnExceed::Finish, "stop" => OnExceed::Stop }

/// What becomes of a request when the counter could not be won in a bounded number of attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnContention {
    /// `refuse`: nothing that is not counted goes on.
    #[default]
    Refuse,
    /// `admit`: it goes on without being counted.
    Admit,
}

words! { OnContention: "refuse" => OnContention::Refuse, "admit" => OnContention::Admit }

/// All limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// In the order of the document.
    pub(super) all: Vec<Rc<Limit>>,
    pub(super) groups: Vec<Group>,
}

/// Limits whose counters are for the same dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// In their own order, each once; none: one counter for everybody.
    pub per: Vec<Dimension>,
    /// At least one, in the order of the document.
    pub limits: Vec<Rc<Limit>>,
}

impl Limits {
    /// The limits, each in one group, the groups in the order of their first limits.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Every limit, in the order of the document.
    pub fn iter(&self) -> impl Iterator<Item = &Limit> {
        self.all.iter().map(|limit| &**limit)
    }
}

impl Kind {
    /// The window, as it is written; none where things are counted while they last.
    #[must_use]
    pub const fn window(self) -> Option<Window> {
        match self {
            Self::Requests(Span::Minute) | Self::Tokens(_, Pace::Minute { .. }) => Some(Window::Minute),
            Self::Requests(Span::Hour) => Some(Window::Hour),
            Self::Requests(Span::Day) | Self::Tokens(_, Pace::Day) | Self::Usd(Period::Day) => {
                Some(Window::Day)
            }
            Self::Usd(Period::Month) => Some(Window::Month),
            Self::Concurrent => None,
        }
    }

    /// What is counted, as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests(_) => "requests",
            Self::Tokens(Counted::All, _) => "tokens",
            Self::Tokens(Counted::Input, _) => "input_tokens",
            Self::Tokens(Counted::Output, _) => "output_tokens",
            Self::Concurrent => "concurrent",
            Self::Usd(_) => "usd",
        }
    }
}

impl Window {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

impl Limit {
    /// How much there is when nothing is used: the size, or what a bucket holds.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        match self.kind {
            Kind::Tokens(_, Pace::Minute { burst }) => burst,
            _ => self.size,
        }
    }
}

/// What is allowed, for people: `100000 tokens per minute, 20000 at once`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Usd(_) => write!(f, "{} USD", NanoUsd::new(self.size))?,
            Kind::Concurrent => write!(f, "{} requests at the same time", self.size)?,
            kind => write!(f, "{} {}", self.size, kind.as_str().replace('_', " "))?,
        }
        self.kind.window().map_or(Ok(()), |window| write!(f, " per {}", window.as_str()))?;
        if self.capacity() == self.size { Ok(()) } else { write!(f, ", {} at once", self.capacity()) }
    }
}

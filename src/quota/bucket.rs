//! Tokens per minute as a token bucket: the minute's size flows in steadily, what is reserved is taken out at once, and what a
//! request used more or less than that is settled when it is known. The level may be negative: that much is owed.
//!
//! What was reserved and not used is given back as far as it would still be there: had it never been taken out, the bucket might
//! have been full since, and have flown over. How high it stood since is known to an eighth of it, and never taken for
//! lower. So in any stretch of time the requests admitted use no more than what the bucket holds and what flows in
//! meanwhile, and where the bucket is in demand, and so far from full, nothing is withheld.
//!
//! All in whole numbers. A token has 60 000 parts, and with a size of N tokens a minute, N parts flow in each millisecond.

use super::bytes::Reader;
use super::denied::Retry;
use crate::time::{MINUTE, Timestamp};

/// What is in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bucket {
    /// From the configuration, not kept.
    rule: Rule,
    /// Parts of tokens.
    level: i64,
    /// When that was the level.
    as_of: Timestamp,
    /// When it was full for the last time.
    full: Timestamp,
    /// How much has flown in since.
    flown: i64,
    /// Counts the times that its level was looked at.
    step: u64,
    /// For each eighth of what it holds, the last step in which it held as much.
    held: [u64; EIGHTHS],
}

const EIGHTHS: usize = 8;

/// What is known of a reservation when it is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// When the bucket had been full.
    full: Timestamp,
    /// The level after it, less what had flown in.
    base: i64,
    /// When that was.
    step: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rule {
    /// Tokens per minute, parts per millisecond.
    rate: i64,
    /// Parts.
    capacity: i64,
}

fn parts(tokens: u64) -> i64 {
    i64::try_from(tokens.saturating_mul(MINUTE)).unwrap_or(i64::MAX)
}

impl Bucket {
    /// A full one.
    pub fn new(now: Timestamp) -> Self {
        Self {
            rule: Rule::default(),
            level: i64::MAX,
            as_of: now,
            full: now,
            flown: 0,
            step: 0,
            held: [0; EIGHTHS],
        }
    }

    /// Fills by this rule from now on, and with what has flown in since the last time.
    pub fn adopt(&mut self, per_minute: u64, burst: u64, now: Timestamp) {
        let rate = i64::try_from(per_minute).unwrap_or(i64::MAX);
        self.rule = Rule { rate, capacity: parts(burst) };
        let elapsed = i64::try_from(now.since(self.as_of)).unwrap_or(i64::MAX);
        let flown = elapsed.saturating_mul(rate);
        self.level = self.level.saturating_add(flown);
        self.flown = self.flown.saturating_add(flown);
        self.as_of = now;
        if self.level >= self.rule.capacity {
            (self.level, self.full, self.flown) = (self.rule.capacity, now, 0);
        }
        self.look();
    }

    /// Remembers how high the level is.
    fn look(&mut self) {
        self.step = self.step.saturating_add(1);
        let eighth = self.eighth();
        for (below, held) in (0_i64..).zip(&mut self.held) {
            if self.level >= below.saturating_mul(eighth) {
                *held = self.step;
            }
        }
    }

    /// No remainder is left: a token's parts can be divided by eight.
    fn eighth(&self) -> i64 {
        self.rule.capacity / EIGHTHS as i64
    }

    /// Whether so many can be taken out, or when they can.
    pub fn admits(&self, tokens: u64) -> Result<(), Retry> {
        let wanted = parts(tokens);
        if wanted <= self.level {
            return Ok(());
        }
        Err(if wanted > self.rule.capacity { Retry::Never } else { Retry::At(self.reaches(wanted)) })
    }

    /// Takes so many out, if need be more than there are.
    pub fn take(&mut self, tokens: u64) -> Mark {
        self.level = self.level.saturating_sub(parts(tokens));
        Mark { full: self.full, base: self.level.saturating_sub(self.flown), step: self.step }
    }

    /// Puts so many of a reservation back, as far as they would still be there.
    pub fn give_back(&mut self, tokens: u64, mark: Mark) {
        // If it has been full since, it would have been without the reservation too.
        if mark.full == self.full {
            let room = self.rule.capacity.saturating_sub(self.highest_since(mark)).max(0);
            self.level = self.level.saturating_add(parts(tokens).min(room)).min(self.rule.capacity);
            self.look();
        }
    }

    /// The level has not been higher than this since the reservation.
    fn highest_since(&self, mark: Mark) -> i64 {
        let undisturbed = mark.base.saturating_add(self.flown);
        let seen = (1..).zip(&self.held).filter(|(_, step)| **step > mark.step);
        let seen =
            seen.map(|(eighths, _): (i64, _)| eighths.saturating_mul(self.eighth())).max().unwrap_or(0);
        undisturbed.min(seen)
    }

    /// Whole tokens that can be taken out now.
    pub fn remaining(&self) -> u64 {
        u64::try_from(self.level).unwrap_or(0) / MINUTE
    }

    /// When it is full.
    pub fn expires(&self) -> Timestamp {
        self.reaches(self.rule.capacity)
    }

    /// Keeps the level when the clock goes back.
    pub fn shift(&mut self, back: u64) {
        self.as_of = self.as_of.before(back);
    }

    /// When the level is this high, if nobody takes anything out.
    fn reaches(&self, level: i64) -> Timestamp {
        let missing = u64::try_from(level.saturating_sub(self.level)).unwrap_or(0);
        let rate = u64::try_from(self.rule.rate).unwrap_or(0).max(1);
        self.as_of.after(missing.div_ceil(rate))
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.level.to_le_bytes());
        out.extend(self.as_of.millis().to_le_bytes());
        out.extend(self.full.millis().to_le_bytes());
        out.extend(self.flown.to_le_bytes());
        out.extend(self.step.to_le_bytes());
        self.held.iter().for_each(|step| out.extend(step.to_le_bytes()));
    }

    pub fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (level, as_of) = (from.i64()?, Timestamp::from_millis(from.u64()?));
        let (full, flown) = (Timestamp::from_millis(from.u64()?), from.i64()?);
        let mut bucket =
            Self { rule: Rule::default(), level, as_of, full, flown, step: from.u64()?, held: [0; EIGHTHS] };
        for step in &mut bucket.held {
            *step = from.u64()?;
        }
        Some(bucket)
    }
}

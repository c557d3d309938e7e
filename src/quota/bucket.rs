//! Tokens per minute as a token bucket: the minute's size flows in steadily, what is reserved is taken out at once, and what a
//! request used more or less than that is settled when it is known. The level may be negative: that much is owed.
//!
//! What was reserved and not used is given back as far as it would still be there: had it never been taken out, the bucket might
//! have been full since, and have flown over. So it remembers how high it stood: its peaks, each lower than the one before it,
//! and with what was given back meanwhile added, for that too would have been there. Of more than eight peaks two are taken for
//! one, never for lower. So in any stretch of time the requests admitted use no more than what the bucket holds and what
//! flows in meanwhile, and where the bucket is in demand, and so far from full, nothing is withheld.
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
    /// When it was begun, full.
    began: Timestamp,
    /// Counts the times that its level was looked at.
    step: u64,
    /// How high it stood: the later the lower, and nothing after those.
    peaks: [Peak; PEAKS],
}

const PEAKS: usize = 8;

/// In this step the level was this high, and since then it has not been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Peak {
    step: u64,
    level: i64,
}

impl Peak {
    /// Lower than any.
    const NONE: Self = Self { step: 0, level: i64::MIN };
}

/// What is known of a reservation when it is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// When the bucket was begun.
    began: Timestamp,
    /// In which step it was.
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
            began: now,
            step: 0,
            peaks: [Peak::NONE; PEAKS],
        }
    }

    /// Fills by this rule from now on, and with what has flown in since the last time.
    pub fn adopt(&mut self, per_minute: u64, burst: u64, now: Timestamp) {
        let rate = i64::try_from(per_minute).unwrap_or(i64::MAX);
        self.rule = Rule { rate, capacity: parts(burst) };
        let elapsed = i64::try_from(now.since(self.as_of)).unwrap_or(i64::MAX);
        self.level = self.level.saturating_add(elapsed.saturating_mul(rate));
        self.as_of = now;
        self.step = self.step.saturating_add(1);
        if self.level >= self.rule.capacity {
            self.level = self.rule.capacity;
            // It has flown over, also if it is given more room later.
            self.remember(Peak { step: self.step, level: i64::MAX });
        } else {
            self.remember(Peak { step: self.step, level: self.level });
        }
    }

    /// Adds a peak in the place of those that are no higher.
    fn remember(&mut self, new: Peak) {
        let mut higher = self.peaks.iter().filter(|peak| peak.level > new.level).count();
        if higher == PEAKS {
            self.join();
            higher = PEAKS - 1;
        }
        let peaks = self.peaks.iter_mut().skip(higher);
        let new = std::iter::once(new).chain(std::iter::repeat(Peak::NONE));
        peaks.zip(new).for_each(|(peak, new)| *peak = new);
    }

    /// Takes two peaks for one: those that differ least.
    fn join(&mut self) {
        let differ = |pair: &[Peak]| match pair {
            [first, second] => first.level.saturating_sub(second.level),
            _ => i64::MAX,
        };
        let pairs = self.peaks.windows(2).enumerate();
        let least = pairs.min_by_key(|(_, pair)| differ(pair)).map_or(0, |(first, _)| first);
        let steps = self.peaks.map(|peak| peak.step);
        if let Some((first, step)) = self.peaks.get_mut(least).zip(steps.get(least + 1)) {
            // As high as the first was until the second: a request between them gets less back, and none more.
            first.step = *step;
        }
        let after = self.peaks;
        let after = after.iter().skip(least + 2).copied().chain([Peak::NONE]);
        self.peaks.iter_mut().skip(least + 1).zip(after).for_each(|(peak, next)| *peak = next);
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
        Mark { began: self.began, step: self.step }
    }

    /// Puts so many of a reservation back, as far as they would still be there.
    pub fn give_back(&mut self, tokens: u64, mark: Mark) {
        // One that was begun since was full.
        if mark.began != self.began {
            return;
        }
        let since = |peak: &Peak| peak.step > mark.step;
        let highest = self.peaks.iter().find(|peak| since(peak)).map_or(self.level, |peak| peak.level);
        let room = self.rule.capacity.saturating_sub(highest).max(0);
        let back = parts(tokens).min(room);
        self.level = self.level.saturating_add(back).min(self.rule.capacity);
        for mut peak in std::mem::replace(&mut self.peaks, [Peak::NONE; PEAKS]) {
            if since(&peak) {
                peak.level = peak.level.saturating_add(back);
            }
            self.remember(peak);
        }
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
        out.extend(self.began.millis().to_le_bytes());
        out.extend(self.step.to_le_bytes());
        for peak in self.peaks {
            out.extend(peak.step.to_le_bytes());
            out.extend(peak.level.to_le_bytes());
        }
    }

    pub fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (level, as_of) = (from.i64()?, Timestamp::from_millis(from.u64()?));
        let (began, step) = (Timestamp::from_millis(from.u64()?), from.u64()?);
        let mut peaks = [Peak::NONE; PEAKS];
        for peak in &mut peaks {
            *peak = Peak { step: from.u64()?, level: from.i64()? };
        }
        Some(Self { rule: Rule::default(), level, as_of, began, step, peaks })
    }
}

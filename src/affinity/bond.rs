//! What is known of the one target that a conversation is bonded to, and what an answer makes of it.

use super::Rules;
use crate::chat::Usage;
use crate::config::Price;
use crate::money::NanoUsd;
use crate::time::Timestamp;
use std::rc::Rc;

/// Of a prompt of fewer tokens no provider caches anything: OpenAI's least, and that of most others, of which some have more.
pub const LEAST: u64 = 1_024;
/// So many answers in a row without a cached token end a bond. One may be by chance: providers do not promise anything.
const MISSES: u8 = 2;
/// Workers read their clocks before they look, so a bond may be younger than nothing by so much; in milliseconds.
const SKEW: u64 = 5_000;
/// Prices are for so many tokens.
const MILLION: u128 = 1_000_000;

/// A conversation's bond with a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Bond {
    /// The name of the target's model in the catalog. The configuration of today may not have it any more.
    pub target: Rc<str>,
    pub(super) prefix: Prefix,
}

impl Bond {
    /// Whether anything of the next prompt is likely to be cached.
    #[must_use]
    pub fn pays(&self) -> bool {
        self.prefix.holds > 0
    }

    /// How many tokens of a prompt of `prompt` tokens are likely to be cached.
    #[must_use]
    pub fn holds(&self, prompt: u64) -> u64 {
        u64::from(self.prefix.holds).min(prompt)
    }

    /// By how much a prompt of `prompt` tokens is cheaper for what is likely to be cached of it. Rounded down.
    #[must_use]
    pub fn saves(&self, price: &Price, prompt: u64) -> NanoUsd {
        let each = price.input.saturating_sub(price.cached_input).nanos();
        let millionths = u128::from(self.holds(prompt)).saturating_mul(each.into());
        NanoUsd::new(u64::try_from(millionths / MILLION).unwrap_or(u64::MAX))
    }
}

/// What a target is known to have of a conversation, in tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Prefix {
    /// When it was asked last.
    pub at: Timestamp,
    /// The prompt then.
    pub prompt: u32,
    /// How much of the next prompt it is expected to have.
    pub holds: u32,
    /// How often in a row it had nothing.
    pub misses: u8,
}

impl Prefix {
    /// Whether an answer with this usage tells nothing, because of such a prompt nothing is cached anyway.
    pub fn is_untold_by(usage: &Usage) -> bool {
        usage.prompt < LEAST && usage.cached.unwrap_or(0) == 0
    }

    /// What is known after an answer; `old` is what was before of the same target.
    ///
    /// The first prompt is expected to be kept whole, for that has to be tried. After that it is expected that the same share
    /// of it is cached as was of what the last two have in common: all of a conversation that grows, where the provider sees
    /// to it, or a part that stays, where the client marks what is to be cached.
    #[inline(never)]
    pub fn after(old: Option<Self>, usage: &Usage, now: Timestamp) -> Self {
        let prompt = tokens(usage.prompt);
        let cached = tokens(usage.cached.unwrap_or(0)).min(prompt);
        let whole = Self { at: now, prompt, holds: prompt, misses: 0 };
        let Some(old) = old else { return whole };
        let common = old.prompt.min(prompt);
        if cached > 0 {
            let product = u64::from(prompt).saturating_mul(cached.into());
            let holds = product.checked_div(common.into()).map_or(prompt, tokens);
            Self { holds: holds.min(prompt), ..whole }
        } else if u64::from(common) < LEAST {
            // There was nothing to be found.
            whole
        } else {
            let misses = old.misses.saturating_add(1);
            let holds = if misses < MISSES { old.holds.min(prompt) / 2 } else { 0 };
            Self { holds, misses, ..whole }
        }
    }

    /// Whether it still holds. What is from the future was before a clock went back: nobody knows how old it is.
    #[inline(never)]
    pub fn is_current(&self, rules: &Rules, now: Timestamp) -> bool {
        now.since(self.at) < rules.ttl && self.at.since(now) <= SKEW
    }
}

fn tokens(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

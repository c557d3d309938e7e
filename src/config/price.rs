//! What a model costs, as its provider's price list says it: USD for a million tokens, each sort of them for itself.

use super::check::Check;
use super::raw;
use crate::money::NanoUsd;

/// A model's prices. What the document leaves out has been filled in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Price {
    /// For a million tokens of the prompt.
    pub input: NanoUsd,
    /// For a million tokens of the answer.
    pub output: NanoUsd,
    /// For a million tokens of the prompt that the provider had in its cache; `input` where it is not given.
    pub cached_input: NanoUsd,
    /// For a million tokens of the prompt that the provider put into its cache; `input` where it is not given.
    pub cache_write: NanoUsd,
    /// For a million tokens of reasoning; `output` where it is not given.
    pub reasoning: NanoUsd,
    /// For one request, whatever is in it.
    pub request: NanoUsd,
    /// For one image of the request, besides the tokens that it is counted as.
    pub image: NanoUsd,
}

/// What a number of the document is for, and the most it may be, in USD.
#[derive(Clone, Copy)]
struct Unit {
    name: &'static str,
    most: u64,
}

/// Ten cents a token are more than anyone asks, and surely a price in another unit.
const PER_MILLION: Unit = Unit { name: "USD for a million tokens", most: 100_000 };
const EACH: Unit = Unit { name: "USD each", most: 1000 };

impl Check<'_> {
    /// The price `raw` says; nothing if a problem was noted.
    pub(super) fn price(&mut self, path: &str, raw: raw::Price) -> Option<Price> {
        let input = self.amount(path, "input", raw.input, PER_MILLION);
        let output = self.amount(path, "output", raw.output, PER_MILLION);
        let cached_input = self.amount_or(path, "cached_input", raw.cached_input, PER_MILLION, input);
        let cache_write = self.amount_or(path, "cache_write", raw.cache_write, PER_MILLION, input);
        let reasoning = self.amount_or(path, "reasoning", raw.reasoning, PER_MILLION, output);
        let nothing = Some(NanoUsd::ZERO);
        let request = self.amount_or(path, "request", raw.request, EACH, nothing);
        let image = self.amount_or(path, "image", raw.image, EACH, nothing);
        Some(Price {
            input: input?,
            output: output?,
            cached_input: cached_input?,
            cache_write: cache_write?,
            reasoning: reasoning?,
            request: request?,
            image: image?,
        })
    }

    fn amount_or(
        &mut self,
        path: &str,
        key: &str,
        usd: Option<f64>,
        unit: Unit,
        default: Option<NanoUsd>,
    ) -> Option<NanoUsd> {
        usd.map_or(default, |usd| self.amount(path, key, usd, unit))
    }

    fn amount(&mut self, path: &str, key: &str, usd: f64, unit: Unit) -> Option<NanoUsd> {
        let why = match NanoUsd::from_usd(usd) {
            Ok(amount) if amount <= NanoUsd::new(NanoUsd::PER_USD).saturating_mul(unit.most) => {
                return Some(amount);
            }
            Ok(_) => String::new(),
            Err(why) => format!(": {why}"),
        };
        // Written out, the largest doubles have three hundred digits.
        let shown = if usd.abs() < 1e15 { usd.to_string() } else { format!("{usd:e}") };
        self.problems.add(
            format!("{path}.{key}"),
            format!("{shown}{why}"),
            format!("{}, from 0 to {}", unit.name, unit.most),
        );
        None
    }
}

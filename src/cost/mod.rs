//! What an attempt cost: its tokens at the prices of the model that served it, in integers.
//!
//! Prices are nano-dollars for a million tokens, so tokens times price is millionths of a nano-dollar; these are added up
//! and rounded once, upwards: a budget must not be undercut by what was rounded away.

mod provenance;

pub use provenance::Provenance;

use crate::chat::Usage;
use crate::config::Price;
use crate::money::NanoUsd;

/// Prices are for so many tokens.
const MILLION: u128 = 1_000_000;

/// What one request cost that used `usage` and had `images` in it, saturating.
///
/// Tokens are counted as OpenAI does: those read from and written to the provider's cache are part of the prompt, those of
/// reasoning part of the answer. A part that is larger than its whole counts only as far as the whole goes.
#[must_use]
pub fn cost(price: &Price, usage: &Usage, images: u64) -> NanoUsd {
    let cached = usage.cached.unwrap_or(0).min(usage.prompt);
    let written = usage.cache_write.unwrap_or(0).min(usage.prompt.saturating_sub(cached));
    let fresh = usage.prompt.saturating_sub(cached).saturating_sub(written);
    let reasoning = usage.reasoning.unwrap_or(0).min(usage.completion);
    let said = usage.completion.saturating_sub(reasoning);
    let tokens = [
        (fresh, price.input),
        (cached, price.cached_input),
        (written, price.cache_write),
        (said, price.output),
        (reasoning, price.reasoning),
    ];
    for_tokens(tokens).saturating_add(for_pieces(price, images))
}

/// What a request is expected to cost that has `input` tokens and `images`, and whose answer may have `output` tokens.
///
/// For a reservation: nobody knows yet what of the prompt is cached or how much of the answer is reasoning, so the prompt
/// counts as fresh and the answer as the dearer of the two.
#[must_use]
pub fn expected(price: &Price, input: u64, output: u64, images: u64) -> NanoUsd {
    let tokens = [(input, price.input), (output, price.output.max(price.reasoning))];
    for_tokens(tokens).saturating_add(for_pieces(price, images))
}

fn for_tokens<const N: usize>(tokens: [(u64, NanoUsd); N]) -> NanoUsd {
    let product =
        |(tokens, price): (u64, NanoUsd)| u128::from(tokens).saturating_mul(u128::from(price.nanos()));
    let millionths = tokens.map(product).into_iter().fold(0, u128::saturating_add);
    NanoUsd::new(u64::try_from(millionths.div_ceil(MILLION)).unwrap_or(u64::MAX))
}

fn for_pieces(price: &Price, images: u64) -> NanoUsd {
    price.request.saturating_add(price.image.saturating_mul(images))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn usd(nanos: u64) -> NanoUsd {
        NanoUsd::new(nanos)
    }

    /// $3 and $15 a million; cache read $0.30, written $3.75; reasoning $20; a cent a request, $0.002 an image.
    const PRICE: Price = Price {
        input: usd(3_000_000_000),
        output: usd(15_000_000_000),
        cached_input: usd(300_000_000),
        cache_write: usd(3_750_000_000),
        reasoning: usd(20_000_000_000),
        request: usd(10_000_000),
        image: usd(2_000_000),
    };

    /// As a provider says it: tokens of prompt and answer, and of these cached, written to the cache, reasoning.
    fn usage(prompt: u64, completion: u64, [cached, cache_write, reasoning]: [u64; 3]) -> Usage {
        let parts = |tokens: u64| Some(tokens).filter(|tokens| *tokens > 0);
        Usage {
            prompt,
            completion,
            cached: parts(cached),
            cache_write: parts(cache_write),
            reasoning: parts(reasoning),
            ..Usage::default()
        }
    }

    #[test]
    fn each_sort_of_token_has_its_price() {
        for (prompt, completion, parts, images, shown) in [
            (0, 0, [0, 0, 0], 0, "0.01"),
            (1000, 0, [0, 0, 0], 0, "0.013"),
            (0, 1000, [0, 0, 0], 0, "0.025"),
            (1000, 0, [1000, 0, 0], 0, "0.0103"),
            (1000, 0, [400, 0, 0], 0, "0.01192"),
            (1000, 0, [400, 600, 0], 0, "0.01237"),
            (0, 1000, [0, 0, 1000], 0, "0.03"),
            (0, 1000, [0, 0, 200], 0, "0.026"),
            (0, 0, [0, 0, 0], 3, "0.016"),
            (1, 1, [0, 0, 0], 0, "0.010018"),
            // Parts that are larger than their whole.
            (1000, 0, [5000, 5000, 0], 0, "0.0103"),
            (1000, 0, [700, 5000, 0], 0, "0.011335"),
            (0, 1000, [0, 0, 5000], 0, "0.03"),
        ] {
            let cost = cost(&PRICE, &usage(prompt, completion, parts), images);
            assert_eq!(cost.to_string(), shown, "{prompt} {completion} {parts:?} {images}");
        }
    }

    #[test]
    fn a_reservation_takes_the_answer_for_the_dearer_of_text_and_reasoning() {
        assert_eq!(expected(&PRICE, 1000, 1000, 1).to_string(), "0.035");
        let cheap_reasoning = Price { reasoning: usd(1), ..PRICE };
        assert_eq!(expected(&cheap_reasoning, 1000, 1000, 0).to_string(), "0.028");
    }

    #[test]
    fn a_sum_is_rounded_once_and_upwards() {
        let nothing = usd(0);
        let price = Price { request: nothing, image: nothing, ..PRICE };
        // 0.0375 USD a million: 37.5 nano-dollars a token.
        let odd = Price { input: usd(37_500_000), output: usd(37_500_000), ..price };
        assert_eq!(cost(&odd, &usage(1, 0, [0; 3]), 0), usd(38));
        assert_eq!(cost(&odd, &usage(1, 1, [0; 3]), 0), usd(75));
        let tiny = Price { input: usd(1), ..price };
        assert_eq!(cost(&tiny, &usage(1, 0, [0; 3]), 0), usd(1));
        assert_eq!(cost(&tiny, &usage(1_000_001, 0, [0; 3]), 0), usd(2));
        assert_eq!(cost(&tiny, &usage(0, 0, [0; 3]), 0), nothing);
    }

    #[test]
    fn absurd_counts_cost_the_most_there_is() {
        let all = usage(u64::MAX, u64::MAX, [u64::MAX, u64::MAX, u64::MAX]);
        let dear = Price { input: NanoUsd::MAX, output: NanoUsd::MAX, cached_input: NanoUsd::MAX, ..PRICE };
        assert_eq!(cost(&dear, &all, u64::MAX), NanoUsd::MAX);
        assert_eq!(expected(&dear, u64::MAX, u64::MAX, 1), NanoUsd::MAX);
    }

    proptest! {
        #[test]
        fn nothing_that_is_counted_makes_a_request_cheaper(
            prompt in 0..u64::MAX / 2, completion in 0..u64::MAX / 2, more in 0..1000_u64, images in 0..100_u64,
        ) {
            let base = cost(&PRICE, &usage(prompt, completion, [0; 3]), images);
            prop_assert!(cost(&PRICE, &usage(prompt + more, completion, [0; 3]), images) >= base);
            prop_assert!(cost(&PRICE, &usage(prompt, completion + more, [0; 3]), images) >= base);
            prop_assert!(cost(&PRICE, &usage(prompt, completion, [0; 3]), images + more) >= base);
        }

        /// Two requests cost what one with both their tokens does, but for one nano-dollar of rounding.
        #[test]
        fn costs_add_up(a in 0..10_000_000_u64, b in 0..10_000_000_u64, nanos in 0..10_000_000_000_u64) {
            let price = Price { input: usd(nanos), request: usd(0), ..PRICE };
            let each = |tokens| cost(&price, &usage(tokens, 0, [0; 3]), 0).nanos();
            prop_assert!((each(a + b)..=each(a + b) + 1).contains(&(each(a) + each(b))));
        }
    }
}

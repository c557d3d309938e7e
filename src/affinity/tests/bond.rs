use super::*;
use crate::config::Price;
use crate::money::NanoUsd;
use proptest::prelude::*;

const fn usd(nanos: u64) -> NanoUsd {
    NanoUsd::new(nanos)
}

/// So many nano-dollars for a million tokens of the prompt, fresh and cached.
fn price(input: u64, cached_input: u64) -> Price {
    Price {
        input: usd(input),
        output: usd(input * 4),
        cached_input: usd(cached_input),
        cache_write: usd(input),
        reasoning: usd(input * 4),
        request: usd(0),
        image: usd(0),
    }
}

#[test]
fn a_cache_is_expected_to_hold_what_it_was_seen_to_hold() {
    for (answers, holds) in [
        // The first prompt has to be tried.
        (&[(4_000, 0)][..], 4_000),
        // Somebody else's beginning is the same.
        (&[(4_000, 1_024)], 4_000),
        // All of what is common is cached: that will be all of this one.
        (&[(4_000, 0), (6_000, 4_000)], 6_000),
        (&[(4_000, 0), (6_000, 4_000), (9_000, 6_000)], 9_000),
        // Only the system prompt is, because only that is marked.
        (&[(4_000, 0), (6_000, 2_000)], 3_000),
        (&[(4_000, 0), (6_000, 2_000), (8_000, 2_000)], 2_666),
        // The client has left out what it said long ago.
        (&[(9_000, 0), (3_000, 2_000)], 2_000),
        // A miss may be by chance, two are not; whoever is seen to cache again is believed.
        (&[(4_000, 0), (6_000, 0)], 2_000),
        (&[(4_000, 0), (6_000, 0), (7_000, 0)], 0),
        (&[(4_000, 0), (6_000, 0), (7_000, 0), (8_000, 0)], 0),
        (&[(4_000, 0), (6_000, 0), (7_000, 5_888), (8_000, 0)], 3_434),
        (&[(4_000, 0), (6_000, 0), (7_000, 0), (8_000, 7_000)], 8_000),
        // What both have in common may be too short to be cached, and then it is no miss.
        (&[(500, 0), (1_500, 0)], 1_500),
        (&[(1_500, 0), (1_500, 0), (500, 300)], 300),
        (&[(500, 400), (1_500, 0), (4_000, 0)], 750),
        // Absurd ones.
        (&[(4_000, 0), (4_000, u64::MAX)], 4_000),
        (&[(u64::MAX, 0), (u64::MAX, u64::MAX)], u32::MAX.into()),
        (&[(0, 9), (4_000, 9)], 4_000),
    ] {
        let bond = bond(answers).unwrap();
        assert_eq!((bond.holds(u64::MAX), bond.pays()), (holds, holds > 0), "{answers:?}");
    }
}

#[test]
fn a_prompt_that_is_too_short_for_a_cache_bonds_nobody() {
    assert_eq!(bond(&[(LEAST - 1, 0)]), None);
    assert!(bond(&[(LEAST, 0)]).is_some());
    assert!(bond(&[(LEAST - 1, 1)]).is_some(), "but there are caches that hold it");
    let store = Memory::default();
    note(&store, key("k"), "a", &Usage { prompt: LEAST - 1, ..Usage::default() }, &RULES, START);
    assert_eq!(store.entries(), [], "and nothing is written");
}

#[test]
fn a_provider_that_is_silent_of_its_cache_has_none() {
    let store = Memory::default();
    let silent = Usage { prompt: 5_000, ..Usage::default() };
    for pays in [true, true, false, false] {
        note(&store, key("k"), "a", &silent, &RULES, START);
        assert_eq!(find(&store, key("k"), &RULES, START).unwrap().pays(), pays);
    }
}

#[test]
fn what_is_saved_is_what_is_cached_times_the_difference_of_the_prices() {
    for (holds, prompt, input, cached_input, saved) in [
        (2_000, 5_000, 3_000_000_000, 300_000_000, 5_400_000),
        (2_000, 1_500, 3_000_000_000, 300_000_000, 4_050_000),
        (2_000, 0, 3_000_000_000, 300_000_000, 0),
        // No discount, and prices that make no sense.
        (2_000, 5_000, 3_000_000_000, 3_000_000_000, 0),
        (2_000, 5_000, 1, 3_000_000_000, 0),
        // Rounded down.
        (1_025, 5_000, 1_000, 0, 1),
        (u32::MAX.into(), u64::MAX, u64::MAX / 4, 0, u64::MAX),
    ] {
        let bond = bond(&[(holds, 0)]).unwrap();
        let price = Price { cached_input: usd(cached_input), ..price(1, 1) };
        let price = Price { input: usd(input), ..price };
        assert_eq!(bond.saves(&price, prompt), usd(saved), "{holds} {prompt} {input} {cached_input}");
    }
}

#[test]
fn a_target_that_is_cheaper_by_more_than_a_switch_costs_takes_over() {
    let (pays, pays_not) = (bond(&[(4_000, 0)]).unwrap(), bond(&[(4_000, 0); 3]).unwrap());
    for (bonded, first, switch_cost, expected) in [
        (Some(1_000.0), Some(2_000.0), 0.1, true),
        (Some(1_000.0), Some(1_000.0), 0.1, true),
        (Some(1_000.0), Some(900.1), 0.1, true),
        (Some(1_000.0), Some(899.9), 0.1, false),
        (Some(1_000.0), Some(0.0), 0.1, false),
        (Some(1_000.0), Some(999.0), 0.0, false),
        (Some(1_000.0), Some(1_000.0), 0.0, true),
        (Some(1_000.0), Some(0.0), 1.0, true),
        // Who has no price is dearer than anybody who has.
        (None, Some(1_000.0), 0.1, false),
        (Some(1_000.0), None, 0.1, true),
        (None, None, 0.1, true),
        // What is no number decides nothing.
        (Some(f32::NAN), Some(1.0), 0.1, false),
        (Some(1.0), Some(f32::NAN), 0.1, false),
        (Some(1.0), Some(1.0), f32::NAN, false),
    ] {
        let rules = Rules { switch_cost, ..RULES };
        let expenses = Some(Expenses { bonded, first });
        assert_eq!(stays(&pays, expenses, &rules), expected, "{expenses:?} {switch_cost}");
        assert!(!stays(&pays_not, expenses, &rules), "{expenses:?}: the strategy decides");
    }
}

#[test]
fn where_it_is_not_about_money_the_bond_holds_while_it_pays() {
    for (answers, expected) in [
        (&[(4_000, 0)][..], true),
        (&[(4_000, 0), (5_000, 4_000)], true),
        (&[(4_000, 0), (5_000, 0)], true),
        (&[(4_000, 0), (5_000, 0), (6_000, 0)], false),
        (&[(4_000, 0), (5_000, 0), (6_000, 0), (7_000, 6_000)], true),
    ] {
        assert_eq!(stays(&bond(answers).unwrap(), None, &RULES), expected, "{answers:?}");
    }
}

proptest! {
    #[test]
    fn nothing_that_a_provider_says_breaks_anything(
        answers in prop::collection::vec((prop_oneof![0..20_000_u64, any::<u64>()], prop_oneof![0..20_000_u64, any::<u64>()]), 1..12),
        input in any::<u64>(), cached_input in any::<u64>(),
    ) {
        if let Some(bond) = bond(&answers) {
            let price = Price { input: usd(input), cached_input: usd(cached_input), ..price(1, 1) };
            for prompt in [0, 1, 5_000, u64::MAX] {
                prop_assert!(bond.holds(prompt) <= prompt);
                let whole = u128::from(prompt) * u128::from(input) / 1_000_000;
                prop_assert!(u128::from(bond.saves(&price, prompt).nanos()) <= whole);
            }
        }
    }
}

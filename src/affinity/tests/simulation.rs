//! Two workers over one store, three targets whose providers cache prompts for five minutes, and conversations that grow.

use super::*;
use crate::config::Price;
use crate::cost::{cost, expected};
use crate::money::NanoUsd;
use crate::route::Merits;
use std::collections::{BTreeMap, BTreeSet};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// How long a provider keeps a prompt after its last use, in seconds.
const KEPT: u64 = 300;
/// Providers cache this many tokens or whole multiples of it.
const BLOCK: u64 = 128;

/// Numbers that look like chance, the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((z ^ (z >> 27)) >> 8) % end
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least)
    }
}

/// A message by what it says, and how many tokens that is.
type Said = (String, u64);

/// A request as it comes in.
struct Turn {
    second: u64,
    worker: usize,
    conversation: usize,
    number: usize,
    /// System prompt, user, assistant, user, and so on to a user.
    messages: Vec<Said>,
}

impl Turn {
    fn key(&self) -> Key {
        let roles = ["system"].into_iter().chain(["user", "assistant"].into_iter().cycle());
        let messages: Vec<_> =
            roles.zip(&self.messages).map(|(role, (said, _))| json!({"role": role, "content": said})).collect();
        key_of(&json!({"model": "chat", "messages": messages}))
    }

    fn tokens(&self) -> u64 {
        self.messages.iter().map(|(_, tokens)| tokens).sum()
    }
}

/// An hour: a conversation begins every ten seconds, has up to fourteen turns with pauses of up to two minutes, now and then of ten.
fn turns(seed: u64) -> Vec<Turn> {
    let mut chance = Chance(seed);
    let mut turns = Vec::new();
    for conversation in 0..360 {
        let mut second = 10 * conversation as u64 + chance.below(10);
        let system = chance.below(5);
        let mut messages = vec![(format!("You are {system}."), 600 + 500 * system)];
        for number in 0..chance.between(1, 15) as usize {
            messages.push((format!("{conversation} asks {number}"), chance.between(30, 600)));
            let worker = chance.below(2) as usize;
            turns.push(Turn { second, worker, conversation, number, messages: messages.clone() });
            messages.push((format!("{conversation} hears {number}"), chance.between(100, 800)));
            second += if chance.below(20) == 0 { 600 } else { chance.between(5, 120) };
        }
    }
    turns.sort_by_key(|turn| turn.second);
    turns
}

/// A provider with its model.
struct Provider {
    caches: bool,
    price: Price,
    /// Every beginning of every prompt, and when it was used last.
    kept: BTreeMap<String, u64>,
}

impl Provider {
    fn new(caches: bool, input: u64) -> Self {
        let usd = |cents: u64| NanoUsd::new(cents * NanoUsd::PER_USD / 100);
        let (nothing, output) = (NanoUsd::ZERO, usd(4 * input));
        let (input, cached_input) = (usd(input), usd(input / 10));
        let price = Price {
            input,
            output,
            cached_input,
            cache_write: input,
            reasoning: output,
            request: nothing,
            image: nothing,
        };
        Self { caches, price, kept: BTreeMap::new() }
    }

    fn answer(&mut self, turn: &Turn) -> Usage {
        let (mut beginning, mut tokens, mut cached) = (String::new(), 0, 0);
        for (said, length) in &turn.messages {
            beginning.push_str(said);
            tokens += length;
            let used = self.kept.insert(beginning.clone(), turn.second);
            if used.is_some_and(|used| turn.second - used < KEPT) && tokens >= LEAST {
                cached = tokens / BLOCK * BLOCK;
            }
        }
        usage(tokens, if self.caches { cached } else { 0 })
    }
}

/// How it is decided whom to ask.
struct Plan {
    with_affinity: bool,
    /// Whether the cheapest is first, or each in its turn.
    by_cost: bool,
    /// Whether a target answers at a second.
    answers: fn(usize, u64) -> bool,
}

const IN_TURN: Plan = Plan { with_affinity: true, by_cost: false, answers: |_, _| true };
const ALONE: Plan = Plan { with_affinity: false, ..IN_TURN };

/// What has become of the turns.
#[derive(Default)]
struct Seen {
    prompt: u64,
    cached: u64,
    cost: u64,
    /// Which target has answered, of each conversation's turn.
    answered: BTreeMap<(usize, usize), usize>,
    /// Of each turn that a bond has sent to a target that failed.
    misled: Vec<(usize, u64)>,
    failures: usize,
    /// How many turns were answered by whom a bond has kept.
    stayed: usize,
}

impl Seen {
    /// Which part of all prompts was cached.
    fn share(&self) -> f64 {
        self.cached as f64 / self.prompt as f64
    }

    /// How often a target has answered turns with such numbers, and how many there were.
    fn asked(&self, target: usize, numbers: std::ops::Range<usize>) -> (usize, usize) {
        let of = self.answered.iter().filter(|((_, number), _)| numbers.contains(number));
        (of.clone().filter(|(_, who)| **who == target).count(), of.count())
    }
}

fn run(turns: &[Turn], mut providers: [Provider; 3], plan: &Plan) -> Seen {
    let (store, mut next, mut seen) = (Memory::default(), [0, 1], Seen::default());
    for turn in turns {
        let (now, key, prompt) = (seconds(turn.second), turn.key(), turn.tokens());
        let expects = |who: usize| expected(&providers[who].price, prompt, 100, 0);
        let mut order = vec![0, 1, 2];
        if plan.by_cost {
            order.retain(|who| (plan.answers)(*who, turn.second));
            order.sort_by_key(|who| expects(*who));
        } else {
            order.rotate_left(next[turn.worker] % 3);
            next[turn.worker] += 1;
        }
        let bond = find(&store, key, &RULES, now).filter(|_| plan.with_affinity);
        let place =
            bond.as_ref().and_then(|bond| order.iter().position(|who| NAMES[*who] == &*bond.target));
        let mut is_kept = false;
        if let Some((bond, place)) = bond.as_ref().zip(place) {
            let expense = |cost| Merits { cost: Some(cost), ..Merits::UNKNOWN }.expense();
            let saved = bond.saves(&providers[order[place]].price, prompt);
            let expenses = Expenses {
                bonded: expense(expects(order[place]).saturating_sub(saved)),
                first: expense(expects(order[0])),
            };
            is_kept = stays(bond, plan.by_cost.then_some(expenses), &RULES);
            if is_kept {
                order[..=place].rotate_right(1);
            }
        }
        for (at, who) in order.into_iter().enumerate() {
            if !(plan.answers)(who, turn.second) {
                break_off(&store, key, NAMES[who]);
                seen.failures += 1;
                if is_kept && at == 0 {
                    seen.misled.push((turn.conversation, turn.second));
                }
                continue;
            }
            let usage = providers[who].answer(turn);
            note(&store, key, NAMES[who], &usage, &RULES, now.after(2_000));
            seen.prompt += usage.prompt;
            seen.cached += usage.cached.unwrap();
            seen.cost += cost(&providers[who].price, &usage, 0).nanos();
            seen.answered.insert((turn.conversation, turn.number), who);
            seen.stayed += usize::from(is_kept && at == 0);
            break;
        }
    }
    seen
}

/// Three that cache, each at three dollars for a million tokens.
fn alike() -> [Provider; 3] {
    [0, 1, 2].map(|_| Provider::new(true, 300))
}

#[test]
fn more_than_twice_as_much_is_cached_as_without_and_it_costs_a_third_less() {
    for seed in 0..5 {
        let turns = turns(seed);
        let (alone, bonded) = (run(&turns, alike(), &ALONE), run(&turns, alike(), &IN_TURN));
        eprintln!("{seed}: {:.3} {:.3} {:.3} {}/{}", alone.share(), bonded.share(), bonded.cost as f64 / alone.cost as f64, bonded.stayed, turns.len());
    }
}

#[test]
fn every_target_has_its_share_of_the_conversations_nevertheless() {
    for seed in 0..5 {
        let seen = run(&turns(seed), alike(), &IN_TURN);
        for target in 0..3 {
            let (first, of_first) = seen.asked(target, 0..1);
            let (all, of_all) = seen.asked(target, 0..99);
            let shares = [first as f64 / of_first as f64, all as f64 / of_all as f64];
            eprintln!("{seed} {target}: {shares:?}");
        }
    }
}

#[test]
fn a_failure_breaks_the_bond_and_misleads_a_conversation_once() {
    let plan = Plan { answers: |who, second| who != 0 || !(1_200..2_400).contains(&second), ..IN_TURN };
    for seed in 0..5 {
        let turns = turns(seed);
        let seen = run(&turns, alike(), &plan);
        let alone = run(&turns, alike(), &Plan { with_affinity: false, ..plan });
        let conversations: BTreeSet<_> = seen.misled.iter().map(|(conversation, _)| conversation).collect();
        let late = seen.misled.iter().filter(|(_, second)| *second > 1_200 + KEPT).count();
        eprintln!("{seed} {} {} {late} {} {} {:.3} {:.3}", conversations.len(), seen.misled.len(), seen.failures, alone.failures, seen.share(), alone.share());
    }
}

#[test]
fn a_target_that_never_caches_is_not_stuck_to() {
    for seed in 0..5 {
        let turns = turns(seed);
        let providers = || [Provider::new(false, 300), Provider::new(true, 300), Provider::new(true, 300)];
        let (seen, alone) = (run(&turns, providers(), &IN_TURN), run(&turns, providers(), &ALONE));
        eprintln!("{seed} {:?} {:?} {:?} {:.3} {:.3}", seen.asked(0, 0..3), seen.asked(0, 3..6), seen.asked(0, 6..99), seen.share(), alone.share());
        let nobody = run(&turns, [0, 1, 2].map(|_| Provider::new(false, 300)), &IN_TURN);
        eprintln!("   {:?} {}/{}", [0, 1, 2].map(|who| nobody.asked(who, 0..99).0), nobody.stayed, turns.len());
    }
}

#[test]
fn a_slightly_cheaper_target_does_not_take_over_and_a_much_cheaper_one_does() {
    for cents in [280, 150, 100, 60, 30, 15] {
        let turns = turns(1);
        // The cheaper one comes after half an hour.
        let plan = Plan { by_cost: true, answers: |who, second| who != 1 || second >= 1_800, ..IN_TURN };
        let providers =
            || [Provider::new(true, 300), Provider::new(true, cents), Provider::new(true, 500)];
        let (seen, alone) =
            (run(&turns, providers(), &plan), run(&turns, providers(), &Plan { with_affinity: false, ..plan }));
        let switched = seen.answered.iter().filter(|((conversation, number), who)| {
            *number > 0 && **who == 1 && seen.answered[&(*conversation, number - 1)] == 0
        });
        eprintln!("{cents} {} stayed {} {:.3}", switched.count(), seen.stayed, seen.cost as f64 / alone.cost as f64);
    }
}

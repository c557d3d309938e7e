//! What is given to a fuzzer: targets that take any bytes, and assert what must hold of whatever comes of them.
//!
//! One program has them all, for the sake of the time that building takes; `MODELGATE_FUZZ` says which one runs. What is random of an input
//! stands at its front, a byte for each choice, and the rest is a text as it is: so a file of the tests with a few characters before it is
//! an input. `scripts/fuzz` builds and runs all of it.
#![no_main]

mod answers;
mod configuration;
mod decoding;
mod gateway;
mod input;
mod orchestrations;
mod requests;
mod rules;
mod schemas;
mod sse;
mod state;
mod support;
mod translations;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use std::sync::OnceLock;
use support::mutation::{Chance, mutated};

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 11] = [
    ("sse", sse::target),
    ("answers", answers::target),
    ("requests", requests::target),
    ("translations", translations::target),
    ("configuration", configuration::target),
    ("decoding", decoding::target),
    ("state", state::target),
    ("orchestrations", orchestrations::target),
    ("schemas", schemas::target),
    ("rules", rules::target),
    ("gateway", gateway::target),
];

static TARGET: OnceLock<Target> = OnceLock::new();

fn chosen() {
    let name = std::env::var("MODELGATE_FUZZ").unwrap_or_default();
    let Some((_, target)) = TARGETS.iter().find(|(known, _)| *known == name) else {
        let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        eprintln!("MODELGATE_FUZZ is {name:?}, and the targets are {}", names.join(" "));
        std::process::exit(2);
    };
    TARGET.get_or_init(|| *target);
}

fuzz_target!(init: chosen(), |data: &[u8]| {
    if let Some(target) = TARGET.get() {
        target(data);
    }
});

// Half of the time a value takes another's place, or an event comes twice, as the tests do it to recordings: bytes alone seldom leave JSON.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut chance = Chance(u64::from(seed));
    if chance.one_in(2) {
        return fuzzer_mutate(data, size, max_size);
    }
    let made = mutated(&data[..size], &mut chance);
    let size = made.len().min(max_size);
    data[..size].copy_from_slice(&made[..size]);
    size
});

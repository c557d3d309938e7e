//! What a request's limits cost natively: admission, settlement, refusal, and what is learned of its length. The store is a map
//! in this process; a real host's calls come on top.

use divan::{Bencher, black_box};
use modelgate::config::{Config, Limits, Model, Named};
use modelgate::money::NanoUsd;
use modelgate::names::{ConsumerName, TierName};
use modelgate::quota::{Actual, Ask, Consumer, Holder, HolderId, admit, learn, settle};
use modelgate::store::{Conflict, Expected, Store, Version};
use modelgate::time::Timestamp;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

#[derive(Default)]
struct Memory(RefCell<HashMap<String, (Vec<u8>, u32)>>);

impl Store for Memory {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        let values = self.0.borrow();
        values.get(key).map(|(value, version)| (value.clone(), Version(*version)))
    }

    fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), Conflict> {
        let mut values = self.0.borrow_mut();
        let Some((old, version)) = values.get_mut(key) else {
            values.insert(key.to_owned(), (value.to_vec(), 1));
            return Ok(());
        };
        if expected != Expected::Version(Version(*version)) {
            return Err(Conflict);
        }
        value.clone_into(old);
        *version += 1;
        Ok(())
    }
}

/// Limits that everything fits in, by what a benchmark is about.
const LIMITS: [(&str, &str); 4] = [
    ("one", r#"[{"name": "a", "tokens": 1000000000000, "window": "minute", "per": ["consumer"]}]"#),
    (
        "three of one scope",
        r#"[{"name": "a", "requests": 1000000000, "window": "minute", "per": ["consumer"]},
            {"name": "b", "tokens": 1000000000000, "window": "minute", "per": ["consumer"]},
            {"name": "c", "usd": 10000000000, "window": "month", "per": ["consumer"]}]"#,
    ),
    (
        "three scopes",
        r#"[{"name": "a", "requests": 1000000000, "window": "minute"},
            {"name": "b", "tokens": 1000000000000, "window": "minute", "per": ["consumer"]},
            {"name": "c", "usd": 10000000000, "window": "month", "per": ["tier", "model"]}]"#,
    ),
    (
        "one that refuses",
        r#"[{"name": "a", "concurrent": 1000000, "per": ["consumer"]},
            {"name": "b", "tokens": 10, "window": "minute", "per": ["consumer"]}]"#,
    ),
];

struct World {
    store: Memory,
    limits: Rc<Limits>,
    consumer: ConsumerName,
    tier: TierName,
    model: Rc<Model>,
    holder: HolderId,
}

impl World {
    fn new(limits: &str) -> Self {
        let (_, limits) = LIMITS.iter().find(|(name, _)| *name == limits).expect("limits of the table");
        let document = format!(
            r#"{{"providers": {{"openai": {{}}}}, "models": {{"gpt": {{"provider": "openai"}}}}, "auth": {{"anonymous": {{"consumer": "anonymous"}}}}, "limits": {limits}}}"#
        );
        let config =
            Config::parse(document.as_bytes(), &|_| Some("key".to_owned())).expect("a configuration");
        let Some(Named::Model(model)) = config.named("gpt") else { panic!("a model") };
        let store = Memory::default();
        let world = Self {
            limits: Rc::clone(config.limits()),
            consumer: ConsumerName::parse("acme").expect("a name"),
            tier: TierName::parse("default").expect("a name"),
            model: Rc::clone(model),
            holder: Holder::new(1).id(&store, Timestamp::default()),
            store,
        };
        // What an hour of a request each second leaves behind.
        for second in 0..3_600 {
            if let Ok(reservation) = admit(&world.store, &world.limits, &world.ask(1_000 * second)) {
                settle(&world.store, reservation, USED, world.ask(1_000 * second).now).expect("it is alone");
            }
        }
        world
    }

    fn ask(&self, now: u64) -> Ask<'_> {
        Ask {
            consumer: Consumer::Configured(&self.consumer),
            tier: &self.tier,
            model: &self.model,
            input: 500,
            output: 400,
            cost: NanoUsd::new(1_500_000),
            now: Timestamp::from_millis(1_700_000_000_000 + now),
            holder: self.holder,
        }
    }
}

const USED: Actual = Actual { input: 510, output: 300, cost: NanoUsd::new(1_100_000) };
const NOW: u64 = 3_600_000;

#[divan::bench(args = LIMITS.map(|(name, _)| name))]
fn admission(bencher: Bencher<'_, '_>, limits: &str) {
    let world = World::new(limits);
    let ask = world.ask(NOW);
    bencher.bench_local(|| admit(&world.store, &world.limits, black_box(&ask)));
}

#[divan::bench(args = LIMITS.map(|(name, _)| name))]
fn admission_and_settlement(bencher: Bencher<'_, '_>, limits: &str) {
    let world = World::new(limits);
    let ask = world.ask(NOW);
    bencher.bench_local(|| {
        let reservation = admit(&world.store, &world.limits, black_box(&ask));
        reservation.is_ok_and(|reservation| settle(&world.store, reservation, USED, ask.now).is_ok())
    });
}

/// A consumer that only its token names.
#[divan::bench]
fn admission_of_a_stranger(bencher: Bencher<'_, '_>) {
    let world = World::new("three of one scope");
    let ask = Ask { consumer: Consumer::OfToken(&world.consumer), ..world.ask(NOW) };
    bencher.bench_local(|| admit(&world.store, &world.limits, black_box(&ask)));
}

#[divan::bench]
fn expectation_and_lesson(bencher: Bencher<'_, '_>) {
    let (store, now) = (Memory::default(), Timestamp::from_millis(NOW));
    bencher.bench_local(|| {
        let expected = learn::expected(&store, black_box("acme"), "gpt", 900, 1_024, None).tokens;
        learn::learn(&store, "acme", "gpt", 300, now).map(|()| expected)
    });
}

//! What strategies promise, in simulations: workers that serve thousands of requests of which they know nothing but what they
//! have seen, and what they tell each other once a second.

use super::super::Memory;
use super::*;
use crate::chance;
use crate::chat::Usage;
use crate::health::Ended;
use crate::observe::Record;
use crate::store::tests::Memory as Shared;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Numbers that look like chance, the same every time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        chance::next(&mut self.0)
    }

    /// From 0 to 1.
    fn part(&mut self) -> f64 {
        chance::part(self.next())
    }

    /// Around `mean`, as answers of models are: most a little faster, some much slower.
    fn around(&mut self, mean: f64) -> u64 {
        let sum: f64 = (0..4).map(|_| self.part()).sum::<f64>() - 2.0;
        (mean * (0.25 * sum).exp()).max(1.0) as u64
    }
}

/// What an attempt takes, in milliseconds, and comes to.
type Model<'m> = &'m mut dyn FnMut(&str, u64, &mut Chance) -> (u64, Ended);

struct World {
    config: Config,
    classifier: Classifier,
    store: Shared,
    workers: Vec<Memory>,
    chance: Chance,
    /// Milliseconds since the beginning.
    now: u64,
    ticked: u64,
    /// What is under way: when it ends, on which worker, how.
    under_way: BTreeMap<(u64, u64), (usize, Trials, Ended)>,
    count: u64,
}

/// A request that was served.
#[derive(Debug, Clone)]
struct Served {
    target: String,
    /// Until the answer was there, failed attempts and all.
    took: u64,
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

impl World {
    fn new(route: &Value) -> Self {
        Self::with(route, &json!({}))
    }

    fn with(route: &Value, health: &Value) -> Self {
        let models = ["a", "b", "c", "d"].map(|name| {
            let (dear, quality) = match name {
                "a" => (10.0, json!({"default": 0.9, "code": 0.5})),
                "b" => (3.0, json!(0.7)),
                "c" => (0.5, json!({"default": 0.5, "code": 0.95})),
                _ => (1.0, json!(0.7)),
            };
            let price = json!({"input": dear, "output": dear * 4.0});
            (name, json!({"provider": "p", "price": price, "quality": quality}))
        });
        let mut models: BTreeMap<_, _> = models.into_iter().collect();
        models.insert("e", json!({"provider": "p", "languages": ["en"]}));
        let document = json!({
            "providers": {"p": {"vendor": "openai", "base_url": "http://p", "api_key": "none"}},
            "models": models,
            "routes": {"r": route},
            "tasks": {},
            "health": health,
            "auth": {"anonymous": {"consumer": "anonymous"}},
        });
        let config = Config::parse(document.to_string().as_bytes(), &|_| None);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let workers: Vec<_> = (0..2).map(|number| Memory::new(number + 7)).collect();
        workers.iter().for_each(|worker| worker.adopt(&config));
        let under_way = BTreeMap::new();
        let classifier = Classifier::new(config.tasks().unwrap());
        Self {
            config,
            classifier,
            store: Shared::default(),
            workers,
            chance: Chance(1),
            now: 0,
            ticked: 0,
            under_way,
            count: 0,
        }
    }

    fn books<R>(&self, worker: usize, now: u64, act: impl FnOnce(Books<'_>) -> R) -> R {
        let holder = Holder::new(1).id(&self.store, at(now));
        act(Books { store: &self.store, now: at(now), holder: &|| holder, memory: &self.workers[worker] })
    }

    /// Lets time pass, and what is under way end.
    fn pass(&mut self, until: u64) {
        loop {
            let tick = self.ticked + 1_000;
            let next = self.under_way.keys().next().map(|(when, _)| *when);
            if next.is_some_and(|when| when <= tick.min(until)) {
                let ((when, _), (worker, trials, ended)) = self.under_way.pop_first().unwrap();
                self.books(worker, when, |books| trials.end(ended, None, books));
            } else if tick <= until {
                for worker in 0..self.workers.len() {
                    self.books(worker, tick, |books| books.memory.tick(books.store, books.now)).unwrap();
                }
                self.ticked = tick;
            } else {
                break;
            }
        }
        self.now = until;
    }

    /// What is made of a request that says this.
    fn plan(&mut self, worker: usize, text: &str, wishes: &Wishes) -> Step {
        let body = json!({"model": "r", "messages": [{"role": "user", "content": text}], "max_tokens": 400});
        self.ask(worker, Service::Chat, &body, wishes)
    }

    fn ask(&mut self, worker: usize, service: Service, body: &Value, wishes: &Wishes) -> Step {
        self.books(worker, self.now, |books| {
            let asking = Asking {
                service,
                consumer: self.config.auth().anonymous().unwrap(),
                request_id: "6d2f",
                control: Control::default(),
                joins: &|_| false,
                told: &Told::default(),
                classifier: Some(&self.classifier),
                wishes,
                record: &Record::default(),
            };
            on_body(body.to_string().as_bytes(), asking, &self.config, books)
        })
    }

    /// Serves so many requests, one every `gap` milliseconds, each on a worker by chance.
    fn serve(&mut self, count: usize, gap: u64, model: Model<'_>) -> Vec<Served> {
        (0..count)
            .map(|_| {
                self.pass(self.now + gap);
                let worker = (self.chance.next() % 2) as usize;
                let Step::Forward(forward) = self.plan(worker, "hi", &Vec::new()) else {
                    panic!("forwarded")
                };
                let Forward { plan, trials, .. } = *forward;
                let mut took = 0;
                for (attempt, target) in plan.targets.iter().enumerate() {
                    let (ms, ended) = model(&target.name, self.now, &mut self.chance);
                    self.books(worker, self.now + took, |books| trials.begin(&target.name, books));
                    took += ms;
                    let is_last = attempt + 1 == plan.targets.len();
                    if matches!(ended, Ended::Answered { .. }) || is_last {
                        self.count += 1;
                        self.under_way.insert((self.now + took, self.count), (worker, trials, ended));
                        return Served { target: target.name.to_string(), took };
                    }
                    self.books(worker, self.now + took, |books| trials.end(ended, None, books));
                }
                panic!("somebody is asked")
            })
            .collect()
    }
}

const WELL: Ended = Ended::Answered { tokens: 200 };

fn targets(models: &[&str]) -> Value {
    models.iter().map(|model| json!({"model": model})).collect()
}

fn share(served: &[Served], target: &str) -> f64 {
    served.iter().filter(|one| one.target == target).count() as f64 / served.len() as f64
}

fn mean(served: &[Served]) -> f64 {
    served.iter().map(|one| one.took as f64).sum::<f64>() / served.len() as f64
}

fn near(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "{found} is not {expected} ± {within}");
}

#[test]
fn shares_are_as_weights_say_on_whichever_worker_requests_come() {
    let targets = json!([
        {"model": "a", "weight": 70}, {"model": "b", "weight": 20}, {"model": "c", "weight": 10}, {"model": "d", "weight": 0},
    ]);
    let mut world = World::new(&json!({"strategy": "weighted", "targets": targets}));
    let served = world.serve(2_000, 10, &mut |_, _, chance| (chance.around(300.0), WELL));
    for (target, expected) in [("a", 0.7), ("b", 0.2), ("c", 0.1), ("d", 0.0)] {
        near(share(&served, target), expected, 0.002);
    }
    for some in served.chunks(200) {
        near(share(some, "a"), 0.7, 0.02);
    }
}

#[test]
fn the_share_of_one_that_is_left_alone_goes_to_the_others_by_their_weights() {
    let targets = json!([
        {"model": "a", "weight": 5}, {"model": "b", "weight": 3}, {"model": "c", "weight": 2}, {"model": "d", "weight": 0},
    ]);
    let mut world = World::new(&json!({"strategy": "weighted", "targets": targets}));
    let mut down = |target: &str, _: u64, chance: &mut Chance| match target {
        "a" => (20, Ended::Failed),
        _ => (chance.around(300.0), WELL),
    };
    world.serve(100, 50, &mut down);
    let served = world.serve(1_000, 50, &mut down);
    near(share(&served, "b"), 0.6, 0.02);
    near(share(&served, "c"), 0.4, 0.02);
    world.pass(world.now + 400_000);
    let mut well = |_: &str, _: u64, chance: &mut Chance| (chance.around(300.0), WELL);
    world.serve(20, 50, &mut well);
    near(share(&world.serve(1_000, 50, &mut well), "a"), 0.5, 0.02);
}

#[test]
fn each_has_its_turn() {
    let mut world = World::new(&json!({"strategy": "round_robin", "targets": targets(&["a", "b", "c"])}));
    let served = world.serve(900, 10, &mut |_, _, chance| (chance.around(300.0), WELL));
    for target in ["a", "b", "c"] {
        near(share(&served, target), 1.0 / 3.0, 0.003);
    }
}

#[test]
fn the_fastest_is_found_and_hardly_anybody_waits_for_another() {
    for (speeds, gap) in [
        ([900.0, 400.0, 500.0, 2_000.0], 50),
        ([300.0, 290.0, 310.0, 305.0], 50),
        ([5_000.0, 1_000.0, 20_000.0, 1_500.0], 200),
        ([200.0, 800.0, 800.0, 800.0], 500),
    ] {
        let all = targets(&["a", "b", "c", "d"]);
        let mut world = World::new(&json!({"strategy": "latency", "targets": all}));
        let place = |target: &str| "abcd".find(target).unwrap();
        let mut model =
            |target: &str, _: u64, chance: &mut Chance| (chance.around(speeds[place(target)]), WELL);
        world.serve(300, gap, &mut model);
        let served = world.serve(2_000, gap, &mut model);
        let oracle = {
            let best = speeds.iter().copied().fold(f64::INFINITY, f64::min);
            let mut chance = Chance(9);
            (0..20_000).map(|_| chance.around(best) as f64).sum::<f64>() / 20_000.0
        };
        assert!(mean(&served) <= oracle * 1.05, "{speeds:?}: {} and {oracle}", mean(&served));
    }
}

#[test]
fn a_change_of_the_fastest_is_noticed_within_fifty_requests() {
    for (before, after) in [
        // The fastest becomes slow; or another one becomes faster than it.
        ([400.0, 600.0, 900.0], [3_000.0, 600.0, 900.0]),
        ([400.0, 600.0, 900.0], [400.0, 100.0, 900.0]),
        ([400.0, 900.0, 900.0], [400.0, 900.0, 100.0]),
    ] {
        let mut world = World::new(&json!({"strategy": "latency", "targets": targets(&["a", "b", "c"])}));
        let place = |target: &str| "abc".find(target).unwrap();
        world.serve(500, 1_000, &mut |target, _, chance| (chance.around(before[place(target)]), WELL));
        let mut model =
            |target: &str, _: u64, chance: &mut Chance| (chance.around(after[place(target)]), WELL);
        world.serve(50, 1_000, &mut model);
        let served = world.serve(300, 1_000, &mut model);
        let best = after.iter().copied().fold(f64::INFINITY, f64::min);
        let fastest = ["a", "b", "c"][after.iter().position(|ms| *ms == best).unwrap()];
        assert!(share(&served, fastest) > 0.9, "{after:?}: {}", share(&served, fastest));
    }
}

#[test]
fn one_that_fails_often_is_not_fast_for_failing_fast() {
    let mut world = World::new(&json!({"strategy": "latency", "targets": targets(&["a", "b"])}));
    let served = world.serve(1_000, 100, &mut |target, _, chance| match target {
        "a" if chance.part() < 0.4 => (5_000, Ended::TimedOut),
        "a" => (chance.around(300.0), WELL),
        _ => (chance.around(600.0), WELL),
    });
    assert!(share(&served[200..], "b") > 0.85, "{}", share(&served[200..], "b"));
}

#[test]
fn the_cheapest_is_asked_and_what_fails_costs_too() {
    let mut world = World::new(&json!({"strategy": "least_cost", "targets": targets(&["a", "b", "c", "d"])}));
    let served = world.serve(200, 10, &mut |_, _, chance| (chance.around(300.0), WELL));
    near(share(&served, "c"), 1.0, 0.0);
    // Its answers become five times as long, which makes it dearer than `d`.
    let mut longer = |target: &str, _: u64, chance: &mut Chance| {
        (chance.around(300.0), Ended::Answered { tokens: if target == "c" { 390 } else { 60 } })
    };
    world.serve(200, 500, &mut longer);
    // One that costs half as much is asked as long as it answers more than half of the time.
    let rules = json!({"failures": 1_000_000, "min_requests": 1_000_000});
    for (fails, first) in [(0.2, "c"), (0.75, "d")] {
        let targets = targets(&["c", "d"]);
        let mut world = World::with(&json!({"strategy": "least_cost", "targets": targets}), &rules);
        let mut failing = |target: &str, _: u64, chance: &mut Chance| match target {
            "c" if chance.part() < fails => (100, Ended::Failed),
            _ => (100, WELL),
        };
        world.serve(100, 100, &mut failing);
        let served = world.serve(400, 100, &mut failing);
        assert!(share(&served, first) > 0.75, "{fails}: {}", share(&served, first));
    }
}

#[test]
fn the_best_at_the_kind_of_request_is_asked() {
    let mut world = World::new(&json!({"strategy": "quality", "targets": targets(&["a", "b", "c", "d"])}));
    for (text, best) in [("hi there", "a"), ("Write a function in Rust that reverses a list.", "c")] {
        let Step::Forward(forward) = world.plan(0, text, &Vec::new()) else { panic!("forwarded") };
        assert_eq!(&*forward.plan.targets[0].name, best);
    }
}

fn wishes(all: &[(&str, &str)]) -> Wishes {
    all.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

#[test]
fn the_best_that_keeps_to_what_is_wanted_is_asked_and_of_equals_the_cheapest() {
    let mut world = World::new(&json!({"strategy": "intent", "targets": targets(&["a", "b", "c", "d"])}));
    for (wanted, best) in [
        (vec![], "a"),
        (vec![("max-cost-usd", "0.005")], "d"),
        (vec![("max-cost-usd", "0.001")], "c"),
        (vec![("min-quality", "0.6"), ("max-cost-usd", "0.01")], "d"),
        (vec![("max-cost-usd", "1")], "a"),
    ] {
        let Step::Forward(forward) = world.plan(0, "hi", &wishes(&wanted)) else { panic!("forwarded") };
        assert_eq!(&*forward.plan.targets[0].name, best, "{wanted:?}");
    }
    // Whoever is known to be slow does not keep to a latency.
    world.serve(40, 100, &mut |target, _, _| (if target == "a" { 5_000 } else { 300 }, WELL));
    world.pass(world.now + 10_000);
    let Step::Forward(forward) = world.plan(0, "hi", &wishes(&[("max-latency-ms", "1000")])) else {
        panic!()
    };
    assert_ne!(&*forward.plan.targets[0].name, "a");
}

#[test]
fn what_nobody_keeps_to_is_refused_by_its_name() {
    let route = json!({"strategy": "intent", "constraints": {"min_quality": 0.6}, "targets": targets(&["a", "b", "c"])});
    let mut world = World::new(&route);
    for (wanted, param, reason) in [
        (vec![("max-cost-usd", "0.001")], "max_cost_usd", "a is expected to cost"),
        (vec![("min-quality", "0.95")], "min_quality", "b has the quality 0.700, and min_quality is 0.950"),
        (vec![("max-cost-usd", "cheap")], "x-modelgate-max-cost-usd", "'cheap' is not an amount in USD"),
        (vec![("min-quality", "7")], "x-modelgate-min-quality", "'7' is not a number from 0 to 1"),
        (
            vec![("max-latency-ms", "NaN")],
            "x-modelgate-max-latency-ms",
            "'NaN' is not a number of milliseconds",
        ),
    ] {
        let Step::Reply(reply) = world.plan(0, "hi", &wishes(&wanted)) else { panic!("{wanted:?}") };
        let error: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((reply.status, &error["error"]["param"]), (400, &json!(param)), "{wanted:?}");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(reason), "{message}");
    }
    let Step::Forward(forward) = world.plan(0, "hi", &Vec::new()) else { panic!("forwarded") };
    let names: Vec<_> = forward.plan.targets.iter().map(|target| &*target.name).collect();
    assert_eq!(names, ["a", "b"], "c is not good enough for this route");
}

#[test]
fn lower_priorities_wait_for_higher_ones_whatever_the_strategy() {
    let targets = json!([{"model": "a"}, {"model": "c", "priority": 1}, {"model": "b"}]);
    for strategy in ["round_robin", "least_cost", "latency", "quality"] {
        let mut world = World::new(&json!({"strategy": strategy, "targets": targets}));
        for _ in 0..10 {
            let Step::Forward(forward) = world.plan(0, "hi", &Vec::new()) else { panic!("forwarded") };
            assert_eq!(&*forward.plan.targets[2].name, "c", "{strategy}");
        }
    }
}

/// The reward that the bandit sees, as it is told in the documentation.
fn worth(cost: f64, usual_cost: f64, ms: f64, usual_ms: f64, success: f64) -> f64 {
    success * (1.0 - 0.2 / (1.0 + usual_cost / cost) - 0.2 / (1.0 + usual_ms / ms))
}

#[test]
fn whoever_does_best_is_learned_and_a_change_is_followed() {
    let route = json!({"strategy": "adaptive", "targets": targets(&["a", "b", "c", "d"]), "adaptive": {"half_life": 200}});
    let rules = json!({"failures": 1_000_000, "min_requests": 1_000_000});
    let mut world = World::with(&route, &rules);
    // `b` answers nearly always, and fast; the dear one is faster, the cheap one fails, the last is slow.
    let speed = |target: &str| match target {
        "a" => 350.0,
        "b" => 400.0,
        "c" => 300.0,
        _ => 4_000.0,
    };
    let mut before = |target: &str, _: u64, chance: &mut Chance| match target {
        "c" if chance.part() < 0.5 => (200, Ended::Failed),
        _ => (chance.around(speed(target)), WELL),
    };
    let early = world.serve(300, 100, &mut before);
    world.serve(1_700, 100, &mut before);
    let served = world.serve(500, 100, &mut before);
    let best = worth(3.0, 3.6, 400.0, 1_250.0, 1.0);
    let second = worth(10.0, 3.6, 350.0, 1_250.0, 1.0);
    assert!(best > second * 1.03, "the simulation has one that is best: {best} and {second}");
    assert!(share(&served, "b") > 0.7, "{}", share(&served, "b"));
    assert!(share(&served, "b") >= share(&early, "b"), "the more is known, the more go there");
    for others in ["c", "d"] {
        assert!(share(&served, others) < 0.12, "{others} {}", share(&served, others));
    }
    // What was best becomes bad.
    let mut after = |target: &str, _: u64, chance: &mut Chance| match target {
        "b" if chance.part() < 0.8 => (200, Ended::Failed),
        "c" => (chance.around(300.0), WELL),
        _ => (chance.around(speed(target)), WELL),
    };
    world.serve(1_000, 100, &mut after);
    let served = world.serve(500, 100, &mut after);
    assert!(
        share(&served, "c") > 0.7,
        "the cheap and fast one does not fail any more: {}",
        share(&served, "c")
    );
}

#[test]
fn what_is_said_of_answers_is_learned_too() {
    let route = json!({"strategy": "adaptive", "targets": targets(&["b", "d"]), "explore": 0.1});
    let mut world = World::new(&route);
    for _ in 0..600 {
        world.pass(world.now + 100);
        let worker = (world.chance.next() % 2) as usize;
        let Step::Forward(forward) = world.plan(worker, "hi", &Vec::new()) else { panic!("forwarded") };
        let target = forward.plan.targets[0].name.to_string();
        world.books(worker, world.now, |books| forward.trials.begin(&target.as_str().into(), books));
        world.books(worker, world.now + 50, |books| forward.trials.end(WELL, None, books));
        let score = if target == "d" { 1.0 } else { 0.0 };
        let body = json!({"request_id": "6d2f", "score": score});
        let Step::Reply(reply) = world.ask(worker, Service::Feedback, &body, &Vec::new()) else {
            panic!("a reply")
        };
        let said: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((reply.status, &said["model"], &said["route"]), (200, &json!(target), &json!("r")));
    }
    let served = world.serve(300, 100, &mut |_, _, _| (50, WELL));
    assert!(share(&served, "d") > 0.8, "{}", share(&served, "d"));
}

#[test]
fn what_is_no_feedback_or_of_no_known_request_is_refused() {
    let mut world = World::new(&json!({"strategy": "adaptive", "targets": targets(&["a", "b"])}));
    for (body, status, param) in [
        (json!({"request_id": "x", "score": 1}), 404, "request_id"),
        (json!({"score": 1}), 400, "request_id"),
        (json!({"request_id": 7, "score": 1}), 400, "request_id"),
        (json!({"request_id": "x"}), 400, "score"),
        (json!({"request_id": "x", "score": 1.5}), 400, "score"),
        (json!({"request_id": "x", "score": "good"}), 400, "score"),
    ] {
        let Step::Reply(reply) = world.ask(0, Service::Feedback, &body, &Vec::new()) else {
            panic!("a reply")
        };
        let said: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((reply.status, &said["error"]["param"]), (status, &json!(param)), "{body}");
    }
}

#[test]
fn an_explanation_says_what_would_be_done_and_does_nothing() {
    let route = json!({
        "strategy": "least_cost", "constraints": {"max_cost_usd": 0.005},
        "targets": [{"model": "a"}, {"model": "b"}, {"model": "c", "priority": 1}, {"model": "d"}],
    });
    let mut world = World::new(&route);
    world.serve(20, 100, &mut |target, _, _| if target == "d" { (30, Ended::Failed) } else { (300, WELL) });
    world.pass(world.now + 2_000);
    let before = world.store.entries();
    let body = json!({"model": "r", "messages": [{"role": "user", "content": "Write a function in Rust."}], "max_tokens": 400});
    let mut explain = || {
        let Step::Reply(reply) = world.ask(0, Service::Explain, &body, &Vec::new()) else {
            panic!("a reply")
        };
        (reply.status, serde_json::from_slice::<Value>(&reply.body).unwrap())
    };
    let (status, said) = explain();
    assert_eq!(status, 200, "{said}");
    assert_eq!(said["plan"], json!(["b", "c", "d"]), "{said}");
    let place = |place: &str| said.pointer(place).unwrap_or(&Value::Null);
    assert_eq!(place("/task/task"), &json!("code"));
    assert_eq!((place("/route"), place("/strategy")), (&json!("r"), &json!("least_cost")));
    assert_eq!(
        (place("/targets/0/circuit"), place("/targets/2/circuit")),
        (&json!("closed"), &json!("open"))
    );
    assert_eq!(place("/targets/0/quality"), &json!(0.7));
    assert!(place("/targets/0/expected_cost_usd").as_f64().is_some_and(|cost| cost > 0.0), "{said}");
    assert!(place("/targets/0/latency_ms").as_u64().is_some_and(|ms| (250..350).contains(&ms)), "{said}");
    assert_eq!(place("/excluded/0/model"), &json!("a"));
    assert!(place("/excluded/0/reason").as_str().unwrap().contains("max_cost_usd is 0.005"), "{said}");
    assert_eq!(explain().1, said, "it is the same when it is asked again");
    assert_eq!(world.store.entries(), before, "nothing was written");
}

#[test]
fn turns_are_not_over_by_an_explanation() {
    let mut world = World::new(&json!({"strategy": "round_robin", "targets": targets(&["a", "b", "c"])}));
    let body = json!({"model": "r", "messages": [{"role": "user", "content": "hi"}]});
    for _ in 0..6 {
        let mut plans = Vec::new();
        for _ in 0..2 {
            let Step::Reply(reply) = world.ask(0, Service::Explain, &body, &Vec::new()) else {
                panic!("a reply")
            };
            plans.push(serde_json::from_slice::<Value>(&reply.body).unwrap()["plan"].clone());
        }
        let Step::Forward(forward) = world.plan(0, "hi", &Vec::new()) else { panic!("forwarded") };
        let planned: Value = forward.plan.targets.iter().map(|target| json!(&*target.name)).collect();
        assert_eq!(plans, [planned.clone(), planned], "what is explained is what comes");
    }
}

/// A turn of a conversation whose system prompt is `system`, after so many others.
fn turn(system: &str, turns: usize) -> Value {
    let mut messages = vec![json!({"role": "system", "content": system})];
    for turn in 0..turns {
        messages.push(json!({"role": "user", "content": format!("question {turn} of {system}")}));
        messages.push(json!({"role": "assistant", "content": format!("answer {turn}")}));
    }
    messages.push(json!({"role": "user", "content": format!("question {turns} of {system}")}));
    json!({"model": "r", "messages": messages, "max_tokens": 100})
}

/// Who is asked first.
fn first(step: Step) -> (String, Trials) {
    let Step::Forward(forward) = step else { panic!("forwarded") };
    (forward.plan.targets[0].name.to_string(), forward.trials)
}

fn said(prompt: u64, cached: u64) -> Usage {
    Usage { prompt, completion: 10, cached: Some(cached), ..Usage::default() }
}

#[test]
fn a_conversation_stays_with_who_has_its_beginning_in_its_cache_until_that_fails() {
    let route = json!({"strategy": "round_robin", "affinity": true, "targets": targets(&["a", "b", "c"])});
    let mut world = World::new(&route);
    let mut homes = BTreeMap::new();
    for turns in 0..6 {
        for system in ["pirate", "poet", "clerk", "judge"] {
            world.pass(world.now + 5_000);
            let worker = (world.chance.next() % 2) as usize;
            let (target, trials) = first(world.ask(worker, Service::Chat, &turn(system, turns), &Vec::new()));
            let home = homes.entry(system).or_insert_with(|| target.clone());
            assert_eq!(*home, target, "{system} {turns}");
            let prompt = 2_000 + 200 * turns as u64;
            let usage = said(prompt, if turns > 0 { prompt - 200 } else { 0 });
            world.books(worker, world.now, |books| trials.begin(&target.as_str().into(), books));
            world.books(worker, world.now + 300, |books| trials.end(WELL, Some(&usage), books));
        }
    }
    let used: std::collections::BTreeSet<_> = homes.values().collect();
    assert_eq!(used.len(), 3, "conversations are spread: {homes:?}");
    // After a failure the strategy decides again.
    let home = homes["poet"].clone();
    let (target, trials) = first(world.ask(0, Service::Chat, &turn("poet", 6), &Vec::new()));
    assert_eq!(target, home);
    world.books(0, world.now, |books| trials.begin(&target.as_str().into(), books));
    world.books(0, world.now, |books| trials.end(Ended::Failed, None, books));
    let next: Vec<_> =
        (0..3).map(|_| first(world.ask(0, Service::Chat, &turn("poet", 6), &Vec::new())).0).collect();
    assert!(["a", "b", "c"].iter().all(|target| next.iter().any(|next| next == target)), "{next:?}");
}

#[test]
fn a_conversation_that_a_client_names_is_one_whatever_is_said_in_it() {
    let route = json!({"strategy": "round_robin", "affinity": true, "targets": targets(&["a", "b", "c"])});
    let mut world = World::new(&route);
    let named = wishes(&[("conversation", "42")]);
    let (home, trials) = first(world.ask(0, Service::Chat, &turn("pirate", 0), &named));
    world.books(0, world.now, |books| trials.begin(&home.as_str().into(), books));
    world.books(0, world.now, |books| trials.end(WELL, Some(&said(3_000, 0)), books));
    for system in ["poet", "clerk", "judge"] {
        assert_eq!(first(world.ask(1, Service::Chat, &turn(system, 0), &named)).0, home);
    }
    let mut body = turn("pirate", 0);
    body["prompt_cache_key"] = json!("42");
    assert_eq!(first(world.ask(1, Service::Chat, &body, &Vec::new())).0, home, "OpenAI's word for it");
}

#[test]
fn a_cheaper_target_takes_a_conversation_over_when_it_saves_more_than_the_cache() {
    let route = json!({"strategy": "least_cost", "affinity": true, "targets": targets(&["b", "d"])});
    let mut world = World::new(&route);
    let key = wishes(&[("conversation", "42")]);
    // As if it had begun with the dear one, at a third of whose price there is another.
    let (_, trials) = first(world.ask(0, Service::Chat, &turn("pirate", 0), &key));
    world.books(0, world.now, |books| trials.begin(&"b".into(), books));
    world.books(0, world.now, |books| trials.end(WELL, Some(&said(3_000, 2_900)), books));
    assert_eq!(first(world.ask(0, Service::Chat, &turn("pirate", 1), &key)).0, "d");
}

#[test]
fn arms_of_an_experiment_have_their_shares_and_nobody_changes_arms() {
    for by in ["consumer", "conversation"] {
        let route = json!({
            "targets": targets(&["a"]),
            "experiment": {"by": by, "arms": {"control": {"share": 80}, "new": {"share": 20, "targets": [{"model": "b"}, {"model": "a"}]}}},
        });
        let mut world = World::new(&route);
        let mut arms = BTreeMap::new();
        for round in 0..2 {
            for number in 0..1_500 {
                let body = turn(&format!("conversation {number}"), round);
                let Step::Forward(forward) = world.ask(round, Service::Chat, &body, &Vec::new()) else {
                    panic!()
                };
                let arm = forward.arm.unwrap().to_string();
                let first = if arm == "new" { "b" } else { "a" };
                assert_eq!(&*forward.plan.targets[0].name, first);
                assert_eq!(*arms.entry(number).or_insert_with(|| arm.clone()), arm, "{by} {number}");
            }
        }
        let new = arms.values().filter(|arm| *arm == "new").count() as f64 / arms.len() as f64;
        match by {
            "consumer" => assert!(new == 0.0 || new == 1.0, "one consumer is in one arm"),
            _ => near(new, 0.2, 0.03),
        }
    }
}

#[test]
fn the_cheapest_that_is_good_enough_for_how_hard_a_request_looks_is_asked() {
    let route = json!({
        "strategy": "least_cost", "targets": targets(&["a", "b", "c", "d"]),
        "constraints": {"min_quality": {"standard": 0.6, "hard": 0.85}},
    });
    let mut world = World::new(&route);
    for (text, cheapest) in [
        ("hi there", "c"),
        (
            "Prove step by step that there are infinitely many primes, and explain in detail why each step holds.",
            "a",
        ),
    ] {
        let Step::Forward(forward) = world.plan(0, text, &Vec::new()) else { panic!("forwarded") };
        assert_eq!(&*forward.plan.targets[0].name, cheapest, "{text}");
    }
}

#[test]
fn who_does_not_know_the_language_is_left_out() {
    let mut world = World::new(&json!({"targets": targets(&["e", "a"])}));
    for (text, plan) in [
        ("How do I bake bread without an oven?", vec!["e", "a"]),
        ("\u{5982}\u{4f55}\u{4e0d}\u{7528}\u{70e4}\u{7bb1}\u{70e4}\u{9762}\u{5305}\u{ff1f}", vec!["a"]),
        ("Wie backe ich Brot ohne einen Ofen, und was ist mit dem Teig?", vec!["e", "a"]),
    ] {
        let Step::Forward(forward) = world.plan(0, text, &Vec::new()) else { panic!("forwarded") };
        let names: Vec<_> = forward.plan.targets.iter().map(|target| &*target.name).collect();
        assert_eq!(names, plan, "{text}");
    }
    let mut alone = World::new(&json!({"targets": targets(&["e"])}));
    let Step::Reply(reply) = alone.plan(
        0,
        "\u{4f60}\u{597d}\u{ff0c}\u{4eca}\u{5929}\u{600e}\u{4e48}\u{6837}\u{ff1f}",
        &Vec::new(),
    ) else {
        panic!()
    };
    let said: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((reply.status, &said["error"]["code"]), (400, &json!("unsupported_parameter")));
    assert!(
        said["error"]["message"]
            .as_str()
            .unwrap()
            .contains("e does not know the language of the request, zh"),
        "{said}"
    );
}

#[test]
fn an_answer_that_is_cut_is_worth_less_than_one_that_ends() {
    let mut world = World::new(&json!({"strategy": "adaptive", "targets": targets(&["b", "d"])}));
    // Requests ask for 400 tokens at most.
    let mut model = |target: &str, _: u64, chance: &mut Chance| {
        (chance.around(300.0), Ended::Answered { tokens: if target == "d" { 400 } else { 390 } })
    };
    world.serve(600, 100, &mut model);
    let served = world.serve(300, 100, &mut model);
    assert!(share(&served, "b") > 0.8, "though it is three times as dear: {}", share(&served, "b"));
}

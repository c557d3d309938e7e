//! What `docs/limits.md` shows happens: every example is parsed, every table run row by row.

use modelgate::config::{Config, Limits, Model, Named};
use modelgate::money::NanoUsd;
use modelgate::names::{ConsumerName, TierName};
use modelgate::quota::{
    Actual, Ask, Consumer, Holder, Reservation, Retry, Standing, admit, extend, release, settle,
};
use modelgate::store::{Conflict, Expected, Store, Version};
use modelgate::time::Timestamp;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

const DOCUMENTATION: &str = include_str!("../docs/limits.md");
/// Wednesday, the 8th of November 2023.
const NOON: u64 = 1_699_444_800_000;

#[derive(Default)]
struct Memory(RefCell<HashMap<String, (Vec<u8>, u32)>>);

impl Store for Memory {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.0.borrow().get(key).map(|(value, version)| (value.clone(), Version(*version)))
    }

    fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), Conflict> {
        let mut values = self.0.borrow_mut();
        let is = values.get(key).map(|(_, version)| *version);
        if is.is_some() && expected != Expected::Version(Version(is.unwrap_or_default())) {
            return Err(Conflict);
        }
        values.insert(key.to_owned(), (value.to_vec(), is.unwrap_or_default() + 1));
        Ok(())
    }
}

/// The gateway, with the limits of the last example.
struct World {
    store: Memory,
    limits: Rc<Limits>,
    model: Rc<Model>,
    holder: Holder,
    running: HashMap<String, Reservation>,
}

impl World {
    fn new(example: &str) -> Self {
        let mut document: Value = yaml_serde::from_str(example).expect("YAML");
        document["providers"] = json!({"anthropic": {}});
        document["models"] = json!({"claude-sonnet": {"provider": "anthropic"}});
        document["auth"] = json!({"anonymous": {"consumer": "acme"}});
        let config = Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned()));
        let config = config.unwrap_or_else(|problems| panic!("{example}\n{problems}"));
        let Some(Named::Model(model)) = config.named("claude-sonnet") else { panic!("a model") };
        Self {
            store: Memory::default(),
            limits: Rc::clone(config.limits()),
            model: Rc::clone(model),
            holder: Holder::new(1),
            running: HashMap::new(),
        }
    }

    /// What comes of a row of a table, in the table's words.
    fn answer(&mut self, now: Timestamp, request: &str, what: &str) -> String {
        let (verb, amount) = what.split_once(' ').unwrap_or((what, ""));
        let store = &self.store;
        match verb {
            "asks" => {
                let wanted = amounts(amount.trim_start_matches("for "));
                let ask = Ask {
                    consumer: Consumer::Configured(&ConsumerName::parse("acme").expect("a name")),
                    tier: &TierName::parse("default").expect("a name"),
                    model: &self.model,
                    input: wanted.input,
                    output: wanted.output,
                    cost: wanted.cost,
                    now,
                    holder: self.holder.id(store, now),
                };
                match admit(store, &self.limits, &ask) {
                    Ok(reservation) => {
                        let reported = !reservation.observed().is_empty();
                        let left = left(reservation.standings());
                        self.running.insert(request.to_owned(), reservation);
                        if reported {
                            "admitted, but reported".to_owned()
                        } else {
                            format!("admitted, {left} left")
                        }
                    }
                    Err(refusal) => match refusal.denied.retry {
                        Retry::At(then) => format!("refused, again in {}", duration(then.since(now))),
                        Retry::InFlight => "refused until others are answered".to_owned(),
                        Retry::Never => "refused for good".to_owned(),
                        Retry::Contended => panic!("nobody else is there"),
                    },
                }
            }
            "used" => {
                let reservation = self.running.remove(request).expect("a request that was admitted");
                settle(store, reservation, amounts(amount), now).expect("nobody else is there");
                String::new()
            }
            "never" => {
                let reservation = self.running.remove(request).expect("a request that was admitted");
                release(store, reservation, now).expect("nobody else is there");
                String::new()
            }
            "wants" => {
                let (output, _) = amount.split_once(" more tokens").expect("tokens");
                let more = Actual { output: output.parse().expect("a number"), ..Actual::default() };
                let reservation = self.running.get_mut(request).expect("a request that was admitted");
                let extended = extend(store, reservation, more, now);
                if extended.is_ok() { "gets them".to_owned() } else { "is stopped".to_owned() }
            }
            verb => panic!("{verb} is nothing that happens"),
        }
    }
}

/// What is left of the tightest limit.
fn left(standings: &[Standing]) -> String {
    let tightest = standings.first().expect("a limit");
    match tightest.limit.kind.as_str() {
        "usd" => NanoUsd::new(tightest.remaining).to_string(),
        _ => tightest.remaining.to_string(),
    }
}

/// `1000 + 3000 tokens`, `0.2 USD` or nothing.
fn amounts(text: &str) -> Actual {
    if let Some(usd) = text.strip_suffix(" USD") {
        let cost = NanoUsd::from_usd(usd.parse().expect("a number")).expect("an amount");
        return Actual { cost, ..Actual::default() };
    }
    let Some(tokens) = text.strip_suffix(" tokens") else {
        assert!(text.is_empty(), "{text} is no amount");
        return Actual { input: 10, output: 10, cost: NanoUsd::ZERO };
    };
    let (input, output) = tokens.split_once(" + ").expect("prompt and answer");
    let number = |text: &str| text.parse().expect("a number");
    Actual { input: number(input), output: number(output), cost: NanoUsd::ZERO }
}

/// `11h59m59s` and the like in milliseconds.
fn millis(duration: &str) -> u64 {
    let (mut millis, mut number) = (0, 0);
    for c in duration.chars() {
        match c {
            'h' => millis += std::mem::take(&mut number) * 3_600_000,
            'm' => millis += std::mem::take(&mut number) * 60_000,
            's' => millis += std::mem::take(&mut number) * 1_000,
            digit => number = number * 10 + u64::from(digit.to_digit(10).expect("a digit")),
        }
    }
    millis
}

fn duration(millis: u64) -> String {
    let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
    assert_eq!(millis % 1_000, 0, "the examples are in whole seconds");
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[test]
fn every_table_happens_as_it_is_written() {
    let (mut example, mut rows, mut kinds) = (String::new(), 0, Vec::new());
    let mut world = None;
    let mut lines = DOCUMENTATION.lines();
    while let Some(line) = lines.next() {
        if line == "```yaml limits" {
            example = lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n");
            kinds.extend(World::new(&example).limits.iter().map(|limit| limit.kind.as_str()));
        }
        if line == "| at | request | what happens | answer |" {
            // Each table begins with nothing used.
            world = Some(World::new(&example));
            lines.next();
            continue;
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let ([_, at, request, what, answer, _], Some(world)) = (&cells[..], &mut world) else {
            world = None;
            continue;
        };
        let now = Timestamp::from_millis(NOON + millis(at));
        assert_eq!(world.answer(now, request, what), *answer, "{example}\n{line}");
        rows += 1;
    }
    assert!(rows > 40, "only {rows} rows were found");
    for kind in ["requests", "tokens", "input_tokens", "output_tokens", "concurrent", "usd"] {
        assert!(kinds.contains(&kind), "{kind} has no example");
    }
}

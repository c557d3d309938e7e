//! What limits promise: each kind as a table, and as properties that nothing is ever admitted too much, nothing is lost, and
//! what is promised is kept.

mod clock;
mod counting;
mod histories;
mod parallel;
mod places;
mod spoiled;
mod told;

use super::*;
use crate::config::{Config, Limits, Named};
use crate::store::Store;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

/// A worker: its configuration, its instance of the VM, and who asks.
pub(super) struct Worker {
    pub limits: Rc<Limits>,
    holder: RefCell<Holder>,
    consumer: ConsumerName,
    tier: TierName,
    model: Rc<Model>,
}

/// A reservation, or when to ask again.
pub(super) type Answer = Result<Reservation, Retry>;

impl Worker {
    pub fn new(limits: &Value) -> Self {
        Self::numbered(1_000_000, limits)
    }

    /// One whose holder has an id of its own.
    pub fn numbered(number: u64, limits: &Value) -> Self {
        let document = json!({
            "providers": {"openai": {"allow_unlisted": true}},
            "models": {"gpt": {"provider": "openai"}, "mini": {"provider": "openai"}},
            "auth": {"anonymous": {"consumer": "acme"}},
            "tiers": {"premium": {}},
            "limits": limits,
        });
        let config = Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned()));
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let Some(Named::Model(model)) = config.named("gpt") else { panic!("a model") };
        Self {
            limits: Rc::clone(config.limits()),
            holder: RefCell::new(Holder::new(number)),
            consumer: ConsumerName::parse("acme").unwrap(),
            tier: TierName::parse("default").unwrap(),
            model: Rc::clone(model),
        }
    }

    /// 10 tokens of prompt, 90 of answer, and a tenth of a dollar.
    pub fn ask(&self, store: &dyn Store, now: Timestamp) -> Ask<'_> {
        Ask {
            consumer: Consumer::Configured(&self.consumer),
            tier: &self.tier,
            model: &self.model,
            input: 10,
            output: 90,
            cost: NanoUsd::new(NanoUsd::PER_USD / 10),
            now,
            holder: self.holder.borrow_mut().id(store, now),
        }
    }

    pub fn admit(&self, store: &dyn Store, now: Timestamp) -> Answer {
        self.admit_as(store, &self.ask(store, now))
    }

    pub fn admit_as(&self, store: &dyn Store, ask: &Ask<'_>) -> Answer {
        admit(store, &self.limits, ask).map_err(|refusal| {
            assert!(refusal.unsettled.is_none());
            refusal.denied.retry
        })
    }

    /// How much is left of each limit, by its name, without asking for anything.
    pub fn remaining(&self, store: &dyn Store, now: Timestamp) -> Vec<(String, u64)> {
        let ask = self.ask(store, now);
        let mut left: Vec<_> = admit::survey(store, &self.limits, &ask, None)
            .1
            .iter()
            .map(|standing| (standing.limit.name.to_string(), standing.remaining))
            .collect();
        left.sort();
        left
    }

    /// The same, where there is one limit.
    pub fn left(&self, store: &dyn Store, now: Timestamp) -> u64 {
        let [(_, left)] = self.remaining(store, now)[..] else { panic!("one limit") };
        left
    }
}

/// A Wednesday noon.
pub(super) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_699_444_800_000 + millis)
}

/// What the request asked for, exactly.
pub(super) fn as_asked() -> Actual {
    Actual { input: 10, output: 90, cost: NanoUsd::new(NanoUsd::PER_USD / 10) }
}

/// A limit of each kind that has room for `times` requests of [`Worker::ask`].
pub(super) fn each_kind(times: u64) -> Vec<Value> {
    vec![
        json!({"name": "a", "requests": times, "window": "minute"}),
        json!({"name": "b", "requests": times, "window": "hour"}),
        json!({"name": "c", "requests": times, "window": "day"}),
        json!({"name": "d", "tokens": times * 100, "window": "minute"}),
        json!({"name": "e", "tokens": 1_000_000, "burst": times * 100, "window": "minute"}),
        json!({"name": "f", "input_tokens": times * 10, "window": "minute"}),
        json!({"name": "g", "output_tokens": times * 90, "window": "minute"}),
        json!({"name": "h", "tokens": times * 100, "window": "day"}),
        json!({"name": "i", "input_tokens": times * 10, "window": "day"}),
        json!({"name": "j", "output_tokens": times * 90, "window": "day"}),
        json!({"name": "k", "concurrent": times}),
        json!({"name": "l", "usd": times as f64 / 10.0, "window": "day"}),
        json!({"name": "m", "usd": times as f64 / 10.0, "window": "month"}),
    ]
}

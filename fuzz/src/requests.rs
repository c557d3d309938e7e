//! A client's request, read and planned by a configuration that has something of everything.

use crate::input::Input;
use modelgate::attempt::Attempt;
use modelgate::cache::Control;
use modelgate::chat::Usage;
use modelgate::classify::Classifier;
use modelgate::config::Config;
use modelgate::exchange::{Asking, Books, Memory, Reply, Service, Step, Told, Used, on_body};
use modelgate::observe::Record;
use modelgate::orchestrate::{Act, Commission, Orchestration};
use modelgate::plan::Plan;
use modelgate::quota::Holder;
use modelgate::store::{Conflict, Expected, Store, Version};
use modelgate::time::Timestamp;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Shared data of one worker alone.
#[derive(Default)]
pub struct Shared(RefCell<HashMap<String, (Vec<u8>, u32)>>);

impl Store for Shared {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        let entries = self.0.borrow();
        entries.get(key).map(|(value, version)| (value.clone(), Version(*version)))
    }

    fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), Conflict> {
        let mut entries = self.0.borrow_mut();
        let is = entries.get(key).map(|(_, version)| *version);
        match (is, expected) {
            (Some(is), Expected::Version(Version(expected))) if is != expected => return Err(Conflict),
            (Some(_), Expected::Absent) => return Err(Conflict),
            _ => {}
        }
        entries.insert(key.to_owned(), (value.to_vec(), is.unwrap_or(0) + 1));
        Ok(())
    }
}

pub const EVERYTHING: &str = include_str!("../everything.json");
const NOW: i64 = 1_700_000_000;

thread_local! {
    static CONFIG: (Config, Option<Classifier>) = {
        let config = Config::parse(EVERYTHING.as_bytes(), &|_| None);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let classifier = config.tasks().map(Classifier::new);
        (config, classifier)
    };
}

pub fn target(data: &[u8]) {
    let mut input = Input(data);
    let how = input.below(64);
    CONFIG.with(|(config, classifier)| {
        let count = if how & 4 == 0 { 1 } else { 2 };
        serve_by(config, classifier.as_ref(), input.0, how, count);
    });
}

/// Serves a request by a configuration.
pub fn serve(config: &Config, body: &[u8], how: usize) {
    serve_by(config, None, body, how, 1);
}

fn serve_by(config: &Config, classifier: Option<&Classifier>, body: &[u8], how: usize, count: usize) {
    let services = [Service::Chat, Service::Embeddings, Service::Explain, Service::Feedback];
    let Some(consumer) = config.auth().anonymous() else { return };
    let (store, memory) = (Shared::default(), Memory::new(1));
    memory.adopt(config);
    let now = Timestamp::from_seconds(NOW);
    let holder = Holder::new(1).id(&store, now);
    let books = Books { store: &store, now, holder: &|| holder, memory: &memory };
    let wishes = vec![("max-cost-usd".to_owned(), body[..body.len().min(8)].to_vec())];
    let (told, wished, record) =
        (if how & 8 == 0 { Told::default() } else { Told::all() }, Vec::new(), Record::default());
    let asking = Asking {
        service: services[how & 3],
        consumer,
        request_id: "6d2f",
        control: Control::default(),
        joins: &|_| how & 16 != 0,
        told: &told,
        classifier,
        wishes: if how & 32 == 0 { &wished } else { &wishes },
        record: &record,
    };
    for _ in 0..count {
        match on_body(body, asking, config, books) {
            Step::Hold(_) | Step::Wait(_) => {}
            Step::Call(call, _) => _ = json(&call.body),
            Step::Reply(reply) => replied(&reply),
            Step::Orchestrate(several) => {
                let commission = Commission {
                    rules: several.rules,
                    check: several.check,
                    consumer: Rc::clone(consumer),
                    body: several.body,
                    request_id: "6d2f".to_owned(),
                    stream: several.stream,
                    include_usage: several.include_usage,
                    functions: several.functions,
                    held_bytes: 1 << 20,
                    models: Vec::new(),
                };
                if let (_, Act::Forward(body, _)) = Orchestration::begin(commission, now) {
                    json(&body);
                }
            }
            Step::Forward(forward) => {
                let sent = forward.body.as_deref().unwrap_or(body);
                json(sent);
                assert_eq!(forward.plan.length, sent.len());
                let plan = Rc::new(forward.plan);
                assert_eq!(Plan::from_bytes(&plan.to_bytes(1)).as_ref(), Some(&*plan));
                for number in 1..=plan.targets.len() {
                    // As an attempt finds it that the body was not written for.
                    let attempt = Attempt::begin(Rc::clone(&plan), number as u32, NOW, config);
                    let mut attempt = attempt.unwrap_or_else(|error| panic!("{error:?}"));
                    if !attempt.body_passes()
                        && let Ok(said) = attempt.translate(if plan.kept { body } else { sent })
                    {
                        json(&said);
                    }
                    let _ = attempt.request_headers(Vec::new());
                }
                if let Some(meter) = forward.meter {
                    let usage = Usage { prompt: body.len() as u64, completion: 7, ..Usage::default() };
                    meter.settle(&[Used::Nothing, Used::Reported(usage)], config, books);
                }
            }
        }
    }
    memory.tick(&store, now).expect("nobody else is there");
}

/// A reply of the gateway's own is JSON, and an error has a client's form.
pub fn replied(reply: &Reply) {
    if reply.content_type == "application/json" {
        let said = json(&reply.body);
        assert!(reply.status == 200 || said["error"]["message"].is_string(), "{} {said}", reply.status);
    }
}

fn json(body: &[u8]) -> Value {
    let said = serde_json::from_slice(body);
    said.unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(body)))
}

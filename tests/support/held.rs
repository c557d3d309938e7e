//! Requests at a worker's gateway role that may be held, one at a time and step by step; [`Envoy`](super::Envoy) serves them to their end.

use super::chain::{Filter, Part, Plugin, Way};
use super::client::Request;
use super::world::{Call, FilterState, LocalReply, world};
use std::collections::BTreeMap;

/// A request of which all has come.
pub struct Held {
    pub filter: Filter,
    pub filter_state: FilterState,
    pub reply: Option<LocalReply>,
    gone: Vec<Part>,
}

/// What became of a request.
#[derive(Debug, PartialEq)]
pub enum Now {
    Held,
    Sent,
    Answered(u16),
}

/// A gateway role of this configuration, in a world in which nothing has happened.
pub fn worker(configuration: &str) -> Plugin {
    world(super::world::World::begin_anew);
    Plugin::configure("gateway", configuration.as_bytes()).expect("the configuration is valid")
}

/// So many seconds go by.
pub fn pass(seconds: u64) {
    world(|world| world.now += seconds * 1_000_000_000);
}

impl Held {
    pub fn send(worker: &Plugin, request: Request) -> Self {
        let filter_state = FilterState::default();
        let mut filter = Filter::create(worker, &filter_state, BTreeMap::new());
        let (mut gone, mut reply) = (Vec::new(), None);
        let body = request.pieces.concat();
        for part in
            [Part::Headers(request.headers, false), Part::Data(body, false), Part::Data(Vec::new(), true)]
        {
            match filter.take(Way::Request, part, 1 << 20) {
                Ok(parts) => gone.extend(parts),
                Err(refused) => reply = Some(refused),
            }
        }
        filter.expose();
        Self { filter, filter_state, reply, gone }
    }

    pub fn now(&mut self) -> Now {
        match self.filter.conclude() {
            Some(Ok(parts)) => self.gone.extend(parts),
            Some(Err(reply)) => self.reply = Some(reply),
            None => {}
        }
        match &self.reply {
            Some(reply) => Now::Answered(reply.status),
            None if self.gone.is_empty() => Now::Held,
            None => {
                assert!(self.filter_state.borrow().contains_key("plan"), "it has no plan");
                Now::Sent
            }
        }
    }

    /// What the gateway has asked itself on its behalf is answered so.
    pub fn answer(&mut self, call: &Call, status: &str, body: &str) {
        let headers = vec![(":status".to_owned(), status.as_bytes().to_vec())];
        self.filter.answer(call.token, Some((headers, body.as_bytes().to_vec())));
    }

    pub fn end(self) {
        self.filter.finish(true);
    }
}

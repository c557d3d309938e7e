//! Fallback where Envoy's retries do not leave the first target's cluster: what has failed there is asked again of the plan's other
//! targets, one after another, by way of the internal listener. What is answered is the client's as a whole.

use super::abi;
use super::callers::{Caller, Kind};
use super::gateway::{Gateway, State, nobodys};
use super::held::{Outgoing, answered, header_of_answer};
use super::live::Ticket;
use crate::config::{self, Consumer};
use crate::error::ApiError;
use crate::exchange::{Reply, is_limited};
use crate::observe::{FALLBACKS, kind_of};
use crate::plan::{Operation, Plan};
use crate::route::Among;
use std::rc::Rc;

/// What is told of an answer of somebody else's, beside its status and body.
const PASSED: [&str; 7] = [
    "x-modelgate-provider",
    "x-modelgate-model",
    "x-modelgate-dropped",
    "x-modelgate-content-rules",
    "x-modelgate-cost-usd",
    "retry-after",
    "x-should-retry",
];

/// How such an answer was made.
const NAME: &str = "fallback";

/// What is asked of others if a request fails.
pub(super) struct Fallback {
    /// How many of the plan's targets have had their turn.
    turns: usize,
    /// What they are asked: the client's request.
    body: Vec<u8>,
    consumer: Rc<Consumer>,
    /// How many were asked.
    asked: usize,
    /// The call on its way.
    call: Option<(u32, Caller)>,
}

/// How many of the plan's attempts Envoy may make, after those have been left out that nobody will; and what is asked of the others
/// if those have failed.
#[inline(never)]
pub(super) fn divide(
    plan: &mut Plan,
    how: config::Fallback,
    consumer: Option<&Rc<Consumer>>,
    asked: &[u8],
) -> (usize, Option<Box<Fallback>>) {
    let targets = &plan.targets;
    let Some(first) = targets.first().filter(|_| how != config::Fallback::Retries) else {
        return (targets.len(), None);
    };
    let turns = targets.iter().position(|target| target.cluster != first.cluster).unwrap_or(targets.len());
    match consumer {
        Some(consumer) if how == config::Fallback::Calls && turns < targets.len() => {
            let (body, consumer) = (asked.to_vec(), Rc::clone(consumer));
            (turns, Some(Box::new(Fallback { turns, body, consumer, asked: 0, call: None })))
        }
        _ => {
            plan.targets.truncate(turns);
            (turns, None)
        }
    }
}

/// Whether somebody else may do better than this status.
fn fails(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..)
}

impl Gateway {
    /// A response comes back that no attempt has said is the client's. Whether somebody else is asked instead.
    #[inline(never)]
    pub(super) fn falls_back(&mut self) -> bool {
        let has_answered = |ticket: &Ticket| ticket.live().answered.get() == Some(true);
        if self.fallback.is_none() || self.ticket.as_ref().is_some_and(has_answered) {
            return false;
        }
        let (ApiError { status, .. }, details) = nobodys();
        if !fails(status) || is_limited(&details) {
            return false;
        }
        // How the target did is told while that is known.
        let state = std::mem::replace(&mut self.state, State::Replaced(Vec::new()));
        self.watch();
        self.state = state;
        self.ask_next(status)
    }

    /// Whether it waits for what somebody else answers.
    pub(super) fn awaits_another(&self) -> bool {
        self.fallback.as_ref().is_some_and(|fallback| fallback.call.is_some())
    }

    /// Asks the next one, after this status. Whether there is one.
    #[inline(never)]
    fn ask_next(&mut self, status: u16) -> bool {
        let (Some(mut fallback), Some(ticket)) = (self.fallback.take(), &self.ticket) else { return false };
        let Plan { targets, operation, .. } = &*ticket.live().plan;
        fallback.call = None;
        while let (Some(last), Some(next)) =
            (targets.get(fallback.turns.saturating_sub(1)), targets.get(fallback.turns))
        {
            fallback.turns = fallback.turns.saturating_add(1);
            // Its tries are one call.
            if last.name == next.name {
                continue;
            }
            let outgoing = Outgoing {
                path: match operation {
                    Operation::Chat => "/v1/chat/completions",
                    Operation::Embeddings(_) => "/v1/embeddings",
                },
                body: &fallback.body,
                timeout_ms: u32::try_from(self.config.timeouts().answer_ms).unwrap_or(u32::MAX),
                task: None,
                route: None,
                kind: Kind::Plain,
                among: Some(Among { only: Some(Rc::clone(&next.name)), not: Vec::new() }),
            };
            if let Ok(call) = self.send(&outgoing, &fallback.consumer) {
                let labels = [("from", &*last.name), ("to", &*next.name), ("reason", kind_of(status))];
                self.tell(abi::now(), &|tell| tell(&FALLBACKS, &labels, 1));
                fallback.asked = fallback.asked.saturating_add(1);
                fallback.call = Some(call);
                break;
            }
            log::error!("Envoy refused a call for a fallback");
        }
        let is_asked = fallback.call.is_some();
        self.fallback = Some(fallback);
        is_asked
    }

    /// Somebody else has answered, or will not. Whether it was whom this call has asked.
    pub(super) fn on_fallback(&mut self, call: u32, is_answered: bool, size: usize) -> bool {
        let is_it = |fallback: &Fallback| fallback.call.as_ref().is_some_and(|(number, _)| *number == call);
        if !self.fallback.as_deref().is_some_and(is_it) {
            return false;
        }
        let (status, body) = answered(is_answered, size);
        if fails(status) && self.ask_next(status) {
            return true;
        }
        let asked = self.fallback.take().map_or(0, |fallback| fallback.asked);
        let content_type = header_of_answer(is_answered, "content-type");
        let known = ["application/json", "text/event-stream"];
        let mut reply = match known.into_iter().find(|known| content_type.starts_with(known)) {
            Some(content_type) => {
                Reply { status, content_type, headers: Vec::new(), body, saved: None, verdict: None }
            }
            // It was said by Envoy, of the call.
            None => {
                let message = "no provider for this model is available";
                ApiError::new(503, "server_error", message).coded("provider_unavailable").into()
            }
        };
        for name in PASSED {
            let value = header_of_answer(is_answered, name);
            if !value.is_empty() {
                reply.headers.push((name, value));
            }
        }
        if let Some(live) = self.ticket.as_ref().map(Ticket::live) {
            let attempts = live.spent.borrow().len().saturating_add(asked);
            reply.headers.push(("x-modelgate-attempts", attempts.to_string()));
            reply.headers.extend(live.told(true));
        }
        self.record.is_made_by(NAME, Vec::new());
        if abi::set_property("orchestration", NAME.as_bytes()).is_err() {
            log::error!("Envoy refused to note how an answer was made");
        }
        self.reply(&reply);
        true
    }
}

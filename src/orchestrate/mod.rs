//! Several calls to models that make one answer: what is asked of whom, and what the client gets in the end.
//!
//! Every call goes to the gateway itself, so it is planned, tried again, limited and charged like any other request. What is
//! known here is only what was answered; nothing that was answered becomes a name, an address or a header. A `Mode` says
//! what to do next, and what holds for all of them is seen to here: time, money, the number of calls, the bytes that are held, and
//! the bill.

mod agent;
mod answer;
mod ballot;
mod ensemble;
mod finish;
mod judge;
mod prompt;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Received, Said};
pub use finish::Finished;

use crate::chat::{Before, Usage};
use crate::config::{self, Consumer, How, Tool};
use crate::money::NanoUsd;
use crate::time::Timestamp;
use agent::Agent;
use ensemble::Ensemble;
use std::rc::Rc;

/// No orchestration makes more calls.
const MOST_CALLS: usize = 64;

/// A request that several calls answer.
#[derive(Debug)]
pub struct Commission {
    /// What the configuration says of it.
    pub rules: Rc<config::Orchestration>,
    /// Who asks.
    pub consumer: Rc<Consumer>,
    /// The client's request, a JSON text that was checked.
    pub body: Vec<u8>,
    /// Its id.
    pub request_id: String,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Whether the client asked for usage in the stream.
    pub include_usage: bool,
    /// Whether the client offered the legacy `functions`.
    pub functions: bool,
    /// How many bytes of answers may be held.
    pub held_bytes: usize,
}

/// A call.
#[derive(Debug, PartialEq, Eq)]
pub struct Ask {
    /// Under which its answer comes back.
    pub tag: u32,
    /// Who is asked what.
    pub to: To,
    /// How long it may take, in milliseconds; as long as any call if none.
    pub timeout_ms: Option<u32>,
}

/// Who is asked what.
#[derive(Debug, PartialEq, Eq)]
pub enum To {
    /// The gateway: a chat completion that is not streamed, with this body.
    Models(Vec<u8>),
    /// A service that the configuration knows.
    Service {
        /// Where it is, and what else is sent.
        tool: Rc<Tool>,
        /// `:path`.
        path: String,
        /// The body, a JSON text, of a `POST`.
        body: Option<Vec<u8>>,
    },
}

/// What a mode does next.
#[derive(Debug)]
enum Next {
    /// These are asked, and the answers to all that were asked before are waited for; with none, only that.
    Ask(Vec<Ask>),
    /// This is the answer.
    Answer(Box<Said>),
    /// The answer to this request, a chat completion for some model or route, is the client's, as it comes.
    Forward(Vec<u8>),
    /// The route's own targets answer.
    Plain,
}

/// What is done next.
#[derive(Debug)]
pub enum Act {
    /// Make these calls, each of which may take so many milliseconds, and come back with the answers.
    Call(Vec<(Ask, u32)>),
    /// This is the client's answer.
    Reply(Box<Finished>),
    /// Forward this request to the targets of the model or route that it names, after so much was used.
    Forward(Vec<u8>, Before),
}

/// A way in which several calls make an answer.
trait Mode {
    /// What it is called in the configuration and to the client.
    fn name(&self) -> &'static str;
    /// What is done first.
    fn begin(&mut self, commission: &Commission) -> Next;
    /// What is done after this answer.
    fn take(&mut self, tag: u32, answer: Answer, commission: &Commission) -> Next;
    /// What is made of what is there, because nothing more may be asked: it is no [`Next::Ask`].
    fn conclude(&mut self, commission: &Commission) -> Next;
    /// How it went so far, as a JSON object.
    fn report(&self, out: &mut Vec<u8>);
}

/// A commission on its way.
pub struct Orchestration {
    commission: Commission,
    mode: Box<dyn Mode>,
    /// When all of it has to be over.
    ends: Timestamp,
    calls: usize,
    /// Those that are on their way.
    open: Vec<Open>,
    held: usize,
    usage: Usage,
    cost: Option<NanoUsd>,
}

/// A call on its way.
struct Open {
    tag: u32,
    since: Timestamp,
    /// How long its answer may be, if it comes from a service.
    service: Option<usize>,
}

impl Orchestration {
    /// The orchestration of a request, and what is done first.
    #[must_use]
    pub fn begin(commission: Commission, now: Timestamp) -> (Self, Act) {
        let mode: Box<dyn Mode> = match &commission.rules.how {
            How::Ensemble(rules) => Box::new(Ensemble::new(Rc::clone(rules))),
            How::Agent(rules) => {
                let (consumer, max_cost) = (Rc::clone(&commission.consumer), commission.rules.max_cost);
                Box::new(Agent::new(Rc::clone(rules), consumer, max_cost))
            }
        };
        let ends = now.after(commission.rules.timeout_ms.into());
        let (calls, open, held, usage, cost) = Default::default();
        let mut it = Self { commission, mode, ends, calls, open, held, usage, cost };
        let next = it.mode.begin(&it.commission);
        let act = it.act(next, now);
        (it, act)
    }

    /// What is done after the call with this tag was answered so; none as long as others are waited for.
    pub fn take(&mut self, tag: u32, received: &Received<'_>, now: Timestamp) -> Option<Act> {
        let at = self.open.iter().position(|open| open.tag == tag)?;
        let open = self.open.swap_remove(at);
        let mut answer = match open.service {
            Some(most) => Answer::of_service(received, most),
            None => Answer::read(received),
        };
        answer.ms = now.since(open.since);
        self.usage = self.usage.plus(&answer.usage);
        self.cost = match (self.cost, answer.cost) {
            (Some(sum), Some(cost)) => Some(sum.saturating_add(cost)),
            (sum, cost) => sum.or(cost),
        };
        self.held = self.held.saturating_add(received.body.len());
        if self.held > self.commission.held_bytes {
            answer.said = Err("too_long".to_owned());
        }
        let next = self.mode.take(tag, answer, &self.commission);
        match next {
            Next::Ask(asks) if asks.is_empty() && !self.open.is_empty() => None,
            next => Some(self.act(next, now)),
        }
    }

    /// Nobody could be asked at all: what is done instead.
    pub fn give_up(&mut self, now: Timestamp) -> Act {
        let next = self.mode.conclude(&self.commission);
        self.act(next, now)
    }

    fn act(&mut self, next: Next, now: Timestamp) -> Act {
        let left = u32::try_from(self.ends.since(now)).unwrap_or(u32::MAX);
        let next = match next {
            Next::Ask(asks) if asks.is_empty() || left == 0 || self.may_ask_no_more(&asks) => {
                self.mode.conclude(&self.commission)
            }
            next => next,
        };
        match next {
            Next::Ask(asks) => {
                self.calls = self.calls.saturating_add(asks.len());
                for ask in &asks {
                    let service = match &ask.to {
                        To::Models(_) => None,
                        To::Service { tool, .. } => Some(tool.max_bytes),
                    };
                    self.open.push(Open { tag: ask.tag, since: now, service });
                }
                let most = self.commission.rules.call_timeout_ms.min(left).max(1);
                Act::Call(
                    asks.into_iter()
                        .map(|ask| {
                            let timeout_ms = ask.timeout_ms.map_or(most, |ms| ms.min(most));
                            (ask, timeout_ms)
                        })
                        .collect(),
                )
            }
            Next::Answer(said) => match finish::finish(*said, &self.commission, self.before()) {
                Some(finished) => Act::Reply(Box::new(finished)),
                None => Act::Forward(self.commission.body.clone(), self.before()),
            },
            Next::Forward(body) => Act::Forward(body, self.before()),
            Next::Plain => Act::Forward(self.commission.body.clone(), self.before()),
        }
    }

    fn may_ask_no_more(&self, asks: &[Ask]) -> bool {
        let spent = self.commission.rules.max_cost.zip(self.cost).is_some_and(|(most, spent)| spent >= most);
        spent || self.calls.saturating_add(asks.len()) > MOST_CALLS
    }

    /// What was used so far, and for what.
    fn before(&self) -> Before {
        let report = self.commission.rules.report.then(|| (self.mode.name(), self.report()));
        Before { usage: self.usage, cost: self.cost, report }
    }

    /// What it is called in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.mode.name()
    }

    /// How it went so far, as a JSON object; for the log.
    #[must_use]
    pub fn report(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.mode.report(&mut out);
        out
    }
}

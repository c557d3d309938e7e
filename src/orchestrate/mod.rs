//! Several calls to models that make one answer: what is asked of whom, and what the client gets in the end.
//!
//! Every call goes to the gateway itself, so it is planned, tried again, limited and charged like any other request. What is
//! known here is only what was answered; nothing that was answered becomes a name, an address or a header. A `Mode` says
//! what to do next, and what holds for all of them is seen to here: time, money, the number of calls, the bytes that are held, and
//! the bill.

mod agent;
mod answer;
mod ballot;
mod cascade;
mod checked;
mod continuation;
mod ensemble;
mod finish;
mod form;
mod judge;
mod prompt;
mod race;
mod report;
mod sure;
#[cfg(test)]
mod tests;

pub use crate::planning::Known;
pub use answer::{Answer, Received, Refusal, Said};
pub use continuation::{Broken, Continuation};
pub use finish::Finished;

use crate::chat::{Before, Usage};
use crate::config::{self, Consumer, How, Member, Price, Tool};
use crate::money::NanoUsd;
use crate::route::Among;
use crate::time::Timestamp;
use agent::Agent;
use cascade::Cascade;
use checked::Checked;
use ensemble::Ensemble;
use race::Race;
use std::rc::Rc;

/// No orchestration makes more calls.
const MOST_CALLS: usize = 64;

/// A request that several calls answer.
#[derive(Debug)]
pub struct Commission {
    /// What the configuration says of it.
    pub rules: Rc<config::Orchestration>,
    /// How the answer is checked in the end, where it is and that is not all that is done.
    pub check: Option<Rc<config::Checked>>,
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
    /// What is known of the models that may be asked.
    pub models: Vec<Known>,
}

impl Commission {
    fn known(&self, model: &str) -> Option<&Known> {
        self.models.iter().find(|known| *known.name == *model)
    }

    fn price(&self, model: &str) -> Option<Price> {
        self.known(model)?.price
    }

    fn late_ms(&self, model: &str) -> Option<u32> {
        self.known(model)?.late_ms
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Under which its answer comes back.
    pub tag: u32,
    /// Who is asked what.
    pub to: To,
    /// How long it may take, in milliseconds; as long as any call if none.
    pub timeout_ms: Option<u32>,
}

impl Ask {
    /// This request to a member, with what is changed for it; not streamed.
    fn of(tag: u32, member: &Member, body: &[u8]) -> Option<Self> {
        let body = prompt::put_to(body, &member.model, member.edits.as_deref(), false)?;
        Some(Self { tag, to: To::Models(body), timeout_ms: member.timeout_ms })
    }
}

/// Who is asked what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// The gateway: a chat completion that is not streamed, with this body.
    Models(Vec<u8>),
    /// Nobody: it comes back when its time is over.
    Nobody,
    /// The same, answered by some targets of the route that it names, as they are: by no orchestration, and from no cache.
    Targets(Vec<u8>, Among),
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
    /// This is answered instead.
    Refuse(Box<Refusal>),
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
    /// Whether what is there is an answer, if the model that would make it one may not be asked any more.
    fn may_do_without(&self) -> bool {
        true
    }
    /// Whose answer was of no use, as far as that was not told yet.
    fn blamed(&mut self) -> Option<Rc<str>> {
        None
    }
    /// Whether it went in a way that the client has to be told of.
    fn is_told(&self) -> bool {
        true
    }
    /// What a judge has given, in thousandths of a point.
    fn scores(&self) -> Vec<u32> {
        Vec::new()
    }
    /// How it went so far, as a JSON object.
    fn report(&self, out: &mut Vec<u8>);
}

/// A commission on its way.
pub struct Orchestration {
    commission: Commission,
    mode: Box<dyn Mode>,
    /// How it went before that mode's turn.
    earlier: Option<(&'static str, Vec<u8>)>,
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
            How::Cascade(rules) => Box::new(Cascade::new(Rc::clone(rules), &commission.body)),
            How::Race(rules) => Box::new(Race::new(Rc::clone(rules))),
            How::Checked(rules) => Box::new(Checked::new(Rc::clone(rules), commission.body.clone())),
            How::Agent(rules) => Box::new(Agent::new(Rc::clone(rules), &commission)),
        };
        let ends = now.after(commission.rules.timeout_ms.into());
        let (earlier, calls, open, held, usage, cost) = Default::default();
        let mut it = Self { commission, mode, earlier, ends, calls, open, held, usage, cost };
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
        (answer.ms, answer.left_ms) = (now.since(open.since), self.ends.since(now));
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

    fn act(&mut self, next: Next, now: Timestamp) -> Act {
        let left = u32::try_from(self.ends.since(now)).unwrap_or(u32::MAX);
        let next = self.if_it_may(next, left);
        let next = self.checked(next);
        match self.if_it_may(next, left) {
            Next::Ask(asks) => {
                self.calls = self.calls.saturating_add(asks.len());
                for ask in &asks {
                    let service = match &ask.to {
                        To::Models(_) | To::Targets(..) | To::Nobody => None,
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
            Next::Refuse(refusal) => Act::Reply(Box::new(finish::refuse(*refusal, self.before()))),
            Next::Forward(body) => Act::Forward(body, self.before()),
            Next::Plain => Act::Forward(self.commission.body.clone(), self.before()),
        }
    }

    /// What is done where no more may be asked.
    fn if_it_may(&mut self, next: Next, left: u32) -> Next {
        match next {
            Next::Ask(asks)
                if (asks.is_empty() && self.open.is_empty()) || left == 0 || self.may_ask_no_more(&asks) =>
            {
                self.mode.conclude(&self.commission)
            }
            // A model that would write the answer costs as well, if there is one without it.
            Next::Forward(body) if (left == 0 || self.is_spent()) && self.mode.may_do_without() => {
                match self.mode.conclude(&self.commission) {
                    Next::Answer(said) => Next::Answer(said),
                    _ => Next::Forward(body),
                }
            }
            next => next,
        }
    }

    /// What is done where the answer has to be checked yet.
    fn checked(&mut self, next: Next) -> Next {
        let is_final = match &next {
            Next::Ask(_) | Next::Refuse(_) => false,
            Next::Answer(said) => said.misfits,
            Next::Forward(_) | Next::Plain => true,
        };
        let Some(rules) = self.commission.check.take_if(|_| is_final) else { return next };
        let body = if let Next::Forward(body) = next { body } else { self.commission.body.clone() };
        self.earlier = Some((self.mode.name(), self.report()));
        self.mode = Box::new(Checked::new(rules, body));
        self.mode.begin(&self.commission)
    }

    /// Whose answer, of the route's targets, was of no use, as far as that was not told yet: the model's name.
    pub fn blamed(&mut self) -> Option<Rc<str>> {
        self.mode.blamed()
    }

    fn is_spent(&self) -> bool {
        self.commission.rules.max_cost.zip(self.cost).is_some_and(|(most, spent)| spent >= most)
    }

    fn may_ask_no_more(&self, asks: &[Ask]) -> bool {
        self.is_spent() || self.calls.saturating_add(asks.len()) > MOST_CALLS
    }

    /// What was used so far, and for what.
    fn before(&self) -> Before {
        let mut reports = Vec::new();
        if self.commission.rules.report {
            reports.extend(self.earlier.clone());
            reports.extend(self.mode.is_told().then(|| (self.mode.name(), self.report())));
        }
        Before { usage: self.usage, cost: self.cost, reports }
    }

    /// What it is called in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.mode.name()
    }

    /// What a judge has given, in thousandths of a point.
    #[must_use]
    pub fn scores(&self) -> Vec<u32> {
        self.mode.scores()
    }

    /// How it went so far, as a JSON object; for the log.
    #[must_use]
    pub fn report(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.mode.report(&mut out);
        out
    }
}

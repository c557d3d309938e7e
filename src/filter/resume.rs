//! Streams that break after their content has begun, on routes that have them gone on with: the rest is asked for, and told as if
//! nothing had happened.

use super::abi::{self, Action, Buffer};
use super::callers::{Caller, Kind};
use super::conduct::received;
use super::gateway::Gateway;
use super::held::Outgoing;
use crate::config::Consumer;
use crate::orchestrate::{Answer, Continuation};
use crate::route::Among;
use std::rc::Rc;

/// A stream that would be gone on with.
pub(super) struct Resumable {
    consumer: Rc<Consumer>,
    continuation: Continuation,
    state: State,
}

enum State {
    /// It flows.
    Flows,
    /// The rest is asked for, by the call of this number; what waits for the client, and what it gets if there is no rest.
    Asked { number: u32, kept: Vec<u8>, error: Vec<u8>, _caller: Caller },
    /// The rest was told, and whatever else comes is not.
    Over,
}

impl Resumable {
    pub fn new(consumer: Rc<Consumer>, body: Vec<u8>, include_usage: bool) -> Box<Self> {
        Box::new(Self { consumer, continuation: Continuation::new(body, include_usage), state: State::Flows })
    }
}

impl Gateway {
    /// Looks at the next piece of a stream that would be gone on with.
    pub(super) fn watch_stream(&mut self, size: usize) -> Action {
        let Some(mut resumable) = self.resumable.take() else { return Action::Continue };
        let action = match resumable.state {
            State::Flows => {
                let action = self.look_at(&mut resumable, size);
                self.note_answer(abi::ALL);
                action
            }
            State::Asked { .. } => Action::Pause,
            State::Over => {
                put(b"");
                Action::Continue
            }
        };
        self.resumable = Some(resumable);
        action
    }

    /// The call by which the rest of a stream is waited for, if it is.
    pub(super) fn awaited_rest(&self) -> Option<u32> {
        match self.resumable.as_ref()?.state {
            State::Asked { number, .. } => Some(number),
            State::Flows | State::Over => None,
        }
    }

    fn look_at(&self, resumable: &mut Resumable, size: usize) -> Action {
        let piece = abi::buffer(Buffer::ResponseBody, 0, size).unwrap_or_default();
        let Some(broken) = resumable.continuation.push(&piece) else { return Action::Continue };
        let Some((kept, error)) = piece.split_at_checked(broken.keep) else { return Action::Continue };
        let Some(body) = broken.ask else { return Action::Continue };
        let outgoing = Outgoing {
            path: "/v1/chat/completions",
            body: &body,
            timeout_ms: u32::try_from(self.config.timeouts().answer_ms).unwrap_or(u32::MAX),
            task: None,
            route: None,
            kind: Kind::Plain,
            among: Some(Among { only: None, not: self.last_model().into_iter().collect() }),
        };
        match self.send(&outgoing, &resumable.consumer) {
            Ok((number, caller)) => {
                // Of a body that is held something has to be there, or nothing can be put into its place.
                let kept = [kept, b": the stream goes on elsewhere\n\n"].concat();
                put(&kept);
                resumable.state = State::Asked { number, kept, error: error.to_vec(), _caller: caller };
                Action::Pause
            }
            Err(abi::Refused(status)) => {
                log::error!("Envoy refused the call for the rest of a stream: status {status}");
                Action::Continue
            }
        }
    }

    /// The rest of the stream is there, or will not come. Whether it was that that was asked for by this call.
    pub(super) fn on_rest(&mut self, call: u32, is_answered: bool, size: usize) -> bool {
        if self.awaited_rest() != Some(call) {
            return false;
        }
        let used = self.used_so_far();
        let Some(resumable) = &mut self.resumable else { return false };
        let State::Asked { kept, error, .. } = &mut resumable.state else { return false };
        let answer = received(is_answered, size, Answer::read);
        let rest = resumable.continuation.rest(&answer, used);
        if rest.is_none() {
            log::warn!("nobody has gone on with a stream that broke");
        }
        let rest = rest.as_deref().unwrap_or(error);
        if let Some(answer) = &mut self.answer {
            answer.read(rest);
        }
        put(&[&**kept, rest].concat());
        resumable.state = State::Over;
        if abi::continue_response().is_err() {
            log::error!("Envoy refused to let an answer go that was held");
        }
        true
    }

    /// The model that has answered last.
    fn last_model(&self) -> Option<Rc<str>> {
        let live = self.ticket.as_ref()?.live();
        let at = live.spent.borrow().len().checked_sub(1)?;
        Some(Rc::clone(&live.plan.targets.get(at)?.name))
    }
}

fn put(bytes: &[u8]) {
    if abi::replace_buffer(Buffer::ResponseBody, bytes).is_err() {
        log::error!("Envoy refused a part of an answer");
    }
}

//! Requests that several calls answer: the calls are made, their answers handed on, and what comes of them is done.

use super::abi::{self, Action};
use super::books;
use super::callers::{Caller, Kind};
use super::gateway::{Gateway, State};
use super::held::{Outgoing, answered, header_of_answer};
use crate::cache::Origin;
use crate::chat::Before;
use crate::config::Consumer;
use crate::error::ApiError;
use crate::exchange::{Asking, Findings, Service, Several, Step, Told};
use crate::money::NanoUsd;
use crate::orchestrate::{Act, Ask, Commission, Finished, Known, Orchestration, Received, To};
use crate::route::Among;
use std::collections::VecDeque;
use std::rc::Rc;

/// A request whose answer calls are making.
pub(super) struct Conducted {
    consumer: Rc<Consumer>,
    orchestration: Orchestration,
    findings: Findings,
    /// The calls on their way.
    calls: Vec<Pending>,
}

struct Pending {
    /// The host's number of the call.
    number: u32,
    tag: u32,
    /// How much of its answer is read, in bytes.
    most: usize,
    #[expect(dead_code, reason = "it is there for as long as the call is on its way")]
    caller: Option<Caller>,
}

impl Gateway {
    /// Has calls make the answer to a request.
    pub(super) fn orchestrate(&mut self, several: Several, consumer: &Rc<Consumer>) -> Action {
        let Several { rules, check, body, stream, include_usage, functions, models, findings } = several;
        self.lead(findings.caching().and_then(|caching| caching.keep.as_ref()?.awaited()));
        let request_id = String::from_utf8_lossy(&self.request_id).into_owned();
        let held_bytes = self.config.bounds().response_bytes;
        let models =
            models.into_iter().map(|(name, price, late_ms)| Known { name, price, late_ms }).collect();
        let consumer = Rc::clone(consumer);
        let whom = Rc::clone(&consumer);
        let commission = Commission {
            rules,
            check,
            consumer: whom,
            body,
            request_id,
            stream,
            include_usage,
            functions,
            held_bytes,
            models,
        };
        let (orchestration, act) = Orchestration::begin(commission, books::now());
        let conducted = Conducted { consumer, orchestration, findings, calls: Vec::new() };
        self.conduct(Box::new(conducted), Some(act))
    }

    /// One of the calls was answered; none if it is not one of them.
    pub(super) fn on_part_answered(&mut self, call: u32, is_answered: bool, size: usize) {
        let state = std::mem::replace(&mut self.state, State::Replied);
        let State::Orchestrating(mut conducted) = state else {
            self.state = state;
            return;
        };
        let Some(at) = conducted.calls.iter().position(|pending| pending.number == call) else {
            self.state = State::Orchestrating(conducted);
            return;
        };
        let Pending { tag, most, .. } = conducted.calls.swap_remove(at);
        let size = size.min(most);
        let act =
            received(is_answered, size, |received| conducted.orchestration.take(tag, received, books::now()));
        let action = self.conduct(conducted, act);
        if action == Action::Continue && abi::continue_request().is_err() {
            log::error!("Envoy refused to let a request go that was held");
        }
    }

    /// Does what is to be done next.
    fn conduct(&mut self, mut conducted: Box<Conducted>, act: Option<Act>) -> Action {
        let mut acts: VecDeque<Act> = act.into_iter().collect();
        loop {
            if let Some(model) = conducted.orchestration.blamed() {
                books::with(|books| conducted.findings.learn_of_failure(&model, &self.config, books));
            }
            match acts.pop_front() {
                None => {
                    self.state = State::Orchestrating(conducted);
                    return Action::Pause;
                }
                Some(Act::Call(asks)) => {
                    let mut refused = Vec::new();
                    for (ask, timeout_ms) in asks {
                        match self.dispatch(ask, timeout_ms, &conducted.consumer, &conducted.findings) {
                            Ok(pending) => conducted.calls.push(pending),
                            Err(tag) => refused.push(tag),
                        }
                    }
                    for tag in refused {
                        let received = Received { status: 503, ..Received::default() };
                        acts.extend(conducted.orchestration.take(tag, &received, books::now()));
                    }
                }
                Some(Act::Reply(finished)) => {
                    self.tell_how(&conducted.orchestration);
                    let Finished { status, content_type, headers, body, completion, provider, model } =
                        *finished;
                    let origin = Origin { provider: &provider, model: &model, dropped: "" };
                    let kept = (&*completion, origin);
                    let reply = books::with(|books| {
                        conducted.findings.reply((status, content_type), headers, body, kept, books)
                    });
                    return self.reply(&reply);
                }
                Some(Act::Forward(body, before)) => {
                    self.tell_how(&conducted.orchestration);
                    let Conducted { consumer, findings, .. } = *conducted;
                    return self.forward_instead(body, before, &consumer, findings);
                }
            }
        }
    }

    /// Makes a call.
    ///
    /// # Errors
    /// Its tag, if Envoy refuses it.
    fn dispatch(
        &self,
        ask: Ask,
        timeout_ms: u32,
        consumer: &Consumer,
        findings: &Findings,
    ) -> Result<Pending, u32> {
        let Ask { tag, to, .. } = ask;
        let ask_gateway = |body: &[u8], kind, among: Option<Among>| {
            let task = findings.task().filter(|_| among.is_some());
            let (path, route) = ("/v1/chat/completions", Some(&findings.route));
            let sent = self.send(&Outgoing { path, body, timeout_ms, task, route, kind, among }, consumer);
            sent.map(|(number, caller)| Pending { number, tag, most: usize::MAX, caller: Some(caller) })
        };
        let sent = match to {
            To::Models(body) => ask_gateway(&body, Kind::Chat, None),
            To::Targets(body, among) => ask_gateway(&body, Kind::Plain, Some(among)),
            To::Nobody => ask_gateway(b"{}", Kind::Wait, None),
            To::Service { tool, path, body } => {
                let sent = self.visit(&tool, &path, body.as_deref(), timeout_ms);
                // One byte more tells that it is too long.
                let most = tool.max_bytes.saturating_add(1);
                sent.map(|number| Pending { number, tag, most, caller: None })
            }
        };
        sent.map_err(|abi::Refused(status)| {
            log::error!("Envoy refused a call that an answer is made of: status {status}");
            tag
        })
    }

    /// Tells how the answer was made.
    fn tell_how(&self, orchestration: &Orchestration) {
        self.record.is_made_by(orchestration.name(), orchestration.scores());
        let told = abi::set_property("orchestration", orchestration.name().as_bytes())
            .and_then(|()| abi::set_property("calls", &orchestration.report()));
        if told.is_err() {
            log::error!("Envoy refused to note how an answer was made");
        }
    }

    fn forward_instead(
        &mut self,
        body: Vec<u8>,
        before: Before,
        consumer: &Rc<Consumer>,
        findings: Findings,
    ) -> Action {
        let asked = body.clone();
        let step = books::with(|books| {
            let request_id = String::from_utf8_lossy(&self.request_id);
            let asking = Asking {
                service: Service::Chat,
                consumer,
                request_id: &request_id,
                control: self.control,
                joins: &|_| false,
                told: &Told::plain(None),
                classifier: self.classifier.as_deref(),
                wishes: &self.wishes,
                record: &self.record,
            };
            findings.forward(body, before, asking, &self.config, books)
        });
        match step {
            Step::Forward(_) | Step::Reply(_) => self.perform(step, &asked),
            // Nothing else is asked for a request that has been answered in part.
            _ => {
                let message = "the gateway could not forward the request";
                self.reply(&ApiError::new(500, "server_error", message).into())
            }
        }
    }
}

/// Has something done with what was answered to a call.
pub(super) fn received<T>(is_answered: bool, size: usize, take: impl FnOnce(&Received<'_>) -> T) -> T {
    let header = |name| header_of_answer(is_answered, name);
    let (status, body) = answered(is_answered, size);
    take(&Received {
        status,
        body: &body,
        provider: &header("x-modelgate-provider"),
        model: &header("x-modelgate-model"),
        retry_after: &header("retry-after"),
        cost: NanoUsd::read(&header("x-modelgate-cost-usd")),
    })
}

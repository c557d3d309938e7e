//! Requests that are held until something else is known, and how they go on.

use super::abi::{self, Action, Buffer, Map};
use super::callers::{self, Caller, Errand, Kind};
use super::exports;
use super::gateway::{Gateway, State};
use super::{books, flights};
use crate::cache::Key;
use crate::classify::TASK_HEADER;
use crate::config::{Consumer, Tool};
use crate::exchange::{About, Call, PREFIX, Service, Told};
use crate::names::RouteName;
use crate::route::Among;
use crate::time::Timestamp;
use std::rc::Rc;

/// A header of what was answered to a call; empty if it has none.
pub(super) fn header_of_answer(is_answered: bool, name: &str) -> String {
    let value = abi::header(Map::CallResponseHeaders, name).ok().filter(|_| is_answered);
    value.and_then(|value| String::from_utf8(value).ok()).unwrap_or_default()
}

/// The status and the body of what was answered to a call; where nothing was, 503 stands for it.
pub(super) fn answered(is_answered: bool, size: usize) -> (u16, Vec<u8>) {
    let status = header_of_answer(is_answered, ":status").parse().unwrap_or(503);
    (status, abi::buffer(Buffer::CallResponseBody, 0, size).unwrap_or_default())
}

/// A call to the gateway itself.
pub(super) struct Outgoing<'o> {
    pub path: &'o str,
    pub body: &'o [u8],
    pub timeout_ms: u32,
    /// What kind of request it is, where that is known.
    pub task: Option<&'o str>,
    /// The route on whose behalf it is made, if it is.
    pub route: Option<&'o RouteName>,
    pub kind: Kind,
    /// Which of a route's targets may answer, where that is the client's own request: it is answered from no cache, and has what the
    /// client wishes for by headers.
    pub among: Option<Among>,
}

impl Gateway {
    /// The answer that it has waited for is there, or will not come.
    pub fn go_on(&mut self) {
        if let State::Waiting(consumer) = &self.state {
            let consumer = Rc::clone(consumer);
            // It has waited long enough.
            self.told = Told::all();
            self.go_on_with(&consumer);
        }
    }

    /// What the gateway has asked itself is answered, by the call of this number.
    pub fn on_call_response(&mut self, call: u32, is_answered: bool, size: usize) {
        let State::Calling(consumer, _, about) = &self.state else {
            if !self.on_rest(call, is_answered, size) && !self.on_fallback(call, is_answered, size) {
                self.on_part_answered(call, is_answered, size);
            }
            return;
        };
        let (consumer, about) = (Rc::clone(consumer), *about);
        let (status, body) = answered(is_answered, size);
        self.take(about, (status, &body));
        self.go_on_with(&consumer);
    }

    /// Takes what was answered, or what stands for it.
    pub(super) fn take(&mut self, about: About, answer: (u16, &[u8])) {
        let classifier = self.classifier.as_deref();
        if let Err(why) = books::with(|books| self.told.take(about, answer, classifier, &self.config, books))
        {
            log::warn!("{}: {why}", about.lack());
        }
    }

    /// It was held, and goes on.
    fn go_on_with(&mut self, consumer: &Rc<Consumer>) {
        // Nothing else is ever held.
        let action = self.plan(consumer, Service::Chat, abi::ALL, false);
        if action == Action::Continue && abi::continue_request().is_err() {
            log::error!("Envoy refused to let a request go that was held");
        }
    }

    /// Asks the gateway itself something on the request's behalf.
    pub(super) fn call(&mut self, call: &Call, consumer: &Rc<Consumer>) -> Result<(), abi::Refused> {
        // Which of a set a text belongs to, whatever it speaks of.
        let task = matches!(call.about, About::Task(_)).then_some("classification");
        let (path, body, timeout_ms) = (call.path, &*call.body, call.timeout_ms);
        let (_, caller) = self.send(
            &Outgoing { path, body, timeout_ms, task, route: None, kind: Kind::Plain, among: None },
            consumer,
        )?;
        self.state = State::Calling(Rc::clone(consumer), caller, call.about);
        Ok(())
    }

    /// Makes a call to the gateway itself, and gives the host's number of it.
    pub(super) fn send(
        &self,
        outgoing: &Outgoing<'_>,
        consumer: &Consumer,
    ) -> Result<(u32, Caller), abi::Refused> {
        let consumer = Rc::new(consumer.asking_for_any());
        let (request_id, depth) = (self.request_id.clone(), self.depth.saturating_add(1));
        let is_own = outgoing.among.is_some();
        let caller = Caller::new(Errand {
            consumer,
            request_id,
            depth,
            route: outgoing.route.cloned(),
            kind: outgoing.kind,
            among: outgoing.among.clone().unwrap_or_default(),
        });
        let length = outgoing.body.len().to_string();
        let mut headers = vec![
            (":method", "POST"),
            (":path", outgoing.path),
            (":scheme", "http"),
            (":authority", "modelgate.internal"),
            ("content-type", "application/json"),
            ("content-length", &length),
            (callers::HEADER, caller.word()),
        ];
        headers.extend(outgoing.task.map(|task| (TASK_HEADER, task)));
        let wishes: Vec<_> = self.wishes.iter().filter(|_| is_own).filter_map(wished).collect();
        if is_own {
            headers.push(("cache-control", "no-store"));
            headers.extend(wishes.iter().map(|(name, value)| (name.as_str(), *value)));
        }
        let trace = abi::header(Map::RequestHeaders, "traceparent").unwrap_or_default();
        headers.extend(
            std::str::from_utf8(&trace)
                .ok()
                .filter(|trace| !trace.is_empty())
                .map(|trace| ("traceparent", trace)),
        );
        let cluster = self.config.internal_cluster();
        let number = abi::call(cluster.as_str(), &headers, outgoing.body, outgoing.timeout_ms)?;
        exports::expect(number, self.context);
        Ok((number, caller))
    }

    /// Asks a service, and gives the host's number of the call. What is sent is the configuration's, but for the path's arguments and
    /// the body.
    pub(super) fn visit(
        &self,
        tool: &Tool,
        path: &str,
        body: Option<&[u8]>,
        timeout_ms: u32,
    ) -> Result<u32, abi::Refused> {
        let length = body.map(|body| body.len().to_string());
        let mut headers = vec![
            (":method", if body.is_some() { "POST" } else { "GET" }),
            (":path", path),
            (":scheme", "http"),
            (":authority", &tool.host),
            ("user-agent", "modelgate"),
        ];
        if let Some(length) = &length {
            headers.extend([("content-type", "application/json"), ("content-length", &**length)]);
        }
        headers.extend(tool.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let number = abi::call(tool.cluster.as_str(), &headers, body.unwrap_or_default(), timeout_ms)?;
        exports::expect(number, self.context);
        Ok(number)
    }

    /// Others may wait for its answer.
    pub(super) fn lead(&mut self, awaited: Option<(Key, Timestamp)>) {
        if let Some((key, until)) = awaited
            && flights::lead(key, self.context, until)
        {
            self.flight = Some(key);
        }
    }
}

/// The header by which the client wishes for something, unless the gateway says that itself.
fn wished((name, value): &(String, Vec<u8>)) -> Option<(String, &str)> {
    let name = Some([PREFIX, name].concat()).filter(|name| name != callers::HEADER && name != TASK_HEADER)?;
    Some((name, std::str::from_utf8(value).ok()?))
}

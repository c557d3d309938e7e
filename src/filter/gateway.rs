//! The gateway role: holds a client's request until its body is there, plans it, lets it go.

use super::abi::{self, Action, Buffer, Map};
use super::callers::{self, Caller, Kind};
use super::conduct::Conducted;
use super::fallback::{self, Fallback};
use super::live::{Live, Ticket};
use super::resume::Resumable;
use super::token;
use super::{books, flights};
use crate::auth::{Credentials, Denied};
use crate::cache::{Control, Key};
use crate::classify::{Classifier, TASK_HEADER, Verdict};
use crate::config::{Config, Consumer};
use crate::error::ApiError;
use crate::exchange::{
    self, About, Asking, CONTENT_RULES, Excerpt, Forward, Head, PREFIX, Reply, Service, Step, Told, Wishes,
    is_long, local_reply,
};
use crate::observe::{Record, kind_of};
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// One client request.
pub(super) struct Gateway {
    pub(super) config: Rc<Config>,
    /// The context's number.
    pub(super) context: u32,
    /// What is found out about the request, for those who watch the gateway.
    pub(super) record: Rc<Record>,
    /// By what others reach the request while it waits for them.
    pub(super) itself: Weak<RefCell<Self>>,
    pub(super) state: State,
    /// What the client says about cached answers.
    pub(super) control: Control,
    /// What tells kinds of request apart; none where they are not.
    pub(super) classifier: Option<Rc<Classifier>>,
    /// What the client wishes for by headers.
    pub(super) wishes: Wishes,
    /// What models have said that were asked on its behalf.
    pub(super) told: Told,
    pub(super) request_id: Vec<u8>,
    /// How many calls within calls it is: 0 for what a client has asked.
    pub(super) depth: u8,
    /// The request among those under way, once it is planned.
    pub(super) ticket: Option<Ticket>,
    /// Whether it is settled, and told what was used.
    pub(super) concluded: bool,
    /// Its answer, where that is a stream that would be gone on with.
    pub(super) resumable: Option<Box<Resumable>>,
    /// Who else is asked if it fails, where Envoy's retries do not see to that.
    pub(super) fallback: Option<Box<Fallback>>,
    /// What of its answer the access log is told, where it is.
    pub(super) answer: Option<Box<Excerpt>>,
    /// The key under which its answer is waited for by others, or it waits for another one's.
    pub(super) flight: Option<Key>,
}

pub(super) enum State {
    /// Nothing is known of the request.
    New,
    /// This consumer's request is not planned yet; nothing is known of it but what it is for.
    Asked(Rc<Consumer>, Service),
    /// It waits for the answer to the same request.
    Waiting(Rc<Consumer>),
    /// It waits for what the gateway asks itself on its behalf.
    Calling(
        Rc<Consumer>,
        #[expect(dead_code, reason = "it is there for as long as the call is on its way")] Caller,
        About,
    ),
    /// Calls are making its answer.
    Orchestrating(Box<Conducted>),
    /// It is on its way to the targets.
    Forwarded,
    /// It was answered from here.
    Replied,
    /// Envoy answered by itself: this body goes in the place of Envoy's.
    Replaced(Vec<u8>),
}

/// Headers by which Envoy's router is told what to do. Envoy drops them from outside requests only
/// where it knows what is outside.
const STEERING: [&str; 11] = [
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-max-retries",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    PER_TRY_TIMEOUT,
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
];

const PER_TRY_TIMEOUT: &str = "x-envoy-upstream-rq-per-try-timeout-ms";

impl Gateway {
    pub fn new(config: Rc<Config>, classifier: Option<Rc<Classifier>>, context: u32) -> Rc<RefCell<Self>> {
        let (state, control, wishes) = (State::New, Control::default(), Wishes::new());
        Rc::new_cyclic(|itself| {
            let (itself, record) = (itself.clone(), Rc::new(Record::new(abi::now())));
            let (request_id, depth) = (Vec::new(), 0);
            let (told, ticket, concluded) = (Told::default(), None, false);
            let (resumable, fallback, flight) = (None, None, None);
            let answer = Excerpt::of_answer(&config);
            let gateway = Self {
                config,
                context,
                record,
                itself,
                state,
                control,
                classifier,
                wishes,
                told,
                request_id,
                depth,
                ticket,
                concluded,
                resumable,
                fallback,
                answer,
                flight,
            };
            RefCell::new(gateway)
        })
    }

    /// The whole body of this consumer's request is there, `size` bytes of it; `waits` if it may wait for an answer that is on
    /// its way.
    pub(super) fn plan(
        &mut self,
        consumer: &Rc<Consumer>,
        service: Service,
        size: usize,
        waits: bool,
    ) -> Action {
        let began = abi::now();
        let body = abi::buffer(Buffer::RequestBody, 0, size).unwrap_or_default();
        // Whatever waits once is looked at again.
        if waits {
            tell_prompt(&body, &self.config);
        }
        let step = books::at(books::at_nanos(began), |books| {
            let who = || (self.context, self.itself.clone());
            let joins = |key: &Key| waits && flights::join(key, who(), books.now);
            let request_id = String::from_utf8_lossy(&self.request_id);
            let (request_id, control) = (&*request_id, self.control);
            let classifier = self.classifier.as_deref();
            let (joins, wishes, told) = (&joins, &self.wishes, &self.told);
            let record = &*self.record;
            let asking =
                Asking { service, consumer, request_id, control, joins, told, classifier, wishes, record };
            exchange::on_body(&body, asking, &self.config, books)
        });
        match step {
            Step::Wait(key) => {
                self.state = State::Waiting(Rc::clone(consumer));
                self.flight = Some(key);
                Action::Pause
            }
            Step::Call(call, awaited) => {
                self.lead(awaited);
                match self.call(&call, consumer) {
                    Ok(()) => Action::Pause,
                    Err(abi::Refused(status)) => {
                        let cluster = self.config.internal_cluster();
                        log::error!("Envoy refused a call to the cluster {cluster}: status {status}");
                        self.take(call.about, (503, b""));
                        self.plan(consumer, service, size, false)
                    }
                }
            }
            Step::Orchestrate(several) => self.orchestrate(*several, consumer),
            step => {
                let action = self.perform(step, &body);
                self.record.works(abi::now().saturating_sub(began));
                action
            }
        }
    }

    pub(super) fn perform(&mut self, step: Step, body: &[u8]) -> Action {
        match step {
            Step::Hold(_) | Step::Wait(_) | Step::Call(..) | Step::Orchestrate(_) => Action::Pause,
            Step::Reply(reply) => self.reply(&reply),
            Step::Forward(forward) => match self.forward(*forward, body) {
                Ok(()) => {
                    self.state = State::Forwarded;
                    Action::Continue
                }
                Err(abi::Refused(status)) => {
                    if let Some(meter) = self.meter() {
                        books::with(|books| meter.release(books));
                    }
                    log::error!("Envoy refused to forward a request: status {status}");
                    let message = "the gateway could not forward the request";
                    self.reply(&ApiError::new(500, "server_error", message).into())
                }
            },
        }
    }

    /// Leaves the plan where the provider role and the router find it.
    fn forward(&mut self, forward: Forward, asked: &[u8]) -> Result<(), abi::Refused> {
        let Forward {
            mut plan,
            body,
            meter,
            caching,
            verdict,
            route,
            arm,
            truncated,
            redacted,
            trials,
            before,
            continues,
            attempt_ms,
        } = forward;
        let count = truncated.as_ref().map_or(0, |truncated| truncated.messages);
        let asked = truncated.as_ref().map_or(asked, |truncated| &truncated.body);
        let asked = redacted.as_deref().unwrap_or(asked);
        tell_rules(&plan.fired);
        self.lead(caching.as_ref().and_then(|caching| caching.keep.as_ref()?.awaited()));
        verdict.iter().for_each(|verdict| tell_task(verdict));
        let task = verdict.map(|verdict| verdict.task);
        let include_usage = plan.include_usage;
        self.resumable = continues.map(|consumer| Resumable::new(consumer, asked.to_vec(), include_usage));
        let consumer = match &self.state {
            State::Asked(consumer, _) | State::Waiting(consumer) | State::Calling(consumer, ..) => {
                Some(consumer)
            }
            // Of what calls have used before, another call would know nothing.
            _ => None,
        };
        let (attempts, fallback) = fallback::divide(&mut plan, self.config.fallback(), consumer, asked);
        self.fallback = fallback;
        let record = Rc::clone(&self.record);
        let live =
            Live { before, ..Live::new(plan, meter, caching, task, (route, arm, count), trials, record) };
        let ticket = self.ticket.insert(Ticket::new(live));
        let plan = &ticket.live().plan;
        if let Some(first) = plan.targets.first() {
            abi::set_property("next", first.cluster.as_bytes())?;
        }
        if let Some(asked) = self.record.asked() {
            abi::set_property("request_model", asked.as_bytes())?;
        }
        abi::set_property("plan", &plan.to_bytes(ticket.number()))?;
        if plan.kept {
            abi::set_property("body", asked)?;
        }
        // Changing a header also clears the route that was chosen before the plan was known.
        let retries = attempts.saturating_sub(1);
        abi::set_header(Map::RequestHeaders, "x-envoy-max-retries", retries.to_string().as_bytes())?;
        if let Some(ms) = attempt_ms {
            abi::set_header(Map::RequestHeaders, PER_TRY_TIMEOUT, ms.to_string().as_bytes())?;
        }
        if let Some(body) = &body {
            abi::set_header(Map::RequestHeaders, "content-length", body.len().to_string().as_bytes())?;
            abi::replace_buffer(Buffer::RequestBody, body)?;
        }
        Ok(())
    }

    /// Whether the response is this filter's, of either role, and none of Envoy's own.
    fn is_answered(&self) -> bool {
        match &self.state {
            State::Replied => true,
            _ if self.ticket.as_ref().is_some_and(|ticket| ticket.live().answered.get() == Some(true)) => {
                true
            }
            _ => abi::header(Map::ResponseHeaders, "x-modelgate-attempts").is_ok(),
        }
    }

    fn request_id(&self) -> Option<(&'static str, Vec<u8>)> {
        let id = Some(&self.request_id).filter(|id| !id.is_empty())?;
        Some(("x-request-id", id.clone()))
    }

    #[inline(never)]
    pub(super) fn reply(&mut self, reply: &Reply) -> Action {
        self.state = State::Replied;
        if reply.status >= 400 {
            self.record.fails(kind_of(reply.status));
        }
        let mut headers = vec![("content-type", reply.content_type.as_bytes().to_vec())];
        headers.extend(reply.headers.iter().map(|(name, value)| (*name, value.clone().into_bytes())));
        headers.extend(self.request_id());
        if let Some(verdict) = &reply.verdict {
            tell_task(verdict);
            headers.push((TASK_HEADER, verdict.task.to_string().into_bytes()));
        }
        if let Some((_, fired)) = reply.headers.iter().find(|(name, _)| *name == CONTENT_RULES) {
            tell_rules(fired);
        }
        if let Some(saved) = reply.saved
            && abi::set_property("tokens_saved", saved.to_string().as_bytes()).is_err()
        {
            log::error!("Envoy refused to note what a request saved");
        }
        if abi::reply(reply.status, &headers, &reply.body).is_err() {
            log::error!("Envoy refused a local reply");
        }
        Action::Pause
    }
}

/// Tells the access log who asks.
fn tell(consumer: &Consumer) {
    let told = abi::set_property("consumer", consumer.name.as_str().as_bytes())
        .and_then(|()| abi::set_property("tier", consumer.tier.name.as_str().as_bytes()));
    if told.is_err() {
        log::error!("Envoy refused to note who asks");
    }
}

/// Tells the access log for which request something is asked.
fn tell_parent(request_id: &[u8]) {
    if abi::set_property("asked_for", request_id).is_err() {
        log::error!("Envoy refused to note for which request something is asked");
    }
}

/// Tells the access log which content rules have found something, if any have.
pub(super) fn tell_rules(fired: &str) {
    if !fired.is_empty() && abi::set_property("content_rules", fired.as_bytes()).is_err() {
        log::error!("Envoy refused to note which content rules have found something");
    }
}

/// Tells the access log what was asked, where it is told.
fn tell_prompt(body: &[u8], config: &Config) {
    if let Some(prompt) = exchange::prompt(body, config)
        && abi::set_property("prompt", &prompt).is_err()
    {
        log::error!("Envoy refused to note what was asked");
    }
}

/// Tells the access log what kind of request it is.
fn tell_task(verdict: &Verdict) {
    let told = abi::set_property("task", verdict.task.as_str().as_bytes())
        .and_then(|()| abi::set_property("complexity", verdict.complexity.as_str().as_bytes()));
    if told.is_err() {
        log::error!("Envoy refused to note what kind of request it is");
    }
}

/// Envoy's callbacks.
impl Gateway {
    pub fn on_request_headers(&mut self, ends: bool) -> Action {
        let headers = abi::headers(Map::RequestHeaders).unwrap_or_default();
        let headers = headers.pairs();
        let credentials = Credentials::among(&headers);
        let jwt = self.config.auth().jwt();
        let token = jwt.and_then(|jwt| token::verified(jwt, credentials.are_there()));
        let header = |name| headers.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        let caller = header(callers::HEADER).map(callers::find);
        let head = Head {
            method: header(":method").unwrap_or_default(),
            path: header(":path").unwrap_or_default(),
            content_type: header("content-type"),
            content_length: header("content-length"),
            ends,
            credentials,
            token: token.as_ref(),
            caller: caller
                .as_ref()
                .map(|errand| errand.as_ref().map(|errand| &errand.consumer).ok_or(Denied::Unknown)),
        };
        if let Some(errand) = caller.as_ref().and_then(Option::as_ref) {
            (self.told, self.depth) = (errand.told(), errand.depth);
            tell_parent(&errand.request_id);
            self.record.is_internal();
            if errand.kind == Kind::Wait {
                self.state = State::Replied;
                return Action::Pause;
            }
        }
        let now = books::at_nanos(self.record.began());
        let (consumer, step) = books::at(now, |books| exchange::on_head(head, &self.config, books));
        if let Some(consumer) = consumer {
            tell(&consumer);
            self.record.asks(&consumer);
            if let Step::Hold(service) = step {
                self.record.is_for(service.operation());
                self.state = State::Asked(consumer, service);
            }
        }
        let controls = headers.iter().filter(|(name, _)| *name == "cache-control").map(|(_, value)| *value);
        self.control = Control::read(controls);
        let wished = headers.iter().filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, *value)));
        self.wishes = wished.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.request_id = header("x-request-id").unwrap_or_default().to_vec();
        let steers = |name: &str| name.starts_with("x-envoy-") && STEERING.contains(&name);
        for (name, _) in headers.iter().filter(|(name, _)| steers(name)) {
            if abi::remove_header(Map::RequestHeaders, name).is_err() {
                log::error!("Envoy refused to drop the header {name}");
            }
        }
        self.perform(step, b"")
    }

    pub fn on_request_body(&mut self, size: usize, ends: bool) -> Action {
        match &self.state {
            // What is too long already is refused before the rest of it has come.
            State::Asked(..) if !ends && size <= self.config.bounds().request_bytes => Action::Pause,
            State::Asked(consumer, service) => self.plan(&Rc::clone(consumer), *service, size, true),
            State::New
            | State::Waiting(_)
            | State::Calling(..)
            | State::Orchestrating(_)
            | State::Replied => Action::Pause,
            State::Forwarded | State::Replaced(_) => Action::Continue,
        }
    }

    pub fn on_request_trailers(&mut self) -> Action {
        if abi::drop_trailers(Map::RequestTrailers).is_err() {
            log::error!("Envoy refused to drop a request's trailers");
        }
        match &self.state {
            State::Asked(consumer, service) => self.plan(&Rc::clone(consumer), *service, abi::ALL, true),
            State::New
            | State::Waiting(_)
            | State::Calling(..)
            | State::Orchestrating(_)
            | State::Replied => Action::Pause,
            State::Forwarded | State::Replaced(_) => Action::Continue,
        }
    }

    pub fn on_response_headers(&mut self, ends: bool) -> Action {
        if self.falls_back() {
            return Action::Pause;
        }
        // An attempt that has let its answer go has said all of it.
        let live = self.ticket.as_ref().map(Ticket::live);
        let untold = live.filter(|live| live.answered.get() != Some(true));
        let answered = self.is_answered();
        // What Envoy says by itself has nothing of a cache.
        for (name, value) in untold.map(|live| live.told(answered)).unwrap_or_default() {
            set_response_header(name, value.as_bytes());
        }
        if answered {
            return Action::Continue;
        }
        let (error, _) = nobodys();
        self.record.fails(kind_of(error.status));
        let body = error.to_json();
        let length = if ends { 0 } else { body.len() };
        let headers = [
            (":status", error.status.to_string().into_bytes()),
            ("content-type", b"application/json".to_vec()),
            ("content-length", length.to_string().into_bytes()),
        ];
        for (name, value) in headers.into_iter().chain(self.request_id()) {
            set_response_header(name, &value);
        }
        if abi::header(Map::ResponseHeaders, "retry-after").is_ok_and(|after| is_long(&after)) {
            set_response_header("x-should-retry", b"false");
        }
        self.state = State::Replaced(body);
        Action::Continue
    }

    pub fn on_response_body(&mut self, size: usize, ends: bool) -> Action {
        if self.awaits_another() {
            return Action::Pause;
        }
        if self.resumable.is_some() {
            return self.watch_stream(size);
        }
        self.note_answer(size);
        if ends {
            self.conclude();
        }
        if let State::Replaced(body) = &mut self.state {
            // The first piece gets all of it, any other nothing.
            let body = std::mem::take(body);
            if abi::replace_buffer(Buffer::ResponseBody, &body).is_err() {
                log::error!("Envoy refused the body of an error");
            }
        }
        Action::Continue
    }

    /// A piece of the answer goes to the client.
    pub(super) fn note_answer(&mut self, size: usize) {
        if let Some(answer) = self.answer.as_mut().filter(|answer| !answer.is_cut()) {
            answer.read(&abi::buffer(Buffer::ResponseBody, 0, size).unwrap_or_default());
        }
    }

    /// An answer that is held stays so, however it ends.
    pub fn on_response_trailers(&self) -> Action {
        if self.awaits_another() || self.awaited_rest().is_some() { Action::Pause } else { Action::Continue }
    }

    /// It is over, however that came about; what was told before is not told again.
    pub fn on_log(&mut self) {
        self.conclude();
        if let Some(key) = &self.flight {
            flights::end(key, self.context);
        }
    }
}

/// The error for a response that no provider has given, and Envoy's details of it.
#[inline(never)]
pub(super) fn nobodys() -> (ApiError, Vec<u8>) {
    let status = abi::header(Map::ResponseHeaders, ":status").ok();
    let status = status.and_then(|status| std::str::from_utf8(&status).ok()?.parse().ok()).unwrap_or(500);
    let details = abi::property("response\0code_details").unwrap_or_default();
    (local_reply(status, &details), details)
}

fn set_response_header(name: &str, value: &[u8]) {
    if abi::set_header(Map::ResponseHeaders, name, value).is_err() {
        log::error!("Envoy refused the header {name}");
    }
}

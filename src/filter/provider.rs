//! The provider role: one context per upstream attempt.

use super::abi::{self, Action, Buffer, Map};
use super::live::{self, Live};
use super::{books, gateway};
use crate::attempt::{Attempt, Head, Header, Outcome, Piece, Recording, Release, broken};
use crate::config::Config;
use crate::error::ApiError;
use crate::plan::{Plan, Turn};
use std::rc::Rc;

/// One attempt.
pub(super) struct Provider {
    config: Rc<Config>,
    attempt: Option<Attempt>,
    /// The request, if its gateway role runs in this VM.
    live: Option<Rc<Live>>,
    /// The answer, where it is to be kept.
    recording: Option<Recording>,
    /// Whether the response is held: its head has not gone on.
    held: bool,
    /// The content rules that the access log was told of.
    fired: String,
}

impl Provider {
    pub fn new(config: Rc<Config>) -> Self {
        Self { config, attempt: None, live: None, recording: None, held: true, fired: String::new() }
    }

    /// Begins the attempt, at this time in nanoseconds.
    fn begin(&mut self, began: u64) -> Result<&Attempt, ApiError> {
        let mut bytes = abi::property("plan").unwrap_or_default();
        let turn = Turn::from_bytes(&bytes).ok_or_else(|| broken("the gateway role has not run"))?;
        self.live = live::find(turn.ticket);
        let plan = match &self.live {
            Some(live) => {
                live.answered.set(Some(false));
                Rc::clone(&live.plan)
            }
            None => Rc::new(Plan::from_bytes(&bytes).ok_or_else(|| broken("its plan cannot be read"))?),
        };
        stays(&plan, turn)?;
        let now = books::at_nanos(began);
        let before = self.live.as_ref().and_then(|live| live.before.clone());
        let attempt =
            Attempt::begin(Rc::clone(&plan), turn.attempt, now.seconds(), &self.config)?.after(before);
        if let Some(live) = &self.live {
            let target = plan.targets.get((turn.attempt as usize).saturating_sub(1));
            if let Some(target) = target {
                books::at(now, |books| live.trials.begin(&target.name, books));
            }
            live.spent.borrow_mut().push(Rc::clone(attempt.spent()));
            self.recording =
                live.keep().map(|keep| Recording::new(keep.recorder(), attempt.streams(), keep.most_bytes()));
        }
        if let Some(next) = attempt.next_cluster() {
            turn.advance(&mut bytes);
            let told =
                abi::set_property("next", next.as_bytes()).and_then(|()| abi::set_property("plan", &bytes));
            if told.is_err() {
                log::error!("Envoy refused to be told the next target");
            }
        }
        Ok(self.attempt.insert(attempt))
    }

    fn worked_since(&self, began: u64) {
        if let Some(live) = &self.live {
            live.record.works(abi::now().saturating_sub(began));
        }
    }

    /// Puts the attempt's headers in the place of whatever the last attempt left.
    fn send_headers(&self) {
        let headers = self.attempt.as_ref().map(|attempt| attempt.request_headers(trace()));
        if abi::replace_headers(Map::RequestHeaders, &headers.unwrap_or_default()).is_err() {
            log::error!("Envoy refused the headers of a request");
        }
    }

    /// Answers with an error from here, which is final: Envoy does not retry it.
    fn refuse(&mut self, error: ApiError) -> Action {
        if let Some(attempt) = &mut self.attempt {
            let release = attempt.refuse(error);
            return self.release_without_body(release);
        }
        // The mark by which the gateway role knows that this is no reply of Envoy's own.
        let turn = abi::property("plan").ok().and_then(|plan| Turn::from_bytes(&plan));
        let attempt = turn.map_or(0, |turn| turn.attempt);
        let headers = [
            ("content-type", b"application/json".to_vec()),
            ("x-request-id", header("x-request-id").unwrap_or_default()),
            ("x-modelgate-attempts", attempt.to_string().into_bytes()),
        ];
        if abi::reply(error.status, &headers, &error.to_json()).is_err() {
            log::error!("Envoy refused a local reply");
        }
        Action::Pause
    }

    fn release(&mut self, mut release: Release) {
        let is_last = release.outcome != Outcome::Retry;
        if let Some(live) = self.live.as_ref().filter(|_| is_last) {
            let told = live.told(true).into_iter();
            release.headers.extend(told.map(|(name, value)| (name.into(), value.into_bytes().into())));
        }
        if abi::replace_headers(Map::ResponseHeaders, &release.headers).is_err() {
            log::error!("Envoy refused the headers of an answer");
        }
        if let Some(failure) = &release.failure {
            log_failure(failure);
        }
        // An answer to a request that was changed is none to the one that was asked.
        let is_degraded = self.attempt.as_ref().is_some_and(|attempt| !attempt.degraded().is_empty());
        if release.outcome != Outcome::Answer || is_degraded {
            self.recording = None;
        }
        if let Some(live) = &self.live {
            live.answered.set(Some(is_last));
            if release.outcome == Outcome::Answer {
                let now = abi::now();
                live.record.begins(now);
                if live.trials.awaits_first_token() {
                    books::at(books::at_nanos(now), |books| live.trials.first_token(books));
                }
            }
        }
        self.watch();
        // Nobody reads the body that was kept any more, and an answer may be long.
        let kept = is_last && self.attempt.as_ref().is_some_and(Attempt::body_is_kept);
        if kept && abi::set_property("body", b"").is_err() {
            log::error!("Envoy refused to drop a body");
        }
        self.held = false;
    }

    /// Tells the health of the target how the attempt has ended, if it has.
    fn watch(&self) {
        if let (Some(live), Some(attempt)) = (&self.live, &self.attempt)
            && let Some(ended) = attempt.spent().take_end()
        {
            let usage = attempt.report().usage();
            books::with(|books| live.trials.end(ended, usage.as_ref(), books));
        }
    }

    /// Lets a response go that has no body, after its head alone.
    fn release_without_body(&mut self, release: Release) -> Action {
        let body = self.attempt.as_mut().map(|attempt| attempt.on_response_body(b"", true).1);
        match body {
            Some(Piece::Write(body)) => self.release_bare(release, &body),
            _ => self.release_bare(release, b""),
        }
    }

    /// A response that has no body cannot be given one: its error is said in a reply of this
    /// filter's own, which Envoy does not retry, or left out where Envoy will try the next target.
    fn release_bare(&mut self, mut release: Release, body: &[u8]) -> Action {
        let length = |(name, _): &Header<'_>| name == "content-length";
        release.headers.retain(|header| !length(header));
        if release.outcome == Outcome::Retry {
            self.release(release);
            return Action::Continue;
        }
        self.attempt = None;
        log_failure(release.failure.as_deref().unwrap_or_default());
        let status = release.status();
        release.headers.retain(|(name, _)| name != ":status");
        if abi::reply(status, &release.headers, body).is_err() {
            log::error!("Envoy refused a local reply");
        }
        Action::Pause
    }

    /// The whole body is there, `size` bytes of it.
    fn translate(&mut self, size: usize) -> Action {
        let Some(attempt) = &mut self.attempt else { return Action::Pause };
        let body = match attempt.body_is_kept() {
            true => abi::property("body"),
            false => abi::buffer(Buffer::RequestBody, 0, size),
        };
        match attempt.translate(&body.unwrap_or_default()) {
            Ok(body) => {
                self.send_headers();
                if abi::replace_buffer(Buffer::RequestBody, &body).is_err() {
                    log::error!("Envoy refused the body of a request");
                }
                Action::Continue
            }
            Err(error) => self.refuse(error),
        }
    }

    /// What goes out in the place of a piece of a stream that may use no more: the piece, and the end.
    fn last_words(&mut self, bytes: &[u8], piece: &Piece) -> Option<Vec<u8>> {
        let mut meter = self.live.as_ref()?.meter.borrow_mut();
        let meter = meter.as_mut().filter(|meter| meter.watches())?;
        let shown = piece.shown(bytes)?;
        let attempt = self.attempt.as_mut()?;
        let said = attempt.spent().said().makeup();
        let config = &self.config;
        let used = books::with(|books| meter.exhausted(attempt.number(), &said, config, books))?;
        let end = attempt.stop(shown, used);
        (!end.is_empty()).then(|| [shown, &end].concat())
    }

    /// Tells the access log which content rules have found something, where more have.
    fn tell_rules(&mut self) {
        let Some(attempt) = self.attempt.as_ref().filter(|attempt| attempt.is_screened()) else { return };
        let fired = attempt.fired();
        if fired != self.fired {
            gateway::tell_rules(&fired);
            self.fired = fired;
        }
    }

    /// Takes down what goes out in the place of `bytes`. As soon as it is complete it is kept: clients leave after the end mark.
    fn record(&mut self, bytes: &[u8], piece: &Piece) {
        let Some(recording) = &mut self.recording else { return };
        recording.take(piece.shown(bytes).unwrap_or_default());
        if !recording.is_over() {
            return;
        }
        let recording = self.recording.take().map(Recording::into_recorder);
        let keep = self.live.as_ref().and_then(|live| live.keep());
        if let (Some(recorder), Some(keep), Some(attempt)) = (recording, keep, &self.attempt) {
            books::with(|books| keep.keep(recorder, attempt.origin(), attempt.report().usage(), books));
        }
    }

    fn put(&mut self, piece: &Piece, ends: bool) -> Action {
        match piece {
            Piece::Wait => return Action::Pause,
            Piece::Take => write_body(b""),
            Piece::Pass => {}
            Piece::Write(bytes) => write_body(bytes),
        }
        if self.held && !ends { Action::Pause } else { Action::Continue }
    }
}

/// A retry that Envoy has sent to the first target's cluster again, although it is another one's turn, would give that one's key to
/// whom it is not for.
fn stays(plan: &Plan, turn: Turn) -> Result<(), ApiError> {
    let target = plan.targets.get((turn.attempt as usize).saturating_sub(1));
    let first = plan.targets.first().map(|first| &*first.cluster);
    if turn.attempt > 1
        && target.map(|target| &*target.cluster) != first
        && let Ok(here) = abi::property("xds\0cluster_name")
        && first.is_some_and(|first| first.as_bytes() == here)
    {
        log::error!(
            "Envoy does not choose a retry's cluster: refresh_cluster_on_retry (1.39), or `fallback`, is missing"
        );
        return Err(broken("its retry came to the wrong provider"));
    }
    Ok(())
}

/// Those headers of the client's request that go on to a provider: the trace it belongs to.
fn trace() -> Vec<Header<'static>> {
    let Some(parent) = header("traceparent") else { return Vec::new() };
    let state = header("tracestate").map(|state| ("tracestate".into(), state.into()));
    [("traceparent".into(), parent.into())].into_iter().chain(state).collect()
}

fn header(name: &str) -> Option<Vec<u8>> {
    abi::header(Map::RequestHeaders, name).ok()
}

/// Adds to the list of failed attempts that the access log shows.
fn log_failure(failure: &str) {
    let mut failures = abi::property("failures").unwrap_or_default();
    if !failures.is_empty() {
        failures.push(b',');
    }
    failures.extend_from_slice(failure.as_bytes());
    if abi::set_property("failures", &failures).is_err() {
        log::error!("Envoy refused to note a failed attempt");
    }
}

fn write_body(bytes: &[u8]) {
    if abi::replace_buffer(Buffer::ResponseBody, bytes).is_err() {
        log::error!("Envoy refused a piece of an answer");
    }
}

/// Envoy's callbacks.
impl Provider {
    pub fn on_request_headers(&mut self, ends: bool) -> Action {
        let began = abi::now();
        let action = match self.begin(began) {
            Err(error) => self.refuse(error),
            Ok(attempt) if attempt.body_passes() || ends => {
                self.send_headers();
                Action::Continue
            }
            Ok(_) => Action::Pause,
        };
        self.worked_since(began);
        action
    }

    pub fn on_request_body(&mut self, size: usize, ends: bool) -> Action {
        match &self.attempt {
            None => Action::Pause,
            Some(attempt) if attempt.body_passes() => Action::Continue,
            Some(_) if !ends => Action::Pause,
            Some(_) => {
                let began = abi::now();
                let action = self.translate(size);
                self.worked_since(began);
                action
            }
        }
    }

    pub fn on_request_trailers(&mut self) -> Action {
        match &self.attempt {
            None => Action::Pause,
            Some(attempt) if attempt.body_passes() => Action::Continue,
            Some(_) => self.translate(abi::ALL),
        }
    }

    pub fn on_response_headers(&mut self, ends: bool) -> Action {
        let Some(attempt) = &mut self.attempt else { return Action::Continue };
        let headers = abi::headers(Map::ResponseHeaders).unwrap_or_default();
        let headers = headers.pairs();
        let status = headers.iter().find(|(name, _)| *name == ":status");
        let status =
            status.and_then(|(_, status)| std::str::from_utf8(status).ok()?.parse().ok()).unwrap_or(502);
        match attempt.on_response_head(Head { status, headers: &headers, ends }) {
            None => Action::Pause,
            Some(release) if ends => self.release_without_body(release),
            Some(release) => {
                self.release(release);
                Action::Continue
            }
        }
    }

    pub fn on_response_body(&mut self, size: usize, ends: bool) -> Action {
        let Some(attempt) = &mut self.attempt else { return Action::Continue };
        if !ends && attempt.waits(size) {
            return Action::Pause;
        }
        if let Some(live) = self.live.as_ref().filter(|_| attempt.streams()) {
            live.record.beats(abi::now());
        }
        let bytes = abi::buffer(Buffer::ResponseBody, 0, size).unwrap_or_default();
        let (release, piece) = attempt.on_response_body(&bytes, ends);
        if let Some(release) = release {
            self.release(release);
        }
        let piece = self.last_words(&bytes, &piece).map_or(piece, Piece::Write);
        self.record(&bytes, &piece);
        self.tell_rules();
        self.watch();
        self.put(&piece, ends)
    }

    /// Trailers are the end where no piece of the body said that it is the last.
    pub fn on_response_trailers(&mut self) -> Action {
        if abi::drop_trailers(Map::ResponseTrailers).is_err() {
            log::error!("Envoy refused to drop a response's trailers");
        }
        let Some(attempt) = &mut self.attempt else { return Action::Continue };
        let held = abi::buffer(Buffer::ResponseBody, 0, abi::ALL).unwrap_or_default();
        let (release, piece) = attempt.on_response_body(&held, true);
        // Only where Envoy still holds a piece is there a place to write to.
        let written = match &piece {
            Piece::Write(bytes) => abi::replace_buffer(Buffer::ResponseBody, bytes).is_ok(),
            Piece::Wait | Piece::Take | Piece::Pass => true,
        };
        let action = match (release, &piece) {
            (Some(release), Piece::Write(body)) if !written => self.release_bare(release, body),
            (Some(release), _) => {
                self.release(release);
                Action::Continue
            }
            (None, _) => Action::Continue,
        };
        self.record(&held, &piece);
        self.tell_rules();
        self.watch();
        action
    }
}

//! The facts of a request, and what numbers they make.

use super::metrics::*;
use super::{Pace, Tell};
use crate::chat::Usage;
use crate::config::Consumer;
use crate::money::NanoUsd;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What is said of whoever or whatever has no name in the configuration.
const UNLISTED: &str = "unlisted";

/// The facts of a request, as they are found out.
#[derive(Debug, Default)]
pub struct Record {
    /// When it came, in nanoseconds.
    began: u64,
    /// When the head of its answer went, in nanoseconds; 0 before that.
    answered: Cell<u64>,
    /// How long the filter has worked on it before that, in nanoseconds.
    worked: Cell<u64>,
    pace: Cell<Pace>,
    operation: Cell<Option<&'static str>>,
    stream: Cell<bool>,
    is_internal: Cell<bool>,
    consumer: RefCell<Option<Rc<Consumer>>>,
    asked: RefCell<Option<Rc<str>>>,
    arm: RefCell<Option<(Rc<str>, Rc<str>)>>,
    cache: Cell<Option<&'static str>>,
    saved: Cell<u64>,
    error: Cell<Option<&'static str>>,
    orchestration: Cell<Option<&'static str>>,
    scores: RefCell<Vec<u32>>,
    excluded: RefCell<Vec<(Rc<str>, &'static str)>>,
    limits: RefCell<Vec<(Rc<str>, &'static str)>>,
    used: RefCell<Vec<(Rc<str>, &'static str, u8)>>,
}

/// What an attempt has come to.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The model's, if the configuration has it.
    pub model: Option<&'a str>,
    /// `ok`, or the kind of its error.
    pub outcome: &'static str,
    /// What it has used, as far as that is known.
    pub usage: Option<Usage>,
    /// What that cost.
    pub cost: Option<NanoUsd>,
}

/// How a request has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was answered.
    Ok,
    /// With an error.
    Error,
    /// Its stream broke.
    Broken,
    /// The client has left.
    Cancelled,
}

/// The end of a request.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// When, in nanoseconds.
    pub now: u64,
    /// How.
    pub outcome: Outcome,
    /// Its attempts, in their order.
    pub attempts: &'a [Tried<'a>],
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Broken => "broken",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Record {
    /// Of a request that comes at this time, in nanoseconds.
    #[must_use]
    pub fn new(began: u64) -> Self {
        Self { began, ..Self::default() }
    }

    /// When it came, in nanoseconds.
    #[must_use]
    pub fn began(&self) -> u64 {
        self.began
    }

    /// Who asks.
    pub fn asks(&self, consumer: &Rc<Consumer>) {
        self.consumer.replace(Some(Rc::clone(consumer)));
    }

    /// What is asked of a model; none where nothing is.
    pub fn is_for(&self, operation: Option<&'static str>) {
        self.operation.set(operation);
    }

    /// Whether a stream is asked for.
    pub fn streams(&self, stream: bool) {
        self.stream.set(stream);
    }

    /// It is asked by the gateway itself.
    pub fn is_internal(&self) {
        self.is_internal.set(true);
    }

    /// The model or route that the name stands for that was asked for; none if the configuration has no such name.
    pub fn names(&self, listed: Option<Rc<str>>) {
        self.asked.replace(Some(listed.unwrap_or_else(|| UNLISTED.into())));
    }

    /// The model or route that was asked for, as it is told.
    #[must_use]
    pub fn asked(&self) -> Option<Rc<str>> {
        self.asked.borrow().clone()
    }

    /// It is in this arm of a route's experiment.
    pub fn is_in(&self, route: Rc<str>, arm: Rc<str>) {
        self.arm.replace(Some((route, arm)));
    }

    /// What the cache has done for it.
    pub fn cached(&self, how: &'static str) {
        self.cache.set(Some(how));
    }

    /// How many tokens an answer from the cache has saved.
    pub fn saves(&self, tokens: u64) {
        self.saved.set(tokens);
    }

    /// The kind of the error that is its answer.
    pub fn fails(&self, kind: &'static str) {
        self.error.set(Some(kind));
    }

    /// The kind of the error that is its answer, if one is.
    #[must_use]
    pub fn failure(&self) -> Option<&'static str> {
        self.error.get()
    }

    /// Several calls have made its answer, in this mode; what a judge has given, in thousandths of a point.
    pub fn is_made_by(&self, mode: &'static str, scores: Vec<u32>) {
        self.orchestration.set(Some(mode));
        self.scores.replace(scores);
    }

    /// A model was left out, for a reason.
    pub fn excludes(&self, model: Rc<str>, why: &'static str) {
        self.excluded.borrow_mut().push((model, why));
    }

    /// A limit has decided about it: `admitted`, `refused`, `observed` or `stopped`.
    pub fn limited(&self, limit: Rc<str>, decision: &'static str) {
        self.limits.borrow_mut().push((limit, decision));
    }

    /// So much of a limit, in `requests`, `tokens` or whatever it is in, is used by whoever asks, in percent.
    pub fn uses(&self, limit: Rc<str>, unit: &'static str, percent: u8) {
        self.used.borrow_mut().push((limit, unit, percent));
    }

    /// The filter has worked on it for so long, in nanoseconds.
    pub fn works(&self, nanos: u64) {
        self.worked.set(self.worked.get().saturating_add(nanos));
    }

    /// How long the filter has worked on it before it was answered, in microseconds.
    #[must_use]
    pub fn worked_us(&self) -> u64 {
        self.worked.get() / 1_000
    }

    /// Its answer begins at this time, in nanoseconds.
    pub fn begins(&self, now: u64) {
        self.answered.set(now);
    }

    /// A piece of its stream has come at this time, in nanoseconds.
    pub fn beats(&self, now: u64) {
        self.pace.set(self.pace.get().beat(now));
    }

    /// Tells all of it.
    pub fn tell(&self, ending: &Ending<'_>, tell: Tell<'_>) {
        let Some(operation) = self.operation.get() else {
            if let Some(kind) = self.error.get() {
                tell(&ERRORS, &[("kind", kind)], 1);
            }
            return;
        };
        let asked = self.asked.borrow();
        let asked = asked.as_deref().unwrap_or_default();
        let last = ending.attempts.last();
        let (provider, model) = last.map_or(("", ""), |last| (last.provider, last.model.unwrap_or(UNLISTED)));
        let genai @ [operation, provider, named, model] = [
            ("gen_ai_operation_name", operation),
            ("gen_ai_provider_name", provider),
            ("gen_ai_request_model", asked),
            ("gen_ai_response_model", model),
        ];
        let consumer = self.consumer.borrow();
        let (consumer, tier) = match consumer.as_deref() {
            Some(consumer) => {
                let name = if consumer.listed { consumer.name.as_str() } else { UNLISTED };
                (name, consumer.tier.name.as_str())
            }
            None => ("", ""),
        };
        let outcome = ending.outcome.as_str();
        let origin = if self.is_internal.get() { "gateway" } else { "client" };
        let of_request = [operation, provider, named, model, ("origin", origin), ("outcome", outcome)];
        tell(&REQUESTS, &of_request, 1);
        if !self.is_internal.get() {
            let of_consumer = [("consumer", consumer), ("tier", tier), ("outcome", outcome)];
            tell(&CONSUMER_REQUESTS, &of_consumer, 1);
            self.tell_story((asked, outcome), tell);
        }
        if let Some(kind) = self.error.get().filter(|_| ending.outcome == Outcome::Error) {
            tell(&ERRORS, &[operation, provider, named, model, ("kind", kind)], 1);
        }
        if ending.outcome == Outcome::Broken {
            tell(&BREAKS, &genai, 1);
        }
        self.tell_times(&genai, ending, tell);
        tell_attempts(ending.attempts, [operation, named], (consumer, tier), tell);
        for (limit, decision) in &*self.limits.borrow() {
            tell(&LIMITS, &[("limit", limit), ("decision", decision)], 1);
        }
        for (limit, unit, percent) in &*self.used.borrow() {
            let of_limit = [("limit", &**limit), ("unit", unit), ("consumer", consumer)];
            tell(&LIMIT_USED, &of_limit, (*percent).into());
        }
        for (model, why) in &*self.excluded.borrow() {
            tell(&EXCLUSIONS, &[("model", model), ("reason", why)], 1);
        }
    }

    /// What the gateway has done for a client.
    fn tell_story(&self, (asked, outcome): (&str, &str), tell: Tell<'_>) {
        if let Some(how) = self.cache.get() {
            let of_cache = [("result", how), ("gen_ai_request_model", asked)];
            tell(&CACHE, &of_cache, 1);
            if self.saved.get() > 0 {
                tell(&SAVED_TOKENS, &of_cache, self.saved.get());
            }
        }
        if let Some((route, arm)) = &*self.arm.borrow() {
            tell(&ARMS, &[("route", route), ("arm", arm), ("outcome", outcome)], 1);
        }
        if let Some(mode) = self.orchestration.get() {
            tell(&ORCHESTRATIONS, &[("route", asked), ("mode", mode), ("outcome", outcome)], 1);
        }
        for score in &*self.scores.borrow() {
            tell(&JUDGED, &[("route", asked)], u64::from(*score) / 100);
        }
    }

    fn tell_times(&self, genai: &[(&'static str, &str); 4], ending: &Ending<'_>, tell: Tell<'_>) {
        if self.worked.get() > 0 {
            tell(&OVERHEAD, &[], self.worked_us());
        }
        if ending.outcome != Outcome::Ok {
            return;
        }
        tell(&DURATION, genai, ending.now.saturating_sub(self.began) / 1_000_000);
        let answered = self.answered.get();
        if answered == 0 || !self.stream.get() {
            return;
        }
        tell(&FIRST_TOKEN, genai, answered.saturating_sub(self.began) / 1_000_000);
        let tokens = ending.attempts.last().and_then(|last| last.usage).map_or(0, |usage| usage.completion);
        let flowed = ending.now.saturating_sub(answered) / 1_000;
        if let Some(each) = tokens.checked_sub(1).and_then(|after_first| flowed.checked_div(after_first)) {
            tell(&PER_TOKEN, genai, each);
        }
        if let Some(jitter) = self.pace.get().jitter_us() {
            tell(&JITTER, genai, jitter);
        }
    }
}

/// What each attempt has come to.
fn tell_attempts(
    attempts: &[Tried<'_>],
    [operation, named]: [(&'static str, &str); 2],
    (consumer, tier): (&str, &str),
    tell: Tell<'_>,
) {
    let (consumer, tier) = (("consumer", consumer), ("tier", tier));
    let mut before: Option<&Tried<'_>> = None;
    for tried in attempts {
        let model = tried.model.unwrap_or(UNLISTED);
        let [by, of] = [("gen_ai_provider_name", tried.provider), ("gen_ai_response_model", model)];
        tell(&ATTEMPTS, &[by, of, ("outcome", tried.outcome)], 1);
        if let Some(failed) = before {
            let from = failed.model.unwrap_or(UNLISTED);
            tell(&FALLBACKS, &[("from", from), ("to", model), ("reason", failed.outcome)], 1);
        }
        before = Some(tried);
        if let Some(usage) = tried.usage {
            let reasoning = usage.reasoning.unwrap_or_default();
            let cached = usage.cached.unwrap_or_default();
            let directions = [
                ("input", usage.prompt),
                ("output", usage.completion),
                ("cached_input", cached),
                ("reasoning", reasoning),
            ];
            for (direction, tokens) in directions.into_iter().filter(|(_, tokens)| *tokens > 0) {
                tell(&TOKENS, &[consumer, tier, of, ("direction", direction)], tokens);
            }
            for (kind, tokens) in [("input", usage.prompt), ("output", usage.completion)] {
                tell(&TOKEN_USAGE, &[by, of, operation, named, ("gen_ai_token_type", kind)], tokens);
            }
        }
        if let Some(cost) = tried.cost.map(|cost| cost.nanos()).filter(|nanos| *nanos > 0) {
            tell(&COST, &[consumer, tier, of], cost);
        }
    }
}

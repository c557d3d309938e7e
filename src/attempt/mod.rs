//! One upstream try: a request in one provider's words, and its answer in the client's.
//!
//! Everything a provider is sent is made here from the plan, the configuration and the canonical
//! body, never from what the request's headers hold: Envoy does not restore those between attempts,
//! and the last provider's key may still be in them. An answer is held back until it is worth
//! something, so that a failure before the first content is tried on the next target unseen.

mod canonical;
mod guard;
mod recording;
mod response;
mod spent;
mod stream;
mod translated;

use crate::cache::Origin;
use crate::chat::{Before, Request, degraded};
use crate::config::{Bounds, Config, Key, Price, Provider};
use crate::embeddings;
use crate::error::ApiError;
use crate::estimate::Tally;
use crate::json::{Document, Surrogates};
use crate::plan::{Operation, Plan, PlannedTarget};
use crate::provider::{Adapter, Target, adapter};
use crate::rules::{Screen, names};
use response::Reception;
use std::borrow::Cow;
use std::rc::Rc;

pub use recording::Recording;
pub use response::{Head, Outcome, Piece, Release};
pub use spent::{Report, Spent, Stage};

/// A header to be set.
pub type Header<'h> = (Cow<'h, str>, Cow<'h, [u8]>);

/// One try of a request on one target.
pub struct Attempt {
    plan: Rc<Plan>,
    /// Which attempt this is, from 1.
    number: u32,
    target: PlannedTarget,
    /// The cluster of the attempt after this one, if there is one that may be tried.
    next: Option<Rc<str>>,
    /// Of the body that goes out.
    length: usize,
    provider: Rc<Provider>,
    adapter: &'static dyn Adapter,
    bounds: Bounds,
    /// Unix time in seconds.
    now: i64,
    /// What was translated here: the headers that go with it, and what of the request the provider was not told.
    translated: Option<(Vec<(&'static str, String)>, String)>,
    /// What was changed in the request for this target.
    degraded: String,
    reception: Reception,
    spent: Rc<Spent>,
    /// The content rules that look at its answer, if any do.
    screen: Option<Rc<Screen>>,
    /// What was generated of an answer that they have looked at as a whole.
    generated: Option<Tally>,
    /// Of its tokens, where what they cost is counted.
    price: Option<Price>,
    /// What was used before, by calls that the answer is made of.
    before: Option<Rc<Before>>,
}

impl Attempt {
    /// An attempt of a plan, counted from 1. `now` is Unix time in seconds, for answers that tell none.
    ///
    /// # Errors
    /// If there is no such attempt, or it names a provider that is not there any more: nothing that a client could cause.
    pub fn begin(plan: Rc<Plan>, number: u32, now: i64, config: &Config) -> Result<Self, ApiError> {
        let at = (number as usize).saturating_sub(1);
        let mut targets = plan.targets.iter().skip(at);
        let target = targets.next().ok_or_else(|| broken("more attempts than targets"))?.clone();
        let provider = config.provider(&target.provider).ok_or_else(|| broken("its provider was removed"))?;
        if target.body_passes && target.vendor != provider.vendor {
            return Err(broken("its provider has become another vendor's"));
        }
        let model = plan.metered.and_then(|_| config.model_of(&target.provider, &target.name));
        let screen = if plan.rules.is_empty() { None } else { screen(&plan, &target, config) };
        Ok(Self {
            screen,
            generated: None,
            price: model.and_then(|model| config.price(&model)),
            before: None,
            spent: Rc::default(),
            number,
            next: targets.next().map(|next| Rc::clone(&next.cluster)),
            length: plan.length,
            adapter: adapter(provider.vendor),
            provider: Rc::clone(provider),
            bounds: config.bounds(),
            target,
            plan,
            now,
            translated: None,
            degraded: String::new(),
            reception: Reception::Pending,
        })
    }

    /// The same after so much was used by calls that its answer is made of.
    #[must_use]
    pub fn after(self, before: Option<Rc<Before>>) -> Self {
        Self { before, ..self }
    }

    /// The cluster of the attempt after this one.
    #[must_use]
    pub fn next_cluster(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// Whether the body goes out untouched, so that it need not be looked at.
    #[must_use]
    pub fn body_passes(&self) -> bool {
        self.target.body_passes
    }

    /// Whether the canonical body is not the one that is sent, but kept aside.
    #[must_use]
    pub fn body_is_kept(&self) -> bool {
        self.plan.kept
    }

    /// Puts the canonical body into the provider's words.
    ///
    /// # Errors
    /// What of the request this provider cannot be told.
    pub fn translate(&mut self, body: &[u8]) -> Result<Vec<u8>, ApiError> {
        let parse = |body| {
            Document::parse(body, Surrogates::Paired)
                .map_err(|error| ApiError::invalid_request(format!("the body is not valid JSON: {error}")))
        };
        if let (Some(edits), Operation::Chat) = (self.target.edits.take(), self.plan.operation) {
            self.degraded = edits.list();
            let degraded = degraded(&Request::read(parse(body)?.root())?, body, &edits);
            return self.translate(&degraded);
        }
        let document = parse(body)?;
        let outgoing = match self.plan.operation {
            Operation::Chat => self.adapter.request(&Request::read(document.root())?, self.put_to())?,
            Operation::Embeddings(_) => {
                let request = embeddings::Request::read(document.root())?;
                self.adapter.embeddings(body, &request, self.put_to())?
            }
        };
        let dropped = outgoing.dropped_list();
        self.translated = Some((outgoing.headers, dropped));
        self.length = outgoing.body.len();
        Ok(outgoing.body)
    }

    /// All headers of the request. `carried` are those of the client's request that may go on, as
    /// `traceparent`.
    #[must_use]
    pub fn request_headers<'h>(&'h self, carried: Vec<Header<'h>>) -> Vec<Header<'h>> {
        let base = &self.provider.base;
        let path = base.request_path(&match self.plan.operation {
            Operation::Chat => self.adapter.path(self.put_to(), self.plan.stream),
            Operation::Embeddings(_) => self.adapter.embeddings_path(self.put_to()),
        });
        let accept = if self.plan.stream { "text/event-stream" } else { "application/json" };
        let mut headers = Vec::with_capacity(16);
        headers.extend([
            header(":method", "POST"),
            header(":scheme", base.scheme.as_str()),
            header(":authority", &*base.authority),
            header(":path", path),
            header("content-type", "application/json"),
            header("accept", accept),
            header("user-agent", concat!("modelgate/", env!("CARGO_PKG_VERSION"))),
            header("content-length", self.length.to_string()),
        ]);
        headers.extend(self.adapter.headers().iter().map(|(name, value)| header(name, *value)));
        match &self.translated {
            Some((extra, _)) => headers.extend(extra.iter().map(|(name, value)| header(name, value))),
            None => headers.extend(self.plan.headers.iter().map(|(name, value)| header(name, value))),
        }
        headers.extend(self.provider.headers.iter().map(|(name, value)| header(name, &**value)));
        if let Key::Secret(key) = &self.provider.key {
            let (name, value) = self.adapter.credential(key.expose());
            headers.push(header(name, value));
        }
        if !self.plan.request_id.is_empty() {
            headers.push(header("x-request-id", &self.plan.request_id));
        }
        headers.extend(carried);
        headers
    }

    /// What of the request the provider was not told, as a header's value.
    fn dropped(&self) -> &str {
        self.translated.as_ref().map_or(&self.plan.dropped, |(_, dropped)| dropped)
    }

    /// What was changed in the request for this target, as a header's value.
    #[must_use]
    pub fn degraded(&self) -> &str {
        &self.degraded
    }

    /// Whether the client asked for a stream.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.plan.stream
    }

    /// Where its answer comes from.
    #[must_use]
    pub fn origin(&self) -> Origin<'_> {
        Origin { provider: &self.target.provider, model: &self.target.name, dropped: self.dropped() }
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number as usize
    }

    /// What the provider has said of what its answer used.
    #[must_use]
    pub fn report(&self) -> Report {
        self.reception.report()
    }

    /// What it has used, kept up to date.
    #[must_use]
    pub fn spent(&self) -> &Rc<Spent> {
        &self.spent
    }

    /// Whether content rules look at its answer.
    #[must_use]
    pub fn is_screened(&self) -> bool {
        self.screen.is_some()
    }

    /// The content rules that have found something in what was asked or in what is answered, as a list.
    #[must_use]
    pub fn fired(&self) -> String {
        let asked = &self.plan.fired;
        let Some(screen) = self.screen.as_ref().filter(|screen| screen.has_fired()) else {
            return asked.clone();
        };
        let known = |name: &str| asked.split(',').any(|known| known == name);
        let mut all = names(screen.fired().filter(|rule| !known(rule.name.as_str())));
        if !asked.is_empty() {
            all.insert_str(0, if all.is_empty() { "" } else { "," });
            all.insert_str(0, asked);
        }
        all
    }

    fn put_to(&self) -> Target<'_> {
        Target { model: &self.target.model, max_output_tokens: self.target.max_output_tokens }
    }
}

/// The content rules of a plan that look at what this target answers.
fn screen(plan: &Plan, target: &PlannedTarget, config: &Config) -> Option<Rc<Screen>> {
    let model = config.model_of(&target.provider, &target.name);
    let rules = config.content_rules().iter().filter(|rule| {
        let is_planned = plan.rules.iter().any(|name| rule.name == **name);
        is_planned && model.as_ref().is_none_or(|model| rule.concerns_model(model))
    });
    Screen::of(rules.cloned().collect())
}

fn header<'h>(name: &'h str, value: impl Into<Cow<'h, str>>) -> Header<'h> {
    let value = match value.into() {
        Cow::Borrowed(value) => Cow::Borrowed(value.as_bytes()),
        Cow::Owned(value) => Cow::Owned(value.into_bytes()),
    };
    (Cow::Borrowed(name), value)
}

/// The request cannot be planned, and nobody but the gateway is to blame.
#[must_use]
pub fn broken(why: &str) -> ApiError {
    ApiError::new(500, "server_error", format!("the gateway cannot plan this request: {why}"))
}

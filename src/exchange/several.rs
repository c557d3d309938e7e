//! Requests that several calls answer: which those are, and how what they come to is forwarded or replied.

use super::chat::resumed;
use super::order::Terms;
use super::{Asking, Books, Caching, Reply, Step, lesson};
use crate::affinity::Key;
use crate::cache::Origin;
use crate::chat::{Before, Request, ResponseFormat, ToolChoice};
use crate::classify::Verdict;
use crate::config::{Checked, Config, How, Model, Named, Orchestration, Price, Route, Strategy};
use crate::cost;
use crate::money::NanoUsd;
use crate::names::RouteName;
use std::rc::Rc;

/// A request that several calls answer.
#[derive(Debug)]
pub struct Several {
    /// What the configuration says of that.
    pub rules: Rc<Orchestration>,
    /// How what they come to is checked, where it is.
    pub check: Option<Rc<Checked>>,
    /// The request.
    pub body: Vec<u8>,
    /// Whether it asks for a stream.
    pub stream: bool,
    /// Whether it asks for usage in the stream.
    pub include_usage: bool,
    /// Whether it offers the legacy `functions`.
    pub functions: bool,
    /// The models that are weighed, each with what it costs and after how many milliseconds nineteen of twenty of its answers are there.
    pub models: Vec<(Rc<str>, Option<Price>, Option<u32>)>,
    /// What is kept for its answer.
    pub findings: Findings,
}

/// What was found out about such a request before its answer was made.
#[derive(Debug)]
pub struct Findings {
    /// The route that was asked for.
    pub route: RouteName,
    /// What kind of request it is, where that is told.
    verdict: Option<Box<Verdict>>,
    /// What the cache does for it.
    caching: Option<Caching>,
}

/// The orchestration that answers this request, if one does, and how what that comes to is checked.
pub(super) fn rules(
    request: &Request<'_>,
    route: &Route,
    terms: &Terms<'_>,
    config: &Config,
    books: Books<'_>,
) -> Option<(Rc<Orchestration>, Option<Rc<Checked>>)> {
    if terms.asking.told.plain || request.n != 1 {
        return None;
    }
    let how = |check: &Rc<Orchestration>| match &check.how {
        How::Checked(rules) => Some(Rc::clone(rules)),
        How::Ensemble(_) | How::Cascade(_) | How::Race(_) | How::Agent(_) => None,
    };
    let check =
        route.check.as_ref().filter(|check| how(check).is_some_and(|how| has_form(request, how.tools)));
    match orchestration(route, terms, config, books) {
        Some(rules) => Some((rules, check.and_then(how))),
        None => Some((Rc::clone(check?), None)),
    }
}

/// Whether there is something to check an answer by.
fn has_form(request: &Request<'_>, tools: bool) -> bool {
    let calls = tools && !matches!(request.tool_choice, Some(ToolChoice::None));
    !matches!(request.response_format, ResponseFormat::Text)
        || calls && request.tools.iter().any(|tool| tool.parameters.is_some())
}

fn orchestration(
    route: &Route,
    terms: &Terms<'_>,
    config: &Config,
    books: Books<'_>,
) -> Option<Rc<Orchestration>> {
    let Terms { asks, asking, verdict, .. } = terms;
    let rules = route.orchestration.as_ref()?;
    let when = &rules.when;
    let is_task = |task: &Verdict| when.tasks.as_ref().is_none_or(|tasks| tasks.contains(&task.task));
    if !verdict.map_or(when.tasks.is_none(), is_task) {
        return None;
    }
    if when.tiers.as_ref().is_some_and(|tiers| !tiers.contains(&asking.consumer.tier.name)) {
        return None;
    }
    if !when.takes(Key::named(route.name.as_str(), asking.request_id, "").number()) {
        return None;
    }
    if when.min_prompt_tokens > 0
        && let Some(first) = route.targets.first()
        && asks.prompt(&first.model, books) < when.min_prompt_tokens
    {
        return None;
    }
    let is_affordable = |most: NanoUsd| {
        let costs = rules.how.first().into_iter().map(|name| {
            let model = model(config, name)?;
            let price = config.price(&model)?;
            let output = asks.expected_output(&model, asking.consumer, books).tokens;
            Some(cost::expected(&price, asks.prompt(&model, books), output, asks.images()))
        });
        // What nobody knows the price of may cost anything.
        let sum = costs.sum::<Option<NanoUsd>>();
        sum.is_some_and(|sum| sum <= most)
    };
    when.max_cost.is_none_or(is_affordable).then(|| Rc::clone(rules))
}

/// The model that a name stands for; of a route, its first target's.
fn model(config: &Config, name: &str) -> Option<Rc<Model>> {
    match config.meant(name)? {
        Named::Model(model) => Some(model),
        Named::Route(route) => Some(Rc::clone(&route.targets.first()?.model)),
    }
}

impl Several {
    pub(super) fn new(
        (rules, check): (Rc<Orchestration>, Option<Rc<Checked>>),
        request: &Request<'_>,
        body: &[u8],
        route: &Route,
        verdict: Option<Box<Verdict>>,
        caching: Option<Caching>,
        (config, books): (&Config, Books<'_>),
    ) -> Self {
        let known = |name: &str| {
            let model = model(config, name);
            let view =
                model.as_ref().map(|it| books.memory.targets.borrow().view(it.name.as_str(), books.now));
            let late = view.and_then(|view| view.total).map(|total| total.late_ms.ceil() as u32);
            (name.into(), model.and_then(|model| config.price(&model)), late)
        };
        Self {
            models: rules.how.weighed().into_iter().map(known).collect(),
            rules,
            check,
            body: body.to_vec(),
            stream: request.stream,
            include_usage: request.include_usage,
            functions: request.functions,
            findings: Findings { route: route.name.clone(), verdict, caching },
        }
    }
}

impl Findings {
    /// What the cache does for it.
    #[must_use]
    pub fn caching(&self) -> Option<&Caching> {
        self.caching.as_ref()
    }

    /// What kind of request it is, where that is told.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        self.verdict.as_ref().map(|verdict| verdict.task.as_str())
    }

    /// Learns that this model's answer was of no use, where the route learns.
    pub fn learn_of_failure(&self, model: &str, config: &Config, books: Books<'_>) {
        let Some(Named::Route(route)) = config.named(self.route.as_str()) else { return };
        if route.strategy == Strategy::Adaptive {
            let subject = (self.route.as_str(), self.task().unwrap_or_default());
            books.memory.bandit.borrow_mut().learn(subject, model, 0.0, &lesson::rules(route));
        }
    }

    /// The reply that calls have come to, with this status and body. `kept` is its answer as one JSON text, if it is one.
    #[must_use]
    pub fn reply(
        self,
        (status, content_type): (u16, &'static str),
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
        (completion, origin): (&[u8], Origin<'_>),
        books: Books<'_>,
    ) -> Reply {
        let Self { route, verdict, caching } = self;
        let mut reply = Reply { status, headers, content_type, verdict, ..Reply::json(body) };
        reply.headers.push(("x-modelgate-route", route.to_string()));
        if let Some(caching) = caching {
            reply.headers.push(("x-modelgate-cache", caching.status.as_str().to_owned()));
            if let Some(keep) = caching.keep.filter(|_| status == 200) {
                let mut recorder = keep.recorder();
                recorder.answer(completion);
                keep.keep(recorder, origin, None, books);
            }
        }
        reply
    }

    /// What to do with a request whose answer is the client's, after calls have used so much.
    #[must_use]
    pub fn forward(
        self,
        body: Vec<u8>,
        before: Before,
        asking: Asking<'_>,
        config: &Config,
        books: Books<'_>,
    ) -> Step {
        let Self { route, verdict, caching } = self;
        match resumed(body, &route, asking, config, books) {
            Err(instead) => *instead,
            Ok(mut forward) => {
                forward.before = Some(Rc::new(before));
                forward.route = Some(route.shared());
                forward.verdict = verdict.or(forward.verdict);
                forward.caching = caching;
                Step::Forward(Box::new(forward))
            }
        }
    }
}

//! A chat request, from its body to the plan it is forwarded with.

use super::content::{Screening, Seen, for_output, look_over};
use super::wishes::wish;
use super::*;
use crate::affinity::Key;
use crate::chat::ResponseFormat;
use crate::config::{Ability, By, Named, Route};
use crate::names::RouteName;
use crate::route::Candidates;

/// How a chat request is forwarded, or what is done instead; `screened` is what content rules have made of it, if it is what they
/// have made.
pub(super) fn forward(
    body: &[u8],
    root: Value<'_>,
    screened: Option<&Screening>,
    asking: Asking<'_>,
    config: &Config,
    books: Books<'_>,
) -> Result<Forward, Box<Step>> {
    let Asking { consumer, request_id, .. } = asking;
    let request = Request::read(root)?;
    let asked = request.model.decode();
    asking.record.streams(request.stream);
    let asks = Asks::of(Asked::Chat(&request));
    let mut candidates = match resolve(&request, &asks, asking, config, books) {
        Ok(candidates) => candidates,
        Err(refusal) => {
            notes::asked(asking.record, config.meant(&asked));
            return match room::make(&request, body, &asks, (&asked, &refusal), config, books) {
                Some(trimmed) => truncated(trimmed, screened, asking, config, books),
                None => Err(unresolved(refusal).into()),
            };
        }
    };
    notes::found(asking.record, &candidates);
    let fired = match look_over(asks.asked(), body, screened, &mut candidates, asking, config)? {
        Seen::Passed(fired) => fired,
        Seen::Changed(screening) => {
            return screening.forward(|body, root, screening| {
                forward(body, root, Some(screening), asking, config, books)
            });
        }
    };
    let tell = |classifier| task::verdict(classifier, &request, asking, config, books);
    let (verdict, doubt) = asking.classifier.map(tell).transpose()?.unzip();
    let caching = match look_up(&request, &candidates, asking, config, books) {
        Look::Answered(reply) => return Err(Reply { verdict, ..reply }.into()),
        Look::Awaited(key) => return Err(Box::new(Step::Wait(key))),
        Look::Embed(call, awaited) => return Err(Box::new(Step::Call(call, awaited))),
        Look::Unanswered(caching) => caching,
    };
    if let Some(caching) = &caching {
        asking.record.cached(caching.status.as_str());
    }
    let constraints = wishes::constraints(asking.wishes, &request)?;
    if let Some(doubt) = doubt.flatten().filter(|_| !asking.told.task) {
        let awaited = caching.as_ref().and_then(|caching| caching.keep.as_ref()?.awaited());
        return Err(Box::new(Step::Call(doubt.call(), awaited)));
    }
    let conversation = &|route: &Route| Some(conversation(&request, route, asking));
    let terms = Terms { asks: &asks, asking, verdict: verdict.as_deref(), constraints, conversation };
    if let Some(route) = candidates.route.clone()
        && let Some(rules) = several::rules(&request, &route, &terms, config, books)
    {
        let several = Several::new(rules, &request, body, &route, verdict, caching, (config, books));
        return Err(Box::new(Step::Orchestrate(Box::new(several))));
    }
    let decision = arrange(&asked, &mut candidates, &terms, (config, false), books).map_err(unresolved)?;
    notes::candidates(asking.record, &candidates);
    let Prepared { targets, models, body: changed, headers, dropped, kept } =
        prepare(asks.asked(), &candidates.targets, body)?;
    let meter = match Meter::open(&asks, models, asking, config, books) {
        Ok(meter) => meter,
        Err(reply) => return Err(Reply { verdict, ..reply }.into()),
    };
    let (stream, include_usage) = (request.stream, request.include_usage);
    let length = changed.as_ref().map_or(body.len(), Vec::len);
    let timeouts = config.timeouts();
    let attempt_ms = if stream { timeouts.first_token_ms } else { Some(timeouts.answer_ms) };
    Ok(Forward {
        before: None,
        continues: may_continue(&request, &candidates).then(|| Rc::clone(consumer)),
        trials: Trials::new(stream, attempt_ms, decision.permit.take(), decision.lesson, decision.bond),
        attempt_ms,
        plan: Plan {
            operation: Operation::Chat,
            stream,
            include_usage,
            functions: request.functions,
            metered: meter.as_ref().map(|meter| meter.images()),
            length,
            headers,
            dropped,
            kept,
            request_id: request_id.to_string(),
            fired,
            rules: for_output(&candidates, asking, config).iter().map(|rule| rule.name.shared()).collect(),
            targets,
        },
        body: changed,
        meter,
        caching,
        verdict,
        truncated: None,
        redacted: None,
        arm: candidates.arm,
        route: candidates.route.map(|route| route.name.shared()),
    })
}

/// Whether another model may go on with the answer's stream if that breaks: not where the answer has a form that a joint may not keep.
fn may_continue(request: &Request<'_>, candidates: &Candidates) -> bool {
    let is_wanted = candidates.route.as_ref().is_some_and(|route| route.continuation);
    is_wanted && request.stream && request.n == 1 && matches!(request.response_format, ResponseFormat::Text)
}

/// How a request is forwarded of which turns were left out.
fn truncated(
    trimmed: Trimmed,
    screened: Option<&Screening>,
    asking: Asking<'_>,
    config: &Config,
    books: Books<'_>,
) -> Result<Forward, Box<Step>> {
    let document = Document::parse(&trimmed.body, Surrogates::Paired).map_err(not_json)?;
    let mut forwarded = forward(&trimmed.body, document.root(), screened, asking, config, books)?;
    drop(document);
    forwarded.body.get_or_insert_with(|| trimmed.body.clone());
    forwarded.truncated = Some(trimmed);
    Ok(forwarded)
}

/// How a request of the gateway's own making is forwarded, in the place of the client's. Its answer is looked for in no cache.
pub(super) fn resumed(
    body: Vec<u8>,
    route: &RouteName,
    asking: Asking<'_>,
    config: &Config,
    books: Books<'_>,
) -> Result<Forward, Box<Step>> {
    let told = Told::plain(Some(route.clone()));
    let control = Control { no_store: true, ..Control::default() };
    let document = Document::parse(&body, Surrogates::Paired).map_err(not_json)?;
    let mut forwarded =
        forward(&body, document.root(), None, Asking { told: &told, control, ..asking }, config, books)?;
    drop(document);
    forwarded.body.get_or_insert(body);
    Ok(forwarded)
}

/// Who may answer a request.
///
/// # Errors
/// If nobody may, or can.
pub(super) fn resolve(
    request: &Request<'_>,
    asks: &Asks<'_>,
    asking: Asking<'_>,
    config: &Config,
    books: Books<'_>,
) -> Result<Candidates, Unresolved> {
    // Where answers are checked, the schema can be an instruction: what is asked then is resolved for itself.
    let checks = || {
        !asking.told.plain
            && request.n == 1
            && matches!(config.named(&request.model.decode()), Some(Named::Route(route)) if route.check.is_some())
    };
    let needs = Needs {
        abilities: &|| match asks.abilities() {
            all if checks() => all.without(Ability::JsonSchema),
            all => all,
        },
        lot: &|route, by| match by {
            By::Consumer => lot(route, asking.consumer),
            By::Conversation => conversation(request, route, asking).number(),
        },
        more_than: &|model, window| asks.more_than(model, window, books),
        among: &asking.told.among,
    };
    route::resolve(config, &request.model.decode(), asking.consumer, needs)
}

/// The number by which a consumer is in an arm of a route's experiment.
pub(super) fn lot(route: &Route, consumer: &Consumer) -> u64 {
    Key::named(route.name.as_str(), consumer.name.as_str(), "").number()
}

/// The conversation that a request is a turn of: as the client says, or by how it begins.
pub(super) fn conversation(request: &Request<'_>, route: &Route, asking: Asking<'_>) -> Key {
    let said = wish("conversation", asking.wishes, request.get("metadata")).map(|wish| wish.text);
    let said = said.or_else(|| Some(request.get("prompt_cache_key")?.text()?.decode().into_owned()));
    Key::of(request, route.name.as_str(), asking.consumer.name.as_str(), said.as_deref())
}

//! Who would answer a chat, and why: `POST /v1/route/explain`. It is decided as for the chat itself, but nobody is asked, nobody's
//! turn is over, and nothing stays reserved.

use super::chat::{conversation, resolve};
use super::content::screen;
use super::meter::Meter;
use super::needs::{Asked, Asks};
use super::order::{Standing, Terms, arrange};
use super::prepare::fits;
use super::{Asking, Books, Reply, Step, not_json, room, status, task, unresolved, wishes};
use crate::chat::Request;
use crate::classify::Verdict;
use crate::config::{Config, Route, Target};
use crate::error::ApiError;
use crate::json::{self, Document, Object, Surrogates, Value};
use crate::route::{Candidates, thousandths};
use crate::trim::Trimmed;
use std::rc::Rc;

/// The explanation for the request that this would be, of which so many messages were left out.
///
/// # Errors
/// Those of the chat itself, where nobody could answer.
pub(super) fn explain(
    body: &[u8],
    root: Value<'_>,
    truncated: usize,
    asking: Asking<'_>,
    config: &Config,
    books: Books<'_>,
) -> Result<Reply, ApiError> {
    let request = Request::read(root)?;
    let asked = request.model.decode();
    let asks = Asks::of(Asked::Chat(&request));
    let mut candidates = match resolve(&request, &asks, asking, config, books) {
        Ok(candidates) => candidates,
        Err(refusal) => {
            let trimmed = room::make(&request, body, &asks, (&asked, &refusal), config, books);
            let Some(Trimmed { body, messages }) = trimmed else { return Err(unresolved(refusal)) };
            let document = Document::parse(&body, Surrogates::Paired).map_err(not_json)?;
            return explain(&body, document.root(), messages, asking, config, books);
        }
    };
    if let Err(instead) = screen(asks.asked(), body, &mut candidates, asking, config)
        && let Step::Reply(reply) = *instead
    {
        return Ok(reply);
    }
    let tell = |classifier| task::verdict(classifier, &request, asking, config, books);
    let verdict = asking.classifier.map(tell).transpose()?.map(|(verdict, _)| verdict);
    let constraints = wishes::constraints(asking.wishes, &request)?;
    let conversation = &|route: &Route| Some(conversation(&request, route, asking));
    let terms = Terms { asks: &asks, asking, verdict: verdict.as_deref(), constraints, conversation };
    let decision = arrange(&asked, &mut candidates, &terms, (config, true), books).map_err(unresolved)?;
    let refusals: Vec<_> =
        candidates.targets.iter().map(|target| fits(Asked::Chat(&request), target).err()).collect();
    let first = candidates.targets.iter().zip(&refusals).find(|(_, refusal)| refusal.is_none());
    let first = first.map(|(target, _)| target);

    let mut out = Vec::with_capacity(1024);
    json::object(&mut out, |it| {
        it.string("object", "route.explanation");
        it.string("model", &asked);
        match &candidates.route {
            Some(route) => {
                it.string("route", route.name.as_str());
                it.string("strategy", route.strategy.as_str());
                if let Some(arm) = &candidates.arm {
                    it.string("arm", arm.as_str());
                }
            }
            None => it.null("route"),
        }
        if truncated > 0 {
            it.number("truncated", truncated);
        }
        match &verdict {
            Some(verdict) => it.object("task", |it| explain_task(it, verdict)),
            None => it.null("task"),
        }
        it.array("plan", |plan| {
            let planned = candidates.targets.iter().zip(&refusals).filter(|(_, refusal)| refusal.is_none());
            planned.for_each(|(target, _)| plan.string(target.model.name.as_str()));
        });
        it.array("targets", |list| {
            for (target, standing) in candidates.targets.iter().zip(&decision.standings) {
                list.object(|it| explain_target(it, target, standing, &candidates, &terms, books));
            }
        });
        it.array("excluded", |list| {
            let mut say = |model: &str, provider: &str, reason: &str| {
                list.object(|it| {
                    it.string("model", model);
                    it.string("provider", provider);
                    it.string("reason", reason);
                });
            };
            for excluded in &candidates.excluded {
                say(excluded.model.as_str(), excluded.provider.as_str(), &excluded.to_string());
            }
            for (target, refusal) in candidates.targets.iter().zip(&refusals) {
                if let Some(refusal) = refusal {
                    say(target.model.name.as_str(), target.model.provider.name.as_str(), &refusal.message);
                }
            }
        });
        if let Some(first) = first {
            explain_limits(it, &asks, first, asking, config, books);
        }
    });
    Ok(Reply::json(out))
}

fn explain_task(it: &mut Object<'_>, verdict: &Verdict) {
    it.string("task", verdict.task.as_str());
    it.raw("confidence", thousandths(verdict.confidence).as_bytes());
    it.string("evidence", &verdict.evidence.to_string());
    if let Some((task, confidence)) = &verdict.runner_up {
        it.string("runner_up", task.as_str());
        it.raw("runner_up_confidence", thousandths(*confidence).as_bytes());
    }
    it.string("complexity", verdict.complexity.as_str());
}

fn explain_target(
    it: &mut Object<'_>,
    target: &Target,
    Standing { view, merits }: &Standing,
    candidates: &Candidates,
    terms: &Terms<'_>,
    books: Books<'_>,
) {
    let model = &target.model;
    it.string("model", model.name.as_str());
    it.string("provider", model.provider.name.as_str());
    it.number("priority", target.priority);
    status::circuit(it, view.circuit, books.now);
    it.raw("success", thousandths((merits.success * 1_000.0) as u16).as_bytes());
    if let Some(latency) = merits.latency_ms {
        it.number("latency_ms", latency as u64);
    }
    it.number("prompt_tokens", merits.prompt);
    if let Some(tokens) = view.tokens {
        it.number("usual_completion_tokens", tokens as u64);
    }
    if let Some(cost) = merits.cost {
        it.number("expected_cost_usd", cost);
    }
    if let Some(quality) = merits.quality {
        it.raw("quality", thousandths(quality).as_bytes());
    }
    if let Some(route) = &candidates.route {
        let subject = (route.name.as_str(), terms.task());
        if let Some((reward, _)) = books.memory.bandit.borrow().view(subject, model.name.as_str()) {
            it.raw("reward", thousandths((reward * 1_000.0) as u16).as_bytes());
        }
        it.number("weight", target.weight);
    }
}

/// How the limits stand for the request, or which of them would refuse it.
fn explain_limits(
    it: &mut Object<'_>,
    asks: &Asks<'_>,
    first: &Target,
    asking: Asking<'_>,
    config: &Config,
    books: Books<'_>,
) {
    match Meter::open(asks, vec![Rc::clone(&first.model)], asking, config, books) {
        Ok(None) => it.null("limits"),
        Ok(Some(meter)) => {
            it.object("limits", |it| {
                for (name, value) in meter.standing() {
                    it.string(name, &value);
                }
            });
            meter.release(books);
        }
        Err(refused) => {
            it.object("limits", |it| {
                for (name, value) in &refused.headers {
                    it.string(name, value);
                }
                it.raw("refused", &refused.body);
            });
        }
    }
}

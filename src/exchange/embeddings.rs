//! A request for embeddings, from its body to the plan it is forwarded with.

use super::meter::Meter;
use super::needs::{Asked, Asks};
use super::order::{Terms, arrange};
use super::prepare::{MOST_ATTEMPTS, MOST_KEPT, Prepared, dialect, planned, put_to};
use super::{Asking, Books, Forward, Step, Trials, unresolved};
use crate::cache::not_cached;
use crate::config::{Config, Constraints, Target as Candidate, Vendor};
use crate::embeddings::Request;
use crate::error::ApiError;
use crate::estimate::Makeup;
use crate::json::Value;
use crate::plan::{Operation, Plan};
use crate::route::{self, Needs};
use std::rc::Rc;

/// How the request with this body is forwarded, or what is done instead. Its answers are not kept.
pub(super) fn forward(
    body: &[u8],
    root: Value<'_>,
    asking: Asking<'_>,
    config: &Config,
    books: Books<'_>,
) -> Result<Forward, Box<Step>> {
    let Asking { consumer, request_id, control, .. } = asking;
    let request = Request::read(root)?;
    let asked = request.model.decode();
    let mut candidates = route::resolve(config, &asked, consumer, Needs::NOTHING).map_err(unresolved)?;
    if control.only_if_cached {
        return Err(not_cached().into());
    }
    let asks = Asks::of(Asked::Embeddings(&request));
    let terms = Terms { asks: &asks, stream: false, task: None, constraints: Constraints::default() };
    let permit = arrange(&asked, &mut candidates, &terms, config, books).map_err(unresolved)?;
    let Prepared { targets, models, body: changed, headers, dropped, kept } =
        prepare(&request, &candidates.targets, body)?;
    let meter = Meter::open(&asks, models, consumer, config, books)?;
    let silent = targets.iter().any(|target| target.vendor == Vendor::Gemini);
    let tokens = match &meter {
        Some(meter) if meter.input() > 0 => meter.input(),
        _ if silent => Makeup::of_input(&request.input).tokens(),
        _ => 0,
    };
    let attempt_ms = Some(config.timeouts().answer_ms);
    Ok(Forward {
        trials: Trials::new(false, attempt_ms, permit.take()),
        attempt_ms,
        plan: Plan {
            operation: Operation::Embeddings { encoding: request.encoding, tokens },
            stream: false,
            include_usage: false,
            functions: false,
            metered: meter.as_ref().map(|meter| meter.images()),
            length: changed.as_ref().map_or(body.len(), Vec::len),
            headers,
            dropped,
            kept,
            request_id: request_id.to_string(),
            targets,
        },
        body: changed,
        meter,
        caching: None,
        verdict: None,
        route: candidates.route.map(|route| route.name.shared()),
    })
}

/// Prepares the attempts at those candidates that can do what is asked. The first target's words are written here; if others
/// may have to be asked, what the client sent is kept aside for them.
///
/// # Errors
/// If none can: what keeps the first from it.
fn prepare(request: &Request<'_>, candidates: &[Candidate], body: &[u8]) -> Result<Prepared, ApiError> {
    let keeps = candidates.len() == 1 || body.len() <= MOST_KEPT;
    let mut refusal = None;
    let mut prepared = Prepared::default();
    for candidate in candidates {
        let outgoing = match dialect(candidate).embeddings(request, put_to(candidate)) {
            Ok(outgoing) => outgoing,
            Err(error) => {
                refusal.get_or_insert(error);
                continue;
            }
        };
        let passes = keeps && prepared.targets.is_empty();
        if passes {
            prepared.dropped = outgoing.dropped_list();
            prepared.body = Some(outgoing.body);
        }
        let room = MOST_ATTEMPTS.saturating_sub(prepared.targets.len()).min(candidate.tries as usize);
        prepared.targets.extend(std::iter::repeat_n(planned(candidate, passes), room));
        prepared.models.extend(std::iter::repeat_n(Rc::clone(&candidate.model), room));
    }
    prepared.kept = prepared.body.is_some() && prepared.targets.iter().any(|target| !target.body_passes);
    match refusal.filter(|_| prepared.targets.is_empty()) {
        Some(refusal) => Err(refusal),
        None => Ok(prepared),
    }
}

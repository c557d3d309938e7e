//! The attempts of a request, and the body that they get.

use crate::chat::Request;
use crate::config::{Model, Target as Candidate};
use crate::error::ApiError;
use crate::json::{self, Edit, Value, splice};
use crate::plan::PlannedTarget;
use crate::provider::{Adapter, Target, adapter};
use std::rc::Rc;

/// What is forwarded.
pub(super) struct Prepared {
    /// The attempts.
    pub targets: Vec<PlannedTarget>,
    /// Their models.
    pub models: Vec<Rc<Model>>,
    /// The body, where it changes.
    pub body: Option<Vec<u8>>,
    /// See [`Plan::headers`](crate::plan::Plan::headers).
    pub headers: Vec<(String, String)>,
    /// See [`Plan::dropped`](crate::plan::Plan::dropped).
    pub dropped: String,
}

/// Prepares the attempts: at those candidates that can do what is asked, each as often as it may try.
///
/// # Errors
/// If none can: what keeps the first from it.
pub(super) fn prepare(
    request: &Request<'_>,
    candidates: &[Candidate],
    body: &[u8],
) -> Result<Prepared, ApiError> {
    let canonical_is_spoken = |candidate| dialect(candidate).is_canonical() && !request.echoes();
    match candidates {
        [only] if !canonical_is_spoken(only) => in_its_words(request, only),
        candidates => {
            let (targets, models) = targets(request, candidates)?;
            let body = canonical(request, &targets, body);
            Ok(Prepared { targets, models, body, headers: Vec::new(), dropped: String::new() })
        }
    }
}

/// Translates for the only candidate. Nobody else will need the canonical form, so it is left here,
/// where the body has just been read, and not by each attempt again.
fn in_its_words(request: &Request<'_>, candidate: &Candidate) -> Result<Prepared, ApiError> {
    let outgoing = dialect(candidate).request(request, put_to(candidate))?;
    let dropped = outgoing.dropped_list();
    let headers = outgoing.headers.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    let tries = MOST_ATTEMPTS.min(candidate.tries as usize);
    let (targets, models) = (vec![planned(candidate, true); tries], vec![Rc::clone(&candidate.model); tries]);
    Ok(Prepared { targets, models, body: Some(outgoing.body), headers, dropped })
}

/// The attempts, and their models.
type Targets = (Vec<PlannedTarget>, Vec<Rc<Model>>);

fn targets(request: &Request<'_>, candidates: &[Candidate]) -> Result<Targets, ApiError> {
    let echoes = request.echoes();
    let mut refusal = None;
    let mut targets: Vec<PlannedTarget> = Vec::with_capacity(candidates.len());
    let mut models = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let target = put_to(candidate);
        if let Err(error) = dialect(candidate).fits(request, target) {
            refusal.get_or_insert(error);
            continue;
        }
        // The body is written for the first target (see `canonical`); it suits a later one only if
        // that one calls its model the same.
        let suits = |first: &PlannedTarget| first.body_passes && *first.model == *target.model;
        let passes = dialect(candidate).is_canonical() && !echoes && targets.first().is_none_or(suits);
        let room = MOST_ATTEMPTS.saturating_sub(targets.len()).min(candidate.tries as usize);
        targets.extend(std::iter::repeat_n(planned(candidate, passes), room));
        models.extend(std::iter::repeat_n(Rc::clone(&candidate.model), room));
    }
    match refusal {
        Some(refusal) if targets.is_empty() => Err(refusal),
        _ => Ok((targets, models)),
    }
}

/// However long a route is, a client waits for no more attempts than this.
pub(super) const MOST_ATTEMPTS: usize = 16;

fn dialect(candidate: &Candidate) -> &'static dyn Adapter {
    adapter(candidate.model.provider.vendor)
}

fn put_to(candidate: &Candidate) -> Target<'_> {
    let model = &candidate.model;
    Target { model: model.upstream.as_str(), max_output_tokens: model.max_output_tokens }
}

fn planned(candidate: &Candidate, body_passes: bool) -> PlannedTarget {
    let model = &candidate.model;
    PlannedTarget {
        provider: model.provider.name.shared(),
        vendor: model.provider.vendor,
        cluster: model.provider.cluster.shared(),
        model: model.upstream.shared(),
        name: model.name.shared(),
        body_passes,
        max_output_tokens: model.max_output_tokens,
    }
}

/// The body that goes out, where it differs from what came in: it asks for usage in every stream,
/// for metering, and names the first target's model where that one takes the body as it stands.
fn canonical(request: &Request<'_>, targets: &[PlannedTarget], body: &[u8]) -> Option<Vec<u8>> {
    let passes = |target: &&PlannedTarget| target.body_passes;
    let first = targets.first().filter(passes)?;
    let mut edits = Vec::new();
    if request.model != *first.model {
        let model = request.get("model")?;
        let mut name = Vec::new();
        json::string(&mut name, &first.model);
        edits.push(Edit::replace(model, name));
    }
    if request.stream && !request.include_usage {
        let options = request.get("stream_options");
        edits.push(match options {
            Some(options) => set(options, "include_usage", b"true"),
            None => set(request.value, "stream_options", br#"{"include_usage":true}"#),
        });
    }
    if edits.is_empty() { None } else { Some(splice(body, edits)) }
}

/// Gives a member of an object a value, whether or not it has one.
fn set(object: Value<'_>, key: &str, json: &[u8]) -> Edit {
    match object.entries().find(|(name, _)| name.text().is_some_and(|name| name == key)) {
        Some((_, old)) => Edit::replace(old, json),
        None => Edit::insert(object, key, json),
    }
}

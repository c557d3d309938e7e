//! The attempts of a request, and the body that they get.

use crate::chat::Request;
use crate::config::{Model, Target as Candidate};
use crate::error::ApiError;
use crate::json::{self, Edit, Value, splice};
use crate::plan::PlannedTarget;
use crate::provider::{Adapter, Target, adapter};
use std::rc::Rc;

/// What is forwarded.
#[derive(Default)]
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
    /// See [`Plan::kept`](crate::plan::Plan::kept).
    pub kept: bool,
}

/// Prepares the attempts: at those candidates that can do what is asked, each as often as it may try.
///
/// The body is written for the first of them, here, where it has just been read, so that its attempts need not read it
/// again. If that one speaks another dialect, what the later ones need is kept aside.
///
/// # Errors
/// If none can: what keeps the first from it.
pub(super) fn prepare(
    request: &Request<'_>,
    candidates: &[Candidate],
    body: &[u8],
) -> Result<Prepared, ApiError> {
    let echoes = request.echoes();
    let keeps = candidates.len() == 1 || body.len() <= MOST_KEPT;
    let mut refusal = None;
    let mut prepared = Prepared::default();
    for candidate in candidates {
        let (dialect, target) = (dialect(candidate), put_to(candidate));
        let speaks_canonical = dialect.is_canonical() && !echoes;
        let first = prepared.targets.first();
        // The body is written for the first target; it suits a later one only if that one calls its model the same.
        let suits = |first: &PlannedTarget| {
            first.body_passes && prepared.body.is_none() && *first.model == *target.model
        };
        let translates = first.is_none() && !speaks_canonical && keeps;
        let passes = translates || speaks_canonical && first.is_none_or(suits);
        let outgoing = match translates {
            true => dialect.request(request, target).map(Some),
            false => dialect.fits(request, target).map(|()| None),
        };
        match outgoing {
            Err(error) => {
                refusal.get_or_insert(error);
                continue;
            }
            Ok(None) => {}
            Ok(Some(outgoing)) => {
                prepared.dropped = outgoing.dropped_list();
                let headers = outgoing.headers.into_iter();
                prepared.headers = headers.map(|(name, value)| (name.to_string(), value)).collect();
                prepared.body = Some(outgoing.body);
            }
        }
        let room = MOST_ATTEMPTS.saturating_sub(prepared.targets.len()).min(candidate.tries as usize);
        prepared.targets.extend(std::iter::repeat_n(planned(candidate, passes), room));
        prepared.models.extend(std::iter::repeat_n(Rc::clone(&candidate.model), room));
    }
    if let Some(refusal) = refusal.filter(|_| prepared.targets.is_empty()) {
        return Err(refusal);
    }
    match prepared.body {
        Some(_) => prepared.kept = prepared.targets.iter().any(|target| !target.body_passes),
        None => prepared.body = canonical(request, &prepared.targets, body),
    }
    Ok(prepared)
}

/// A larger body, in bytes, is not kept for later attempts as long as a request is under way.
pub(super) const MOST_KEPT: usize = 256 * 1024;

/// However long a route is, a client waits for no more attempts than this.
pub(super) const MOST_ATTEMPTS: usize = 16;

pub(super) fn dialect(candidate: &Candidate) -> &'static dyn Adapter {
    adapter(candidate.model.provider.vendor)
}

pub(super) fn put_to(candidate: &Candidate) -> Target<'_> {
    let model = &candidate.model;
    Target { model: model.upstream.as_str(), max_output_tokens: model.max_output_tokens }
}

pub(super) fn planned(candidate: &Candidate, body_passes: bool) -> PlannedTarget {
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

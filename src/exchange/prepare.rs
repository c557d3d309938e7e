//! The attempts of a request, and the body that they get.

use super::needs::Asked;
use super::not_json;
use crate::chat::{Request, degraded};
use crate::config::{Edits, Model, Target as Candidate};
use crate::error::ApiError;
use crate::json::{self, Document, Edit, Surrogates, splice};
use crate::plan::PlannedTarget;
use crate::provider::{Adapter, Outgoing, Target, adapter};
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
pub(super) fn prepare(asked: Asked<'_>, candidates: &[Candidate], body: &[u8]) -> Result<Prepared, ApiError> {
    let echoes = matches!(asked, Asked::Chat(request) if request.echoes());
    let keeps = candidates.len() == 1 || body.len() <= MOST_KEPT;
    let mut refusal = None;
    let mut prepared = Prepared::default();
    for candidate in candidates {
        let (dialect, target) = (dialect(candidate), put_to(candidate));
        let speaks_canonical = asked.is_said_in(dialect) && !echoes;
        let first = prepared.targets.first();
        // The body is written for the first target; it suits a later one only if that one calls its model the same.
        let suits = |first: &PlannedTarget| {
            first.body_passes && prepared.body.is_none() && *first.model == *target.model
        };
        let edits = candidate.as_fallback.as_ref().filter(|_| first.is_some());
        let translates = first.is_none() && !speaks_canonical && keeps;
        let passes = translates || speaks_canonical && first.is_none_or(suits) && edits.is_none();
        let outgoing = match (translates, edits) {
            (true, _) => asked.say(dialect, body, target).map(Some),
            (false, Some(edits)) => asked.fits_with(edits, body, dialect, target).map(|()| None),
            (false, None) => asked.fits(dialect, target).map(|()| None),
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
        let planned = PlannedTarget { edits: edits.cloned(), ..planned(candidate, passes) };
        prepared.targets.extend(std::iter::repeat_n(planned, room));
        prepared.models.extend(std::iter::repeat_n(Rc::clone(&candidate.model), room));
    }
    if let Some(refusal) = refusal.filter(|_| prepared.targets.is_empty()) {
        return Err(refusal);
    }
    match prepared.body {
        Some(_) => prepared.kept = prepared.targets.iter().any(|target| !target.body_passes),
        None => prepared.body = canonical(asked, &prepared.targets, body),
    }
    Ok(prepared)
}

/// Whether a candidate can do what is asked, in its provider's words.
///
/// # Errors
/// What keeps it from that.
pub(super) fn fits(asked: Asked<'_>, candidate: &Candidate) -> Result<(), ApiError> {
    asked.fits(dialect(candidate), put_to(candidate))
}

/// A larger body, in bytes, is not kept for later attempts as long as a request is under way.
const MOST_KEPT: usize = 256 * 1024;

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
        edits: None,
    }
}

/// The body that goes out, where it differs from what came in: it asks for usage in every stream,
/// for metering, and names the first target's model where that one takes the body as it stands.
fn canonical(asked: Asked<'_>, targets: &[PlannedTarget], body: &[u8]) -> Option<Vec<u8>> {
    let passes = |target: &&PlannedTarget| target.body_passes;
    let first = targets.first().filter(passes)?;
    let (model, value) = match asked {
        Asked::Chat(request) => (&request.model, request.value),
        Asked::Embeddings(request) => (&request.model, request.value),
    };
    let mut edits = Vec::new();
    if *model != *first.model {
        let mut name = Vec::new();
        json::string(&mut name, &first.model);
        edits.push(Edit::set(value, "model", &name));
    }
    if let Asked::Chat(request) = asked
        && request.stream
        && !request.include_usage
    {
        edits.push(match request.get("stream_options") {
            Some(options) => Edit::set(options, "include_usage", b"true"),
            None => Edit::set(value, "stream_options", br#"{"include_usage":true}"#),
        });
    }
    if edits.is_empty() { None } else { Some(splice(body, edits)) }
}

impl Asked<'_> {
    /// Whether what the client says is in the words of a dialect, but for the model's name.
    fn is_said_in(self, dialect: &dyn Adapter) -> bool {
        match self {
            Self::Chat(_) => dialect.is_canonical(),
            Self::Embeddings(request) => dialect.embeds_as_said(request),
        }
    }

    fn fits(self, dialect: &dyn Adapter, target: Target<'_>) -> Result<(), ApiError> {
        match self {
            Self::Chat(request) => dialect.fits(request, target),
            Self::Embeddings(request) => dialect.fits_embeddings(request, target).map(drop),
        }
    }

    /// The same with what is changed for a fallback in what is asked, whose text is `body`.
    fn fits_with(
        self,
        edits: &Edits,
        body: &[u8],
        dialect: &dyn Adapter,
        target: Target<'_>,
    ) -> Result<(), ApiError> {
        let Self::Chat(request) = self else { return self.fits(dialect, target) };
        let degraded = degraded(request, body, edits);
        let document = Document::parse(&degraded, Surrogates::Paired).map_err(not_json)?;
        Asked::Chat(&Request::read(document.root())?).fits(dialect, target)
    }

    /// Says it, whose text is `body`, in the words of a dialect.
    fn say(self, dialect: &dyn Adapter, body: &[u8], target: Target<'_>) -> Result<Outgoing, ApiError> {
        match self {
            Self::Chat(request) => dialect.request(request, target),
            Self::Embeddings(request) => dialect.embeddings(body, request, target),
        }
    }
}

//! The client's answer, of one that was given to a call: with what all calls have used, in the form that the client asked for.

use super::{Commission, Refusal, Said};
use crate::chat::{Before, ChunkWriter, Costs, EVENT_STREAM, JSON, Usage, streamed};
use crate::json::{Document, Surrogates};
use std::rc::Rc;

/// The client's answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Finished {
    /// The HTTP status.
    pub status: u16,
    /// `content-type`.
    pub content_type: &'static str,
    /// Other headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The answer as one JSON text, as it was given.
    pub completion: Vec<u8>,
    /// The provider that gave it.
    pub provider: String,
    /// The model that gave it.
    pub model: String,
}

/// Makes the client's answer of what was said; none if that cannot be put into the client's form.
pub(super) fn finish(said: Said, commission: &Commission, before: Before) -> Option<Finished> {
    let (content_type, headers, body) = form(&said, commission, before)?;
    let Said { completion, provider, model, .. } = said;
    Some(Finished { status: 200, content_type, headers, body, completion, provider, model })
}

/// Makes an error of what is answered instead, which says what was used nevertheless. Clients that try again by themselves are told not
/// to where that was paid for.
pub(super) fn refuse(refusal: Refusal, before: Before) -> Finished {
    let Refusal { status, body, retry_after } = refusal;
    let mut headers = Vec::new();
    if !retry_after.is_empty() {
        headers.push(("retry-after", retry_after));
    }
    let is_paid = before.usage.prompt > 0 || before.usage.completion > 0 || before.cost.is_some();
    let document = Document::parse(&body, Surrogates::Lone).ok().filter(|_| is_paid);
    let told = document.map(|document| {
        headers.push(("x-should-retry", "false".to_owned()));
        headers.extend(before.cost.map(|cost| ("x-modelgate-cost-usd", cost.to_string())));
        Costs::default().after(Some(Rc::new(before))).told_in(&body, document.root(), None)
    });
    let body = told.unwrap_or(body);
    let (completion, provider, model) = Default::default();
    Finished { status, content_type: JSON, headers, body, completion, provider, model }
}

/// The content type, other headers and the body.
type Form = (&'static str, Vec<(&'static str, String)>, Vec<u8>);

fn form(said: &Said, commission: &Commission, before: Before) -> Option<Form> {
    let document = Document::parse(&said.completion, Surrogates::Lone).ok()?;
    let mut headers =
        vec![("x-modelgate-provider", said.provider.clone()), ("x-modelgate-model", said.model.clone())];
    let cost = before.cost.map(|cost| cost.to_string());
    let costs = Costs::default().after(Some(Rc::new(before)));
    if !commission.stream {
        headers.extend(cost.map(|cost| ("x-modelgate-cost-usd", cost)));
        let body = costs.told_in(&said.completion, document.root(), None);
        return Some((JSON, headers, body));
    }
    headers.push(("cache-control", "no-cache".to_owned()));
    let writer = ChunkWriter::new("", &said.model, 0, commission.include_usage)
        .with_functions(commission.functions)
        .with_costs(Some(costs));
    // What it has used is among what all calls have.
    let body = streamed(document.root(), Some(Usage::default()), writer)?;
    Some((EVENT_STREAM, headers, body))
}

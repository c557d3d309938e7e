//! Embeddings as OpenAI and its followers have them.

use super::{Outgoing, Target, error};
use crate::chat::Usage;
use crate::embeddings::{Encoding, Request, Vector, Wanted, write_usage};
use crate::error::ApiError;
use crate::json::{self, Edit, Value, splice};
use crate::provider::{Embeds, Vectors, no_vector};

/// Says a request, whose text is `text`, as a vendor knows it that makes embeddings so.
pub(super) fn write(embeds: &Embeds, text: &[u8], request: &Request<'_>, target: Target<'_>) -> Outgoing {
    let mut edits = edits(embeds, request);
    if request.model != *target.model {
        let mut name = Vec::new();
        json::string(&mut name, target.model);
        edits.push(Edit::set(request.value, "model", &name));
    }
    let mut outgoing = Outgoing { body: splice(text, edits), ..Outgoing::default() };
    if !embeds.user && request.value.get("user").is_some() {
        outgoing.dropped.push("user".into());
    }
    outgoing
}

/// What the vendor does not know, or calls otherwise.
pub(super) fn edits(embeds: &Embeds, request: &Request<'_>) -> Vec<Edit> {
    let Embeds { dimensions, encoding_format, user, .. } = *embeds;
    let mut edits = json::removals(request.value, |key| {
        // What comes in the other form is put into that which was asked for.
        (!encoding_format && *key == "encoding_format") || (!user && *key == "user")
    });
    if let Some(dimensions) = dimensions.filter(|name| *name != DIMENSIONS)
        && let Some((key, _)) = request.value.entries().find(|(key, _)| key.says(DIMENSIONS))
    {
        let mut name = Vec::new();
        json::string(&mut name, dimensions);
        edits.push(Edit::replace(key, name));
    }
    edits
}

/// What OpenAI calls the length of a vector.
const DIMENSIONS: &str = "dimensions";

/// Reads an answer in OpenAI's form. Vectors that are in the other form than was asked for are put into that.
pub(in crate::provider) fn read(text: &[u8], answer: Value<'_>, wanted: Wanted) -> Result<Vectors, ApiError> {
    let items = || answer.get("data").into_iter().flat_map(Value::items);
    if items().next().is_none() {
        return Err(match error::is_one(answer) {
            true => error::in_band(answer),
            false => ApiError::bad_answer("the provider sent an answer without embeddings"),
        });
    }
    let (mut edits, mut lengths) = (Vec::new(), Vec::new());
    for item in items() {
        let length = item.get("embedding").and_then(|vector| {
            if Encoding::of(vector)? == wanted.encoding {
                return Vector::length(vector);
            }
            let read = Vector::read(vector)?;
            let mut written = Vec::new();
            read.write(&mut written, wanted.encoding);
            edits.push(Edit::replace(vector, written));
            Some(read.0.len())
        });
        lengths.push(length.ok_or_else(no_vector)?);
    }
    wanted.check(&lengths)?;
    let mut usage = answer.get("usage").map(Usage::read).unwrap_or_default();
    if usage.prompt == 0 {
        // All tokens are the input's, and no input has none.
        usage.prompt = usage.total.unwrap_or(0);
        let mut told = Vec::new();
        write_usage(&mut told, if usage.prompt > 0 { usage.prompt } else { wanted.tokens });
        edits.push(Edit::set(answer, "usage", &told));
    }
    let body = (!edits.is_empty()).then(|| splice(text, edits));
    Ok(Vectors { body, usage: Some(usage).filter(|usage| usage.prompt > 0) })
}

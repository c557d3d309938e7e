//! Embeddings as OpenAI and its followers have them.

use super::quirks::{Embeds, Quirks};
use super::{Outgoing, Target, error};
use crate::chat::Usage;
use crate::embeddings::{Encoding, Request, Vector, write_usage};
use crate::error::ApiError;
use crate::json::{self, Edit, Value, splice};
use crate::provider::{Embedded, Vectors, no_embeddings};

/// Whether the vendor makes embeddings, and what it knows of them.
pub(super) fn fits(quirks: &Quirks, target: Target<'_>) -> Result<Embeds, ApiError> {
    quirks.embeds.ok_or_else(|| no_embeddings(target))
}

/// Says a request, whose text is `text`, as the vendor knows it.
pub(super) fn write(
    quirks: &Quirks,
    text: &[u8],
    request: &Request<'_>,
    target: Target<'_>,
) -> Result<Outgoing, ApiError> {
    let embeds = fits(quirks, target)?;
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
    Ok(outgoing)
}

/// What the vendor does not know, or calls otherwise.
pub(super) fn edits(embeds: Embeds, request: &Request<'_>) -> Vec<Edit> {
    let Embeds { dimensions, encoding_format, user } = embeds;
    let mut edits = json::removals(request.value, |key| {
        // What comes in the other form is put into that which was asked for.
        (!encoding_format && *key == "encoding_format") || (!user && *key == "user")
    });
    if dimensions != DIMENSIONS
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
pub(in crate::provider) fn read(
    text: &[u8],
    answer: Value<'_>,
    asked: Embedded<'_>,
) -> Result<Vectors, ApiError> {
    let items = || answer.get("data").into_iter().flat_map(Value::items);
    if items().next().is_none() {
        return Err(match error::is_one(answer) {
            true => error::in_band(answer),
            false => ApiError::bad_answer("the provider sent an answer without embeddings"),
        });
    }
    let mut edits = Vec::new();
    for item in items() {
        let vector = item.get("embedding").and_then(|vector| Some((vector, Encoding::of(vector)?)));
        let (vector, encoding) =
            vector.ok_or_else(|| ApiError::bad_answer("the provider sent an embedding that is no vector"))?;
        if encoding == asked.encoding {
            continue;
        }
        let read = Vector::read(vector);
        let read =
            read.ok_or_else(|| ApiError::bad_answer("the provider sent an embedding that cannot be read"))?;
        let mut written = Vec::new();
        read.write(&mut written, asked.encoding);
        edits.push(Edit::replace(vector, written));
    }
    let mut usage = answer.get("usage").map(Usage::read).unwrap_or_default();
    if usage.prompt == 0 {
        // All tokens are the input's, and no input has none.
        usage.prompt = usage.total.unwrap_or(0);
        let mut told = Vec::new();
        write_usage(&mut told, if usage.prompt > 0 { usage.prompt } else { asked.tokens });
        edits.push(Edit::set(answer, "usage", &told));
    }
    let body = (!edits.is_empty()).then(|| splice(text, edits));
    Ok(Vectors { body, usage: Some(usage).filter(|usage| usage.prompt > 0) })
}

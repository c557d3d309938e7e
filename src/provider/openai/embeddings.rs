//! Embeddings as OpenAI and its followers have them.

use super::quirks::{Embeds, Quirks};
use super::{Outgoing, Target, error};
use crate::chat::Usage;
use crate::embeddings::{Encoding, Request, Vector};
use crate::error::ApiError;
use crate::json::{self, Edit, Value, splice};
use crate::provider::{Embedded, Vectors, no_embeddings};

/// Says a request as the vendor knows it.
pub(super) fn write(
    quirks: &Quirks,
    request: &Request<'_>,
    target: Target<'_>,
) -> Result<Outgoing, ApiError> {
    let Embeds { dimensions, encoding_format, user } = quirks.embeds.ok_or_else(|| no_embeddings(target))?;
    let mut outgoing = Outgoing::default();
    json::object(&mut outgoing.body, |body| {
        for (key, value) in request.value.entries() {
            let Some(key) = key.text() else { continue };
            match &*key.decode() {
                "model" => body.string("model", target.model),
                "dimensions" if !value.is_null() => body.raw(dimensions, value.raw()),
                // What comes in the other form is put into that which was asked for.
                "encoding_format" if !encoding_format => {}
                "user" if !user => outgoing.dropped.push("user".into()),
                _ => body.member(&key, value.raw()),
            }
        }
    });
    Ok(outgoing)
}

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
    let usage = answer.get("usage").map(Usage::read);
    let body = (!edits.is_empty()).then(|| splice(text, edits));
    Ok(Vectors { body, usage })
}

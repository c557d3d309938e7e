//! Embeddings: `batchEmbedContents` of the Gemini API. <https://ai.google.dev/api/embeddings>

use super::{Outgoing, Target};
use crate::chat::Usage;
use crate::embeddings::{Input, Request, Vector, Wanted, write_usage};
use crate::error::ApiError;
use crate::json::{self, Value};
use crate::provider::{Embeds, Vectors, no_vector};

/// What it knows of them.
pub(super) const EMBEDS: Embeds = Embeds {
    dimensions: Some("outputDimensionality"),
    encoding_format: false,
    user: false,
    tokens: false,
    // "BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch"
    most_inputs: &[("", 100)],
};

/// The model's name without what it may begin with.
pub(super) fn model<'t>(target: Target<'t>) -> &'t str {
    target.model.strip_prefix("models/").unwrap_or(target.model)
}

/// Says a request; each input is a request of its own there.
pub(super) fn write(request: &Request<'_>, target: Target<'_>) -> Outgoing {
    let Input::Texts(texts) = &request.input else { return Outgoing::default() };
    let mut outgoing = Outgoing::default();
    let name = format!("models/{}", model(target));
    json::object(&mut outgoing.body, |body| {
        body.array("requests", |requests| {
            for text in texts {
                requests.object(|each| {
                    each.string("model", &name);
                    each.object("content", |content| {
                        content.array("parts", |parts| parts.object(|part| part.text("text", text)));
                    });
                    if let Some(dimensions) = request.dimensions {
                        each.number("outputDimensionality", dimensions);
                    }
                });
            }
        });
    });
    let known = ["model", "input", "dimensions", "encoding_format"];
    let keys =
        request.value.entries().filter(|(_, value)| !value.is_null()).filter_map(|(key, _)| key.text());
    outgoing.dropped = keys.map(|key| key.decode().into_owned().into()).collect();
    outgoing.dropped.retain(|key| !known.contains(&&**key));
    outgoing
}

/// Reads an answer, and says it in OpenAI's words.
pub(super) fn read(answer: Value<'_>, wanted: Wanted, target: Target<'_>) -> Result<Vectors, ApiError> {
    let items = || answer.get("embeddings").into_iter().flat_map(Value::items);
    if items().next().is_none() {
        return Err(ApiError::bad_answer("the provider sent an answer without embeddings"));
    }
    let vectors: Option<Vec<Vector>> = items().map(|item| Vector::read(item.get("values")?)).collect();
    let vectors = vectors.ok_or_else(no_vector)?;
    wanted.check(&vectors.iter().map(|vector| vector.0.len()).collect::<Vec<_>>())?;
    let said = answer.get("usageMetadata").and_then(|usage| usage.get("promptTokenCount")?.u64());
    let said = said.filter(|tokens| *tokens > 0);
    let tokens = said.unwrap_or(wanted.tokens);
    let mut body = Vec::new();
    json::object(&mut body, |list| {
        list.string("object", "list");
        list.array("data", |data| {
            for (index, vector) in vectors.iter().enumerate() {
                data.object(|item| {
                    item.string("object", "embedding");
                    item.number("index", index);
                    vector.write(item.value("embedding"), wanted.encoding);
                });
            }
        });
        list.string("model", target.model);
        write_usage(list.value("usage"), tokens);
    });
    let usage = said.map(|prompt| Usage { prompt, ..Usage::default() });
    Ok(Vectors { body: Some(body), usage })
}

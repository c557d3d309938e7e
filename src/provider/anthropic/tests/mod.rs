#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

mod answers;
mod client;
mod conversations;
mod errors;
mod reasoning;
mod recorded;
mod requests;
mod streams;

use super::Anthropic;
use crate::chat::{ChunkWriter, CompletionWriter, Request};
use crate::error::ApiError;
use crate::json::{Document, Surrogates};
use crate::provider::{Adapter, Outgoing, Target};
use crate::sse::Splitter;
use serde_json::{Value as Tree, json};

/// Puts a request to a model.
fn put(model: &str, request: &Tree) -> Result<(Tree, Outgoing), ApiError> {
    let text = request.to_string();
    let document = Document::parse(text.as_bytes(), Surrogates::Paired).unwrap();
    let request = Request::read(document.root()).unwrap();
    let target = Target { model, max_output_tokens: None };
    let fits = Anthropic.fits(&request, target);
    let written = Anthropic.request(&request, target);
    assert_eq!(fits.err(), written.as_ref().err().cloned(), "the question and the translation agree");
    written.map(|outgoing| (serde_json::from_slice(&outgoing.body).unwrap(), outgoing))
}

/// Reads a whole answer.
fn answered(body: &[u8]) -> Result<Tree, ApiError> {
    let document = Document::parse(body, Surrogates::Lone).unwrap();
    let mut writer = CompletionWriter::new("chatcmpl-1", "asked-for", 7);
    Anthropic.answer(document.root(), &mut |event| writer.write(event));
    let mut out = Vec::new();
    writer.finish(&mut out)?;
    Ok(serde_json::from_slice(&out).unwrap())
}

/// Reads a stream that arrives in the given pieces.
fn streamed<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = Anthropic.stream();
    let mut writer = ChunkWriter::new("chatcmpl-1", "asked-for", 7, true);
    let mut splitter = Splitter::new(1 << 20);
    for piece in pieces {
        splitter
            .push(piece, |frame| {
                if let Some(data) = &frame.data {
                    reader.read(frame.name, data, &mut |event| writer.write(event, &mut out));
                }
            })
            .unwrap();
    }
    let mut stray = Vec::new();
    splitter.finish(|frame| {
        stray = frame.stray();
        if let Some(data) = &frame.data {
            reader.read(frame.name, data, &mut |event| writer.write(event, &mut out));
        }
    });
    reader.finish(&stray, &mut |event| writer.write(event, &mut out));
    writer.finish(&mut out);
    out
}

/// Events as Anthropic frames them.
fn framed(events: &[Tree]) -> Vec<u8> {
    let frame = |event: &Tree| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or(""));
    events.iter().map(frame).collect::<String>().into_bytes()
}

const MODEL: &str = "claude-sonnet-4-5";

/// A request of one user message with these members besides.
fn with(members: Tree) -> Tree {
    let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    for (key, value) in members.as_object().unwrap() {
        request[key.as_str()] = value.clone();
    }
    request
}

/// What becomes of these members: the body without what every body has, and what is dropped.
fn members(model: &str, request: &Tree) -> (Tree, Vec<String>) {
    let (mut body, outgoing) = put(model, request).unwrap_or_else(|error| panic!("{request}: {error:?}"));
    let object = body.as_object_mut().unwrap();
    assert_eq!(object.remove("model"), Some(json!(model)));
    assert!(object.get("max_tokens").is_some_and(Tree::is_u64));
    if request.get("max_tokens").or(request.get("max_completion_tokens")).is_none() {
        object.remove("max_tokens");
    }
    if request["messages"] == with(json!({}))["messages"] {
        assert_eq!(object.remove("messages"), Some(json!([{"role": "user", "content": "Hi"}])));
    }
    (body, outgoing.dropped.iter().map(ToString::to_string).collect())
}

fn user(content: Tree) -> Tree {
    json!({"role": "user", "content": content})
}

fn text(text: &str) -> Tree {
    json!({"type": "text", "text": text})
}

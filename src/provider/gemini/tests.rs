//! Golden tables: a request, an answer, an error and what becomes of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod answers;
mod conversations;
mod parameters;
mod refusals;
mod streams;

use super::*;
use crate::chat::{ChunkWriter, CompletionWriter};
use crate::json::{Document, Surrogates};
use serde_json::{Value as Tree, json};

fn target(model: &str) -> Target<'_> {
    Target { model, max_output_tokens: Some(65_536) }
}

fn translated(model: &str, body: &Tree) -> Result<(Tree, Vec<String>), ApiError> {
    let text = serde_json::to_vec(body).unwrap();
    let document = Document::parse(&text, Surrogates::Paired).unwrap();
    let request = Request::read(document.root()).unwrap();
    let outgoing = Gemini.request(&request, target(model))?;
    let dropped = outgoing.dropped.iter().map(ToString::to_string).collect();
    Ok((serde_json::from_slice(&outgoing.body).expect("the body is JSON"), dropped))
}

/// The request of a few messages, with more members.
fn chat(messages: Tree, more: Tree) -> Tree {
    let mut body = json!({"model": "m", "messages": messages});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn hello(more: Tree) -> Tree {
    chat(json!([{"role": "user", "content": "Hello"}]), more)
}

fn user(text: &str) -> Tree {
    json!({"role": "user", "parts": [{"text": text}]})
}

/// The client's view of a whole answer.
fn completion(body: &Tree) -> Result<Tree, ApiError> {
    let text = serde_json::to_vec_pretty(body).unwrap();
    let document = Document::parse(&text, Surrogates::Lone).unwrap();
    let mut writer = CompletionWriter::new("chatcmpl-1", "m", 1);
    Gemini.answer(document.root(), &mut |event| writer.write(event));
    let mut out = Vec::new();
    writer.finish(&mut out).map(|()| serde_json::from_slice(&out).unwrap())
}

/// The client's view of a stream of such chunks.
fn chunks(events: &[&str], stray: &str) -> String {
    let mut writer = ChunkWriter::new("chatcmpl-1", "m", 1, true);
    let mut reader = Gemini.stream();
    let mut out = Vec::new();
    for data in events {
        reader.read(b"", data.as_bytes(), &mut |event| writer.write(event, &mut out));
    }
    reader.finish(stray.as_bytes(), &mut |event| writer.write(event, &mut out));
    writer.finish(&mut out);
    String::from_utf8(out).unwrap()
}

fn parts(parts: Tree) -> Tree {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]})
}

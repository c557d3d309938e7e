//! Golden tables: what goes out and what comes back, case by case.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod answers;
mod errors;
mod requests;
mod streams;

use crate::chat::{ChunkWriter, CompletionWriter, Request};
use crate::config::Vendor;
use crate::error::ApiError;
use crate::json::{Document, Surrogates};
use crate::provider::{self, Adapter, Outgoing, Target};
use serde_json::{Value, json};

fn adapter(vendor: &str) -> &'static dyn Adapter {
    provider::adapter(Vendor::named(vendor).unwrap())
}

/// The request as it goes to a vendor's model.
fn outgoing(vendor: &str, model: &str, body: &Value) -> Result<(Value, Outgoing), ApiError> {
    let text = body.to_string();
    let document = Document::parse(text.as_bytes(), Surrogates::Paired).unwrap();
    let request = Request::read(document.root()).unwrap();
    let target = Target { model, max_output_tokens: Some(4096) };
    let outgoing = adapter(vendor).request(&request, target)?;
    Ok((serde_json::from_slice(&outgoing.body).unwrap(), outgoing))
}

/// The body that the client gets for a vendor's whole answer.
fn answered(body: &str) -> Result<Value, ApiError> {
    let document = Document::parse(body.as_bytes(), Surrogates::Lone).unwrap();
    let mut writer = CompletionWriter::new("made", "model", 1);
    adapter("compatible").answer(document.root(), &mut |event| writer.write(event));
    let mut out = Vec::new();
    writer.finish(&mut out)?;
    Ok(serde_json::from_slice(&out).unwrap())
}

/// What a client makes of the stream that it gets for these events of a vendor.
fn streamed(events: &[&str]) -> Vec<Value> {
    streamed_with(events, b"")
}

fn streamed_with(events: &[&str], stray: &[u8]) -> Vec<Value> {
    let mut writer = ChunkWriter::new("made", "model", 1, true);
    let mut reader = adapter("compatible").stream();
    let mut out = Vec::new();
    for event in events {
        let (name, data) =
            event.split_once('|').filter(|(name, _)| !name.contains('{')).unwrap_or(("", event));
        reader.read(name.as_bytes(), data.as_bytes(), &mut |event| writer.write(event, &mut out));
    }
    reader.finish(stray, &mut |event| writer.write(event, &mut out));
    writer.finish(&mut out);
    let text = String::from_utf8(out).unwrap();
    let data = text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap());
    data.map(|data| if data == "[DONE]" { json!("[DONE]") } else { serde_json::from_str(data).unwrap() })
        .collect()
}

/// The members of all deltas of one choice, in their order, less the role.
fn deltas(chunks: &[Value], choice: u64) -> Vec<Value> {
    let choices = chunks.iter().filter_map(|chunk| chunk["choices"].as_array()).flatten();
    let deltas = choices.filter(|found| found["index"] == choice).map(|found| found["delta"].clone());
    deltas.filter(|delta| delta.get("role").is_none() && *delta != json!({})).collect()
}

fn finish(chunks: &[Value], choice: u64) -> Value {
    let choices = chunks.iter().filter_map(|chunk| chunk["choices"].as_array()).flatten();
    let mut reasons =
        choices.filter(|found| found["index"] == choice).map(|found| found["finish_reason"].clone());
    reasons.find(|reason| !reason.is_null()).unwrap_or_default()
}

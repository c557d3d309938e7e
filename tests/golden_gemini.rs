//! Recorded answers of Gemini and Vertex AI, as an OpenAI client gets them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support {
    pub mod openai_client;
    pub mod recordings;
}

use modelgate::chat::{ChunkWriter, CompletionWriter};
use modelgate::json::{Document, Surrogates};
use modelgate::provider::gemini::Gemini;
use modelgate::provider::{Adapter, StreamReader};
use modelgate::sse::{Frame, Splitter};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::openai_client::{self as client, Seen};
use support::recordings::{self, Row};

fn rows() -> Vec<Row> {
    recordings::rows().into_iter().filter(|row| row.provider == "gemini").collect()
}

/// What a client gets if the stream arrives in these pieces.
fn streamed<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut through = Through {
        reader: Gemini.stream(),
        writer: ChunkWriter::new("chatcmpl-made", "model", 1, true),
        stray: Vec::new(),
        out: Vec::new(),
    };
    // An array of chunks is no event stream: it is found as text outside of any event.
    let mut splitter = Splitter::new(1 << 20);
    pieces.for_each(|piece| splitter.push(piece, |frame| through.frame(&frame)).unwrap());
    splitter.finish(|frame| through.frame(&frame));
    through.finish()
}

struct Through {
    reader: Box<dyn StreamReader>,
    writer: ChunkWriter,
    stray: Vec<u8>,
    out: Vec<u8>,
}

impl Through {
    fn frame(&mut self, frame: &Frame<'_>) {
        self.stray.extend(frame.stray());
        if let Some(data) = &frame.data {
            self.read(data);
        }
    }

    fn read(&mut self, data: &[u8]) {
        let Self { reader, writer, out, .. } = self;
        reader.read(b"", data, &mut |event| writer.write(event, out));
    }

    fn finish(self) -> Vec<u8> {
        let Self { mut reader, mut writer, stray, mut out } = self;
        reader.finish(&stray, &mut |event| writer.write(event, &mut out));
        writer.finish(&mut out);
        out
    }
}

fn completed(body: &[u8]) -> Result<Vec<u8>, Value> {
    let document = Document::parse(body, Surrogates::Lone).unwrap();
    let mut writer = CompletionWriter::new("chatcmpl-made", "model", 1);
    Gemini.answer(document.root(), &mut |event| writer.write(event));
    let mut out = Vec::new();
    let failed = |error: modelgate::error::ApiError| serde_json::from_slice(&error.to_json()).unwrap();
    writer.finish(&mut out).map(|()| out).map_err(failed)
}

/// Compares with what the recording is known to say.
fn compare(id: &str, seen: &Seen, expect: &Value) {
    let known = expect["choices"].as_array().unwrap();
    if let Some(reason) = expect.get("prompt_blocked") {
        let refusal = seen.choices[0].refusal.as_deref().unwrap();
        assert!(refusal.contains(reason.as_str().unwrap()), "{id}: {refusal}");
        assert_eq!(seen.choices[0].finish.as_deref(), Some("content_filter"), "{id}");
        return;
    }
    assert_eq!(seen.choices.len(), known.len(), "{id}: choices");
    for (choice, expect) in seen.choices.iter().zip(known) {
        let text = choice.content.as_deref().unwrap_or_default();
        assert_eq!(text, expect["text"].as_str().unwrap(), "{id}: text");
        assert_eq!(choice.reasoning, expect["reasoning"].as_str().unwrap(), "{id}: reasoning");
        let tools = expect["tools"].as_array().unwrap();
        assert_eq!(choice.calls.len(), tools.len(), "{id}: calls");
        for (call, tool) in choice.calls.iter().zip(tools) {
            assert_eq!(call.name, tool["name"], "{id}: name");
            // What partialArgs come to is written by hand below.
            if tool["args"].is_object() {
                assert_eq!(call.arguments, tool["args"], "{id}: arguments");
            }
        }
        assert_eq!(choice.signatures as u64, expect["signatures"].as_u64().unwrap(), "{id}: signatures");
        if let Some(finish) = choice.finish.as_deref() {
            let allowed = expect["finish_any_of"].as_array().unwrap();
            assert!(allowed.iter().any(|reason| reason == finish), "{id}: {finish}");
        }
    }
    let Some(usage) = expect.get("usage").filter(|_| seen.error.is_none()) else { return };
    let seen = seen.usage.unwrap_or_else(|| panic!("{id}: no usage"));
    let count = |key: &str| usage[key].as_u64();
    assert_eq!(Some(seen.prompt), count("prompt_tokens_incl_tool_use"), "{id}: prompt");
    assert_eq!(Some(seen.completion), count("completion_tokens"), "{id}: completion");
    assert_eq!(seen.total, count("total_tokens").unwrap_or(seen.prompt + seen.completion), "{id}: total");
    assert_eq!(Some(seen.cached), count("cached_tokens"), "{id}: cached");
    assert_eq!(Some(seen.reasoning), count("reasoning_tokens"), "{id}: reasoning tokens");
}

#[test]
fn a_client_sees_what_was_recorded() {
    for row in rows().into_iter().filter(|row| row.status == 200) {
        let expect = row.expect.as_ref().unwrap_or_else(|| panic!("{}: nothing is expected", row.id));
        let nothing =
            expect["choices"].as_array().unwrap().is_empty() && expect.get("prompt_blocked").is_none();
        let seen = if row.stream {
            let seen = client::stream(&streamed(std::iter::once(&*row.body)), true);
            let seen = seen.unwrap_or_else(|why| panic!("{}: {why}", row.id));
            assert_eq!(seen.done, expect.get("midstream_error").is_none(), "{}: {:?}", row.id, seen.error);
            seen
        } else {
            match completed(&row.body) {
                Ok(body) => client::completion(&body).unwrap_or_else(|why| panic!("{}: {why}", row.id)),
                Err(error) if nothing => {
                    assert_eq!(error["error"]["code"], "bad_provider_response", "{}", row.id);
                    continue;
                }
                Err(error) => panic!("{}: {error}", row.id),
            }
        };
        if let Some(error) = expect.get("midstream_error") {
            assert_eq!(seen.error.as_ref().unwrap()["message"], error["message"], "{}", row.id);
        }
        compare(&row.id, &seen, expect);
    }
}

#[test]
fn arguments_in_pieces_are_put_together() {
    let weather = json!({"country": "USA", "location": "NewYorkCity", "purpose": "to know what to wear today", "unit": "C"});
    let screens = [json!({}), json!({"id": "A"}), json!({"id": "B"}), json!({"id": "C"})];
    for row in rows() {
        let expected = match row.id.as_str() {
            "gemini/stream-partial-args-gemini3" => vec![weather.clone()],
            "gemini/stream-no-args-tool" => screens.to_vec(),
            _ => continue,
        };
        let seen = client::stream(&streamed(std::iter::once(&*row.body)), true).unwrap();
        let arguments: Vec<_> = seen.choices[0].calls.iter().map(|call| call.arguments.clone()).collect();
        assert_eq!(arguments, expected, "{}", row.id);
    }
}

#[test]
fn a_stream_gives_the_same_bytes_however_it_arrives() {
    for row in rows().into_iter().filter(|row| row.stream && row.status == 200) {
        let whole = streamed(std::iter::once(&*row.body));
        for size in [1, 7, 64] {
            assert!(streamed(row.body.chunks(size)) == whole, "{} in pieces of {size}", row.id);
        }
        for at in 0..row.body.len() {
            let (first, rest) = row.body.split_at(at);
            assert!(streamed([first, rest].into_iter()) == whole, "{} cut at {at}", row.id);
        }
    }
}

#[test]
fn a_stream_that_breaks_off_never_ends_well() {
    for row in rows().into_iter().filter(|row| row.stream && row.status == 200) {
        let text = std::str::from_utf8(&row.body).unwrap();
        // From the first finish reason on the answer may be complete; what is begun after it must
        // be whole again.
        let end = text.find("\"finishReason\"").unwrap();
        for at in 0..row.body.len() {
            let out = streamed(std::iter::once(&row.body[..at]));
            let seen = client::stream(&out, true).unwrap_or_else(|why| panic!("{} to {at}: {why}", row.id));
            assert_ne!(seen.done, seen.error.is_some(), "{} to {at}", row.id);
            assert!(at > end || !seen.done, "{} to {at} ends as if complete", row.id);
            let ends = [b"\n".as_slice(), b"\r", b"}", b"]", b"data", b"data:", b"data: "];
            let whole_line = ends.iter().any(|end| row.body[..at].ends_with(end));
            assert!(whole_line || at == 0 || !seen.done, "{} to {at} ends inside a chunk", row.id);
        }
    }
}

#[test]
fn an_array_is_read_whole_as_well() {
    for row in rows().into_iter().filter(|row| row.array) {
        let expect = row.expect.as_ref().unwrap();
        let seen = client::completion(&completed(&row.body).unwrap()).unwrap();
        compare(&row.id, &seen, expect);
    }
}

#[test]
fn an_error_has_openais_form() {
    for row in rows().into_iter().filter(|row| row.status != 200) {
        let error = Gemini.error(row.status, &row.body);
        client::error(&error.to_json()).unwrap_or_else(|why| panic!("{}: {why}", row.id));
        assert_eq!(error.status, row.status, "{}", row.id);
        let message = serde_json::from_slice::<Value>(&row.body).unwrap()["error"]["message"].clone();
        assert_eq!(message, error.message, "{}", row.id);
    }
}

proptest! {
    #[test]
    fn a_damaged_stream_ends_once_and_is_json_to_the_end(
        row: prop::sample::Index, at: prop::sample::Index, byte: u8, cut: bool,
    ) {
        let streams: Vec<Row> = rows().into_iter().filter(|row| row.stream && row.status == 200).collect();
        let row = row.get(&streams);
        let mut body = row.body.clone();
        let at = at.index(body.len());
        if cut { drop(body.drain(at..(at + 9).min(row.body.len()))) } else { body[at] = byte }
        let out = String::from_utf8(streamed(std::iter::once(&*body))).unwrap();
        let events: Vec<&str> = out.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
        let (last, rest) = events.split_last().unwrap();
        let parsed = |event: &str| serde_json::from_str::<Value>(event).unwrap();
        prop_assert!(rest.iter().all(|event| parsed(event)["choices"].is_array()), "{}", out);
        prop_assert!(*last == "[DONE]" || parsed(last)["error"]["message"].is_string(), "{}", out);
    }
}

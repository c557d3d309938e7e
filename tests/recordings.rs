//! Recorded traffic of every provider through its adapter, with an OpenAI client at the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support {
    pub mod openai_client;
    pub mod recordings;
}

use modelgate::chat::{ChunkWriter, CompletionWriter, Request};
use modelgate::error::ApiError;
use modelgate::json::{Document, Surrogates};
use modelgate::provider::{Adapter, StreamReader, Target};
use modelgate::sse::{Frame, Splitter};
use serde_json::Value;
use support::openai_client::{self as client, Choice, Seen};
use support::recordings::{self, Row};

/// Every recording but arrays: those are cut up by a splitter of their own, and tested where that is.
fn rows() -> Vec<(Row, &'static dyn Adapter)> {
    let rows = recordings::rows().into_iter().filter(|row| !row.array);
    rows.map(|row| {
        let adapter = row.adapter();
        (row, adapter)
    })
    .collect()
}

fn streams() -> Vec<(Row, &'static dyn Adapter)> {
    rows().into_iter().filter(|(row, _)| row.stream && row.status == 200).collect()
}

/// The stream that the client gets if the provider's arrives in these pieces.
fn through<'a>(adapter: &dyn Adapter, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut reader = adapter.stream();
    let mut writer = ChunkWriter::new("chatcmpl-made", "model", 1, true);
    let mut splitter = Splitter::new(1 << 20);
    let (mut out, mut stray) = (Vec::new(), Vec::new());
    for piece in pieces {
        let each = |frame: Frame<'_>| one(&mut *reader, &mut writer, &frame, &mut stray, &mut out);
        splitter.push(piece, each).unwrap();
    }
    splitter.finish(|frame| one(&mut *reader, &mut writer, &frame, &mut stray, &mut out));
    reader.finish(&stray, &mut |event| writer.write(event, &mut out));
    writer.finish(&mut out);
    out
}

fn one(
    reader: &mut dyn StreamReader,
    writer: &mut ChunkWriter,
    frame: &Frame<'_>,
    stray: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    stray.extend_from_slice(&frame.stray());
    if let Some(data) = &frame.data {
        reader.read(frame.name, data, &mut |event| writer.write(event, out));
    }
}

/// The places to cut at: every one of a short stream; of a long one so many that the work is bounded,
/// close together at both ends and spread over the rest.
fn cuts(body: &[u8]) -> Vec<usize> {
    const WORK: usize = 3_000_000;
    let len = body.len();
    let third = WORK / len.max(1) / 3;
    let step = len / third.max(1) + 1;
    (0..len).filter(|at| *at < third || *at + third >= len || at % step == 0).collect()
}

#[test]
fn a_stream_gives_the_same_bytes_however_it_arrives() {
    for (row, adapter) in streams() {
        let whole = through(adapter, std::iter::once(&row.body[..]));
        // Every byte begins a piece in some of the runs.
        for (size, offsets) in [(1, 0..1), (7, 0..7), (64, 0..64)] {
            for offset in offsets {
                let (head, tail) = row.body.split_at(offset.min(row.body.len()));
                let pieces = through(adapter, std::iter::once(head).chain(tail.chunks(size)));
                assert!(pieces == whole, "{}: in pieces of {size} from {offset} on", row.id);
            }
        }
    }
}

#[test]
fn a_stream_that_breaks_off_never_ends_well() {
    for (row, adapter) in streams() {
        let whole = client::stream(&through(adapter, std::iter::once(&row.body[..])), true).unwrap();
        if !whole.done {
            continue;
        }
        let end = row.end_mark();
        for cut in cuts(&row.body).into_iter().filter(|cut| *cut < end) {
            let out = through(adapter, std::iter::once(&row.body[..cut]));
            let seen =
                client::stream(&out, true).unwrap_or_else(|why| panic!("{} cut at {cut}: {why}", row.id));
            assert!(seen.error.is_some() && !seen.done, "{} cut at {cut} ends as if complete", row.id);
        }
    }
}

#[test]
fn a_client_sees_what_was_recorded() {
    for (row, adapter) in rows().into_iter().filter(|(row, _)| row.status == 200) {
        let (id, expect) = (&row.id, row.expect.as_ref());
        let expects = |key: &str| expect.and_then(|expect| expect.get(key));
        // What holds no answer is an error, told by status.
        let nothing = expect.is_some() && expects("text").is_none() && expects("error").is_none();
        let nothing =
            nothing && expects("choices").is_none_or(|choices| choices.as_array().unwrap().is_empty());
        let out = if row.stream {
            through(adapter, std::iter::once(&row.body[..]))
        } else {
            match whole(adapter, &row.body) {
                Ok(out) => out,
                Err(error) if nothing && error.status == 502 => continue,
                Err(error) => panic!("{id}: {error:?}"),
            }
        };
        let seen = if row.stream { client::stream(&out, true) } else { client::completion(&out) };
        let seen = seen.unwrap_or_else(|why| panic!("{id}: {why}"));
        let fails = expects("midstream_error").or_else(|| expects("error"));
        assert_eq!(seen.error.is_some(), fails.is_some(), "{id}: {:?}", seen.error);
        match expect {
            Some(expect) => compare(id, &seen, expect),
            None if row.compatible() => compare_with_recording(&row, &seen),
            None => {}
        }
    }
}

fn whole(adapter: &dyn Adapter, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let document = Document::parse(body, Surrogates::Lone).unwrap();
    let mut writer = CompletionWriter::new("chatcmpl-made", "model", 1);
    adapter.answer(document.root(), &mut |event| writer.write(event));
    let mut out = Vec::new();
    writer.finish(&mut out).map(|()| out)
}

/// Compares with `expect.jsonl`: one choice, or a list of them.
fn compare(id: &str, seen: &Seen, expect: &Value) {
    if expect.get("prompt_blocked").is_some() {
        assert_eq!(seen.choices[0].finish.as_deref(), Some("content_filter"), "{id}");
        return;
    }
    let choices = match expect["choices"].as_array() {
        Some(choices) => choices.clone(),
        None if expect.get("text").is_some() => vec![expect.clone()],
        None => return,
    };
    assert_eq!(seen.choices.len(), choices.len(), "{id}: choices");
    for (choice, expect) in seen.choices.iter().zip(&choices) {
        compare_choice(id, choice, expect);
    }
    let Some(usage) = expect.get("usage").filter(|usage| usage.is_object()) else { return };
    let seen = seen.usage.unwrap_or_default();
    let prompt = usage["prompt_tokens_incl_tool_use"].as_u64().or(usage["prompt_tokens"].as_u64());
    assert_eq!(Some(seen.prompt), prompt, "{id}: prompt tokens");
    for (key, count) in [
        ("completion_tokens", seen.completion),
        ("cached_tokens", seen.cached),
        ("reasoning_tokens", seen.reasoning),
    ] {
        assert_eq!(count, usage[key].as_u64().unwrap_or(0), "{id}: {key}");
    }
    assert_eq!(seen.total, usage["total_tokens"].as_u64().unwrap_or(seen.total), "{id}: total tokens");
}

fn compare_choice(id: &str, choice: &Choice, expect: &Value) {
    assert_eq!(choice.content.as_deref().unwrap_or_default(), expect["text"].as_str().unwrap(), "{id}: text");
    assert_eq!(choice.reasoning, expect["reasoning"].as_str().unwrap_or_default(), "{id}: reasoning");
    let tools = expect["tools"].as_array().unwrap();
    assert_eq!(choice.calls.len(), tools.len(), "{id}: tool calls");
    for (call, tool) in choice.calls.iter().zip(tools) {
        assert_eq!(call.name, tool["name"], "{id}: tool name");
        if tool["args"].is_object() {
            assert_eq!(call.arguments, tool["args"], "{id}: arguments");
        }
        if let Some(tool_id) = tool["id"].as_str() {
            assert_eq!(call.id, tool_id, "{id}: tool id");
        }
    }
    if let Some(finish) = choice.finish.as_deref() {
        let allowed = expect["finish_any_of"].as_array().unwrap();
        assert!(allowed.iter().any(|reason| reason == finish), "{id}: {finish} is none of {allowed:?}");
    }
    assert_eq!(choice.signatures as u64, expect["signatures"].as_u64().unwrap_or(0), "{id}: signatures");
}

/// Compares with what the recording itself says, read in the plainest way.
fn compare_with_recording(row: &Row, seen: &Seen) {
    let text = String::from_utf8_lossy(&row.body);
    let bodies: Vec<Value> = if row.stream {
        let data =
            text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    } else {
        vec![serde_json::from_str(&text).unwrap()]
    };
    let choices = || bodies.iter().flat_map(|body| body["choices"].as_array().unwrap());
    let id = &row.id;
    for (index, choice) in seen.choices.iter().enumerate() {
        let mine = || choices().filter(|choice| choice["index"] == index);
        let piece = |choice: &Value, keys: [&str; 2]| -> String {
            let message = if row.stream { &choice["delta"] } else { &choice["message"] };
            match keys.map(|key| &message[key]) {
                [Value::String(text), _] | [_, Value::String(text)] => text.clone(),
                [Value::Array(parts), _] => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
                _ => String::new(),
            }
        };
        let joined = |keys| mine().map(|choice| piece(choice, keys)).collect::<String>();
        assert_eq!(
            choice.content.as_deref().unwrap_or_default(),
            joined(["content", "content"]),
            "{id}: content"
        );
        let refusal = choice.refusal.as_deref().unwrap_or_default();
        assert_eq!(refusal, joined(["refusal", "refusal"]), "{id}: refusal");
        let reasoning = joined(["reasoning_content", "reasoning"]);
        if !reasoning.is_empty() {
            assert_eq!(choice.reasoning, reasoning, "{id}: reasoning");
        }
        let finish = mine().find_map(|choice| choice["finish_reason"].as_str()).unwrap();
        assert_eq!(choice.finish.as_deref(), Some(finish), "{id}: finish");
    }
    let count = seen.choices.iter().map(|choice| choice.calls.len()).sum::<usize>();
    let names = choices().flat_map(|choice| {
        let message = if row.stream { &choice["delta"] } else { &choice["message"] };
        message["tool_calls"].as_array().cloned().unwrap_or_default()
    });
    let names = names.filter(|call| call["function"]["name"].as_str().is_some_and(|name| !name.is_empty()));
    assert_eq!(count, names.count(), "{id}: tool calls");
    if let Some(usage) = bodies.iter().rev().map(|body| &body["usage"]).find(|usage| usage.is_object()) {
        let seen = seen.usage.unwrap_or_default();
        assert_eq!(Some(seen.prompt), usage["prompt_tokens"].as_u64(), "{id}: prompt tokens");
        assert_eq!(Some(seen.total), usage["total_tokens"].as_u64(), "{id}: total tokens");
    }
}

#[test]
fn an_error_has_openais_form() {
    for (row, adapter) in rows().into_iter().filter(|(row, _)| row.status != 200) {
        let error = adapter.error(row.status, &row.body);
        let body = client::error(&error.to_json()).unwrap_or_else(|why| panic!("{}: {why}", row.id));
        assert!((400..600).contains(&error.status), "{}: {}", row.id, error.status);
        assert!(!body["message"].as_str().unwrap().contains('<'), "{}: {body}", row.id);
    }
}

#[test]
fn openais_own_answers_can_pass_as_they_are() {
    for (row, _) in rows().into_iter().filter(|(row, adapter)| adapter.is_canonical() && row.status == 200) {
        let asked = String::from_utf8_lossy(&row.body).contains("\"usage\":");
        let seen = if row.stream { client::stream(&row.body, asked) } else { client::completion(&row.body) };
        seen.unwrap_or_else(|why| panic!("{}: {why}", row.id));
    }
}

#[test]
fn a_recorded_request_goes_out_as_it_was_recorded() {
    for (row, adapter) in rows() {
        let Some(file) = row.request.clone().filter(|_| row.compatible()) else {
            continue;
        };
        let body = std::fs::read(file).unwrap();
        let document = Document::parse(&body, Surrogates::Paired).unwrap();
        let Ok(request) = Request::read(document.root()) else { continue };
        let model = request.model.decode().into_owned();
        let target = Target { model: &model, max_output_tokens: None };
        let outgoing = adapter.request(&request, target).unwrap_or_else(|why| panic!("{}: {why:?}", row.id));
        let mut sent: Value = serde_json::from_slice(&outgoing.body).unwrap();
        let mut recorded: Value = serde_json::from_slice(&body).unwrap();
        for body in [&mut sent, &mut recorded] {
            body.as_object_mut().unwrap().remove("stream_options");
        }
        // What is the default anyway is not said to models that know nothing else.
        if sent.get("temperature").is_none() && recorded["temperature"] == 1.0 {
            recorded.as_object_mut().unwrap().remove("temperature");
        }
        // Reasoning of turns without tools is not wanted back.
        if row.id != "cerebras/reasoning-replay" {
            assert_eq!(sent, recorded, "{}", row.id);
        }
        assert!(outgoing.dropped.is_empty(), "{}: {:?}", row.id, outgoing.dropped);
    }
}

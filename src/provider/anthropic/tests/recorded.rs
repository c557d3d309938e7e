//! Every recorded exchange, through splitter, reader and writer, whole and in pieces.

use super::client::{self, Seen};
use super::{Anthropic, answered, put, streamed};
use crate::error::ApiError;
use crate::provider::Adapter;
use serde_json::{Value as Tree, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Recorded traffic, or the project's own where that is not there.
fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recorded = std::env::var_os("MODELGATE_FIXTURES").map(PathBuf::from);
    let recorded = recorded.unwrap_or_else(|| root.join("../shared/fixtures"));
    if recorded.join("manifest.jsonl").exists() { recorded } else { root.join("tests/fixtures/anthropic") }
}

fn rows(name: &str) -> Vec<Tree> {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The exchanges with Anthropic: what is known of them, the body, what a client must see.
fn exchanges() -> Vec<(Tree, Vec<u8>, Option<Tree>)> {
    let expected = rows("expect.jsonl");
    let mine = rows("manifest.jsonl").into_iter().filter(|row| row["api"] == "messages");
    let with_body = mine.map(|row| {
        let body = fs::read(folder().join(row["response_file"].as_str().unwrap())).unwrap();
        let expect = expected.iter().find(|expect| expect["id"] == row["id"]).cloned();
        (row, body, expect)
    });
    with_body.collect()
}

fn check(seen: &Seen, expect: &Tree, id: &Tree) {
    let message = &seen.message;
    let text = |key: &str| message[key].as_str().unwrap_or_default().to_string();
    assert_eq!(text("content"), expect["text"].as_str().unwrap(), "{id}");
    assert_eq!(text("reasoning_content"), expect["reasoning"].as_str().unwrap(), "{id}");
    let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
    let calls = calls.iter().map(|call| {
        let args = call["function"]["arguments"].as_str().unwrap();
        json!({
            "id": call["id"], "name": call["function"]["name"],
            "args": serde_json::from_str::<Tree>(args).unwrap(),
        })
    });
    assert_eq!(Tree::from_iter(calls), expect["tools"], "{id}");
    let finishes = expect["finish_any_of"].as_array().unwrap();
    assert!(
        finishes.iter().any(|finish| finish.as_str() == seen.finish.as_deref()),
        "{id}: {:?}",
        seen.finish
    );
    let blocks = message["extra_content"]["anthropic"]["thinking_blocks"].as_array();
    let signed = blocks.into_iter().flatten().filter(|block| {
        ["signature", "data"].iter().any(|key| block[*key].as_str().is_some_and(|proof| !proof.is_empty()))
    });
    assert_eq!(json!(signed.count()), expect["signatures"], "{id}");
    if let Some(wanted) = expect["usage"].as_object() {
        let usage = seen.usage.as_ref().unwrap();
        for (key, wanted) in wanted.iter().filter(|(_, wanted)| !wanted.is_null()) {
            let found = match key.as_str() {
                "cached_tokens" => &usage["prompt_tokens_details"]["cached_tokens"],
                "cache_write_tokens" => &usage["prompt_tokens_details"]["cache_write_tokens"],
                "reasoning_tokens" => &usage["completion_tokens_details"]["reasoning_tokens"],
                key => &usage[key],
            };
            assert_eq!(found.as_u64().unwrap_or(0), wanted.as_u64().unwrap(), "{id}: {key}");
        }
    }
}

#[test]
fn recorded_answers_say_what_they_said() {
    let mut seen = 0;
    for (row, body, expect) in exchanges() {
        let id = &row["id"];
        match (row["status"].as_u64(), row["stream"].as_bool(), expect) {
            (Some(200), Some(false), Some(expect)) if expect.get("text").is_some() => {
                let completion = answered(&body).unwrap_or_else(|error| panic!("{id}: {error:?}"));
                check(&client::whole(&completion), &expect, id);
            }
            (Some(200), Some(false), _) => {
                // Rows that are no Message at all.
                let error: ApiError = answered(&body).unwrap_err();
                assert_eq!(
                    (error.status, error.code.as_deref()),
                    (502, Some("bad_provider_response")),
                    "{id}"
                );
            }
            (Some(200), ..) => continue,
            (Some(status), ..) => {
                let error = Anthropic.error(u16::try_from(status).unwrap(), &body);
                let kept = if status == 529 {
                    503
                } else if status == 401 {
                    502
                } else {
                    status
                };
                assert_eq!(u64::from(error.status), kept, "{id}");
                assert!(!error.kind.is_empty() && !error.message.is_empty(), "{id}");
            }
            _ => panic!("{id}"),
        }
        seen += 1;
    }
    assert!(seen >= 3, "{seen} exchanges");
}

#[test]
fn recorded_streams_say_what_they_said_however_they_are_cut() {
    let mut seen = 0;
    for (row, body, expect) in exchanges() {
        let (Some(true), Some(200)) = (row["stream"].as_bool(), row["status"].as_u64()) else { continue };
        let id = &row["id"];
        let whole = streamed([body.as_slice()]);
        let read = client::read(&whole);
        assert!(read.done && read.error.is_none(), "{id}: {:?}", read.error);
        check(&read, &expect.unwrap(), id);
        for size in [1, 7, 64] {
            assert!(streamed(body.chunks(size)) == whole, "{id} in pieces of {size}");
        }
        // Every frame cut in two at the same distance from its start: so at every byte, in few runs.
        let frames: Vec<&[u8]> = body.split_inclusive(|byte| *byte == b'\n').collect();
        let longest = frames.iter().map(|frame| frame.len()).max().unwrap();
        for at in 1..longest {
            let cut = frames.iter().flat_map(|frame| {
                let (first, second) = frame.split_at(at.min(frame.len()));
                [first, second]
            });
            assert!(streamed(cut) == whole, "{id} with every line cut at {at}");
        }
        // Before the end mark, which is the last event, the stream is incomplete at any byte.
        let end = body.windows(12).rposition(|window| window == b"message_stop").unwrap();
        for at in (0..=end).step_by(if body.len() > 1500 { 13 } else { 1 }) {
            let cut = client::read(&streamed([&body[..at]]));
            assert!(cut.error.is_some() && !cut.done && cut.finish.is_none(), "{id} that ends at {at}");
        }
        seen += 1;
    }
    assert!(seen >= 2, "{seen} streams");
}

#[test]
fn what_an_answer_says_comes_back_in_the_next_request_with_its_signatures() {
    let signed = |expect: &Tree| expect["signatures"].as_u64() > Some(0);
    let mut seen = 0;
    for (row, body, expect) in exchanges() {
        let Some(expect) = expect.filter(signed) else { continue };
        let message = match row["stream"].as_bool() {
            Some(true) => client::read(&streamed([body.as_slice()])).message,
            _ => client::whole(&answered(&body).unwrap()).message,
        };
        let request = json!({
            "model": "m", "reasoning_effort": "low",
            "messages": [{"role": "user", "content": "a"}, message, {"role": "user", "content": "b"}],
        });
        let (sent, outgoing) = put("claude-opus-4-6", &request).unwrap();
        let blocks = sent["messages"][1]["content"].as_array().unwrap();
        let wire = String::from_utf8(body).unwrap();
        let mut signatures = 0;
        for block in blocks.iter().take_while(|block| block["type"] != "text") {
            let proof = block.get("signature").or(block.get("data")).unwrap().as_str().unwrap();
            assert!(wire.contains(proof), "{}: verbatim", row["id"]);
            assert!(block.get("index").is_none());
            signatures += 1;
        }
        assert_eq!(json!(signatures), expect["signatures"], "{}", row["id"]);
        assert!(outgoing.dropped.is_empty());
        // Without thinking they are left out.
        let mut plain = request.clone();
        plain.as_object_mut().unwrap().remove("reasoning_effort");
        let (sent, _) = put("claude-sonnet-4-5", &plain).unwrap();
        assert!(!sent.to_string().contains("thinking"), "{}", row["id"]);
        seen += 1;
    }
    assert!(seen >= 1, "{seen} signed answers");
}

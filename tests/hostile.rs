//! Broken, mutilated and mad input of every kind: whatever comes, nothing panics, and what a client
//! or a provider gets is sound. Deterministic: every run tries the same cases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support {
    pub mod mutation;
    pub mod openai_client;
    pub mod recordings;
    pub mod replay;
    pub mod soundness;
}

use modelgate::config::Vendor;
use modelgate::provider::Target;
use serde_json::{Value, json};
use support::mutation::{Chance, mutated};
use support::recordings::rows;
use support::replay::{Asked, STREAM, attempt, play};
use support::soundness::{check_answer, check_embeddings, check_request};

/// What came of it is sound for a client that asked so.
fn check(vendor: Vendor, asked: Asked, status: u16, content_type: &str, body: &[u8], size: usize) {
    let got = play(attempt(vendor, asked), status, content_type, body.chunks(size));
    if let Err(why) = check_answer(vendor, asked, &got) {
        let (given, got) = (String::from_utf8_lossy(body), String::from_utf8_lossy(&got.body));
        panic!("{why}\n{vendor:?} {asked:?} {status} {content_type}:\n{given}\n->\n{got}");
    }
}

#[test]
fn mutilated_recordings_become_sound_answers_or_errors() {
    let mut chance = Chance(1);
    for row in rows() {
        // OpenAI's own bodies pass untouched; what reads them otherwise is the adapter of its kin.
        let vendors: &[Vendor] =
            if row.adapter().is_canonical() { &[row.vendor, Vendor::Compatible] } else { &[row.vendor] };
        for vendor in vendors {
            for _ in 0..12 {
                let start = row.body.len().saturating_sub(20_000);
                let body =
                    mutated(if chance.one_in(2) { &row.body } else { &row.body[start..] }, &mut chance);
                let asked = Asked {
                    stream: if chance.one_in(8) { !row.stream } else { row.stream },
                    include_usage: chance.one_in(2),
                    functions: chance.one_in(4),
                };
                let content_type = if chance.one_in(8) { "text/plain" } else { &row.content_type };
                let size = [1, 7, 64, 4096][chance.below(4)];
                check(*vendor, asked, row.status, content_type, &body, size);
            }
        }
    }
}

#[test]
fn arbitrary_bytes_are_an_error_or_nothing() {
    let mut chance = Chance(2);
    for vendor in Vendor::ALL {
        for round in 0..40 {
            let alphabet = br#"{}[]":,\ndatevr0129 -.u"#;
            let length = chance.below(200);
            let byte = |chance: &mut Chance| match round % 2 {
                0 => u8::try_from(chance.below(256)).unwrap(),
                _ => alphabet[chance.below(alphabet.len())],
            };
            let body: Vec<u8> = (0..length).map(|_| byte(&mut chance)).collect();
            for (asked, content_type) in
                [(STREAM, "text/event-stream"), (Asked { stream: false, ..STREAM }, "application/json")]
            {
                for status in [200, 400, 500] {
                    check(*vendor, asked, status, content_type, &body, 9);
                }
            }
        }
    }
}

/// A request with something of everything.
fn request() -> Value {
    json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "be brief", "name": "s"},
            {"role": "developer", "content": [{"type": "text", "text": "more", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "name": "u", "content": [
                {"type": "text", "text": "look: é😀"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://a.example/b.pdf"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
                {"type": "file", "file": {"file_data": "data:text/plain;base64,aGk=", "filename": "a.txt"}},
            ]},
            {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":[1,{\"b\":\"\\u00e9\"}]}"},
                 "extra_content": {"google": {"thought_signature": "c2ln"}}},
                {"id": "call 2", "type": "function", "function": {"name": "g", "arguments": ""}},
            ], "extra_content": {"anthropic": {"thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "s"}]}}},
            {"role": "tool", "tool_call_id": "call 2", "content": "{\"x\":1}"},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "done"}]},
            {"role": "assistant", "content": "so", "refusal": null, "annotations": [], "audio": null},
            {"role": "user", "content": "and?"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "strict": true, "parameters": {
                "type": "object", "additionalProperties": false, "required": ["a"], "$defs": {"n": {"type": ["string", "null"]}},
                "properties": {"a": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/n"}, {"const": 1}]}}},
            }}},
            {"type": "function", "function": {"name": "g"}},
        ],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}},
        "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "r", "strict": true, "schema": {"type": "object", "properties": {"x": {"type": "number", "minimum": 1}}, "required": ["x"], "additionalProperties": false}}},
        "max_completion_tokens": 5000, "temperature": 0.5, "top_p": 0.9, "stop": ["a", " "], "n": 1, "seed": -5,
        "reasoning_effort": "low", "stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false},
        "user": "u1", "safety_identifier": "s1", "service_tier": "auto", "metadata": {"k": "v"}, "store": true,
        "presence_penalty": 0.5, "frequency_penalty": 0, "logit_bias": {"1": 2}, "logprobs": false, "verbosity": "low",
        "prompt_cache_key": "k", "prediction": {"type": "content", "content": "x"}, "modalities": ["text"],
    })
}

const MODELS: [&str; 14] = [
    "claude-3-5-haiku",
    "claude-sonnet-4-5",
    "claude-opus-4-6",
    "claude-sonnet-5-5",
    "gemini-2.0-flash",
    "gemini-2.5-pro",
    "gemini-3-pro-preview",
    "gemini-4",
    "gpt-5-mini",
    "o3",
    "grok-4",
    "deepseek-chat",
    "mistral-small-latest",
    "some-model",
];

#[test]
fn mutilated_requests_are_refused_or_said_in_sound_json() {
    let mut chance = Chance(3);
    let mut requests = vec![request().to_string().into_bytes()];
    let files = rows().into_iter().filter(|row| row.compatible()).filter_map(|row| row.request);
    requests.extend(files.map(|file| std::fs::read(file).unwrap()).filter(|body| body.len() < 50_000));
    let rich = requests[0].clone();
    let more = std::iter::repeat_n(rich, 60);
    let (mut read, mut said) = (0, 0);
    for body in more.chain(requests) {
        for round in 0..8 {
            let body = if round == 0 { body.clone() } else { mutated(&body, &mut chance) };
            let target = Target { model: chance.pick(&MODELS), max_output_tokens: Some(4096) };
            let Some(vendors) = check_request(&body, target) else { continue };
            read += 1;
            said += vendors;
        }
    }
    assert!(read > 80 && said > 1000, "only {read} requests were read, {said} said");
}

#[test]
fn mutilated_embeddings_are_refused_or_said_and_read_in_sound_json() {
    let mut chance = Chance(4);
    let requests = [
        json!({"model": "m", "input": ["a", "b\u{e9}"], "dimensions": 3, "encoding_format": "base64", "user": "u", "x": [1]}),
        json!({"model": "m", "input": [[1, 2], [3]], "encoding_format": "float"}),
    ];
    let answers = [
        json!({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1e-3]}, {"index": 1, "embedding": "AACAPwAAAMA="}], "model": "m", "usage": {"prompt_tokens": 5, "total_tokens": 5}}),
        json!({"embeddings": [{"values": [0.5, -0.25]}, {"values": [1, 0]}], "usageMetadata": {"promptTokenCount": 4}}),
    ];
    let (mut said, mut read) = (0, 0);
    for round in 0..2000 {
        let body = mutated(requests[round % 2].to_string().as_bytes(), &mut chance);
        let answer = mutated(answers[chance.below(2)].to_string().as_bytes(), &mut chance);
        let (more_said, more_read) = check_embeddings(&body, &answer);
        said += more_said;
        read += more_read;
    }
    assert!(said > 1000 && read > 1000, "only {said} were said and {read} read");
}

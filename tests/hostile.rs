//! Broken, mutilated and mad input of every kind: whatever comes, nothing panics, and what a client
//! or a provider gets is sound. Deterministic: every run tries the same cases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support {
    pub mod openai_client;
    pub mod recordings;
    pub mod replay;
}

use modelgate::chat::Request;
use modelgate::config::Vendor;
use modelgate::embeddings::{self, Encoding, Wanted};
use modelgate::json::{Document, Surrogates};
use modelgate::provider::{Target, adapter};
use serde_json::{Value, json};
use support::openai_client as client;
use support::recordings::rows;
use support::replay::{Asked, STREAM, attempt, play};

/// Numbers that only look random (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.below(from.len())]
    }

    /// A range in a text of that length, mostly short.
    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        let most = if self.one_in(4) { len } else { 12 };
        start..(start + self.below(most + 1)).min(len)
    }
}

/// Values that stand where others are expected.
const STRANGE: [&str; 20] = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1.5",
    "1e99",
    "128",
    "4294967296",
    "99999999999999999999",
    "\"\"",
    "\"x\"",
    "\"\\ud83d\"",
    "\"\\u0000\\\"\"",
    "[]",
    "[[]]",
    "[null]",
    "{}",
    "{\"index\":7}",
    "[{\"type\":\"text\",\"text\":\"é\"}]",
];

const INTRUDERS: [&str; 14] = [
    "\n\n",
    "\r\n\r\n",
    "data: [DONE]\n\n",
    "\n\ndata: {\"error\":{\"message\":\"m\"}}\n\n",
    "\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n",
    ": comment\n\n",
    "\n\ndata: {}\n\n",
    "\n\ndata: 7\n\n",
    "\n\ndata:\n\n",
    "<html><body>bad</body></html>",
    "\u{feff}",
    "\\",
    "\"",
    "{\"error\":\"text\"}",
];

/// A body with a few things wrong in it.
fn mutated(body: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut body = body.to_vec();
    for _ in 0..=chance.below(4) {
        match chance.below(10) {
            // A value becomes another.
            0..=4 => {
                let from = chance.below(body.len() + 1);
                let colon = body[from..].iter().position(|byte| *byte == b':').map(|at| from + at + 1);
                let Some(start) = colon else { continue };
                let end = body[start..].iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b'\n'));
                let end = end.map_or(body.len(), |at| start + at);
                body.splice(start..end, chance.pick(&STRANGE).bytes());
            }
            5 => {
                let range = chance.range(body.len());
                body.drain(range);
            }
            6 => {
                let range = chance.range(body.len());
                let copy = body[range.clone()].to_vec();
                let at = chance.below(body.len() + 1);
                body.splice(at..at, copy);
            }
            7 => {
                let at = chance.below(body.len() + 1);
                body.splice(at..at, chance.pick(&INTRUDERS).bytes());
            }
            // An event comes twice, or not at all.
            8 => {
                let from = chance.below(body.len() + 1);
                let breaks: Vec<usize> = (from..body.len().saturating_sub(1))
                    .filter(|at| body[*at..].starts_with(b"\n\n"))
                    .take(2)
                    .collect();
                let [start, end] = breaks[..] else { continue };
                let event = body[start..end].to_vec();
                if chance.one_in(2) {
                    body.splice(start..start, event);
                } else {
                    body.drain(start..end);
                }
            }
            _ => {
                let at = chance.below(body.len() + 1);
                if let Some(byte) = body.get_mut(at) {
                    *byte = u8::try_from(chance.below(256)).unwrap();
                }
            }
        }
    }
    body
}

/// Halves of surrogate pairs are passed on, because the next fragment may hold the other half; only
/// this test's parser refuses them.
fn paired(body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    for at in 0..body.len().saturating_sub(5) {
        let backslashes = body[..=at].iter().rev().take_while(|byte| **byte == b'\\').count();
        let half =
            matches!(body[at + 1..at + 4], [b'u', b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F']);
        if backslashes % 2 == 1 && half && body[at + 4..at + 6].iter().all(u8::is_ascii_hexdigit) {
            body[at + 2..at + 6].copy_from_slice(b"fffd");
        }
    }
    body
}

/// What came of it is sound for a client that asked so.
fn check(vendor: Vendor, asked: Asked, status: u16, content_type: &str, body: &[u8], size: usize) {
    let shown =
        || format!("{vendor:?} {asked:?} {status} {content_type}:\n{}", String::from_utf8_lossy(body));
    let got = play(attempt(vendor, asked), status, content_type, body.chunks(size));
    let body = &paired(&got.body);
    let sound = match got.status {
        200 if adapter(vendor).is_canonical() => return,
        200 if asked.stream => client::stream(body, asked.include_usage).and_then(|seen| {
            if seen.done || seen.error.is_some() { Ok(()) } else { Err("neither end nor error".to_string()) }
        }),
        200 => client::completion(body).map(drop),
        _ => client::error(body).map(drop),
    };
    // What stands in the arguments of a call is the model's affair, its id the provider's.
    let theirs = |why: &String| why.starts_with("arguments") || why.starts_with("two tool calls have the id");
    if let Some(why) = sound.err().filter(|why| !theirs(why)) {
        panic!("{why}\n{}\n->\n{}", shown(), String::from_utf8_lossy(&got.body));
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
            let Ok(document) = Document::parse(&body, Surrogates::Paired) else { continue };
            let Ok(request) = Request::read(document.root()) else { continue };
            read += 1;
            for vendor in Vendor::ALL {
                let target = Target { model: chance.pick(&MODELS), max_output_tokens: Some(4096) };
                let adapter = adapter(*vendor);
                let (fits, outgoing) = (adapter.fits(&request, target), adapter.request(&request, target));
                let shown = || format!("{vendor:?} {target:?}\n{}", String::from_utf8_lossy(&body));
                match (&fits, &outgoing) {
                    (Ok(()), Ok(outgoing)) => {
                        said += 1;
                        let sent: Value = serde_json::from_slice(&outgoing.body).unwrap_or_else(|why| {
                            panic!("{why}: {}\n{}", shown(), String::from_utf8_lossy(&outgoing.body))
                        });
                        assert!(sent.is_object(), "{}", shown());
                        let mut names = outgoing.dropped.clone();
                        names.sort();
                        names.dedup();
                        assert_eq!(names.len(), outgoing.dropped.len(), "{:?} {}", outgoing.dropped, shown());
                    }
                    (Err(fits), Err(request)) => assert_eq!(fits, request, "{}", shown()),
                    _ => panic!("{fits:?} but {outgoing:?}\n{}", shown()),
                }
            }
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
        for vendor in Vendor::ALL {
            let adapter = adapter(*vendor);
            let target = Target { model: "m", max_output_tokens: None };
            let document = Document::parse(&body, Surrogates::Paired).ok();
            let request =
                document.as_ref().and_then(|document| embeddings::Request::read(document.root()).ok());
            if let Some(outgoing) =
                request.and_then(|request| adapter.embeddings(&body, &request, target).ok())
            {
                said += 1;
                let sent: Value = serde_json::from_slice(&outgoing.body).unwrap();
                assert!(sent.is_object(), "{vendor:?} {sent}");
            }
            let Ok(document) = Document::parse(&answer, Surrogates::Lone) else { continue };
            for encoding in [Encoding::Float, Encoding::Base64] {
                let wanted = Wanted { encoding, vectors: 2, dimensions: None, tokens: 7 };
                let Ok(vectors) = adapter.embedded(&answer, document.root(), wanted, target) else {
                    continue;
                };
                read += 1;
                let body = vectors.body.unwrap_or_else(|| answer.clone());
                let body: Value = serde_json::from_slice(&paired(&body)).unwrap();
                assert_eq!(body["data"].as_array().unwrap().len(), 2, "{vendor:?} {body}");
            }
        }
    }
    assert!(said > 1000 && read > 1000, "only {said} were said and {read} read");
}

//! The fixed answers, as OpenAI and Anthropic send them: their headers, members and framing, with filler for text.

use bytes::Bytes;
use serde_json::{Value, json};

/// The providers' dialects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    OpenAi,
    Anthropic,
}

/// All that a dialect is answered with.
#[derive(Clone, Debug)]
pub struct Answers {
    /// A whole answer.
    pub json: Bytes,
    /// The events of a stream.
    pub stream: Vec<Bytes>,
    /// The events of a stream four times as long.
    pub long_stream: Vec<Bytes>,
}

const WORDS: [&str; 16] = [
    "the", " gateway", " reads", " each", " request", " once", ",", " plans", " it", " and", " lets", " it",
    " go", ".", "\n\n", "\"So\"",
];

/// Words of a whole answer.
const WHOLE: usize = 200;

impl Answers {
    pub fn of(dialect: Dialect, chunks: usize) -> Self {
        let text: String = words(WHOLE).collect();
        let (json, stream): (_, fn(usize) -> Vec<Bytes>) = match dialect {
            Dialect::OpenAi => (completion(&text), openai_stream),
            Dialect::Anthropic => (message(&text), anthropic_stream),
        };
        let json = Bytes::from(json.to_string());
        Self { json, stream: stream(chunks), long_stream: stream(chunks.saturating_mul(4)) }
    }
}

/// Headers as the providers send them, beside the content type.
pub fn headers(dialect: Dialect) -> &'static [(&'static str, &'static str)] {
    match dialect {
        Dialect::OpenAi => &[
            ("openai-organization", "org-benchmark"),
            ("openai-processing-ms", "412"),
            ("openai-version", "2020-10-01"),
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-limit-tokens", "30000000"),
            ("x-ratelimit-remaining-requests", "9999"),
            ("x-ratelimit-remaining-tokens", "29999970"),
            ("x-ratelimit-reset-requests", "6ms"),
            ("x-ratelimit-reset-tokens", "0s"),
            ("x-request-id", "req_6f1d2b9c8a7e4f0d9b3c2a1e5d4f6a7b"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
            ("cf-cache-status", "DYNAMIC"),
            ("x-content-type-options", "nosniff"),
            ("server", "cloudflare"),
            ("cf-ray", "8f1d2b9c8a7e4f0d-FRA"),
            ("alt-svc", "h3=\":443\"; ma=86400"),
        ],
        Dialect::Anthropic => &[
            ("anthropic-ratelimit-requests-limit", "4000"),
            ("anthropic-ratelimit-requests-remaining", "3999"),
            ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:00Z"),
            ("anthropic-ratelimit-tokens-limit", "2000000"),
            ("anthropic-ratelimit-tokens-remaining", "1999000"),
            ("anthropic-ratelimit-tokens-reset", "2026-01-01T00:00:00Z"),
            ("request-id", "req_011CSHoEeqs5C35K2UUqR7Fy"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
            ("anthropic-organization-id", "3b1c2d4e-5f60-4a7b-8c9d-0e1f2a3b4c5d"),
            ("via", "1.1 google"),
            ("cf-cache-status", "DYNAMIC"),
            ("x-robots-tag", "none"),
            ("server", "cloudflare"),
            ("cf-ray", "8f1d2b9c8a7e4f0d-FRA"),
        ],
    }
}

fn words(count: usize) -> impl Iterator<Item = &'static str> {
    WORDS.iter().copied().cycle().take(count)
}

fn openai_usage(words: usize) -> Value {
    json!({
        "prompt_tokens": 412, "completion_tokens": words, "total_tokens": words.saturating_add(412),
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0
        },
    })
}

fn completion(text: &str) -> Value {
    json!({
        "id": "chatcmpl-BqT7hX1vW2yZ3aB4cD5eF6gH7iJ8k", "object": "chat.completion", "created": 1_767_225_600,
        "model": "gpt-5-mini-2025-08-07",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": null, "annotations": []},
            "logprobs": null, "finish_reason": "stop",
        }],
        "usage": openai_usage(WHOLE), "service_tier": "default", "system_fingerprint": "fp_560af6e559",
    })
}

fn openai_stream(chunks: usize) -> Vec<Bytes> {
    let chunk = |choices: Value, usage: Value| {
        json!({
            "id": "chatcmpl-BqT7hX1vW2yZ3aB4cD5eF6gH7iJ8k", "object": "chat.completion.chunk",
            "created": 1_767_225_600, "model": "gpt-5-mini-2025-08-07", "service_tier": "default",
            "system_fingerprint": "fp_560af6e559", "choices": choices, "usage": usage,
            "obfuscation": "mJ4kQ8sT1u",
        })
    };
    let choice = |delta: Value, reason: Value| {
        let choices = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]);
        chunk(choices, Value::Null)
    };
    let mut events = vec![choice(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null)];
    events.extend(words(chunks).map(|word| choice(json!({"content": word}), Value::Null)));
    events.push(choice(json!({}), json!("stop")));
    events.push(chunk(json!([]), openai_usage(chunks)));
    let framed = events.iter().map(|event| format!("data: {event}\n\n"));
    framed.chain(["data: [DONE]\n\n".to_string()]).map(Bytes::from).collect()
}

fn anthropic_usage(words: usize) -> Value {
    json!({
        "input_tokens": 412, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": words, "service_tier": "standard",
    })
}

fn message(text: &str) -> Value {
    json!({
        "model": "claude-sonnet-4-5-20250929", "id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message",
        "role": "assistant", "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn", "stop_sequence": null, "usage": anthropic_usage(WHOLE),
    })
}

fn anthropic_stream(chunks: usize) -> Vec<Bytes> {
    let mut start = message("");
    for (key, value) in [("content", json!([])), ("stop_reason", Value::Null), ("usage", anthropic_usage(1))]
    {
        start[key] = value;
    }
    let mut events = vec![
        json!({"type": "message_start", "message": start}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
    ];
    events.extend(words(chunks).map(|word| {
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}})
    }));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({
            "type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": chunks},
        }),
        json!({"type": "message_stop"}),
    ]);
    let framed = events.iter().map(|event| {
        let name = event["type"].as_str().unwrap_or_default();
        Bytes::from(format!("event: {name}\ndata: {event}\n\n"))
    });
    framed.collect()
}

//! A fake Envoy around the real filter, so that whole requests are tested natively and in parallel.
//!
//! Three layers, each with Envoy's own rules and each knowing only the one before it:
//! `world` is what the host keeps (contexts, shared data, clock, log) and `abi` the
//! proxy-wasm functions the filter calls on it; `chain` is one filter in a stream: what it pauses is
//! buffered, what it lets go is handed on; `envoy` is the router between a client and scripted
//! providers: it picks the cluster by `wasm.next`, retries without restoring the headers, and
//! checks on the way what must hold of every message (see [`envoy::Envoy::ask`]).
//!
//! The filter is driven by its exported entry points. A panic in it aborts the test's process, as it
//! would trap the VM.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

mod abi;
mod chain;
mod client;
mod envoy;
mod held;
mod metrics;
mod provider;
mod world;

pub use chain::{Filter, Part, Plugin, Way};
pub use client::{Answer, Ending, Request};
pub use envoy::{Envoy, Sent};
pub use held::{Held, Now, pass, worker};
pub use provider::{End, Response};
pub use world::{Call, FilterState, Headers, LocalReply, Status, header, world};

/// Two models of two providers that speak the canonical dialect, a third with a longer name, and routes over them.
pub const CONFIG: &str = r#"{
  "providers": {
    "a": {"vendor": "openai", "base_url": "https://a.example/v1", "api_key": {"value": "key-of-a"}, "headers": {"openai-organization": "org-of-a"}, "allow_unlisted": true},
    "b": {"vendor": "openai", "base_url": "https://b.example/prefix/v1", "api_key": {"value": "key-of-b"}},
    "c": {"vendor": "openai", "base_url": "http://c.example:8080/v1", "api_key": "none", "cluster": "cluster-of-c"}
  },
  "models": {
    "small": {"provider": "a", "model": "small-1", "aliases": ["little"]},
    "small-b": {"provider": "b", "model": "small-1"},
    "other": {"provider": "b", "model": "other-with-a-longer-name"},
    "last": {"provider": "c", "model": "small-1"}
  },
  "routes": {
    "same": {"targets": [{"model": "small"}, {"model": "small-b"}]},
    "smart": {"targets": [{"model": "small"}, {"model": "other"}, {"model": "last"}]},
    "stubborn": {"targets": [{"model": "small", "tries": 2}, {"model": "last"}]}
  },
  "auth": {"anonymous": {"consumer": "anonymous"}},
  "health": "off",
  "bounds": {"request_bytes": 20000, "response_bytes": 20000, "held_bytes": 600}
}"#;

/// A chat request's body; `more` are further members, each with a comma before it.
pub fn chat(model: &str, more: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]{more}}}"#)
}

/// A whole answer in the canonical dialect.
pub fn completion(text: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}}}"#
    )
}

/// One event of a canonical stream.
pub fn event(choices: &str, more: &str) -> String {
    format!("data: {{\"id\":\"chatcmpl-1\",\"choices\":{choices}{more}}}\n\n")
}

/// An event that says `text`.
pub fn says(text: &str) -> String {
    event(
        &format!(r#"[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]"#),
        r#","usage":null"#,
    )
}

/// The event a stream begins with; there is no content in it.
pub fn opening() -> String {
    event(
        r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]"#,
        r#","usage":null"#,
    )
}

/// The event by which the only choice ends.
pub fn closing() -> String {
    event(r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#, r#","usage":null"#)
}

/// The event that tells the usage, which a provider sends if it was asked to.
pub fn usage() -> String {
    event("[]", r#","usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}"#)
}

/// The end mark.
pub const DONE: &str = "data: [DONE]\n\n";

/// A whole canonical stream that says `texts`, with its usage.
pub fn stream(texts: &[&str]) -> String {
    let said: String = texts.iter().map(|text| says(text)).collect();
    [opening(), said, closing(), usage(), DONE.to_string()].concat()
}

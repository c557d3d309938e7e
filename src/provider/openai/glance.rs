//! What an event of a canonical stream is, without reading all of it.
//!
//! OpenAI's own stream passes to the client as it is; only a few events of it matter to the gateway.
//! A quote inside a JSON string is escaped, so `"usage":` cannot stand inside one: where the bytes
//! of a key and its colon are found, it is a key. Only if its value is not `null` is the event
//! parsed, to see whether it is the key of the right object.

use crate::json::{Document, Surrogates, Value};
use memchr::memmem;

/// What the data of one event is; the first that is true, in this order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Glance {
    /// `[DONE]`.
    Done,
    /// An error object, or no JSON object at all.
    Error,
    /// A chunk that tells of the usage.
    Usage {
        /// It has no choices, so nothing is lost if a client does not get it.
        only: bool,
    },
    /// A chunk that has a `finish_reason`.
    Finish,
    /// A chunk that holds some of the answer.
    Content,
    /// Anything else, as the chunk that has only the role.
    Other,
}

/// Looks at the data of one event.
#[must_use]
pub fn glance(data: &[u8]) -> Glance {
    let data = data.trim_ascii();
    if data == b"[DONE]" {
        return Glance::Done;
    }
    if !(data.starts_with(b"{") && data.ends_with(b"}")) {
        return Glance::Error;
    }
    let keys: [&[u8]; 3] = [br#""error""#, br#""usage""#, br#""finish_reason""#];
    if keys.iter().any(|key| values(data, key).any(|value| !value.starts_with(b"null"))) {
        return parsed(data);
    }
    if values(data, br#""delta""#).any(says_something) { Glance::Content } else { Glance::Other }
}

/// What a chunk is that seems to be more than a piece of the answer.
fn parsed(data: &[u8]) -> Glance {
    let Ok(document) = Document::parse(data, Surrogates::Lone) else { return Glance::Error };
    let chunk = document.root();
    let choices = || chunk.get("choices").into_iter().flat_map(Value::items);
    if chunk.get("error").is_some() {
        Glance::Error
    } else if chunk.get("usage").is_some() {
        Glance::Usage { only: choices().next().is_none() }
    } else if choices().any(|choice| choice.get("finish_reason").is_some()) {
        Glance::Finish
    } else if choices().any(|choice| choice.get("delta").is_some_and(|delta| says_something(delta.raw()))) {
        Glance::Content
    } else {
        Glance::Other
    }
}

/// Whether a delta, of which these are the first bytes, has more than a role and empty strings.
fn says_something(delta: &[u8]) -> bool {
    let keys: [&[u8]; 8] = [
        br#""content""#,
        br#""tool_calls""#,
        br#""refusal""#,
        br#""reasoning_content""#,
        br#""reasoning""#,
        br#""function_call""#,
        br#""audio""#,
        br#""annotations""#,
    ];
    let nothing: [&[u8]; 4] = [b"null", br#""""#, b"[]", b"{}"];
    // Most deltas are empty or one string, and what follows a delta has none of these keys but
    // `content` and `refusal` of log probabilities, which are lists.
    let empty = delta.get(1..).is_some_and(|inside| inside.trim_ascii_start().starts_with(b"}"));
    let says = |value: &[u8]| !nothing.iter().any(|nothing| value.starts_with(nothing));
    let lists = |key: &[u8]| key == br#""content""# || key == br#""refusal""#;
    !empty
        && keys.iter().any(|key| {
            values(delta, key).any(|value| says(value) && !(lists(key) && value.starts_with(b"[")))
        })
}

/// What follows each place where `key`, given with its quotes, is the key of a member.
fn values<'d>(data: &'d [u8], key: &'d [u8]) -> impl Iterator<Item = &'d [u8]> {
    memmem::find_iter(data, key).filter_map(|at| {
        let rest = data.get(at.checked_add(key.len())?..)?.trim_ascii_start();
        Some(rest.strip_prefix(b":")?.trim_ascii_start())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    #[test]
    fn every_event_of_a_canonical_stream_is_told_apart() {
        let choice = |delta: &str, finish: &str| {
            format!(
                r#"{{"id":"a","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}],"usage":null}}"#
            )
        };
        let logprobs = r#"{"choices":[{"index":0,"delta":{},"logprobs":{"content":[{"token":"a"}]},"finish_reason":null}]}"#;
        for (data, expected) in [
            ("[DONE]".to_string(), Glance::Done),
            (r#"{"error":{"message":"m"}}"#.to_string(), Glance::Error),
            (r#"{"error" : "m"}"#.to_string(), Glance::Error),
            ("oops".to_string(), Glance::Error),
            (r#"{"choices":[{"finish_reason":"stop"}"#.to_string(), Glance::Error),
            (r#"{"error":null,"choices":[]}"#.to_string(), Glance::Other),
            (r#"{"choices":[],"usage":{"total_tokens":1}}"#.to_string(), Glance::Usage { only: true }),
            (
                r#"{"choices":[{"delta":{}}],"usage":{"total_tokens":1}}"#.to_string(),
                Glance::Usage { only: false },
            ),
            (choice("{}", r#""stop""#), Glance::Finish),
            (choice(r#"{"content":"a"}"#, r#""stop""#), Glance::Finish),
            (choice(r#"{"content":"a"}"#, "null"), Glance::Content),
            (choice(r#"{ "refusal" : "a" }"#, "null"), Glance::Content),
            (choice(r#"{"tool_calls":[{"index":0}]}"#, "null"), Glance::Content),
            (choice(r#"{"role":"assistant","content":"","refusal":null}"#, "null"), Glance::Other),
            (choice(r#"{"content":"\"usage\":{"}"#, "null"), Glance::Content),
            (choice("{}", "null"), Glance::Other),
            (logprobs.to_string(), Glance::Other),
            (r#"{"choices":[],"moderation":{"error":"x","usage":7}}"#.to_string(), Glance::Other),
        ] {
            assert_eq!(glance(data.as_bytes()), expected, "{data}");
        }
    }

    /// The same by reading all of it.
    fn read(data: &str) -> Glance {
        let chunk: Json = serde_json::from_str(data).unwrap();
        let choices = chunk["choices"].as_array().cloned().unwrap_or_default();
        let says = |value: &Json| !(value.is_null() || *value == "" || *value == json!([]));
        let some = |choice: &Json| {
            choice["delta"]
                .as_object()
                .is_some_and(|delta| delta.iter().any(|(key, value)| key != "role" && says(value)))
        };
        if !chunk["error"].is_null() {
            Glance::Error
        } else if !chunk["usage"].is_null() {
            Glance::Usage { only: choices.is_empty() }
        } else if choices.iter().any(|choice| !choice["finish_reason"].is_null()) {
            Glance::Finish
        } else if choices.iter().any(some) {
            Glance::Content
        } else {
            Glance::Other
        }
    }

    /// Text that looks like the members that are looked for.
    fn text() -> impl Strategy<Value = String> {
        let words = [
            "\"",
            "\\",
            "\\\"",
            ":",
            "{",
            "}",
            "[",
            "]",
            ",",
            " ",
            "usage",
            "\"usage\":",
            "\"usage\":{}",
            "error",
            "\"error\": 1",
            "finish_reason",
            "\"finish_reason\":\"stop\"",
            "\"delta\":{\"content\":\"x\"",
            "null",
            "[DONE]",
            "é",
            "\n",
            "\u{1}",
            "x",
        ];
        prop::collection::vec(prop::sample::select(words.to_vec()), 0..8).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_text_is_taken_for_a_member(
            content in prop::option::of(text()),
            refusal in prop::option::of(text()),
            arguments in prop::option::of(text()),
            token in prop::option::of(text()),
            id in text(),
            finish in prop::option::of(text()),
            usage in prop::option::of(0..9_u32),
            error in prop::option::weighted(0.1, text()),
            spaced in any::<bool>(),
        ) {
            let mut delta = json!({});
            for (key, value) in [("content", &content), ("refusal", &refusal)] {
                if let Some(value) = value {
                    delta[key] = json!(value);
                }
            }
            if let Some(arguments) = arguments {
                delta["tool_calls"] = json!([{"index": 0, "id": id, "function": {"name": id, "arguments": arguments}}]);
            }
            let logprobs = token.map(|token| json!({"content": [{"token": token, "bytes": [1]}], "refusal": null}));
            let mut chunk = json!({"id": id, "model": id, "choices": [
                {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
            ]});
            chunk["usage"] = usage.map_or(Json::Null, |tokens| json!({"total_tokens": tokens}));
            if let Some(error) = error {
                chunk["error"] = json!({"message": error});
            }
            let data = if spaced { serde_json::to_string_pretty(&chunk) } else { serde_json::to_string(&chunk) };
            let data = data.unwrap();
            prop_assert_eq!(glance(data.as_bytes()), read(&data), "{}", data);
        }
    }
}

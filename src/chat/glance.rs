//! A quick look at one chunk of a canonical stream: does anything in it concern a gateway?
//!
//! Most chunks are a few characters of text that nobody here acts on, so they are not parsed but
//! searched for the keys that matter. A key cannot be faked by what a model says: inside a JSON
//! string its quotes would be escaped.

use super::event::Usage;
use crate::json::{Document, Surrogates, Value};
use memchr::memmem;

/// What a chunk shows.
#[derive(Debug, Default, PartialEq)]
pub struct Glance {
    /// It is the end mark, `[DONE]`.
    pub done: bool,
    /// It holds something of an answer. Only told before the answer has begun.
    pub content: bool,
    /// How many choices begin: each says its role once.
    pub begins: u64,
    /// How many choices end.
    pub finishes: u64,
    /// What was used.
    pub usage: Option<Usage>,
    /// It is there for nothing but its usage.
    pub only_usage: bool,
    /// The provider failed, or what it sent makes no sense.
    pub error: bool,
}

/// Looks at the data of one event; `begun` is whether content was seen before.
#[must_use]
pub fn glance(data: &[u8], begun: bool) -> Glance {
    match data.trim_ascii() {
        b"[DONE]" => return Glance { done: true, ..Glance::default() },
        b"" => return Glance::default(),
        _ => {}
    }
    let strings = |key| {
        values(data, key)
            .filter(|value| value.first() == Some(&b'"'))
            .fold(0, |count: u64, _| count.saturating_add(1))
    };
    let (begins, finishes) = (strings(br#""role""#), strings(br#""finish_reason""#));
    let usage = values(data, br#""usage""#).any(|value| value.first() == Some(&b'{'));
    let error = values(data, br#""error""#).any(|value| !value.starts_with(b"null"));
    if begun && !usage && !error {
        let error = !is_object(data);
        return Glance { begins, finishes, error, ..Glance::default() };
    }
    let Ok(document) = Document::parse(data, Surrogates::Lone) else {
        return Glance { error: true, ..Glance::default() };
    };
    let root = document.root();
    let error = root.get("error").is_some() || !is_object(data);
    let mut seen = Glance { begins, finishes, error, ..Glance::default() };
    let choices = || root.get("choices").into_iter().flat_map(Value::items);
    seen.content = choices().any(|choice| choice.get("delta").is_some_and(has_content));
    seen.usage = root.get("usage").map(Usage::read);
    seen.only_usage = seen.usage.is_some() && choices().next().is_none();
    seen
}

/// Whether the text can be an object at all.
fn is_object(data: &[u8]) -> bool {
    let data = data.trim_ascii();
    data.starts_with(b"{") && data.ends_with(b"}")
}

/// Whether a delta says anything: more than a role and empty text.
fn has_content(delta: Value<'_>) -> bool {
    delta.entries().any(|(key, value)| {
        let says = value.text().map_or(!value.is_null(), |text| !text.is_empty());
        says && key.text().is_some_and(|key| key != "role")
    })
}

/// What follows each place where `key`, given with its quotes, is the key of a member.
fn values<'d>(data: &'d [u8], key: &'d [u8]) -> impl Iterator<Item = &'d [u8]> {
    memmem::find_iter(data, key).filter_map(|at| {
        let after = data.get(at.checked_add(key.len())?..)?.trim_ascii_start();
        Some(after.strip_prefix(b":")?.trim_ascii_start())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_matters_is_seen() {
        let chunk = |delta: &str, finish: &str, rest: &str| {
            format!(
                r#"{{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]{rest}}}"#
            )
        };
        let seen = |data: &str, begun| {
            let glance = glance(data.as_bytes(), begun);
            (
                glance.done,
                glance.content,
                glance.finishes > 0,
                glance.usage.is_some(),
                glance.only_usage,
                glance.error,
            )
        };
        let nothing = (false, false, false, false, false, false);
        assert_eq!(seen("[DONE]", true), (true, false, false, false, false, false));
        assert_eq!(seen(&chunk(r#"{"role":"assistant","content":""}"#, "null", ""), false), nothing);
        assert_eq!(
            seen(&chunk(r#"{"content":"a"}"#, "null", ""), false),
            (false, true, false, false, false, false)
        );
        assert_eq!(seen(&chunk(r#"{"content":"a"}"#, "null", r#","usage":null"#), true), nothing);
        assert_eq!(seen(&chunk("{}", "\"stop\"", ""), true), (false, false, true, false, false, false));
        let second = r#"{"choices":[{"index":0,"finish_reason":null},{"index":1,"finish_reason":"stop"}]}"#;
        assert_eq!(seen(second, true), (false, false, true, false, false, false));
        let usage = r#"{"choices":[],"usage" : {"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
        assert_eq!(seen(usage, true), (false, false, false, true, true, false));
        assert_eq!(seen(r#"{"error":{"message":"m"}}"#, true), (false, false, false, false, false, true));
        for garbage in ["<html>", "[1]", "7", "\"{}\""] {
            for begun in [false, true] {
                assert_eq!(seen(garbage, begun), (false, false, false, false, false, true), "{garbage}");
            }
        }
        assert_eq!(seen(" ", true), nothing);
        let both = r#"{"choices":[{"index":0,"finish_reason":"stop"},{"index":1,"finish_reason":"length"}]}"#;
        assert_eq!(glance(both.as_bytes(), true).finishes, 2);
    }

    proptest! {
        #[test]
        fn no_text_of_a_model_is_taken_for_a_key(text in r#"[\\"a-z:{}\[\] _]*("usage":\{|"finish_reason":"|"error":1)?[\\"a-z:{}]*"#) {
            let mut data = br#"{"choices":[{"index":0,"delta":{"content":"#.to_vec();
            crate::json::string(&mut data, &text);
            data.extend_from_slice(br#"},"finish_reason":null}],"usage":null}"#);
            prop_assert_eq!(glance(&data, true), Glance::default());
        }
    }
}

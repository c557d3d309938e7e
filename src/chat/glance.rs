//! A quick look at one chunk of a canonical stream: does anything in it concern a gateway?
//!
//! Most chunks are a few characters of text that nobody here acts on, so they are not parsed but
//! searched for the keys that matter. A key cannot be faked by what a model says: inside a JSON
//! string its quotes would be escaped.

use super::event::Usage;
use crate::json::{Document, Surrogates, Value};
use memchr::memmem::Finder;
use std::ops::Range;

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
    /// Where it has the member, with the comma before it, that says that its usage comes later.
    pub null_usage: Option<Range<usize>>,
    /// The provider failed, or what it sent makes no sense.
    pub error: bool,
}

impl Glance {
    /// Whether it is a chunk of which nothing has to be noted, but for the usage that comes later.
    #[must_use]
    pub fn is_ordinary(&self) -> bool {
        let null_usage = self.null_usage.clone();
        *self == Self { null_usage, ..Self::default() }
    }
}

/// The keys that matter, made ready to be searched for once for each stream.
pub struct Glancer {
    role: Finder<'static>,
    finish_reason: Finder<'static>,
    usage: Finder<'static>,
    error: Finder<'static>,
}

impl Default for Glancer {
    fn default() -> Self {
        let key = |key: &'static str| Finder::new(key.as_bytes());
        Self {
            role: key(r#""role""#),
            finish_reason: key(r#""finish_reason""#),
            usage: key(r#""usage""#),
            error: key(r#""error""#),
        }
    }
}

impl Glancer {
    /// Looks at the data of one event; `begun` is whether content was seen before.
    #[must_use]
    pub fn glance(&self, data: &[u8], begun: bool) -> Glance {
        match data.trim_ascii() {
            b"[DONE]" => return Glance { done: true, ..Glance::default() },
            b"" => return Glance::default(),
            _ => {}
        }
        let strings = |key| {
            values(data, key)
                .filter(|(_, value)| value.first() == Some(&b'"'))
                .fold(0, |count: u64, _| count.saturating_add(1))
        };
        let mut seen = Glance {
            begins: strings(&self.role),
            finishes: strings(&self.finish_reason),
            error: values(data, &self.error).any(|(_, value)| !value.starts_with(b"null"))
                || !is_object(data),
            ..Glance::default()
        };
        let mut usage = false;
        for (at, value) in values(data, &self.usage) {
            usage |= value.starts_with(b"{");
            seen.null_usage = null_member(data, at).or(seen.null_usage);
        }
        if begun && !usage && !seen.error {
            return seen;
        }
        let Ok(document) = Document::parse(data, Surrogates::Lone) else {
            return Glance { error: true, ..Glance::default() };
        };
        let root = document.root();
        let choices = || root.get("choices").into_iter().flat_map(Value::items);
        seen.error = root.get("error").is_some() || !is_object(data);
        seen.content = choices().any(|choice| choice.get("delta").is_some_and(has_content));
        seen.usage = root.get("usage").map(Usage::read);
        seen.only_usage = seen.usage.is_some() && choices().next().is_none();
        seen
    }
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

/// Each place where a key, searched for with its quotes, is that of a member, and what follows there.
fn values<'d>(data: &'d [u8], key: &'d Finder<'_>) -> impl Iterator<Item = (usize, &'d [u8])> {
    key.find_iter(data).filter_map(|at| {
        let after = data.get(at.checked_add(key.needle().len())?..)?.trim_ascii_start();
        Some((at, after.strip_prefix(b":")?.trim_ascii_start()))
    })
}

/// The span of the usage at `at` and the comma before it, if the usage is `null` and written without white space.
fn null_member(data: &[u8], at: usize) -> Option<Range<usize>> {
    const MEMBER: &[u8] = br#","usage":null"#;
    let start = at.checked_sub(1)?;
    let end = start.checked_add(MEMBER.len())?;
    (data.get(start..end)? == MEMBER).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_matters_is_seen() {
        let glancer = Glancer::default();
        let chunk = |delta: &str, finish: &str, rest: &str| {
            format!(
                r#"{{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]{rest}}}"#
            )
        };
        let seen = |data: &str, begun| {
            let glance = glancer.glance(data.as_bytes(), begun);
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
        assert_eq!(glancer.glance(both.as_bytes(), true).finishes, 2);
    }

    proptest! {
        #[test]
        fn no_text_of_a_model_is_taken_for_a_key(text in r#"[\\"a-z:{}\[\] _]*("usage":\{|"finish_reason":"|"error":1)?[\\"a-z:{}]*"#) {
            let mut data = br#"{"choices":[{"index":0,"delta":{"content":"#.to_vec();
            crate::json::string(&mut data, &text);
            let end = data.len();
            data.extend_from_slice(br#"},"finish_reason":null}],"usage":null}"#);
            let null_usage = Some(data.len() - 14..data.len() - 1);
            prop_assert_eq!(Glancer::default().glance(&data, true), Glance { null_usage, ..Glance::default() });
            data.truncate(end);
            data.extend_from_slice(br#"},"finish_reason":null}]}"#);
            prop_assert_eq!(Glancer::default().glance(&data, true), Glance::default());
        }
    }
}

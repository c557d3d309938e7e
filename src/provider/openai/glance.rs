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

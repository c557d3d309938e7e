//! What bonds promise: by the book as cases, and as a simulation of conversations with providers that have caches.

mod bond;
mod key;
mod places;
mod simulation;

use super::*;
use crate::chat::{Request, Usage};
use crate::json::{Document, Surrogates};
use crate::store::Store;
use crate::store::tests::Memory;
use crate::time::Timestamp;
use serde_json::{Value as Tree, json};

const RULES: Rules = Rules { ttl: 300_000, switch_cost: 0.1 };
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// What a provider says of a prompt.
fn usage(prompt: u64, cached: u64) -> Usage {
    Usage { prompt, completion: 100, cached: Some(cached), ..Usage::default() }
}

fn seconds(seconds: u64) -> Timestamp {
    START.after(seconds * 1_000)
}

/// Gives the request in a text to `look`.
fn with<T>(body: &str, look: impl FnOnce(&Request<'_>) -> T) -> T {
    let document = Document::parse(body.as_bytes(), Surrogates::Paired).unwrap();
    look(&Request::read(document.root()).unwrap_or_else(|error| panic!("{body}: {error:?}")))
}

fn key_of(body: &Tree) -> Key {
    with(&body.to_string(), |request| Key::of(request, "chat", "acme", None))
}

fn key(name: &str) -> Key {
    key_of(&json!({"model": "chat", "messages": [{"role": "user", "content": name}]}))
}

/// The bond after answers of one target to these prompts, with so many tokens cached of them.
fn bond(answers: &[(u64, u64)]) -> Option<Bond> {
    let store = Memory::default();
    for (prompt, cached) in answers {
        note(&store, key("k"), "a", &usage(*prompt, *cached), &RULES, START);
    }
    find(&store, key("k"), &RULES, START)
}

mod answers;
mod entry;
mod index;
mod key;
mod policy;
mod recorder;

use super::*;
use crate::chat::Request;
use crate::config::{Config, Named, Target};
use crate::json::{Document, Surrogates};
use serde_json::{Value as Tree, json};

const CONFIGURATION: &str = r#"{
    "auth": {"anonymous": {"consumer": "anonymous"}},
    "providers": {"one": {"vendor": "openai", "api_key": {"value": "k"}}, "two": {"vendor": "anthropic", "api_key": {"value": "k"}}},
    "models": {
        "a": {"provider": "one"},
        "b": {"provider": "two", "model": "b-1"},
        "c": {"provider": "two", "model": "b-1", "max_output_tokens": 100}
    },
    "routes": {
        "ab": {"targets": [{"model": "a"}, {"model": "b"}]},
        "ba": {"targets": [{"model": "b"}, {"model": "a"}]},
        "ac": {"targets": [{"model": "a"}, {"model": "c"}]},
        "aba": {"targets": [{"model": "a"}, {"model": "b"}, {"model": "a"}]}
    }
}"#;

fn targets(route: &str) -> Vec<Target> {
    let config = Config::parse(CONFIGURATION.as_bytes(), &|_| None).unwrap();
    match config.named(route) {
        Some(Named::Route(route)) => route.targets.clone(),
        other => panic!("{route} is no route: {other:?}"),
    }
}

/// Gives the request in a text to `look`.
fn with<T>(body: &str, look: impl FnOnce(&Request<'_>) -> T) -> T {
    let document = Document::parse(body.as_bytes(), Surrogates::Paired).unwrap();
    look(&Request::read(document.root()).unwrap_or_else(|error| panic!("{body}: {error:?}")))
}

/// A request that asks `content`.
fn asking(content: &str) -> Tree {
    json!({"model": "ab", "temperature": 0, "messages": [{"role": "user", "content": content}]})
}

mod accuracy;
mod golden;
mod judge;
mod requests;
mod rules;
mod sentences;

use super::*;
use crate::chat::Request;
use crate::json::{Document, Surrogates};

/// A chat of these messages, each with its role.
fn chat(messages: &[(&str, &str)]) -> String {
    let messages: Vec<_> = messages
        .iter()
        .map(|(role, content)| serde_json::json!({"role": role, "content": content}))
        .collect();
    serde_json::json!({"model": "m", "messages": messages}).to_string()
}

/// What `with` makes of a body.
fn with<T>(body: &str, with: impl FnOnce(&Request<'_>) -> T) -> T {
    let document = Document::parse(body.as_bytes(), Surrogates::Paired).unwrap();
    with(&Request::read(document.root()).unwrap())
}

fn judged(classifier: &Classifier, body: &str) -> Verdict {
    with(body, |request| classifier.classify(&features(request, 100)))
}

fn built_in() -> Classifier {
    Classifier::new(&Tasks::default())
}

fn said(text: &str) -> Verdict {
    judged(&built_in(), &chat(&[("user", text)]))
}

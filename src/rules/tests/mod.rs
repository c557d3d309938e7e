#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

mod arguments;
mod hostile;
mod language;
mod splits;

use super::{Fired, Screen};
use crate::config::{Config, ContentRule};
use serde_json::{Value, json};
use std::rc::Rc;

/// The rules of a configuration that has these.
fn rules(rules: &Value) -> Vec<Rc<ContentRule>> {
    let document = json!({
        "providers": {"openai": {"allow_unlisted": true}},
        "auth": {"anonymous": {"consumer": "anonymous"}},
        "content_rules": rules,
    });
    let config = Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned()));
    config.unwrap_or_else(|problems| panic!("{problems}")).content_rules().to_vec()
}

/// A screen of one rule that redacts to `#`.
fn redacts(rule: Value) -> Rc<Screen> {
    let mut rule = rule;
    rule["name"] = json!("a");
    rule["action"] = json!("redact");
    rule["replacement"] = json!("#");
    Screen::of(rules(&json!([rule]))).unwrap()
}

/// What comes out of a text that comes in these pieces, as it comes and at last.
fn screened(screen: &Rc<Screen>, pieces: &[&str]) -> Result<Vec<String>, Fired> {
    let mut text = screen.text();
    let mut all = Vec::new();
    for piece in pieces {
        let mut out = String::new();
        text.push(piece, &mut out)?;
        all.push(out);
    }
    let mut out = String::new();
    text.finish(&mut out)?;
    all.push(out);
    Ok(all)
}

fn whole(screen: &Rc<Screen>, text: &str) -> String {
    screened(screen, &[text]).unwrap().concat()
}

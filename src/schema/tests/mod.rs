#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod hostile;
mod keywords;
mod mending;
mod properties;
mod told;

use super::*;
use crate::json::{Document, Surrogates};
use serde_json::Value as Tree;

/// What differs, told; or why it cannot be said.
fn told(schema: &str, value: &str) -> Result<Vec<String>, Undecided> {
    let schema = Document::parse(schema.as_bytes(), Surrogates::Paired).expect(schema);
    let value = Document::parse(value.as_bytes(), Surrogates::Lone).expect(value);
    let violations = Schema::new(schema.root()).check(value.root())?;
    Ok(violations.iter().map(Violation::to_string).collect())
}

fn fits(schema: &str, value: &str) -> bool {
    told(schema, value).expect(schema).is_empty()
}

/// What comes of a text.
fn mended(schema: &str, text: &str) -> Result<Mended, Unmended> {
    let schema = Document::parse(schema.as_bytes(), Surrogates::Paired).expect(schema);
    Schema::new(schema.root()).mend(text.as_bytes())
}

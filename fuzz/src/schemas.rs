//! A schema and a text: what is mended fits, and what fits is not mended.

use crate::input::Input;
use modelgate::json::{Document, Surrogates};
use modelgate::schema::Schema;

pub fn target(data: &[u8]) {
    let mut input = Input(data);
    let (schema, text) = (input.part(), input.0);
    let Ok(document) = Document::parse(schema, Surrogates::Paired) else { return };
    let schema = Schema::new(document.root());
    let _ = schema.unchecked();
    let Ok(mended) = schema.mend(text) else { return };
    let made = Document::parse(&mended.json, Surrogates::Lone);
    let made = made.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&mended.json)));
    if let Ok(violations) = schema.check(made.root()) {
        assert_eq!(
            violations.is_empty(),
            mended.violations.is_empty(),
            "{violations:?} but {:?}",
            mended.violations
        );
    }
    let fits = Document::parse(text, Surrogates::Lone).ok().and_then(|text| schema.check(text.root()).ok());
    if fits.is_some_and(|violations| violations.is_empty()) {
        assert_eq!(mended.json.trim_ascii(), text.trim_ascii(), "it did fit");
    }
}

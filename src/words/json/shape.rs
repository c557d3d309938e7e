//! A text seen before, by which others like it are known without being read.
//!
//! The chunks of a stream are the same text over and over, but for a few strings and numbers. Where
//! two texts agree in all that stands outside of these, they agree in every name and in the form of
//! every value, and what holds of one for those reasons holds of the other.

use super::document::{Kind, Surrogates};
use super::scan;
use super::value::Value;

/// A text, and where in it the strings and numbers are that may be others.
#[derive(Debug, Default)]
pub struct Shape {
    text: Vec<u8>,
    free: Vec<Free>,
    mark: usize,
}

/// A number, or the inside of a string.
#[derive(Clone, Copy, Debug)]
struct Free {
    kind: Kind,
    start: usize,
    end: usize,
}

/// A text of that shape.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fit {
    /// How long it is.
    pub len: usize,
    /// Where in it the mark is.
    pub mark: usize,
}

impl Shape {
    /// Learns another shape: `text`, in which a JSON value begins at `at`. The mark is a place in the text that is found again
    /// in whatever fits; it must be outside of strings and numbers.
    pub fn learn(&mut self, text: &[u8], at: usize, value: Value<'_>, mark: usize) {
        self.text.clear();
        self.text.extend_from_slice(text);
        self.free.clear();
        self.free(value, at);
        self.mark = mark;
    }

    fn free(&mut self, value: Value<'_>, at: usize) {
        let kind = value.kind();
        let quote = usize::from(kind == Kind::String);
        match kind {
            Kind::String | Kind::Number => self.free.push(Free {
                kind,
                start: value.span().start.saturating_add(at).saturating_add(quote),
                end: value.span().end.saturating_add(at).saturating_sub(quote),
            }),
            Kind::Object => value.entries().for_each(|(_, value)| self.free(value, at)),
            Kind::Array => value.items().for_each(|item| self.free(item, at)),
            Kind::Null | Kind::Bool => {}
        }
    }

    /// Whether a text of this shape stands at the front of `text`.
    #[must_use]
    pub fn fits(&self, text: &[u8]) -> Option<Fit> {
        let mut free = self.free.iter();
        // Where the two are compared.
        let (mut known, mut at) = (0_usize, 0_usize);
        let mut mark = self.mark;
        loop {
            if known <= self.mark {
                mark = self.mark.saturating_sub(known).saturating_add(at);
            }
            let same = common(self.text.get(known..)?, text.get(at..)?);
            known = known.saturating_add(same);
            at = at.saturating_add(same);
            if known == self.text.len() {
                return (known > 0).then_some(Fit { len: at, mark });
            }
            // Here they differ, and may only do so in a string or number.
            let free = free.find(|free| known <= free.end)?;
            let start = at.checked_sub(known.checked_sub(free.start)?)?;
            at = match free.kind {
                Kind::String => scan::string_end(text, start, Surrogates::Lone).ok()?.0,
                _ => scan::number_end(text, start).ok()?,
            };
            known = free.end;
        }
    }
}

/// How many bytes two texts have in common from the front.
fn common(one: &[u8], other: &[u8]) -> usize {
    let (blocks, others) = (one.as_chunks::<16>().0, other.as_chunks::<16>().0);
    let mut same = 0_usize;
    for (block, other) in blocks.iter().zip(others) {
        let differs = u128::from_le_bytes(*block) ^ u128::from_le_bytes(*other);
        if differs != 0 {
            return same.saturating_add(differs.trailing_zeros() as usize / 8);
        }
        same = same.saturating_add(16);
    }
    let rest = one.get(same..).into_iter().flatten().zip(other.get(same..).into_iter().flatten());
    same.saturating_add(rest.take_while(|(one, other)| one == other).count())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::json::Document;
    use proptest::prelude::*;

    const KNOWN: &str = "data: {\"id\":\"c1\",\"created\":17,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\nb\"}}],\"usage\":null}\n\n";
    const MARK: &str = r#","usage""#;

    fn shape() -> Shape {
        let text = KNOWN.as_bytes();
        let document = Document::parse(&text[6..], Surrogates::Lone).unwrap();
        let mut shape = Shape::default();
        shape.learn(text, 6, document.root(), KNOWN.find(MARK).unwrap());
        shape
    }

    #[test]
    fn texts_that_differ_in_strings_and_numbers_fit() {
        for (from, to) in [
            (r"a\nb", r"a\nb"),
            (r"a\nb", ""),
            (r"a\nb", r"a\tb"),
            (r"a\nb", r#"a\nb\"}}],\"usage\":1"#),
            (r"a\nb", "\u{e9}\\ud83d"),
            (r"a\nb", "a text that is longer by much than the one that was there before"),
            ("17", "1767225600"),
            ("17", "1"),
            (":0,", ":12,"),
            ("c1", "c2"),
        ] {
            let text = KNOWN.replace(from, to);
            let fit = Some(Fit { len: text.len(), mark: text.rfind(MARK).unwrap() });
            assert_eq!(shape().fits(text.as_bytes()), fit, "{text}");
            assert_eq!(shape().fits([text.as_str(), KNOWN].concat().as_bytes()), fit, "{text}");
        }
    }

    #[test]
    fn texts_that_differ_elsewhere_do_not() {
        for (from, to) in [
            ("usage", "usags"),
            ("null", "{}"),
            ("null", "true"),
            (r#""c1""#, "null"),
            (r#""c1""#, "1"),
            ("17", r#""17""#),
            ("17", "-"),
            ("17", "1.x"),
            ("17", "null"),
            (r"a\nb", r"a\xb"),
            (r"a\nb", "a\nb"),
            (r#"{"content""#, r#"{"role":"","content""#),
            ("}}]", r#"},"finish_reason":"stop"}]"#),
            ("\n\n", "\n"),
            ("\n\n", "\n:\n"),
        ] {
            let text = KNOWN.replacen(from, to, 1);
            assert_ne!(text, KNOWN, "{from}");
            assert_eq!(shape().fits(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Shape::default().fits(KNOWN.as_bytes()), None);
        assert_eq!(shape().fits(b""), None);
    }

    proptest! {
        #[test]
        fn a_text_fits_only_when_it_is_whole(text in r#"[a-z"\\\u{e9}{}:,]*"#, number: u64) {
            let mut json = Vec::new();
            crate::json::string(&mut json, &text);
            let json = String::from_utf8(json).unwrap();
            let whole = KNOWN.replace(r#""a\nb""#, &json).replace("17", &number.to_string());
            prop_assert_eq!(shape().fits(whole.as_bytes()).map(|fit| fit.len), Some(whole.len()));
            for cut in 0..whole.len() {
                prop_assert_eq!(shape().fits(&whole.as_bytes()[..cut]), None);
            }
        }
    }
}

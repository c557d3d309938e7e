//! Where in a text the JSON is: a model that was asked for nothing else may say a word before and after it, or put it into a
//! Markdown fence.

use super::check::Checker;
use super::{Kinds, Unmended};
use crate::json::{Document, Fault, Surrogates, Value};
use std::ops::Range;

/// At so many brackets JSON is looked for.
const TRIED: usize = 64;

/// The span of the value that was meant: the text itself, or the first object or array in it that fits; else the first of a kind that
/// fits, else the largest.
///
/// A value that was cut is not looked into: what is whole within it was not the answer.
pub(super) fn found<'d>(
    checker: &mut Checker<'d>,
    schema: Value<'d>,
    text: &[u8],
) -> Result<Range<usize>, Unmended> {
    if Document::parse(text, Surrogates::Lone).is_ok() {
        return Ok(0..text.len());
    }
    let wanted = kinds(checker, schema);
    let (mut first, mut largest) = (None, 0..0);
    let (mut at, mut cut) = (0_usize, false);
    for _ in 0..TRIED {
        let rest = text.get(at..).unwrap_or_default();
        let Some(bracket) = memchr::memchr2(b'{', b'[', rest) else { break };
        at = at.saturating_add(bracket);
        let rest = text.get(at..).unwrap_or_default();
        match Document::first(rest, Surrogates::Lone) {
            Ok(length) => {
                let span = at..at.saturating_add(length);
                at = span.end;
                let Ok(document) =
                    Document::parse(text.get(span.clone()).unwrap_or_default(), Surrogates::Lone)
                else {
                    continue;
                };
                if checker.quietly(schema, document.root())? {
                    return Ok(span);
                }
                if first.is_none() && wanted.is_none_or(|wanted| wanted.has(document.root().kind())) {
                    first = Some(span.clone());
                }
                if span.len() > largest.len() {
                    largest = span;
                }
            }
            Err(error) if error.fault == Fault::UnexpectedEnd => {
                cut = true;
                break;
            }
            Err(_) => at = at.saturating_add(1),
        }
    }
    match first {
        _ if cut => Err(Unmended::Cut),
        Some(first) => Ok(first),
        None if largest.is_empty() => Err(Unmended::NoJson),
        None => Ok(largest),
    }
}

/// The kinds of values that a schema asks for, or what it refers to does.
fn kinds<'d>(checker: &mut Checker<'d>, mut schema: Value<'d>) -> Option<Kinds> {
    for _ in 0..4 {
        let reference = schema.get("$ref").and_then(Value::text);
        match (Kinds::of(schema), reference) {
            (None, Some(reference)) => schema = checker.referred(&reference).ok()?,
            (kinds, _) => return kinds,
        }
    }
    None
}

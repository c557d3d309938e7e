//! `groundingMetadata` as OpenAI's `url_citation` annotations.
//!
//! Gemini counts the place of a citation in bytes of the text, OpenAI's clients in characters.

use super::fields;
use crate::json::{Text, Value, array};

/// Where in a text its characters begin, kept as runs of characters of one width.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    bytes: usize,
    chars: usize,
    runs: Vec<Run>,
}

#[derive(Debug)]
struct Run {
    byte: usize,
    char: usize,
    width: usize,
}

impl Offsets {
    /// The text goes on.
    pub fn push(&mut self, text: &Text<'_>) {
        let plain = text.decode();
        if plain.is_ascii() {
            self.run(1, plain.len());
        } else {
            plain.chars().for_each(|c| self.run(c.len_utf8(), 1));
        }
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    fn run(&mut self, width: usize, count: usize) {
        if self.runs.last().is_none_or(|run| run.width != width) {
            self.runs.push(Run { byte: self.bytes, char: self.chars, width });
        }
        self.bytes = self.bytes.saturating_add(width.saturating_mul(count));
        self.chars = self.chars.saturating_add(count);
    }

    /// How many characters stand before that byte.
    fn chars_before(&self, byte: usize) -> Option<usize> {
        if byte > self.bytes {
            return None;
        }
        let after = self.runs.partition_point(|run| run.byte <= byte);
        let Some(run) = after.checked_sub(1).and_then(|at| self.runs.get(at)) else { return Some(0) };
        let inside = byte.saturating_sub(run.byte).checked_div(run.width)?;
        Some(run.char.saturating_add(inside))
    }
}

/// The annotations, if there are any whose place in the text so far is known.
pub(super) fn annotations(grounding: Value<'_>, offsets: &Offsets) -> Option<Vec<u8>> {
    let [chunks, supports] = fields(grounding, ["groundingChunks", "groundingSupports"]);
    let sources: Vec<Value<'_>> = chunks?.items().collect();
    let mut count = 0_usize;
    let mut out = Vec::new();
    array(&mut out, |list| {
        for support in supports.into_iter().flat_map(Value::items) {
            let Some(segment) = support.get("segment") else { continue };
            let [part, start, end] = fields(segment, ["partIndex", "startIndex", "endIndex"]);
            let place = |index: Option<Value<'_>>| offsets.chars_before(usize::try_from(index?.u64()?).ok()?);
            // The start is left out where it is 0. Offsets count from the first part.
            let start = if start.is_none() { Some(0) } else { place(start) };
            let (Some(start), Some(end), None) =
                (start, place(end), part.and_then(Value::u64).filter(|part| *part > 0))
            else {
                continue;
            };
            for index in support.get("groundingChunkIndices").into_iter().flat_map(Value::items) {
                let source = index.u64().and_then(|index| sources.get(usize::try_from(index).ok()?));
                let source =
                    source.and_then(|chunk| chunk.get("web").or_else(|| chunk.get("retrievedContext")));
                let Some(source) = source else { continue };
                let Some(url) = source.get("uri").and_then(Value::text) else { continue };
                list.object(|annotation| {
                    // Clients join lists by it.
                    annotation.number("index", count);
                    annotation.string("type", "url_citation");
                    annotation.object("url_citation", |citation| {
                        citation.number("start_index", start);
                        citation.number("end_index", end);
                        citation
                            .text("title", &source.get("title").and_then(Value::text).unwrap_or_default());
                        citation.text("url", &url);
                    });
                });
                count = count.saturating_add(1);
            }
        }
    });
    (count > 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_characters() {
        let mut offsets = Offsets::default();
        for text in ["abc", "dé", "日本", "x😀y"] {
            offsets.push(&Text::of(text));
        }
        let whole = "abcdé日本x😀y";
        for (count, (at, _)) in whole.char_indices().enumerate() {
            assert_eq!(offsets.chars_before(at), Some(count), "{at}");
        }
        assert_eq!(offsets.chars_before(whole.len()), Some(10));
        assert_eq!(offsets.chars_before(whole.len() + 1), None);
        assert_eq!(Offsets::default().chars_before(0), Some(0));
    }
}

//! Chunks cut out of a JSON array that arrives in any pieces.
//!
//! Without `alt=sse`, which a proxy may have lost, Gemini streams one JSON array of chunks (content
//! type `application/json`). Each is handed out when its closing brace has come: it is the `data`
//! of the stream's reader, and what is left over at the end the `stray` of its `finish`.

use crate::sse::TooLong;

/// Splits a streamed JSON array into its objects.
#[derive(Debug)]
pub struct ArraySplitter {
    /// The bytes of the object that is not complete yet.
    held: Vec<u8>,
    /// How deep the next byte stands inside an object; 0 between them.
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// Whether the array has begun and not ended.
    open: bool,
    /// What stood outside of the objects and is not of an array.
    stray: Vec<u8>,
    limit: usize,
}

impl ArraySplitter {
    /// A splitter that keeps at most `limit` bytes of one object.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            held: Vec::new(),
            depth: 0,
            in_string: false,
            escaped: false,
            open: false,
            stray: Vec::new(),
            limit,
        }
    }

    /// Takes the next bytes and hands out each object that they complete.
    ///
    /// # Errors
    /// [`TooLong`] if an object, or what is none, grows beyond the limit.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), TooLong> {
        for byte in bytes {
            let inside = self.depth > 0;
            if inside || *byte == b'{' {
                self.held.push(*byte);
                self.step(*byte);
                if self.depth == 0 {
                    each(&self.held);
                    self.held.clear();
                }
            } else {
                match byte {
                    b'[' if !self.open => self.open = true,
                    b']' if self.open => self.open = false,
                    b',' | b' ' | b'\t' | b'\r' | b'\n' => {}
                    other => self.stray.push(*other),
                }
            }
            if self.held.len() > self.limit || self.stray.len() > self.limit {
                return Err(TooLong);
            }
        }
        Ok(())
    }

    /// The stream is over: what was no whole object of a whole array, for the reader's `finish`.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        match self {
            Self { open: true, held, stray, .. } => [b"[".as_slice(), &stray, &held].concat(),
            Self { held, stray, .. } => [stray, held].concat(),
        }
    }

    /// How many bytes are kept for an object that is not complete yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Follows one byte inside an object.
    fn step(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = self.in_string,
            b'"' => self.in_string = !self.in_string,
            _ if self.in_string => {}
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn split(pieces: &[&[u8]]) -> (Vec<String>, String) {
        let mut splitter = ArraySplitter::new(1000);
        let mut seen = Vec::new();
        for piece in pieces {
            splitter.push(piece, |object| seen.push(String::from_utf8(object.to_vec()).unwrap())).unwrap();
        }
        (seen, String::from_utf8(splitter.finish()).unwrap())
    }

    #[test]
    fn an_array_cut_at_any_byte_gives_the_same_objects() {
        let text = "[{\"a\":\"}é\\\"{\",\"b\":[{}]}\r\n,\r\n{\"c\":\"\\\\\"}\n]";
        let expected = (
            vec!["{\"a\":\"}é\\\"{\",\"b\":[{}]}".to_string(), "{\"c\":\"\\\\\"}".to_string()],
            String::new(),
        );
        let bytes = text.as_bytes();
        for at in 0..=bytes.len() {
            assert_eq!(split(&[&bytes[..at], &bytes[at..]]), expected, "{at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(split(&single), expected);
    }

    #[test]
    fn what_is_cut_or_no_array_is_left_over() {
        assert_eq!(split(&[b"[{\"a\":1},"]), (vec!["{\"a\":1}".into()], "[".into()));
        assert_eq!(split(&[b"[{\"a\":"]), (vec![], "[{\"a\":".into()));
        assert_eq!(split(&[b"<html>"]), (vec![], "<html>".into()));
        assert_eq!(split(&[b"{\"error\":{}}"]), (vec!["{\"error\":{}}".into()], String::new()));
        assert_eq!(ArraySplitter::new(4).push(b"{\"a\":1}", |_| {}), Err(TooLong));
    }
}

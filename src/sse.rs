//! Server-sent events, cut out of bytes that arrive in any pieces.
//!
//! Follows the event stream format of the HTML standard (section 9.2.6): lines end in LF, CRLF or
//! CR; `data` lines of one event are joined by LF; lines that begin with a colon are comments. A
//! stream cut at any byte gives the same frames. A frame that lies whole in the bytes given is lent
//! from there; only one that is cut is kept.

use std::borrow::Cow;
use std::ops::Range;

/// What stands between two blank lines.
#[derive(Debug)]
pub struct Frame<'a> {
    /// The text as it came, with the blank line that ends it.
    pub raw: &'a [u8],
    /// The `event` field; empty where there is none.
    pub name: &'a [u8],
    /// The `data` field; none in a frame of comments.
    pub data: Option<Cow<'a, [u8]>>,
    /// Where `data` begins in `raw`, if it is borrowed from there.
    pub data_at: usize,
    /// Whether it has lines that are not of the event stream format.
    pub strays: bool,
}

/// An event grew beyond the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooLong;

/// Takes the frames of a stream, one after the other.
pub trait Frames {
    /// Takes the frame at the front of `text` if it is known by sight, before its end is looked for; says how long it is.
    fn known(&mut self, text: &[u8]) -> Option<usize>;

    /// Takes a frame.
    fn take(&mut self, frame: Frame<'_>);
}

struct Each<F>(F);

impl<F: FnMut(Frame<'_>)> Frames for Each<F> {
    fn known(&mut self, _: &[u8]) -> Option<usize> {
        None
    }

    fn take(&mut self, frame: Frame<'_>) {
        self.0(frame);
    }
}

/// Splits a byte stream into frames.
#[derive(Debug)]
pub struct Splitter {
    /// The bytes of the frame that is not complete yet.
    held: Vec<u8>,
    /// Where the line begins in `held` that is not complete yet.
    line: usize,
    /// How far its end was looked for.
    searched: usize,
    limit: usize,
}

/// A frame that is cut, and longer than this, is not looked at by sight again with every piece of it, in bytes.
const SHORT: usize = 4 * 1024;

impl Splitter {
    /// A splitter that keeps at most `limit` bytes of one frame.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { held: Vec::new(), line: 0, searched: 0, limit }
    }

    /// Takes the next bytes and hands out each frame that they complete.
    ///
    /// # Errors
    /// [`TooLong`] if a frame grows beyond the limit; the frames before it were handed out.
    pub fn push(&mut self, bytes: &[u8], each: impl FnMut(Frame<'_>)) -> Result<(), TooLong> {
        self.push_to(bytes, &mut Each(each))
    }

    /// As [`push`](Self::push), to one that may know frames by sight.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_to(&mut self, bytes: &[u8], frames: &mut impl Frames) -> Result<(), TooLong> {
        let mut held = std::mem::take(&mut self.held);
        let is_cut = !held.is_empty();
        if is_cut {
            held.extend_from_slice(bytes);
        }
        let text = if is_cut { held.as_slice() } else { bytes };
        let mut start = 0;
        let (mut line, mut searched) = (std::mem::take(&mut self.line), std::mem::take(&mut self.searched));
        loop {
            if line == start
                && searched.saturating_sub(start) <= SHORT
                && let Some(known) = text.get(start..).and_then(|text| frames.known(text))
            {
                start = start.saturating_add(known);
                (line, searched) = (start, start);
                continue;
            }
            let Some(end) = line_break(text, searched) else {
                searched = text.len();
                break;
            };
            // A CR at the very end may be the first half of CRLF: the next bytes tell.
            if end.end == text.len() && text.last() == Some(&b'\r') {
                searched = end.start;
                break;
            }
            if end.start == line {
                frames.take(frame(text.get(start..end.end).unwrap_or_default()));
                start = end.end;
            }
            (line, searched) = (end.end, end.end);
        }
        let rest = text.get(start..).unwrap_or_default();
        if rest.len() > self.limit {
            return Err(TooLong);
        }
        self.line = line.saturating_sub(start);
        self.searched = searched.saturating_sub(start);
        // A frame that comes in many pieces is not copied for each.
        self.held = if is_cut && start == 0 { held } else { rest.to_vec() };
        Ok(())
    }

    /// The stream is over: the frame that lacks its blank line, if there is one.
    pub fn finish(&mut self, each: impl FnOnce(Frame<'_>)) {
        (self.line, self.searched) = (0, 0);
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            each(frame(&held));
        }
    }

    /// How many bytes are kept for a frame that is not complete yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

impl Frame<'_> {
    /// The lines that are not of the event stream format: some providers end a stream with a bare
    /// JSON error. Empty in any sound frame.
    #[must_use]
    pub fn stray(&self) -> Vec<u8> {
        lines(self.raw).map(|(_, line)| line).filter(|line| !is_format(line)).collect::<Vec<_>>().join(&b'\n')
    }
}

/// Whether a line is a comment or a field of the event stream format.
fn is_format(line: &[u8]) -> bool {
    let known = [b"data".as_slice(), b"event", b"id", b"retry"];
    line.starts_with(b":") || known.iter().any(|name| field(line, name).is_some())
}

fn frame(raw: &[u8]) -> Frame<'_> {
    let mut name = &b""[..];
    let mut data: Option<Cow<'_, [u8]>> = None;
    let (mut data_at, mut strays) = (0, false);
    for (end, line) in lines(raw) {
        if let Some(value) = field(line, b"data") {
            match &mut data {
                None => {
                    data = Some(Cow::Borrowed(value));
                    data_at = end.saturating_sub(value.len());
                }
                Some(data) => data.to_mut().extend(b"\n".iter().chain(value)),
            }
        } else if let Some(value) = field(line, b"event") {
            name = value;
        } else {
            strays |= !is_format(line);
        }
    }
    Frame { raw, name, data, data_at, strays }
}

/// The value of a line if it is the field `name`: what follows the colon, less one space.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    match rest.strip_prefix(b":") {
        Some(value) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        None => rest.is_empty().then_some(rest),
    }
}

/// The lines of a frame and where each ends, without the byte order mark that a stream may begin with.
fn lines(frame: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = if frame.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    std::iter::from_fn(move || {
        let Range { start, end } = line_break(frame, at).unwrap_or(frame.len()..frame.len());
        let line = frame.get(at..start).filter(|line| !line.is_empty())?;
        at = end;
        Some((start, line))
    })
}

/// The first line break at or after `from`.
fn line_break(text: &[u8], from: usize) -> Option<Range<usize>> {
    let at = memchr::memchr2(b'\n', b'\r', text.get(from..)?)?.checked_add(from)?;
    let crlf = text.get(at..at.saturating_add(2)) == Some(b"\r\n");
    Some(at..at.checked_add(if crlf { 2 } else { 1 })?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    type Seen = Vec<(String, Option<String>)>;

    fn split(pieces: &[&[u8]]) -> (Seen, Vec<u8>) {
        let (mut seen, mut raw) = (Vec::new(), Vec::new());
        let mut splitter = Splitter::new(1000);
        let mut each = |frame: Frame<'_>| {
            raw.extend_from_slice(frame.raw);
            let utf8 = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            // A blank line more or less is no event, and its raw text is all that matters.
            if frame.raw.iter().any(|byte| !matches!(byte, b'\n' | b'\r')) {
                seen.push((utf8(frame.name), frame.data.as_deref().map(utf8)));
            }
        };
        for piece in pieces {
            splitter.push(piece, &mut each).unwrap();
        }
        splitter.finish(&mut each);
        (seen, raw)
    }

    #[test]
    fn a_stream_cut_at_any_two_bytes_gives_the_same_frames() {
        for text in [
            "data: a\n\ndata: b\n\n",
            "\u{feff}data: {\"x\":\"é😀\"}\r\n\r\nevent: e\r\ndata:two\r\ndata: lines\r\n\r\n: ping\r\n\r\n",
            "data: a\r\rdata: b\r\r",
            ": comment\n\nevent: x\ndata\n\nid: 7\nretry: 10\ndata:  two spaces\n\n\n\ndata: no blank line",
            "data: a\n\r\ndata: b\r\n\ndata: c\n\n",
        ] {
            let bytes = text.as_bytes();
            let whole = split(&[bytes]);
            assert_eq!(whole.1, bytes, "{text:?}");
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let cut = split(&[&bytes[..first], &bytes[first..second], &bytes[second..]]);
                    assert_eq!(cut, whole, "{text:?} cut at {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        let text = "data: a\r\ndata:b\r\ndata:  c\r\n\r\nevent: e\n: no data here\n\ndatum: x\ndata\n\n";
        let one = |name: &str, data: Option<&str>| (name.to_string(), data.map(str::to_string));
        let expected = [one("", Some("a\nb\n c")), one("e", None), one("", Some(""))];
        assert_eq!(split(&[text.as_bytes()]).0, expected);
    }

    #[test]
    fn text_outside_the_format_is_found() {
        let mut splitter = Splitter::new(1000);
        let mut strays = Vec::new();
        let mut each = |frame: Frame<'_>| {
            let stray = String::from_utf8(frame.stray()).unwrap();
            assert_eq!(frame.strays, !stray.is_empty());
            strays.push(stray);
        };
        splitter.push(b": x\ndata: a\nid: 1\n\n{\n  \"error\": {}\n}\n\ndata: b\noops\n", &mut each).unwrap();
        splitter.finish(&mut each);
        assert_eq!(strays, ["", "{\n  \"error\": {}\n}", "oops"]);
    }

    /// A megabyte in pieces of 16 bytes: had each piece all before it copied or searched, it were 30 GB.
    #[test]
    fn a_long_frame_in_many_pieces_takes_no_longer_than_it_is_long() {
        let text = ["data: ".as_bytes(), &[b'a'; 1 << 20], b"\r\n\r\ndata: b\n\n"].concat();
        let (mut splitter, mut lengths) = (Splitter::new(2 << 20), Vec::new());
        let begun = std::time::Instant::now();
        for piece in text.chunks(16) {
            splitter.push(piece, |frame| lengths.push(frame.raw.len())).unwrap();
        }
        assert_eq!(lengths, [(1 << 20) + 10, 9]);
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_frame_is_kept_only_up_to_the_limit() {
        let mut splitter = Splitter::new(8);
        let mut frames = 0;
        assert_eq!(splitter.push(b"data: a\n\ndata: b", |_| frames += 1), Ok(()));
        assert_eq!((frames, splitter.held()), (1, 7));
        assert_eq!(splitter.push(b"bb", |_| frames += 1), Err(TooLong));
    }
}

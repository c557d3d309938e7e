//! The inside of a JSON string, still escaped.
//!
//! Escaped fragments can be joined and copied into other JSON strings byte for byte: most text a
//! gateway carries is never decoded at all.

use super::scan;
use std::borrow::Cow;

/// The bytes between the quotes of a JSON string: valid UTF-8 with valid escapes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Text<'a>(Cow<'a, [u8]>);

impl<'a> Text<'a> {
    /// Takes bytes that are already the inside of a checked JSON string.
    pub(super) fn escaped(inner: &'a [u8]) -> Self {
        Self(Cow::Borrowed(inner))
    }

    /// Escapes `plain`; borrows where there is nothing to escape.
    #[must_use]
    pub fn of(plain: &'a str) -> Self {
        if scan::plain_run(plain.as_bytes()).0 < plain.len() {
            let mut out = Vec::with_capacity(plain.len().saturating_add(16));
            escape(&mut out, plain);
            Self(Cow::Owned(out))
        } else {
            Self(Cow::Borrowed(plain.as_bytes()))
        }
    }

    /// The escaped bytes, without quotes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the string has no characters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the string is empty or nothing but white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        // Most texts begin with a letter, and need no decoding to be told from a blank one.
        match self.0.first() {
            Some(first) if first.is_ascii_graphic() && *first != b'\\' => false,
            _ => self.decode().trim().is_empty(),
        }
    }

    /// The plain string; a lone surrogate becomes U+FFFD. Borrows where nothing was escaped.
    #[must_use]
    pub fn decode(&self) -> Cow<'_, str> {
        decode(&self.0)
    }

    /// As [`decode`](Self::decode), tied only to where it was read.
    pub(super) fn into_decoded(self) -> Cow<'a, str> {
        match self.0 {
            Cow::Borrowed(bytes) => decode(bytes),
            Cow::Owned(bytes) => Cow::Owned(decode(&bytes).into_owned()),
        }
    }

    /// The same text, no longer tied to where it was read.
    #[must_use]
    pub fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }

    /// The same text, borrowed.
    #[must_use]
    pub fn borrow(&self) -> Text<'_> {
        Text(Cow::Borrowed(&self.0))
    }

    /// Whether two strings are the same once unescaped: `"a"` and `"\u0061"` are.
    #[must_use]
    pub fn means(&self, other: &Text<'_>) -> bool {
        let escaped = self.0.contains(&b'\\') || other.0.contains(&b'\\');
        self.0 == other.0 || escaped && self.decode() == other.decode()
    }

    /// The text before and after the first `mark`, which must not be a character that escapes are
    /// written with (a backslash, a quote, a slash, a letter or a digit).
    #[must_use]
    pub fn split_once(&self, mark: u8) -> Option<(Text<'_>, Text<'_>)> {
        let at = memchr::memchr(mark, &self.0)?;
        let (before, rest) = self.0.split_at_checked(at)?;
        Some((Text::escaped(before), Text::escaped(rest.get(1..)?)))
    }

    /// Appends another fragment of the same string.
    pub fn push(&mut self, more: &Text<'_>) {
        self.0.to_mut().extend_from_slice(&more.0);
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, plain: &str) -> bool {
        // No escape is shorter than what it stands for.
        self.0.len() >= plain.len()
            && if self.0.contains(&b'\\') { self.decode() == plain } else { *self.0 == *plain.as_bytes() }
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, plain: &&str) -> bool {
        *self == **plain
    }
}

/// Writes `plain` with what JSON requires escaped, without quotes.
pub(super) fn escape(out: &mut Vec<u8>, plain: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = plain.as_bytes();
    loop {
        let (run, after) = rest.split_at_checked(scan::plain_run(rest).0).unwrap_or((rest, b""));
        out.extend_from_slice(run);
        let Some((byte, after)) = after.split_first() else { break };
        rest = after;
        match *byte {
            b'"' => out.extend_from_slice(br#"\""#),
            b'\\' => out.extend_from_slice(br"\\"),
            b'\n' => out.extend_from_slice(br"\n"),
            b'\r' => out.extend_from_slice(br"\r"),
            b'\t' => out.extend_from_slice(br"\t"),
            control => {
                out.extend_from_slice(br"\u00");
                for nibble in [control >> 4, control & 15] {
                    out.extend(HEX.get(usize::from(nibble)));
                }
            }
        }
    }
}

/// Undoes the escapes of a checked string, or of a part of one: what was cut within a character becomes U+FFFD.
#[must_use]
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', bytes).is_none() {
        return String::from_utf8_lossy(bytes);
    }
    let mut out = String::with_capacity(bytes.len());
    for piece in pieces(bytes) {
        match piece {
            Piece::Plain(plain) => out.push_str(&String::from_utf8_lossy(plain)),
            Piece::Escaped(character) => out.push(character),
        }
    }
    Cow::Owned(out)
}

/// A piece of the inside of a JSON string.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Piece<'a> {
    /// UTF-8 that stands for itself; not empty.
    Plain(&'a [u8]),
    /// What one escape sequence stands for; a lone surrogate is U+FFFD.
    Escaped(char),
}

/// Reads the inside of a JSON string without memory of its own. It may be cut anywhere: half an escape is U+FFFD, and the
/// rest of one reads as plain bytes.
pub fn pieces(inside: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = inside;
    std::iter::from_fn(move || {
        let escape = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        if let Some((plain, after)) = rest.split_at_checked(escape).filter(|(plain, _)| !plain.is_empty()) {
            rest = after;
            return Some(Piece::Plain(plain));
        }
        if rest.is_empty() {
            return None;
        }
        let (character, len) = unescape(rest);
        rest = rest.get(len..).unwrap_or_default();
        Some(Piece::Escaped(character))
    })
}

/// The character of the escape sequence at the front of the inside of a JSON string, and how many bytes it takes.
///
/// A lone surrogate, and what is no escape sequence or only half of one, is U+FFFD; the length is never zero, and may be more
/// than there is.
#[must_use]
pub fn unescape(escaped: &[u8]) -> (char, usize) {
    let simple = |character| (character, 2);
    match escaped.get(1) {
        Some(b'n') => simple('\n'),
        Some(b't') => simple('\t'),
        Some(b'r') => simple('\r'),
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(b'u') => {
            let unit = scan::code_unit(escaped, 2).unwrap_or(0xFFFD);
            match (unit, scan::low_surrogate(escaped, 6)) {
                (0xD800..0xDC00, Some(low)) => {
                    let code = ((unit & 0x3FF) << 10 | (low & 0x3FF)).saturating_add(0x10000);
                    (char::from_u32(code).unwrap_or('\u{FFFD}'), 12)
                }
                _ => (char::from_u32(unit).unwrap_or('\u{FFFD}'), 6),
            }
        }
        Some(other) => simple(char::from(*other)),
        None => ('\u{FFFD}', 1),
    }
}

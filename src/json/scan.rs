//! The inner loops of JSON: how far does a string, a number or white space go?
//!
//! Almost all of a chat body is the inside of strings, so that loop looks at 32 bytes at a time in
//! a form that compilers turn into vector instructions.

use super::document::{Fault, Surrogates};

const LANES: usize = 32;

/// What a string is made of, learned while looking for its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    pub escaped: bool,
    pub ascii: bool,
}

/// Finds the closing quote of a string whose first inner byte is at `start`.
///
/// Returns the index of the quote, or where the string is wrong and why. Bytes are only checked
/// for being UTF-8 where a byte is not ASCII.
pub(super) fn string_end(
    bytes: &[u8],
    start: usize,
    surrogates: Surrogates,
) -> Result<(usize, Shape), (usize, Fault)> {
    let mut at = start;
    let mut shape = Shape { escaped: false, ascii: true };
    loop {
        at = at.saturating_add(plain_run(bytes.get(at..).unwrap_or_default(), &mut shape.ascii));
        match bytes.get(at) {
            Some(b'"') => break,
            Some(b'\\') => {
                shape.escaped = true;
                at = escape_end(bytes, at, surrogates)?;
            }
            Some(_) => return Err((at, Fault::ControlCharacter)),
            None => return Err((at, Fault::UnexpectedEnd)),
        }
    }
    if !shape.ascii {
        let inner = bytes.get(start..at).unwrap_or_default();
        if let Err(error) = std::str::from_utf8(inner) {
            return Err((start.saturating_add(error.valid_up_to()), Fault::NotUtf8));
        }
    }
    Ok((at, shape))
}

/// How many bytes from the front are neither a quote, a backslash nor a control character.
fn plain_run(bytes: &[u8], ascii: &mut bool) -> usize {
    let (lanes, _) = bytes.as_chunks::<LANES>();
    let mut run = 0_usize;
    for lane in lanes {
        let mut stop = 0_u8;
        let mut high = 0_u8;
        for byte in lane {
            stop |= u8::from(*byte == b'"') | u8::from(*byte == b'\\') | u8::from(*byte < 0x20);
            high |= byte;
        }
        if stop != 0 {
            break;
        }
        *ascii &= high < 0x80;
        run = run.saturating_add(LANES);
    }
    for byte in bytes.get(run..).unwrap_or_default() {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        *ascii &= *byte < 0x80;
        run = run.saturating_add(1);
    }
    run
}

/// The index after the escape sequence that begins at `at`; a surrogate pair is one sequence.
fn escape_end(bytes: &[u8], at: usize, surrogates: Surrogates) -> Result<usize, (usize, Fault)> {
    let after = at.saturating_add(2);
    match bytes.get(at.saturating_add(1)) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(after),
        Some(b'u') => {
            let unit = code_unit(bytes, after).ok_or((at, Fault::BadEscape))?;
            let end = after.saturating_add(4);
            match unit {
                0xD800..0xDC00 => match low_surrogate(bytes, end) {
                    Some(_) => Ok(end.saturating_add(6)),
                    None if surrogates == Surrogates::Lone => Ok(end),
                    None => Err((at, Fault::LoneSurrogate)),
                },
                0xDC00..0xE000 if surrogates == Surrogates::Paired => Err((at, Fault::LoneSurrogate)),
                _ => Ok(end),
            }
        }
        Some(_) => Err((at, Fault::BadEscape)),
        None => Err((after, Fault::UnexpectedEnd)),
    }
}

/// The UTF-16 code unit written as four hexadecimal digits at `at`.
pub(super) fn code_unit(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.saturating_add(4))?.iter().try_fold(0_u32, |unit, digit| {
        char::from(*digit).to_digit(16).map(|digit| unit.wrapping_shl(4) | digit)
    })
}

/// The low surrogate written as `\uXXXX` at `at`, if that is what stands there.
pub(super) fn low_surrogate(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = at.saturating_add(2);
    if bytes.get(at..digits) != Some(br"\u") {
        return None;
    }
    code_unit(bytes, digits).filter(|unit| (0xDC00..0xE000).contains(unit))
}

/// The index after the number that begins at `at` (RFC 8259, section 6), or where it goes wrong.
pub(super) fn number_end(bytes: &[u8], at: usize) -> Result<usize, usize> {
    let digits = |mut at: usize| {
        let start = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at = at.saturating_add(1);
        }
        if at == start { Err(at) } else { Ok(at) }
    };
    let mut at = at.saturating_add(usize::from(bytes.get(at) == Some(&b'-')));
    at = if bytes.get(at) == Some(&b'0') { at.saturating_add(1) } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at.saturating_add(1))?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at = at.saturating_add(1);
        at = at.saturating_add(usize::from(matches!(bytes.get(at), Some(b'+' | b'-'))));
        at = digits(at)?;
    }
    Ok(at)
}

/// The index of the first byte at or after `at` that is not white space.
pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at = at.saturating_add(1);
    }
    at
}

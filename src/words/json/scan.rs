//! The inner loops of JSON: how far does a string, a number or white space go?
//!
//! Almost all of a chat body is the inside of strings. There it is one search for what ends a run
//! of plain characters, sixteen bytes at a time.

use super::document::{Fault, Surrogates};

/// Finds the closing quote of a string whose first inner byte is at `start`.
///
/// Returns the index of the quote and whether there are escapes before it, or where the string is
/// wrong and why. Only what is not all ASCII is checked for being UTF-8.
pub(super) fn string_end(
    bytes: &[u8],
    start: usize,
    surrogates: Surrogates,
) -> Result<(usize, bool), (usize, Fault)> {
    let (mut at, mut escaped, mut ascii) = (start, false, true);
    loop {
        let (run, plain_ascii) = plain_run(bytes.get(at..).unwrap_or_default());
        at = at.saturating_add(run);
        ascii &= plain_ascii;
        match bytes.get(at) {
            Some(b'"') => break,
            Some(b'\\') => at = escape_end(bytes, at, surrogates)?,
            Some(_) => return Err((at, Fault::ControlCharacter)),
            None => return Err((at, Fault::UnexpectedEnd)),
        }
        escaped = true;
    }
    if !ascii {
        let inner = bytes.get(start..at).unwrap_or_default();
        if let Err(error) = std::str::from_utf8(inner) {
            return Err((start.saturating_add(error.valid_up_to()), Fault::NotUtf8));
        }
    }
    Ok((at, escaped))
}

/// How many bytes from the front are neither a quote, a backslash nor a control character, and whether they are all ASCII.
pub(super) fn plain_run(bytes: &[u8]) -> (usize, bool) {
    let (blocks, rest) = bytes.as_chunks::<16>();
    let (mut run, mut beyond_ascii) = (0_usize, 0);
    for block in blocks {
        let (stops, high) = marks(*block);
        if stops != 0 {
            let plain = stops.trailing_zeros();
            beyond_ascii |= high & (1_u32 << plain).wrapping_sub(1);
            return (run.saturating_add(plain as usize), beyond_ascii == 0);
        }
        beyond_ascii |= high;
        run = run.saturating_add(16);
    }
    for byte in rest {
        if is_stop(*byte) {
            break;
        }
        beyond_ascii |= u32::from(!byte.is_ascii());
        run = run.saturating_add(1);
    }
    (run, beyond_ascii == 0)
}

fn is_stop(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// For each of sixteen bytes, from the lowest bit up: whether it stops a run, and whether it is beyond ASCII.
#[cfg(not(target_family = "wasm"))]
fn marks(block: [u8; 16]) -> (u32, u32) {
    let bits = |is: fn(u8) -> bool| block.iter().rev().fold(0, |bits, byte| bits << 1 | u32::from(is(*byte)));
    (bits(is_stop), bits(|byte| !byte.is_ascii()))
}

/// As above. Compilers do not find these seven instructions by themselves, and most of the time that a chat takes is spent here.
#[cfg(target_family = "wasm")]
fn marks(block: [u8; 16]) -> (u32, u32) {
    use std::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, u64x2, v128_or};
    let block = u128::from_le_bytes(block);
    #[expect(clippy::cast_possible_truncation, reason = "its two halves")]
    let bytes = u64x2(block as u64, (block >> 64) as u64);
    let is = |byte| u8x16_eq(bytes, u8x16_splat(byte));
    let control = u8x16_lt(bytes, u8x16_splat(0x20));
    let stops = v128_or(v128_or(is(b'"'), is(b'\\')), control);
    (u8x16_bitmask(stops).into(), u8x16_bitmask(bytes).into())
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

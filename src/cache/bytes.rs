//! The form of what is kept: little-endian numbers, texts after their length, and a check that what
//! is read is what was written.

/// Takes a number's bytes from the front.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*first)
}

/// Takes so many bytes from the front.
pub(super) fn take_slice<'b>(rest: &mut &'b [u8], len: usize) -> Option<&'b [u8]> {
    let (first, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(first)
}

/// Takes a text from the front.
pub(super) fn take_text<'b>(rest: &mut &'b [u8]) -> Option<&'b str> {
    let len = u16::from_le_bytes(take(rest)?);
    std::str::from_utf8(take_slice(rest, usize::from(len))?).ok()
}

/// Writes a text, of which only 65535 bytes are kept.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    let most = text.len().min(usize::from(u16::MAX));
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    let text = text.get(..end).unwrap_or_default();
    out.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// A number that is another one for any other bytes that chance, or a bug, makes of these. It is no
/// seal against someone who may write into the gateway's memory.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    // Each step can be undone, so that no two words lead to the same number.
    let step = |sum: u64, word: u64| {
        let sum = (sum ^ word).wrapping_mul(ODD);
        sum ^ (sum >> 32)
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(bytes.len() as u64, |sum, word| step(sum, u64::from_le_bytes(*word)));
    step(rest.iter().fold(sum, |sum, byte| step(sum, u64::from(*byte))), ODD)
}

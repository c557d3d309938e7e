//! FNV-1a (draft-eastlake-fnv), of 64 bits: a number that is the same for the same bytes, wherever and whenever it is made. Whoever
//! chooses the bytes can choose the number too, so nothing may hang on that nobody does; for that there is SHA-256.

/// The hash of nothing.
pub const START: u64 = 0xcbf2_9ce4_8422_2325;

/// A hash with one more number in it; FNV-1a itself knows bytes only.
#[must_use]
pub const fn join(hash: u64, number: u64) -> u64 {
    (hash ^ number).wrapping_mul(0x0100_0000_01b3)
}

/// A hash that goes on with these bytes.
#[must_use]
pub fn extend(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| join(hash, u64::from(*byte)))
}

/// The hash of these bytes.
#[must_use]
pub fn of(bytes: &[u8]) -> u64 {
    extend(START, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_draft_whether_made_at_once_or_in_pieces() {
        for (text, hash) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(of(text.as_bytes()), hash, "{text}");
            let (one, other) = text.as_bytes().split_at(text.len() / 2);
            assert_eq!(extend(of(one), other), hash, "{text}");
        }
    }
}

//! The ids of tool calls.
//!
//! Only newer models give their calls an id, and want it back; endpoints that give none refuse it.
//! So an id of the provider's own is marked as such when it is shown, and only a marked one goes
//! back to it.

use crate::fnv;
use crate::json::Text;

/// What marks an id that the provider gave.
const MARK: &str = "gemini_";

/// The provider's id as the client sees it.
pub(super) fn shown(id: &Text<'_>) -> Text<'static> {
    let mut marked = Text::of(MARK).into_owned();
    marked.push(id);
    marked
}

/// The provider's id, still escaped, if a client's id is one.
pub(super) fn native<'t>(id: &'t Text<'_>) -> Option<&'t [u8]> {
    id.as_bytes().strip_prefix(MARK.as_bytes()).filter(|id| !id.is_empty())
}

/// An id for a call that has none: the same whenever the same answer is read, different for every
/// other call. `answer` is something of the answer that no other answer has.
pub(super) fn made(answer: u64, candidate: u32, call: u32) -> String {
    let place = fnv::extend(answer, &candidate.to_le_bytes());
    format!("call_{:016x}", fnv::extend(place, &call.to_le_bytes()))
}

/// What an answer is known by: its id, or else its text.
pub(super) fn fingerprint(answer: &[u8]) -> u64 {
    fnv::of(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_call_has_an_id_of_its_own_and_always_the_same() {
        let mut seen = BTreeSet::new();
        for answer in [b"a".as_slice(), b"b", b""] {
            for candidate in 0..4 {
                for call in 0..50 {
                    assert!(seen.insert(made(fingerprint(answer), candidate, call)));
                }
            }
        }
        assert_eq!(made(fingerprint(b"a"), 1, 2), made(fingerprint(b"a"), 1, 2));
    }

    #[test]
    fn only_an_id_the_provider_gave_goes_back_to_it() {
        let given = shown(&Text::of("ZX9IviSb"));
        assert_eq!(native(&given), Some(b"ZX9IviSb".as_slice()));
        assert_eq!(native(&Text::of("call_abc")), None);
        assert_eq!(native(&Text::of("toolu_01")), None);
    }
}

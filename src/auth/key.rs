//! Whose an API key is.
//!
//! **What the time this takes tells.** The key is hashed, which takes as long for any key of that length. The hashes that
//! begin with the same byte are then compared, each to its last byte, whatever was found before; an expired key is
//! compared like any other, and refused in the words and on the path of one that never was. So the time depends on how
//! many hashes begin with the byte that the hash of the *presented* key begins with, which whoever presented it knows, and
//! on nothing of what follows in them: of a key's SHA-256 that is eight bits at most, which lead to no key.

use crate::config::{Consumer, KeyHash, Keys};
use crate::digest::digest;
use crate::time::Timestamp;
use std::hint::black_box;
use std::rc::Rc;

/// Whose `key` is at `now`, in seconds of Unix time; nobody's if there is no such key, or not any more.
pub(super) fn owner<'k>(keys: &'k Keys, key: &[u8], now: i64) -> Option<&'k Rc<Consumer>> {
    let presented: KeyHash = digest(&[key]);
    let mut found = None;
    for known in keys.like(&presented) {
        if equal(&presented, &known.hash) {
            found = Some(known);
        }
    }
    let now = Timestamp::from_seconds(now);
    let found = found.filter(|known| known.not_after.is_none_or(|last| now <= last));
    found.map(|known| &known.consumer)
}

/// Compares all bytes, wherever the first difference is.
fn equal(a: &KeyHash, b: &KeyHash) -> bool {
    let differences = a.iter().zip(b).fold(0, |differences, (a, b)| differences | (a ^ b));
    // All differences are asked for, and not whether there is one: so no compiler can stop at the first.
    black_box(differences) == 0
}

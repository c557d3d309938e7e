//! Where bonds are kept, in what all workers share: places by the key's last bits, each with a few bonds.
//!
//! Whoever has to go for a new bond is the one that was used the longest ago. Bonds are in that order, each with its key, and
//! numbers little-endian; what cannot be read holds nothing. To look one up takes one get, and to note one a get and a set.

use super::bond::{Bond, Prefix};
use super::{Key, Rules};
use crate::chat::Usage;
use crate::store::{Store, update};
use crate::time::Timestamp;

/// The form of a value, its first byte.
const VERSION: u8 = 1;
/// How many places there are,
const PLACES: u64 = 1_024;
/// and how many bonds each has room for: with several in one, hardly any has to go before there are as many as there is room for.
const MOST: usize = 8;
/// How often a race for a place may be lost. What is lost then is one bond, which the next answer makes again.
const ATTEMPTS: u32 = 3;

/// The bond of a conversation, if it has one that is not too old.
#[must_use]
pub fn find(store: &dyn Store, key: Key, rules: &Rules, now: Timestamp) -> Option<Bond> {
    let (value, _) = store.get(&place(key))?;
    let mut rest = checked(&value);
    loop {
        let Record { key: other, target, prefix, .. } = next(&mut rest)?;
        if other == key {
            return prefix.is_current(rules, now).then(|| Bond { target: target.into(), prefix });
        }
    }
}

/// Notes that a target has answered, and what the provider said of the prompt: they are bonded from now on. A prompt that is
/// too short for any cache is not noted.
pub fn note(store: &dyn Store, key: Key, target: &str, usage: &Usage, rules: &Rules, now: Timestamp) {
    if !Prefix::is_untold_by(usage) {
        change(store, key, target, Some((usage, rules, now)));
    }
}

/// Ends the bond of a conversation with a target, because that has failed. One with another target is not ended.
pub fn break_off(store: &dyn Store, key: Key, target: &str) {
    change(store, key, target, None);
}

/// Puts a bond at the end of its place, by what an answer tells of it, or takes it away if there was none.
fn change(store: &dyn Store, key: Key, target: &str, told: Option<(&Usage, &Rules, Timestamp)>) {
    let Ok(length) = u8::try_from(target.len()) else { return };
    let _ = update(store, &place(key), ATTEMPTS, |value| {
        let mut rest = checked(value.unwrap_or_default());
        let (mut kept, mut count, mut first, mut old) = (vec![VERSION], 0, 1, None);
        while let Some(record) = next(&mut rest) {
            if record.key == key {
                old = Some(record).filter(|old| old.target == target).map(|old| old.prefix);
            } else if told.is_none_or(|(_, rules, now)| record.prefix.is_current(rules, now)) {
                put(&mut kept, record.bytes);
                count += 1;
                if count == 1 {
                    first = kept.len();
                }
            }
        }
        let Some((usage, rules, now)) = told else { return ((), old.map(|_| kept)) };
        if count >= MOST {
            kept.drain(1..first);
        }
        let old = old.filter(|old| old.is_current(rules, now));
        let Prefix { at, prompt, holds, misses } = Prefix::after(old, usage, now);
        let (key, at) = (key.0.to_le_bytes(), at.millis().to_le_bytes());
        let (prompt, holds) = (prompt.to_le_bytes(), holds.to_le_bytes());
        for bytes in [&key[..], &at, &prompt, &holds, &[misses, length], target.as_bytes()] {
            put(&mut kept, bytes);
        }
        ((), Some(kept))
    });
}

#[inline(never)]
fn put(value: &mut Vec<u8>, bytes: &[u8]) {
    value.extend_from_slice(bytes);
}

#[inline(never)]
fn place(key: Key) -> String {
    format!("affinity/{}", key.0 % PLACES)
}

/// A bond as it is kept.
struct Record<'v> {
    key: Key,
    target: &'v str,
    prefix: Prefix,
    /// All of it.
    bytes: &'v [u8],
}

/// The bonds in a value; nothing if any of it is something else.
#[inline(never)]
fn checked(value: &[u8]) -> &[u8] {
    let bonds = value.strip_prefix(&[VERSION]).unwrap_or_default();
    let mut rest = bonds;
    while next(&mut rest).is_some() {}
    if rest.is_empty() { bonds } else { &[] }
}

/// Takes the next bond; nothing is taken if it cannot be read.
#[inline(never)]
fn next<'v>(rest: &mut &'v [u8]) -> Option<Record<'v>> {
    let (key, after) = rest.split_first_chunk()?;
    let (at, after) = after.split_first_chunk()?;
    let (prompt, after) = after.split_first_chunk()?;
    let (holds, after) = after.split_first_chunk()?;
    let ([misses, length], after) = after.split_first_chunk()?;
    let (target, after) = after.split_at_checked((*length).into())?;
    let bytes = rest.get(..rest.len().saturating_sub(after.len()))?;
    let target = std::str::from_utf8(target).ok()?;
    *rest = after;
    let at = Timestamp::from_millis(u64::from_le_bytes(*at));
    let (prompt, holds) = (u32::from_le_bytes(*prompt), u32::from_le_bytes(*holds));
    let key = Key(u64::from_le_bytes(*key));
    Some(Record { key, target, prefix: Prefix { at, prompt, holds, misses: *misses }, bytes })
}

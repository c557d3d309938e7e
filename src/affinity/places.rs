//! Where bonds are kept, in what all workers share: places by the key's first bytes, each with a few bonds.
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
const PLACES: u16 = 1_024;
/// and how many bonds each has room for: with several in one, hardly any has to go before there are as many as there is room for.
const MOST: usize = 8;
/// How often a race for a place may be lost. What is lost then is one bond, which the next answer makes again.
const ATTEMPTS: u32 = 3;

/// The bond of a conversation, if it has one that is not too old.
#[must_use]
pub fn find(store: &dyn Store, key: Key, rules: &Rules, now: Timestamp) -> Option<Bond> {
    let (value, _) = store.get(&place(key))?;
    let Record { target, prefix, .. } = read(&value).into_iter().find(|record| record.key == key)?;
    prefix.is_current(rules, now).then(|| Bond { target: target.into(), prefix })
}

/// Notes that a target has answered, and what the provider said of the prompt: they are bonded from now on. A prompt that is
/// too short for any cache is not noted.
pub fn note(store: &dyn Store, key: Key, target: &str, usage: &Usage, rules: &Rules, now: Timestamp) {
    if Prefix::is_untold_by(usage) {
        return;
    }
    let _ = update(store, &place(key), ATTEMPTS, |value| {
        let mut records = read(value.unwrap_or_default());
        records.retain(|record| record.prefix.is_current(rules, now));
        let old = take(&mut records, key).filter(|old| old.target == target);
        if records.len() >= MOST {
            records.remove(0);
        }
        let prefix = Prefix::after(old.map(|old| old.prefix), usage, now);
        records.push(Record { key, target, prefix });
        ((), Some(write(&records)))
    });
}

/// Ends the bond of a conversation with a target, because that has failed. One with another target is not ended.
pub fn break_off(store: &dyn Store, key: Key, target: &str) {
    let _ = update(store, &place(key), ATTEMPTS, |value| {
        let mut records = read(value.unwrap_or_default());
        let is_broken = take(&mut records, key).is_some_and(|record| record.target == target);
        ((), is_broken.then(|| write(&records)))
    });
}

fn place(key: Key) -> String {
    let Key([first, second, ..]) = key;
    format!("affinity/{}", u16::from_le_bytes([first, second]) % PLACES)
}

/// A bond as it is kept.
#[derive(Clone, Copy)]
struct Record<'v> {
    key: Key,
    target: &'v str,
    prefix: Prefix,
}

fn take<'v>(records: &mut Vec<Record<'v>>, key: Key) -> Option<Record<'v>> {
    let at = records.iter().position(|record| record.key == key)?;
    Some(records.remove(at))
}

#[inline(never)]
fn write(records: &[Record<'_>]) -> Vec<u8> {
    let mut out = vec![VERSION];
    for Record { key, target, prefix } in records {
        // A name that is too long for its length, which none is, is another one, and so nobody's.
        let length = u8::try_from(target.len()).unwrap_or_default();
        out.extend_from_slice(&key.0);
        out.extend_from_slice(&prefix.at.millis().to_le_bytes());
        out.extend_from_slice(&prefix.prompt.to_le_bytes());
        out.extend_from_slice(&prefix.holds.to_le_bytes());
        out.extend_from_slice(&[prefix.misses, length]);
        out.extend_from_slice(target.as_bytes().get(..length.into()).unwrap_or_default());
    }
    out
}

/// The bonds in a value, the one that was used last at the end; none if any of it is something else.
#[inline(never)]
fn read(value: &[u8]) -> Vec<Record<'_>> {
    let mut rest = value.strip_prefix(&[VERSION]).unwrap_or_default();
    let mut records = Vec::with_capacity(MOST);
    while !rest.is_empty() {
        let Some(record) = record(&mut rest) else { return Vec::new() };
        records.push(record);
    }
    records
}

fn record<'v>(rest: &mut &'v [u8]) -> Option<Record<'v>> {
    let key = Key(bytes(rest)?);
    let at = Timestamp::from_millis(u64::from_le_bytes(bytes(rest)?));
    let (prompt, holds) = (u32::from_le_bytes(bytes(rest)?), u32::from_le_bytes(bytes(rest)?));
    let [misses, length] = bytes(rest)?;
    let (target, after) = rest.split_at_checked(length.into())?;
    *rest = after;
    let target = std::str::from_utf8(target).ok()?;
    Some(Record { key, target, prefix: Prefix { at, prompt, holds, misses } })
}

fn bytes<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

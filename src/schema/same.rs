//! Whether values are the same by what they mean: the order of members and the spelling of strings and numbers make no difference.

use super::Undecided;
use super::check::Checker;
use super::number::Number;
use crate::chance::mixed;
use crate::fnv::{self, join};
use crate::json::{Kind, Piece, Value, pieces};
use std::cmp::Ordering;

impl Checker<'_> {
    /// Whether two values are the same.
    pub(super) fn are_same(&mut self, one: Value<'_>, other: Value<'_>) -> Result<bool, Undecided> {
        self.spend(1)?;
        if one.kind() != other.kind() {
            return Ok(false);
        }
        match one.kind() {
            Kind::Null => Ok(true),
            Kind::Bool => Ok(one.raw() == other.raw()),
            Kind::Number => {
                self.read(one)?;
                self.read(other)?;
                Ok(Number::read(one.raw()).compare(Number::read(other.raw())) == Ordering::Equal)
            }
            Kind::String => {
                self.read(one)?;
                self.read(other)?;
                Ok(one.text().zip(other.text()).is_some_and(|(one, other)| one.means(&other)))
            }
            Kind::Array => {
                let mut others = other.items();
                for item in one.items() {
                    match others.next() {
                        Some(other) if self.are_same(item, other)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(others.next().is_none())
            }
            Kind::Object => {
                if one.entries().count() != other.entries().count() {
                    return Ok(false);
                }
                for (key, value) in one.entries() {
                    match self.member(other, &key.text().unwrap_or_default())? {
                        Some(other) if self.are_same(value, other)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
        }
    }

    /// The first two items of an array that are the same, in a time that grows with its length: items are looked for by their
    /// hashes, and compared only where those are the same.
    pub(super) fn repeated(&mut self, array: Value<'_>) -> Result<Option<(usize, usize)>, Undecided> {
        let count = array.items().count();
        self.spend(count)?;
        let mut seen: Vec<(u64, Value<'_>)> = Vec::with_capacity(count);
        // Places in `seen`, counted from one, each at the first free place from its hash on; at least half stays free.
        let mut table = vec![0_u32; count.saturating_mul(2).next_power_of_two()];
        let last = table.len().saturating_sub(1);
        for (place, item) in array.items().enumerate() {
            let hash = self.hash(item)?;
            let mut at = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(0) & last;
            while let Some(earlier) = table.get(at).and_then(|taken| (*taken as usize).checked_sub(1)) {
                self.spend(1)?;
                if let Some((_, other)) = seen.get(earlier).filter(|(other, _)| *other == hash)
                    && self.are_same(*other, item)?
                {
                    return Ok(Some((earlier, place)));
                }
                at = at.saturating_add(1) & last;
            }
            seen.push((hash, item));
            if let Some(free) = table.get_mut(at) {
                *free = u32::try_from(seen.len()).unwrap_or(u32::MAX);
            }
        }
        Ok(None)
    }

    /// A hash that is the same for values that are.
    fn hash(&mut self, value: Value<'_>) -> Result<u64, Undecided> {
        self.spend(1)?;
        self.read(value)?;
        let seed = mixed(value.kind() as u64);
        let text = |value: Value<'_>| {
            let mut hash = seed;
            for piece in pieces(value.text().unwrap_or_default().as_bytes()) {
                match piece {
                    Piece::Plain(plain) => hash = fnv::extend(hash, plain),
                    Piece::Escaped(character) => {
                        let mut buffer = [0; 4];
                        hash = fnv::extend(hash, character.encode_utf8(&mut buffer).as_bytes());
                    }
                }
            }
            hash
        };
        let mut hash = seed;
        match value.kind() {
            Kind::Null => {}
            Kind::Bool => hash = join(hash, value.raw().len() as u64),
            Kind::Number => hash = Number::read(value.raw()).hash(seed),
            Kind::String => hash = text(value),
            Kind::Array => {
                for item in value.items() {
                    hash = join(hash, self.hash(item)?);
                }
            }
            // Added up, which has no order.
            Kind::Object => {
                for (key, value) in value.entries() {
                    hash = hash.wrapping_add(mixed(join(text(key), self.hash(value)?)));
                }
            }
        }
        Ok(mixed(hash))
    }
}

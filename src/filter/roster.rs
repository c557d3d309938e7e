//! Who is there, by number: few are, they come in the order of their numbers, and most go soon.

/// Entries sorted by their key.
pub(super) struct Roster<K, V>(Vec<(K, V)>);

impl<K: Ord, V> Roster<K, V> {
    /// One with nobody in it.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    fn place(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(key))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds an entry, in the place of one with the same key.
    pub fn add(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(at) => {
                if let Some(entry) = self.0.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// The entry of this key.
    pub fn find(&self, key: &K) -> Option<&V> {
        self.0.get(self.place(key).ok()?).map(|(_, value)| value)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.place(key).ok()?;
        Some(self.0.remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_added_is_found_until_removed_in_whatever_order_they_came() {
        let mut roster = Roster::new();
        for key in [3, 1, 2, 9, 5, 3] {
            roster.add(key, key * 10);
        }
        assert_eq!(
            [1, 2, 3, 4, 5].map(|key| roster.find(&key).copied()),
            [Some(10), Some(20), Some(30), None, Some(50)]
        );
        assert_eq!((roster.remove(&3), roster.remove(&3)), (Some(30), None), "the same key is there once");
        roster.add(2, 7);
        assert_eq!((roster.find(&2), roster.find(&9)), (Some(&7), Some(&90)));
    }
}

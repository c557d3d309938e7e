//! The form in which histories are kept: little-endian numbers, one after the other. What is kept is said in one place, as a walk
//! through all of it, by which it is read, written, and put back when the clock goes back.

use crate::time::Timestamp;

/// Whoever walks through what is kept.
pub(super) trait Walk {
    fn count(&mut self, count: &mut u32);
    fn number(&mut self, number: &mut u64);
    /// Never negative, and nothing that no sum comes to.
    fn amount(&mut self, amount: &mut f32);
    fn time(&mut self, time: &mut Timestamp);
}

/// Reads.
pub(super) struct Reader<'a> {
    pub rest: &'a [u8],
    /// Whether it ended too early, or something in it cannot be.
    pub is_broken: bool,
}

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        match self.rest.split_first_chunk() {
            Some((taken, rest)) => {
                self.rest = rest;
                *taken
            }
            None => {
                self.is_broken = true;
                [0; N]
            }
        }
    }

    /// A text after its length.
    pub fn text(&mut self) -> &'a str {
        let [length] = self.array();
        let (taken, rest) = self.rest.split_at_checked(length.into()).unwrap_or_default();
        self.rest = rest;
        let text = std::str::from_utf8(taken).ok().filter(|text| text.len() == usize::from(length));
        self.is_broken |= text.is_none();
        text.unwrap_or_default()
    }
}

impl Walk for Reader<'_> {
    fn count(&mut self, count: &mut u32) {
        *count = u32::from_le_bytes(self.array());
    }

    fn number(&mut self, number: &mut u64) {
        *number = u64::from_le_bytes(self.array());
    }

    fn amount(&mut self, amount: &mut f32) {
        *amount = f32::from_le_bytes(self.array());
        self.is_broken |= !(0.0..=f32::MAX).contains(amount);
    }

    fn time(&mut self, time: &mut Timestamp) {
        let mut millis = 0;
        self.number(&mut millis);
        *time = Timestamp::from_millis(millis);
    }
}

/// Writes.
impl Walk for Vec<u8> {
    fn count(&mut self, count: &mut u32) {
        self.extend_from_slice(&count.to_le_bytes());
    }

    fn number(&mut self, number: &mut u64) {
        self.extend_from_slice(&number.to_le_bytes());
    }

    fn amount(&mut self, amount: &mut f32) {
        self.extend_from_slice(&amount.to_le_bytes());
    }

    fn time(&mut self, time: &mut Timestamp) {
        self.number(&mut time.millis());
    }
}

/// Keeps what is left of every time when the clock goes back by so many milliseconds.
pub(super) struct Back(pub u64);

impl Walk for Back {
    fn count(&mut self, _: &mut u32) {}

    fn number(&mut self, _: &mut u64) {}

    fn amount(&mut self, _: &mut f32) {}

    fn time(&mut self, time: &mut Timestamp) {
        *time = time.before(self.0);
    }
}

//! Reading what a store holds: little-endian numbers, one after the other. What ends too early is no state.

use crate::time::Timestamp;

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// A text after its length.
    pub fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(self.u8()?);
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(taken).ok()
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn time(&mut self) -> Option<Timestamp> {
        self.u64().map(Timestamp::from_millis)
    }

    /// A number that is not negative, nor anything that no sum comes to.
    pub fn amount(&mut self) -> Option<f32> {
        self.array().map(f32::from_le_bytes).filter(|amount| amount.is_finite() && *amount >= 0.0)
    }
}

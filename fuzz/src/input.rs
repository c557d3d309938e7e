//! The bytes of an input, taken one after the other.

use crate::support::mutation::Chance;

/// What was not taken yet.
pub struct Input<'d>(pub &'d [u8]);

impl<'d> Input<'d> {
    /// The next byte; 0 where there is none.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A choice of so many. Digits choose what they say, so that seeds can be read.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte().wrapping_sub(b'0')) % bound
    }

    pub fn is_set(&mut self) -> bool {
        self.below(2) == 1
    }

    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// What comes before the next NUL, or all of it.
    pub fn part(&mut self) -> &'d [u8] {
        let (part, rest) = match self.0.iter().position(|byte| *byte == 0) {
            Some(at) => (&self.0[..at], &self.0[at + 1..]),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        part
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A text in pieces that hang on `seed`.
pub fn pieces(text: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut chance = Chance(seed.into());
    let most = [1, 3, 40, 1000][chance.below(4)];
    let (mut pieces, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + chance.below(most)).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

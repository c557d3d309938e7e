//! What kind of request words speak of, by a table of weights that was trained on requests of the project's own making.
//!
//! The table is a hash map that was laid out in advance: a bucket holds eight keys, and for each key eight weights, one for each
//! task but chat, against which the others are measured. What is not in the table says nothing, so the many words that
//! training has not seen are no noise. `scripts/train-classifier` makes it.

use super::words::{NUMBER, Token, fold};

/// The unit of the weights, the keys, the weights; how they are written is said in `scripts/classifier/train.py`.
static TABLE: &[u8] = include_bytes!("weights.bin");

const BITS: u32 = 10;
const SLOTS: usize = 8;
const BUCKETS: usize = 1 << BITS;
const KEYS: usize = 4;
const ROWS: usize = KEYS + BUCKETS * SLOTS * 2;
const _: () = assert!(TABLE.len() == ROWS + BUCKETS * SLOTS * 4);

/// So many words at the front count twice.
const FRONT: u32 = 24;

/// No words are better evidence than this.
const MOST: f32 = 8.0;

const UNIGRAM: u32 = 0x9E37_79B1;
const BIGRAM: u32 = 0x85EB_CA77;
const PREFIX: u32 = 0x27D4_EB2F;
const SIGN: u32 = 0x1656_67B1;
const FACT: u32 = 0x7FEB_352D;

/// What the words said so far speak of.
#[derive(Clone, Debug, Default)]
pub(super) struct Lexical {
    sums: [i32; 8],
    /// How much of what was said is known.
    known: i32,
    seen: u32,
    last: u32,
    #[cfg(test)]
    pub trace: u64,
}

impl Lexical {
    /// Hears the next piece of the text.
    #[inline]
    pub fn hear(&mut self, token: Token) {
        self.seen = self.seen.saturating_add(1);
        let weight = if self.seen <= FRONT { 2 } else { 1 };
        let hash = match token {
            Token::Break => {
                self.last = 0;
                return;
            }
            Token::Sign(code) => return self.add(mixed(SIGN, code), weight),
            Token::Number => NUMBER,
            Token::Word { hash, .. } | Token::Wide(hash) => hash,
        };
        self.add(mixed(UNIGRAM, hash), weight);
        self.add(mixed(BIGRAM, fold(self.last, 1).wrapping_add(hash)), weight);
        if let Token::Word { beginning: 1.., .. } = token {
            let Token::Word { beginning, .. } = token else { return };
            self.add(mixed(PREFIX, beginning), weight);
        }
        self.last = hash;
    }

    /// Another part of the text begins; of the end, the first words count twice again.
    pub fn part(&mut self, is_end: bool) {
        self.last = 0;
        if is_end {
            self.seen = 0;
        }
    }

    /// Hears how long the text is, in bytes.
    pub fn length(&mut self, bytes: usize) {
        self.add(mixed(FACT, usize::BITS.wrapping_sub(bytes.leading_zeros()).min(12)), 1);
    }

    /// How likely each task is, as logarithms of the odds against chat; those of the order of the built-in tasks but the last.
    pub fn scores(&self) -> [f32; 8] {
        #[expect(clippy::cast_precision_loss, reason = "a window has few words")]
        let (sums, known) = (self.sums.map(|sum| sum as f32), self.known.max(1) as f32);
        let factor = unit() / known.sqrt();
        // The same word a hundred times is no better evidence than all that can be said.
        let most = sums.iter().fold(0.0_f32, |most, sum| most.max(sum.abs() * factor));
        let factor = if most > MOST { factor * MOST / most } else { factor };
        sums.map(|sum| sum * factor)
    }

    #[inline]
    fn add(&mut self, hash: u32, weight: i32) {
        #[cfg(test)]
        {
            let counted = u64::from(hash).wrapping_mul(u64::from(weight.unsigned_abs()));
            self.trace = self.trace.wrapping_mul(31).wrapping_add(counted);
        }
        let Some((row, exponent)) = find(hash) else { return };
        let factor = weight << exponent;
        for (lane, sum) in self.sums.iter_mut().enumerate() {
            let nibble = (row >> (4 * lane) & 15).cast_signed().wrapping_sub(8);
            *sum = sum.wrapping_add(nibble.wrapping_mul(factor));
        }
        self.known = self.known.wrapping_add(weight);
    }
}

/// The weights of what has this hash, and the power of two that they are multiplied with.
#[inline]
fn find(hash: u32) -> Option<(u32, u32)> {
    let bucket = (hash >> (32 - BITS)) as usize;
    let key = match hash & 0x3FFF {
        0 => 1,
        key => key,
    };
    let keys = TABLE.get(KEYS..)?.as_chunks::<{ SLOTS * 2 }>().0.get(bucket)?;
    let slot = position(keys, key)?;
    let exponent = u32::from(keys.get(slot * 2)? & 3);
    let row = TABLE.get(ROWS..)?.as_chunks::<4>().0.get(bucket * SLOTS + slot)?;
    Some((u32::from_le_bytes(*row), exponent))
}

/// Where the key is among the eight of a bucket, four compared at once.
#[inline]
fn position(keys: &[u8; SLOTS * 2], key: u32) -> Option<usize> {
    const ONES: u64 = 0x0001_0001_0001_0001;
    let wanted = u64::from(key << 2).wrapping_mul(ONES);
    for (half, four) in keys.as_chunks::<8>().0.iter().enumerate() {
        // A field is zero where the key is; the lowest one that is found to be so is.
        let differs = (u64::from_le_bytes(*four) & ONES.wrapping_mul(0xFFFC)) ^ wanted;
        let zeros = differs.wrapping_sub(ONES) & !differs & ONES << 15;
        if zeros != 0 {
            return Some(half * 4 + zeros.trailing_zeros() as usize / 16);
        }
    }
    None
}

fn unit() -> f32 {
    TABLE.first_chunk().map_or(0.0, |bytes| f32::from_le_bytes(*bytes))
}

#[inline]
fn mixed(seed: u32, hash: u32) -> u32 {
    let mixed = (hash ^ seed).wrapping_mul(0x2C1B_3C6D);
    (mixed ^ mixed >> 15).wrapping_mul(0x297A_2D39)
}

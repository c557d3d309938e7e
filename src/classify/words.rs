//! A text cut into words, each known by a hash of its letters in lower case.
//!
//! Han, Kana and Hangul are written without spaces, or with endings that stick to words: there each character counts as a word.
//! `scripts/classifier/features.py` does the same; a test compares them.

/// What a hash begins with, and is multiplied with for each character (FNV-1a, over characters).
pub(super) const START: u32 = 0x811C_9DC5;
const PRIME: u32 = 0x0100_0193;
/// Every number is this word.
pub(super) const NUMBER: u32 = 0x30;
/// Words of at least so many letters are also known by so many first ones.
const LONG: u32 = 5;
const STEM: u32 = 4;

/// A piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word of letters.
    Word {
        /// Of all of it.
        hash: u32,
        /// Of its first letters; 0 of a short word.
        beginning: u32,
        /// Of the longest known beginning; 0 if there is none.
        known: u32,
    },
    /// A character that is a word of its own.
    Wide(u32),
    /// Digits.
    Number,
    /// Another visible character.
    Sign(u32),
    /// A sentence or line ends here.
    Break,
}

/// Beginnings of words that are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Beginnings {
    /// Their hashes, sorted; as wide as what rules sort, so that one sort is enough.
    hashes: Vec<u64>,
    sieve: [u64; 8],
}

impl Beginnings {
    /// Those with these hashes.
    pub fn new(mut hashes: Vec<u64>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        let mut sieve = [0; 8];
        for hash in &hashes {
            if let Some(word) = sieve.get_mut((hash >> 29 & 7) as usize) {
                *word |= 1 << (hash >> 23 & 63);
            }
        }
        Self { hashes, sieve }
    }

    #[inline]
    fn has(&self, hash: u32) -> bool {
        let word = self.sieve.get((hash >> 29) as usize).copied().unwrap_or_default();
        word >> (hash >> 23 & 63) & 1 == 1 && self.hashes.binary_search(&u64::from(hash)).is_ok()
    }
}

/// Reads characters, and hands over what they make up.
pub(super) struct Words<'b> {
    beginnings: &'b Beginnings,
    hash: u32,
    length: u32,
    beginning: u32,
    known: u32,
    in_number: bool,
}

impl<'b> Words<'b> {
    pub fn new(beginnings: &'b Beginnings) -> Self {
        Self { beginnings, hash: START, length: 0, beginning: 0, known: 0, in_number: false }
    }

    /// Reads the next character.
    #[inline]
    pub fn push(&mut self, character: char, take: &mut impl FnMut(Token)) {
        let code = lower(u32::from(character));
        if is_letter(code) {
            self.in_number = false;
            self.hash = fold(self.hash, code);
            self.length = self.length.saturating_add(1);
            if self.length == STEM {
                self.beginning = self.hash;
            }
            if (3..=8).contains(&self.length) && self.beginnings.has(self.hash) {
                self.known = self.hash;
            }
            return;
        }
        if self.length > 0 {
            // `don't` is one word.
            if matches!(code, 0x27 | 0x2019) {
                return;
            }
            self.end(take);
        }
        let is_digit = (0x30..=0x39).contains(&code);
        if is_digit && !self.in_number {
            take(Token::Number);
        }
        self.in_number = is_digit;
        if is_wide(code) {
            take(Token::Wide(fold(START, code)));
        } else if !is_digit && !matches!(code, 0x20 | 0x09 | 0x0D | 0xA0 | 0x3000) {
            take(Token::Sign(code));
            if matches!(code, 0x2E | 0x21 | 0x3F | 0x3B | 0x3A | 0x0A | 0x3002) {
                take(Token::Break);
            }
        }
    }

    /// Hands over the word that has no more letters.
    #[inline]
    pub fn end(&mut self, take: &mut impl FnMut(Token)) {
        if self.length > 0 {
            let beginning = if self.length >= LONG { self.beginning } else { 0 };
            take(Token::Word { hash: self.hash, beginning, known: self.known });
        }
        (self.hash, self.length, self.known) = (START, 0, 0);
    }
}

/// The words of a plain text, by their hashes.
pub(super) fn hashes(text: &str) -> Vec<u32> {
    let (none, mut hashes) = (Beginnings::default(), Vec::new());
    let mut words = Words::new(&none);
    let mut take = |token| hashes.extend(heard(token).map(|(hash, _)| hash));
    text.chars().for_each(|character| words.push(character, &mut take));
    words.end(&mut take);
    hashes
}

/// What phrases are looked for in: words and numbers, and the signs that names are written with (`C++`, `C#`). The second is the
/// longest known beginning.
#[inline]
pub(super) fn heard(token: Token) -> Option<(u32, u32)> {
    match token {
        Token::Word { hash, known, .. } => Some((hash, known)),
        Token::Wide(hash) => Some((hash, 0)),
        Token::Number => Some((NUMBER, 0)),
        Token::Sign(code @ (0x2B | 0x23)) => Some((code, 0)),
        Token::Sign(_) | Token::Break => None,
    }
}

#[inline]
pub(super) fn fold(hash: u32, code: u32) -> u32 {
    (hash ^ code).wrapping_mul(PRIME)
}

#[inline]
fn lower(code: u32) -> u32 {
    match code {
        0x41..=0x5A => code | 0x20,
        0..0xC0 => code,
        // The forms of ASCII that are as wide as Han.
        0xFF01..=0xFF5E => lower(code.wrapping_sub(0xFEE0)),
        0xD7 => code,
        0xC0..=0xDE | 0x410..=0x42F => code.wrapping_add(32),
        _ => code,
    }
}

/// Han, Kana, Hangul.
#[inline]
fn is_wide(code: u32) -> bool {
    matches!(code, 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

#[inline]
fn is_letter(code: u32) -> bool {
    match code {
        0..0x80 => (0x61..=0x7A).contains(&code),
        0x80..0xC0 => matches!(code, 0xAA | 0xB5 | 0xBA),
        0xD7 | 0xF7 | 0xFFFD => false,
        0x2000..=0x303F | 0xFE30..=0xFE4F | 0xFF00..=0xFFEF | 0xE000..=0xF8FF | 0x1F000..=0x1FAFF => false,
        _ => !is_wide(code),
    }
}

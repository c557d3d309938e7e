//! How much of a token a character is, judged by itself and the one before it.
//!
//! Tokenizers cut text into words, numbers (of up to three digits), runs of punctuation and runs of white space, keep what is
//! frequent whole and cut the rest into pieces. What can be seen of that in two neighbouring bytes is said here in hundredths
//! of a token; the weights are a fit to OpenAI's `o200k_base` over prose, chats, code, JSON, logs and some forty languages.

/// What sort of byte, as far as it matters to a weight.
pub(super) type Class = u8;

const SMALL: Class = 0;
const SMALL_RARE: Class = 1;
const CAPITAL: Class = 2;
const CAPITAL_RARE: Class = 3;
const DIGIT: Class = 4;
const SPACE: Class = 5;
const LINE: Class = 6;
const MARK: Class = 7;
/// Control characters, and what stands before a text.
pub(super) const NOTHING: Class = 8;
/// All that follow are bytes of characters beyond ASCII, first those that continue one.
const CONTINUES: Class = 9;
/// The second byte of Latin Extended Additional (U+1E80 to U+1EFF), which Vietnamese is written with.
const CONTINUES_LATIN: Class = 10;
const ACCENTED: Class = 11;
const GREEK: Class = 12;
const CYRILLIC: Class = 13;
const SEMITIC: Class = 14;
const INDIC: Class = 15;
/// U+1000 to U+1FFF: the Latin letters of Vietnamese, and Georgian, Khmer and others, which count as Latin too.
const VARIOUS: Class = 16;
/// Dashes, quotation marks, arrows.
const SIGN: Class = 17;
const KANA: Class = 18;
const HAN: Class = 19;
const HANGUL: Class = 20;
const ASTRAL: Class = 21;
/// Begins an escape sequence; where one stands for it, it is a mark.
const BACKSLASH: Class = 22;

/// Rows of a table by pairs of classes are so long.
const ROW: usize = 32;

/// How many bytes may be added up before the sums must be taken out, so that none of their fields overflows.
pub(super) const CHUNK: usize = 240;
/// The weight of a digit after a space, the heaviest pair there is.
const HEAVIEST: u64 = 218;
const _: () = assert!(CHUNK as u64 * HEAVIEST <= u16::MAX as u64 && CHUNK <= u8::MAX as usize);

/// The sort of each byte.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler builds the table, and would refuse to go beyond it"
)]
static CLASSES: [Class; 256] = {
    let mut classes = [NOTHING; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = class_of(byte as u8);
        byte += 1;
    }
    classes
};

const fn class_of(byte: u8) -> Class {
    match byte {
        // The letters that are rare in English stand in words that are cut into more pieces.
        b'j' | b'k' | b'q' | b'x' | b'z' => SMALL_RARE,
        b'J' | b'K' | b'Q' | b'X' | b'Z' => CAPITAL_RARE,
        b'a'..=b'z' => SMALL,
        b'A'..=b'Z' => CAPITAL,
        b'0'..=b'9' => DIGIT,
        b' ' => SPACE,
        0x09..=0x0D => LINE,
        b'\\' => BACKSLASH,
        b'!'..=b'~' => MARK,
        0x00..=0x7F => NOTHING,
        0xBA | 0xBB => CONTINUES_LATIN,
        0x80..=0xBF => CONTINUES,
        0xC0..=0xCD => ACCENTED,
        0xCE | 0xCF => GREEK,
        0xD0..=0xD4 => CYRILLIC,
        0xD5..=0xDF => SEMITIC,
        0xE0 => INDIC,
        0xE1 => VARIOUS,
        0xE2 => SIGN,
        0xE3 | 0xEE | 0xEF => KANA,
        0xE4..=0xE9 => HAN,
        0xEA..=0xED => HANGUL,
        0xF0..=0xFF => ASTRAL,
    }
}

/// What a byte adds after another: Latin letters, digits, punctuation, white space.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler builds the table, and would refuse to go beyond it"
)]
static PAIRS: [u64; ROW * ROW] = {
    let mut pairs = [0; ROW * ROW];
    let mut at = 0;
    while at < pairs.len() {
        pairs[at] = pair((at / ROW) as Class, (at % ROW) as Class);
        at += 1;
    }
    pairs
};

const fn pair(before: Class, class: Class) -> u64 {
    let in_word = before <= CAPITAL_RARE || (before >= CONTINUES && before <= ASTRAL);
    let after_letter = before <= CAPITAL_RARE;
    let begins = if in_word { 0 } else { 14 };
    match class {
        SMALL => pack(18 + begins + broken_if(before == DIGIT), 0, 0, 0),
        SMALL_RARE => pack(67 + begins + broken_if(before == DIGIT), 0, 0, 0),
        CAPITAL => pack(18 + begins + broken_if(before == DIGIT || before <= SMALL_RARE), 0, 0, 0),
        CAPITAL_RARE => pack(67 + begins + broken_if(before == DIGIT || before <= SMALL_RARE), 0, 0, 0),
        DIGIT if before == DIGIT => pack(0, 13, 0, 0),
        // The space before a word is part of its token, that before a number is not.
        DIGIT if before == SPACE => pack(0, 218, 0, 0),
        DIGIT => pack(broken_if(after_letter), 116, 0, 0),
        MARK if before == MARK => pack(0, 0, 7, 0),
        MARK => pack(0, 0, 79, 0),
        LINE if before != LINE => pack(0, 0, 0, 90),
        SPACE if before == LINE => pack(0, 0, 0, 50),
        SIGN => pack(begins, 0, 26, 0),
        CONTINUES if before == VARIOUS => pack(38, 0, 0, 0),
        ACCENTED..=ASTRAL => pack(begins, 0, 0, 0),
        _ => 0,
    }
}

/// `camelCase` is two words, and so are `x2` and `2x`.
const fn broken_if(is: bool) -> u64 {
    if is { 37 } else { 0 }
}

const fn pack(latin: u64, digits: u64, marks: u64, space: u64) -> u64 {
    latin | digits << 16 | marks << 32 | space << 48
}

/// In which byte of a word characters beyond ASCII are counted, each where its first byte is.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler builds the table, and would refuse to go beyond it"
)]
static FIRSTS: [u64; 256] = {
    let mut firsts = [0; 256];
    let mut field = 0;
    while field < BEYOND.len() {
        firsts[BEYOND[field].0 as usize] = 1 << (8 * field);
        field += 1;
    }
    // Greek has the weight of its field.
    firsts[GREEK as usize] = firsts[SEMITIC as usize];
    firsts
};

/// What a character beyond ASCII weighs, in the order of the kinds.
const BEYOND: [(Class, u32); 8] = [
    (ACCENTED, 107),
    (CYRILLIC, 27),
    (SEMITIC, 37),
    (INDIC, 38),
    (KANA, 71),
    (HAN, 83),
    (HANGUL, 67),
    (ASTRAL, 265),
];

/// What a chunk was added up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Hundredths of a token, four fields of 16 bits.
    pairs: u64,
    /// Characters beyond ASCII, eight fields of 8 bits.
    beyond: u64,
}

impl Sums {
    /// Adds the inside of a JSON string that stands after a byte of class `before`, up to the first escape that is more than a
    /// backslash and a character; `ONLY_ASCII` says that nothing is beyond ASCII.
    ///
    /// Returns how many bytes were read, and the class of the last one.
    #[inline]
    pub fn run<const ONLY_ASCII: bool>(&mut self, inside: &[u8], mut before: Class) -> (usize, Class) {
        let mut sums = *self;
        let mut bytes = inside.iter();
        let mut unread = 0;
        while let Some(byte) = bytes.next() {
            let mut class = class(*byte);
            if class == BACKSLASH {
                class = match bytes.next() {
                    Some(b'n' | b'r' | b't') => LINE,
                    Some(b'"' | b'/' | b'\\') => MARK,
                    other => {
                        unread = 1_usize.wrapping_add(other.is_some().into());
                        break;
                    }
                };
            }
            sums.add::<ONLY_ASCII>(before, class);
            before = class;
        }
        *self = sums;
        (inside.len().wrapping_sub(bytes.len()).wrapping_sub(unread), before)
    }

    /// Adds a character that was escaped; returns the class of its last byte.
    pub fn escaped(&mut self, character: char, mut before: Class) -> Class {
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            let class = if byte == b'\\' { MARK } else { class(byte) };
            self.add::<false>(before, class);
            before = class;
        }
        before
    }

    #[inline]
    fn add<const ONLY_ASCII: bool>(&mut self, before: Class, class: Class) {
        let at = usize::from(before) * ROW + usize::from(class);
        let pair = PAIRS.get(at % (ROW * ROW)).copied().unwrap_or_default();
        self.pairs = self.pairs.wrapping_add(pair);
        if !ONLY_ASCII {
            let first = FIRSTS.get(usize::from(class)).copied().unwrap_or_default();
            self.beyond = self.beyond.wrapping_add(first);
        }
    }

    /// Hundredths of a token of each kind of text.
    pub fn by_kind(self) -> impl Iterator<Item = u32> {
        let pairs = (0..4).map(move |field| u32::from((self.pairs >> (16 * field)) as u16));
        let beyond = self.beyond.to_le_bytes().into_iter().zip(BEYOND);
        pairs.chain(beyond.map(|(characters, (_, weight))| u32::from(characters) * weight))
    }
}

fn class(byte: u8) -> Class {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(NOTHING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The hundredths of each kind, added up without any packing.
    fn one_by_one(bytes: &[u8]) -> Vec<u32> {
        let mut sums = vec![0_u32; 12];
        let mut before = NOTHING;
        for byte in bytes {
            let class = if *byte == b'\\' { MARK } else { class(*byte) };
            let pair = pair(before, class);
            for (field, sum) in sums.iter_mut().take(4).enumerate() {
                *sum += (pair >> (16 * field)) as u32 & 0xFFFF;
            }
            let like = if class == GREEK { SEMITIC } else { class };
            if let Some(kind) = BEYOND.iter().position(|(beyond, _)| *beyond == like) {
                sums[4 + kind] += BEYOND[kind].1;
            }
            before = class;
        }
        sums
    }

    proptest! {
        #[test]
        fn a_full_chunk_of_any_bytes_overflows_no_field(bytes in proptest::collection::vec(any::<u8>(), 0..=CHUNK)) {
            let bytes: Vec<_> = bytes.into_iter().filter(|byte| *byte != b'\\').collect();
            let mut sums = Sums::default();
            let (read, _) = sums.run::<false>(&bytes, NOTHING);
            prop_assert_eq!(read, bytes.len());
            prop_assert_eq!(sums.by_kind().collect::<Vec<_>>(), one_by_one(&bytes));
        }
    }

    #[test]
    fn the_heaviest_texts_overflow_no_field() {
        for heavy in [
            "1",
            " 1",
            "a1",
            "jJ",
            "!",
            "a!",
            "\n ",
            "\na",
            "é",
            "да",
            "αβ",
            "שלום",
            "नमस्ते",
            "かな",
            "漢字",
            "한글",
            "😀",
        ] {
            let bytes: Vec<u8> = heavy.bytes().cycle().take(CHUNK).collect();
            let mut sums = Sums::default();
            sums.run::<false>(&bytes, NOTHING);
            assert_eq!(sums.by_kind().collect::<Vec<_>>(), one_by_one(&bytes), "{heavy}");
        }
    }

    #[test]
    fn every_pair_weighs_at_most_what_a_chunk_has_room_for() {
        for before in 0..BACKSLASH {
            for class in 0..BACKSLASH {
                let pair = pair(before, class);
                let heaviest = (0..4).map(|field| pair >> (16 * field) & 0xFFFF).max();
                assert!(heaviest <= Some(HEAVIEST), "{before} {class}");
            }
        }
    }
}

//! Counts the characters of a text as it comes, in whatever pieces.

use super::makeup::{Makeup, TEXTS};
use super::script::{CHUNK, Class, NOTHING, Sums};
use crate::json::unescape;

/// The most bytes of one character.
const CHARACTER: usize = 4;

/// What was counted so far. It is small and needs no other memory: a stream can have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Hundredths of a token, by kind of text.
    hundredths: [u32; TEXTS],
    /// What was not added to them yet, and how many more bytes it can take.
    loose: Sums,
    room: usize,
    /// The sort of the last byte.
    before: Class,
}

impl Default for Tally {
    fn default() -> Self {
        Self { hundredths: [0; TEXTS], loose: Sums::default(), room: CHUNK, before: NOTHING }
    }
}

impl Tally {
    /// Counts the inside of a JSON string, which goes on where the last one ended.
    ///
    /// It need not be whole: what stands between the strings of a JSON text can be counted too, and it may be cut anywhere.
    pub fn push(&mut self, inside: &[u8]) {
        match inside.is_ascii() {
            true => self.count::<true>(inside),
            false => self.count::<false>(inside),
        }
    }

    /// Another text begins.
    pub fn begin(&mut self) {
        self.before = NOTHING;
    }

    /// What was counted, in tokens of each kind.
    #[must_use]
    pub fn makeup(&self) -> Makeup {
        let mut whole = *self;
        whole.settle();
        let mut makeup = Makeup::default();
        for (part, hundredths) in makeup.parts.iter_mut().zip(whole.hundredths) {
            *part = hundredths as f32 / 100.0;
        }
        makeup
    }

    fn count<const ONLY_ASCII: bool>(&mut self, inside: &[u8]) {
        let mut rest = inside;
        while !rest.is_empty() {
            if self.room < CHARACTER {
                self.settle();
            }
            let chunk = rest.get(..self.room).unwrap_or(rest);
            let mut length;
            (length, self.before) = self.loose.run::<ONLY_ASCII>(chunk, self.before);
            self.room = self.room.saturating_sub(length);
            if length == 0 {
                let character;
                (character, length) = unescape(rest);
                self.before = self.loose.escaped(character, self.before);
                self.room = self.room.saturating_sub(CHARACTER);
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    fn settle(&mut self) {
        for (sum, more) in self.hundredths.iter_mut().zip(self.loose.by_kind()) {
            *sum = sum.saturating_add(more);
        }
        (self.loose, self.room) = (Sums::default(), CHUNK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::Kind::{self, *};
    use crate::json::Text;
    use proptest::prelude::*;

    fn counted(inside: &[u8]) -> Tally {
        let mut tally = Tally::default();
        tally.push(inside);
        tally.settle();
        tally
    }

    #[test]
    fn characters_count_for_their_kind() {
        let cases: &[(&str, &[(Kind, f32)])] = &[
            ("", &[]),
            ("the", &[(Latin, 0.68)]),
            ("the cat", &[(Latin, 1.36)]),
            ("a zoo", &[(Latin, 1.49)]),
            ("camelCase", &[(Latin, 2.13)]),
            ("x2y", &[(Latin, 1.87), (Digits, 1.16)]),
            ("42", &[(Digits, 1.29)]),
            (" 42", &[(Digits, 2.31)]),
            ("();", &[(Marks, 0.93)]),
            ("f(x)", &[(Latin, 1.13), (Marks, 1.58)]),
            ("\n\n  a", &[(Latin, 0.32), (Space, 1.4)]),
            ("C:\\\\", &[(Latin, 0.32), (Marks, 0.93)]),
            ("“a”", &[(Latin, 0.32), (Marks, 0.52)]),
            ("été", &[(Latin, 0.32), (Accents, 2.14)]),
            ("Việt", &[(Latin, 0.68)]),
            ("ქარ", &[(Latin, 1.28)]),
            ("да", &[(Latin, 0.14), (Cyrillic, 0.54)]),
            ("αβ", &[(Latin, 0.14), (Semitic, 0.74)]),
            ("سلام", &[(Latin, 0.14), (Semitic, 1.48)]),
            ("ไทย", &[(Latin, 0.14), (Indic, 1.14)]),
            ("かな。", &[(Latin, 0.14), (Kana, 2.13)]),
            ("漢字", &[(Latin, 0.14), (Han, 1.66)]),
            ("한글", &[(Latin, 0.14), (Hangul, 1.34)]),
            ("😀", &[(Latin, 0.14), (Emoji, 2.65)]),
        ];
        for (text, kinds) in cases {
            let makeup = counted(Text::of(text).as_bytes()).makeup();
            let mut expected = Makeup::default();
            kinds.iter().for_each(|(kind, tokens)| expected.add(*kind, *tokens));
            assert_eq!(makeup, expected, "{text:?}");
        }
    }

    /// Every character as `\uXXXX`, as some clients write whatever is not ASCII.
    fn all_escaped(plain: &str) -> String {
        plain.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
    }

    proptest! {
        #[test]
        fn a_text_counts_the_same_however_it_is_escaped(plain in r#"([a-zA-Z0-9 .,"\\/\n\té漢字😀αд]|.)*"#) {
            let expected = counted(Text::of(&plain).as_bytes());
            prop_assert_eq!(counted(all_escaped(&plain).as_bytes()).hundredths, expected.hundredths);
            let slashes = Text::of(&plain);
            let slashes = String::from_utf8_lossy(slashes.as_bytes()).replace('/', r"\/");
            prop_assert_eq!(counted(slashes.as_bytes()).hundredths, expected.hundredths);
        }

        #[test]
        fn a_text_counts_the_same_in_whatever_pieces(pieces in proptest::collection::vec(r#"[a-z0-9 .,"\\\n漢é😀]{0,90}"#, 0..20)) {
            let mut tally = Tally::default();
            for piece in &pieces {
                tally.push(Text::of(piece).as_bytes());
            }
            let whole = counted(Text::of(&pieces.concat()).as_bytes());
            prop_assert_eq!(tally.makeup(), whole.makeup());
        }

        #[test]
        fn bytes_that_are_no_text_are_counted_all_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let total = counted(&bytes).makeup().total();
            prop_assert!((0.0..=2.7 * bytes.len() as f32).contains(&total));
        }
    }
}

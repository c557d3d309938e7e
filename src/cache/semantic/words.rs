//! A question cut into words, each with how much depends on it.

use super::lexicon;
use crate::names;

/// A question as far as it is understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Words {
    /// What it asks for, as `how many`; empty where that cannot be told.
    pub asks: &'static str,
    /// Its words, in order.
    pub words: Vec<Word>,
}

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    /// In lower case; for a [`Weight::Decisive`] one, what it is taken for.
    pub text: String,
    /// How much depends on it.
    pub weight: Weight,
    /// Whether a sentence begins with it.
    first: bool,
}

/// How much depends on a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Weight {
    /// Nothing: it holds the sentence together.
    Filler,
    /// It says what the question is about.
    Plain,
    /// As `Plain`, and it is the name of something.
    Name,
    /// Everything: a negation, a number, a unit, a direction, a piece of code, a sign.
    Decisive,
}

impl Words {
    /// The words of a text.
    pub fn of(text: &str) -> Self {
        let mut words = Vec::with_capacity(text.len() / 5);
        // Capitals tell names only where there are other letters.
        let names_are_capital = text.contains(char::is_lowercase);
        cut(text, &mut |token, kind, first| match kind {
            Token::Word => word(token, first, names_are_capital, &mut words),
            Token::Verbatim => words.push(Word { text: token.to_owned(), weight: Weight::Decisive, first }),
        });
        Self { asks: asks(&words), words }
    }

    /// Whether the text is English for all that can be told, so that its negations and the like are known: one word in six at
    /// least holds its sentences together as in English, and no letter is foreign to it.
    pub fn are_english(&self) -> bool {
        let fillers = self.words.iter().filter(|word| word.weight == Weight::Filler).count();
        let is_foreign = |word: &Word| !word.text.is_ascii();
        fillers.saturating_mul(6) >= self.words.len() && !self.words.iter().any(is_foreign)
    }

    /// The words that mean something.
    pub fn meaning(&self) -> impl Iterator<Item = &Word> {
        self.words.iter().filter(|word| word.weight != Weight::Filler)
    }

    /// The words on which everything depends.
    pub fn decisive(&self) -> impl Iterator<Item = &str> {
        self.words.iter().filter(|word| word.weight == Weight::Decisive).map(|word| word.text.as_str())
    }
}

enum Token {
    Word,
    /// Something that is compared as it stands.
    Verbatim,
}

/// What parts words and sentences, and means nothing itself. Brackets do: `(1+2)*3` is not `1+(2*3)`.
const PUNCTUATION: &str = ".,;:?!\"'-–—…“”‘’«»¿¡、。，？！：；「」";

/// Cuts a text into words and signs; punctuation is dropped.
fn cut(text: &str, take: &mut dyn FnMut(&str, Token, bool)) {
    let mut first = true;
    let mut before = ' ';
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.chars().nth(1).unwrap_or(' ');
        let len = if c == '`' {
            // Code is compared as it stands, whatever it consists of.
            let code = rest.get(1..).and_then(|rest| rest.split('`').next()).unwrap_or_default();
            code.split_whitespace().for_each(|code| take(code, Token::Verbatim, false));
            first = false;
            code.len().saturating_add(2)
        } else if is_inner(c) || matches!(c, '-' | '.') && after.is_ascii_digit() && !is_inner(before) {
            let len = word_length(rest);
            take(rest.get(..len).unwrap_or_default(), Token::Word, std::mem::take(&mut first));
            len
        } else {
            let len = c.len_utf8();
            let operates = c == '!' && (after == '=' || before.is_ascii_digit());
            if operates || !c.is_whitespace() && !PUNCTUATION.contains(c) {
                take(rest.get(..len).unwrap_or_default(), Token::Verbatim, std::mem::take(&mut first));
            }
            first |= matches!(c, '.' | '?' | '!' | ':' | '\n');
            len
        };
        let (found, others) = rest.split_at_checked(len).unwrap_or((rest, ""));
        before = found.chars().next_back().unwrap_or(' ');
        rest = others;
    }
}

fn is_inner(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How many bytes the word at the front has.
fn word_length(rest: &str) -> usize {
    let mut chars = rest.char_indices().peekable();
    let mut last = chars.next().map_or(' ', |(_, c)| c);
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        let joins = match c {
            '\'' | '’' | '.' | '@' => next.is_some_and(is_inner),
            ',' | ':' | '/' | '-' => last.is_ascii_digit() && next.is_some_and(|c| c.is_ascii_digit()),
            // C++ and C#.
            '+' | '#' => (last.is_alphabetic() || last == c) && !next.is_some_and(is_inner),
            c => is_inner(c),
        };
        if !joins {
            return at;
        }
        last = c;
    }
    rest.len()
}

fn word(token: &str, begins: bool, names_are_capital: bool, words: &mut Vec<Word>) {
    let mut first = begins;
    let follows_name = words.last().is_some_and(|word| word.weight == Weight::Name);
    let mut push = |text: &str, weight| {
        words.push(Word { text: text.to_owned(), weight, first: std::mem::take(&mut first) });
    };
    let token = token.replace('’', "'");
    let lower = names::lower(&token);
    if let Some(base) = lower.strip_suffix("n't") {
        let verb = match base {
            "ca" => "can",
            "wo" => "will",
            "sha" => "shall",
            base => base,
        };
        push(lexicon::decisive(verb).unwrap_or(verb), weight(verb));
        return push("not", Weight::Decisive);
    }
    if let Some(subject) = lower.strip_suffix("'ll") {
        push(subject, weight(subject));
        return push("will", Weight::Decisive);
    }
    let ending = ["'s", "'re", "'ve", "'d", "'m", "'"].iter().find(|ending| lower.ends_with(**ending));
    let without = |text: &str| text.len().saturating_sub(ending.map_or(0, |ending| ending.len()));
    let lower = lower.get(..without(&lower)).unwrap_or(&lower);
    let token = token.get(..without(&token)).unwrap_or(&token);
    if let Some(meaning) = lexicon::decisive(lower) {
        return push(meaning, Weight::Decisive);
    }
    if lower.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.')) {
        return push(&number(lower), Weight::Decisive);
    }
    let initials = lower.replace('.', "");
    let is_initials = lower.split('.').all(|part| part.chars().count() <= 1);
    if is_code(token) || initials != lower && !is_initials {
        return push(token, Weight::Decisive);
    }
    let capitals = token.chars().filter(|c| c.is_uppercase()).count();
    let all_capital = capitals > 1 && !token.chars().any(char::is_lowercase);
    let capital = token.starts_with(char::is_uppercase)
        // Sentences begin so.
        && !(begins && (lexicon::is_filler(lower) || lexicon::is_common(lower)))
        // Who speaks; but after a name it is the first of that name.
        && (lower != "i" || follows_name);
    let weight = if names_are_capital && (all_capital || capital) { Weight::Name } else { weight(lower) };
    push(&initials, weight);
}

/// A number without the commas that part its thousands; others may be decimal.
fn number(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_group = |group: &str| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit());
    let parted = !fraction.contains(',') && whole.split(',').skip(1).all(is_group);
    if parted { text.replace(',', "") } else { text.to_owned() }
}

fn weight(word: &str) -> Weight {
    if lexicon::decisive(word).is_some() {
        Weight::Decisive
    } else if lexicon::is_filler(word) {
        Weight::Filler
    } else {
        Weight::Plain
    }
}

/// Whether a word looks like a name in a program: `snake_case`, `camelCase`, `utf8`, `c++`.
fn is_code(token: &str) -> bool {
    let humps =
        || token.chars().zip(token.chars().skip(1)).any(|(a, b)| a.is_lowercase() && b.is_uppercase());
    token.contains(|c: char| matches!(c, '_' | '@' | '+' | '#') || c.is_ascii_digit()) || humps()
}

/// What is asked for: as a sentence begins, or else by the first word that asks.
fn asks(words: &[Word]) -> &'static str {
    let measured = |at: usize, asking: &'static str| {
        let next = words.get(at.saturating_add(1)).filter(|_| asking == "how");
        next.and_then(|next| lexicon::measure(&next.text)).unwrap_or(asking)
    };
    let mut begins = words.iter().enumerate().filter(|(_, word)| word.first);
    let beginning = begins.find_map(|(mut at, _)| {
        while let Some("please" | "hi" | "hello" | "hey" | "ok" | "okay" | "so" | "well" | "and") =
            words.get(at).map(|word| word.text.as_str())
        {
            at = at.saturating_add(1);
        }
        let word = words.get(at)?;
        let polite = words.get(at.saturating_add(1)).is_some_and(|next| next.text == "you")
            && matches!(word.text.as_str(), "can" | "could" | "will" | "would");
        let asking = lexicon::asking(&word.text).map(|asking| measured(at, asking));
        asking.or_else(|| lexicon::yes_or_no(&word.text).filter(|_| !polite))
    });
    let anywhere =
        || words.iter().enumerate().find_map(|(at, word)| Some(measured(at, lexicon::asking(&word.text)?)));
    beginning.or_else(anywhere).unwrap_or_default()
}

//! What two questions must have in common to be one, however near their vectors are.
//!
//! Vectors of "not", "11" and "Berlin" are near those of "10" and "Paris", and a long question drowns
//! the word by which it differs. So an answer is only given again where nothing of that sort is
//! between the questions.

use super::words::{Weight, Word, Words};

/// What two questions differ in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Difference {
    /// What is asked for: `how many` and `how much`.
    Asked,
    /// A word on which everything depends, as a number or a negation.
    Decisive,
    /// Whose it is, the client's or the model's.
    Person,
    /// A name.
    Name,
    /// Some other word, or the order of the words.
    Words,
}

/// How much of what is said has to be the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Strictness {
    /// What no vector shows reliably: all else was judged by a model that knows what words mean. So a word may stand in the place
    /// of another one, but none may be added, because it makes the question a narrower one.
    Meaning,
    /// All words but those that only hold a sentence together: letters show nothing of what one means.
    Letters,
}

/// How strict to be with two questions whose vectors a model has made, or letters. What vectors overlook is known of English
/// only.
pub(super) fn strictness(a: &Words, b: &Words, by_model: bool) -> Strictness {
    match by_model && a.are_english() && b.are_english() {
        true => Strictness::Meaning,
        false => Strictness::Letters,
    }
}

/// The first thing found in which two questions differ, if there is any.
pub(super) fn difference(a: &Words, b: &Words, strictness: Strictness) -> Option<Difference> {
    if a.asks != b.asks {
        return Some(Difference::Asked);
    }
    if !a.decisive().eq(b.decisive()) {
        return Some(Difference::Decisive);
    }
    if !persons_agree(a, b) {
        return Some(Difference::Person);
    }
    let (a, b): (Vec<_>, Vec<_>) = (a.meaning().collect(), b.meaning().collect());
    if !has_names_of(&a, &b) || !has_names_of(&b, &a) {
        return Some(Difference::Name);
    }
    match strictness {
        _ if a.len() != b.len() => Some(Difference::Words),
        Strictness::Meaning => (!in_order(&a, &b)).then_some(Difference::Words),
        Strictness::Letters => {
            let all_same = a.iter().zip(&b).all(|(a, b)| same(&a.text, &b.text));
            (!all_same).then_some(Difference::Words)
        }
    }
}

/// Whether the one does not speak of the client where the other speaks of the model. Who asks how
/// something is done means anybody by both `I` and `you`.
fn persons_agree(a: &Words, b: &Words) -> bool {
    let persons = |words: &Words| {
        let has = |one_of: &[&str]| words.words.iter().any(|word| one_of.contains(&word.text.as_str()));
        (
            has(&["i", "me", "my", "mine", "myself", "we", "us", "our"]),
            has(&["you", "your", "yours", "yourself"]),
        )
    };
    let opposed =
        matches!((persons(a), persons(b)), ((true, false), (false, true)) | ((false, true), (true, false)));
    !opposed || a.asks.starts_with("how")
}

/// Whether all names in `a` are words of `b` too, in the same order.
fn has_names_of(b: &[&Word], a: &[&Word]) -> bool {
    let mut rest = b.iter();
    a.iter()
        .filter(|word| word.weight == Weight::Name)
        .all(|name| rest.any(|word| same(&name.text, &word.text)))
}

/// Whether the words that both have come in the same order. Of a swapped pair, as in "replace a fan by a lamp", models see little.
fn in_order(a: &[&Word], b: &[&Word]) -> bool {
    let common = |of: &[&Word], with: &[&Word]| {
        let has = |word: &&&Word| with.iter().any(|other| same(&word.text, &other.text));
        of.iter().filter(has).map(|word| word.text.clone()).collect::<Vec<_>>()
    };
    let (a, b) = (common(a, b), common(b, a));
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same(a, b))
}

/// Whether two words are forms of one: `move` and `moving`, `city` and `cities`.
fn same(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short == long {
        return true;
    }
    if short.chars().count() < 3 {
        return false;
    }
    let ends = |end: &str| long.strip_suffix(end);
    let is_root = |root: &str| {
        let doubled =
            || root.strip_suffix(|c: char| root.trim_end_matches(c).len().saturating_add(2) == root.len());
        short == root || short.strip_suffix('e') == Some(root) || doubled() == Some(short)
    };
    ["s", "es", "d", "n"].iter().any(|end| ends(end) == Some(short))
        || ["ies", "ied"]
            .iter()
            .any(|end| ends(end).is_some_and(|root| short.strip_suffix('y') == Some(root)))
        || ["ed", "ing"].iter().filter_map(|end| ends(end)).any(|root| {
            let other_form = ["s", "es", "ed"].iter().any(|end| short.strip_suffix(end) == Some(root));
            is_root(root) || other_form
        })
}

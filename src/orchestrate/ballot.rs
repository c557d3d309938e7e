//! What answers agree on: what each of them votes for, and how alike they are.

use super::judge::object;
use crate::config::Ballot;
use crate::json::{Document, Surrogates};

/// Longer texts are compared by their beginning: so many words.
const MOST_WORDS: usize = 2_000;

/// What an answer votes for; none if it votes for nothing.
pub(super) fn vote(ballot: &Ballot, text: &str) -> Option<String> {
    match ballot {
        Ballot::Text => Some(words(text).join(" ")).filter(|words| !words.is_empty()),
        Ballot::Number => number(text),
        Ballot::Field(path) => {
            let document = Document::parse(object(text)?.as_bytes(), Surrogates::Lone).ok()?;
            let found = path.split('.').try_fold(document.root(), |value, key| value.get(key))?;
            match found.text() {
                Some(text) => Some(words(&text.decode()).join(" ")),
                None => number(std::str::from_utf8(found.raw()).ok()?)
                    .or_else(|| Some(String::from_utf8_lossy(found.raw()).split_whitespace().collect())),
            }
        }
    }
}

/// The last number in a text, without what may be written or not: `1,234.50` is `1234.5`.
fn number(text: &str) -> Option<String> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
    let end = text.rfind(|c: char| c.is_ascii_digit())?;
    let (before, after) = text.split_at_checked(end.checked_add(1)?)?;
    // A point after the last digit ends a sentence.
    let _ = after;
    let start = before.rfind(|c: char| !is_part(c)).map_or(0, |at| {
        at.saturating_add(before.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8))
    });
    let (lead, digits) = before.split_at_checked(start)?;
    let negative = lead.ends_with('-') || lead.ends_with('−');
    let digits: String = digits.chars().filter(|c| *c != ',').collect();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if negative && !(whole == "0" && fraction.is_empty()) { "-" } else { "" };
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// The words of a text in lower case; of languages without spaces, each character.
fn words(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut open = false;
    for c in text.chars().flat_map(char::to_lowercase) {
        let alone = matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}');
        if !c.is_alphanumeric() {
            open = false;
            continue;
        }
        let is_full = all.len() == MOST_WORDS;
        match all.last_mut() {
            Some(word) if open && !alone => word.push(c),
            _ if is_full => break,
            _ => all.push(c.to_string()),
        }
        open = !alone;
    }
    all
}

/// How much each of several texts has in common with the others, in thousandths: the share of words that both of a pair have, on
/// average over the others.
pub(super) fn agreement(texts: &[&str]) -> Vec<u32> {
    let sets: Vec<Vec<String>> = texts
        .iter()
        .map(|text| {
            let mut set = words(text);
            set.sort_unstable();
            set.dedup();
            set
        })
        .collect();
    let others = u32::try_from(sets.len().saturating_sub(1)).unwrap_or(u32::MAX).max(1);
    let with_others = |(at, set): (usize, &Vec<String>)| {
        let pairs = sets.iter().enumerate().filter(|(other, _)| *other != at);
        pairs.map(|(_, other)| alike(set, other)).sum::<u32>() / others
    };
    sets.iter().enumerate().map(with_others).collect()
}

fn alike(one: &[String], other: &[String]) -> u32 {
    let common = one.iter().filter(|word| other.binary_search(word).is_ok()).count();
    let all = one.len().saturating_add(other.len()).saturating_sub(common);
    u32::try_from(common.saturating_mul(1_000).checked_div(all).unwrap_or(1_000)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_are_the_same_whatever_they_are_written_like() {
        let field = Ballot::Field("result.label".into());
        for (ballot, text, voted) in [
            (&Ballot::Text, "  Yes. ", Some("yes")),
            (&Ballot::Text, "**YES**", Some("yes")),
            (&Ballot::Text, "是的。", Some("是 的")),
            (&Ballot::Text, "...", None),
            (&Ballot::Number, "The answer is 1,234.50.", Some("1234.5")),
            (&Ballot::Number, "6 × 7 = 42", Some("42")),
            (&Ballot::Number, "It is -0.50 °C", Some("-0.5")),
            (&Ballot::Number, "0", Some("0")),
            (&Ballot::Number, "none", None),
            (&field, r#"{"result": {"label": "Spam"}}"#, Some("spam")),
            (&field, "```json\n{\"result\": {\"label\": 3.0}}\n```", Some("3")),
            (&field, r#"{"result": {"label": true}}"#, Some("true")),
            (&field, r#"{"result": {}}"#, None),
            (&field, "spam", None),
        ] {
            assert_eq!(vote(ballot, text).as_deref(), voted, "{text}");
        }
    }

    #[test]
    fn whoever_says_what_others_say_agrees_most() {
        let texts = ["Paris is the capital of France.", "The capital of France is Paris", "Lyon, I think"];
        let agreement = agreement(&texts);
        assert_eq!(agreement[0], agreement[1]);
        assert!(agreement[0] >= 500 && agreement[2] < 100, "{agreement:?}");
    }
}

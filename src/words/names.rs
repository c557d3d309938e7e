//! Names at the border: what a provider, a model, a route, an Envoy cluster, a consumer, a tier and a limit may be called.
//!
//! A name that exists here is short, printable and safe where it will be written: a model's name in a header and in a
//! URL path (Gemini's API has it there), a provider's name before the slash of `provider/model`, a consumer's name in the
//! access log, a limit's name between the quotes of a `RateLimit` header.

use std::borrow::Borrow;
use std::fmt::{self, Write};
use std::rc::Rc;

/// No name is longer, in bytes.
pub const MAX_NAME: usize = 128;
/// Envoy's cluster names may be longer: service meshes build them out of several parts. So may a consumer's: a token's
/// subject has up to 255 ASCII characters (OpenID Connect Core 1.0, section 2).
const MAX_LONG_NAME: usize = 255;
/// How many names [`nearest`] suggests at most.
const SUGGESTIONS: usize = 3;
/// The largest edit distance at which a name is still suggested.
const MAX_DISTANCE: usize = 3;

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadName {
    /// There is nothing.
    Empty,
    /// More bytes than the limit it carries.
    TooLong(usize),
    /// A character that is not allowed in this kind of name.
    Character(char),
    /// A part between slashes is empty, `.` or `..`: it would mean something else in a URL path.
    Segment,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong(limit) => write!(f, "it is longer than {limit} bytes"),
            Self::Character(found) => write!(f, "it contains {found:?}"),
            Self::Segment => f.write_str("it has an empty part, `.` or `..` between slashes"),
        }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $rule:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Rc<str>);

        impl $type {
            /// The name in `text`, if it is one.
            ///
            /// # Errors
            /// Says what keeps `text` from being a name.
            pub fn parse(text: &str) -> Result<Self, BadName> {
                $rule(text).map(|()| Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name as text that it shares.
            pub fn shared(&self) -> Rc<str> {
                Rc::clone(&self.0)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name! {
    /// What a model is called, by the gateway's clients (`gpt-5`, `meta-llama/llama-3`) or by its provider.
    ModelName, path_safe
}
name! {
    /// What a provider is called; it has no slash, so that `provider/model` is read in one way only.
    ProviderName, without_slash
}
name! {
    /// What a route is called; clients ask for it as if it were a model.
    RouteName, path_safe
}
name! {
    /// What an Envoy cluster is called.
    ClusterName, visible
}
name! {
    /// What a consumer is called: by the configuration, or by the issuer of a token (see [`ConsumerName::of_subject`]).
    ConsumerName, visible
}
name! {
    /// What a tier of consumers is called.
    TierName, without_slash
}
name! {
    /// What a region is called that models run in.
    RegionName, without_slash
}
name! {
    /// What an arm of an experiment is called.
    ArmName, without_slash
}
name! {
    /// What a tag is called: something that is warranted of a model, and that consumers may require.
    TagName, without_slash
}

name! {
    /// What a kind of request is called.
    TaskName, without_slash
}

name! {
    /// What a content rule is called; clients and operators see it.
    RuleName, without_slash
}

name! {
    /// What a limit is called; clients and operators see it.
    LimitName, without_slash
}

impl Default for TaskName {
    /// The task of requests that nothing tells of.
    fn default() -> Self {
        Self("chat".into())
    }
}

impl Default for TierName {
    /// The tier of consumers that name none.
    fn default() -> Self {
        Self("default".into())
    }
}

impl ConsumerName {
    /// The consumer that a token's subject names. What is no visible ASCII in it is written as `%` and two hexadecimal
    /// digits for each byte, and so is `%` itself: two subjects are never one consumer.
    ///
    /// # Errors
    /// If it is no text (not UTF-8, or control characters in it), empty, or too long in that form.
    pub fn of_subject(subject: &[u8]) -> Result<Self, BadName> {
        let text =
            std::str::from_utf8(subject).map_err(|_| BadName::Character(char::REPLACEMENT_CHARACTER))?;
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            return Err(BadName::Character(control));
        }
        let plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'%';
        if text.bytes().all(|byte| plain(&byte)) {
            return Self::parse(text);
        }
        let mut name = String::with_capacity(MAX_LONG_NAME);
        // Of more bytes than a name may have no name is made.
        for byte in text.bytes().take(MAX_LONG_NAME + 1) {
            match plain(&byte) {
                true => name.push(char::from(byte)),
                false => _ = write!(name, "%{byte:02X}"),
            }
        }
        Self::parse(&name)
    }
}

fn path_safe(text: &str) -> Result<(), BadName> {
    printable(text, MAX_NAME, |c| {
        !matches!(c, '"' | '#' | '%' | '<' | '>' | '?' | '\\' | '^' | '`' | '{' | '|' | '}')
    })?;
    if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(BadName::Segment);
    }
    Ok(())
}

fn without_slash(text: &str) -> Result<(), BadName> {
    path_safe(text)?;
    if text.contains('/') { Err(BadName::Character('/')) } else { Ok(()) }
}

fn visible(text: &str) -> Result<(), BadName> {
    printable(text, MAX_LONG_NAME, |_| true)
}

/// Visible ASCII only: header values and URL paths carry nothing else unescaped.
fn printable(text: &str, limit: usize, allowed: impl Fn(char) -> bool) -> Result<(), BadName> {
    if text.is_empty() {
        return Err(BadName::Empty);
    }
    if text.len() > limit {
        return Err(BadName::TooLong(limit));
    }
    match text.chars().find(|&c| !c.is_ascii_graphic() || !allowed(c)) {
        Some(found) => Err(BadName::Character(found)),
        None => Ok(()),
    }
}

/// The candidates that `wanted` was probably meant to be, best first, at most three.
///
/// A candidate is near when few edits make it of `wanted` (never more than three nor half of it: that would make anything of
/// anything), or when one of the two begins with the other: `claude-sonnet` was meant to be
/// `claude-sonnet-4-5`. Case does not count.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    nearest_of(wanted, &mut candidates.into_iter())
}

/// The same for any source of candidates, so that the code is there once.
fn nearest_of<'a>(wanted: &str, candidates: &mut dyn Iterator<Item = &'a str>) -> Vec<&'a str> {
    if wanted.is_empty() || wanted.len() > MAX_NAME {
        return Vec::new();
    }
    let wanted = lower(wanted);
    let limit = (wanted.chars().count() / 2).clamp(1, MAX_DISTANCE);
    let mut nearest = Vec::new();
    for candidate in candidates {
        let lower = lower(candidate);
        let distance =
            if lower.len().abs_diff(wanted.len()) <= limit { edits(&wanted, &lower) } else { usize::MAX };
        let is_beginning = wanted.len().min(lower.len()) > MAX_DISTANCE
            && (lower.starts_with(&wanted) || wanted.starts_with(&lower));
        let near = match distance <= limit {
            true => (distance, candidate),
            false if is_beginning => (MAX_DISTANCE + 1, candidate),
            false => continue,
        };
        if let Err(place) = nearest.binary_search(&near) {
            nearest.insert(place, near);
            nearest.truncate(SUGGESTIONS);
        }
    }
    nearest.into_iter().map(|(_, name)| name).collect()
}

/// Levenshtein's distance: how many characters must be inserted, removed or replaced to make `b` of `a`.
fn edits(a: &str, b: &str) -> usize {
    // One row of the table: how many edits make each beginning of `b` out of what of `a` was read so far.
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (read, x) in a.chars().enumerate() {
        let mut diagonal = read;
        let mut left = read + 1;
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = left;
        }
        for (cell, y) in cells.zip(b.chars()) {
            left = (diagonal + usize::from(x != y)).min(*cell + 1).min(left + 1);
            diagonal = std::mem::replace(cell, left);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// A text in lower case, letter by letter. The standard library's looks at what stands around a sigma, which is 4 KB of wasm.
#[must_use]
#[inline(never)]
pub fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn names_are_what_headers_and_paths_can_carry() {
        for good in ["gpt-5", "meta-llama/Llama-3.1-8B", "llama3:8b-q4_0", "x/y:free", "models@2024+1~", "a"]
        {
            assert_eq!(ModelName::parse(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for (bad, why) in [
            ("", BadName::Empty),
            ("a b", BadName::Character(' ')),
            ("a\n", BadName::Character('\n')),
            ("modèle", BadName::Character('è')),
            ("a?key=b", BadName::Character('?')),
            ("a%2e", BadName::Character('%')),
            ("../x", BadName::Segment),
            ("a//b", BadName::Segment),
            ("/a", BadName::Segment),
            ("a/", BadName::Segment),
            (&"a".repeat(129), BadName::TooLong(128)),
        ] {
            assert_eq!(ModelName::parse(bad), Err(why), "{bad:?}");
        }
        assert!(ModelName::parse(&"a".repeat(128)).is_ok());
    }

    #[test]
    fn a_provider_has_no_slash_and_a_cluster_may_have_a_meshs_name() {
        assert_eq!(ProviderName::parse("a/b"), Err(BadName::Character('/')));
        assert!(ClusterName::parse("outbound|443||api.openai.com").is_ok());
        assert_eq!(ClusterName::parse("a b"), Err(BadName::Character(' ')));
    }

    #[test]
    fn a_subject_names_one_consumer_in_visible_characters() {
        for (subject, name) in [
            ("acme", "acme"),
            ("auth0|5f7c8ec7c33c6c004bbafe82", "auth0|5f7c8ec7c33c6c004bbafe82"),
            ("https://idp.example/users/1", "https://idp.example/users/1"),
            ("a b", "a%20b"),
            ("jos\u{e9}", "jos%C3%A9"),
            // What looks like another one's name is not that one.
            ("jos%C3%A9", "jos%25C3%25A9"),
            (&"a".repeat(255), &"a".repeat(255)),
            (&"\u{e9}".repeat(42), &"%C3%A9".repeat(42)),
        ] {
            assert_eq!(ConsumerName::of_subject(subject.as_bytes()).unwrap(), name);
        }
        for (subject, why) in [
            (&b""[..], BadName::Empty),
            (b"a\nb", BadName::Character('\n')),
            // How Envoy hands over a claim that is true, and one that is a number.
            (b"\x01", BadName::Character('\x01')),
            (&123.0_f64.to_le_bytes(), BadName::Character(char::REPLACEMENT_CHARACTER)),
            (&[b'a'; 256], BadName::TooLong(255)),
            (&[0xC3, 0xA9].repeat(43), BadName::TooLong(255)),
            (&b" ".repeat(1 << 20), BadName::TooLong(255)),
        ] {
            assert_eq!(ConsumerName::of_subject(subject), Err(why));
        }
    }

    proptest! {
        #[test]
        fn two_subjects_are_never_one_consumer(a in "[a%C3\u{e9} ]{1,6}", b in "[a%C3\u{e9} ]{1,6}") {
            let name = |subject: &str| ConsumerName::of_subject(subject.as_bytes()).unwrap();
            prop_assert_eq!(name(&a) == name(&b), a == b);
        }
    }

    #[test]
    fn a_name_is_found_in_a_map_by_its_text() {
        let map = HashMap::from([(ModelName::parse("gpt-5").unwrap(), 5)]);
        assert_eq!(map.get("gpt-5"), Some(&5));
    }

    #[test]
    fn edits_are_counted() {
        for (a, b, count) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("gpt5", "gpt-5", 1),
            ("ab", "ba", 2),
        ] {
            assert_eq!(edits(a, b), count, "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_names_come_best_first_and_the_far_ones_not_at_all() {
        let names =
            ["gpt-5", "gpt-5-mini", "claude-sonnet-4-5", "claude-opus-4-5", "gemini-2.5-pro", "sonnet"];
        for (wanted, expected) in [
            ("gpt5", vec!["gpt-5"]),
            ("GPT-5", vec!["gpt-5", "gpt-5-mini"]),
            ("claude-sonnet", vec!["claude-sonnet-4-5"]),
            ("claude-sonnet-4-5-20250929", vec!["claude-sonnet-4-5"]),
            ("cluade-opus-4-5", vec!["claude-opus-4-5"]),
            ("sonett", vec!["sonnet"]),
            ("o3", vec![]),
            ("llama", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(nearest(wanted, names), expected, "{wanted}");
        }
        assert!(nearest(&"a".repeat(1 << 20), names).is_empty(), "an absurd name costs nothing");
        assert_eq!(nearest("aaaa", ["aaab", "aaac", "aaad", "aaae"]).len(), 3);
    }
}

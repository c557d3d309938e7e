//! What keywords and patterns find.

use super::*;
use crate::config::pattern::Program;

fn pattern(pattern: &str, text: &str) -> String {
    whole(&redacts(json!({"patterns": [pattern]})), text)
}

#[test]
fn patterns_find_what_regular_expressions_do() {
    for (said, text, expected) in [
        ("abc", "xabcx abC", "x#x abC"),
        ("a.c", "abc a\nc a\u{1F600}c", "# a\nc #"),
        ("[abc]", "xaybz", "x#y#z"),
        ("[^a-c]x", "axbxdx", "axbx#"),
        ("[a-]", "a-b", "#b"),
        (r"[\]\\^]", r"]\^", "#"),
        (r"\d{3}-\d{4}", "call 555-1234 or 55-1234", "call # or 55-1234"),
        (r"\d{2,3}", "1 12 123", "1 # #"),
        (r"a{2,}b", "ab aab aaaab", "ab # #"),
        ("(?:ab)+", "abab ba", "# ba"),
        ("(ab|cd)e?", "ab cde", "# #"),
        ("a|bc|d", "abcd", "#"),
        ("colou?r", "color colour", "# #"),
        ("(?i)straße", "STRAßE Straße", "# #"),
        ("a(?i)b", "ab aB Ab", "# # Ab"),
        ("(?i:a)b", "Ab AB", "# AB"),
        ("(?i)[k-m]x", "LX lx nx", "# # nx"),
        ("(?i)[А-Я]+", "жук ЖУК", "# #"),
        ("(?i)Ž[ÀÈ]Ω", "žèω", "#"),
        (r"\bcat\b", "cat concat cat's", "# concat #'s"),
        (r"\Bcat", "concat cat", "con# cat"),
        (r"^ab", "abab", "#ab"),
        (r"ab$", "abab", "ab#"),
        (r"\w+@\w+\.com", "mail a_b@c.com now", "mail # now"),
        (r"\s\S\D\W", "a b!?", "a#"),
        (r"[\d\s]+x", "1 2x", "#"),
        (r"\.\*\{\}", ".*{}", "#"),
        (r"sk-[A-Za-z0-9]{8,}", "key sk-abcdEFGH12 end", "key # end"),
        ("日本|中国", "在日本和中国", "在#和#"),
        ("é+", "caféé", "caf#"),
        // Every match counts, also within and across others.
        ("ab.*c", "abxcxxc!", "#!"),
        ("aba", "ababa", "#"),
        (r"a\tb\n", "a\tb\n", "#"),
    ] {
        assert_eq!(pattern(said, text), expected, "{said} in {text:?}");
    }
}

#[test]
fn what_is_no_pattern_is_told_with_its_place() {
    for (said, why) in [
        ("", "it matches where there is nothing"),
        ("a*", "it matches where there is nothing"),
        (r"\b", "it matches where there is nothing"),
        ("a|", "it matches where there is nothing"),
        ("(a", "expected `)` at character 3"),
        ("a)b", "a `)` that closes nothing at character 2"),
        ("[a", "expected `]` at character 3"),
        ("[]a", "an empty class; a bracket itself is `\\]` at character 2"),
        ("[[:alpha:]]", "a class within a class; a bracket itself is `\\[` at character 2"),
        ("[z-a]", "a range that ends before it begins at character 4"),
        ("*a", "a repetition of nothing at character 1"),
        ("a**", "a repetition of a repetition at character 3"),
        ("a.*?b", "every match counts, so none is lazy: no `?` after a repetition at character 4"),
        ("a{3", "expected `}` after {n}, {n,} or {n,m} at character 4"),
        ("a{x}", "expected a number after `{`; a brace itself is `\\{` at character 3"),
        ("a{3,2}", "fewer at most than at least at character 6"),
        ("a{257}", "more than 256 repetitions at character 5"),
        ("((a{200}){200}){200}", "with it the rule is too large: count fewer repetitions"),
        (r"(a)\1", "there are no references back at character 5"),
        (
            "a(?=b)",
            "expected `(?:`, `(?i)` or `(?i:`: there is no looking around, and there are no names at character 4",
        ),
        (r"\p{L}", "no such escape at character 2"),
        ("a\\", "a backslash with nothing after it at character 3"),
    ] {
        assert_eq!(Program::of(said).unwrap_err().to_string(), why, "{said}");
    }
    let deep = ["(".repeat(17), "a".to_owned(), ")".repeat(17)].concat();
    assert!(Program::of(&deep).unwrap_err().to_string().contains("nested deeper"));
    assert!(Program::of(&"a".repeat(1001)).is_err());
}

#[test]
fn keywords_are_words_in_any_case_and_any_spacing() {
    let screen = redacts(json!({"keywords": ["secret", "Project X", "秘密", "เงิน", "C++", "naïve"]}));
    for (text, expected) in [
        ("the secret is out", "the # is out"),
        ("SECRET, Secret.", "#, #."),
        ("secretary insecret secret_key secrets", "secretary insecret secret_key secrets"),
        ("secret-key", "#-key"),
        ("project x", "#"),
        ("Project\n   X!", "#!"),
        ("Project  Xylophone", "Project  Xylophone"),
        ("projectx", "projectx"),
        // Where words are not written between spaces, they are found anywhere.
        ("这是秘密文件", "这是#文件"),
        ("这是secret文件", "这是#文件"),
        ("ค่าเงินบาท", "ค่า#บาท"),
        ("I like C++.", "I like #."),
        ("C++11", "#11"),
        ("NAÏVE", "#"),
        ("ｓｅｃｒｅｔ", "#"),
        ("secret", "#"),
    ] {
        assert_eq!(whole(&screen, text), expected, "{text}");
    }
}

#[test]
fn many_keywords_are_one_tree() {
    let keywords: Vec<_> = (0..10_000).map(|number| format!("word{number}")).collect();
    let screen = redacts(json!({ "keywords": keywords }));
    assert_eq!(whole(&screen, "word9999 word99999 wor word5"), "# word99999 wor #");
}

#[test]
fn what_is_denied_is_told_by_the_rule() {
    let screen = Screen::of(rules(&json!([
        {"name": "mails", "action": "redact", "patterns": [r"\w+@\w+"], "replacement": "<mail>"},
        {"name": "bombs", "action": "deny", "keywords": ["bomb"]},
        {"name": "numbers", "action": "redact", "patterns": [r"\d{4}"]},
    ])))
    .unwrap();
    assert_eq!(whole(&screen, "a@b has 1234"), "<mail> has [redacted]");
    assert_eq!(super::super::names(screen.fired()), "mails,numbers");
    // The first that covers a place says what stands there.
    assert_eq!(whole(&screen, "1234@b 99a@1234"), "<mail> <mail>");
    assert_eq!(screened(&screen, &["a bo", "mb."]), Err(Fired("bombs".into())));
    assert_eq!(screened(&screen, &["a bomb"]), Err(Fired("bombs".into())));
    assert_eq!(whole(&screen, "bombastic"), "bombastic");
}

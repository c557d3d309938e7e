//! Where a text is cut changes nothing but when it is let go.

use super::*;
use crate::rules::Escapes;
use proptest::prelude::*;

#[test]
fn only_what_may_still_match_is_held() {
    let screen = redacts(json!({"keywords": ["secret plan"], "patterns": [r"\d{4}"]}));
    for (pieces, expected) in [
        (vec!["hello wor", "ld"], vec!["hello wor", "ld", ""]),
        (vec!["a sec", "ond"], vec!["a ", "second", ""]),
        (vec!["a sec", "ret", " plan", " b"], vec!["a ", "", "", "# b", ""]),
        (vec!["a secret", " plane"], vec!["a ", "secret plane", ""]),
        (vec!["a secret plan"], vec!["a ", "#"]),
        (vec!["12", "34", "5", "6", " "], vec!["", "", "#", "", " ", ""]),
        (vec!["12", "3 "], vec!["", "123 ", ""]),
    ] {
        assert_eq!(screened(&screen, &pieces).unwrap(), expected, "{pieces:?}");
    }
}

#[test]
fn no_more_than_the_window_is_held() {
    let screen = redacts(json!({"patterns": ["<.*>"], "window": 16}));
    let mut text = screen.text();
    let mut out = String::new();
    for at in 1..=100_usize {
        text.push(if at == 1 { "<" } else { "x" }, &mut out).unwrap();
        assert_eq!(out.len(), at.saturating_sub(16));
    }
    // So much of the end of a longer match is redacted.
    text.push(">.", &mut out).unwrap();
    text.finish(&mut out).unwrap();
    assert_eq!(out, format!("<{}#.", "x".repeat(84)));
    let denies = rules(&json!([{"name": "a", "action": "deny", "patterns": ["<.*>"], "window": 16}]));
    let long = format!("<{}>", "é".repeat(1000));
    assert!(screened(&Screen::of(denies).unwrap(), &[&long[..3], &long[3..1001], &long[1001..]]).is_err());
}

#[test]
fn halves_of_escaped_characters_find_each_other() {
    for pieces in [
        vec![r"a\ud83d\ude00b"],
        vec![r"a\ud83d", r"\ude00b"],
        vec![r"a\ud83d\", r"ude00b"],
        vec![r"a\ud", r"83d\ude", r"00b"],
        vec![r"a\", r"ud83d\ude0", r"0b"],
    ] {
        let mut escapes = Escapes::default();
        let mut said: String = pieces.iter().map(|piece| escapes.push(piece.as_bytes())).collect();
        said.push_str(&escapes.finish());
        assert_eq!(said, "a\u{1F600}b", "{pieces:?}");
    }
    for (text, expected) in
        [(r"\ud83dx", "\u{FFFD}x"), (r"\ud83d", "\u{FFFD}"), (r"\ud83d\n", "\u{FFFD}\n"), (r"\\n", r"\n")]
    {
        let mut escapes = Escapes::default();
        let said = text.chars().map(|c| escapes.push(c.to_string().as_bytes())).collect::<String>();
        assert_eq!(said + &escapes.finish(), expected);
    }
}

/// What each pattern covers, found from every place on its own.
fn naively(rules: &[Rc<ContentRule>], text: &str) -> String {
    let mut covered = vec![None; text.len()];
    let mut spans = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        for (start, _) in text.char_indices() {
            for end in ends(rule, text, start) {
                let mut from = start.max(end.saturating_sub(rule.window));
                while !text.is_char_boundary(from) {
                    from += 1;
                }
                spans.push((from, at, end));
            }
        }
    }
    spans.sort_unstable();
    let mut last: Option<usize> = None;
    let mut begins = Vec::new();
    for (from, at, end) in spans {
        if last.is_none_or(|last| from > last) {
            begins.push((from, at));
        }
        last = last.max(Some(end));
        covered[from..end].fill(Some(()));
    }
    let mut out = String::new();
    for (at, c) in text.char_indices() {
        if let Some((_, rule)) = begins.iter().find(|(from, _)| *from == at) {
            out.push_str(&rules[*rule].replacement);
        }
        if covered[at].is_none() {
            out.push(c);
        }
    }
    out
}

/// Where matches end that begin at `start`.
fn ends(rule: &ContentRule, text: &str, start: usize) -> Vec<usize> {
    use crate::config::pattern::{Look, Node};
    let before = |at: usize| text[..at].chars().next_back();
    let (mut open, mut seen, mut ends) = (vec![(rule.program.start, start)], Vec::new(), Vec::new());
    while let Some((node, at)) = open.pop() {
        if seen.contains(&(node, at)) {
            continue;
        }
        seen.push((node, at));
        let next = text[at..].chars().next();
        let node = &rule.program.nodes[node as usize];
        match node {
            Node::Match => ends.push(at),
            Node::Split(one, other) => open.extend([(*one, at), (*other, at)]),
            Node::Look(look, after) if look.holds(before(at), next) => open.push((*after, at)),
            Node::Tree(_, true) if at > start && Look::Edge.holds(before(at), next) => ends.push(at),
            _ => {}
        }
        if let Some((after, c)) = next.and_then(|c| Some((node.takes(c)?, c))) {
            open.push((after, at + c.len_utf8()));
        }
    }
    ends
}

fn some_rules() -> impl Strategy<Value = Vec<Rc<ContentRule>>> {
    let pattern = prop::sample::select(vec![
        "ab",
        "a+b",
        "a.*b",
        r"\w+@",
        r"\bb",
        r"b\b",
        "[^a ]+",
        "(?i)AB|ba",
        "a{2,3}",
        "é|日+",
        "^a",
        "b$",
        r"\d\d",
        "(a|ab)(b|a)",
    ]);
    let keyword = prop::sample::select(vec!["ab", "a b", "日", "b", "aab", "@", "é"]);
    let rule = (prop::collection::vec(pattern, 0..3), prop::collection::vec(keyword, 1..3), 16..20_u64);
    prop::collection::vec(rule, 1..4).prop_map(|list| {
        let list = list.into_iter().enumerate().map(|(at, (patterns, keywords, window))| {
            json!({"name": at.to_string(), "action": "redact", "replacement": format!("<{at}>"), "patterns": patterns,
                   "keywords": keywords, "window": window})
        });
        rules(&Value::Array(list.collect()))
    })
}

proptest! {
    #[test]
    fn every_split_gives_what_the_whole_gives(
        rules in some_rules(), text in "[abAB @1é日\n]{0,40}", cuts in prop::collection::vec(0..41_usize, 0..8)
    ) {
        let screen = Screen::of(rules.clone()).unwrap();
        let all = whole(&screen, &text);
        prop_assert_eq!(&all, &naively(&rules, &text), "against the naive way");
        let mut cuts: Vec<_> = text.char_indices().map(|(at, _)| at).enumerate()
            .filter(|(place, _)| cuts.contains(place)).map(|(_, at)| at).collect();
        cuts.push(text.len());
        let mut from = 0;
        let pieces: Vec<_> = cuts.iter().map(|to| &text[std::mem::replace(&mut from, *to)..*to]).collect();
        prop_assert_eq!(&screened(&screen, &pieces).unwrap().concat(), &all);
        let each: Vec<_> = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect();
        prop_assert_eq!(&screened(&screen, &each).unwrap().concat(), &all);
    }

    /// What is denied is denied at every split, and nothing of it was let go.
    #[test]
    fn nothing_of_what_is_denied_gets_out(before in "[xy]{0,5}", after in "[ xy]{0,3}", cut in 0..20_usize) {
        let screen = Screen::of(rules(&json!([{"name": "a", "action": "deny", "patterns": ["ab+cd"]}]))).unwrap();
        let text = format!("{before}abbbcd{after}");
        let cut = cut.min(text.len());
        let mut open = screen.text();
        let mut out = String::new();
        let pushed = open.push(&text[..cut], &mut out).and_then(|()| open.push(&text[cut..], &mut out));
        prop_assert!(pushed.and_then(|()| open.finish(&mut out)).is_err());
        prop_assert!(before.starts_with(&out));
    }
}

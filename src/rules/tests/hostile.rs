//! However a pattern and a text are chosen, a character costs at most as many steps as the pattern has nodes.

use super::*;

#[test]
fn time_is_linear_in_the_text() {
    let texts: [fn(usize) -> String; 5] = [
        |length| "a".repeat(length),
        |length| "ab".repeat(length / 2),
        |length| "a".repeat(length - 1) + "!",
        |length| "1234 ".repeat(length / 5),
        |length| "日".repeat(length / 3),
    ];
    for pattern in [
        "(a+)+b",
        "(a|a)*b",
        "(a|aa)+!b",
        "(.*)(.*)(.*)x",
        "(a{0,50}){0,20}b",
        r"(\w+\s?)+:",
        "a.*a.*a.*b",
        r"(\d+|\d+\.\d+)+x",
        "(?i)([^b]|a)+b",
    ] {
        for text in texts {
            let steps = |length: usize| {
                let screen = redacts(json!({"patterns": [pattern]}));
                let _ = whole(&screen, &text(length));
                (screen.looked_at(), screen.rules()[0].program.nodes.len() as u64)
            };
            let ((short, nodes), (long, _)) = (steps(1_000), steps(4_000));
            assert!(long <= 4_002 * nodes, "{pattern}: {long} steps of {nodes} nodes");
            assert!(long <= short * 5, "{pattern}: {short} steps, and of a text four times as long {long}");
        }
    }
}

#[test]
fn many_matches_at_once_take_no_longer_than_one_after_another() {
    let screen = redacts(json!({"patterns": [r"\d"], "keywords": ["a"]}));
    let text = "1 a ".repeat(100_000);
    assert_eq!(whole(&screen, &text).len(), text.len());
}

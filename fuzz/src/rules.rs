//! Content rules of any pattern, over any text: what is let go does not hang on where the text was cut.

use crate::input::{Input, pieces};
use modelgate::config::{Config, Phrase};
use modelgate::rules::{Fired, Screen};
use serde_json::json;

fn screened(config: &Config, pieces: &[&str]) -> (String, Result<(), Fired>) {
    let screen = Screen::of(config.content_rules().to_vec()).expect("there is a rule");
    let (mut text, mut out) = (Screen::text(&screen), String::new());
    let all =
        pieces.iter().try_for_each(|piece| text.push(piece, &mut out)).and_then(|()| text.finish(&mut out));
    (out, all)
}

pub fn target(data: &[u8]) {
    let mut input = Input(data);
    let (deny, window, cuts) = (input.is_set(), input.one_of(&[16, 100, 1024]), input.byte());
    let (Ok(pattern), Ok(keyword)) = (str::from_utf8(input.part()), str::from_utf8(input.part())) else {
        return;
    };
    let Ok(text) = str::from_utf8(&input.0[..input.0.len().min(4096)]) else { return };
    let _ = Phrase::pattern(pattern);
    let rule = |name, action, of| {
        let mut rule = json!({"name": name, "action": action, "window": window});
        rule["patterns"] = json!(if of { vec![pattern] } else { vec![] });
        rule["keywords"] = json!(if of { vec![] } else { vec![keyword] });
        rule
    };
    let mut rules = Vec::new();
    if !pattern.is_empty() {
        rules.push(rule("pattern", if deny { "deny" } else { "redact" }, true));
    }
    if !keyword.is_empty() {
        rules.push(rule("keyword", "redact", false));
    }
    let document = json!({"providers": {"openai": {}}, "auth": {"anonymous": {"consumer": "a"}}, "content_rules": rules});
    let Ok(config) = Config::parse(document.to_string().as_bytes(), &|_| None) else { return };
    if config.content_rules().is_empty() {
        return;
    }
    let (whole, all) = screened(&config, &[text]);
    let mut cut: Vec<&str> = Vec::new();
    let mut at = 0;
    for piece in pieces(text.as_bytes(), cuts) {
        let end = at + piece.len();
        let start = cut.iter().map(|piece| piece.len()).sum::<usize>();
        at = end;
        if text.is_char_boundary(end) {
            cut.push(&text[start..end]);
        }
    }
    let (parts, some) = screened(&config, &cut);
    assert_eq!(all, some, "{pattern:?} {keyword:?} in {cut:?}");
    // What goes before a denial may have gone, or not yet.
    if all.is_ok() {
        assert_eq!(whole, parts, "{pattern:?} {keyword:?} in {cut:?}");
    }
}

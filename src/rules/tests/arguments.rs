//! Arguments stay JSON, whatever is taken out of them and wherever they are cut.

use super::*;
use crate::rules::arguments::Arguments;
use proptest::prelude::*;

fn through(screen: &Rc<Screen>, pieces: &[&str]) -> Result<String, Fired> {
    let (mut arguments, mut out) = (Arguments::new(screen), String::new());
    for piece in pieces {
        arguments.push(piece, &mut out)?;
    }
    arguments.finish(&mut out)?;
    Ok(out)
}

#[test]
fn strings_and_numbers_are_looked_at_each_on_its_own() {
    let screen = redacts(json!({"keywords": ["secret"], "patterns": [r"\d{4}", "\"", "b., .a"]}));
    for (text, expected) in [
        (r#"{"q": "a secret plan"}"#, r##"{"q": "a # plan"}"##),
        (r#"{"q":"a \u0073ecret"}"#, r##"{"q":"a #"}"##),
        (r#"{"secret":true}"#, r##"{"#":true}"##),
        (r#"{"card": 12345678, "n": -1.5e3}"#, r##"{"card": "#", "n": -1.5e3}"##),
        (r#"{"q":"say \"hi\" \\ \n"}"#, r##"{"q":"say #hi# \\ \n"}"##),
        (r#"["b", "a"]"#, r#"["b", "a"]"#),
        (r#"["\ud83d\ude00 1234"]"#, "[\"\u{1F600} #\"]"),
        ("secret", "\"#\""),
        // What was cut short, and what is no JSON, goes on as it is.
        (r#"{"q":"a secre"#, r#"{"q":"a secre"#),
        (r#"{"q":"a\"#, "{\"q\":\"a\u{FFFD}"),
        ("", ""),
    ] {
        assert_eq!(through(&screen, &[text]).unwrap(), expected, "{text}");
        let each: Vec<_> = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect();
        assert_eq!(through(&screen, &each).unwrap(), expected, "{text}, cut everywhere");
    }
    let denies =
        Screen::of(rules(&json!([{"name": "a", "action": "deny", "keywords": ["secret"]}]))).unwrap();
    assert!(through(&denies, &[r#"{"q":"sec"#, r#"ret"}"#]).is_err());
    assert!(through(&denies, &[r#"{"q":"secretary"}"#]).is_ok());
}

proptest! {
    #[test]
    fn arguments_stay_json(text in "[abc1234 \"\\\\é\u{1F600}\n{}:,]{0,20}", number in any::<i64>(), cut in 0..80_usize) {
        let screen = redacts(json!({"patterns": ["[ab].*", "\\d\\d", "[^c]{3}"]}));
        let json = json!({"text": text, "list": [number, {"text": text}, null, true]}).to_string();
        let cut = json.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(json.len());
        let out = through(&screen, &[&json]).unwrap();
        prop_assert!(serde_json::from_str::<Value>(&out).is_ok(), "{}", out);
        prop_assert_eq!(through(&screen, &[&json[..cut], &json[cut..]]).unwrap(), out);
    }
}

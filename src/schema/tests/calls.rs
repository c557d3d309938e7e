use super::*;
use crate::chat::Request;
use crate::json::Text;

#[test]
fn a_call_is_checked_against_the_function_it_calls() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[
        {"type":"function","function":{"name":"add","parameters":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}}},
        {"type":"function","function":{"name":"now"}},
        {"type":"custom","custom":{"name":"run"}}]}"#;
    let document = Document::parse(body, Surrogates::Paired).unwrap();
    let request = Request::read(document.root()).unwrap();
    let call = |name: &str, text: &str| match arguments(&request.tools, &Text::of(name), text.as_bytes()) {
        Ok(()) => "fits".to_owned(),
        Err(Miscall::Differs(violations)) => violations[0].to_string(),
        Err(Miscall::NotJson(error)) => error.to_string(),
        Err(other) => format!("{other:?}"),
    };
    for (name, text, expected) in [
        ("add", r#"{"a":1}"#, "fits"),
        ("add", r#"{"a":"1"}"#, r#"`a`: expected an integer, found "1""#),
        ("add", "", "`a`: expected this required member, found nothing"),
        ("add", r#"{"a":1"#, "the text ends too early at byte 6, in `a`"),
        ("now", "", "fits"),
        ("now", r#"{"anything":1}"#, "fits"),
        ("now", "[]", "expected an object, found []"),
        ("run", "{}", "Unknown"),
        ("sub", "{}", "Unknown"),
    ] {
        assert_eq!(call(name, text), expected, "{name}({text})");
    }
    let schema = parameters(&request.tools, &Text::of("add")).unwrap().unwrap();
    assert_eq!(schema.mend(br#"{"a":"1"}"#).unwrap().json, br#"{"a":1}"#);
}

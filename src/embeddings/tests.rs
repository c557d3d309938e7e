#![allow(clippy::unwrap_used)]

use super::*;
use crate::error::Blame;
use crate::json::{Document, Surrogates};
use proptest::prelude::*;

/// The texts, or how many lists of tokens and how many tokens; then what else was asked.
type Read = (Vec<String>, (usize, u64), Option<u64>, Encoding);

fn read(body: &str) -> Result<Read, String> {
    let document = Document::parse(body.as_bytes(), Surrogates::Paired).unwrap();
    let request = Request::read(document.root()).map_err(|error| {
        assert_eq!((error.status, error.kind.as_ref()), (400, "invalid_request_error"), "{body}");
        // The place that the message begins with is that of the error.
        let place = error.message.split('`').nth(1).filter(|_| error.param.is_some());
        assert_eq!(place, error.param.as_deref(), "{body}");
        error.message
    })?;
    let (texts, tokens) = match &request.input {
        Input::Texts(texts) => (texts.iter().map(|text| text.decode().into_owned()).collect(), (0, 0)),
        Input::Tokens { lists, tokens } => (Vec::new(), (*lists, *tokens)),
    };
    Ok((texts, tokens, request.dimensions, request.encoding))
}

fn with(input: &str) -> String {
    format!(r#"{{"model":"m","input":{input}}}"#)
}

#[test]
fn texts_and_tokens_are_told_apart() {
    for (input, texts, tokens) in [
        (r#""hi""#, &["hi"][..], (0, 0)),
        (r#"["hi","h\u00f6"]"#, &["hi", "hö"], (0, 0)),
        ("[1,2,3]", &[], (1, 3)),
        ("[[1,2,3],[4]]", &[], (2, 4)),
    ] {
        let texts = texts.iter().map(ToString::to_string).collect();
        assert_eq!(read(&with(input)), Ok((texts, tokens, None, Encoding::Float)), "{input}");
    }
    let body = r#"{"model":"m","input":"hi","dimensions":256,"encoding_format":"base64","user":"u"}"#;
    assert_eq!(read(body), Ok((vec!["hi".into()], (0, 0), Some(256), Encoding::Base64)));
}

#[test]
fn what_is_wrong_is_said() {
    let either = "expected a string, an array of strings, an array of token ids or an array of such arrays";
    for (body, expected) in [
        ("[]".to_owned(), "the body must be a JSON object, not an array".to_owned()),
        (r#"{"input":"hi"}"#.to_owned(), "missing required parameter: `model`".to_owned()),
        (
            r#"{"model":"","input":"hi"}"#.to_owned(),
            "`model`: expected the name of a model, found an empty string".to_owned(),
        ),
        (r#"{"model":"m"}"#.to_owned(), "missing required parameter: `input`".to_owned()),
        (with("null"), "missing required parameter: `input`".to_owned()),
        (with("5"), format!("`input`: {either}, found a number")),
        (with("[]"), "`input`: expected at least one input, found an empty array".to_owned()),
        (with(r#""""#), "`input`: an input is an empty string".to_owned()),
        (with(r#"["hi",""]"#), "`input[1]`: an input is an empty string".to_owned()),
        (with(r#"["hi",5]"#), "`input[1]`: expected a string, found a number".to_owned()),
        (with(r#"["hi","ho",["hi"]]"#), "`input[2]`: expected a string, found an array".to_owned()),
        (with(r#"[5,"hi"]"#), "`input[1]`: expected a token id, found \"hi\"".to_owned()),
        (with("[1.5]"), "`input[0]`: expected a token id, found 1.5".to_owned()),
        (with("[-1]"), "`input[0]`: expected a token id, found -1".to_owned()),
        (with("[[1],[2,null]]"), "`input[1][1]`: expected a token id, found null".to_owned()),
        (with(r#"[[1],["hi"]]"#), "`input[1][0]`: expected a token id, found \"hi\"".to_owned()),
        (with("[[1],[]]"), "`input[1]`: a list of tokens is empty".to_owned()),
        (with("[[]]"), "`input[0]`: a list of tokens is empty".to_owned()),
        (with("[[1],2]"), "`input[1]`: expected an array of token ids, found a number".to_owned()),
        (
            with(r#"[{"text":"hi"}]"#),
            "`input[0]`: expected a string, a token id or an array of token ids, found an object".to_owned(),
        ),
        (
            with(&format!("[{}[1]]", "[1],".repeat(2048))),
            "`input`: expected at most 2048 inputs, found 2049".to_owned(),
        ),
        (
            r#"{"model":"m","input":"hi","user":5}"#.to_owned(),
            "`user`: expected a string, found 5".to_owned(),
        ),
        (
            r#"{"model":"m","input":"hi","dimensions":"5"}"#.to_owned(),
            "`dimensions`: expected an integer of at least 1, found a string".to_owned(),
        ),
        (
            r#"{"model":"m","input":"hi","dimensions":1.5}"#.to_owned(),
            "`dimensions`: expected an integer of at least 1, found 1.5".to_owned(),
        ),
        (
            r#"{"model":"m","input":"hi","encoding_format":["float"]}"#.to_owned(),
            "`encoding_format`: expected a string, found an array".to_owned(),
        ),
        (
            with(&format!("[{}\"x\"]", "\"x\",".repeat(2048))),
            "`input`: expected at most 2048 inputs, found 2049".to_owned(),
        ),
        (
            r#"{"model":"m","input":"hi","dimensions":0}"#.to_owned(),
            "`dimensions`: expected an integer of at least 1, found 0".to_owned(),
        ),
        (
            r#"{"model":"m","input":"hi","encoding_format":"int8"}"#.to_owned(),
            "`encoding_format`: expected 'float' or 'base64', found 'int8'".to_owned(),
        ),
        (
            r#"{"model":"m","input":"hi","input":"ho"}"#.to_owned(),
            "`input`: the member stands twice in its object".to_owned(),
        ),
    ] {
        assert_eq!(read(&body), Err(expected), "{body}");
    }
    assert!(read(&with(&format!("[{}1]", "1,".repeat(5000)))).is_ok(), "one input of many tokens");
}

fn vector(json: &str) -> Option<Vector> {
    Vector::read(Document::parse(json.as_bytes(), Surrogates::Lone).unwrap().root())
}

#[test]
fn what_is_no_vector_is_none() {
    for json in
        ["[]", r#""""#, "5", "null", "[1,null]", r#"["1"]"#, "[1e99]", r#""AAA=""#, r#""AADAfw==""#, r#""*""#]
    {
        assert_eq!(vector(json), None, "{json}");
    }
    for json in
        ["[]", "5", "null", "[1,null]", r#"["1"]"#, "[[1]]", r#""AAA=""#, r#""AADAfw==""#, r#""AAAAAAA""#]
    {
        assert_eq!(length(json), None, "{json}");
    }
    assert_eq!(vector(r#""AACAPwAAAMA=""#), Some(Vector(vec![1.0, -2.0])));
}

fn length(json: &str) -> Option<usize> {
    Vector::length(Document::parse(json.as_bytes(), Surrogates::Lone).unwrap().root())
}

#[test]
fn an_answer_has_as_many_vectors_as_inputs_and_all_of_one_length() {
    let error = |lengths: &[usize], dimensions| {
        let wanted = Wanted { vectors: 2, dimensions, ..Wanted::default() };
        wanted.check(lengths).err().map(|error| {
            assert_eq!((error.status, error.blame), (502, Blame::Target));
            error.message
        })
    };
    for lengths in [[3, 3], [1, 1]] {
        assert_eq!(error(&lengths, None), None);
    }
    assert_eq!(error(&[3, 3], Some(3)), None);
    for (lengths, dimensions, message) in [
        (&[][..], None, "embeddings of another number than the inputs: 0 of 2"),
        (&[3], None, "embeddings of another number than the inputs: 1 of 2"),
        (&[3, 3, 3], None, "embeddings of another number than the inputs: 3 of 2"),
        (&[3, 4], None, "embeddings of unequal lengths: 3 and 4"),
        (&[3, 4], Some(3), "embeddings of unequal lengths: 3 and 4"),
        (&[4, 4], Some(3), "embeddings of another length than was asked for: 4, not 3"),
    ] {
        assert_eq!(error(lengths, dimensions), Some(format!("the provider sent {message}")));
    }
}

proptest! {
    #[test]
    fn a_vector_is_the_same_in_either_form(numbers in prop::collection::vec(-10.0_f32..10.0, 1..50)) {
        let vector = Vector(numbers);
        for encoding in [Encoding::Float, Encoding::Base64] {
            let mut out = Vec::new();
            vector.write(&mut out, encoding);
            let document = Document::parse(&out, Surrogates::Paired).unwrap();
            prop_assert_eq!(Encoding::of(document.root()), Some(encoding));
            prop_assert_eq!(Vector::read(document.root()), Some(vector.clone()));
            prop_assert_eq!(Vector::length(document.root()), Some(vector.0.len()));
        }
    }
}

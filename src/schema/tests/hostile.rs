use super::*;

#[test]
fn a_reference_to_nothing_or_to_itself_is_told() {
    for (schema, expected) in [
        (r##"{"$ref": "#"}"##, Undecided::Endless),
        (
            r##"{"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}, true]}}}"##,
            Undecided::Endless,
        ),
        (r##"{"anyOf": [{"$ref": "#"}, {"$ref": "#"}], "not": {"$ref": "#"}}"##, Undecided::Endless),
        (r##"{"$ref": "#/$defs/b"}"##, Undecided::Unresolved),
        (r##"{"$ref": "#name"}"##, Undecided::Unresolved),
        (r##"{"$ref": "https://example.com/schema"}"##, Undecided::Unresolved),
        (r#"{"$ref": 5}"#, Undecided::Malformed),
        ("5", Undecided::Malformed),
        (r#"{"items": 5}"#, Undecided::Malformed),
        (r#"{"type": "float"}"#, Undecided::Malformed),
    ] {
        assert_eq!(told(schema, "[1]"), Err(expected), "{schema}");
        let unmended = mended(schema, "[1]").map(|mended| mended.json);
        assert_eq!(unmended, Err(Unmended::Undecided(expected)), "{schema}");
    }
}

#[test]
fn a_recursive_schema_ends_with_the_value() {
    let schema = r##"{"type": "array", "items": {"$ref": "#"}}"##;
    let nested = |depth: usize, inner: &str| format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(fits(schema, &nested(80, "")));
    assert!(!fits(schema, &nested(80, "1")));
    assert_eq!(told(schema, &nested(120, "")), Err(Undecided::TooMuch));
}

#[test]
fn alternatives_within_alternatives_end() {
    // Each level doubles the work.
    let schema = r##"{"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"$ref": "#"}, "minItems": 1}]}"##;
    let value = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    assert_eq!(told(schema, &value), Err(Undecided::TooMuch));
    assert_eq!(mended(schema, &value), Err(Unmended::Undecided(Undecided::TooMuch)));
    let mut schema = r#"{"type":"null"}"#.to_owned();
    for _ in 0..40 {
        schema = format!(r#"{{"anyOf":[{schema},{{"type":"null"}}]}}"#);
    }
    assert!(!fits(&schema, "1"));
}

#[test]
fn long_lists_are_told_apart_in_their_length() {
    let list = |count: usize| (0..count).map(|n| format!("{n}")).collect::<Vec<_>>().join(",");
    let unique = r#"{"uniqueItems":true}"#;
    assert!(fits(unique, &format!("[{}]", list(100_000))));
    assert!(!fits(unique, &format!("[{},99999.0]", list(100_000))));
    // Members, values of an enum: what would be compared each with each is given up.
    let members = (0..20_000).map(|n| format!(r#""k{n}":{n}"#)).collect::<Vec<_>>().join(",");
    let names = (0..20_000).map(|n| format!(r#""p{n}":true"#)).collect::<Vec<_>>().join(",");
    let schema = format!(r#"{{"properties":{{{names}}}}}"#);
    assert_eq!(told(&schema, &format!("{{{members}}}")), Err(Undecided::TooMuch));
    let schema = format!(r#"{{"items":{{"enum":[{}]}}}}"#, list(10_000));
    assert_eq!(told(&schema, &format!("[{}]", list(10_000))), Err(Undecided::TooMuch));
}

#[test]
fn long_texts_and_numbers_are_paid_for() {
    let long = format!("\"{}\"", "x".repeat(1 << 20));
    let schema = format!(r#"{{"allOf":[{}]}}"#, vec![r#"{"maxLength":2000000}"#; 200].join(","));
    assert_eq!(told(&schema, &long), Err(Undecided::TooMuch));
    let digits = "9".repeat(1 << 20);
    assert!(fits(r#"{"type":"integer","multipleOf":3,"minimum":10}"#, &digits));
    assert!(fits(r#"{"maximum":1e999999999999999999999999}"#, "1e-999999999999999999999999"));
}

#[test]
fn what_is_hard_to_find_json_in_is_given_up() {
    for text in
        [&"[1,".repeat(50_000), &"[x".repeat(50_000), &"{\"a\":{} ".repeat(20_000), &"{} ".repeat(50_000)]
    {
        assert!(
            mended(r#"{"type":"object","required":["a"]}"#, text)
                .map_or(true, |mended| !mended.violations.is_empty())
        );
    }
}

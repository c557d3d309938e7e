use super::*;

const PERSON: &str = r##"{"type":"object","properties":{
    "name":{"type":"string"},"age":{"type":"integer"},"tall":{"type":"boolean"},"boss":{"type":["integer","null"]},
    "tags":{"type":"array","items":{"type":"string"}},"color":{"enum":["red","dark blue"]},
    "pet":{"anyOf":[{"type":"object","properties":{"legs":{"type":"integer"}},"required":["legs"]},{"type":"null"}]},
    "friends":{"type":"array","items":{"$ref":"#"}}},"additionalProperties":false}"##;

#[test]
fn what_was_obviously_meant_is_put_into_the_types_that_are_asked_for() {
    for (schema, text, json, changes) in [
        (PERSON, r#"{"age":"12"}"#, r#"{"age":12}"#, &["retyped `age`"][..]),
        (
            PERSON,
            r#"{ "name" : "x",  "age":" 12.0 " }"#,
            r#"{ "name" : "x",  "age":12.0 }"#,
            &["retyped `age`"],
        ),
        (
            PERSON,
            r#"{"tall":"True","boss":""}"#,
            r#"{"tall":true,"boss":null}"#,
            &["retyped `tall`", "retyped `boss`"],
        ),
        (PERSON, r#"{"boss":"null"}"#, r#"{"boss":null}"#, &["retyped `boss`"]),
        (PERSON, r#"{"name":1.50}"#, r#"{"name":"1.50"}"#, &["retyped `name`"]),
        (PERSON, r#"{"tags":"a"}"#, r#"{"tags":["a"]}"#, &["wrapped `tags`"]),
        (PERSON, r#"{"tags":["a",2]}"#, r#"{"tags":["a","2"]}"#, &["retyped `tags[1]`"]),
        (PERSON, r#"{"tags":"[\"a\",\"b\"]"}"#, r#"{"tags":["a","b"]}"#, &["retyped `tags`"]),
        (PERSON, r#"{"color":" Red"}"#, r#"{"color":"red"}"#, &["respelled `color`"]),
        (PERSON, r#"{"color":"DarkBlue"}"#, r#"{"color":"dark blue"}"#, &["respelled `color`"]),
        (PERSON, r#"{"pet":{"legs":"4"}}"#, r#"{"pet":{"legs":4}}"#, &["retyped `pet.legs`"]),
        (PERSON, r#"{"pet":"{\"legs\":\"4\"}"}"#, r#"{"pet":{"legs":4}}"#, &["retyped `pet`"]),
        (
            PERSON,
            r#"{"friends":[{},{"age":"3"}]}"#,
            r#"{"friends":[{},{"age":3}]}"#,
            &["retyped `friends[1].age`"],
        ),
        (
            PERSON,
            r#"{"age":"1","x":1,"name":"n","y":2}"#,
            r#"{"age":1,"name":"n"}"#,
            &["retyped `age`", "dropped `x`", "dropped `y`"],
        ),
        (PERSON, r#"{"x":{"age":"1"}}"#, "{}", &["dropped `x`"]),
        (
            r#"{"allOf":[{"properties":{"a":{"type":"integer"}}},{"properties":{"a":{"type":"number"}}}]}"#,
            r#"{"a":"1"}"#,
            r#"{"a":1}"#,
            &["retyped `a`"],
        ),
        (r#"{"anyOf":[{"type":"integer"},{"type":"boolean"}]}"#, r#""true""#, "true", &["retyped"]),
        (r#"{"enum":[1,2]}"#, r#""2""#, "2", &["retyped"]),
        (
            r#"{"prefixItems":[{"type":"integer"}],"items":{"type":"string"}}"#,
            r#"["1",2]"#,
            r#"[1,"2"]"#,
            &["retyped `[0]`", "retyped `[1]`"],
        ),
    ] {
        let found = mended(schema, text).unwrap();
        assert_eq!(String::from_utf8_lossy(&found.json), json, "{text}");
        assert_eq!(found.changes.iter().map(Change::to_string).collect::<Vec<_>>(), changes, "{text}");
        assert_eq!(found.violations, [], "{text}");
        assert!(fits(schema, json));
    }
}

#[test]
fn what_may_mean_something_else_stays_and_is_told() {
    for (schema, text) in [
        (PERSON, r#"{"age":"twelve"}"#),
        (PERSON, r#"{"age":"12.5"}"#),
        (PERSON, r#"{"age":"1,000"}"#),
        (PERSON, r#"{"age":null}"#),
        (PERSON, r#"{"age":true}"#),
        (PERSON, r#"{"tall":1}"#),
        (PERSON, r#"{"name":true}"#),
        (PERSON, r#"{"name":["a"]}"#),
        (PERSON, r#"{"color":"blue"}"#),
        (PERSON, r#"{"tags":{"a":1}}"#),
        // Nothing is left out or changed where something else is wrong.
        (PERSON, r#"{"age":"twelve","x":1,"boss":"1"}"#),
        (r#"{"enum":["a","A "]}"#, r#"" a""#),
        (r#"{"type":"integer","minimum":5}"#, r#""3""#),
        (r#"{"type":["string","null"],"minLength":1}"#, r#""""#),
    ] {
        let found = mended(schema, text).unwrap();
        assert_eq!(String::from_utf8_lossy(&found.json), text);
        assert_eq!(found.changes, []);
        assert!(!found.violations.is_empty(), "{text}");
    }
}

#[test]
fn json_is_found_among_words() {
    for (text, json) in [
        (r#"{"age":1}"#, r#"{"age":1}"#),
        (" {\"age\":1}\n", " {\"age\":1}\n"),
        ("```json\n{\"age\":1}\n```", r#"{"age":1}"#),
        ("Sure! Here it is:\n\n{\"age\": 1}\n\nIs there [anything] else?", r#"{"age": 1}"#),
        ("As in {this} and [1]: {\"age\":1}", r#"{"age":1}"#),
        ("Not {\"other\":[1,2]} but {\"age\":1}", r#"{"age":1}"#),
        ("[\"a\"] {\"age\":\"1\"}", r#"{"age":1}"#),
        ("\u{feff}{\"name\":\"}{\"}", r#"{"name":"}{"}"#),
    ] {
        let found = mended(PERSON, text).unwrap();
        assert_eq!(String::from_utf8_lossy(&found.json), json, "{text}");
        assert_eq!(found.violations, [], "{text}");
        let extracted = found.changes.iter().any(|change| change.kind == ChangeKind::Extracted);
        assert_eq!(extracted, text != json, "{text}");
    }
    let largest = mended(r#"{"type":"object","required":["a"]}"#, "[1] [1,2,3] [2]").unwrap();
    assert_eq!(largest.json, b"[1,2,3]");
    assert!(!largest.violations.is_empty());
}

#[test]
fn what_was_cut_is_not_mended() {
    let text = r#"{"name":"a","friends":[{"age":1},{"age":2}],"age":12}"#;
    for end in 1..text.len() {
        assert_eq!(mended(PERSON, &text[..end]), Err(Unmended::Cut), "{}", &text[..end]);
        assert_eq!(mended(PERSON, &format!("Here: {}", &text[..end])), Err(Unmended::Cut));
    }
    for text in ["", "No.", "See {above}", "a [b] c"] {
        assert_eq!(mended(PERSON, text), Err(Unmended::NoJson), "{text}");
    }
}

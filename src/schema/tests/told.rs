use super::*;

#[test]
fn what_differs_is_told_with_its_place() {
    let person = r#"{"type":"object","properties":{"name":{"type":"string","minLength":1},"age":{"type":["integer","null"]},"tags":{"type":"array","items":{"enum":["a","b"]},"uniqueItems":true}},"required":["name","age"],"additionalProperties":false}"#;
    let people = format!(
        r#"{{"type":"object","properties":{{"items":{{"type":"array","items":{person},"minItems":1}}}}}}"#
    );
    for (schema, value, expected) in [
        (people.as_str(), r#"{"items":[]}"#, &["`items`: expected at least 1 item, found 0 items"][..]),
        (
            &people,
            r#"{"items":[{"name":"x","age":1},{"name":7,"age":"x"}]}"#,
            &[
                "`items[1].name`: expected a string, found 7",
                r#"`items[1].age`: expected an integer or null, found "x""#,
            ],
        ),
        (
            person,
            r#"{"name":"","agee":1,"tags":["c","a","b","a"]}"#,
            &[
                "`name`: expected at least 1 character, found 0 characters",
                r#"`tags[0]`: expected one of "a", "b", found "c""#,
                "`tags[3]`: expected items that differ, found the same as [1]",
                "`age`: expected this required member, found nothing",
                "`agee`: expected no such member, found 1",
            ],
        ),
        (person, "[1]", &["expected an object, found [1]"]),
        (r#"{"multipleOf":5}"#, "7", &["expected a multiple of 5, found 7"]),
        (r#"{"exclusiveMinimum":5}"#, "5", &["expected more than 5, found 5"]),
        (r#"{"contains":{"type":"null"}}"#, "[1]", &["expected an item that matches `contains`, found none"]),
        (
            r#"{"const":"x"}"#,
            "\"a string that goes on and on and on and on, and then some\"",
            &["expected \"x\", found \"a string that goes on and on and on and on, and…"],
        ),
        (
            r#"{"oneOf":[{"type":"integer"},{"type":"number"}]}"#,
            "1",
            &["expected what fits only one alternative, found 1"],
        ),
        ("false", "1", &["expected nothing here, found 1"]),
    ] {
        assert_eq!(told(schema, value).unwrap(), expected, "{schema}: {value}");
    }
}

#[test]
fn of_alternatives_the_one_that_was_meant_is_told_of() {
    let optional = r#"{"properties":{"a":{"anyOf":[{"type":"object","properties":{"n":{"type":"integer"}}},{"type":"null"}]}}}"#;
    let shapes = r#"{"oneOf":[
        {"properties":{"kind":{"const":"circle"},"r":{"type":"number"}},"required":["kind","r"]},
        {"properties":{"kind":{"const":"square"},"a":{"type":"number"},"b":{"type":"number"}},"required":["kind","a","b"]}]}"#;
    for (schema, value, expected) in [
        (optional, r#"{"a":{"n":"x"}}"#, &[r#"`a.n`: expected an integer, found "x""#][..]),
        (optional, r#"{"a":5}"#, &["`a`: expected an object or null, found 5"]),
        (
            shapes,
            r#"{"kind":"square","a":"1"}"#,
            &[r#"`a`: expected a number, found "1""#, "`b`: expected this required member, found nothing"],
        ),
        (shapes, r#"{"kind":"circle"}"#, &["`r`: expected this required member, found nothing"]),
        (r#"{"anyOf":[]}"#, "1", &["expected nothing here, found 1"]),
    ] {
        assert_eq!(told(schema, value).unwrap(), expected, "{schema}: {value}");
    }
}

#[test]
fn only_the_first_few_are_told() {
    let value = format!("[{}]", vec!["1"; 100].join(","));
    assert_eq!(told(r#"{"items":{"type":"string"}}"#, &value).unwrap().len(), 8);
}

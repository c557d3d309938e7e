use super::*;

/// A schema, what fits it, what does not.
type Case = (&'static str, &'static [&'static str], &'static [&'static str]);

fn check(cases: &[Case]) {
    for (schema, fit, others) in cases {
        fit.iter().for_each(|value| assert_eq!(told(schema, value), Ok(vec![]), "{schema}: {value}"));
        others.iter().for_each(|value| assert!(!fits(schema, value), "{schema}: {value}"));
    }
}

#[test]
fn types_and_values() {
    check(&[
        (r#"{"type": "null"}"#, &["null"], &["0", "false", r#""""#, "{}"]),
        (r#"{"type": "boolean"}"#, &["true", "false"], &["0", r#""true""#, "null"]),
        (r#"{"type": "number"}"#, &["1", "-0.5", "1e400"], &[r#""1""#, "null"]),
        (
            r#"{"type": "integer"}"#,
            &["1", "1.0", "1e2", "-0", "123456789012345678901234567890"],
            &["1.5", "1e-1", r#""1""#],
        ),
        (r#"{"type": "string"}"#, &[r#""""#, r#""1""#], &["1", "null", "[]"]),
        (r#"{"type": "array"}"#, &["[]", "[1]"], &["{}", "null"]),
        (r#"{"type": "object"}"#, &["{}"], &["[]", "null"]),
        (r#"{"type": ["integer", "null"]}"#, &["1", "null"], &["1.5", r#""""#]),
        (r#"{"type": "string", "nullable": true}"#, &["null", r#""a""#], &["1"]),
        (r#"{"type": "string", "nullable": false}"#, &[r#""a""#], &["null"]),
        (
            r#"{"enum": [1, "a", null, {"a": [1, 2], "b": 3}]}"#,
            &["1.0", r#""\u0061""#, "null", r#"{"b":3e0,"a":[1,2]}"#],
            &["2", r#""A""#, r#"{"a":[2,1],"b":3}"#, r#"{"a":[1,2]}"#],
        ),
        (r#"{"const": false}"#, &["false"], &["0", "null", "[false]"]),
        (
            r#"{"const": 9007199254740993}"#,
            &["9007199254740993", "9007199254740993.0"],
            &["9007199254740992"],
        ),
        (r#"{"const": null}"#, &["null"], &["0", "{}"]),
        ("true", &["1", "null", "{}"], &[]),
        ("{}", &["1", "null", "{}"], &[]),
        ("false", &[], &["1", "null", "{}"]),
        (
            r#"{"title": "T", "description": "d", "default": 1, "examples": [2], "x-unknown": {"type": 5}, "format": "email", "pattern": "^a"}"#,
            &[r#""b""#, "1"],
            &[],
        ),
    ]);
}

#[test]
fn numbers_and_strings() {
    check(&[
        (r#"{"minimum": 1.5}"#, &["1.5", "2", r#""0""#], &["1.4", "-3", "1.49999999999999999999999"]),
        (
            r#"{"maximum": 18446744073709551615}"#,
            &["18446744073709551615"],
            &["18446744073709551616", "1e400"],
        ),
        (r#"{"exclusiveMinimum": 0, "exclusiveMaximum": 1}"#, &["1e-400", "0.5"], &["0", "-0.0", "1", "1.0"]),
        (r#"{"multipleOf": 0.01}"#, &["19.99", "0", "-1.1", r#""x""#], &["0.001", "19.995"]),
        (
            r#"{"minLength": 2, "maxLength": 3.0}"#,
            &[r#""ab""#, r#""äöü""#, r#""\u00e4\ud83d\ude00b""#, r#""💩💩""#, "1"],
            &[r#""a""#, r#""💩""#, r#""abcd""#, r#""\ud83d\ude00""#],
        ),
    ]);
}

#[test]
fn arrays() {
    check(&[
        (r#"{"items": {"type": "integer"}}"#, &["[]", "[1,2]", r#"{"0":"a"}"#], &[r#"[1,"2"]"#]),
        (r#"{"items": false}"#, &["[]"], &["[1]"]),
        (
            r#"{"prefixItems": [{"type": "integer"}, {"type": "string"}]}"#,
            &["[]", "[1]", r#"[1,"a",null]"#],
            &[r#"["a"]"#, "[1,2]"],
        ),
        (r#"{"prefixItems": [true], "items": {"type": "string"}}"#, &["[1]", r#"[1,"a"]"#], &["[1,2]"]),
        (r#"{"items": [{"type": "integer"}]}"#, &[r#"[1,"a"]"#], &[r#"["a"]"#]),
        (r#"{"minItems": 1, "maxItems": 2}"#, &["[1]", "[1,2]", "{}"], &["[]", "[1,2,3]"]),
        (
            r#"{"uniqueItems": true}"#,
            &[
                "[]",
                "[1,2]",
                r#"[1,"1",[1],{"a":1},true]"#,
                "[[1,2],[2,1]]",
                r#"["ab",["ab"]]"#,
                "[0,false,null]",
            ],
            &["[1,1.0]", r#"[{"a":1,"b":2},{"b":2,"a":1}]"#, r#"["a","\u0061"]"#, "[[],1,[]]", "[null,null]"],
        ),
        (r#"{"uniqueItems": false}"#, &["[1,1]"], &[]),
        (r#"{"contains": {"minimum": 5}}"#, &["[1,5]", "{}"], &["[]", "[1,2]"]),
        (
            r#"{"contains": {"const": 1}, "minContains": 2, "maxContains": 3}"#,
            &["[1,1]", "[1,2,1,1]"],
            &["[1]", "[1,1,1,1]"],
        ),
        (r#"{"contains": {"const": 1}, "minContains": 0}"#, &["[]", "[2]"], &[]),
        (r#"{"minContains": 2}"#, &["[]"], &[]),
    ]);
}

#[test]
fn objects() {
    check(&[
        (
            r#"{"properties": {"a": {"type": "integer"}, "b": false}}"#,
            &["{}", r#"{"a":1,"c":"x"}"#, "[]"],
            &[r#"{"a":"1"}"#, r#"{"b":1}"#, r#"{"\u0061":"1"}"#, r#"{"a":"1","a":1}"#],
        ),
        (r#"{"required": ["a", "b"]}"#, &[r#"{"a":null,"b":1}"#, "[]", "1"], &["{}", r#"{"a":1}"#]),
        (
            r#"{"properties": {"a": true}, "additionalProperties": false}"#,
            &["{}", r#"{"a":1}"#],
            &[r#"{"b":1}"#, r#"{"a":1,"A":1}"#],
        ),
        (
            r#"{"properties": {"a": true}, "additionalProperties": {"type": "string"}}"#,
            &[r#"{"a":1,"b":"x"}"#],
            &[r#"{"b":1}"#],
        ),
        (r#"{"additionalProperties": false}"#, &["{}"], &[r#"{"a":1}"#]),
        (r#"{"patternProperties": {"^b": true}, "additionalProperties": false}"#, &[r#"{"b":1}"#], &[]),
        (r#"{"propertyNames": {"maxLength": 2}}"#, &["{}", r#"{"ab":1}"#], &[r#"{"abc":1}"#]),
        (
            r#"{"minProperties": 1, "maxProperties": 2}"#,
            &[r#"{"a":1}"#, r#"{"a":1,"b":2}"#],
            &["{}", r#"{"a":1,"b":2,"c":3}"#],
        ),
        (
            r#"{"dependentRequired": {"a": ["b"]}}"#,
            &["{}", r#"{"b":1}"#, r#"{"a":1,"b":2}"#],
            &[r#"{"a":1}"#],
        ),
        (r#"{"dependentSchemas": {"a": {"required": ["b"]}}}"#, &["{}", r#"{"a":1,"b":2}"#], &[r#"{"a":1}"#]),
    ]);
}

#[test]
fn schemas_together() {
    check(&[
        (r#"{"allOf": [{"minimum": 2}, {"maximum": 4}]}"#, &["3"], &["1", "5"]),
        (
            r#"{"anyOf": [{"type": "string"}, {"minimum": 5, "type": "number"}]}"#,
            &[r#""a""#, "5"],
            &["4", "null"],
        ),
        (r#"{"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}]}"#, &["2", "9"], &["6", "5"]),
        (r#"{"not": {"type": "null"}}"#, &["1"], &["null"]),
        (
            r#"{"if": {"type": "integer"}, "then": {"minimum": 0}, "else": {"type": "string"}}"#,
            &["1", r#""a""#],
            &["-1", "1.5"],
        ),
        (r#"{"if": {"type": "integer"}, "then": {"minimum": 0}}"#, &["1", r#""a""#], &["-1"]),
        (r#"{"then": false, "else": false}"#, &["1"], &[]),
    ]);
}

#[test]
fn references() {
    check(&[
        (
            r##"{"properties": {"next": {"$ref": "#"}}, "additionalProperties": false}"##,
            &[r#"{"next":{"next":{}}}"#],
            &[r#"{"next":{"last":{}}}"#],
        ),
        (r##"{"$ref": "#/$defs/A", "$defs": {"A": {"type": "string"}}}"##, &[r#""a""#], &["1"]),
        (
            r##"{"$ref": "#/$defs/A", "maxLength": 1, "$defs": {"A": {"type": "string"}}}"##,
            &[r#""a""#],
            &["1", r#""ab""#],
        ),
        (
            r##"{"$ref": "#/definitions/a~1b~0c%25", "definitions": {"a/b~c%": {"type": "string"}}}"##,
            &[r#""a""#],
            &["1"],
        ),
        (r##"{"$ref": "#/anyOf/1", "anyOf": [true, {"type": "string"}]}"##, &[r#""a""#], &["1"]),
        (
            r##"{"$defs": {"E": {"oneOf": [{"type": "number"}, {"type": "array", "items": {"$ref": "#/$defs/E"}}]}}, "$ref": "#/$defs/E"}"##,
            &["1", "[[],[1,[2]]]"],
            &["[[],[1,[null]]]"],
        ),
    ]);
}

#[test]
fn what_is_not_looked_at_is_listed() {
    for (schema, expected) in [
        ("true", &[][..]),
        (r#"{"type": "string", "title": "pattern"}"#, &[]),
        (r#"{"properties": {"pattern": {"type": "string"}, "format": true}, "enum": [{"format": 1}]}"#, &[]),
        (r#"{"properties": {"a": {"format": "date", "pattern": "^a"}}}"#, &["format", "pattern"]),
        (
            r#"{"anyOf": [{"items": {"pattern": "a"}}, {"$ref": "x", "unevaluatedProperties": false}]}"#,
            &["pattern", "unevaluatedProperties"],
        ),
        (r#"{"$defs": {"A": {"patternProperties": {"a": true}}}}"#, &["patternProperties"]),
    ] {
        let document = Document::parse(schema.as_bytes(), Surrogates::Paired).unwrap();
        assert_eq!(Schema::new(document.root()).unchecked(), expected, "{schema}");
    }
}

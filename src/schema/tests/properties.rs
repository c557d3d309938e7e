use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, json};

fn value() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        (-3..20_i64).prop_map(Tree::from),
        Just(json!(1.5)),
        Just(json!(2.0)),
        proptest::sample::select(vec![
            "",
            "a",
            "A ",
            "1",
            "1.5",
            "true",
            "null",
            "[1]",
            "{\"a\":\"1\"}",
            "ä\n"
        ])
        .prop_map(Tree::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Tree::from), object(vec(("[abc]", inner), 0..4))]
    })
}

fn object(members: impl Strategy<Value = Vec<(String, Tree)>>) -> impl Strategy<Value = Tree> {
    members.prop_map(|members| Tree::Object(Map::from_iter(members)))
}

fn schema() -> impl Strategy<Value = Tree> {
    let kind = || {
        proptest::sample::select(vec!["null", "boolean", "integer", "number", "string", "array", "object"])
    };
    let word = |key: &'static str, rule: BoxedStrategy<Tree>| {
        rule.prop_map(move |rule| (key.to_owned(), rule)).boxed()
    };
    let count = || (0..3_u64).prop_map(Tree::from).boxed();
    let leaf = proptest::sample::select(vec![
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
    ]);
    let leaf = prop_oneof![
        4 => word("type", kind().prop_map(Tree::from).boxed()),
        1 => word("type", vec(kind(), 1..3).prop_map(|kinds| json!(kinds)).boxed()),
        2 => (leaf, count()).prop_map(|(key, rule)| (key.to_owned(), rule)),
        1 => word("enum", vec(value(), 1..4).prop_map(Tree::from).boxed()),
        1 => word("const", value().boxed()),
        1 => word("uniqueItems", any::<bool>().prop_map(Tree::from).boxed()),
        1 => word("required", vec("[abc]", 0..3).prop_map(|names| json!(names)).boxed()),
        1 => Just(("$ref".to_owned(), json!("#"))),
        1 => Just(("additionalProperties".to_owned(), json!(false))),
    ];
    let whole = |rules: BoxedStrategy<Vec<(String, Tree)>>| object(rules).boxed();
    let leaf = whole(vec(leaf.boxed(), 0..3).boxed());
    leaf.prop_recursive(3, 24, 4, move |inner| {
        let one = (
            proptest::sample::select(vec![
                "items",
                "contains",
                "additionalProperties",
                "not",
                "if",
                "then",
                "else",
                "propertyNames",
            ]),
            inner.clone(),
        );
        let some = (
            proptest::sample::select(vec!["allOf", "anyOf", "oneOf", "prefixItems"]),
            vec(inner.clone(), 1..3),
        );
        let map = vec(("[abc]", inner.clone()), 1..4);
        let rules = prop_oneof![
            one.prop_map(|(key, rule)| (key.to_owned(), rule)),
            some.prop_map(|(key, rules)| (key.to_owned(), Tree::from(rules))),
            object(map).prop_map(|rule| ("properties".to_owned(), rule)),
        ];
        let own = inner.prop_map(|own| own.as_object().cloned().unwrap_or_default());
        (own, vec(rules, 1..3)).prop_map(|(own, rules)| Tree::Object(own.into_iter().chain(rules).collect()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn what_is_mended_fits_and_what_fits_is_not_mended(schema in schema(), value in value(), prose: bool) {
        let (schema, json) = (schema.to_string(), value.to_string());
        let is_container = json.starts_with(['[', '{']);
        let text = if prose && is_container { format!("So: {json}!") } else { json.clone() };
        match (told(&schema, &json), mended(&schema, &text)) {
            (Ok(told), Ok(mended)) => {
                let made = String::from_utf8(mended.json).unwrap();
                prop_assert_eq!(mended.violations.is_empty(), fits(&schema, &made));
                let extracted = usize::from(text != json);
                if told.is_empty() || !mended.violations.is_empty() {
                    prop_assert_eq!(&made, &json);
                    prop_assert_eq!(mended.changes.len(), extracted);
                } else {
                    prop_assert!(made != json && mended.changes.len() > extracted);
                }
            }
            (Err(told), Err(mended)) => prop_assert_eq!(Unmended::Undecided(told), mended),
            (told, mended) => prop_assert!(false, "{:?} but {:?}", told, mended),
        }
    }

    #[test]
    fn nothing_panics_whatever_is_the_schema(schema in value(), other in schema(), value in value(), text in ".{0,40}") {
        for schema in [schema.to_string(), json!({"properties": schema, "type": other, "items": schema, "anyOf": other, "$ref": schema}).to_string()] {
            let _ = told(&schema, &value.to_string());
            let _ = mended(&schema, &value.to_string());
            let _ = mended(&schema, &text);
        }
    }
}

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
use super::*;
use proptest::prelude::*;
use serde_json::Value as Tree;

/// Rebuilds a tree through every accessor, to compare with an independent parser.
fn tree(value: Value<'_>) -> Tree {
    match value.kind() {
        Kind::Null => Tree::Null,
        Kind::Bool => Tree::Bool(value.bool().unwrap()),
        Kind::Number => serde_json::from_slice(value.raw()).unwrap(),
        Kind::String => Tree::String(value.text().unwrap().decode().into_owned()),
        Kind::Array => value.items().map(tree).collect(),
        Kind::Object => Tree::Object(
            value.entries().map(|(k, v)| (k.text().unwrap().decode().into_owned(), tree(v))).collect(),
        ),
    }
}

fn parse(text: &[u8]) -> Result<Tree, Error> {
    Document::parse(text, Surrogates::Paired).map(|document| tree(document.root()))
}

#[test]
fn every_departure_from_the_grammar_is_found_where_it_is() {
    use Fault::*;
    for (text, at, path, fault) in [
        ("", 0, "", UnexpectedEnd),
        ("  ", 2, "", UnexpectedEnd),
        ("{", 1, "", UnexpectedEnd),
        ("{\"a\"}", 4, "a", Expected("':'")),
        ("{\"a\":}", 5, "a", Expected("a value")),
        ("{\"a\":1,}", 7, "a", Expected("a key in double quotes")),
        ("{a:1}", 1, "", Expected("a key in double quotes")),
        ("[1,]", 3, "[1]", Expected("a value")),
        ("[,1]", 1, "[0]", Expected("a value")),
        ("[1 2]", 3, "[1]", Expected("',' or ']'")),
        ("{\"a\":1 \"b\":2}", 7, "a", Expected("',' or '}'")),
        ("1 1", 2, "", Expected("the end of the text")),
        ("NaN", 0, "", Expected("a value")),
        ("nul", 0, "", Expected("a value")),
        ("-", 1, "", BadNumber),
        ("1.", 2, "", BadNumber),
        ("1e", 2, "", BadNumber),
        ("01", 1, "", Expected("the end of the text")),
        ("\"a", 2, "", UnexpectedEnd),
        ("\"\\x\"", 1, "", BadEscape),
        ("\"\\u12g4\"", 1, "", BadEscape),
        ("\"\\ud800\"", 1, "", LoneSurrogate),
        ("\"\\udc00\"", 1, "", LoneSurrogate),
        ("\"a\nb\"", 2, "", ControlCharacter),
        ("{\"m\":[{\"x\":1},{\"content\":\"\\ud83d!\"}]}", 26, "m[1].content", LoneSurrogate),
    ] {
        let error = Document::parse(text.as_bytes(), Surrogates::Paired).expect_err(text);
        assert_eq!((error.at, error.path.as_str(), error.fault), (at, path, fault), "{text}");
    }
    let error = Document::parse(b"[\"ab\xff\"]", Surrogates::Paired).unwrap_err();
    assert_eq!((error.at, error.fault), (4, NotUtf8));
}

#[test]
fn a_value_ends_where_it_ends_whatever_comes_after_it() {
    for (text, end) in [
        ("{\"a\":[1]} and so on", Ok(9)),
        (" [1] ", Ok(4)),
        ("\"a\"b", Ok(3)),
        ("{\"a\":[1", Err(Fault::UnexpectedEnd)),
        ("{\"a", Err(Fault::UnexpectedEnd)),
        ("{a}", Err(Fault::Expected("a key in double quotes"))),
        ("", Err(Fault::UnexpectedEnd)),
    ] {
        let found = Document::first(text.as_bytes(), Surrogates::Paired);
        assert_eq!(found.map_err(|error| error.fault), end, "{text}");
    }
}

#[test]
fn nesting_is_limited_without_touching_the_call_stack() {
    let deep = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(Document::parse(&deep(MAX_DEPTH), Surrogates::Paired).is_ok());
    let error = Document::parse(&deep(100_000), Surrogates::Paired).unwrap_err();
    assert_eq!(error.fault, Fault::TooDeep);
}

#[test]
fn a_lone_surrogate_of_a_provider_is_passed_on_and_decodes_to_a_replacement() {
    let document = Document::parse(br#""\ud83d\n""#, Surrogates::Lone).unwrap();
    assert_eq!(document.root().text().unwrap().decode(), "\u{FFFD}\n");
    assert_eq!(document.root().raw(), br#""\ud83d\n""#);
}

#[test]
fn members_are_found_by_meaning_and_null_is_absent() {
    let text = br#"{"\u0061":1,"b":null,"c":{"d":[1,{"e":true}]},"c2":"x","n":2.0,"big":1e400}"#;
    let document = Document::parse(text, Surrogates::Paired).unwrap();
    let root = document.root();
    assert_eq!(root.get("a").and_then(Value::u64), Some(1));
    assert!(root.get("b").is_none());
    assert_eq!(root.get("c").unwrap().raw(), br#"{"d":[1,{"e":true}]}"#);
    let inner = root.get("c").unwrap().get("d").unwrap().items().last().unwrap();
    assert_eq!(inner.get("e").and_then(Value::bool), Some(true));
    assert_eq!(root.get("n").and_then(Value::i64), Some(2));
    assert_eq!(root.get("big").and_then(Value::f64), None);
    assert_eq!(root.duplicate(), None);
    let twice = Document::parse(br#"{"model":1,"x":2,"mod\u0065l":3}"#, Surrogates::Paired).unwrap();
    assert_eq!(twice.root().duplicate().unwrap().decode(), "model");
    assert_eq!(twice.root().get("model").and_then(Value::u64), Some(3));
}

#[test]
fn a_name_that_stands_twice_is_found_among_few_and_among_many() {
    for count in [1, 15, 16, 17, 100_000] {
        let members: Vec<String> = (0..count).map(|n| format!("\"k{n}\":{n}")).collect();
        let duplicate = |members: &[String]| {
            let text = format!("{{{}}}", members.join(","));
            let document = Document::parse(text.as_bytes(), Surrogates::Paired).unwrap();
            document.root().duplicate().map(|key| key.decode().into_owned())
        };
        assert_eq!(duplicate(&members), None, "{count} members");
        let again = [members.as_slice(), &["\"\\u006b0\":0".to_string()]].concat();
        assert_eq!(duplicate(&again).as_deref(), Some("k0"), "{count} members and one again");
    }
}

#[test]
fn blank_is_what_is_nothing_but_white_space() {
    for (text, blank) in [
        (r#""""#, true),
        (r#"" \n\u00a0\u0020""#, true),
        ("\"\u{2003}\"", true),
        (r#""\\""#, false),
        (r#""a""#, false),
        (r#""\n.""#, false),
        ("\"\u{e9}\"", false),
    ] {
        let document = Document::parse(text.as_bytes(), Surrogates::Paired).unwrap();
        assert_eq!(document.root().text().unwrap().is_blank(), blank, "{text}");
    }
}

#[test]
fn a_text_is_split_with_its_escapes_left_alone() {
    let document = Document::parse(br#""data:image\/png;base64,\/9j,4=""#, Surrogates::Paired).unwrap();
    let text = document.root().text().unwrap();
    let (head, rest) = text.split_once(b',').unwrap();
    assert_eq!((head.decode().as_ref(), rest.as_bytes()), ("data:image/png;base64", &br"\/9j,4="[..]));
    assert!(rest.split_once(b';').is_none());
}

#[test]
fn edits_leave_every_other_byte() {
    let text = br#"{ "model" : "a", "n":[ 1, 2 ] }"#;
    let document = Document::parse(text, Surrogates::Paired).unwrap();
    let root = document.root();
    let edits = vec![
        Edit::replace(root.get("n").unwrap(), "3"),
        Edit::insert(root, "stream", b"true"),
        Edit::replace(root.get("model").unwrap(), "\"bb\""),
    ];
    assert_eq!(splice(text, edits), br#"{"stream":true, "model" : "bb", "n":3 }"#);
    let empty = Document::parse(b"{}", Surrogates::Paired).unwrap();
    assert_eq!(splice(b"{}", vec![Edit::insert(empty.root(), "a", b"1")]), b"{\"a\":1}");
    let set = vec![Edit::set(root, "n", b"null"), Edit::set(root, "stop", b"[]")];
    assert_eq!(splice(text, set), br#"{"stop":[], "model" : "a", "n":null }"#);
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Tree::from),
        any::<String>().prop_map(Tree::from),
        "[ -~]{0,80}".prop_map(Tree::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Tree::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_text_means_what_an_independent_parser_reads(tree in trees(), pretty: bool) {
        let text = if pretty { serde_json::to_vec_pretty(&tree) } else { serde_json::to_vec(&tree) }.unwrap();
        prop_assert_eq!(parse(&text).unwrap(), serde_json::from_slice::<Tree>(&text).unwrap());
    }

    #[test]
    fn a_damaged_text_is_accepted_exactly_when_an_independent_parser_accepts_it(
        tree in trees(), at: prop::sample::Index, byte: u8, cut: bool,
    ) {
        let mut text = serde_json::to_vec(&tree).unwrap();
        let at = at.index(text.len());
        if cut { text.truncate(at) } else { text[at] = byte }
        let theirs = serde_json::from_slice::<Tree>(&text);
        // The independent parser refuses numbers beyond f64, which are valid JSON.
        if !theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range")) {
            prop_assert_eq!(parse(&text).is_ok(), theirs.is_ok(), "{}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn an_object_without_some_members_is_the_rest_as_it_stood(
        members in prop::collection::btree_map("[a-z\"]{1,3}", (trees(), any::<bool>()), 0..8), pretty: bool,
    ) {
        let all: Tree = Tree::Object(members.iter().map(|(key, (tree, _))| (key.clone(), tree.clone())).collect());
        let text = if pretty { serde_json::to_vec_pretty(&all) } else { serde_json::to_vec(&all) }.unwrap();
        let document = Document::parse(&text, Surrogates::Paired).unwrap();
        let goes = |key: &str| members.get(key).is_some_and(|(_, goes)| *goes);
        let rest = splice(&text, removals(document.root(), |key| goes(&key.decode())));
        let mut expected: serde_json::Map<String, Tree> = serde_json::from_slice(&text).unwrap();
        expected.retain(|key, _| !goes(key));
        prop_assert_eq!(parse(&rest).unwrap(), Tree::Object(expected), "{}", String::from_utf8_lossy(&rest));
    }

    #[test]
    fn an_array_without_some_items_is_the_rest_as_it_stood(
        items in prop::collection::vec((trees(), any::<bool>()), 0..8), pretty: bool,
    ) {
        let all: Tree = items.iter().map(|(tree, _)| tree.clone()).collect();
        let text = if pretty { serde_json::to_vec_pretty(&all) } else { serde_json::to_vec(&all) }.unwrap();
        let document = Document::parse(&text, Surrogates::Paired).unwrap();
        let edits = omissions(document.root(), |place| items[place].1);
        // Neighbours go in one.
        prop_assert!(edits.len() <= items.len().div_ceil(2));
        let rest = splice(&text, edits);
        let mut expected: Vec<Tree> = serde_json::from_slice(&text).unwrap();
        let mut goes = items.iter().map(|(_, goes)| *goes);
        expected.retain(|_| !goes.next().unwrap());
        prop_assert_eq!(parse(&rest).unwrap(), Tree::Array(expected), "{}", String::from_utf8_lossy(&rest));
    }

    #[test]
    fn any_string_survives_writing_and_reading(plain: String, fragment: String) {
        let mut out = Vec::new();
        object(&mut out, |o| {
            o.string("plain", &plain);
            let mut text = Text::of(&plain).into_owned();
            text.push(&Text::of(&fragment));
            o.text("joined", &text);
        });
        let document = Document::parse(&out, Surrogates::Paired).unwrap();
        let read = |key: &str| document.root().get(key).unwrap().text().unwrap().decode().into_owned();
        prop_assert_eq!(read("plain"), plain.as_str());
        prop_assert_eq!(read("joined"), plain.clone() + &fragment);
    }
}

#[test]
fn the_pieces_of_a_string_are_runs_and_escapes() {
    use Piece::{Escaped, Plain};
    for (inside, expected) in [
        (r"", vec![]),
        (r"plain é", vec![Plain("plain é".as_bytes())]),
        (r"a\nb\\", vec![Plain(b"a"), Escaped('\n'), Plain(b"b"), Escaped('\\')]),
        (r"\u00e9\ud83d\ude00\/", vec![Escaped('é'), Escaped('😀'), Escaped('/')]),
        (r"\ud83dx", vec![Escaped('\u{FFFD}'), Plain(b"x")]),
        // Cut in the middle of an escape.
        (r"a\", vec![Plain(b"a"), Escaped('\u{FFFD}')]),
        (r"a\u00", vec![Plain(b"a"), Escaped('\u{FFFD}')]),
        (r"0e9", vec![Plain(b"0e9")]),
    ] {
        assert_eq!(pieces(inside.as_bytes()).collect::<Vec<_>>(), expected, "{inside}");
    }
}

proptest! {
    #[test]
    fn a_string_cut_anywhere_has_pieces(plain in ".*", cut in any::<[proptest::sample::Index; 2]>()) {
        let text = Text::of(&plain);
        let [from, to] = cut.map(|index| index.index(text.as_bytes().len() + 1));
        let inside = &text.as_bytes()[from.min(to)..from.max(to)];
        let bytes = |piece| match piece {
            Piece::Plain(plain) => plain.len(),
            Piece::Escaped(_) => 1,
        };
        prop_assert!(pieces(inside).map(bytes).sum::<usize>() <= inside.len());
    }
}

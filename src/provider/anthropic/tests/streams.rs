//! Streams that are not as the reference says.

use super::{client, framed, streamed, text};
use serde_json::{Value as Tree, json};

/// One stream from events that break the rules; what the client has in the end.
fn odd(events: &[Tree]) -> client::Seen {
    client::read(&streamed([framed(events).as_slice()]))
}

fn start() -> Tree {
    json!({"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}})
}

fn block(index: u64, block: Tree) -> Tree {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: Tree) -> Tree {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn partial(index: u64, json: &str) -> Tree {
    delta(index, json!({"type": "input_json_delta", "partial_json": json}))
}

fn ends(reason: &str) -> [Tree; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ]
}

#[test]
fn streams_that_break_the_rules_are_read_all_the_same() {
    let tool = |input: Tree| json!({"type": "tool_use", "id": "t1", "name": "f", "input": input});
    let stop = |index: u64| json!({"type": "content_block_stop", "index": index});
    let said = |text: &str| delta(0, json!({"type": "text_delta", "text": text}));
    let arguments = |seen: &client::Seen| {
        seen.message["tool_calls"][0]["function"]["arguments"].as_str().unwrap().to_string()
    };
    let cases: Vec<(&str, Vec<Tree>, &str, Option<&str>)> = vec![
        (
            "no block ends",
            vec![start(), block(0, text("")), said("a"), block(1, tool(json!({}))), partial(1, "{}")],
            "a",
            Some("{}"),
        ),
        ("no block begins", vec![start(), said("a")], "a", None),
        ("text in the start", vec![start(), block(0, text("a")), said("b"), stop(0)], "ab", None),
        (
            "input in the start",
            vec![start(), block(0, tool(json!({"a": 1}))), stop(0)],
            "",
            Some(r#"{"a":1}"#),
        ),
        (
            "input in the start, no end",
            vec![start(), block(0, tool(json!({"a": 1})))],
            "",
            Some(r#"{"a":1}"#),
        ),
        (
            "input in the start and streamed",
            vec![start(), block(0, tool(json!({"a": 1}))), partial(0, ""), partial(0, r#"{"b":2}"#), stop(0)],
            "",
            Some(r#"{"b":2}"#),
        ),
        (
            "input as a string",
            vec![start(), block(0, tool(json!("{\"a\":1}"))), stop(0)],
            "",
            Some(r#"{"a":1}"#),
        ),
        (
            "interleaved",
            vec![
                start(),
                block(0, text("")),
                block(1, tool(json!({}))),
                partial(1, "{\"x\""),
                said("a"),
                partial(1, ":1}"),
            ],
            "a",
            Some(r#"{"x":1}"#),
        ),
        (
            "an index used again",
            vec![start(), block(0, text("")), said("a"), block(0, tool(json!({}))), partial(0, "{}")],
            "a",
            Some("{}"),
        ),
        ("fragments of nothing", vec![start(), partial(7, "{\"x\":1}"), block(0, text("a"))], "a", None),
        ("two starts", vec![start(), start(), block(0, text("a")), start(), said("b")], "ab", None),
        (
            "pings anywhere",
            vec![
                json!({"type": "ping"}),
                start(),
                json!({"type": "ping"}),
                said("a"),
                json!({"type": "news"}),
                said("b"),
            ],
            "ab",
            None,
        ),
        ("no start", vec![block(0, text("a"))], "a", None),
        (
            "content in the first event",
            vec![
                json!({"type": "message_start", "message": {"id": "msg_1", "content": [tool(json!({"a": 1}))]}}),
            ],
            "",
            Some(r#"{"a":1}"#),
        ),
        (
            "citations",
            vec![
                start(),
                block(0, text("")),
                said("a"),
                delta(0, json!({"type": "citations_delta", "citation": {"url": "u"}})),
            ],
            "a",
            None,
        ),
    ];
    for (what, mut events, content, call) in cases {
        events.extend(ends(if call.is_some() { "tool_use" } else { "end_turn" }));
        let seen = odd(&events);
        assert!(seen.done && seen.error.is_none(), "{what}: {:?}", seen.error);
        assert_eq!(seen.message["content"].as_str().unwrap_or(""), content, "{what}");
        assert_eq!(call.map(str::to_string), call.map(|_| arguments(&seen)), "{what}");
        assert_eq!(seen.message.get("tool_calls").is_some(), call.is_some(), "{what}");
    }
    // A stream that says nothing of its end but that it is over.
    let seen = odd(&[start(), said("a"), json!({"type": "message_stop"})]);
    assert_eq!((seen.done, seen.finish.as_deref()), (true, Some("stop")));
    // Nothing at all was said: an empty message, not a failure.
    let [delta, stop] = ends("end_turn");
    let seen = odd(&[start(), delta, stop]);
    assert_eq!(
        (seen.done, seen.finish.as_deref(), seen.usage.unwrap()["completion_tokens"].as_u64()),
        (true, Some("stop"), Some(9))
    );
}

#[test]
fn citations_of_pages_are_annotations_whole_and_streamed() {
    let cite = |url: &str| json!({"type": "web_search_result_location", "url": url, "title": "T", "cited_text": "c", "encrypted_index": "e"});
    let page = json!({"type": "char_location", "document_index": 0, "cited_text": "c", "start_char_index": 0, "end_char_index": 1});
    let citation = |citation: &Tree| json!({"type": "citations_delta", "citation": citation});
    let said = |text: &str| json!({"type": "text_delta", "text": text});
    let stop = |index: u64| json!({"type": "content_block_stop", "index": index});
    let empty = || json!({"type": "text", "text": "", "citations": []});
    let search = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}});
    let found = json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []});
    let blocks = [
        search.clone(),
        found.clone(),
        json!({"type": "text", "text": "Sö "}),
        json!({"type": "text", "text": "is 😀", "citations": [cite("https://a.example"), page]}),
        json!({"type": "text", "text": ".", "citations": [cite("https://b.example")]}),
    ];
    let mut events = vec![start(), block(0, search), stop(0), block(1, found), stop(1)];
    events.extend([block(2, text("")), delta(2, said("Sö ")), stop(2), block(3, empty())]);
    events.extend([
        delta(3, citation(&cite("https://a.example"))),
        delta(3, said("is ")),
        delta(3, citation(&page)),
    ]);
    events.extend([delta(3, said("😀")), stop(3), block(4, empty())]);
    events.extend([delta(4, said(".")), delta(4, citation(&cite("https://b.example"))), stop(4)]);
    events.extend(ends("end_turn"));
    let whole = json!({"id": "msg_1", "model": "m", "content": blocks, "stop_reason": "end_turn"});
    let whole = super::answered(whole.to_string().as_bytes()).unwrap();
    let cited = |index: u64, start: u64, end: u64, url: &str| json!({"index": index, "type": "url_citation", "url_citation": {"start_index": start, "end_index": end, "title": "T", "url": url}});
    let expected = json!([cited(0, 3, 7, "https://a.example"), cited(1, 7, 8, "https://b.example")]);
    for seen in [client::whole(&whole), odd(&events)] {
        assert_eq!(seen.message["content"], "Sö is 😀.");
        assert_eq!(seen.message["annotations"], expected);
        assert_eq!(seen.message.get("tool_calls"), None);
    }
}

use super::*;

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        r#"{{"id":"a","model":"m","created":5,"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
    )
}

/// Streams deltas, a finish and the end mark.
fn joined(deltas: &[&str], finish: &str) -> Vec<Value> {
    let mut events: Vec<String> = deltas.iter().map(|delta| chunk(delta, "null")).collect();
    events.push(chunk("{}", finish));
    events.push("[DONE]".to_string());
    streamed(&events.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Id, name and arguments of a call.
type Call = (String, String, String);

/// The tool calls as a client joins them.
fn calls(chunks: &[Value]) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for delta in deltas(chunks, 0) {
        for fragment in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = usize::try_from(fragment["index"].as_u64().unwrap()).unwrap();
            assert!(index <= calls.len(), "a gap before {index}");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
            if index == calls.len() {
                calls.push((text(&fragment["id"]), text(&fragment["function"]["name"]), String::new()));
            }
            calls[index].2.push_str(&text(&fragment["function"]["arguments"]));
        }
    }
    calls
}

#[test]
fn calls_are_put_together_from_any_fragments() {
    let one = |id: &str, name: &str, arguments: &str| {
        vec![(id.to_string(), name.to_string(), arguments.to_string())]
    };
    let two = |a: &[Call], b: &[Call]| [a, b].concat();
    let cases: Vec<(&str, &[&str], Vec<Call>)> = vec![
        (
            "as OpenAI does",
            &[
                r#"{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#,
            ],
            one("x", "f", r#"{"a":1}"#),
        ),
        (
            "id, name and a null type again, name empty",
            &[
                r#"{"role":"assistant","tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{\"a\""}}]}"#,
                r#"{"role":"assistant","tool_calls":[{"index":0,"id":"x","type":null,"function":{"name":"f","arguments":":"}}]}"#,
                r#"{"role":"assistant","tool_calls":[{"index":0,"id":"","type":null,"function":{"name":"","arguments":"1"}}]}"#,
                r#"{"role":"assistant","tool_calls":[{"index":0,"id":null,"function":{"name":null,"arguments":"}"}}]}"#,
            ],
            one("x", "f", r#"{"a":1}"#),
        ),
        (
            "no index",
            &[
                r#"{"tool_calls":[{"id":"x","function":{"name":"f","arguments":"{"}},{"id":"y","function":{"name":"f","arguments":"["}}]}"#,
                r#"{"tool_calls":[{"id":"x","function":{"arguments":"}"}},{"id":"y","function":{"arguments":"]"}}]}"#,
            ],
            two(&one("x", "f", "{}"), &one("y", "f", "[]")),
        ),
        (
            "no index, no id after the first",
            &[
                r#"{"tool_calls":[{"id":"x","function":{"name":"f","arguments":"{"}}]}"#,
                r#"{"tool_calls":[{"function":{"arguments":"}"}}]}"#,
                r#"{"tool_calls":[{"id":"y","function":{"name":"f","arguments":"{"}}]}"#,
                r#"{"tool_calls":[{"function":{"name":"","arguments":"}"}}]}"#,
            ],
            two(&one("x", "f", "{}"), &one("y", "f", "{}")),
        ),
        (
            "whole calls, index 0 for all",
            &[
                r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"y","function":{"name":"f","arguments":"{\"a\":1}"}}]}"#,
            ],
            two(&one("x", "f", "{}"), &one("y", "f", r#"{"a":1}"#)),
        ),
        (
            "an index that begins at 1",
            &[
                r#"{"tool_calls":[{"index":1,"id":"x","function":{"name":"f","arguments":""}}]}"#,
                r#"{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}"#,
                r#"{"tool_calls":[{"index":3,"id":"y","function":{"name":"g"}}]}"#,
            ],
            two(&one("x", "f", "{}"), &one("y", "g", "{}")),
        ),
        (
            "{} before the real arguments",
            &[
                r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}"#,
            ],
            one("x", "f", r#"{"a":1}"#),
        ),
        (
            "the whole call again at the end",
            &[
                r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a\":\"}\"}"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a\":\"}\"}"}}]}"#,
            ],
            one("x", "f", r#"{"a":"}"}"#),
        ),
        (
            "arguments as an object",
            &[r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":{"a":"b"}}}]}"#],
            one("x", "f", r#"{"a":"b"}"#),
        ),
        (
            "arguments before the name",
            &[
                r#"{"tool_calls":[{"index":0,"id":"x","function":{"arguments":"{"}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"}"}}]}"#,
            ],
            one("x", "f", "{}"),
        ),
        (
            "an index only after the first fragment",
            &[
                r#"{"tool_calls":[{"id":"x","function":{"name":"f","arguments":"{"}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#,
            ],
            one("x", "f", "{}"),
        ),
    ];
    for (case, fragments, expected) in cases {
        let chunks = joined(fragments, r#""tool_calls""#);
        assert_eq!(calls(&chunks), expected, "{case}");
        assert_eq!(finish(&chunks, 0), "tool_calls", "{case}");
    }
}

#[test]
fn calls_without_ids_get_some_that_differ() {
    let chunks = joined(
        &[
            r#"{"tool_calls":[{"index":0,"id":"","function":{"name":"f","arguments":"{}"}},{"index":0,"function":{"name":"f","arguments":"{}"}}]}"#,
        ],
        r#""stop""#,
    );
    let calls = calls(&chunks);
    assert!(calls.len() == 2 && calls[0].0 != calls[1].0 && !calls[0].0.is_empty(), "{calls:?}");
    assert_eq!(finish(&chunks, 0), "tool_calls");
}

#[test]
fn text_and_reasoning_are_told_apart_in_any_form() {
    let chunks = joined(
        &[
            r#"{"role":"assistant","content":"","reasoning":null,"reasoning_details":[]}"#,
            r#"{"role":"assistant","content":"","reasoning":"r1","reasoning_details":[{"type":"reasoning.text","text":"r1"}]}"#,
            r#"{"reasoning_content":"r2","content":null}"#,
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"r3"}]}]}"#,
            r#"{"content":[{"type":"text","text":"a"}],"index":0}"#,
            r#"{"content":"b","channel":"final","logprobs":[1]}"#,
            r#"{"content":" \u00e9\ud83d\ude00"}"#,
        ],
        r#""eos""#,
    );
    let expected = [
        json!({"reasoning_content": "r1"}),
        json!({"reasoning_content": "r2"}),
        json!({"reasoning_content": "r3"}),
        json!({"content": "a"}),
        json!({"content": "b"}),
        json!({"content": " é😀"}),
    ];
    assert_eq!(deltas(&chunks, 0), expected);
    assert_eq!(finish(&chunks, 0), "stop");
    assert_eq!(chunks.last().unwrap(), "[DONE]");
    let roles = chunks.iter().filter(|chunk| !chunk["choices"][0]["delta"]["role"].is_null());
    assert_eq!(roles.count(), 1);
}

#[test]
fn choices_interleave_and_end_on_their_own() {
    let piece = |index: u32, delta: &str, finish: &str| {
        format!(r#"{{"id":"a","choices":[{{"index":{index},"delta":{delta},"finish_reason":{finish}}}]}}"#)
    };
    let events = [
        piece(1, r#"{"content":"b"}"#, "null"),
        piece(0, r#"{"content":"a"}"#, "null"),
        piece(1, "{}", r#""length""#),
        piece(0, r#"{"content":"a"}"#, r#""stop""#),
        "[DONE]".to_string(),
    ];
    let chunks = streamed(&events.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(deltas(&chunks, 0), [json!({"content": "a"}), json!({"content": "a"})]);
    assert_eq!((finish(&chunks, 0), finish(&chunks, 1)), (json!("stop"), json!("length")));
}

#[test]
fn usage_is_found_wherever_it_is_and_the_last_holds() {
    for usage in [
        r#"{"id":"a","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}}"#,
        r#"{"id":"a","choices":[{"index":0,"delta":{"content":""}}],"usage":{"prompt_tokens":5,"completion_tokens":3}}"#,
        r#"{"id":"a","choices":[{"index":0,"delta":{},"usage":{"prompt_tokens":5,"completion_tokens":3}}]}"#,
        r#"{"id":"a","choices":[{"index":0,"delta":{}}],"x_groq":{"usage":{"prompt_tokens":5,"completion_tokens":3}}}"#,
        r#"{"usage":{"prompt_tokens":5,"completion_tokens":3}}"#,
    ] {
        let first = r#"{"id":"a","choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}"#;
        let zero = r#"{"id":"a","choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}"#;
        let chunks = streamed(&[first, &chunk("{}", r#""stop""#), usage, zero, "[DONE]"]);
        let with_usage: Vec<_> = chunks.iter().filter(|chunk| chunk["usage"].is_object()).collect();
        assert_eq!(with_usage.len(), 1, "{usage}");
        assert_eq!(
            (&with_usage[0]["choices"], &with_usage[0]["usage"]["total_tokens"]),
            (&json!([]), &json!(8)),
            "{usage}"
        );
    }
}

#[test]
fn azures_first_chunk_and_filter_results_break_nothing() {
    let chunks = streamed(&[
        r#"{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}"#,
        r#"{"id":"a","model":"m","created":5,"obfuscation":"x","service_tier":"default","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"content_filter_results":{}}]}"#,
        r#"{"id":"a","model":"m","created":5,"obfuscation":"yy","choices":[{"index":0,"delta":{"content":"a"},"content_filter_results":{"hate":{"filtered":false}}}]}"#,
        r#"{"id":"a","model":"m","created":5,"obfuscation":"z","choices":[{"index":0,"delta":{"content":"b"},"content_filter_results":{"hate":{"filtered":false}}}]}"#,
        r#"{"id":"a","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}"#,
        "[DONE]",
    ]);
    let text = serde_json::to_string(&chunks).unwrap();
    assert!(!text.contains("obfuscation") && !text.contains("prompt_filter_results"), "{text}");
    assert_eq!(
        (&chunks[0]["id"], &chunks[0]["model"], &chunks[0]["service_tier"]),
        (&json!("a"), &json!("m"), &json!("default"))
    );
    let filtered = chunks.iter().filter(|chunk| !chunk["choices"][0]["content_filter_results"].is_null());
    assert_eq!(filtered.count(), 1);
    assert_eq!(finish(&chunks, 0), "content_filter");
}

#[test]
fn lists_in_deltas_get_the_index_that_clients_need() {
    let chunks = joined(
        &[
            r#"{"content":"a","annotations":[{"type":"url_citation","url_citation":{"url":"u"}}]}"#,
            r#"{"annotations":[{"type":"url_citation","url_citation":{"url":"v"}}],"reasoning_details":[{"type":"x"}]}"#,
        ],
        r#""stop""#,
    );
    let lists: Vec<_> =
        deltas(&chunks, 0).into_iter().filter(|delta| delta.get("content").is_none()).collect();
    assert_eq!(lists[0]["annotations"][0]["index"], 0);
    assert_eq!(
        lists[1],
        json!({"annotations": [{"index": 1, "type": "url_citation", "url_citation": {"url": "v"}}]})
    );
}

#[test]
fn a_legacy_function_call_stays_one() {
    let chunks = joined(
        &[r#"{"function_call":{"name":"f","arguments":""}}"#, r#"{"function_call":{"arguments":"{}"}}"#],
        r#""function_call""#,
    );
    assert_eq!(deltas(&chunks, 0)[1], json!({"function_call": {"arguments": "{}"}}));
    assert_eq!(finish(&chunks, 0), "function_call");
}

#[test]
fn an_error_in_the_stream_ends_it_and_nothing_follows() {
    let begun = chunk(r#"{"content":"a"}"#, "null");
    for (event, message) in [
        (r#"{"error":{"message":"down","type":"server_error","code":null}}"#, "down"),
        (r#"{"error":"down"}"#, "down"),
        (r#"error|{"message":"down"}"#, "down"),
        (
            r#"error|{"error":{"message":"Tool call failed","failed_generation":"x","status_code":400}}"#,
            "Tool call failed",
        ),
        ("error|upstream is down", "upstream is down"),
        (r#"{"object":"error","message":"down","code":50000}"#, "down"),
        (
            r#"{"id":"a","error":{"code":502,"message":"down"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
            "down",
        ),
        (
            r#"{"id":"a","choices":[{"index":0,"delta":{},"error":{"code":429,"message":"slow"},"finish_reason":"error"}]}"#,
            "slow",
        ),
        (r#"{"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#, "broke off"),
        (r#"[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]"#, "busy"),
        ("{\"id\":\"a\",\"choi", "bad JSON"),
        ("17", "a number"),
    ] {
        let chunks = streamed(&[&begun, event, &chunk(r#"{"content":"b"}"#, r#""stop""#), "[DONE]"]);
        let error = &chunks.last().unwrap()["error"];
        assert!(error["message"].as_str().is_some_and(|said| said.contains(message)), "{event}: {error}");
        assert!(error["type"].is_string() && !error["code"].is_number(), "{event}: {error}");
        assert_eq!(deltas(&chunks, 0), [json!({"content": "a"})], "{event}");
    }
}

#[test]
fn a_stream_without_done_is_complete_only_with_its_finishes() {
    let text = chunk(r#"{"content":"a"}"#, "null");
    let finish = chunk("{}", r#""stop""#);
    let second = r#"{"id":"a","choices":[{"index":1,"delta":{"content":"b"}}]}"#;
    let last = |events: &[&str]| streamed(events).last().unwrap().clone();
    assert_eq!(last(&[&text, &finish]), "[DONE]");
    assert_eq!(last(&[&text])["error"]["code"], "stream_interrupted");
    assert_eq!(last(&[&text, second, &finish])["error"]["code"], "stream_interrupted");
    assert_eq!(last(&[])["error"]["code"], "stream_interrupted");
    // The end mark without a finish: the provider says it is complete.
    assert_eq!(last(&[&text, "[DONE]"]), "[DONE]");
    assert_eq!(last(&[&text, "", "ping|x", &finish, " [DONE] "]), "[DONE]");
}

#[test]
fn what_stands_outside_of_the_events_is_understood() {
    let whole = br#"{"id":"a","choices":[{"index":0,"message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let chunks = streamed_with(&[], whole);
    assert_eq!(deltas(&chunks, 0), [json!({"content": "whole"})]);
    assert_eq!((finish(&chunks, 0), chunks.last().unwrap()), (json!("stop"), &json!("[DONE]")));
    let text = chunk(r#"{"content":"a"}"#, "null");
    for (stray, message) in [
        (&br#"{"error":{"message":"late","code":500}}"#[..], "late"),
        (b"<html><body>Bad gateway</body></html>", "server-sent events"),
        (b"da", "server-sent events"),
    ] {
        let chunks = streamed_with(&[&text], stray);
        let error = chunks.last().unwrap()["error"]["message"].as_str().unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }
    let complete = streamed_with(&[&text, &chunk("{}", r#""stop""#)], b"bye");
    assert_eq!(complete.last().unwrap(), "[DONE]");
}

#[test]
fn a_custom_tools_input_streams_under_its_own_name() {
    let chunks = joined(
        &[
            r#"{"tool_calls":[{"index":0,"id":"x","type":"custom","custom":{"name":"sql","input":""}}]}"#,
            r#"{"tool_calls":[{"index":0,"custom":{"input":"SELECT "}}]}"#,
            r#"{"tool_calls":[{"index":0,"custom":{"input":"1"}}]}"#,
        ],
        r#""tool_calls""#,
    );
    let fragments: Vec<Value> =
        deltas(&chunks, 0).iter().map(|delta| delta["tool_calls"][0].clone()).collect();
    assert_eq!(
        fragments,
        [
            json!({"index": 0, "id": "x", "type": "custom", "custom": {"name": "sql", "input": ""}}),
            json!({"index": 0, "custom": {"input": "SELECT "}}),
            json!({"index": 0, "custom": {"input": "1"}}),
        ]
    );
}

#[test]
fn padding_is_not_passed_on() {
    let event = r#"{"id":"a","model":"m","created":5,"p":"abcdef","obfuscation":"x","system_fingerprint":"s","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"#;
    for chunk in streamed(&[event, "[DONE]"]).iter().filter(|chunk| chunk.is_object()) {
        let members = (chunk.get("p"), chunk.get("obfuscation"), &chunk["system_fingerprint"]);
        assert_eq!(members, (None, None, &json!("s")), "{chunk}");
    }
}

use super::{answered, client, framed, streamed, text};
use serde_json::{Value as Tree, json};

/// The same message, whole and streamed: each block's start, its pieces and its end.
fn both(blocks: &[Tree], stop: &Tree, usage: &Tree) -> [client::Seen; 2] {
    let mut message =
        json!({"id": "msg_1", "type": "message", "model": "claude-x", "content": blocks, "usage": usage});
    let mut events = vec![json!({"type": "message_start", "message": {
        "id": "msg_1", "model": "claude-x", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1},
    }})];
    for (index, block) in blocks.iter().enumerate() {
        let mut start = block.clone();
        let mut deltas = Vec::new();
        match block["type"].as_str().unwrap() {
            "text" => {
                start["text"] = json!("");
                deltas.push(json!({"type": "text_delta", "text": block["text"]}));
            }
            "tool_use" | "server_tool_use" | "mcp_tool_use" => {
                start["input"] = json!({});
                deltas.push(json!({"type": "input_json_delta", "partial_json": ""}));
                let input = block["input"].to_string();
                if input != "{}" {
                    let (first, second) = input.split_at(2);
                    deltas.push(json!({"type": "input_json_delta", "partial_json": first}));
                    deltas.push(json!({"type": "ping"}));
                    deltas.push(json!({"type": "input_json_delta", "partial_json": second}));
                }
            }
            "thinking" => {
                start = json!({"type": "thinking", "thinking": "", "signature": ""});
                deltas.push(json!({"type": "thinking_delta", "thinking": block["thinking"]}));
                deltas.push(json!({"type": "signature_delta", "signature": block["signature"]}));
            }
            _ => deltas.push(json!({"type": "some_delta", "text": "no", "thinking": "no", "content": "no"})),
        }
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        for delta in deltas {
            match delta["type"] == "ping" {
                true => events.push(delta),
                false => events.push(json!({"type": "content_block_delta", "index": index, "delta": delta})),
            }
        }
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    for (key, value) in stop.as_object().unwrap() {
        message[key.as_str()] = value.clone();
    }
    events.push(json!({"type": "message_delta", "delta": stop, "usage": usage}));
    events.push(json!({"type": "message_stop"}));
    let stream = streamed([framed(&events).as_slice()]);
    let seen = client::read(&stream);
    assert!(seen.done, "{}", String::from_utf8_lossy(&stream));
    [client::whole(&answered(message.to_string().as_bytes()).unwrap()), seen]
}

#[test]
fn blocks_become_what_a_chat_client_knows() {
    let call = |id: &str, name: &str, input: Tree| json!({"type": "tool_use", "id": id, "name": name, "input": input});
    let seen_call = |index: Option<u64>, id: &str, name: &str, arguments: &str| {
        let mut call =
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
        if let Some(index) = index {
            call["index"] = json!(index);
        }
        call
    };
    let thinking = json!({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"});
    let redacted = json!({"type": "redacted_thinking", "data": "ZGF0YQ=="});
    let server = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}});
    let search = json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": []});
    let mcp =
        json!({"type": "mcp_tool_use", "id": "m", "name": "echo", "server_name": "e", "input": {"a": 1}});
    let silent = ["fallback", "compaction", "advisor_tool_result", "something_new"]
        .map(|kind| json!({"type": kind, "content": "x"}));
    let weather = json!({"city": "Zürich \"ZRH\"", "n": 1});
    type Calls<'c> = &'c [(&'c str, &'c str, &'c str)];
    type Case<'c> = (&'c str, Vec<Tree>, &'c str, Option<&'c str>, Calls<'c>, &'c str);
    let weather_text = weather.to_string();
    let weather_call = [("t1", "w", weather_text.as_str())];
    let cases: Vec<Case<'_>> = vec![
        ("text joins without a gap", vec![text("a"), text("b")], "end_turn", Some("ab"), &[], "stop"),
        (
            "a call",
            vec![text("So: "), call("t1", "w", weather.clone())],
            "tool_use",
            Some("So: "),
            &weather_call,
            "tool_calls",
        ),
        (
            "calls count from zero",
            vec![
                server.clone(),
                search,
                text("x"),
                call("t1", "a", json!({})),
                mcp,
                call("t2", "b", json!({"k": []})),
            ],
            "tool_use",
            Some("x"),
            &[("t1", "a", "{}"), ("t2", "b", r#"{"k":[]}"#)],
            "tool_calls",
        ),
        (
            "a server's tools are not the client's",
            vec![server, text("x")],
            "end_turn",
            Some("x"),
            &[],
            "stop",
        ),
        (
            "other blocks say nothing",
            [silent.to_vec(), vec![text("x")]].concat(),
            "end_turn",
            Some("x"),
            &[],
            "stop",
        ),
        (
            "the answer's own tool",
            vec![call("t1", "json_tool_call", weather.clone())],
            "tool_use",
            Some(&weather_text),
            &[],
            "stop",
        ),
        (
            "the answer's own tool without input",
            vec![call("t1", "json_tool_call", json!({}))],
            "tool_use",
            Some("{}"),
            &[],
            "stop",
        ),
        (
            "a call whose reason is not told",
            vec![call("t1", "a", json!({}))],
            "end_turn",
            None,
            &[("t1", "a", "{}")],
            "tool_calls",
        ),
        ("thinking", vec![thinking, redacted, text("x")], "end_turn", Some("x"), &[], "stop"),
    ];
    for (what, blocks, reason, content, calls, finish) in cases {
        for (seen, streamed) in
            both(&blocks, &json!({"stop_reason": reason}), &json!({})).into_iter().zip([false, true])
        {
            let what = format!("{what}, streamed: {streamed}");
            let text = seen.message["content"].as_str().filter(|text| !text.is_empty());
            assert_eq!(text, content, "{what}");
            assert_eq!(seen.finish.as_deref(), Some(finish), "{what}");
            let expected = calls.iter().enumerate().map(|(index, (id, name, arguments))| {
                seen_call(streamed.then_some(index as u64), id, name, arguments)
            });
            let expected = Some(expected.collect::<Vec<_>>()).filter(|calls| !calls.is_empty());
            assert_eq!(seen.message.get("tool_calls").and_then(Tree::as_array).cloned(), expected, "{what}");
            if what.starts_with("thinking") {
                assert_eq!(seen.message["reasoning_content"], "Hm.", "{what}");
                let blocks = json!([
                    {"index": 0, "type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                    {"index": 1, "type": "redacted_thinking", "data": "ZGF0YQ=="},
                ]);
                assert_eq!(seen.message["extra_content"]["anthropic"]["thinking_blocks"], blocks, "{what}");
            }
        }
    }
}

#[test]
fn every_reason_to_stop_has_a_finish() {
    for (reason, finish) in [
        (json!("end_turn"), "stop"),
        (json!("stop_sequence"), "stop"),
        (json!("max_tokens"), "length"),
        (json!("model_context_window_exceeded"), "length"),
        (json!("pause_turn"), "stop"),
        (json!("compaction"), "stop"),
        (json!("refusal"), "content_filter"),
        (json!("tool_use"), "stop"),
        (json!("something_new"), "stop"),
        (json!(null), "stop"),
        (json!(7), "stop"),
    ] {
        for seen in both(&[text("x")], &json!({"stop_reason": reason}), &json!({})) {
            assert_eq!(seen.finish.as_deref(), Some(finish), "{reason}");
        }
    }
    let stop =
        json!({"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "No \"x\"."}});
    for seen in both(&[], &stop, &json!({})) {
        assert_eq!(
            (seen.finish.as_deref(), &seen.message["refusal"]),
            (Some("content_filter"), &json!("No \"x\"."))
        );
    }
}

#[test]
fn usage_counts_as_openai_does() {
    let cases = [
        (json!({"input_tokens": 10, "output_tokens": 5}), (10, 5, 0, 0, 0)),
        (
            json!({"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 3}}),
            (117, 5, 100, 7, 3),
        ),
        (
            json!({"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": null, "iterations": [
            {"type": "compaction", "input_tokens": 1000, "output_tokens": 50, "cache_read_input_tokens": 1},
            {"type": "message", "input_tokens": 10, "output_tokens": 5}]}),
            (1011, 55, 0, 0, 0),
        ),
        (
            json!({"input_tokens": 12, "output_tokens": 5, "iterations": [
            {"type": "message", "input_tokens": 8, "output_tokens": 0},
            {"type": "fallback_message", "input_tokens": 12, "output_tokens": 5}]}),
            (12, 5, 0, 0, 0),
        ),
        // What the last event does not say was said by the first.
        (json!({"output_tokens": 5}), (3, 5, 0, 0, 0)),
    ];
    for (usage, (prompt, completion, cached, written, reasoning)) in cases {
        let from = usize::from(usage.get("input_tokens").is_none());
        for seen in both(&[text("x")], &json!({"stop_reason": "end_turn"}), &usage).into_iter().skip(from) {
            let found = seen.usage.unwrap();
            let details = |key: &str, of: &str| found[of][key].as_u64().unwrap_or(0);
            assert_eq!(found["prompt_tokens"], prompt, "{usage}");
            assert_eq!(found["completion_tokens"], completion, "{usage}");
            assert_eq!(found["total_tokens"], prompt + completion, "{usage}");
            assert_eq!(details("cached_tokens", "prompt_tokens_details"), cached, "{usage}");
            assert_eq!(details("cache_write_tokens", "prompt_tokens_details"), written, "{usage}");
            assert_eq!(details("reasoning_tokens", "completion_tokens_details"), reasoning, "{usage}");
        }
    }
    let completion = answered(br#"{"content":[{"type":"text","text":"x"}]}"#).unwrap();
    assert!(completion.get("usage").is_none());
    assert_eq!((&completion["id"], &completion["model"]), (&json!("chatcmpl-1"), &json!("asked-for")));
}

#[test]
fn a_signature_without_text_is_kept_and_an_empty_block_is_none() {
    let thinking = |signature: &str| json!({"type": "thinking", "thinking": "", "signature": signature});
    for seen in
        both(&[thinking(""), thinking("c2ln"), text("x")], &json!({"stop_reason": "end_turn"}), &json!({}))
    {
        let blocks = seen.message["extra_content"]["anthropic"]["thinking_blocks"].as_array().unwrap();
        assert_eq!((blocks.len(), &blocks[0]["signature"]), (1, &json!("c2ln")));
        assert!(seen.message.get("reasoning_content").is_none());
    }
}

#[test]
fn a_whole_answer_of_json_is_the_json_alone() {
    let body = json!({"content": [
        {"type": "text", "text": "Here you are:"},
        {"type": "tool_use", "id": "t", "name": "json_tool_call", "input": {"a": [1, "é\n"]}},
    ], "stop_reason": "tool_use"});
    let completion = answered(body.to_string().as_bytes()).unwrap();
    let choice = &completion["choices"][0];
    assert_eq!(
        (choice["message"]["content"].as_str(), &choice["finish_reason"]),
        (Some("{\"a\":[1,\"é\\n\"]}"), &json!("stop"))
    );
    assert!(choice["message"].get("tool_calls").is_none());
}

#[test]
fn an_answer_that_is_no_message_is_an_error() {
    for body in ["{}", "[]", "7", "{\"content\":\"x\"}", "{\"type\":\"message\"}"] {
        let error = answered(body.as_bytes()).unwrap_err();
        assert_eq!((error.status, error.code.as_deref()), (502, Some("bad_provider_response")), "{body}");
    }
    let error = answered(br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#)
        .unwrap_err();
    assert_eq!((error.status, error.code.as_deref()), (503, Some("overloaded")));
}

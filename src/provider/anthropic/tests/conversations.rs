use super::{MODEL, members, put, text, user, with};
use serde_json::{Value as Tree, json};

/// The turns and instructions that messages become.
fn turns(model: &str, messages: Tree) -> Tree {
    let (body, _) = members(model, &json!({"model": "m", "messages": messages, "max_tokens": 9}));
    json!([body.get("system").cloned().unwrap_or(json!([])), body["messages"]])
}

#[test]
fn instructions_come_first_wherever_they_stood() {
    let cached = json!({"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}});
    let messages = json!([
        {"role": "system", "content": "a"}, user(json!("Hi")),
        {"role": "developer", "content": [cached, {"type": "text", "text": " \n"}]},
        user(json!("there")), {"role": "system", "content": ""},
    ]);
    let expected = json!([[text("a"), cached], [user(json!([text("Hi"), text("there")]))]]);
    assert_eq!(turns(MODEL, messages), expected);
    // Instructions alone are the question.
    assert_eq!(turns(MODEL, json!([{"role": "system", "content": "a"}])), json!([[], [user(json!("a"))]]));
}

#[test]
fn turns_alternate_and_are_never_empty() {
    let assistant = |content: &str| json!({"role": "assistant", "content": content});
    for (messages, expected) in [
        (json!([user(json!(""))]), json!([user(json!("."))])),
        (json!([user(json!([text("a"), text(" ")]))]), json!([user(json!("a"))])),
        (
            json!([user(json!("a")), assistant(""), user(json!("b"))]),
            json!([user(json!([text("a"), text("b")]))]),
        ),
        (
            json!([user(json!("a")), assistant("b"), user(json!(" "))]),
            json!([user(json!("a")), assistant("b"), user(json!("."))]),
        ),
        (
            json!([assistant("b"), user(json!("a"))]),
            json!([user(json!(".")), assistant("b"), user(json!("a"))]),
        ),
        (
            json!([user(json!("a")), {"role": "assistant", "content": null, "refusal": "No."}, user(json!("b"))]),
            json!([user(json!("a")), assistant("No."), user(json!("b"))]),
        ),
        (
            json!([user(json!("a")), {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, user(json!("b"))]),
            json!([user(json!("a")), assistant("No."), user(json!("b"))]),
        ),
        // The beginning of an answer must not end in white space.
        (json!([user(json!("a")), assistant("{\n ")]), json!([user(json!("a")), assistant("{")])),
        (json!([user(json!("é \"quoted\" \u{1F600}"))]), json!([user(json!("é \"quoted\" \u{1F600}"))])),
    ] {
        assert_eq!(turns(MODEL, messages.clone())[1], expected, "{messages}");
    }
}

#[test]
fn calls_and_results_stand_where_the_api_wants_them() {
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    let result = |id: &str, content: Tree| json!({"role": "tool", "tool_call_id": id, "content": content});
    let messages = json!([
        user(json!("a")),
        {"role": "assistant", "content": "b", "tool_calls": [call("t1", r#"{"x": "é\n"}"#), call("t.2", ""), call("t3", " ")]},
        result("t1", json!("1")),
        user(json!("and")),
        result("t.2", json!([text("2"), {"type": "image_url", "image_url": {"url": "https://x.example/i.png"}}])),
        {"role": "tool", "tool_call_id": "t3", "content": "", "cache_control": {"type": "ephemeral"}},
        user(json!("then")),
    ]);
    let tool_use = |id: &str, input: Tree| json!({"type": "tool_use", "id": id, "name": "f", "input": input});
    let image = json!({"type": "image", "source": {"type": "url", "url": "https://x.example/i.png"}});
    let expected = json!([
        user(json!("a")),
        {"role": "assistant", "content": [
            text("b"), tool_use("t1", json!({"x": "é\n"})), tool_use("call_t_2e2", json!({})), tool_use("t3", json!({})),
        ]},
        user(json!([
            {"type": "tool_result", "tool_use_id": "t1", "content": "1"},
            {"type": "tool_result", "tool_use_id": "call_t_2e2", "content": [text("2"), image]},
            {"type": "tool_result", "tool_use_id": "t3", "cache_control": {"type": "ephemeral"}},
            text("and"), text("then"),
        ])),
    ]);
    assert_eq!(turns(MODEL, messages)[1], expected);
    let legacy = json!([
        user(json!("a")),
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"x\":1}"}},
        {"role": "function", "name": "f", "content": "1"},
    ]);
    let expected = json!([
        user(json!("a")),
        {"role": "assistant", "content": [{"type": "tool_use", "id": "f", "name": "f", "input": {"x": 1}}]},
        user(json!([{"type": "tool_result", "tool_use_id": "f", "content": "1"}])),
    ]);
    assert_eq!(turns(MODEL, legacy)[1], expected);
    let custom = json!({"id": "c", "type": "custom", "custom": {"name": "g", "input": "SELECT \"x\""}});
    let messages =
        json!([user(json!("a")), {"role": "assistant", "tool_calls": [custom]}, result("c", json!("1"))]);
    assert_eq!(turns(MODEL, messages)[1][1]["content"][0]["input"], json!({"input": "SELECT \"x\""}));
}

#[test]
fn media_go_by_address_or_in_place() {
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let file = |members: Tree| json!({"type": "file", "file": members});
    let base64 =
        |media_type: &str, data: &str| json!({"type": "base64", "media_type": media_type, "data": data});
    for (part, expected) in [
        (
            image("https://x.example/a.png?b=.pdf"),
            json!({"type": "image", "source": {"type": "url", "url": "https://x.example/a.png?b=.pdf"}}),
        ),
        (
            image("https://x.example/a.PDF?b"),
            json!({"type": "document", "source": {"type": "url", "url": "https://x.example/a.PDF?b"}}),
        ),
        (
            image("data:image/png;base64,/9j+AA=="),
            json!({"type": "image", "source": base64("image/png", "/9j+AA==")}),
        ),
        (
            image("data:image/jpg;charset=x;base64,AA"),
            json!({"type": "image", "source": base64("image/jpeg", "AA")}),
        ),
        (image("DATA:image/WebP;base64,AA"), json!({"type": "image", "source": base64("image/webp", "AA")})),
        (
            file(json!({"file_data": "data:application/pdf;base64,AA", "filename": "a.pdf"})),
            json!({"type": "document", "source": base64("application/pdf", "AA"), "title": "a.pdf"}),
        ),
        (
            file(json!({"file_data": "data:text/plain;base64,aGkg8J+YgA=="})),
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi \u{1F600}"}}),
        ),
        (
            json!({"type": "document", "source": {"type": "url", "url": "u"}, "cache_control": {"type": "ephemeral"}}),
            json!({"type": "document", "source": {"type": "url", "url": "u"}, "cache_control": {"type": "ephemeral"}}),
        ),
    ] {
        assert_eq!(turns(MODEL, json!([user(json!([part]))]))[1], json!([user(json!([expected]))]), "{part}");
    }
    // Slashes that a client has escaped mean the same.
    let escaped = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image\/png;base64,\/9j\/"}}]}]}"#;
    let (body, _) = put(MODEL, &serde_json::from_str(escaped).unwrap()).unwrap();
    assert_eq!(body["messages"][0]["content"][0]["source"], base64("image/png", "/9j/"));
    let stored = with(json!({"messages": [user(json!([file(json!({"file_id": "file_011"}))]))]}));
    let (body, outgoing) = put(MODEL, &stored).unwrap();
    assert_eq!(body["messages"][0]["content"][0]["source"], json!({"type": "file", "file_id": "file_011"}));
    assert_eq!(outgoing.headers, [("anthropic-beta", "files-api-2025-04-14".to_string())]);
}

#[test]
fn names_and_details_are_told_to_be_lost() {
    let messages = json!([
        {"role": "user", "name": "Ann", "content": [{"type": "image_url", "image_url": {"url": "https://x", "detail": "low"}}]},
        {"role": "user", "name": "Bob", "content": [{"type": "image_url", "image_url": {"url": "https://x", "detail": "auto"}}]},
    ]);
    let (_, dropped) = members(MODEL, &with(json!({"messages": messages})));
    assert_eq!(dropped, ["messages[].name", "messages[].content[].image_url.detail"]);
}

//! Messages as `contents`, and what comes back of an echoed answer.

use super::*;

#[test]
fn conversations_are_said_in_contents() {
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let called = |name: &str, args: Tree| json!({"functionCall": {"name": name, "args": args}});
    let gave = |name: &str, response: Tree| json!({"functionResponse": {"name": name, "response": response}});
    for (case, messages, expected) in [
        (
            "a question",
            json!([{"role": "user", "content": "Hi \"you\"\n"}]),
            json!({"contents": [user("Hi \"you\"\n")]}),
        ),
        (
            "system and developer messages, wherever they stand",
            json!([{"role": "system", "content": "S"}, {"role": "user", "content": "U"}, {"role": "developer", "content": [{"type": "text", "text": "D"}, {"type": "text", "text": ""}]}]),
            json!({"systemInstruction": {"parts": [{"text": "S"}, {"text": "D"}]}, "contents": [user("U")]}),
        ),
        (
            "nothing but a system message",
            json!([{"role": "system", "content": "S"}]),
            json!({"systemInstruction": {"parts": [{"text": "S"}]}, "contents": [user(" ")]}),
        ),
        (
            "turns of one speaker",
            json!([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}, {"role": "assistant", "content": [{"type": "text", "text": "d"}]}, {"role": "user", "content": "e"}]),
            json!({"contents": [
                {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
                {"role": "model", "parts": [{"text": "c"}, {"text": "d"}]},
                user("e"),
            ]}),
        ),
        (
            "a conversation that the assistant begins",
            json!([{"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Hello"}]),
            json!({"contents": [user(" "), {"role": "model", "parts": [{"text": "Hi"}]}, user("Hello")]}),
        ),
        (
            "images, audio and files",
            json!([{"role": "user", "content": [
                {"type": "text", "text": "what?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/cat.webp"}},
                {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"}},
                {"type": "file", "file": {"file_id": "https://generativelanguage.googleapis.com/v1beta/files/abc", "filename": "a.mp4"}},
            ]}]),
            json!({"contents": [{"role": "user", "parts": [
                {"text": "what?"},
                {"inlineData": {"mimeType": "image/png", "data": "iVBO"}},
                {"fileData": {"mimeType": "image/webp", "fileUri": "https://example.com/cat.webp"}},
                {"inlineData": {"mimeType": "audio/wav", "data": "UklG"}},
                {"inlineData": {"mimeType": "application/pdf", "data": "JVBE"}},
                {"fileData": {"mimeType": "video/mp4", "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
            ]}]}),
        ),
        (
            "parallel calls, answered out of order",
            json!([
                {"role": "user", "content": "Weather?"},
                {"role": "assistant", "content": "Looking.", "tool_calls": [call("a", "weather", "{\"city\": \"Paris\"}"), call("b", "weather", ""), call("c", "time", "{}")]},
                {"role": "tool", "tool_call_id": "c", "content": "noon"},
                {"role": "tool", "tool_call_id": "a", "content": "{\"t\":\"20°\"}"},
                {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "[1"}, {"type": "text", "text": ",2]"}]},
                {"role": "user", "content": "And?"},
            ]),
            json!({"contents": [
                user("Weather?"),
                {"role": "model", "parts": [{"text": "Looking."}, called("weather", json!({"city": "Paris"})), called("weather", json!({})), called("time", json!({}))]},
                {"role": "user", "parts": [gave("weather", json!({"t": "20°"})), gave("weather", json!({"output": "[1,2]"})), gave("time", json!({"output": "noon"}))]},
                user("And?"),
            ]}),
        ),
        (
            "the same id in two turns",
            json!([
                {"role": "user", "content": "1"},
                {"role": "assistant", "content": null, "tool_calls": [call("x", "one", "{}")]},
                {"role": "tool", "tool_call_id": "x", "content": "first"},
                {"role": "assistant", "content": null, "tool_calls": [call("x", "two", "null")]},
                {"role": "tool", "tool_call_id": "x", "content": "{broken"},
            ]),
            json!({"contents": [
                user("1"),
                {"role": "model", "parts": [called("one", json!({}))]},
                {"role": "user", "parts": [gave("one", json!({"output": "first"}))]},
                {"role": "model", "parts": [called("two", json!({}))]},
                {"role": "user", "parts": [gave("two", json!({"output": "{broken"}))]},
            ]}),
        ),
        (
            "the legacy function call",
            json!([
                {"role": "user", "content": "1"},
                {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"a\":1}"}},
                {"role": "function", "name": "f", "content": "ok"},
            ]),
            json!({"contents": [
                user("1"),
                {"role": "model", "parts": [called("f", json!({"a": 1}))]},
                {"role": "user", "parts": [gave("f", json!({"output": "ok"}))]},
            ]}),
        ),
        (
            "reasoning and others' signatures stay behind; a refusal is text",
            json!([
                {"role": "user", "content": "1"},
                {"role": "assistant", "content": null, "refusal": "No.", "reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]},
                {"role": "user", "content": "2"},
            ]),
            json!({"contents": [user("1"), {"role": "model", "parts": [{"text": "No."}]}, user("2")]}),
        ),
    ] {
        let (body, _) = translated("gemini-2.5-flash", &chat(messages, json!({}))).expect(case);
        assert_eq!(body, expected, "{case}");
    }
}

#[test]
fn signatures_go_back_on_the_part_they_came_with() {
    let google = |signature: &str| json!({"google": {"thought_signature": signature}});
    let call = |id: &str, signature: Option<&str>| {
        let mut call = json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
        if let Some(signature) = signature {
            call["extra_content"] = google(signature);
        }
        call
    };
    let signed = |signature: Option<&str>| {
        let mut part = json!({"functionCall": {"name": "f", "args": {}}});
        if let Some(signature) = signature {
            part["thoughtSignature"] = signature.into();
        }
        part
    };
    let tool = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "ok"});
    let escape = Some("skip_thought_signature_validator");
    let assistant = |calls: Tree| json!({"role": "assistant", "content": null, "tool_calls": calls});
    let question = || json!({"role": "user", "content": "?"});
    for (case, model, messages, expected) in [
        (
            "the client echoed them",
            "gemini-3-pro-preview",
            json!([
                question(),
                assistant(json!([call("a", Some("S1")), call("b", None)])),
                tool("a"),
                tool("b")
            ]),
            vec![json!([signed(Some("S1")), signed(None)])],
        ),
        (
            "the client lost them: the first call of each step of the current turn says so",
            "gemini-3-pro-preview",
            json!([
                question(),
                assistant(json!([call("a", None)])),
                tool("a"),
                question(),
                assistant(json!([call("b", None), call("c", None)])),
                tool("b"),
                tool("c"),
                assistant(json!([call("d", None)])),
                tool("d"),
            ]),
            vec![json!([signed(None)]), json!([signed(escape), signed(None)]), json!([signed(escape)])],
        ),
        (
            "an older model demands none",
            "gemini-2.5-pro",
            json!([question(), assistant(json!([call("a", None)])), tool("a")]),
            vec![json!([signed(None)])],
        ),
        (
            "of the text",
            "gemini-3-flash-preview",
            json!([question(), {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "extra_content": google("ST")}, question()]),
            vec![json!([{"text": "a"}, {"text": "b", "thoughtSignature": "ST"}])],
        ),
        (
            "of an empty text",
            "gemini-3-flash-preview",
            json!([question(), {"role": "assistant", "content": "", "extra_content": google("ST")}, question()]),
            vec![json!([{"text": "", "thoughtSignature": "ST"}])],
        ),
        (
            "of a call, at the message as some endpoints put it",
            "gemini-3-flash-preview",
            json!([question(), {"role": "assistant", "content": null, "extra_content": google("SC"), "tool_calls": [call("a", None)]}, tool("a")]),
            vec![json!([signed(Some("SC"))])],
        ),
    ] {
        let (body, _) = translated(model, &chat(messages, json!({}))).expect(case);
        let turns = body["contents"].as_array().unwrap().iter().filter(|turn| turn["role"] == "model");
        assert_eq!(turns.map(|turn| turn["parts"].clone()).collect::<Vec<_>>(), expected, "{case}");
    }
}

#[test]
fn only_ids_of_the_providers_own_go_back() {
    let messages = json!([
        {"role": "user", "content": "?"},
        {"role": "assistant", "tool_calls": [
            {"id": "gemini_ZX9I", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "call_1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "gemini_ZX9I", "content": "1"},
        {"role": "tool", "tool_call_id": "call_1", "content": "2"},
    ]);
    let (body, _) = translated("gemini-2.5-flash", &chat(messages, json!({}))).unwrap();
    assert_eq!(body["contents"][1]["parts"][0]["functionCall"]["id"], "ZX9I");
    assert_eq!(body["contents"][2]["parts"][0]["functionResponse"]["id"], "ZX9I");
    assert_eq!(body["contents"][1]["parts"][1]["functionCall"].get("id"), None);
    assert_eq!(body["contents"][2]["parts"][1]["functionResponse"].get("id"), None);
}

#[test]
fn images_from_tools_stand_in_the_function_response() {
    let messages = json!([
        {"role": "user", "content": "?"},
        {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}]},
    ]);
    let (body, _) = translated("gemini-3-pro-preview", &chat(messages.clone(), json!({}))).unwrap();
    let expected = json!({"name": "f", "response": {"output": "see"}, "parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBO"}}]});
    assert_eq!(body["contents"][2]["parts"][0]["functionResponse"], expected);
    let error = translated("gemini-2.5-pro", &chat(messages, json!({}))).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages[2].content[1].type"));
}

#[test]
fn what_a_client_echoes_comes_back_verbatim() {
    let answer = json!({"responseId": "r", "candidates": [{"content": {"parts": [
        {"text": "Let me see."},
        {"functionCall": {"name": "f", "args": {"a": "é\"\n"}}, "thoughtSignature": "Ab+/c=="},
        {"functionCall": {"name": "f", "args": {"a": 2}, "id": "ZX9I"}},
    ]}, "finishReason": "STOP"}]});
    let message = completion(&answer).unwrap()["choices"][0]["message"].clone();
    let ids: Vec<_> =
        message["tool_calls"].as_array().unwrap().iter().map(|call| call["id"].clone()).collect();
    let messages = json!([
        {"role": "user", "content": "?"}, message,
        {"role": "tool", "tool_call_id": ids[1], "content": "2"}, {"role": "tool", "tool_call_id": ids[0], "content": "1"},
    ]);
    let (body, _) = translated("gemini-3-pro-preview", &chat(messages, json!({}))).unwrap();
    assert_eq!(body["contents"][1]["parts"], answer["candidates"][0]["content"]["parts"]);
    let results = json!([
        {"functionResponse": {"name": "f", "response": {"output": "1"}}},
        {"functionResponse": {"id": "ZX9I", "name": "f", "response": {"output": "2"}}},
    ]);
    assert_eq!(body["contents"][2]["parts"], results);
}

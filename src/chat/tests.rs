use super::*;
use crate::error::{ApiError, Blame};
use crate::json::{Document, Surrogates, Text};
use serde_json::{Value as Tree, json};

fn refusal(body: &Tree) -> ApiError {
    let text = body.to_string();
    let document = Document::parse(text.as_bytes(), Surrogates::Paired).unwrap();
    Request::read(document.root()).map(|_| ()).expect_err(&text)
}

#[test]
fn every_member_of_the_wrong_sort_is_named_with_what_was_expected() {
    let body = |key: &str, value: Tree| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        body[key] = value;
        body
    };
    let message = |message: Tree| body("messages", json!([message]));
    for (body, param, code, says) in [
        (json!([]), None, None, "a JSON object, not an array"),
        (json!({"messages": []}), Some("messages"), Some("invalid_value"), "at least one message"),
        (
            json!({"messages": [{"role": "user", "content": "hi"}]}),
            Some("model"),
            Some("missing_required_parameter"),
            "missing",
        ),
        (json!({"model": "m"}), Some("messages"), Some("missing_required_parameter"), "missing"),
        (body("model", json!(5)), Some("model"), Some("invalid_type"), "expected a string, found 5"),
        (body("model", json!("  ")), Some("model"), Some("invalid_value"), "empty string"),
        (
            body("messages", json!("hi")),
            Some("messages"),
            Some("invalid_type"),
            "expected an array, found a string",
        ),
        (
            body("stream", json!("true")),
            Some("stream"),
            Some("invalid_type"),
            "expected a boolean, found a string",
        ),
        (body("n", json!(0)), Some("n"), Some("invalid_value"), "from 1 to 128, found 0"),
        (body("n", json!(1.5)), Some("n"), Some("invalid_type"), "found 1.5"),
        (
            body("temperature", json!(2.5)),
            Some("temperature"),
            Some("invalid_value"),
            "from 0 to 2, found 2.5",
        ),
        (body("max_tokens", json!(-1)), Some("max_tokens"), Some("invalid_type"), "at least 1, found -1"),
        (body("stop", json!([1])), Some("stop"), Some("invalid_type"), "a string or an array of strings"),
        (body("reasoning_effort", json!("lots")), Some("reasoning_effort"), Some("invalid_value"), "'xhigh'"),
        (body("tool_choice", json!("maybe")), Some("tool_choice"), Some("invalid_value"), "found 'maybe'"),
        (
            body("tools", json!([{"type": "function"}])),
            Some("tools[0].function"),
            Some("missing_required_parameter"),
            "missing",
        ),
        (
            body("response_format", json!({"type": "yaml"})),
            Some("response_format.type"),
            Some("invalid_value"),
            "'json_schema'",
        ),
        (
            body("stream_options", json!(true)),
            Some("stream_options"),
            None,
            "expected an object, found a boolean",
        ),
        (message(json!("hi")), Some("messages[0]"), None, "expected an object, found a string"),
        (
            message(json!({"content": "hi"})),
            Some("messages[0].role"),
            Some("missing_required_parameter"),
            "missing",
        ),
        (
            message(json!({"role": "robot", "content": "hi"})),
            Some("messages[0].role"),
            Some("invalid_value"),
            "'robot'",
        ),
        (
            message(json!({"role": "user"})),
            Some("messages[0].content"),
            Some("missing_required_parameter"),
            "missing",
        ),
        (
            message(json!({"role": "user", "content": 7})),
            Some("messages[0].content"),
            Some("invalid_type"),
            "found a number",
        ),
        (
            message(json!({"role": "user", "content": [{"type": "text"}]})),
            Some("messages[0].content[0].text"),
            Some("missing_required_parameter"),
            "missing",
        ),
        (
            message(json!({"role": "tool", "content": "x"})),
            Some("messages[0].tool_call_id"),
            Some("missing_required_parameter"),
            "missing",
        ),
    ] {
        let error = refusal(&body);
        assert_eq!((error.param.as_deref(), error.code.as_deref()), (param, code), "{body}");
        assert!(error.message.contains(says), "{body}: {}", error.message);
        assert_eq!(
            (error.status, error.kind.as_ref(), error.blame),
            (400, "invalid_request_error", Blame::Request),
            "{body}"
        );
    }
}

#[test]
fn a_number_too_large_for_any_machine_and_a_member_given_twice_are_refused() {
    for (text, param) in [
        (r#"{"model":"m","messages":[{"role":"user","content":""}],"temperature":1e999}"#, "temperature"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":""}],"max_tokens":99999999999999999999999}"#,
            "max_tokens",
        ),
        (r#"{"model":"m","model":"n","messages":[{"role":"user","content":""}]}"#, "model"),
        (
            r#"{"model":"m","messages":[{"role":"user","r\u006fle":"system","content":""}]}"#,
            "messages[0].role",
        ),
    ] {
        let document = Document::parse(text.as_bytes(), Surrogates::Paired).unwrap();
        let error = Request::read(document.root()).expect_err(text);
        assert_eq!(error.param.as_deref(), Some(param), "{text}");
    }
}

#[test]
fn legacy_functions_are_read_as_tools() {
    let body = json!({
        "model": "m",
        "functions": [{"name": "f", "parameters": {"type": "object"}}],
        "function_call": {"name": "f"},
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "1"},
        ],
    });
    let text = body.to_string();
    let document = Document::parse(text.as_bytes(), Surrogates::Paired).unwrap();
    let request = Request::read(document.root()).unwrap();
    assert_eq!(request.tools.first().map(|tool| tool.name.clone()), Some(Text::of("f")));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named(Text::of("f"))));
    assert_eq!(request.messages[1].tool_calls[0].id, "f");
    assert_eq!(request.messages[2].tool_call_id, Some(Text::of("f")));
}

/// The data of every event of a stream.
#[test]
fn the_images_of_all_messages_are_counted() {
    let image = json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}});
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "An image_url?"},
        {"role": "user", "content": [image, {"type": "text", "text": "and"}, image]},
        {"role": "assistant", "content": null, "refusal": "No."},
        {"role": "user", "content": [image]},
    ]});
    let text = body.to_string();
    let document = Document::parse(text.as_bytes(), Surrogates::Paired).unwrap();
    assert_eq!(Request::read(document.root()).unwrap().images(), 3);
}

fn events(stream: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(stream).unwrap();
    text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap().to_string()).collect()
}

fn stream(include_usage: bool, said: Vec<Event<'_>>) -> (Vec<Tree>, Option<String>) {
    let mut writer = ChunkWriter::new("chatcmpl-1", "m", 7, include_usage);
    let mut out = Vec::new();
    said.into_iter().for_each(|event| writer.write(event, &mut out));
    writer.finish(&mut out);
    let mut events = events(&out);
    let done = events.pop_if(|event| event == "[DONE]");
    (events.iter().map(|event| serde_json::from_str(event).unwrap()).collect(), done)
}

fn delta(choice: u32, delta: Delta<'_>) -> Event<'_> {
    Event::Delta { choice, delta }
}

fn call(index: u32, id: &'static str, name: &'static str) -> Event<'static> {
    let (id, name) = (Text::of(id), Text::of(name));
    delta(0, Delta::Call { index, id, name, custom: false, signature: None })
}

fn finish(reason: FinishReason) -> Event<'static> {
    Event::Finish { choice: 0, reason }
}

const USAGE: Usage = Usage {
    prompt: 3,
    completion: 4,
    total: None,
    cached: Some(1),
    cache_write: None,
    prompt_audio: None,
    reasoning: None,
    completion_audio: None,
    prediction: None,
};

#[test]
fn a_text_stream_has_role_text_finish_usage_and_done_in_chunks_of_their_own() {
    let said = vec![
        Event::Start { id: Some(Text::of("x1")), model: Some(Text::of("real")), created: None },
        delta(0, Delta::Text(Text::of("Hi"))),
        Event::Start { id: Some(Text::of("x2")), model: None, created: None },
        delta(0, Delta::Text(Text::of(""))),
        delta(0, Delta::Text(Text::of(" you"))),
        finish(FinishReason::Stop),
        finish(FinishReason::Length),
        Event::Usage(USAGE),
        Event::End,
        delta(0, Delta::Text(Text::of("late"))),
    ];
    let (chunks, done) = stream(true, said.clone());
    let chunk = |choices: Tree, usage: Tree| json!({"id": "x1", "object": "chat.completion.chunk", "created": 7, "model": "real", "choices": choices, "usage": usage});
    let choice = |delta: Tree, finish: Tree| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
    let usage = json!({
        "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens_details": {"reasoning_tokens": 0},
    });
    assert_eq!(
        chunks,
        [
            chunk(choice(json!({"role": "assistant", "content": ""}), Tree::Null), Tree::Null),
            chunk(choice(json!({"content": "Hi"}), Tree::Null), Tree::Null),
            chunk(choice(json!({"content": " you"}), Tree::Null), Tree::Null),
            chunk(choice(json!({}), json!("stop")), Tree::Null),
            chunk(json!([]), usage),
        ]
    );
    assert_eq!(done.as_deref(), Some("[DONE]"));
    let (chunks, _) = stream(false, said);
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()) && chunks.len() == 4, "{chunks:?}");
}

#[test]
fn calls_without_arguments_get_an_empty_object_and_the_finish_says_tool_calls() {
    let said = vec![
        call(0, "a", "f"),
        call(1, "b", "g"),
        delta(0, Delta::Arguments { index: 1, fragment: Text::of("{\\\"x\\\"") }),
        delta(0, Delta::Arguments { index: 1, fragment: Text::of(":1}") }),
        finish(FinishReason::Stop),
        Event::End,
    ];
    let (chunks, _) = stream(false, said.clone());
    let calls: Vec<&Tree> =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"].get("tool_calls")).collect();
    let joined = |index: i64| -> String {
        let entries = calls.iter().map(|calls| &calls[0]).filter(|call| call["index"] == index);
        entries.map(|call| call["function"]["arguments"].as_str().unwrap()).collect()
    };
    assert_eq!((joined(0).as_str(), joined(1).as_str()), ("{}", r#"{\"x\":1}"#));
    assert_eq!(
        calls[0],
        &json!([{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}])
    );
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": null}));
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");

    let mut writer = CompletionWriter::new("c", "m", 1);
    said.into_iter().for_each(|event| writer.write(event));
    let mut out = Vec::new();
    writer.finish(&mut out).unwrap();
    let whole: Tree = serde_json::from_slice(&out).unwrap();
    assert_eq!(whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], "{}");
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn tool_calls_without_any_call_is_a_stop() {
    let (chunks, _) = stream(
        false,
        vec![delta(0, Delta::Text(Text::of("a"))), finish(FinishReason::ToolCalls), Event::End],
    );
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
}

#[test]
fn a_stream_that_breaks_ends_in_an_error_and_never_in_done() {
    let begun = || vec![delta(0, Delta::Text(Text::of("a")))];
    let (chunks, done) = stream(true, begun());
    assert_eq!((chunks.last().unwrap()["error"]["code"].as_str(), done), (Some("stream_interrupted"), None));

    let error = ApiError::new(503, "server_error", "overloaded").coded("overloaded");
    let failed = [begun(), vec![Event::Error(error), finish(FinishReason::Stop), Event::End]].concat();
    let (chunks, done) = stream(true, failed);
    assert_eq!((chunks.last().unwrap()["error"]["message"].as_str(), done), (Some("overloaded"), None));

    let (chunks, done) = stream(true, vec![Event::End]);
    assert_eq!((chunks[0]["error"]["code"].as_str(), done), (Some("bad_provider_response"), None));
}

#[test]
fn choices_interleave_and_each_has_one_role_and_one_finish() {
    let text = |choice| delta(choice, Delta::Text(Text::of("t")));
    let end = |choice| Event::Finish { choice, reason: FinishReason::Stop };
    let (chunks, _) = stream(false, vec![text(1), text(0), text(1), end(1), text(0), end(0), Event::End]);
    for index in [0, 1] {
        let of = chunks.iter().map(|chunk| &chunk["choices"][0]).filter(|choice| choice["index"] == index);
        let of: Vec<_> = of.collect();
        assert_eq!(of.iter().filter(|choice| choice["delta"].get("role").is_some()).count(), 1);
        assert_eq!(of.iter().filter(|choice| !choice["finish_reason"].is_null()).count(), 1);
        assert!(of[0]["delta"].get("role").is_some() && !of.last().unwrap()["finish_reason"].is_null());
    }
}

#[test]
fn thinking_blocks_join_to_what_has_to_come_back() {
    let thinking = |block, piece| delta(0, Delta::Thinking { block, piece });
    let said = vec![
        thinking(0, Thinking::Text(Text::of("Let me"))),
        thinking(0, Thinking::Text(Text::of(" see"))),
        thinking(0, Thinking::Signature(Text::of("sig"))),
        thinking(1, Thinking::Redacted(Text::of("blob"))),
        delta(0, Delta::Text(Text::of("4"))),
        finish(FinishReason::Stop),
        Event::End,
    ];
    let mut writer = CompletionWriter::new("c", "m", 1);
    said.clone().into_iter().for_each(|event| writer.write(event));
    let mut out = Vec::new();
    writer.finish(&mut out).unwrap();
    let whole: Tree = serde_json::from_slice(&out).unwrap();
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "Let me see");
    assert_eq!(message["content"], "4");
    let blocks = json!([
        {"index": 0, "type": "thinking", "thinking": "Let me see", "signature": "sig"},
        {"index": 1, "type": "redacted_thinking", "data": "blob"},
    ]);
    assert_eq!(message["extra_content"]["anthropic"]["thinking_blocks"], blocks);

    let (chunks, _) = stream(false, said);
    let pieces: Vec<Tree> = chunks
        .iter()
        .filter_map(|chunk| {
            chunk["choices"][0]["delta"].pointer("/extra_content/anthropic/thinking_blocks/0").cloned()
        })
        .collect();
    assert_eq!(
        pieces,
        [
            json!({"index": 0, "type": "thinking", "thinking": "Let me"}),
            json!({"index": 0, "thinking": " see"}),
            json!({"index": 0, "signature": "sig"}),
            json!({"index": 1, "type": "redacted_thinking", "data": "blob"}),
        ]
    );
}

#[test]
fn a_client_that_offered_functions_gets_a_function_call() {
    let said = vec![
        call(0, "a", "f"),
        delta(0, Delta::Arguments { index: 0, fragment: Text::of("{}") }),
        call(1, "b", "g"),
        finish(FinishReason::ToolCalls),
        Event::End,
    ];
    let mut chunks = ChunkWriter::new("c", "m", 1, false).with_functions(true);
    let mut whole = CompletionWriter::new("c", "m", 1).with_functions(true);
    let (mut stream, mut body) = (Vec::new(), Vec::new());
    for event in said {
        chunks.write(event.clone(), &mut stream);
        whole.write(event);
    }
    whole.finish(&mut body).unwrap();
    let pieces: Vec<Tree> = events(&stream)
        .iter()
        .filter_map(|event| serde_json::from_str::<Tree>(event).ok())
        .filter_map(|chunk| chunk["choices"][0]["delta"].get("function_call").cloned())
        .collect();
    assert_eq!(pieces, [json!({"name": "f", "arguments": ""}), json!({"arguments": "{}"})]);
    let whole: Tree = serde_json::from_slice(&body).unwrap();
    assert_eq!(whole["choices"][0]["message"]["function_call"], json!({"name": "f", "arguments": "{}"}));
    assert!(whole["choices"][0]["message"].get("tool_calls").is_none());
    assert_eq!(whole["choices"][0]["finish_reason"], "function_call");
}

/// An answer with everything in it that an event can say.
fn everything() -> Vec<Event<'static>> {
    let thinking = |block, piece| delta(0, Delta::Thinking { block, piece });
    let arguments = |index, text| delta(0, Delta::Arguments { index, fragment: Text::of(text) });
    let key = Text::of;
    vec![
        Event::Start { id: Some(key("c1")), model: Some(key("m1")), created: Some(17) },
        Event::Member { key: key("system_fingerprint"), value: b"\"fp\"" },
        thinking(0, Thinking::Text(Text::of("Let \"me\""))),
        thinking(0, Thinking::Text(Text::of(" see"))),
        thinking(0, Thinking::Signature(Text::of("sig"))),
        thinking(1, Thinking::Redacted(Text::of("blob"))),
        delta(0, Delta::Text(Text::of("line\n"))),
        delta(0, Delta::Text(Text::of("two"))),
        delta(0, Delta::Refusal(Text::of("no"))),
        delta(0, Delta::Member { key: key("annotations"), value: br#"[{"index":0,"type":"url_citation"}]"# }),
        delta(0, Delta::ChoiceMember { key: key("content_filter_results"), value: br#"{"hate":1}"# }),
        delta(0, Delta::Logprobs(br#"{"content":[{"token":"l"}],"refusal":null}"#)),
        call(0, "a", "f"),
        arguments(0, r#"{"x":"#),
        arguments(0, "1}"),
        delta(
            0,
            Delta::Call { index: 1, id: key("b"), name: key("g"), custom: true, signature: Some(key("s")) },
        ),
        arguments(1, "free text"),
        delta(1, Delta::Reasoning(Text::of("hm"))),
        delta(1, Delta::Text(Text::of("other"))),
        delta(1, Delta::Signature(Text::of("gs"))),
        Event::Finish { choice: 1, reason: FinishReason::Length },
        Event::Finish { choice: 0, reason: FinishReason::ToolCalls },
        Event::Usage(Usage {
            prompt: 3,
            completion: 4,
            cached: Some(2),
            reasoning: Some(1),
            total: Some(7),
            ..Usage::default()
        }),
        Event::End,
    ]
}

fn whole(say: impl FnOnce(&mut dyn FnMut(Event<'_>)), functions: bool) -> Tree {
    let mut writer = CompletionWriter::new("", "", 0).with_functions(functions);
    say(&mut |event| writer.write(event));
    let mut out = Vec::new();
    writer.finish(&mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn reread_text(text: &str, emit: &mut dyn FnMut(Event<'_>)) {
    let document = Document::parse(text.as_bytes(), Surrogates::Lone).unwrap();
    reread(document.root(), emit);
}

#[test]
fn what_the_writers_wrote_is_read_back() {
    let say = |events: Vec<Event<'static>>| {
        move |emit: &mut dyn FnMut(Event<'_>)| events.iter().cloned().for_each(&mut *emit)
    };
    let written = whole(say(everything()), false);
    let text = written.to_string();
    assert_eq!(whole(|emit| reread_text(&text, emit), false), written);

    let (chunks, done) = stream(true, everything());
    assert!(done.is_some());
    let read = whole(|emit| chunks.iter().for_each(|chunk| reread_text(&chunk.to_string(), emit)), false);
    assert_eq!(read, written, "an answer that was streamed is the answer that was not");
}

#[test]
fn a_function_call_is_read_back_by_its_name() {
    let said = [
        call(0, "a", "f"),
        delta(0, Delta::Arguments { index: 0, fragment: Text::of("{}") }),
        finish(FinishReason::ToolCalls),
        Event::End,
    ];
    let mut chunks = ChunkWriter::new("c", "m", 1, false).with_functions(true);
    let mut bytes = Vec::new();
    said.iter().cloned().for_each(|event| chunks.write(event, &mut bytes));
    let chunks: Vec<_> = events(&bytes).into_iter().filter(|event| *event != "[DONE]").collect();
    let read = whole(|emit| chunks.iter().for_each(|chunk| reread_text(chunk, emit)), true);
    assert_eq!(read["choices"][0]["message"]["function_call"], json!({"name": "f", "arguments": "{}"}));
    let text = read.to_string();
    assert_eq!(whole(|emit| reread_text(&text, emit), true), read);
}

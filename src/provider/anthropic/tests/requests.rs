use super::put;
use crate::error::Blame;
use serde_json::{Value as Tree, json};

const MODEL: &str = "claude-sonnet-4-5";

/// A request of one user message with these members besides.
fn with(members: Tree) -> Tree {
    let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    for (key, value) in members.as_object().unwrap() {
        request[key.as_str()] = value.clone();
    }
    request
}

/// What becomes of these members: the body without what every body has, and what is dropped.
fn members(model: &str, request: &Tree) -> (Tree, Vec<String>) {
    let (mut body, outgoing) = put(model, request).unwrap_or_else(|error| panic!("{request}: {error:?}"));
    let object = body.as_object_mut().unwrap();
    assert_eq!(object.remove("model"), Some(json!(model)));
    assert!(object.get("max_tokens").is_some_and(Tree::is_u64));
    if request.get("max_tokens").or(request.get("max_completion_tokens")).is_none() {
        object.remove("max_tokens");
    }
    if request["messages"] == with(json!({}))["messages"] {
        assert_eq!(object.remove("messages"), Some(json!([{"role": "user", "content": "Hi"}])));
    }
    (body, outgoing.dropped.iter().map(ToString::to_string).collect())
}

/// The turns and instructions that messages become.
fn turns(model: &str, messages: Tree) -> Tree {
    let (body, _) = members(model, &json!({"model": "m", "messages": messages, "max_tokens": 9}));
    json!([body.get("system").cloned().unwrap_or(json!([])), body["messages"]])
}

fn user(content: Tree) -> Tree {
    json!({"role": "user", "content": content})
}

fn text(text: &str) -> Tree {
    json!({"type": "text", "text": text})
}

#[test]
fn parameters_have_their_counterparts() {
    let cases = [
        (json!({"max_tokens": 5}), json!({"max_tokens": 5}), ""),
        (json!({"max_tokens": 5, "max_completion_tokens": 7}), json!({"max_tokens": 7}), ""),
        (json!({"temperature": 0.5}), json!({"temperature": 0.5}), ""),
        (json!({"temperature": 1.7}), json!({"temperature": 1}), ""),
        (json!({"top_p": 0.9, "top_k": 5}), json!({"top_p": 0.9, "top_k": 5}), ""),
        (json!({"temperature": 0.2, "top_p": 0.9}), json!({"temperature": 0.2}), "top_p"),
        (json!({"stop": "x"}), json!({"stop_sequences": ["x"]}), ""),
        (json!({"stop": ["x", " ", "y\n"]}), json!({"stop_sequences": ["x", "y\n"]}), "stop"),
        (json!({"stop": null, "n": 1, "stream": false, "logprobs": false, "top_logprobs": 0}), json!({}), ""),
        (json!({"stream": true, "stream_options": {"include_usage": true}}), json!({"stream": true}), ""),
        (json!({"user": "u-1"}), json!({"metadata": {"user_id": "u-1"}}), ""),
        (json!({"user": "u-1", "safety_identifier": "s"}), json!({"metadata": {"user_id": "s"}}), ""),
        (json!({"user": "a@b.example"}), json!({}), "user"),
        (json!({"user": "+49 (30) 1234567"}), json!({}), "user"),
        (json!({"user": "x".repeat(257)}), json!({}), "user"),
        (json!({"service_tier": "auto"}), json!({"service_tier": "auto"}), ""),
        (json!({"service_tier": "default"}), json!({"service_tier": "standard_only"}), ""),
        (json!({"service_tier": "flex"}), json!({}), "service_tier"),
        (
            json!({"seed": 0, "logit_bias": {}, "presence_penalty": 0, "frequency_penalty": 0.5, "store": false}),
            json!({}),
            "seed frequency_penalty",
        ),
        (
            json!({"metadata": {"a": "b"}, "verbosity": "low", "prompt_cache_key": "k", "prediction": {"type": "content"},
            "modalities": ["text"], "something": {"new": 1}}),
            json!({}),
            "metadata verbosity prompt_cache_key prediction something",
        ),
        (json!({"tool_choice": "auto", "parallel_tool_calls": false}), json!({}), ""),
        (
            json!({"web_search_options": {"user_location": {"type": "approximate", "approximate": {"country": "DE"}}}}),
            json!({"tools": [{"type": "web_search_20250305", "name": "web_search",
                "user_location": {"type": "approximate", "country": "DE"}}]}),
            "",
        ),
    ];
    for (given, expected, dropped) in cases {
        let found = members(MODEL, &with(given.clone()));
        assert_eq!(found, (expected, dropped.split_whitespace().map(String::from).collect()), "{given}");
    }
}

#[test]
fn the_most_tokens_are_the_targets_own_unless_asked_for_less() {
    use crate::chat::Request;
    use crate::json::{Document, Surrogates};
    use crate::provider::{Adapter, Target};
    for (model, catalog, asked, expected) in [
        ("claude-3-haiku-20240307", None, None, 4096),
        ("claude-sonnet-4-5", None, None, 64_000),
        ("claude-sonnet-4-5", Some(1000), None, 1000),
        ("claude-sonnet-4-5", Some(1000), Some(10), 10),
        ("claude-sonnet-4-5", Some(1000), Some(5000), 1000),
        ("some-model", None, Some(100_000), 100_000),
    ] {
        let request = with(asked.map_or(json!({}), |asked| json!({"max_tokens": asked}))).to_string();
        let document = Document::parse(request.as_bytes(), Surrogates::Paired).unwrap();
        let request = Request::read(document.root()).unwrap();
        let outgoing =
            super::Anthropic.request(&request, Target { model, max_output_tokens: catalog }).unwrap();
        let body: Tree = serde_json::from_slice(&outgoing.body).unwrap();
        assert_eq!(body["max_tokens"], expected, "{model}");
    }
}

#[test]
fn newer_models_take_no_sampling_parameters() {
    let request = with(json!({"temperature": 0.5, "top_p": 0.9, "top_k": 3}));
    for (model, expected, dropped) in [
        ("claude-3-5-haiku-latest", json!({"temperature": 0.5, "top_p": 0.9, "top_k": 3}), ""),
        ("claude-opus-4-6", json!({"temperature": 0.5, "top_k": 3}), "top_p"),
        ("claude-opus-4-7", json!({}), "temperature top_k top_p"),
    ] {
        assert_eq!(
            members(model, &request),
            (expected, dropped.split_whitespace().map(String::from).collect())
        );
    }
    let defaults = with(json!({"temperature": 1, "top_p": 1}));
    assert_eq!(members("claude-opus-5", &defaults), (json!({}), vec![]));
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
fn tools_and_choices_are_said_in_its_words() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "description": "d", "parameters": {"type": "object", "properties": {}}}});
    let said = |name: &str| json!({"name": name, "description": "d", "input_schema": {"type": "object", "properties": {}}});
    let both = json!([tool("a"), tool("b")]);
    for (choice, parallel, tools, expected) in [
        (json!(null), json!(null), json!([said("a"), said("b")]), json!(null)),
        (json!("auto"), json!(true), json!([said("a"), said("b")]), json!({"type": "auto"})),
        (json!("none"), json!(false), json!([said("a"), said("b")]), json!({"type": "none"})),
        (json!("required"), json!(null), json!([said("a"), said("b")]), json!({"type": "any"})),
        (
            json!("required"),
            json!(false),
            json!([said("a"), said("b")]),
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
        (
            json!(null),
            json!(false),
            json!([said("a"), said("b")]),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
        (
            json!({"type": "function", "function": {"name": "b"}}),
            json!(null),
            json!([said("a"), said("b")]),
            json!({"type": "tool", "name": "b"}),
        ),
        (
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "b"}}]}}),
            json!(null),
            json!([said("b")]),
            json!({"type": "any"}),
        ),
    ] {
        let request = with(json!({"tools": both, "tool_choice": choice, "parallel_tool_calls": parallel}));
        let (body, dropped) = members(MODEL, &request);
        assert_eq!(
            (&body["tools"], &body["tool_choice"], dropped.len()),
            (&tools, &expected, 0),
            "{choice} {parallel}"
        );
    }
    let schema =
        json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]});
    let function = |strict: bool| json!({"name": "a", "parameters": schema, "strict": strict});
    let request = |strict| {
        with(
            json!({"tools": [{"type": "function", "function": function(strict), "cache_control": {"type": "ephemeral"}}]}),
        )
    };
    let (body, _) = members(MODEL, &request(true));
    let closed = json!({"type": "object", "properties": {"n": {"type": "integer", "description": "{minimum: 1}"}}, "required": ["n"], "additionalProperties": false});
    assert_eq!(
        body["tools"][0],
        json!({"name": "a", "input_schema": closed, "strict": true, "cache_control": {"type": "ephemeral"}})
    );
    let (body, dropped) = members("claude-3-haiku", &request(true));
    assert_eq!(
        (&body["tools"][0]["input_schema"], dropped),
        (&schema, vec!["tools[].function.strict".to_string()])
    );
    assert_eq!(members(MODEL, &request(false)).0["tools"][0]["input_schema"], schema);
    for (function, schema) in [
        (json!({"name": "a"}), json!({"type": "object", "properties": {}})),
        (json!({"name": "a", "parameters": {}}), json!({"type": "object", "properties": {}})),
        (
            json!({"name": "a", "parameters": {"properties": {"x": {}}}}),
            json!({"type": "object", "properties": {"x": {}}}),
        ),
    ] {
        let (body, _) = members(MODEL, &with(json!({"tools": [{"type": "function", "function": function}]})));
        assert_eq!(body["tools"][0]["input_schema"], schema);
        let (legacy, _) =
            members(MODEL, &with(json!({"functions": [function], "function_call": {"name": "a"}})));
        assert_eq!(
            (&legacy["tools"], &legacy["tool_choice"]),
            (&body["tools"], &json!({"type": "tool", "name": "a"}))
        );
    }
    let own = json!({"type": "code_execution_20250825", "name": "code_execution"});
    assert_eq!(members(MODEL, &with(json!({"tools": [own]}))).0["tools"], json!([own]));
}

#[test]
fn the_form_of_the_answer_is_kept_by_schema_or_by_tool() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}});
    let request = with(json!({"response_format": format}));
    let (body, dropped) = members(MODEL, &request);
    assert_eq!(body, json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}}));
    assert!(dropped.is_empty());
    let answer_tool = |schema: &Tree| {
        json!({
            "name": "json_tool_call", "description": "Gives the answer. Its input is the whole answer, as JSON.", "input_schema": schema,
        })
    };
    let forced = json!({"type": "tool", "name": "json_tool_call", "disable_parallel_tool_use": true});
    let (body, _) = members("claude-3-5-sonnet-latest", &request);
    assert_eq!(body, json!({"tools": [answer_tool(&schema)], "tool_choice": forced}));
    let free = json!({"type": "object", "additionalProperties": true});
    let (body, _) = members(MODEL, &with(json!({"response_format": {"type": "json_object"}})));
    assert_eq!(body, json!({"tools": [answer_tool(&free)], "tool_choice": forced}));
    // A map cannot be closed: constrained decoding would empty it.
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let open = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": map}});
    let (body, _) = members(MODEL, &with(json!({"response_format": open})));
    assert_eq!(body["tools"], json!([answer_tool(&map)]));
    // Beside the client's tools it is one to choose; where a call is required, the answer is the call.
    let tool = json!({"type": "function", "function": {"name": "f"}});
    for (choice, count, expected) in [
        (json!("auto"), 2, json!({"type": "any"})),
        (
            json!("none"),
            2,
            json!({"type": "tool", "name": "json_tool_call", "disable_parallel_tool_use": true}),
        ),
        (json!("required"), 1, json!({"type": "any"})),
    ] {
        let request = with(json!({"response_format": format, "tools": [tool], "tool_choice": choice}));
        let (body, _) = members("claude-3-5-sonnet-latest", &request);
        assert_eq!(
            (body["tools"].as_array().unwrap().len(), &body["tool_choice"]),
            (count, &expected),
            "{choice}"
        );
    }
    assert_eq!(members(MODEL, &with(json!({"response_format": {"type": "text"}}))).0, json!({}));
}

#[test]
fn reasoning_is_asked_for_as_the_model_knows_it() {
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    let budget = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    let effort = |effort: &str| json!({"effort": effort});
    let none = Tree::Null;
    for (model, asked, thinking, config, lost) in [
        ("claude-3-5-haiku-latest", "high", none.clone(), none.clone(), true),
        ("claude-3-5-haiku-latest", "none", none.clone(), none.clone(), false),
        ("claude-sonnet-4-5", "none", none.clone(), none.clone(), false),
        ("claude-sonnet-4-5", "minimal", budget(1024), none.clone(), false),
        ("claude-sonnet-4-5", "medium", budget(2048), none.clone(), false),
        ("claude-opus-4-5", "max", budget(16_384), none.clone(), false),
        ("claude-sonnet-4-6", "minimal", adaptive.clone(), effort("low"), false),
        ("claude-sonnet-4-6", "xhigh", adaptive.clone(), effort("high"), true),
        ("claude-sonnet-4-6", "max", adaptive.clone(), effort("max"), false),
        ("claude-sonnet-4-6", "none", none.clone(), none.clone(), false),
        ("claude-opus-4-8", "xhigh", adaptive.clone(), effort("xhigh"), false),
        ("claude-opus-5", "none", json!({"type": "disabled"}), none.clone(), false),
        ("claude-sonnet-5-5", "none", json!({"type": "between_tools"}), none.clone(), false),
        ("claude-opus-5-5", "none", none.clone(), effort("low"), true),
        ("claude-opus-5-5", "medium", adaptive, effort("medium"), false),
    ] {
        let (body, dropped) = members(model, &with(json!({"reasoning_effort": asked})));
        let found = (&body["thinking"], &body["output_config"], dropped == ["reasoning_effort"]);
        assert_eq!(found, (&thinking, &config, lost), "{model} {asked}");
    }
    // The limit is the client's: thinking is made to fit, or left out.
    for (most, thinking, lost) in
        [(2000, budget(1999), false), (1025, budget(1024), false), (1024, Tree::Null, true)]
    {
        let (body, dropped) = members(MODEL, &with(json!({"reasoning_effort": "high", "max_tokens": most})));
        assert_eq!((&body["thinking"], dropped.len()), (&thinking, usize::from(lost)), "{most}");
    }
    // Thinking excludes sampling and forced calls.
    let (body, dropped) = members(
        MODEL,
        &with(json!({"reasoning_effort": "low", "temperature": 0.1, "top_p": 0.97, "top_k": 4})),
    );
    assert_eq!(
        (body, dropped),
        (
            json!({"thinking": budget(1024), "top_p": 0.97}),
            vec!["temperature".to_string(), "top_k".to_string()]
        )
    );
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let forced = with(json!({"tools": tools, "tool_choice": "required", "reasoning_effort": "low"}));
    for (model, thinking) in
        [(MODEL, Tree::Null), ("claude-opus-4-6", Tree::Null), ("claude-opus-5", json!({"type": "disabled"}))]
    {
        let (body, dropped) = members(model, &forced);
        assert_eq!((&body["thinking"], &body["tool_choice"]["type"]), (&thinking, &json!("any")), "{model}");
        assert_eq!(dropped, ["reasoning_effort"], "{model}");
    }
}

#[test]
fn a_tool_loop_goes_on_with_its_own_thinking_or_with_none() {
    let block = json!({"type": "thinking", "thinking": "Hm.", "signature": "c2ln", "index": 0});
    let redacted = json!({"type": "redacted_thinking", "data": "eA==", "index": 1});
    let unsigned = json!({"type": "thinking", "thinking": "Hm.", "signature": ""});
    let call = json!({"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let messages = |extra: Tree, after: &[Tree]| {
        let mut step =
            json!({"role": "assistant", "content": "So:", "tool_calls": [call], "reasoning_content": "Hm."});
        for (key, value) in extra.as_object().unwrap() {
            step[key.as_str()] = value.clone();
        }
        let result = json!({"role": "tool", "tool_call_id": "t", "content": "1"});
        [vec![user(json!("a")), step, result], after.to_vec()].concat()
    };
    let ours = json!({"extra_content": {"anthropic": {"thinking_blocks": [block, redacted]}}});
    let litellms = json!({"thinking_blocks": [block, redacted]});
    let replayed = json!([{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, {"type": "redacted_thinking", "data": "eA=="}]);
    for (extra, kept) in [
        (ours.clone(), true),
        (litellms, true),
        (json!({"thinking_blocks": [unsigned]}), false),
        (json!({}), false),
    ] {
        let request = with(json!({"reasoning_effort": "low", "messages": messages(extra.clone(), &[])}));
        let (body, dropped) = members(MODEL, &request);
        let content = body["messages"][1]["content"].as_array().unwrap();
        let (thinking, rest) = content.split_at(content.len() - 2);
        assert_eq!((&rest[0]["type"], &rest[1]["type"]), (&json!("text"), &json!("tool_use")));
        assert_eq!(json!(thinking), if kept { replayed.clone() } else { json!([]) }, "{extra}");
        assert_eq!(body.get("thinking").is_some(), kept, "{extra}");
        assert_eq!(dropped, if kept { vec![] } else { vec!["reasoning_effort".to_string()] }, "{extra}");
    }
    // A later step without thinking goes on from the first one's; a new question begins anew.
    let later = [
        json!({"role": "assistant", "tool_calls": [call]}),
        json!({"role": "tool", "tool_call_id": "t", "content": "2"}),
    ];
    let request = with(json!({"reasoning_effort": "low", "messages": messages(ours.clone(), &later)}));
    assert!(members(MODEL, &request).0.get("thinking").is_some());
    let anew = [json!({"role": "assistant", "content": "Done."}), user(json!("b"))];
    let request = with(json!({"reasoning_effort": "low", "messages": messages(json!({}), &anew)}));
    assert!(members(MODEL, &request).0.get("thinking").is_some());
    // Models that think adaptively go on without.
    let request = with(json!({"reasoning_effort": "low", "messages": messages(json!({}), &[])}));
    assert_eq!(members("claude-opus-4-6", &request).0["thinking"]["type"], "adaptive");
    // Thinking that is off takes nothing back; thinking that is always on does.
    let request = with(json!({"messages": messages(ours, &[])}));
    assert_eq!(members(MODEL, &request).0["messages"][1]["content"].as_array().unwrap().len(), 2);
    assert_eq!(members("claude-opus-5", &request).0["messages"][1]["content"].as_array().unwrap().len(), 4);
}

#[test]
fn what_cannot_be_honoured_is_refused_and_named() {
    let part = |part: Tree| json!({"messages": [user(json!([part]))]});
    let tool = |tool: Tree| json!({"tools": [tool]});
    let function = json!({"type": "function", "function": {"name": "f"}});
    for (model, given, param) in [
        (MODEL, json!({"n": 2}), "n"),
        (MODEL, json!({"logprobs": true}), "logprobs"),
        (MODEL, json!({"top_logprobs": 2}), "top_logprobs"),
        (MODEL, json!({"modalities": ["text", "audio"], "audio": {"voice": "x"}}), "modalities"),
        (
            MODEL,
            part(json!({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}})),
            "messages[0].content[0].input_audio",
        ),
        (MODEL, part(json!({"type": "video_url", "video_url": {}})), "messages[0].content[0].type"),
        (
            MODEL,
            part(json!({"type": "file", "file": {"file_id": "file-abc"}})),
            "messages[0].content[0].file.file_id",
        ),
        (
            MODEL,
            part(json!({"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,AA"}})),
            "messages[0].content[0].image_url.url",
        ),
        (MODEL, tool(json!({"type": "custom", "custom": {"name": "c"}})), "tools[0].type"),
        (MODEL, tool(json!({"type": "mcp"})), "tools[0].type"),
        (
            MODEL,
            tool(json!({"type": "function", "function": {"name": "json_tool_call"}})),
            "tools[0].function.name",
        ),
        ("claude-opus-5-5", json!({"tools": [function], "tool_choice": "required"}), "tool_choice"),
        ("claude-opus-5-5", json!({"response_format": {"type": "json_object"}}), "response_format"),
        (
            "claude-opus-4-6",
            json!({"messages": [user(json!("a")), {"role": "assistant", "content": "b"}]}),
            "messages",
        ),
    ] {
        let error = put(model, &with(given.clone())).unwrap_err();
        assert_eq!((error.status, error.code.as_deref()), (400, Some("unsupported_parameter")), "{given}");
        assert_eq!((error.param.as_deref(), error.blame), (Some(param), Blame::Target), "{given}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_and_named() {
    let call = json!({"id": "t", "type": "function", "function": {"name": "f", "arguments": "{\"x\":"}});
    let image =
        |url: &str| json!({"messages": [user(json!([{"type": "image_url", "image_url": {"url": url}}]))]});
    for (given, param) in [
        (
            json!({"messages": [user(json!("a")), {"role": "assistant", "tool_calls": [call]}]}),
            "messages[1].tool_calls[0].function.arguments",
        ),
        (image("ftp://x"), "messages[0].content[0].image_url.url"),
        (image("data:image/png,AA"), "messages[0].content[0].image_url.url"),
        (image("data:image/png;base64"), "messages[0].content[0].image_url.url"),
        (image("data:text/plain;base64,*"), "messages[0].content[0].image_url.url"),
        (
            json!({"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]}),
            "messages[0].content[0].type",
        ),
        (json!({"tool_choice": "required"}), "tool_choice"),
    ] {
        let error = put(MODEL, &with(given.clone())).unwrap_err();
        assert_eq!(
            (error.status, error.code.as_deref(), error.param.as_deref()),
            (400, Some("invalid_value"), Some(param)),
            "{given}"
        );
    }
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

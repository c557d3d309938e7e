use super::{MODEL, members, put, user, with};
use crate::error::Blame;
use serde_json::{Value as Tree, json};

#[test]
fn parameters_have_their_counterparts() {
    let cases = [
        (json!({"max_tokens": 5}), json!({"max_tokens": 5}), ""),
        (json!({"max_tokens": 5, "max_completion_tokens": 7}), json!({"max_tokens": 7}), ""),
        (json!({"temperature": 0.5}), json!({"temperature": 0.5}), ""),
        (json!({"temperature": 1.7}), json!({"temperature": 1}), "temperature"),
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
    let call = |arguments: &str| {
        let call = json!({"id": "t", "type": "function", "function": {"name": "f", "arguments": arguments}});
        json!({"messages": [user(json!("a")), {"role": "assistant", "tool_calls": [call]}]})
    };
    let image =
        |url: &str| json!({"messages": [user(json!([{"type": "image_url", "image_url": {"url": url}}]))]});
    for (given, param) in [
        (call("{\"x\":"), "messages[1].tool_calls[0].function.arguments"),
        (call(r#"{"x":"\ud83d"}"#), "messages[1].tool_calls[0].function.arguments"),
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

//! Parameters, tools and the path.

use super::*;

#[test]
fn parameters_are_said_in_the_generation_config() {
    let schema = json!({"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "additionalProperties": false});
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}});
    let subset = json!({"type": "object", "properties": {"a": {"type": "string", "nullable": true}}});
    for (model, more, config, dropped) in [
        ("gemini-2.5-flash", json!({}), Tree::Null, vec![]),
        ("gemini-2.5-flash", json!({"max_tokens": 5}), json!({"maxOutputTokens": 5}), vec![]),
        (
            "gemini-2.5-flash",
            json!({"max_tokens": 5, "max_completion_tokens": 99_999}),
            json!({"maxOutputTokens": 65_536}),
            vec![],
        ),
        (
            "gemini-2.5-flash",
            json!({"temperature": 0.70, "top_p": 0.9, "top_k": 40, "n": 2, "stop": "X", "seed": -7}),
            json!({"temperature": 0.7, "topP": 0.9, "topK": 40, "candidateCount": 2, "stopSequences": ["X"], "seed": -7}),
            vec![],
        ),
        (
            "gemini-2.5-flash",
            json!({"stop": ["a", "b"], "seed": 5_000_000_000_i64}),
            json!({"stopSequences": ["a", "b"], "seed": 705_032_705}),
            vec![],
        ),
        (
            "gemini-2.0-flash",
            json!({"presence_penalty": 0.5, "frequency_penalty": 0}),
            json!({"presencePenalty": 0.5}),
            vec![],
        ),
        (
            "gemini-2.5-flash",
            json!({"presence_penalty": 0.5, "frequency_penalty": 0}),
            Tree::Null,
            vec!["presence_penalty"],
        ),
        (
            "gemini-3.8-flash",
            json!({"temperature": 0.2, "top_p": 1}),
            Tree::Null,
            vec!["temperature", "top_p"],
        ),
        (
            "gemini-2.5-flash",
            json!({"logprobs": true, "top_logprobs": 5}),
            json!({"responseLogprobs": true, "logprobs": 5}),
            vec![],
        ),
        ("gemini-2.5-flash", json!({"logprobs": false, "top_logprobs": 0}), Tree::Null, vec![]),
        (
            "gemini-2.5-flash",
            json!({"response_format": {"type": "json_object"}}),
            json!({"responseMimeType": "application/json"}),
            vec![],
        ),
        (
            "gemini-2.5-flash",
            json!({"response_format": format}),
            json!({"responseMimeType": "application/json", "responseJsonSchema": schema}),
            vec![],
        ),
        (
            "gemini-2.0-flash",
            json!({"response_format": format}),
            json!({"responseMimeType": "application/json", "responseSchema": subset}),
            vec![],
        ),
        (
            "gemini-2.5-flash",
            json!({"reasoning_effort": "medium"}),
            json!({"thinkingConfig": {"thinkingBudget": 8192, "includeThoughts": true}}),
            vec![],
        ),
        (
            "gemini-2.5-flash",
            json!({"reasoning_effort": "none"}),
            json!({"thinkingConfig": {"thinkingBudget": 0}}),
            vec![],
        ),
        (
            "gemini-2.5-pro",
            json!({"reasoning_effort": "none"}),
            json!({"thinkingConfig": {"thinkingBudget": 128}}),
            vec!["reasoning_effort"],
        ),
        (
            "gemini-3-pro-preview",
            json!({"reasoning_effort": "low"}),
            json!({"thinkingConfig": {"thinkingLevel": "low", "includeThoughts": true}}),
            vec![],
        ),
        ("gemini-2.0-flash", json!({"reasoning_effort": "low"}), Tree::Null, vec!["reasoning_effort"]),
        (
            "gemini-2.5-flash-image",
            json!({"modalities": ["text", "image"]}),
            json!({"responseModalities": ["TEXT", "IMAGE"]}),
            vec![],
        ),
        (
            "gemini-2.5-flash",
            json!({"user": "u", "metadata": {"a": "b"}, "store": true, "logit_bias": {"1": 2}, "service_tier": "flex", "verbosity": "low", "brand_new": 1}),
            Tree::Null,
            vec!["user", "metadata", "store", "logit_bias", "service_tier", "verbosity", "brand_new"],
        ),
        (
            "gemini-2.5-flash",
            json!({"store": false, "metadata": {}, "logit_bias": null, "service_tier": "auto", "stream": true, "stream_options": {"include_usage": true}, "parallel_tool_calls": true, "modalities": ["text"]}),
            Tree::Null,
            vec![],
        ),
    ] {
        let (body, lost) = translated(model, &hello(more.clone())).expect("it fits");
        assert_eq!(body.get("generationConfig").cloned().unwrap_or_default(), config, "{model} {more}");
        assert_eq!(lost, dropped, "{model} {more}");
        assert_eq!(body["contents"], json!([user("Hello")]));
    }
}

#[test]
fn what_stands_inside_messages_and_tools_is_named_when_it_is_lost() {
    let messages = json!([
        {"role": "user", "name": "ann", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "image_url", "image_url": {"url": "https://e.com/a.png", "detail": "high"}}]},
    ]);
    let tools = json!([{"type": "function", "function": {"name": "f", "strict": true}}]);
    let (_, lost) = translated(
        "gemini-2.5-flash",
        &chat(messages, json!({"tools": tools, "parallel_tool_calls": false})),
    )
    .unwrap();
    let expected = [
        "parallel_tool_calls",
        "tools[].function.strict",
        "messages[].name",
        "messages[].content[].cache_control",
        "messages[].content[].image_url.detail",
    ];
    assert_eq!(lost, expected);
}

#[test]
fn tools_are_declared_and_chosen() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}, "additionalProperties": false});
    let tools = json!([
        {"type": "function", "function": {"name": "f", "description": "F", "parameters": schema, "strict": false}},
        {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
        {"type": "function", "function": {"name": "h"}},
    ]);
    let newer = json!([{"functionDeclarations": [
        {"name": "f", "description": "F", "parametersJsonSchema": schema},
        {"name": "g", "parametersJsonSchema": {"type": "object", "properties": {}}},
        {"name": "h"},
    ]}]);
    let older = json!([{"functionDeclarations": [
        {"name": "f", "description": "F", "parameters": {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}}},
        {"name": "g"},
        {"name": "h"},
    ]}]);
    let only_g = json!([{"functionDeclarations": [{"name": "g", "parametersJsonSchema": {"type": "object", "properties": {}}}]}]);
    let mode = |mode: &str| json!({"functionCallingConfig": {"mode": mode}});
    let any = |names: Tree| json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": names}});
    let allowed = |mode: &str| json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [{"type": "function", "function": {"name": "g"}}]}});
    for (model, choice, declared, config) in [
        ("gemini-2.5-flash", Tree::Null, &newer, Tree::Null),
        ("gemini-2.0-flash", Tree::Null, &older, Tree::Null),
        ("gemini-2.5-flash", json!("auto"), &newer, mode("AUTO")),
        ("gemini-2.5-flash", json!("none"), &newer, mode("NONE")),
        ("gemini-2.5-flash", json!("required"), &newer, mode("ANY")),
        (
            "gemini-2.5-flash",
            json!({"type": "function", "function": {"name": "h"}}),
            &newer,
            any(json!(["h"])),
        ),
        ("gemini-2.5-flash", allowed("required"), &newer, any(json!(["g"]))),
        ("gemini-2.5-flash", allowed("auto"), &only_g, mode("AUTO")),
    ] {
        let (body, _) = translated(model, &hello(json!({"tools": tools, "tool_choice": choice}))).unwrap();
        assert_eq!(&body["tools"], declared, "{choice}");
        assert_eq!(body.get("toolConfig").cloned().unwrap_or_default(), config, "{choice}");
    }
    let (body, _) =
        translated("gemini-2.5-flash", &hello(json!({"tool_choice": "auto", "tools": []}))).unwrap();
    assert_eq!(body, json!({"contents": [user("Hello")]}));
    let (body, lost) = translated("gemini-2.5-flash", &hello(json!({"web_search_options": {}}))).unwrap();
    assert_eq!((&body["tools"], lost.len()), (&json!([{"googleSearch": {}}]), 0));
    let (body, _) = translated(
        "gemini-2.5-flash",
        &hello(json!({"safety_settings": [{"category": "C", "threshold": "T"}]})),
    )
    .unwrap();
    assert_eq!(body["safetySettings"], json!([{"category": "C", "threshold": "T"}]));
}

#[test]
fn no_model_name_changes_the_path() {
    for (model, path) in [
        ("gemini-2.5-flash", "/models/gemini-2.5-flash"),
        ("models/gemini-2.5-flash", "/models/gemini-2.5-flash"),
        ("a/../../b?c#d%e f:g\r\n", "/models/a%2F..%2F..%2Fb%3Fc%23d%25e%20f%3Ag%0D%0A"),
        ("..", "/models/.."),
        ("é", "/models/%C3%A9"),
    ] {
        assert_eq!(Gemini.path(target(model), false), format!("{path}:generateContent"));
        assert_eq!(Gemini.path(target(model), true), format!("{path}:streamGenerateContent?alt=sse"));
    }
    assert_eq!(Gemini.credential("k"), ("x-goog-api-key", "k".to_string()));
}

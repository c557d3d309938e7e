use super::*;
use crate::error::Blame;

fn say(extra: Value) -> Value {
    let mut body = json!({"model": "asked", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

/// Sends top-level members and gives those that came out, less model and messages.
fn sent(vendor: &str, model: &str, extra: Value) -> (Value, Vec<String>) {
    let (mut body, outgoing) = outgoing(vendor, model, &say(extra)).unwrap();
    assert_eq!(body["model"], model);
    body.as_object_mut().unwrap().retain(|key, _| key != "model" && key != "messages");
    (body, outgoing.dropped.iter().map(ToString::to_string).collect())
}

fn messages(vendor: &str, messages: Value) -> Value {
    outgoing(vendor, "m", &json!({"model": "a", "messages": messages})).unwrap().0["messages"].clone()
}

#[test]
fn members_are_renamed_converted_and_left_out_as_the_vendor_wants() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}]);
    let f = json!([tools[0]]);
    let allowed = |mode: &str| {
        let list = json!([{"type": "function", "function": {"name": "f"}}]);
        json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list}})
    };
    let no = || json!({});
    let cases = [
        // The limit on tokens: the vendor's name, at most what the model can do.
        ("openai", "gpt-4o", json!({"max_tokens": 5}), json!({"max_tokens": 5}), ""),
        ("openai", "gpt-4o", json!({"max_completion_tokens": 5}), json!({"max_completion_tokens": 5}), ""),
        ("openai", "gpt-5-mini", json!({"max_tokens": 5}), json!({"max_completion_tokens": 5}), ""),
        ("openai", "gpt-4o", json!({"max_tokens": 99999}), json!({"max_tokens": 4096}), ""),
        ("mistral", "m", json!({"max_completion_tokens": 5}), json!({"max_tokens": 5}), ""),
        ("cerebras", "m", json!({"max_tokens": 5}), json!({"max_completion_tokens": 5}), ""),
        (
            "groq",
            "m",
            json!({"max_completion_tokens": 5, "max_tokens": 9}),
            json!({"max_completion_tokens": 5}),
            "",
        ),
        // Usage is asked for in every stream.
        (
            "openai",
            "m",
            json!({"stream": true}),
            json!({"stream": true, "stream_options": {"include_usage": true}}),
            "",
        ),
        (
            "openai",
            "m",
            json!({"stream": true, "stream_options": {"include_usage": false, "include_obfuscation": false}}),
            json!({"stream": true, "stream_options": {"include_obfuscation": false, "include_usage": true}}),
            "",
        ),
        (
            "groq",
            "m",
            json!({"stream": true, "stream_options": {"include_obfuscation": false}}),
            json!({"stream": true, "stream_options": {"include_usage": true}}),
            "",
        ),
        (
            "mistral",
            "m",
            json!({"stream": true, "stream_options": {"include_usage": true}}),
            json!({"stream": true}),
            "",
        ),
        ("openai", "m", json!({"stream": false, "stream_options": null}), json!({"stream": false}), ""),
        // Unknown members are the client's business.
        ("openai", "m", json!({"new_thing": [1, 2]}), json!({"new_thing": [1, 2]}), ""),
        (
            "mistral",
            "m",
            json!({"safe_prompt": true, "top_k": 3}),
            json!({"safe_prompt": true, "top_k": 3}),
            "",
        ),
        // Names and words.
        ("mistral", "m", json!({"seed": 7}), json!({"random_seed": 7}), ""),
        (
            "mistral",
            "m",
            json!({"tools": tools, "tool_choice": "required"}),
            json!({"tools": tools, "tool_choice": "any"}),
            "",
        ),
        ("mistral", "m", json!({"tools": [], "tool_choice": "auto"}), no(), ""),
        (
            "groq",
            "m",
            json!({"tools": tools, "tool_choice": allowed("auto")}),
            json!({"tools": f, "tool_choice": "auto"}),
            "",
        ),
        (
            "mistral",
            "m",
            json!({"tools": tools, "tool_choice": allowed("required")}),
            json!({"tools": f, "tool_choice": "any"}),
            "",
        ),
        (
            "openai",
            "m",
            json!({"tools": tools, "tool_choice": allowed("auto")}),
            json!({"tools": tools, "tool_choice": allowed("auto")}),
            "",
        ),
        // Harmless losses are told of; defaults are none.
        (
            "mistral",
            "m",
            json!({"store": true, "user": "u", "metadata": {"a": "b"}, "logit_bias": {"1": 2}, "logprobs": false}),
            no(),
            "store user metadata logit_bias",
        ),
        ("groq", "m", json!({"logit_bias": {"1": 2}, "user": "u"}), json!({"user": "u"}), "logit_bias"),
        (
            "cerebras",
            "m",
            json!({"frequency_penalty": 0.5, "presence_penalty": 0}),
            no(),
            "frequency_penalty",
        ),
        ("openai", "gpt-5-mini", json!({"temperature": 0.2, "top_p": 1}), no(), "temperature"),
        ("openai", "gpt-5.1", json!({"temperature": 0.2}), json!({"temperature": 0.2}), ""),
        ("xai", "grok-4", json!({"presence_penalty": 1.5}), no(), "presence_penalty"),
        ("openai", "gpt-4o", json!({"store": true, "seed": -1}), json!({"store": true, "seed": -1}), ""),
        // How much to reason.
        ("openai", "gpt-5", json!({"reasoning_effort": "xhigh"}), json!({"reasoning_effort": "xhigh"}), ""),
        ("deepseek", "m", json!({"reasoning_effort": "minimal"}), json!({"reasoning_effort": "low"}), ""),
        ("deepseek", "m", json!({"reasoning_effort": "none"}), json!({"thinking": {"type": "disabled"}}), ""),
        (
            "groq",
            "openai/gpt-oss-20b",
            json!({"reasoning_effort": "max"}),
            json!({"reasoning_effort": "high"}),
            "",
        ),
        (
            "groq",
            "openai/gpt-oss-20b",
            json!({"reasoning_effort": "none"}),
            json!({"reasoning_effort": "low"}),
            "",
        ),
        (
            "groq",
            "qwen/qwen3-32b",
            json!({"reasoning_effort": "none"}),
            json!({"reasoning_effort": "none"}),
            "",
        ),
        ("groq", "llama-3.3-70b", json!({"reasoning_effort": "high"}), no(), "reasoning_effort"),
        (
            "mistral",
            "mistral-small-latest",
            json!({"reasoning_effort": "low"}),
            json!({"reasoning_effort": "high"}),
            "",
        ),
        ("mistral", "codestral", json!({"reasoning_effort": "low"}), no(), "reasoning_effort"),
        ("qwen", "qwen3", json!({"reasoning_effort": "none"}), json!({"enable_thinking": false}), ""),
        (
            "qwen",
            "qwen3",
            json!({"reasoning_effort": "low"}),
            json!({"enable_thinking": true, "thinking_budget": 1024}),
            "",
        ),
        ("qwen", "qwen3", json!({"reasoning_effort": "max"}), json!({"enable_thinking": true}), ""),
        (
            "qwen",
            "qwen3",
            json!({"reasoning_effort": "low", "enable_thinking": false, "thinking_budget": 7}),
            json!({"enable_thinking": false, "thinking_budget": 7}),
            "",
        ),
        (
            "moonshot",
            "kimi-k2.6",
            json!({"reasoning_effort": "high"}),
            json!({"thinking": {"type": "enabled"}}),
            "",
        ),
        (
            "moonshot",
            "kimi-k3",
            json!({"reasoning_effort": "medium"}),
            json!({"reasoning_effort": "high"}),
            "",
        ),
        (
            "vllm",
            "m",
            json!({"reasoning_effort": "none"}),
            json!({"chat_template_kwargs": {"enable_thinking": false}}),
            "",
        ),
        ("xai", "grok-4", json!({"reasoning_effort": "low"}), no(), "reasoning_effort"),
        (
            "xai",
            "grok-3-mini",
            json!({"reasoning_effort": "medium"}),
            json!({"reasoning_effort": "high"}),
            "",
        ),
        ("openrouter", "m", json!({"reasoning_effort": "max"}), json!({"reasoning_effort": "xhigh"}), ""),
    ];
    for (vendor, model, extra, expected, dropped) in cases {
        let (body, lost) = sent(vendor, model, extra.clone());
        assert_eq!(body, expected, "{vendor} {model} {extra}");
        assert_eq!(lost.join(" "), dropped, "{vendor} {model} {extra}");
    }
}

#[test]
fn what_a_vendor_cannot_do_is_refused_so_that_another_may() {
    let custom = json!([{"type": "custom", "custom": {"name": "f"}}]);
    let schema = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {}}});
    let speech = json!({"modalities": ["text", "audio"], "audio": {"voice": "x", "format": "mp3"}});
    let cases = [
        ("groq", "m", json!({"n": 2}), Some("n")),
        ("groq", "m", json!({"n": 1}), None),
        ("openai", "m", json!({"n": 2}), None),
        ("groq", "m", json!({"logprobs": true}), Some("logprobs")),
        ("mistral", "m", json!({"logprobs": false}), None),
        ("deepseek", "m", json!({"response_format": schema}), Some("response_format")),
        ("deepseek", "m", json!({"response_format": {"type": "json_object"}}), None),
        ("groq", "m", speech.clone(), Some("modalities")),
        ("openai", "m", speech, None),
        ("groq", "m", json!({"tools": custom}), Some("tools")),
        ("azure", "m", json!({"tools": custom}), None),
        ("mistral", "m", json!({"functions": [{"name": "f"}]}), Some("functions")),
        ("openai", "m", json!({"functions": [{"name": "f"}]}), None),
        ("xai", "grok-4", json!({"stop": "x"}), Some("stop")),
        ("xai", "grok-2", json!({"stop": "x"}), None),
    ];
    for (vendor, model, extra, param) in cases {
        let error = outgoing(vendor, model, &say(extra.clone())).err();
        let found = error.as_ref().map(|error| error.param.as_deref().unwrap());
        assert_eq!(found, param, "{vendor} {extra}");
        if let Some(error) = error {
            assert_eq!((error.status, error.blame), (400, Blame::Target));
            assert_eq!(error.code.as_deref(), Some("unsupported_parameter"));
        }
    }
}

#[test]
fn bytes_that_need_no_change_are_kept() {
    let body =
        r#"{"model":"a" , "messages":[ {"role":"user","content":"\u00e9\/ 1.50"} ],"temperature":1e0}"#;
    let document = Document::parse(body.as_bytes(), Surrogates::Paired).unwrap();
    let request = Request::read(document.root()).unwrap();
    let out = adapter("openai").request(&request, Target { model: "b", max_output_tokens: None }).unwrap();
    let expected =
        r#"{"model":"b","messages":[{"role":"user","content":"\u00e9\/ 1.50"}],"temperature":1e0}"#;
    assert_eq!(String::from_utf8(out.body).unwrap(), expected);
}

/// An answer of Anthropic or Gemini as this gateway writes it, and as others do, echoed.
fn echoed() -> Value {
    let blocks = json!([{"type": "thinking", "thinking": "t", "signature": "s"}]);
    json!([
        {"role": "developer", "content": [{"type": "text", "text": "d", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a", "reasoning_content": "r", "cache_control": {"type": "ephemeral"},
         "thinking_blocks": blocks, "extra_content": {"anthropic": {"thinking_blocks": blocks}}},
        {"role": "user", "content": "q2"},
        {"role": "assistant", "content": null, "reasoning_content": "r2", "reasoning_details": [{"type": "reasoning.text"}],
         "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"},
                         "extra_content": {"google": {"thought_signature": "g"}}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "ok"},
    ])
}

#[test]
fn echoes_of_another_provider_go_to_nobody_but_who_wants_them() {
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let google = json!({"google": {"thought_signature": "g"}});
    let mut signed = call.clone();
    signed["extra_content"] = google;
    let plain = json!([{"type": "text", "text": "d"}]);
    let last = |extra: Value, call: &Value| {
        let mut message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        message.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        message
    };
    let cases = [
        ("openai", "developer", json!({}), json!({}), &call),
        ("azure", "developer", json!({}), json!({}), &call),
        ("xai", "system", json!({}), json!({}), &call),
        ("deepseek", "system", json!({}), json!({"reasoning_content": "r2"}), &call),
        ("moonshot", "system", json!({}), json!({"reasoning_content": "r2"}), &call),
        ("groq", "system", json!({}), json!({"reasoning": "r2"}), &call),
        ("compatible", "system", json!({}), json!({"reasoning_content": "r2"}), &signed),
    ];
    for (vendor, role, first, second, call) in cases {
        let mut answer = json!({"role": "assistant", "content": "a"});
        answer.as_object_mut().unwrap().extend(first.as_object().unwrap().clone());
        let expected = json!([
            {"role": role, "content": plain},
            {"role": "user", "content": "q"},
            answer,
            {"role": "user", "content": "q2"},
            last(second, call),
            {"role": "tool", "tool_call_id": "call_1", "content": "ok"},
        ]);
        assert_eq!(messages(vendor, echoed()), expected, "{vendor}");
    }
    let kept = messages("openrouter", echoed());
    assert_eq!(kept[0], echoed()[0]);
    assert_eq!(
        kept[2],
        json!({"role": "assistant", "content": "a", "reasoning": "r", "cache_control": {"type": "ephemeral"}})
    );
    assert_eq!(kept[4]["reasoning_details"], echoed()[4]["reasoning_details"]);
}

#[test]
fn a_call_without_the_reasoning_that_must_be_there_gets_a_blank() {
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let history = json!([
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "ok"},
    ]);
    assert_eq!(messages("deepseek", history.clone())[1]["reasoning_content"], " ");
    assert_eq!(messages("vllm", history.clone()), history);
}

#[test]
fn mistral_gets_ids_of_nine_characters_and_its_order_of_roles() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let history = json!([
        {"role": "user", "content": "q", "name": "ann"},
        {"role": "assistant", "content": "", "refusal": null, "annotations": [], "tool_calls": [call("call_long"), call("abc123XYZ")]},
        {"role": "tool", "tool_call_id": "call_long", "content": "1"},
        {"role": "tool", "tool_call_id": "abc123XYZ", "content": "2"},
        {"role": "developer", "content": "be brief"},
        {"role": "assistant", "content": null, "refusal": "no"},
    ]);
    let sent = messages("mistral", history);
    let id = sent[1]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    let expected = json!([
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "", "tool_calls": [call(id), call("abc123XYZ")]},
        {"role": "tool", "tool_call_id": id, "content": "1"},
        {"role": "tool", "tool_call_id": "abc123XYZ", "content": "2"},
        {"role": "assistant", "content": "OK"},
        {"role": "user", "content": "be brief"},
        {"role": "assistant", "content": "no", "prefix": true},
    ]);
    assert_eq!(sent, expected);
}

#[test]
fn a_cached_tool_loses_its_mark_where_it_is_unknown() {
    let tool = json!({"type": "function", "function": {"name": "f"}});
    let mut marked = tool.clone();
    marked["cache_control"] = json!({"type": "ephemeral"});
    for (vendor, expected) in [("openai", &tool), ("groq", &tool), ("openrouter", &marked)] {
        let (body, _) = sent(vendor, "m", json!({"tools": [marked]}));
        assert_eq!(body["tools"], json!([expected]), "{vendor}");
    }
}

#[test]
fn names_of_speakers_are_dropped_where_they_are_errors() {
    let body = json!({"model": "a", "messages": [{"role": "user", "name": "ann", "content": "q"}]});
    let (sent, out) = outgoing("groq", "m", &body).unwrap();
    assert_eq!(sent["messages"], json!([{"role": "user", "content": "q"}]));
    assert_eq!(out.dropped, ["messages[].name"]);
    assert_eq!(outgoing("xai", "m", &body).unwrap().0["messages"], body["messages"]);
}

#[test]
fn the_key_goes_where_the_vendor_looks_for_it() {
    assert_eq!(adapter("openai").credential("k"), ("authorization", "Bearer k".to_string()));
    assert_eq!(adapter("azure").credential("k"), ("api-key", "k".to_string()));
    let target = Target { model: "m", max_output_tokens: None };
    assert_eq!(adapter("azure").path(target, true), "/chat/completions");
    let canonical = Vendor::ALL.iter().filter(|vendor| provider::adapter(**vendor).is_canonical());
    assert_eq!(canonical.map(|vendor| vendor.as_str()).collect::<Vec<_>>(), ["openai"]);
}

use super::*;

fn message(message: &str) -> Value {
    let choice = format!(r#"{{"index":0,"message":{message},"finish_reason":"stop"}}"#);
    answered(&format!(r#"{{"id":"a","choices":[{choice}]}}"#)).unwrap()["choices"][0].clone()
}

#[test]
fn a_message_is_read_whatever_its_form() {
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let calls = |calls: &str| {
        message(&format!(r#"{{"content":null,"tool_calls":{calls}}}"#))["message"]["tool_calls"].clone()
    };
    let cases = [
        (
            "no type",
            r#"[{"id":"a","function":{"name":"f","arguments":"{}"}}]"#,
            json!([call("a", "f", "{}")]),
        ),
        ("no arguments", r#"[{"id":"a","function":{"name":"f"}}]"#, json!([call("a", "f", "{}")])),
        (
            "empty arguments",
            r#"[{"id":"a","function":{"name":"f","arguments":""}}]"#,
            json!([call("a", "f", "{}")]),
        ),
        ("null", r#"[{"id":"a","function":{"name":"f","arguments":"null"}}]"#, json!([call("a", "f", "{}")])),
        (
            "an object",
            r#"[{"id":"a","function":{"name":"f","arguments":{"b":"\"c"}}}]"#,
            json!([call("a", "f", r#"{"b":"\"c"}"#)]),
        ),
        (
            "one index for all",
            r#"[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},{"index":0,"id":"b","function":{"name":"f","arguments":"{}"}}]"#,
            json!([call("a", "f", "{}"), call("b", "f", "{}")]),
        ),
        (
            "custom",
            r#"[{"id":"a","type":"custom","custom":{"name":"f","input":"{}"}}]"#,
            json!([{"id": "a", "type": "custom", "custom": {"name": "f", "input": "{}"}}]),
        ),
        (
            "signed",
            r#"[{"id":"a","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"s"}}}]"#,
            json!([{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"},
                    "extra_content": {"google": {"thought_signature": "s"}}}]),
        ),
    ];
    for (case, list, expected) in cases {
        assert_eq!(calls(list), expected, "{case}");
    }
    let made = calls(
        r#"[{"id":"","function":{"name":"f"}},{"function":{"name":"f"}},{"id":"x","function":{"name":"f"}},{"id":"x","function":{"name":"g"}}]"#,
    );
    let ids: Vec<_> = made.as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap()).collect();
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert!(unique.len() == 4 && ids.iter().all(|id| !id.is_empty()), "{ids:?}");

    let texts = [
        (r#"{"content":"a"}"#, json!("a"), Value::Null),
        (r#"{"content":"a","reasoning_content":"r","reasoning":"r"}"#, json!("a"), json!("r")),
        (r#"{"content":"a","reasoning":"r"}"#, json!("a"), json!("r")),
        (
            r#"{"content":"a","reasoning":null,"reasoning_details":[{"type":"reasoning.summary","summary":"r"}]}"#,
            json!("a"),
            json!("r"),
        ),
        (
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"r"}]},{"type":"text","text":"a"},{"type":"reference","reference_ids":[1]},{"type":"text","text":"b"}]}"#,
            json!("ab"),
            json!("r"),
        ),
    ];
    for (body, content, reasoning) in texts {
        let message = message(body)["message"].clone();
        assert_eq!((&message["content"], &message["reasoning_content"]), (&content, &reasoning), "{body}");
    }
}

#[test]
fn what_openai_knows_and_this_gateway_does_not_act_on_stays() {
    let body = r#"{"id":"a","object":"chat.completion","created":5,"model":"m","service_tier":"flex","citations":["x"],
        "system_fingerprint":null,"prompt_filter_results":[{"prompt_index":0}],"x_groq":{"id":"r"},
        "choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":"no","annotations":[{"type":"url_citation"}],
        "audio":{"id":"u"}},"logprobs":{"content":[{"token":"a"}],"refusal":null},"finish_reason":"stop",
        "content_filter_results":{"hate":{"filtered":false}}}]}"#;
    let answer = answered(body).unwrap();
    assert_eq!((&answer["id"], &answer["created"], &answer["model"]), (&json!("a"), &json!(5), &json!("m")));
    assert_eq!((&answer["service_tier"], &answer["citations"]), (&json!("flex"), &json!(["x"])));
    assert_eq!(answer.get("system_fingerprint"), Some(&Value::Null));
    assert_eq!(answer["prompt_filter_results"], json!([{"prompt_index": 0}]));
    assert_eq!(answer.get("x_groq"), None);
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["refusal"], "no");
    assert_eq!(choice["message"]["annotations"], json!([{"type": "url_citation"}]));
    assert_eq!(choice["message"]["audio"], json!({"id": "u"}));
    assert_eq!(choice["logprobs"]["content"], json!([{"token": "a"}]));
    assert_eq!(choice["content_filter_results"], json!({"hate": {"filtered": false}}));
}

#[test]
fn every_word_for_the_end_becomes_one_of_openais() {
    let call = r#","tool_calls":[{"id":"a","function":{"name":"f"}}]"#;
    for (said, calls, expected) in [
        (r#""stop""#, "", "stop"),
        (r#""eos""#, "", "stop"),
        (r#""end_turn""#, "", "stop"),
        (r#""something new""#, "", "stop"),
        ("null", "", "stop"),
        ("7", "", "stop"),
        (r#""model_length""#, "", "length"),
        (r#""MAX_TOKENS""#, "", "length"),
        (r#""insufficient_system_resource""#, "", "length"),
        (r#""sensitive""#, "", "content_filter"),
        (r#""tool_call""#, call, "tool_calls"),
        (r#""stop""#, call, "tool_calls"),
        (r#""tool_calls""#, "", "stop"),
        (r#""function_call""#, r#","function_call":{"name":"f","arguments":"{}"}"#, "function_call"),
    ] {
        let choice = format!(r#"{{"message":{{"content":"a"{calls}}},"finish_reason":{said}}}"#);
        let answer = answered(&format!(r#"{{"id":"a","choices":[{choice}]}}"#)).unwrap();
        assert_eq!(answer["choices"][0]["finish_reason"], expected, "{said} {calls}");
    }
}

#[test]
fn tokens_are_counted_as_openai_counts() {
    let tokens = |prompt: u64, completion: u64, cached: u64, reasoning: u64| {
        json!([prompt, completion, prompt + completion, cached, reasoning])
    };
    let cases = [
        (r#""usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}"#, tokens(5, 3, 0, 0)),
        // xAI, and Gemini's OpenAI endpoint.
        (
            r#""usage":{"prompt_tokens":12,"completion_tokens":1,"total_tokens":303,"completion_tokens_details":{"reasoning_tokens":290}}"#,
            tokens(12, 291, 0, 290),
        ),
        (r#""usage":{"prompt_tokens":35,"completion_tokens":12,"total_tokens":109}"#, tokens(35, 74, 0, 62)),
        (
            r#""usage":{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":7,"prompt_cache_miss_tokens":2}"#,
            tokens(9, 1, 7, 0),
        ),
        (r#""usage":{"prompt_tokens":9,"completion_tokens":1,"cached_tokens":4}"#, tokens(9, 1, 4, 0)),
        (r#""usage":{"prompt_tokens":9,"completion_tokens":1,"num_cached_tokens":99}"#, tokens(9, 1, 9, 0)),
        (r#""x_groq":{"usage":{"prompt_tokens":9,"completion_tokens":1}}"#, tokens(9, 1, 0, 0)),
        (
            r#""usage":{"prompt_tokens":0},"x_groq":{"usage":{"prompt_tokens":9,"completion_tokens":1}}"#,
            tokens(9, 1, 0, 0),
        ),
    ];
    for (usage, expected) in cases {
        let body = format!(
            r#"{{"id":"a",{usage},"choices":[{{"message":{{"content":"a"}},"finish_reason":"stop"}}]}}"#
        );
        let usage = &answered(&body).unwrap()["usage"];
        let seen = json!([
            usage["prompt_tokens"],
            usage["completion_tokens"],
            usage["total_tokens"],
            usage["prompt_tokens_details"]["cached_tokens"],
            usage["completion_tokens_details"]["reasoning_tokens"],
        ]);
        assert_eq!(seen, expected, "{body}");
    }
    let moonshot = r#"{"id":"a","choices":[{"message":{"content":"a"},"finish_reason":"stop","usage":{"prompt_tokens":2,"completion_tokens":1}}]}"#;
    let answer = answered(moonshot).unwrap();
    assert_eq!(answer["usage"]["total_tokens"], 3);
    assert_eq!(answer["choices"][0].get("usage"), None);
}

#[test]
fn what_is_no_answer_is_an_error() {
    for (body, status, code, message) in [
        (r#"{"error":{"message":"down","code":503}}"#, 503, Some("overloaded"), "down"),
        (r#"{"error":"down"}"#, 502, Some("bad_provider_response"), "down"),
        (r#"{"id":"a","choices":[]}"#, 502, Some("bad_provider_response"), "choices"),
        (r#"{"id":"a"}"#, 502, Some("bad_provider_response"), "choices"),
        ("[1,2]", 502, Some("bad_provider_response"), "choices"),
        (r#""text""#, 502, Some("bad_provider_response"), "choices"),
        (
            r#"[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}]"#,
            429,
            Some("rate_limit_exceeded"),
            "slow",
        ),
        (
            r#"{"choices":[{"error":{"code":502,"message":"gone"},"finish_reason":"error"}]}"#,
            502,
            None,
            "gone",
        ),
    ] {
        let error = answered(body).unwrap_err();
        assert_eq!(error.status, status, "{body}: {error:?}");
        assert!(error.message.contains(message), "{body}: {error:?}");
        if let Some(code) = code.filter(|_| status != 502) {
            assert_eq!(error.code.as_deref(), Some(code), "{body}");
        }
    }
    let empty = answered(r#"{"id":"a","choices":[{"index":0,"finish_reason":"content_filter"}]}"#).unwrap();
    assert_eq!(empty["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(empty["choices"][0]["message"]["content"], Value::Null);
}

use super::{MODEL, members, user, with};
use serde_json::{Value as Tree, json};

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

//! The strict OpenAI client refuses what breaks the real ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support {
    pub mod openai_client;
}

use support::openai_client::{Call, stream};

fn chunk(delta: &str, finish: &str) -> String {
    let choice = format!(r#"{{"index":0,"delta":{delta},"finish_reason":{finish}}}"#);
    format!(r#"{{"id":"a","object":"chat.completion.chunk","created":1,"model":"m","choices":[{choice}]}}"#)
}

fn sse(events: &[String]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

#[test]
fn a_sound_stream_is_joined() {
    let events = [
        chunk(r#"{"role":"assistant","content":null}"#, "null"),
        chunk(
            r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":""}}]}"#,
            "null",
        ),
        chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}"#, "null"),
        chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#, "null"),
        chunk("{}", r#""tool_calls""#),
        "[DONE]".to_string(),
    ];
    let seen = stream(sse(&events).as_bytes(), false).unwrap();
    let call = Call { id: "c".into(), name: "f".into(), arguments: serde_json::json!({"a": 1}) };
    assert_eq!((seen.done, seen.choices[0].calls.as_slice()), (true, &[call][..]));
    assert_eq!(seen.choices[0].finish.as_deref(), Some("tool_calls"));
}

#[test]
fn what_breaks_a_client_is_refused() {
    let role = chunk(r#"{"role":"assistant","content":""}"#, "null");
    let begun = chunk(
        r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
        "null",
    );
    let finish = chunk("{}", r#""stop""#);
    let done = "[DONE]".to_string();
    let one = |delta: &str| vec![role.clone(), chunk(delta, "null"), finish.clone(), done.clone()];
    let cases = [
        ("the role again", one(r#"{"role":"assistant","content":"a"}"#)),
        ("without index", one(r#"{"tool_calls":[{"id":"c","type":"function","function":{"name":"f"}}]}"#)),
        ("content is", one(r#"{"content":[{"type":"text","text":"a"}]}"#)),
        ("after its finish", vec![role.clone(), finish.clone(), finish.clone(), done.clone()]),
        ("has no finish_reason", vec![role.clone(), done.clone()]),
        ("finish_reason stop with calls", vec![role.clone(), begun, finish.clone(), done.clone()]),
        ("without an answer", vec![done.clone()]),
        ("something after [DONE]", vec![role.clone(), finish.clone(), done.clone(), role.clone()]),
        ("error is", vec![r#"{"error":"down"}"#.to_string()]),
        (
            "without integer index",
            vec![
                role.clone(),
                chunk(r#"{"details":[{"type":"x"}]}"#, "null"),
                chunk(r#"{"details":[{"type":"x"}]}"#, "null"),
            ],
        ),
    ];
    for (why, events) in cases {
        let error = stream(sse(&events).as_bytes(), false).expect_err(why);
        assert!(error.contains(why), "{error} does not say: {why}");
    }
}

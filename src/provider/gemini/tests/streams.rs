//! Streamed answers.

use super::*;

#[test]
fn a_stream_ends_with_its_last_finish_reason_or_is_cut() {
    let text = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"index":0}]}"#;
    let stop = r#"{"candidates":[{"finishReason":"STOP","index":0}]}"#;
    let other = r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"index":1}]}"#;
    let usage = r#"{"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":1,"totalTokenCount":3}}"#;
    let error = r#"{"error":{"code":499,"message":"The operation was cancelled.","status":"CANCELLED"}}"#;
    let done = |streamed: &str| streamed.ends_with("data: [DONE]\n\n");
    for (events, stray, clean) in [
        (vec![text, stop], "", true),
        (vec![text, stop], "\r\n", true),
        (vec![text, stop, usage], "", true),
        (vec![text, stop, "[DONE]"], "", true),
        (vec![stop, text], "", true),
        (vec![stop, text], error, false),
        (vec![text, stop, error], "", false),
        (vec![text, stop], "{\n  \"err", false),
        (vec![text, other, stop], "", false),
        (vec![text, usage], "", false),
        (vec![text], "", false),
        (vec![], "", false),
        (vec![usage], "", false),
    ] {
        let streamed = chunks(&events, stray);
        assert_eq!(done(&streamed), clean, "{events:?} {stray:?}: {streamed}");
        assert_eq!(streamed.contains(r#"data: {"error""#), !clean, "{events:?} {stray:?}: {streamed}");
    }
    let streamed = chunks(&[text, stop, usage], "");
    assert_eq!(streamed.matches(r#""finish_reason":"stop""#).count(), 1);
    assert!(streamed.contains(r#""choices":[],"usage":{"prompt_tokens":2,"#));
    assert!(chunks(&[stop, text], "").contains(r#""content":"a""#));
    assert!(chunks(&[stop, text], error).contains("The operation was cancelled."));
    // The whole stream may be an array that no frame held.
    assert!(done(&chunks(&[], &format!("[{text}\r\n,\r\n{stop}]"))));
    assert!(!done(&chunks(&[], &format!("[{text}\r\n,\r\n{stop}"))));
    assert!(!done(&chunks(&[], &format!("[{text}]"))));
}

#[test]
fn calls_are_counted_over_the_whole_stream() {
    let call = |name: &str| {
        format!(
            r#"{{"responseId":"r","candidates":[{{"content":{{"parts":[{{"functionCall":{{"name":"{name}","args":{{}}}}}}]}}}}]}}"#
        )
    };
    let partial =
        |inner: &str| format!(r#"{{"candidates":[{{"content":{{"parts":[{{"functionCall":{inner}}}]}}}}]}}"#);
    let stop = r#"{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]}"#;
    let streamed = chunks(
        &[
            &call("a"),
            &partial(r#"{"name":"b","willContinue":true}"#),
            &partial(
                r#"{"partialArgs":[{"jsonPath":"$.x","stringValue":"1","willContinue":true}],"willContinue":true}"#,
            ),
            &partial(
                r#"{"partialArgs":[{"jsonPath":"$.x","stringValue":"2"},{"jsonPath":"$.y[0]","numberValue":3}],"willContinue":true}"#,
            ),
            &partial("{}"),
            // A call that is never closed is complete when the next begins, or the stream ends.
            &partial(r#"{"name":"c","willContinue":true}"#),
            &call("d"),
            &partial(
                r#"{"name":"e","partialArgs":[{"jsonPath":"$.z","boolValue":true}],"willContinue":true}"#,
            ),
            stop,
        ],
        "",
    );
    for (index, name, arguments) in [
        (0, "a", "{}"),
        (1, "b", r#"{\"x\":\"12\",\"y\":[3]}"#),
        (2, "c", "{}"),
        (3, "d", "{}"),
        (4, "e", r#"{\"z\":true}"#),
    ] {
        assert!(streamed.contains(&format!(r#""name":"{name}""#)), "{streamed}");
        let fragment =
            format!(r#""tool_calls":[{{"index":{index},"function":{{"arguments":"{arguments}"}}}}]"#);
        assert!(streamed.contains(&fragment), "{fragment} in {streamed}");
    }
    assert_eq!(streamed.matches(r#""finish_reason":"tool_calls""#).count(), 1);
    let bad = chunks(
        &[&partial(r#"{"name":"b","partialArgs":[{"jsonPath":"nowhere","stringValue":"1"}]}"#), stop],
        "",
    );
    assert!(bad.contains("partialArgs") && !bad.contains("[DONE]"));
}

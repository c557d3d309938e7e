use super::*;
use crate::chat::Usage;
use crate::time::Timestamp;

const ORIGIN: Origin<'static> = Origin { provider: "openai", model: "gpt-5", dropped: "seed" };

fn some_keys() -> Keys {
    Keys { exact: Key::from_bytes([1; 32]), context: Key::from_bytes([2; 32]) }
}

fn finished(recorder: Recorder) -> Option<Entry> {
    recorder.finish(some_keys(), ORIGIN, None, Timestamp::from_millis(17))
}

fn whole(n: u64, limit: usize, body: &str) -> Option<Entry> {
    let mut recorder = Recorder::new(n, limit, false);
    recorder.answer(body.as_bytes());
    finished(recorder)
}

fn streamed(n: u64, limit: usize, chunks: &[&str]) -> Option<Entry> {
    let mut recorder = Recorder::new(n, limit, false);
    chunks.iter().for_each(|chunk| recorder.chunk(chunk.as_bytes()));
    finished(recorder)
}

const ANSWER: &str = r#"{ "id": "c1", "object": "chat.completion", "created": 7, "model": "gpt-5-x",
  "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi \"you\"", "refusal": null, "annotations": []}, "logprobs": null, "finish_reason": "stop"}],
  "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, "system_fingerprint": "fp" }"#;
const ROLE: &str = r#"{"id":"c1","object":"chat.completion.chunk","created":7,"model":"gpt-5-x","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"obfuscation":"x"}"#;
const HI: &str = r#"{"id":"c1","object":"chat.completion.chunk","created":7,"model":"gpt-5-x","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}],"obfuscation":"yy"}"#;
const YOU: &str =
    r#"{"id":"c1","choices":[{"index":0,"delta":{"content":" \"you\""},"finish_reason":null}]}"#;
const STOP: &str = r#"{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str =
    r#"{"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;

fn chunks(stream: &[u8]) -> Vec<Tree> {
    let text = std::str::from_utf8(stream).unwrap();
    let data = text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap());
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[test]
fn a_whole_answer_is_kept_as_it_came() {
    let entry = whole(1, 1000, ANSWER).unwrap();
    assert_eq!(entry.completion, ANSWER.as_bytes());
    assert_eq!((entry.made.millis(), entry.dropped.as_str()), (17, "seed"));
    assert_eq!((entry.provider.as_str(), entry.model.as_str()), ("openai", "gpt-5"));
    assert_eq!(entry.usage.map(|usage| (usage.prompt, usage.completion)), Some((3, 4)));
}

#[test]
fn a_stream_is_kept_as_the_whole_answer_that_it_is() {
    let entry =
        streamed(1, 1000, &[ROLE, HI, YOU, "", STOP, USAGE, "[DONE]", "what comes after the end"]).unwrap();
    let kept: Tree = serde_json::from_slice(&entry.completion).unwrap();
    let mut expected: Tree = serde_json::from_str(ANSWER).unwrap();
    expected["choices"][0]["message"].as_object_mut().unwrap().remove("annotations");
    expected["usage"]["prompt_tokens_details"] = json!({"cached_tokens": 0});
    expected["usage"]["completion_tokens_details"] = json!({"reasoning_tokens": 0});
    assert_eq!(kept, expected);
    assert_eq!(entry.usage.map(|usage| (usage.prompt, usage.completion)), Some((3, 4)));
}

#[test]
fn what_was_used_is_taken_from_elsewhere_where_the_stream_does_not_say_it() {
    let mut recorder = Recorder::new(1, 1000, false);
    [ROLE, HI, STOP, "[DONE]"].iter().for_each(|chunk| recorder.chunk(chunk.as_bytes()));
    let usage = Usage { prompt: 8, completion: 9, ..Usage::default() };
    let entry = recorder.finish(some_keys(), ORIGIN, Some(usage), Timestamp::from_millis(17)).unwrap();
    assert_eq!(entry.usage, Some(usage));
    let kept: Tree = serde_json::from_slice(&entry.completion).unwrap();
    assert_eq!(kept["usage"]["total_tokens"], 17);
}

#[test]
fn either_is_served_as_a_stream_with_role_content_finish_usage_and_end() {
    for entry in
        [whole(1, 1000, ANSWER).unwrap(), streamed(1, 1000, &[ROLE, HI, YOU, STOP, USAGE, "[DONE]"]).unwrap()]
    {
        let stream = entry.stream(true, false).unwrap();
        assert!(stream.ends_with(b"\n\ndata: [DONE]\n\n"));
        let chunks = chunks(&stream);
        let deltas: Vec<_> = chunks.iter().map(|chunk| chunk["choices"][0]["delta"].clone()).collect();
        let role = json!({"role": "assistant", "content": ""});
        assert_eq!(deltas[..2], [role, json!({"content": "Hi \"you\""})]);
        let last = &chunks[chunks.len() - 2..];
        assert_eq!(
            (&last[0]["choices"][0]["finish_reason"], &last[1]["choices"]),
            (&json!("stop"), &json!([]))
        );
        assert_eq!(last[1]["usage"]["total_tokens"], 7);
        for chunk in &chunks {
            let head = json!([
                chunk["id"],
                chunk["object"],
                chunk["created"],
                chunk["model"],
                chunk["system_fingerprint"]
            ]);
            assert_eq!(head, json!(["c1", "chat.completion.chunk", 7, "gpt-5-x", "fp"]));
        }
        let without = entry.stream(false, false).unwrap();
        assert!(!String::from_utf8(without).unwrap().contains("usage"));
    }
}

#[test]
fn only_what_is_whole_and_ended_by_the_model_is_kept() {
    let ending = |reason: &str| ANSWER.replace("\"stop\"", reason);
    assert!(whole(1, 1000, &ending("\"tool_calls\"")).is_some());
    for (n, body) in [
        (1, ending("\"length\"")),
        (1, ending("\"content_filter\"")),
        (1, ending("null")),
        (1, ending("\"eos\"")),
        (2, ANSWER.to_owned()),
        (1, ANSWER.replace("\"usage\"", "\"error\"")),
        (1, ANSWER.replace("\"choices\"", "\"chances\"")),
        (1, ANSWER[..ANSWER.len() - 1].to_owned()),
        (1, r#"{"error":{"message":"m"}}"#.to_owned()),
        (1, String::new()),
    ] {
        assert_eq!(whole(n, 1000, &body), None, "{n} {body}");
    }
    let length = STOP.replace("stop", "length");
    let error = r#"{"error":{"message":"m"}}"#;
    let second = STOP.replace("\"index\":0", "\"index\":1");
    assert!(streamed(2, 1000, &[ROLE, HI, STOP, &second, "[DONE]"]).is_some());
    for (n, chunks) in [
        (1, vec![]),
        (1, vec!["[DONE]"]),
        (1, vec![ROLE, HI, STOP]),
        (1, vec![ROLE, HI, "[DONE]"]),
        (1, vec![ROLE, HI, &length, "[DONE]"]),
        (1, vec![ROLE, HI, error, STOP, "[DONE]"]),
        (1, vec![ROLE, "{", STOP, "[DONE]"]),
        (2, vec![ROLE, HI, STOP, "[DONE]"]),
        (2, vec![ROLE, HI, STOP, STOP, "[DONE]"]),
        (2, vec![ROLE, HI, STOP, &second.replace("stop", "length"), "[DONE]"]),
    ] {
        assert_eq!(streamed(n, 1000, &chunks), None, "{n} {chunks:?}");
    }
}

#[test]
fn what_is_too_long_is_given_up_wherever_it_grows() {
    let entry = whole(1, ANSWER.len(), ANSWER);
    assert!(entry.is_some());
    assert_eq!(whole(1, ANSWER.len() - 1, ANSWER), None);
    let kept = streamed(1, 1000, &[ROLE, HI, STOP, "[DONE]"]).unwrap().completion.len();
    assert!(streamed(1, kept, &[ROLE, HI, STOP, "[DONE]"]).is_some());
    assert_eq!(streamed(1, kept - 1, &[ROLE, HI, STOP, "[DONE]"]), None);
    let word = "x".repeat(90);
    for delta in [
        json!({"content": word}),
        json!({"reasoning_content": word}),
        json!({"refusal": word}),
        json!({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": word, "arguments": word}}]}),
        json!({"extra_content": {"anthropic": {"thinking_blocks": [{"index": 0, "thinking": word}]}}}),
        json!({"images": [word]}),
    ] {
        let chunk = json!({"choices": [{"index": 0, "delta": delta}]}).to_string();
        let mut recorder = Recorder::new(1, 100, false);
        recorder.chunk(chunk.as_bytes());
        recorder.chunk(chunk.as_bytes());
        assert!(format!("{recorder:?}").contains("GivenUp"), "{chunk}");
    }
}

#[test]
fn what_cannot_be_joined_is_not_kept() {
    let chunk = |delta: Tree, logprobs: Tree| {
        json!({"choices": [{"index": 0, "delta": delta, "logprobs": logprobs}]}).to_string()
    };
    let logprobs = chunk(json!({"content": "a"}), json!({"content": [{"token": "a"}]}));
    let images = chunk(json!({"images": [{"index": 0}]}), json!(null));
    for once in [&logprobs, &images] {
        assert!(streamed(1, 1000, &[once, STOP, "[DONE]"]).is_some(), "{once}");
        assert_eq!(streamed(1, 1000, &[once, once, STOP, "[DONE]"]), None, "{once}");
    }
}

#[test]
fn the_legacy_function_call_is_kept_and_served_as_one() {
    let call = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}}]}"#;
    let arguments = r#"{"choices":[{"index":0,"delta":{"function_call":{"arguments":"{}"}}}]}"#;
    let stop = STOP.replace("stop", "function_call");
    let mut recorder = Recorder::new(1, 1000, true);
    [call, arguments, &stop, "[DONE]"].iter().for_each(|chunk| recorder.chunk(chunk.as_bytes()));
    let entry = finished(recorder).unwrap();
    let kept: Tree = serde_json::from_slice(&entry.completion).unwrap();
    assert_eq!(kept["choices"][0]["message"]["function_call"], json!({"name": "f", "arguments": "{}"}));
    assert_eq!(kept["choices"][0]["finish_reason"], "function_call");
    let chunks = chunks(&entry.stream(false, true).unwrap());
    assert_eq!(chunks[1]["choices"][0]["delta"]["function_call"]["name"], "f");
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "function_call");
}

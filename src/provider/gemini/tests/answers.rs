//! Whole answers.

use super::*;

#[test]
fn answers_are_read_part_by_part() {
    let message = |body: &Tree| completion(body).unwrap()["choices"][0]["message"].clone();
    let seen = message(&parts(json!([
        {"text": "thinking ", "thought": true},
        {"text": "Hel"}, {"executableCode": {"code": "1"}}, {"codeExecutionResult": {"output": "1"}}, {"unheardOf": {}},
        {"text": "lo", "thoughtSignature": "S"},
    ])));
    assert_eq!(seen["content"], "Hello");
    assert_eq!(seen["reasoning_content"], "thinking ");
    assert_eq!(seen["extra_content"]["google"]["thought_signature"], "S");
    let seen = message(&parts(json!([
        {"functionCall": {"name": "f", "args": {"a": [1, "x y"]}}, "thoughtSignature": "S1"},
        {"functionCall": {"name": "f"}},
        {"functionCall": {"name": "g", "args": {}, "id": "ZX9I"}},
        {"functionCall": {}},
    ])));
    let calls = seen["tool_calls"].as_array().unwrap();
    let arguments: Vec<_> =
        calls.iter().map(|call| call["function"]["arguments"].as_str().unwrap()).collect();
    assert_eq!(arguments, [r#"{"a":[1,"x y"]}"#, "{}", "{}"]);
    assert_eq!(calls[0]["extra_content"]["google"]["thought_signature"], "S1");
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    assert_eq!(calls[2]["id"], "gemini_ZX9I");
    assert_eq!(seen["content"], Tree::Null);
    let seen = message(&parts(
        json!([{"inlineData": {"mimeType": "image/png", "data": "iVBO"}}, {"inlineData": {"mimeType": "image/webp", "data": "UklG"}}]),
    ));
    let expected = json!([
        {"index": 0, "type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
        {"index": 1, "type": "image_url", "image_url": {"url": "data:image/webp;base64,UklG"}},
    ]);
    assert_eq!(seen["images"], expected);
}

#[test]
fn citations_point_at_characters() {
    let mut body = parts(json!([{"text": "58°F, sunny. Really."}]));
    body["candidates"][0]["groundingMetadata"] = json!({
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}, {"web": {"uri": "https://b.example"}}],
        "groundingSupports": [
            {"segment": {"endIndex": 13, "text": "58°F, sunny."}, "groundingChunkIndices": [0, 1, 7]},
            {"segment": {"startIndex": 14, "endIndex": 900}, "groundingChunkIndices": [0]},
        ],
    });
    let cited = |index: u64, title: &str, url: &str| json!({"index": index, "type": "url_citation", "url_citation": {"start_index": 0, "end_index": 12, "title": title, "url": url}});
    let expected = json!([cited(0, "A", "https://a.example"), cited(1, "", "https://b.example")]);
    assert_eq!(completion(&body).unwrap()["choices"][0]["message"]["annotations"], expected);
    let chunk = serde_json::to_string(&body).unwrap();
    let streamed = chunks(&[&chunk, &chunk], "");
    assert_eq!(streamed.matches("annotations").count(), 1);
}

#[test]
fn probabilities_are_told_token_by_token() {
    let mut body = parts(json!([{"text": "é"}]));
    body["candidates"][0]["logprobsResult"] = json!({
        "chosenCandidates": [{"token": "é", "tokenId": 1, "logProbability": -0.5}, {"token": "!"}],
        "topCandidates": [{"candidates": [{"token": "é", "logProbability": -0.5}, {"token": "e", "logProbability": "-Infinity"}]}],
    });
    let expected = json!({"content": [
        {"token": "é", "logprob": -0.5, "bytes": [195, 169], "top_logprobs": [
            {"token": "é", "logprob": -0.5, "bytes": [195, 169]}, {"token": "e", "logprob": -9999.0, "bytes": [101]},
        ]},
        {"token": "!", "logprob": 0.0, "bytes": [33], "top_logprobs": []},
    ], "refusal": null});
    assert_eq!(completion(&body).unwrap()["choices"][0]["logprobs"], expected);
}

#[test]
fn blocked_prompts_and_answers_are_refusals() {
    let choice = |body: &Tree| completion(body).unwrap()["choices"].clone();
    let blocked = choice(
        &json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 5}}),
    );
    assert_eq!(blocked.as_array().unwrap().len(), 1);
    assert_eq!(blocked[0]["finish_reason"], "content_filter");
    assert_eq!(blocked[0]["message"]["content"], Tree::Null);
    assert!(blocked[0]["message"]["refusal"].as_str().unwrap().contains("PROHIBITED_CONTENT"));
    let said = choice(&json!({"promptFeedback": {"blockReason": 1, "blockReasonMessage": "Not this."}}));
    assert_eq!(said[0]["message"]["refusal"], "Not this.");
    let safety = choice(&json!({"candidates": [{"finishReason": "SAFETY", "finishMessage": "Unsafe."}]}));
    assert_eq!(
        (&safety[0]["finish_reason"], &safety[0]["message"]["refusal"]),
        (&json!("content_filter"), &json!("Unsafe."))
    );
    let fine = choice(
        &json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}], "promptFeedback": {"safetyRatings": []}}),
    );
    assert_eq!(fine[0]["finish_reason"], "stop");
    let streamed = chunks(&[r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#], "");
    assert!(streamed.contains(r#""refusal":"#) && streamed.contains(r#""finish_reason":"content_filter""#));
    assert!(streamed.ends_with("data: [DONE]\n\n"));
}

#[test]
fn candidates_become_choices() {
    let body = json!({"candidates": [
        {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"},
        {"index": 1, "finishReason": "SAFETY"},
        {"index": 2, "content": {"parts": [{"functionCall": {"name": "f"}}]}, "finishReason": "STOP"},
    ], "responseId": "r", "modelVersion": "gemini-x"});
    let seen = completion(&body).unwrap();
    let reasons: Vec<_> =
        seen["choices"].as_array().unwrap().iter().map(|choice| choice["finish_reason"].clone()).collect();
    assert_eq!(reasons, ["stop", "content_filter", "tool_calls"]);
    assert_eq!((&seen["id"], &seen["model"]), (&json!("r"), &json!("gemini-x")));
}

#[test]
fn garbage_is_a_bad_answer_that_says_what_was_expected() {
    for body in [
        json!({}),
        json!({"this": "is not it"}),
        json!("text"),
        json!(3),
        json!([]),
        json!({"candidates": []}),
        json!({"usageMetadata": {"promptTokenCount": 1}}),
    ] {
        let error = completion(&body).unwrap_err();
        assert_eq!((error.status, error.code.as_deref()), (502, Some("bad_provider_response")), "{body}");
        assert!(error.message.contains("expected a GenerateContentResponse"), "{body}: {}", error.message);
    }
    for data in ["<html>", "{\"candidates\":[", "3", "\u{0}"] {
        let streamed = chunks(&[data], "");
        assert!(
            streamed.contains("bad_provider_response") && !streamed.contains("[DONE]"),
            "{data}: {streamed}"
        );
    }
    let error =
        completion(&json!({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}))
            .unwrap_err();
    assert_eq!(error.status, 503);
}

#[test]
fn an_array_is_a_whole_answer_too() {
    let body = json!([
        {"candidates": [{"content": {"parts": [{"text": "a"}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "b"}]}, "finishReason": "MAX_TOKENS"}]},
    ]);
    let seen = completion(&body).unwrap();
    assert_eq!(seen["choices"][0]["message"]["content"], "ab");
    assert_eq!(seen["choices"][0]["finish_reason"], "length");
    assert_eq!(completion(&json!([body[0]])).unwrap_err().code.as_deref(), Some("stream_interrupted"));
}

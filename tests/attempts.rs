//! Recorded traffic through whole attempts: what the client's SDK makes of it in the end, however
//! it arrives and wherever it breaks off.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support {
    pub mod openai_client;
    pub mod recordings;
    pub mod replay;
}

use modelgate::config::Vendor;
use support::openai_client::{self as client, Seen};
use support::recordings::{Row, rows};
use support::replay::{Asked, Got, STREAM_WITH_USAGE, WHOLE, attempt, play};

/// How the recorded client asked, as far as it matters here.
fn asked(row: &Row) -> Asked {
    if row.stream { STREAM_WITH_USAGE } else { WHOLE }
}

fn replayed<'a>(row: &Row, asked: Asked, pieces: impl Iterator<Item = &'a [u8]>) -> Got {
    play(attempt(row.vendor, asked), row.status, &row.content_type, pieces)
}

/// What the client has in the end; an error body counts as an answer that is nothing but an error.
fn seen(id: &str, got: &Got, asked: Asked) -> Seen {
    let seen = match got.header("content-type") {
        _ if got.status != 200 => {
            client::error(&got.body).map(|error| Seen { error: Some(error), ..Seen::default() })
        }
        Some("text/event-stream; charset=utf-8") if asked.stream => {
            client::stream(&got.body, asked.include_usage)
        }
        Some("application/json") if !asked.stream => client::completion(&got.body),
        other => panic!("{id}: content-type {other:?}"),
    };
    seen.unwrap_or_else(|why| panic!("{id}: {why}\n{}", String::from_utf8_lossy(&got.body)))
}

#[test]
fn what_arrives_in_any_pieces_is_the_same_answer() {
    for row in rows() {
        let asked = asked(&row);
        let whole = replayed(&row, asked, std::iter::once(&row.body[..]));
        seen(&row.id, &whole, asked);
        for size in [1, 7, 64] {
            let pieces = replayed(&row, asked, row.body.chunks(size));
            assert!(pieces == whole, "{} in pieces of {size}", row.id);
        }
    }
}

#[test]
fn usage_is_not_shown_to_a_client_that_did_not_ask() {
    for row in rows().into_iter().filter(|row| row.stream) {
        let asked = Asked { include_usage: false, ..asked(&row) };
        let seen = seen(&row.id, &replayed(&row, asked, row.body.chunks(50)), asked);
        assert_eq!(seen.usage, None, "{}", row.id);
    }
}

#[test]
fn a_stream_that_breaks_off_is_a_failure_the_client_sees() {
    for row in rows().into_iter().filter(|row| row.stream && row.status == 200) {
        let asked = asked(&row);
        let whole = seen(&row.id, &replayed(&row, asked, std::iter::once(&row.body[..])), asked);
        if !whole.done {
            continue;
        }
        let end = if row.array { row.body.trim_ascii_end().len() } else { row.end_mark() };
        // Close together around the ends, spread over the rest.
        let step = row.body.len() / 60 + 1;
        let near = |cut: &usize| *cut < 20 || cut + 40 > end || cut.is_multiple_of(step);
        for cut in (0..row.body.len()).filter(near) {
            let seen = seen(&row.id, &replayed(&row, asked, row.body[..cut].chunks(1000)), asked);
            let failed = seen.error.is_some() && !seen.done;
            assert!(failed || cut >= end, "{} cut at {cut} ends as if complete", row.id);
            // What is shown is the beginning of the answer.
            for (choice, whole) in seen.choices.iter().zip(&whole.choices) {
                let begins = |text: &Option<String>, whole: &Option<String>| {
                    whole.clone().unwrap_or_default().starts_with(text.as_deref().unwrap_or_default())
                };
                assert!(begins(&choice.content, &whole.content), "{} cut at {cut}", row.id);
                assert!(whole.reasoning.starts_with(&choice.reasoning), "{} cut at {cut}", row.id);
            }
        }
    }
}

#[test]
fn a_whole_answer_is_the_same_message_to_a_client_that_asked_for_a_stream() {
    for row in rows().into_iter().filter(|row| !row.stream && row.status == 200) {
        let whole = asked(&row);
        let stream = STREAM_WITH_USAGE;
        let answer = seen(&row.id, &replayed(&row, whole, std::iter::once(&row.body[..])), whole);
        let streamed = seen(&row.id, &replayed(&row, stream, row.body.chunks(64)), stream);
        assert_eq!(streamed.error.is_some(), answer.error.is_some(), "{}", row.id);
        if answer.error.is_some() {
            continue;
        }
        assert!(streamed.done, "{}", row.id);
        assert_eq!((&streamed.id, &streamed.model), (&answer.id, &answer.model), "{}", row.id);
        assert_eq!(streamed.usage.is_some(), answer.usage.is_some(), "{}", row.id);
        assert_eq!(streamed.choices.len(), answer.choices.len(), "{}", row.id);
        for (streamed, answer) in streamed.choices.iter().zip(&answer.choices) {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            assert_eq!(text(&streamed.content), text(&answer.content), "{}", row.id);
            assert_eq!(streamed.reasoning, answer.reasoning, "{}", row.id);
            assert_eq!(streamed.refusal, answer.refusal, "{}", row.id);
            assert_eq!(streamed.calls, answer.calls, "{}", row.id);
            assert_eq!(streamed.finish, answer.finish, "{}", row.id);
            assert_eq!(streamed.signatures, answer.signatures, "{}", row.id);
        }
    }
}

/// Where a proxy or a mock leaves the type of a body out, or says another one.
#[test]
fn an_answer_is_known_by_what_it_is_and_not_by_its_content_type() {
    for row in rows() {
        let asked = asked(&row);
        let said = seen(&row.id, &replayed(&row, asked, std::iter::once(&row.body[..])), asked);
        let types: &[&str] = match (row.status, row.stream) {
            (200, true) => &["", "text/plain", "application/octet-stream"],
            _ => &["", "text/plain", "text/event-stream", "text/html; charset=utf-8"],
        };
        for content_type in types {
            let got = play(attempt(row.vendor, asked), row.status, content_type, row.body.chunks(64));
            assert_eq!(seen(&row.id, &got, asked), said, "{} as {content_type:?}", row.id);
        }
    }
}

fn json(vendor: Vendor, asked: Asked, body: &str) -> Got {
    play(attempt(vendor, asked), 200, "application/json", std::iter::once(body.as_bytes()))
}

#[test]
fn an_answer_of_many_lines_becomes_events_of_one_line() {
    let answer = serde_json::json!({
        "id": "a", "model": "m", "created": 5, "service_tier": "default",
        "choices": [{
            "index": 0,
            "message": {
                "role": "assistant", "content": "a\nb",
                "annotations": [{"type": "url_citation", "url_citation": {"url": "https://a.example/"}}],
                "audio": {"id": "x", "data": "AAAA"},
            },
            "logprobs": {"content": [{"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}]},
            "content_filter_results": {"hate": {"filtered": false}},
            "finish_reason": "stop",
        }],
    });
    let pretty = serde_json::to_string_pretty(&answer).unwrap();
    for body in [pretty.clone(), pretty.replace('\n', "\r\n")] {
        let seen = seen("pretty", &json(Vendor::Azure, STREAM_WITH_USAGE, &body), STREAM_WITH_USAGE);
        assert_eq!(seen.choices[0].content.as_deref(), Some("a\nb"));
        assert_eq!(seen.choices[0].message["audio"]["data"], "AAAA");
        assert_eq!(seen.choices[0].message["annotations"][0]["url_citation"]["url"], "https://a.example/");
    }
}

#[test]
fn an_error_in_an_answer_of_status_200_has_the_status_it_speaks_of() {
    let anthropic = r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#;
    let gemini = r#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}"#;
    let list = format!("[{gemini}]");
    let openrouter = r#"{"error":{"code":429,"message":"slow down"},"user_id":"u"}"#;
    for (vendor, body) in [
        (Vendor::Anthropic, anthropic),
        (Vendor::Gemini, gemini),
        (Vendor::Gemini, &list),
        (Vendor::OpenRouter, openrouter),
    ] {
        for asked in [WHOLE, STREAM_WITH_USAGE] {
            let got = json(vendor, asked, body);
            assert_eq!(got.status, 429, "{body}");
            assert_eq!(client::error(&got.body).unwrap()["message"], "slow down", "{body}");
        }
    }
}

#[test]
fn an_answer_tells_only_of_choices_that_were_given() {
    let body = r#"{"id":"a","model":"m","choices":[{"index":1,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}"#;
    let body: serde_json::Value = serde_json::from_slice(&json(Vendor::Together, WHOLE, body).body).unwrap();
    let choices = body["choices"].as_array().unwrap();
    assert_eq!((choices.len(), &choices[0]["index"]), (1, &1.into()));
}

#[test]
fn what_is_dropped_is_told_in_a_header_that_can_be_sent() {
    let long = "x".repeat(2000);
    let request = serde_json::json!({
        "model": "m", "messages": [{"role": "user", "content": "hi"}],
        "seed": 1, "a,b": 1, "c\r\nset-cookie: d": 1, "é": 1, long: 1, "store": true,
    });
    let mut attempt = attempt(Vendor::Anthropic, WHOLE);
    attempt.translate(request.to_string().as_bytes()).unwrap();
    let got = play(attempt, 529, "application/json", std::iter::once(&b"{}"[..]));
    assert_eq!(got.header("x-modelgate-dropped"), Some("seed,ab,cset-cookie:d,store"));
}

#[test]
fn an_error_framed_as_an_event_is_read_as_what_it_is() {
    let anthropic = r#"{"type":"error","error":{"type":"api_error","message":"broken"}}"#;
    let others = r#"{"error":{"code":500,"message":"broken"}}"#;
    for vendor in Vendor::ALL {
        let body = if *vendor == Vendor::Anthropic { anthropic } else { others };
        for framed in [format!("data: {body}\n\n"), format!("event: error\r\ndata:{body}\r\n\r\n")] {
            let got = play(
                attempt(*vendor, STREAM_WITH_USAGE),
                500,
                "text/event-stream",
                std::iter::once(framed.as_bytes()),
            );
            let error = client::error(&got.body).unwrap();
            assert_eq!((got.status, &error["message"]), (500, &"broken".into()), "{vendor:?}");
        }
    }
}

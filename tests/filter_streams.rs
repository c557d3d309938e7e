//! The whole filter on a fake Envoy: canonical streams in any pieces, cut at any byte, held back until their first
//! content and no longer than the bound.

mod support;

use std::cell::RefCell;

use support::{
    Answer, CONFIG, DONE, End, Ending, Envoy, Request, Response, chat, closing, event, opening, says, stream,
    usage,
};

const STREAM: &str = r#","stream":true"#;
const WITH_USAGE: &str = r#","stream":true,"stream_options":{"include_usage":true}"#;

/// What a client gets of a provider's response; one Envoy serves all of a test's requests.
fn ask(more: &str, response: Response) -> Answer {
    thread_local! { static ENVOY: RefCell<Option<Envoy>> = const { RefCell::new(None) } }
    ENVOY.with_borrow_mut(|envoy| {
        let envoy = envoy.get_or_insert_with(|| Envoy::new(CONFIG));
        envoy.script("a", move |_| response.clone());
        envoy.ask(Request::chat(chat("small", more)))
    })
}

/// Streams that a provider of the canonical dialect may send, each complete.
fn streams() -> Vec<String> {
    let plain = stream(&["Hello", ", \u{e9}\u{1f600} \\u00e9\\n", "world"]);
    let tools = [
        event(
            r#"[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]"#,
            "",
        ),
        event(
            r#"[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"usage\":{\"error\":1}}"}}]},"finish_reason":null}]"#,
            "",
        ),
        event(r#"[{"index":0,"delta":{},"finish_reason":"tool_calls"}]"#, ""),
        usage(),
        DONE.to_string(),
    ];
    let usage_with_the_end = event(
        r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#,
        r#","usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}"#,
    );
    vec![
        plain.clone(),
        plain.replace('\n', "\r\n"),
        plain.replace("data: [DONE]\n\n", "data: [DONE]\n"),
        [": ping\n\n", &plain].concat(),
        [&opening(), ": ping\n\n", &says("a"), ": ping\n\n", &usage_with_the_end, DONE].concat(),
        tools.concat(),
        [&opening(), &closing(), DONE].concat(),
    ]
}

/// The stream as it is to be without its usage: what the client did not ask for.
fn without_usage(text: &str) -> String {
    let text = text.replace(&usage(), "").replace(&usage().replace('\n', "\r\n"), "");
    text.replace(r#","usage":null"#, "")
}

#[test]
fn a_stream_passes_byte_for_byte_at_every_split() {
    for body in streams() {
        let expected = if body.ends_with("[DONE]\n") { [&body, "\n\n"].concat() } else { body.clone() };
        for at in 0..=body.len() {
            let answer = ask(WITH_USAGE, Response::stream(&body).split_at(at));
            assert_eq!(answer.text(), expected, "split at {at}");
        }
        for size in [1, 2, 7, 64] {
            assert_eq!(ask(WITH_USAGE, Response::stream(&body).in_pieces_of(size)).text(), expected);
        }
    }
}

#[test]
fn a_stream_loses_nothing_but_its_usage_at_every_split() {
    for body in streams() {
        let expected = without_usage(&body);
        let expected = if body.ends_with("[DONE]\n") { [&expected, "\n\n"].concat() } else { expected };
        for at in 0..=body.len() {
            let answer = ask(STREAM, Response::stream(&body).split_at(at));
            assert_eq!(answer.text(), expected, "split at {at}");
        }
        for size in [1, 2, 7, 64] {
            assert_eq!(ask(STREAM, Response::stream(&body).in_pieces_of(size)).text(), expected);
        }
    }
}

#[test]
fn a_stream_cut_at_any_byte_shows_no_usage_and_no_clean_finish() {
    for body in streams() {
        let whole = ask(WITH_USAGE, Response::stream(&body));
        for at in 0..body.len() {
            for more in if at % 5 == 0 { vec![STREAM, WITH_USAGE] } else { vec![STREAM] } {
                let answer = ask(more, Response::stream(&body.as_bytes()[..at]));
                // All events are complete, so a client's parser is not what notices.
                let events = if answer.status == 200 { answer.chunks() } else { Vec::new() };
                assert!(answer.status == 200 || answer.status == 502, "cut at {at}");
                if answer.status == 502 {
                    answer.error();
                }
                let only_usage =
                    |event: &&serde_json::Value| event["choices"].as_array().is_some_and(Vec::is_empty);
                assert!(more == WITH_USAGE || !events.iter().any(|event| only_usage(&event)), "cut at {at}");
                let finished = events.iter().any(|event| event["choices"][0]["finish_reason"].is_string());
                assert_eq!(answer.is_finished(), finished, "cut at {at}: {}", answer.text());
                if answer.status == 200 && !finished {
                    assert_eq!(answer.error()["code"], "stream_interrupted", "cut at {at}");
                }
                assert!(whole.said().starts_with(&answer_said(&answer)), "cut at {at}");
            }
        }
    }
}

fn answer_said(answer: &Answer) -> String {
    if answer.status == 200 { answer.said() } else { String::new() }
}

#[test]
fn a_reset_in_the_midst_leaves_whole_events_and_no_end_mark() {
    let body = stream(&["one", "two"]);
    for at in opening().len() + says("one").len()..body.len() - DONE.len() {
        let answer = ask(STREAM, Response::stream(&body[..at]).ending(End::Reset));
        assert_eq!((answer.ending, answer.is_finished()), (Ending::Cut, false), "cut at {at}");
        assert!(answer.text().ends_with("\n\n") && answer.said().starts_with("one"), "cut at {at}");
    }
}

#[test]
fn what_fails_after_content_is_said_in_band_and_ends_the_stream() {
    let error = |text: &str| format!("data: {text}\n\n");
    let rest = [says("never"), closing(), usage(), DONE.to_string()].concat();
    for (what, failure) in [
        (
            "OpenAI's error",
            error(r#"{"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}"#),
        ),
        ("half an error", error(r#"{"error":{"message":"overloaded"}}"#)),
        (
            "an error and more",
            error(r#"{"id":"x","choices":[],"error":{"message":"overloaded","code":502}}"#),
        ),
        ("too long an event", error(&"x".repeat(30_000))),
    ] {
        let body = [&opening(), &says("hello"), failure.as_str(), &rest].concat();
        for size in [7, 64, 10_000] {
            for more in [STREAM, WITH_USAGE] {
                let answer = ask(more, Response::stream(&body).in_pieces_of(size));
                assert_eq!(
                    (answer.status, answer.said().as_str()),
                    (200, "hello"),
                    "{what} in pieces of {size}"
                );
                assert!(!answer.text().contains("[DONE]"), "{what} in pieces of {size}");
                let error = answer.error();
                assert!(
                    what == "too long an event" || error["message"].as_str().unwrap().contains("overloaded")
                );
            }
        }
    }
}

#[test]
fn an_end_mark_that_the_provider_forgot_is_added() {
    let body = [opening(), says("hello"), closing(), usage()].concat();
    for end in [End::Separate, End::WithLast] {
        let answer = ask(STREAM, Response::stream(&body).ending(end));
        assert_eq!(answer.text(), without_usage(&body) + DONE);
    }
}

#[test]
fn a_stream_that_ends_in_trailers_is_served() {
    for body in streams() {
        for size in [7, 64, 100_000] {
            let trailers = vec![("x-secret".to_string(), b"of-the-provider".to_vec())];
            let response = Response::stream(&body).in_pieces_of(size).ending(End::Trailers(trailers));
            let answer = ask(STREAM, response);
            assert!(answer.text().starts_with(without_usage(&body).trim_end()) || !body.ends_with("\n\n"));
            assert_eq!(answer.trailers.as_deref(), Some(&[][..]), "a provider's trailers are its affair");
        }
    }
}

#[test]
fn a_whole_answer_that_ends_in_trailers_is_served() {
    let body = support::completion("hello");
    for size in [7, 100_000] {
        let response = Response::json(200, &body).in_pieces_of(size).ending(End::Trailers(Vec::new()));
        assert_eq!(ask("", response).text(), body);
    }
}

#[test]
fn nothing_is_shown_before_the_first_content_and_then_everything_at_once() {
    let pieces = [opening(), ": ping\n\n".to_string(), says("one"), says("two"), closing(), DONE.to_string()];
    let answer = ask(WITH_USAGE, Response::stream("").in_pieces(&pieces));
    let arrivals: Vec<_> =
        answer.arrivals.iter().map(|piece| String::from_utf8_lossy(piece).into_owned()).collect();
    let begun = [&pieces[0], &pieces[1], &pieces[2]].map(String::as_str).concat();
    // Upon the headers, each piece and the end.
    let expected = ["", "", "", &begun, &pieces[3], &pieces[4], &pieces[5], ""];
    assert_eq!(arrivals, expected);
}

#[test]
fn content_is_any_delta_but_a_role() {
    for delta in [
        r#"{"content":"x"}"#,
        r#"{"reasoning_content":"x"}"#,
        r#"{"refusal":"x"}"#,
        r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":""}}]}"#,
        r#"{"role":"assistant","content":"x"}"#,
    ] {
        let first = event(&format!(r#"[{{"index":0,"delta":{delta},"finish_reason":null}}]"#), "");
        let answer =
            ask(STREAM, Response::stream("").in_pieces([opening(), first, closing(), DONE.to_string()]));
        let arrived: Vec<_> = answer.arrivals.iter().map(|piece| !piece.is_empty()).collect();
        assert_eq!(arrived[..3], [false, false, true], "{delta}");
    }
}

#[test]
fn what_is_held_too_long_is_let_go() {
    let ping = ": ping, ping, ping, ping, ping, ping, ping, ping, ping\n\n".to_string();
    let mut pieces = vec![ping; 40];
    pieces.push(stream(&["hello"]));
    let answer = ask(WITH_USAGE, Response::stream("").in_pieces(&pieces));
    assert_eq!(answer.text(), pieces.concat());
    let first = answer.arrivals.iter().position(|piece| !piece.is_empty()).unwrap();
    let held: usize = pieces[..first].iter().map(String::len).sum();
    assert!((600..700).contains(&held), "{held} bytes were held");
}

#[test]
fn what_fails_after_it_was_held_too_long_is_said_in_band() {
    let pings = ": ping\n\n".repeat(100);
    let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    for rest in ["", error, "data: {\"choi", &[&opening(), error, DONE].concat()] {
        for size in [7, 64] {
            let answer = ask(STREAM, Response::stream([&pings, rest].concat()).in_pieces_of(size));
            assert_eq!((answer.status, answer.header("x-modelgate-provider")), (200, "a"), "{rest:?}");
            answer.error();
            assert!(!answer.text().contains("[DONE]"), "{rest:?}");
        }
    }
}

#[test]
fn an_answer_that_is_too_long_is_refused() {
    let long = support::completion(&"x".repeat(30_000));
    for size in [1000, 100_000] {
        let answer = ask("", Response::json(200, &long).in_pieces_of(size));
        assert_eq!(answer.status, 502);
        assert!(answer.error()["message"].as_str().unwrap().contains("20000"));
    }
    let event = [opening(), says("hello"), says(&"x".repeat(30_000))].concat();
    let answer = ask(STREAM, Response::stream(event).in_pieces_of(1000));
    assert_eq!((answer.status, answer.said().as_str(), answer.is_finished()), (200, "hello", false));
    assert_eq!(answer.error()["code"], "bad_provider_response");
}

#[test]
fn a_whole_answer_to_one_who_asked_for_a_stream_becomes_one() {
    // A provider may ignore `stream`, and a gateway before it may take it away.
    let answer = ask(STREAM, Response::json(200, r#"{"error":{"message":"overloaded"}}"#));
    assert!(answer.status >= 500);
    answer.error();
}

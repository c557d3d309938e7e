//! The whole filter on a fake Envoy: providers that speak another dialect, alone and after each other. What each dialect
//! says is the adapters' golden tables' affair; here it is that the two roles put it where it belongs.

mod support;

use serde_json::{Value, json};
use std::cell::RefCell;
use support::{Answer, End, Envoy, Request, Response, Sent, chat, completion};

const CONFIG: &str = r#"{
  "providers": {
    "openai": {"vendor": "openai", "api_key": {"value": "key-of-openai"}},
    "anthropic": {"vendor": "anthropic", "api_key": {"value": "key-of-anthropic"}},
    "gemini": {"vendor": "gemini", "api_key": {"value": "key-of-gemini"}},
    "spare": {"vendor": "openai", "base_url": "https://spare.example/v1", "api_key": {"value": "key-of-spare"}}
  },
  "models": {
    "gpt": {"provider": "openai", "model": "gpt-4.1"},
    "claude": {"provider": "anthropic", "model": "claude-sonnet-4-5", "max_output_tokens": 64000},
    "flash": {"provider": "gemini", "model": "gemini-2.5-flash"},
    "gpt-spare": {"provider": "spare", "model": "gpt-4.1"}
  },
  "routes": {
    "all": {"targets": [{"model": "gpt"}, {"model": "claude"}, {"model": "flash"}, {"model": "gpt-spare"}]},
    "foreign": {"targets": [{"model": "claude"}, {"model": "flash"}]},
    "foreign-first": {"targets": [{"model": "claude", "tries": 2}, {"model": "flash"}, {"model": "gpt"}]}
  },
  "auth": {"anonymous": {"consumer": "anonymous"}},
  "health": "off",
  "bounds": {"held_bytes": 2000}
}"#;

const STREAM: &str = r#","stream":true"#;
const WITH_USAGE: &str = r#","stream":true,"stream_options":{"include_usage":true}"#;
const CLAUDE: &[u8] = include_bytes!("fixtures/anthropic/stream-text.sse");
const CLAUDE_TOOLS: &[u8] = include_bytes!("fixtures/anthropic/stream-thinking-tools.sse");
const CLAUDE_WHOLE: &[u8] = include_bytes!("fixtures/anthropic/answer-text.json");
const FLASH: &[u8] = include_bytes!("fixtures/gemini/text-stream.response.sse");
const FLASH_WHOLE: &[u8] = include_bytes!("fixtures/gemini/answer.response.json");

/// What a client gets of a provider's response; one Envoy serves all of a test's requests.
fn ask(model: &str, more: &str, response: Response) -> Answer {
    thread_local! { static ENVOY: RefCell<Option<Envoy>> = const { RefCell::new(None) } }
    ENVOY.with_borrow_mut(|envoy| {
        let envoy = envoy.get_or_insert_with(|| Envoy::new(CONFIG));
        for cluster in ["openai", "anthropic", "gemini"] {
            let response = response.clone();
            envoy.script(cluster, move |_| response.clone());
        }
        envoy.ask(Request::chat(chat(model, more)))
    })
}

fn everything(sent: &Sent) -> String {
    let header = |(name, value): &(String, Vec<u8>)| format!("{name}: {}\n", String::from_utf8_lossy(value));
    sent.headers.iter().map(header).collect::<String>() + sent.text()
}

#[test]
fn every_attempt_is_a_fresh_translation_for_its_provider() {
    for more in [r#","max_tokens":77"#, r#","max_tokens":77,"stream":true"#] {
        let mut envoy = Envoy::new(CONFIG)
            .answering("openai", Response::error(500, "no"))
            .answering(
                "anthropic",
                Response::json(529, r#"{"type":"error","error":{"type":"overloaded_error","message":"no"}}"#),
            )
            .answering(
                "gemini",
                Response::json(503, r#"{"error":{"code":503,"message":"no","status":"UNAVAILABLE"}}"#),
            )
            .answering("spare", Response::json(200, completion("hello")));
        let answer = envoy.ask(Request::chat(chat("all", more)));
        assert_eq!((answer.status, answer.header("x-modelgate-provider")), (200, "spare"));
        let [openai, claude, gemini, spare] = envoy.sent.as_slice() else { panic!("four attempts") };
        let stream = more.contains("stream");
        assert_eq!(openai.header(":path"), "/v1/chat/completions");
        assert_eq!(
            (claude.header(":path"), claude.header(":authority")),
            ("/v1/messages", "api.anthropic.com")
        );
        let path = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
        assert_eq!(gemini.header(":path"), format!("/v1beta/models/gemini-2.5-flash:{path}"));
        assert_eq!(claude.json()["max_tokens"], 77);
        assert_eq!(gemini.json()["generationConfig"]["maxOutputTokens"], 77);
        assert_eq!(openai.body, spare.body, "the canonical body is sent again as it was");
        for (sent, key) in [(openai, "openai"), (claude, "anthropic"), (gemini, "gemini"), (spare, "spare")] {
            let all = everything(sent);
            for other in ["openai", "anthropic", "gemini", "spare"] {
                assert_eq!(
                    all.contains(&format!("key-of-{other}")),
                    other == key,
                    "the key of {other} at {key}: {all}"
                );
            }
            assert_eq!(all.contains("anthropic-version"), key == "anthropic");
        }
    }
}

#[test]
fn a_whole_answer_is_translated_in_any_pieces() {
    for (model, body) in [("claude", CLAUDE_WHOLE), ("flash", FLASH_WHOLE)] {
        let whole = ask(model, "", Response::json(200, body));
        assert_eq!((whole.status, whole.json()["object"].as_str()), (200, Some("chat.completion")));
        for end in [End::WithLast, End::Separate, End::Trailers(Vec::new())] {
            for size in [1, 7, 64] {
                let answer = ask(model, "", Response::json(200, body).in_pieces_of(size).ending(end.clone()));
                assert_eq!(answer.text(), whole.text(), "{model} in pieces of {size}");
            }
        }
    }
}

#[test]
fn a_stream_is_translated_alike_at_every_split() {
    for (model, body) in [("claude", CLAUDE), ("claude", CLAUDE_TOOLS), ("flash", FLASH)] {
        let whole = ask(model, WITH_USAGE, Response::stream(body));
        assert!(whole.is_finished() && whole.chunks().iter().any(|chunk| chunk["usage"].is_object()));
        for at in 0..=body.len() {
            let answer = ask(model, WITH_USAGE, Response::stream(body).split_at(at));
            assert_eq!(answer.text(), whole.text(), "{model} split at {at}");
        }
        for size in [1, 7, 64] {
            assert_eq!(
                ask(model, WITH_USAGE, Response::stream(body).in_pieces_of(size)).text(),
                whole.text()
            );
        }
        // Upon trailers nothing can be written; whoever has an end mark of his own does not need it.
        let trailers = Response::stream(body).in_pieces_of(64).ending(End::Trailers(Vec::new()));
        let answer = ask(model, WITH_USAGE, trailers);
        assert!(whole.text().starts_with(answer.text()) && answer.said() == whole.said());
        assert!(answer.is_finished() || model == "flash");
        let silent = ask(model, STREAM, Response::stream(body));
        assert!(silent.is_finished() && !silent.chunks().iter().any(|chunk| chunk["usage"].is_object()));
    }
}

#[test]
fn a_stream_cut_at_any_byte_never_ends_well() {
    for (model, body) in [("claude", CLAUDE), ("flash", FLASH)] {
        let whole = ask(model, STREAM, Response::stream(body));
        for at in 0..body.len() {
            let answer = ask(model, STREAM, Response::stream(&body[..at]));
            if answer.status != 200 {
                assert_eq!(answer.status, 502, "{model} cut at {at}");
                answer.error();
            } else if !answer.is_finished() {
                answer.error();
                assert!(whole.said().starts_with(&answer.said()), "{model} cut at {at}");
            } else {
                assert_eq!(
                    answer.text(),
                    whole.text(),
                    "{model} cut at {at}: all had come but for blank lines"
                );
            }
        }
    }
}

#[test]
fn an_error_event_before_the_first_content_is_tried_on_the_next_target() {
    let text = String::from_utf8_lossy(CLAUDE);
    let begin = text.split_inclusive("\n\n").next().unwrap();
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    for body in [error.to_string(), [begin, error].concat(), begin.to_string()] {
        for size in [7, 10_000] {
            let mut envoy = Envoy::new(CONFIG)
                .answering("anthropic", Response::stream(&body).in_pieces_of(size))
                .answering("gemini", Response::stream(FLASH));
            let answer = envoy.ask(Request::chat(chat("foreign", STREAM)));
            assert_eq!((answer.status, envoy.tried()), (200, vec!["anthropic", "gemini"]));
            assert!(answer.is_finished() && answer.header("x-modelgate-provider") == "gemini");
        }
    }
}

#[test]
fn an_error_event_after_content_ends_the_stream() {
    let text = String::from_utf8_lossy(CLAUDE);
    let (said, rest) = text.split_at(text.find("event: content_block_stop").unwrap());
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    for size in [7, 10_000] {
        let answer =
            ask("foreign", STREAM, Response::stream([said, error, rest].concat()).in_pieces_of(size));
        assert_eq!((answer.status, answer.header("x-modelgate-attempts")), (200, "1"));
        assert!(answer.error()["message"].as_str().unwrap().contains("Overloaded"));
        assert!(!answer.text().contains("[DONE]"));
    }
}

#[test]
fn a_stream_that_says_nothing_for_long_is_let_go_and_then_fails_in_band() {
    let pings = "event: ping\ndata: {\"type\":\"ping\"}\n\n".repeat(100);
    let answer = ask("foreign", STREAM, Response::stream(&pings).in_pieces_of(100));
    assert_eq!((answer.status, answer.header("x-modelgate-provider")), (200, "anthropic"));
    assert_eq!(answer.error()["code"], "stream_interrupted");
    assert!(!answer.text().contains("[DONE]"));
}

#[test]
fn a_whole_answer_to_one_who_asked_for_a_stream_becomes_one() {
    for (model, body) in [
        ("gpt", completion("hello").into_bytes()),
        ("claude", CLAUDE_WHOLE.to_vec()),
        ("flash", FLASH_WHOLE.to_vec()),
    ] {
        let answer = ask(model, WITH_USAGE, Response::json(200, body));
        assert_eq!((answer.status, answer.is_finished()), (200, true), "{model}");
        assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
        assert!(!answer.said().is_empty(), "{model}");
    }
}

#[test]
fn what_a_target_cannot_honour_is_named_or_another_target_is_taken() {
    let whole = |sent: &Sent| match sent.cluster.as_str() {
        "anthropic" => Response::json(200, CLAUDE_WHOLE),
        _ => Response::json(200, FLASH_WHOLE),
    };
    let mut envoy = Envoy::new(CONFIG).cluster("anthropic", whole).cluster("gemini", whole);
    let answer = envoy.ask(Request::chat(chat("foreign", r#","seed":7,"logit_bias":{"1":2}"#)));
    let dropped: Vec<_> = answer.header("x-modelgate-dropped").split(',').collect();
    assert!(dropped.contains(&"seed") && dropped.contains(&"logit_bias"), "{dropped:?}");
    let answer = envoy.ask(Request::chat(chat("claude", r#","n":2"#)));
    let error = answer.error();
    assert_eq!(
        (answer.status, &error["code"], &error["param"]),
        (400, &json!("unsupported_parameter"), &json!("n"))
    );
    envoy.sent.clear();
    let answer = envoy.ask(Request::chat(chat("foreign", r#","n":2"#)));
    assert_eq!((answer.status, envoy.tried()), (200, vec!["gemini"]), "{}", answer.text());
    assert_eq!(answer.header("x-modelgate-attempts"), "1");
}

#[test]
fn later_attempts_translate_what_the_client_sent_and_not_what_the_first_target_was() {
    let more = r#","seed":7,"user":"u-1""#;
    let small = chat("foreign-first", more);
    let large =
        chat("foreign-first", &format!(r#"{more},"metadata":{{"pad":"{}"}}"#, "p".repeat(256 * 1024)));
    for body in [small, large] {
        let mut envoy = Envoy::new(CONFIG)
            .answering("anthropic", Response::bare(529))
            .answering("gemini", Response::bare(503))
            .answering("openai", Response::json(200, completion("hello")));
        let answer = envoy.ask(Request::chat(body.clone()));
        assert_eq!((answer.status, answer.header("x-modelgate-dropped")), (200, ""), "{}", answer.text());
        assert_eq!(envoy.tried(), ["anthropic", "anthropic", "gemini", "openai"]);
        let [first, second, third, last] = envoy.sent.as_slice() else { panic!("four attempts") };
        assert!(first.json()["max_tokens"].is_u64() && first.text() == second.text(), "{}", second.text());
        assert!(third.json()["contents"].is_array() && third.header("anthropic-version").is_empty());
        let mut expected: Value = serde_json::from_str(&body).unwrap();
        expected["model"] = json!("gpt-4.1");
        assert_eq!(last.json(), expected);
        assert_eq!(envoy.logged("body"), "", "what was kept is let go with the answer");
    }
}

#[test]
fn what_only_an_attempt_finds_is_told_by_it() {
    let config = |vendor: &str| {
        CONFIG.replace(
            r#""vendor": "gemini""#,
            &format!(r#""base_url": "https://x.example/v1", "vendor": "{vendor}""#),
        )
    };
    let removed = CONFIG
        .replace(r#""gemini": {"vendor""#, r#""other": {"vendor""#)
        .replace(r#""provider": "gemini""#, r#""provider": "other""#);
    // A route's later attempts translate by themselves; what is for the first target came translated.
    for (providers, model, status, words, provider, tried) in [
        (config("anthropic"), "all", 400, "one choice", "gemini", &["openai"][..]),
        (config("anthropic"), "foreign", 500, "its provider has become another vendor's", "", &[]),
        (config("anthropic"), "flash", 500, "its provider has become another vendor's", "", &[]),
        (removed, "flash", 500, "its provider was removed", "", &[]),
    ] {
        let mut envoy = Envoy::new(&config("vllm"))
            .with_providers(&providers)
            .answering("openai", Response::bare(503))
            .answering("gemini", Response::refused());
        let answer = envoy.ask(Request::chat(chat(model, r#","n":2"#)));
        let error = answer.error();
        assert!(answer.status == status && error["message"].as_str().unwrap().contains(words), "{error}");
        assert_eq!(
            (answer.header("x-modelgate-provider"), answer.header("x-modelgate-attempts")),
            (provider, (tried.len() + 1).to_string().as_str())
        );
        assert_eq!(answer.header("x-request-id"), "request-1");
        assert_eq!(envoy.tried(), tried);
    }
}

#[test]
fn usage_is_openais_whoever_answers() {
    for (model, body) in [("claude", CLAUDE_WHOLE), ("flash", FLASH_WHOLE)] {
        let usage = ask(model, "", Response::json(200, body)).json()["usage"].clone();
        let count = |key: &str| usage[key].as_u64().unwrap_or_else(|| panic!("{key} in {usage}"));
        assert_eq!(count("prompt_tokens") + count("completion_tokens"), count("total_tokens"));
        assert!(usage["prompt_tokens_details"]["cached_tokens"].is_u64(), "{usage}");
        assert_ne!(usage, Value::Null);
    }
}

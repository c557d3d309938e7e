//! The whole filter on a fake Envoy: what content rules find is not asked and not answered, in any dialect and at any split;
//! what no rule concerns passes as it came.

mod support;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{
    Answer, DONE, Envoy, Request, Response, Sent, closing, completion, event, opening, says, stream, usage,
};

/// A request of somebody who does not say who it is.
fn anonymous(body: impl AsRef<[u8]>) -> Request {
    Request::chat(body).without("authorization")
}

/// Providers of three dialects, two of whose models run somewhere, and these rules.
fn configuration(rules: &Value, more: &Value) -> String {
    let hash =
        |name: &str| Sha256::digest(name).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let consumer = |name: &str, scope: &str| json!({"keys": [{"sha256": hash(name)}], "cache_scope": scope});
    let provider = |vendor: &str| json!({"vendor": vendor, "api_key": {"value": "key"}});
    let mut document = json!({
        "providers": {"a": provider("openai"), "c": provider("anthropic"), "g": provider("gemini")},
        "models": {
            "small": {"provider": "a", "model": "gpt-4.1-mini", "region": "us", "price": {"input": 1, "output": 1}},
            "claude": {"provider": "c", "model": "claude-sonnet-4-5", "region": "eu", "max_output_tokens": 64000},
            "flash": {"provider": "g", "model": "gemini-2.5-flash"},
            "vectors": {"provider": "a", "model": "text-embedding-3-small"},
        },
        "routes": {
            "smart": {"targets": [{"model": "small"}, {"model": "claude"}]},
            "foreign": {"targets": [{"model": "claude"}, {"model": "small"}]},
        },
        "auth": {"anonymous": {"consumer": "anyone"}},
        "tiers": {"kids": {}},
        "consumers": {"acme": consumer("acme", "shared"), "club": consumer("club", "shared"), "kid": {"tier": "kids", "keys": [{"sha256": hash("kid")}]}},
        "health": "off",
        "content_rules": rules,
    });
    document.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    document.to_string()
}

fn envoy(rules: &Value) -> Envoy {
    let whole = |sent: &Sent| match sent.json()["stream"] == true {
        true => Response::stream(stream(&["hello"])),
        false => Response::json(200, completion("hello")),
    };
    Envoy::new(&configuration(rules, &json!({}))).cluster("a", whole)
}

fn rule(more: Value) -> Value {
    let mut rule = json!({"name": "secrets", "action": "redact", "keywords": ["secret"]});
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([rule])
}

fn said_by(role: &str, content: Value) -> Value {
    json!({"role": role, "content": content})
}

fn body(model: &str, messages: Value, more: Value) -> String {
    let mut body = json!({"model": model, "messages": messages});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body.to_string()
}

fn ask(model: &str, text: &str, more: Value) -> Request {
    anonymous(body(model, json!([said_by("user", json!(text))]), more))
}

fn streamed() -> Value {
    json!({"stream": true, "stream_options": {"include_usage": true}})
}

#[test]
fn what_is_denied_is_not_asked_and_not_repeated() {
    let mut envoy = envoy(&rule(json!({"action": "deny"})));
    let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "a SECRET!"}]);
    for (messages, place) in [
        (json!([said_by("user", json!("my secret plan"))]), "messages[0]"),
        (json!([said_by("system", json!("a \u{2028}secret")), said_by("user", json!("hi"))]), "messages[0]"),
        (
            json!([
                said_by("user", json!("hi")),
                said_by("assistant", json!("secret")),
                said_by("user", json!("hi"))
            ]),
            "messages[1]",
        ),
        (json!([said_by("user", parts)]), "messages[0]"),
    ] {
        for more in [json!({}), streamed()] {
            let answer = envoy.ask(anonymous(body("small", messages.clone(), more)));
            assert_eq!(answer.status, 400, "{}", answer.text());
            let error = answer.error();
            assert_eq!(
                (error["code"].as_str(), error["param"].as_str()),
                (Some("content_policy_violation"), Some(place))
            );
            assert_eq!(error["type"], "invalid_request_error");
            assert_eq!(
                error["message"],
                format!("`{place}`: the content rule 'secrets' does not let this be asked")
            );
            assert_eq!(answer.header("x-modelgate-content-rules"), "secrets");
            assert_eq!(envoy.logged("content_rules"), "secrets");
        }
    }
    let vectors = json!({"model": "vectors", "input": ["hi", "my secret"]}).to_string();
    let mut request = anonymous(&vectors);
    request = request.with(":path", "/v1/embeddings");
    assert_eq!(envoy.ask(request).error()["param"], "input");
    assert!(envoy.tried().is_empty());
    let answer = envoy.ask(ask("small", "the secretary", json!({})));
    assert_eq!((answer.status, answer.header("x-modelgate-content-rules")), (200, ""));
    assert_eq!(envoy.logged("content_rules"), "");
}

#[test]
fn what_is_redacted_is_taken_out_of_every_text_and_nothing_else_changes() {
    let call = |arguments: &str| json!({"id": "call_1", "type": "function", "function": {"name": "secret", "arguments": arguments}});
    let messages = |word: &str| {
        let arguments = json!({"q": format!("my {word} \"plan\""), "n": 1}).to_string();
        json!([
            said_by("system", json!(format!("Keep it {word}."))),
            said_by("user", json!([{"type": "text", "text": format!("a\t{word}\u{e9}\n")}, {"type": "image_url", "image_url": {"url": "https://e.com/secret.png"}}])),
            {"role": "assistant", "content": null, "tool_calls": [call(&arguments)]},
            {"role": "tool", "tool_call_id": "call_1", "content": format!("{word} found")},
            said_by("user", json!("go on")),
        ])
    };
    let text = |word: &str| {
        body("small", messages(word), json!({"seed": 1, "user": "secret"})).replace("\u{e9}", "-\\u00e9")
    };
    let mut envoy = envoy(&rule(json!({})));
    let answer = envoy.ask(anonymous(text("secret")));
    assert_eq!((answer.status, answer.header("x-modelgate-content-rules")), (200, "secrets"));
    assert_eq!(envoy.logged("content_rules"), "secrets");
    let expected: Value =
        serde_json::from_str(&text("[redacted]").replace("\"small\"", "\"gpt-4.1-mini\"")).unwrap();
    assert_eq!(envoy.last_sent().json(), expected);
    let untouched = body("small", messages("public"), json!({"seed": 1}));
    envoy.ask(anonymous(&untouched));
    assert_eq!(envoy.last_sent().text(), untouched.replace("\"small\"", "\"gpt-4.1-mini\""), "byte for byte");
}

#[test]
fn every_attempt_gets_what_was_redacted() {
    for (model, first, second) in [("smart", "a", "c"), ("foreign", "c", "a")] {
        let mut envoy = envoy(&rule(json!({"applies_to": "input"})))
            .answering(first, Response::error(503, "no"))
            .answering(second, Response::error(500, "no"));
        envoy.ask(ask(model, "my secret plan", json!({})));
        assert_eq!(envoy.tried(), [first, second]);
        for sent in &envoy.sent {
            assert!(
                sent.text().contains("my [redacted] plan") && !sent.text().contains("secret"),
                "{}",
                sent.text()
            );
        }
    }
}

#[test]
fn a_rule_is_for_whom_it_says() {
    let asked = |rules: &Value, model: &str, who: Option<&str>| {
        let mut envoy = envoy(rules).answering("c", Response::error(500, "no"));
        let request = ask(model, "a secret", json!({}));
        let answer = envoy.ask(match who {
            Some(who) => request.with("authorization", format!("Bearer {who}")),
            None => request,
        });
        (answer.status, envoy.tried().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    for (only, model, who, is_denied) in [
        (json!({"consumers": ["acme"]}), "small", Some("acme"), true),
        (json!({"consumers": ["acme"]}), "small", Some("club"), false),
        (json!({"consumers": ["acme"]}), "small", None, false),
        (json!({"tiers": ["kids"]}), "small", Some("kid"), true),
        (json!({"tiers": ["kids"]}), "small", Some("acme"), false),
        (json!({"routes": ["smart"]}), "smart", None, true),
        (json!({"routes": ["smart"]}), "small", None, false),
        (json!({"models": ["small"]}), "small", None, true),
        (json!({"models": ["claude"]}), "small", None, false),
        (json!({"regions": ["us"]}), "small", None, true),
        (json!({"applies_to": "output"}), "small", None, false),
    ] {
        let mut only = only;
        only["action"] = json!("deny");
        let (status, tried) = asked(&rule(only.clone()), model, who);
        assert_eq!((status == 400, tried.is_empty()), (is_denied, is_denied), "{only} {model} {who:?}");
    }
    // Where another may answer, only those are left out that the rule is for.
    for (region, tried) in [("eu", vec!["a"]), ("us", vec!["c"])] {
        let rules = rule(json!({"action": "deny", "regions": [region]}));
        assert_eq!(asked(&rules, "smart", None).1, tried, "{region}");
    }
}

/// A stream of choices, which say these pieces in turn.
fn saying(pieces: &[(u32, Value)]) -> String {
    let mut out = String::new();
    for (choice, delta) in pieces {
        out += &event(&json!([{"index": choice, "delta": delta, "finish_reason": null}]).to_string(), "");
    }
    let mut choices: Vec<_> = pieces.iter().map(|(choice, _)| *choice).collect();
    choices.sort_unstable();
    choices.dedup();
    for choice in choices {
        out += &event(&json!([{"index": choice, "delta": {}, "finish_reason": "stop"}]).to_string(), "");
    }
    out + &usage() + DONE
}

/// What a choice of a stream says under a key, and how it ends.
fn of(answer: &Answer, choice: u64, key: &str) -> (String, Vec<String>) {
    let (mut said, mut ends) = (String::new(), Vec::new());
    for chunk in answer.chunks() {
        for each in chunk["choices"].as_array().unwrap().iter().filter(|each| each["index"] == choice) {
            let delta = &each["delta"];
            let text =
                if key == "arguments" { &delta["tool_calls"][0]["function"][key] } else { &delta[key] };
            said += text.as_str().unwrap_or_default();
            ends.extend(each["finish_reason"].as_str().map(str::to_owned));
        }
    }
    (said, ends)
}

#[test]
fn a_stream_is_redacted_alike_at_every_split() {
    let response = saying(&[
        (0, json!({"role": "assistant", "content": ""})),
        (0, json!({"reasoning_content": "it is sec"})),
        (0, json!({"content": "a sec"})),
        (0, json!({"reasoning_content": "ret."})),
        (0, json!({"content": "ret pl"})),
        (1, json!({"content": "sec"})),
        (0, json!({"content": "an, se"})),
        (1, json!({"content": "retary"})),
        (0, json!({"content": "cret"})),
    ]);
    let rules = rule(json!({"applies_to": "output", "replacement": "\"#\""}));
    let mut envoy = envoy(&rules);
    for at in 0..=response.len() {
        let split = Response::stream(&response).split_at(at);
        envoy.script("a", move |_| split.clone());
        let answer = envoy.ask(ask("small", "hi", streamed()));
        assert_eq!(
            of(&answer, 0, "content"),
            ("a \"#\" plan, \"#\"".to_owned(), vec!["stop".to_owned()]),
            "{at}"
        );
        assert_eq!(of(&answer, 0, "reasoning_content").0, "it is \"#\".");
        assert_eq!(of(&answer, 1, "content").0, "secretary");
        assert!(
            answer.is_finished() && answer.chunks().iter().any(|chunk| chunk["usage"]["total_tokens"] == 3)
        );
        assert_eq!(envoy.logged("content_rules"), "secrets");
    }
}

#[test]
fn a_denied_stream_ends_its_choice_and_shows_nothing_of_it() {
    let rules = rule(json!({"action": "deny"}));
    let response = saying(&[
        (0, json!({"content": "this is "})),
        (1, json!({"content": "fine"})),
        (0, json!({"content": "a sec"})),
        (0, json!({"content": "ret plan"})),
        (1, json!({"content": " still"})),
    ]);
    for size in [1, 7, 64, 10_000] {
        let mut envoy = envoy(&rules).answering("a", Response::stream(&response).in_pieces_of(size));
        let answer = envoy.ask(ask("small", "hi", streamed()));
        assert_eq!(of(&answer, 0, "content"), ("this is a ".to_owned(), vec!["content_filter".to_owned()]));
        assert_eq!(of(&answer, 1, "content"), ("fine still".to_owned(), vec!["stop".to_owned()]));
        assert!(answer.is_finished() && answer.chunks().last().unwrap()["usage"]["total_tokens"] == 3);
        assert_eq!(
            (envoy.logged("content_rules"), envoy.logged("tokens_out")),
            ("secrets".into(), "2".into())
        );
    }
    // Also where all of it comes before anything was let go, and where it is only known in the end.
    for pieces in [vec!["secret!"], vec!["secret"], vec!["sec", "ret"]] {
        let mut envoy = envoy(&rules).answering("a", Response::stream(stream(&pieces)));
        let answer = envoy.ask(ask("small", "hi", streamed()));
        assert_eq!(of(&answer, 0, "content"), (String::new(), vec!["content_filter".to_owned()]));
        assert!(answer.is_finished());
    }
}

#[test]
fn a_whole_answer_is_redacted_or_withheld_or_passes_as_it_came() {
    let choice = |index: u32, text: &str| json!({"index": index, "message": {"role": "assistant", "content": text, "refusal": null, "x": 1}, "logprobs": {"content": [{"token": text}]}, "finish_reason": "stop"});
    let whole = |texts: [&str; 2]| {
        json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "service_tier": "default",
               "choices": [choice(0, texts[0]), choice(1, texts[1])], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}).to_string()
    };
    for (action, texts, expected, fired) in [
        (
            "redact",
            ["my secret", "fine"],
            [(json!("my [redacted]"), "stop"), (json!("fine"), "stop")],
            "secrets",
        ),
        (
            "deny",
            ["my secret", "fine"],
            [(Value::Null, "content_filter"), (json!("fine"), "stop")],
            "secrets",
        ),
        ("deny", ["secretary", "fine"], [(json!("secretary"), "stop"), (json!("fine"), "stop")], ""),
    ] {
        let mut envoy =
            envoy(&rule(json!({"action": action}))).answering("a", Response::json(200, whole(texts)));
        let answer = envoy.ask(ask("small", "hi", json!({"n": 2})));
        let choices = answer.json()["choices"].as_array().unwrap().clone();
        let got: Vec<_> = choices
            .iter()
            .map(|it| (it["message"]["content"].clone(), it["finish_reason"].as_str().unwrap()))
            .collect();
        assert_eq!(got, expected, "{action} {texts:?}");
        assert_eq!(
            (answer.header("x-modelgate-content-rules"), envoy.logged("content_rules")),
            (fired, fired.to_owned())
        );
        assert_eq!(answer.json()["usage"]["total_tokens"], 3);
        if fired.is_empty() {
            assert_eq!(answer.text(), whole(texts), "byte for byte");
        } else {
            assert!(!answer.text().contains("secret\""), "{}", answer.text());
            assert_eq!(answer.json()["service_tier"], "default");
        }
    }
}

#[test]
fn arguments_of_calls_stay_json() {
    let arguments =
        json!({"query": "the secret \"plan\"", "path": "C:\\secret\\x", "n": [1, 2.5]}).to_string();
    let expected = json!({"query": "the [redacted] \"plan\"", "path": "C:\\[redacted]\\x", "n": [1, 2.5]});
    let call = |function: Value| json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]});
    for cut in 0..=arguments.len() {
        let (first, second) = arguments.split_at(cut);
        let response = saying(&[
            (0, call(json!({"name": "find", "arguments": ""}))),
            (0, json!({"tool_calls": [{"index": 0, "function": {"arguments": first}}]})),
            (0, json!({"tool_calls": [{"index": 0, "function": {"arguments": second}}]})),
        ]);
        let mut envoy = envoy(&rule(json!({}))).answering("a", Response::stream(&response));
        let answer = envoy.ask(ask("small", "hi", streamed()));
        let (said, ends) = of(&answer, 0, "arguments");
        assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), expected, "cut at {cut}: {said}");
        assert_eq!(ends, ["tool_calls"]);
    }
}

const CLAUDE: &str = include_str!("fixtures/anthropic/stream-text.sse");
const CLAUDE_TOOLS: &str = include_str!("fixtures/anthropic/stream-thinking-tools.sse");
const FLASH: &str = include_str!("fixtures/gemini/text-stream.response.sse");

#[test]
fn other_dialects_are_looked_at_as_their_answers_come() {
    for (model, cluster, body) in [("claude", "c", CLAUDE), ("flash", "g", FLASH)] {
        let ask = |rules: &Value, response: Response| {
            envoy(rules).answering(cluster, response).ask(ask(model, "hi", streamed()))
        };
        let plain = ask(&json!([]), Response::stream(body)).said();
        let word =
            plain.split(|c: char| !c.is_alphanumeric()).rfind(|word| word.len() > 3).unwrap().to_owned();
        let redacts = json!([{"name": "a", "action": "redact", "patterns": [format!("\\b{word}\\b")], "replacement": "#"}]);
        let denies = json!([{"name": "a", "action": "deny", "patterns": [format!("\\b{word}\\b")]}]);
        for size in [1, 7, 64, 10_000] {
            let answer = ask(&redacts, Response::stream(body).in_pieces_of(size));
            assert!(answer.is_finished() && !answer.said().contains(&word), "{}", answer.said());
            assert!(
                answer.said().contains('#') && plain.starts_with(answer.said().split('#').next().unwrap())
            );
            let answer = ask(&denies, Response::stream(body).in_pieces_of(size));
            let (said, ends) = of(&answer, 0, "content");
            assert!(plain.starts_with(&said) && !said.contains(&word), "{said}");
            assert_eq!((ends, answer.is_finished()), (vec!["content_filter".to_owned()], true));
        }
    }
}

#[test]
fn thinking_that_was_redacted_has_no_signature() {
    let ask = |patterns: Value| {
        let rules = json!([{"name": "a", "action": "redact", "patterns": patterns, "replacement": "#"}]);
        let answer =
            envoy(&rules).answering("c", Response::stream(CLAUDE_TOOLS)).ask(ask("claude", "hi", streamed()));
        assert!(answer.is_finished(), "{}", answer.text());
        answer
    };
    let signed = |answer: &Answer| answer.text().contains("\"signature\"");
    let plain = ask(json!(["nowhere to be found"]));
    let thought = of(&plain, 0, "reasoning_content").0;
    assert!(signed(&plain) && !thought.is_empty());
    let redacted = ask(json!(["\\w+"]));
    assert!(!signed(&redacted), "{}", redacted.text());
    assert!(of(&redacted, 0, "reasoning_content").0.starts_with('#'));
}

#[test]
fn what_no_rule_concerns_passes_as_it_came() {
    let body = [opening(), says("a secret"), closing(), usage(), DONE.to_string()].concat();
    for rules in [
        json!([]),
        rule(json!({"applies_to": "input"})),
        rule(json!({"consumers": ["acme"]})),
        rule(json!({"models": ["claude"]})),
        rule(json!({"regions": ["eu"]})),
        rule(json!({"routes": ["foreign"]})),
    ] {
        for size in [1, 64] {
            let mut envoy = envoy(&rules).answering("a", Response::stream(&body).in_pieces_of(size));
            let answer = envoy.ask(ask("smart", "hi", streamed()));
            let cost = r#","x_modelgate":{"cost_usd":0.000003}"#;
            assert_eq!(answer.text().replace(cost, ""), body, "{rules}");
        }
    }
}

#[test]
fn what_was_generated_is_charged_whatever_became_of_it() {
    let text = "This is the secret plan of which nobody shall ever hear a single word. ".repeat(5);
    let silent = [opening(), says(&text), closing(), DONE.to_string()].concat();
    let charged = |rules: &Value| {
        let mut envoy = envoy(rules).answering("a", Response::stream(&silent).in_pieces_of(50));
        envoy.ask(ask("small", "hi", json!({"stream": true})));
        envoy.logged("tokens_out").parse::<u64>().unwrap()
    };
    let expected = charged(&json!([]));
    assert!(expected > 50);
    for action in ["redact", "deny"] {
        assert_eq!(charged(&rule(json!({"action": action}))), expected, "{action}");
    }
    // Where the roles know nothing of each other the rules hold all the same.
    let mut envoy = envoy(&rule(json!({"action": "deny"}))).answering("a", Response::stream(&silent));
    envoy.vms_apart = true;
    let answer = envoy.ask(ask("small", "hi", streamed()));
    assert_eq!(of(&answer, 0, "content").1, ["content_filter"]);
}

#[test]
fn what_is_kept_is_for_those_under_the_same_rules() {
    let answering = |rules: &Value| {
        let configuration = configuration(rules, &json!({"cache": {"exact": {"when": "always"}}}));
        Envoy::new(&configuration).answering("a", Response::json(200, completion("a secret")))
    };
    let asks = |who: &str| ask("small", "hi", json!({})).with("authorization", format!("Bearer {who}"));
    let seen = |envoy: &mut Envoy, who: &str| {
        let answer = envoy.ask(asks(who));
        let said = answer.json()["choices"][0]["message"]["content"].as_str().map(str::to_owned);
        (answer.header("x-modelgate-cache").to_owned(), said.unwrap_or_default())
    };
    let is = |status: &str, said: &str| (status.to_owned(), said.to_owned());
    let mut shared = answering(&rule(json!({})));
    assert_eq!(seen(&mut shared, "acme"), is("miss", "a [redacted]"));
    assert_eq!(seen(&mut shared, "club"), is("hit", "a [redacted]"));
    let mut apart = answering(&rule(json!({"consumers": ["acme"]})));
    assert_eq!(seen(&mut apart, "club"), is("miss", "a secret"));
    assert_eq!(seen(&mut apart, "acme"), is("miss", "a [redacted]"));
    assert_eq!(seen(&mut apart, "acme"), is("hit", "a [redacted]"));
    assert_eq!(seen(&mut apart, "club"), is("hit", "a secret"));
    let mut denied = answering(&rule(json!({"action": "deny"})));
    assert_eq!([seen(&mut denied, "acme"), seen(&mut denied, "acme")], [is("miss", ""), is("miss", "")]);
}

#[test]
fn answers_to_what_was_redacted_are_the_same_answer() {
    let rules = rule(json!({"applies_to": "input", "keywords": ["secret", "mystery"]}));
    let configuration = configuration(&rules, &json!({"cache": {"exact": {"when": "always"}}}));
    let mut envoy = Envoy::new(&configuration).answering("a", Response::json(200, completion("hello")));
    assert_eq!(envoy.ask(ask("small", "a secret", json!({}))).header("x-modelgate-cache"), "miss");
    let again = envoy.ask(ask("small", "a mystery", json!({})));
    assert_eq!(
        (again.header("x-modelgate-cache"), again.header("x-modelgate-content-rules")),
        ("hit", "secrets")
    );
}

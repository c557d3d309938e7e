//! The whole filter on a fake Envoy: an answer is given again to whom it is for, for as long as it is good, in either form, and
//! without asking anybody; what is not whole, or not for this client, is never given.

mod support;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{
    Answer, DONE, End, Envoy, Request, Response, Sent, chat, closing, completion, opening, says, stream,
    usage, world,
};

const CLIENTS: [&str; 4] = ["acme", "bureau", "club", "guild"];

/// Two providers behind a route, consumers with keys (`club` and `guild` share their tier's answers), and what else is said.
fn configuration(more: &Value) -> String {
    let hash =
        |name: &str| Sha256::digest(name).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let consumer = |name: &str| {
        let scope = if matches!(name, "club" | "guild") { "tier" } else { "consumer" };
        (name.to_string(), json!({"keys": [{"sha256": hash(name)}], "cache_scope": scope}))
    };
    let mut document = json!({
        "providers": {
            "a": {"vendor": "openai", "base_url": "https://a.example/v1", "api_key": {"value": "key-of-a"}},
            "b": {"vendor": "anthropic", "base_url": "https://b.example/v1", "api_key": {"value": "key-of-b"}},
        },
        "models": {
            "small": {"provider": "a", "aliases": ["little"], "price": {"input": 1, "output": 1}},
            "other": {"provider": "b"},
        },
        "routes": {
            "smart": {"targets": [{"model": "small"}, {"model": "other"}]},
            "desk": {"targets": [{"model": "small"}], "cache": {"exact": {"enabled": false}, "semantic": {}}},
            "fresh": {"targets": [{"model": "small"}], "cache": {"exact": {"enabled": false}}},
        },
        "consumers": CLIENTS.map(consumer).into_iter().collect::<serde_json::Map<_, _>>(),
        "cache": {"exact": {"ttl": 100}},
    });
    document.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    document.to_string()
}

fn answering(text: &'static str) -> impl FnMut(&Sent) -> Response {
    move |sent| match sent.json()["stream"] == true {
        true => Response::stream(stream(&[text])),
        false => Response::json(200, completion(text)),
    }
}

/// Envoy, whose provider says something else each time.
fn envoy(more: &Value) -> Envoy {
    let mut said = ["first", "second", "third", "fourth", "fifth", "sixth"].into_iter().cycle();
    Envoy::new(&configuration(more)).cluster("a", move |sent| answering(said.next().unwrap())(sent))
}

/// A request with temperature 0 of a client.
fn request(client: &str, model: &str, more: &str) -> Request {
    Request::chat(chat(model, &format!(r#","temperature":0{more}"#)))
        .with("authorization", format!("Bearer {client}"))
}

fn ask(envoy: &mut Envoy, client: &str, more: &str) -> Answer {
    envoy.ask(request(client, "small", more))
}

const STREAM: &str = r#","stream":true"#;
const STREAM_WITH_USAGE: &str = r#","stream":true,"stream_options":{"include_usage":true}"#;

/// What an answer says, in whichever form.
fn said(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    if answer.header("content-type").starts_with("text/event-stream") {
        assert!(answer.is_finished(), "{}", answer.text());
        return answer.said();
    }
    answer.json()["choices"][0]["message"]["content"].as_str().unwrap().to_string()
}

/// What became of a request, and what the answer says.
fn seen(answer: &Answer) -> (String, String) {
    (answer.header("x-modelgate-cache").to_string(), said(answer))
}

fn is(status: &str, text: &str) -> (String, String) {
    (status.to_string(), text.to_string())
}

fn after(seconds: u64) {
    world(|world| world.now += seconds * 1_000_000_000);
}

#[test]
fn an_answer_in_either_form_is_given_again_in_either() {
    for (first, kept) in
        [("", completion("first")), (STREAM, String::new()), (STREAM_WITH_USAGE, String::new())]
    {
        let mut envoy = envoy(&json!({}));
        assert_eq!(seen(&ask(&mut envoy, "acme", first)), is("miss", "first"));
        after(7);
        let whole = ask(&mut envoy, "acme", "");
        assert_eq!(seen(&whole), is("hit", "first"));
        assert_eq!((whole.header("content-type"), whole.header("age")), ("application/json", "7"));
        assert_eq!((whole.header("x-modelgate-provider"), whole.header("x-modelgate-model")), ("a", "small"));
        assert_eq!(whole.header("x-modelgate-attempts"), "", "nobody was asked");
        assert_eq!(whole.json()["usage"]["total_tokens"], 3);
        assert!(kept.is_empty() || whole.text() == kept, "byte for byte");
        for (more, usage) in [(STREAM, false), (STREAM_WITH_USAGE, true)] {
            let streamed = ask(&mut envoy, "acme", more);
            assert_eq!(seen(&streamed), is("hit", "first"));
            assert_eq!(streamed.header("content-type"), "text/event-stream; charset=utf-8");
            let counted = streamed.chunks().iter().any(|chunk| chunk["usage"]["total_tokens"] == 3);
            assert_eq!(counted, usage, "{}", streamed.text());
            assert!(streamed.chunks().iter().all(|chunk| chunk["id"] == "chatcmpl-1"));
        }
        assert_eq!(envoy.logged("tokens_saved"), "3");
        assert_eq!(envoy.tried(), ["a"]);
    }
}

#[test]
fn an_answer_is_good_for_its_time_only() {
    let mut envoy = envoy(&json!({}));
    for (pause, expected) in [(0, is("miss", "first")), (99, is("hit", "first")), (1, is("miss", "second"))] {
        after(pause);
        assert_eq!(seen(&ask(&mut envoy, "acme", "")), expected);
    }
}

#[test]
fn no_answer_crosses_a_scope() {
    let mut envoy = envoy(&json!({}));
    for (client, expected) in [
        ("acme", is("miss", "first")),
        ("bureau", is("miss", "second")),
        ("club", is("miss", "third")),
        ("guild", is("hit", "third")),
        ("acme", is("hit", "first")),
        ("bureau", is("hit", "second")),
    ] {
        assert_eq!(seen(&ask(&mut envoy, client, "")), expected, "{client}");
    }
    let mut envoy = self::envoy(&json!({"auth": {"anonymous": {"consumer": "acme"}}}));
    ask(&mut envoy, "acme", "");
    let refused = envoy.ask(request("nobody", "small", ""));
    assert_eq!(refused.status, 401, "who is nobody is given nothing");
}

#[test]
fn another_name_or_another_request_is_another_answer() {
    let mut envoy = envoy(&json!({}));
    ask(&mut envoy, "acme", "");
    assert_eq!(
        seen(&envoy.ask(request("acme", "little", ""))),
        is("hit", "first"),
        "an alias is no other name"
    );
    assert_eq!(seen(&envoy.ask(request("acme", "smart", ""))), is("miss", "second"));
    assert_eq!(seen(&ask(&mut envoy, "acme", r#","seed":1"#)), is("miss", "third"));
    assert_eq!(seen(&ask(&mut envoy, "acme", r#","user":"jane""#)), is("hit", "first"));
}

#[test]
fn what_is_not_for_the_cache_goes_past_it() {
    let mut envoy = envoy(&json!({}));
    let asked = |envoy: &mut Envoy, model, more| {
        let request = Request::chat(chat(model, more)).with("authorization", "Bearer acme");
        seen(&envoy.ask(request))
    };
    assert_eq!(
        asked(&mut envoy, "small", ""),
        is("bypass", "first"),
        "any answer will do only for temperature 0"
    );
    assert_eq!(asked(&mut envoy, "small", ""), is("bypass", "second"));
    assert_eq!(
        asked(&mut envoy, "fresh", r#","temperature":0"#),
        is("", "third"),
        "no answers of it are kept"
    );
    let mut without = Envoy::new(&configuration(&json!({"cache": {}}))).cluster("a", answering("x"));
    assert_eq!(seen(&ask(&mut without, "acme", "")), is("", "x"));
    assert!(world(|world| world.shared("cache/set/0").is_none()), "nothing is kept");
}

#[test]
fn what_the_client_says_about_it_holds() {
    let mut envoy = envoy(&json!({}));
    for (control, pause, expected) in [
        ("no-store", 0, is("bypass", "first")),
        ("", 0, is("miss", "second")),
        ("no-store", 0, is("bypass", "third")),
        ("", 0, is("hit", "second")),
        ("no-cache", 0, is("bypass", "fourth")),
        ("", 0, is("hit", "fourth")),
        ("max-age=10", 9, is("hit", "fourth")),
        ("max-age=10", 1, is("miss", "fifth")),
        ("min-fresh=95", 4, is("hit", "fifth")),
        ("min-fresh=95", 1, is("miss", "sixth")),
    ] {
        after(pause);
        let answer = envoy.ask(request("acme", "small", "").with("cache-control", control));
        assert_eq!(seen(&answer), expected, "{control}");
        assert!(envoy.tried().is_empty() || envoy.last_sent().header("cache-control").is_empty());
    }
    let only = |client| request(client, "small", "").with("cache-control", "only-if-cached");
    assert_eq!(seen(&envoy.ask(only("acme"))), is("hit", "sixth"));
    let asked = envoy.sent.len();
    let refused = envoy.ask(only("bureau"));
    assert_eq!((refused.status, refused.error()["code"].as_str()), (504, Some("not_cached")));
    assert_eq!(envoy.sent.len(), asked);
}

#[test]
fn what_is_not_whole_is_not_kept() {
    let text = "half a sentence ";
    let half = [opening(), says(text)].concat();
    let length = closing().replace("stop", "length");
    for response in [
        Response::stream(&half).ending(End::Reset),
        Response::stream(&half),
        Response::stream([half.clone(), length, usage(), DONE.to_string()].concat()),
        Response::stream([half.clone(), "data: {\"error\":{\"message\":\"no\"}}\n\n".to_string()].concat()),
    ] {
        let mut envoy = Envoy::new(&configuration(&json!({}))).answering("a", response);
        assert_eq!(ask(&mut envoy, "acme", STREAM).header("x-modelgate-cache"), "miss");
        envoy.script("a", answering("whole"));
        assert_eq!(seen(&ask(&mut envoy, "acme", STREAM)), is("miss", "whole"));
        assert_eq!(seen(&ask(&mut envoy, "acme", "")), is("hit", "whole"));
    }
    for response in [
        Response::error(500, "no"),
        Response::error(400, "no"),
        Response::json(200, completion("cut").replace("stop", "length")),
        Response::json(200, completion("filtered").replace("stop", "content_filter")),
        Response::json(200, "{}"),
    ] {
        let mut envoy = Envoy::new(&configuration(&json!({}))).answering("a", response);
        ask(&mut envoy, "acme", "");
        envoy.script("a", answering("whole"));
        assert_eq!(seen(&ask(&mut envoy, "acme", "")), is("miss", "whole"));
    }
}

#[test]
fn a_stream_is_kept_in_whatever_pieces_it_came_and_however_it_ended() {
    let body = stream(&["a few ", "words"]);
    for size in [1, 7, 64, 4096] {
        for end in [End::WithLast, End::Separate, End::Trailers(Vec::new())] {
            let response = Response::stream(&body).in_pieces_of(size).ending(end);
            let mut envoy = Envoy::new(&configuration(&json!({}))).answering("a", response);
            ask(&mut envoy, "acme", STREAM);
            assert_eq!(seen(&ask(&mut envoy, "acme", "")), is("hit", "a few words"), "{size}");
        }
    }
    // After the end mark nothing is missing, whatever becomes of the connection.
    let mut envoy =
        Envoy::new(&configuration(&json!({}))).answering("a", Response::stream(&body).ending(End::Reset));
    ask(&mut envoy, "acme", STREAM);
    assert_eq!(seen(&ask(&mut envoy, "acme", "")), is("hit", "a few words"));
}

#[test]
fn what_another_target_answered_is_kept_as_its_answer_and_nothing_of_the_failed_one() {
    let claude = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "other", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "by claude"}], "usage": {"input_tokens": 1, "output_tokens": 2},
    });
    let mut envoy = Envoy::new(&configuration(&json!({})))
        .answering("a", Response::error(500, "the provider fails"))
        .answering("b", Response::json(200, claude.to_string()));
    let asked = |envoy: &mut Envoy| envoy.ask(request("acme", "smart", r#","seed":7"#));
    assert_eq!(seen(&asked(&mut envoy)), is("miss", "by claude"));
    let again = asked(&mut envoy);
    assert_eq!(seen(&again), is("hit", "by claude"));
    assert_eq!((again.header("x-modelgate-provider"), again.header("x-modelgate-model")), ("b", "other"));
    assert_eq!(again.header("x-modelgate-dropped"), "seed");
    assert_eq!(envoy.tried(), ["a", "b"]);
}

#[test]
fn an_answer_from_here_counts_against_no_limit() {
    let limits = json!([
        {"name": "requests", "per": ["consumer"], "requests": 1, "window": "day"},
        {"name": "budget", "per": ["consumer"], "usd": 100, "window": "day"},
    ]);
    let mut envoy = envoy(&json!({"limits": limits}));
    assert_eq!(seen(&ask(&mut envoy, "acme", "")), is("miss", "first"));
    for _ in 0..3 {
        let again = ask(&mut envoy, "acme", "");
        assert_eq!(seen(&again), is("hit", "first"));
        assert_eq!((again.header("ratelimit"), &*envoy.logged("cost_usd")), ("", ""));
        assert_eq!(envoy.logged("tokens_saved"), "3");
    }
    assert_eq!(ask(&mut envoy, "acme", r#","seed":1"#).status, 429);
}

#[test]
fn what_was_changed_in_memory_is_a_miss() {
    let mut envoy = envoy(&json!({"cache": {"exact": {}, "store": {"entries": 1}}}));
    ask(&mut envoy, "acme", "");
    let key = "cache/set/0/0";
    let kept = world(|world| world.shared(key).expect("an answer").0.to_vec());
    for at in [0, 5, 20, 80, kept.len() - 1] {
        let mut changed = kept.clone();
        changed[at] ^= 1;
        world(|world| world.share(key, &changed, 0));
        let (status, text) = seen(&ask(&mut envoy, "acme", ""));
        assert!(status == "miss" && text != "first", "{at}: {status} {text}");
    }
    for cut in [0, 1, kept.len() - 1] {
        world(|world| world.share(key, &kept[..cut], 0));
        assert_eq!(seen(&ask(&mut envoy, "acme", "")).0, "miss", "{cut}");
    }
    world(|world| world.share(key, &kept, 0));
    assert_eq!(seen(&ask(&mut envoy, "acme", "")), is("hit", "first"));
}

#[test]
fn what_is_too_long_is_answered_and_not_kept() {
    let mut envoy = envoy(&json!({"cache": {"exact": {}, "store": {"entry_bytes": 1024}}}));
    let long: &'static str = "a long answer ".repeat(100).leak();
    envoy.script("a", answering(long));
    for more in ["", STREAM] {
        for _ in 0..2 {
            assert_eq!(seen(&ask(&mut envoy, "acme", more)), is("miss", long));
        }
    }
}

#[test]
fn a_question_that_means_the_same_gets_the_same_answer_within_its_scope() {
    let mut envoy = envoy(&json!({}));
    let asked = |envoy: &mut Envoy, client: &str, question: &str, more: &str| {
        let body = chat("desk", more).replace("\"hi\"", &format!("{question:?}"));
        seen(&envoy.ask(Request::chat(body).with("authorization", format!("Bearer {client}"))))
    };
    for (client, question, more, expected) in [
        ("acme", "How do ticks look?", "", is("miss", "first")),
        ("acme", "How does a tick look", "", is("semantic", "first")),
        ("acme", "How does a tick look", STREAM, is("semantic", "first")),
        ("bureau", "How do ticks look?", "", is("miss", "second")),
        ("acme", "How do 2 ticks look?", "", is("miss", "third")),
        ("acme", "How do ticks look?", r#","seed":1"#, is("miss", "fourth")),
        ("acme", "hi", "", is("bypass", "fifth")),
    ] {
        assert_eq!(asked(&mut envoy, client, question, more), expected, "{client} {question} {more}");
    }
}

#[test]
fn where_the_roles_run_in_vms_apart_nothing_is_kept_and_everything_works() {
    let mut envoy = envoy(&json!({}));
    envoy.vms_apart = true;
    assert_eq!(seen(&ask(&mut envoy, "acme", "")), is("miss", "first"));
    assert_eq!(seen(&ask(&mut envoy, "acme", STREAM)), is("miss", "second"));
}

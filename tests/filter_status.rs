//! The whole filter on a fake Envoy: how the gateway is doing, and who may see it.

mod support;

use flate2::read::GzDecoder;
use modelgate::base64;
use modelgate::digest::digest;
use serde_json::{Value, json};
use std::io::Read;
use support::{Answer, Envoy, Request, Response, chat, completion, header, world};

const PAGE: &str = include_str!("../src/exchange/status/page.html");

fn hash(key: &str) -> String {
    digest(&[key.as_bytes()]).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn configuration(admin: bool) -> String {
    let keys = |name: &str| json!([{"sha256": hash(&format!("key-of-{name}"))}]);
    json!({
        "providers": {"a": {"vendor": "openai", "base_url": "https://a.example/v1", "api_key": {"value": "key"}}},
        "models": {"one": {"provider": "a", "price": {"input": 1, "output": 2}}, "two": {"provider": "a"}},
        "routes": {"smart": {"targets": [{"model": "two"}, {"model": "one"}]}},
        "consumers": {"ops": {"keys": keys("ops"), "admin": admin}, "acme": {"keys": keys("acme")}},
        "limits": [{"name": "rpm", "per": ["consumer"], "requests": 4, "window": "hour"}],
    })
    .to_string()
}

fn get(envoy: &mut Envoy, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request =
        headers.iter().fold(Request::new("GET", path).without("authorization"), |request, (name, value)| {
            request.with(name, value)
        });
    envoy.ask(request)
}

fn basic(key: &str) -> String {
    let mut text = b"Basic ".to_vec();
    base64::encode(&mut text, format!("anybody:{key}").as_bytes());
    String::from_utf8(text).unwrap()
}

#[test]
fn an_admins_key_opens_the_page_by_whatever_way_it_comes() {
    let mut envoy = Envoy::new(&configuration(true));
    let basic = basic("key-of-ops");
    for headers in
        [("authorization", "Bearer key-of-ops"), ("x-api-key", "key-of-ops"), ("authorization", &*basic)]
    {
        for path in ["/modelgate", "/modelgate/", "/modelgate/?x=1", "/modelgate/status"] {
            let answer = get(&mut envoy, path, &[headers]);
            assert_eq!(
                (answer.status, answer.header("cache-control")),
                (200, "no-store"),
                "{path} {headers:?}"
            );
        }
    }
}

#[test]
fn nobody_else_sees_it() {
    let mut envoy = Envoy::new(&configuration(true));
    let (wrong, known) = (basic("key-of-nobody"), basic("key-of-acme"));
    for (headers, status) in [
        (vec![], 401),
        (vec![("authorization", "Bearer key-of-nobody")], 401),
        (vec![("authorization", &*wrong)], 401),
        (vec![("authorization", "Basic !!!")], 401),
        (vec![("authorization", "Basic ")], 401),
        (vec![("authorization", &*known), ("x-api-key", "key-of-ops")], 401),
        (vec![("authorization", "Bearer key-of-acme")], 403),
        (vec![("authorization", &*known)], 403),
    ] {
        for path in ["/modelgate/", "/modelgate/status"] {
            let answer = get(&mut envoy, path, &headers);
            assert_eq!(answer.status, status, "{path} {headers:?}");
            if status == 401 {
                assert_eq!(answer.header("www-authenticate"), r#"Basic realm="modelgate", charset="UTF-8""#);
            }
        }
    }
    assert_eq!(
        envoy.ask(Request::chat(chat("one", "")).with("authorization", basic("key-of-ops"))).status,
        401,
        "a model is asked with a bearer's key"
    );
}

#[test]
fn without_an_admin_there_is_no_such_page() {
    let mut envoy = Envoy::new(&configuration(false));
    for path in ["/modelgate/", "/modelgate/status"] {
        let answer = get(&mut envoy, path, &[("authorization", "Bearer key-of-ops")]);
        assert_eq!((answer.status, &*answer.json()["error"]["code"].to_string()), (404, r#""unknown_url""#));
    }
    assert!(world(|world| world.shared("board").is_none()), "and nothing is kept for it");
}

#[test]
fn the_page_is_one_document_that_asks_nobody_else() {
    let mut envoy = Envoy::new(&configuration(true));
    let answer = get(&mut envoy, "/modelgate/", &[("authorization", "Bearer key-of-ops")]);
    assert_eq!(
        (answer.header("content-type"), answer.header("content-encoding")),
        ("text/html; charset=utf-8", "gzip")
    );
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let mut page = String::new();
    GzDecoder::new(&*answer.body).read_to_string(&mut page).unwrap();
    let lines = |text: &str| {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&page), lines(PAGE));
    let elsewhere: Vec<_> = page
        .match_indices("http")
        .map(|(at, _)| &page[at..at + 19])
        .filter(|text| !text.starts_with("http://www.w3.org/"))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    assert!(!page.contains("innerHTML"), "names are shown as text");
}

#[test]
fn the_status_has_what_was_asked_and_answered() {
    let mut envoy = Envoy::new(&configuration(true)).cluster("a", |sent| {
        world(|world| world.now += 120_000_000);
        let fails = header(&sent.headers, ":path").is_some() && sent.json()["model"] == "two";
        if fails { Response::error(503, "no") } else { Response::json(200, completion("hello")) }
    });
    for model in ["one", "one", "smart"] {
        assert_eq!(
            envoy.ask(Request::chat(chat(model, "")).with("authorization", "Bearer key-of-acme")).status,
            200
        );
    }
    envoy.tick();
    let status = get(&mut envoy, "/modelgate/status", &[("authorization", "Bearer key-of-ops")]).json();
    let named = |list: &str, key: &str, name: &str| -> Value {
        let rows = status[list].as_array().unwrap();
        rows.iter()
            .find(|row| row[key] == name)
            .unwrap_or_else(|| panic!("{name} is not in {rows:?}"))
            .clone()
    };
    let one = named("models", "model", "one");
    assert_eq!(
        (&one["requests"], &one["failed"], &one["tokens_in"], &one["tokens_out"]),
        (&json!(3), &json!(0), &json!(3), &json!(6))
    );
    assert_eq!(one["cost_usd"], json!(0.000015));
    let p50 = one["p50_ms"].as_u64().unwrap();
    assert!((91..=181).contains(&p50), "{p50}");
    assert_eq!(named("models", "model", "two")["failed"], 1);
    assert_eq!(named("consumers", "consumer", "acme")["requests"], 3);
    assert_eq!(named("limits", "limit", "rpm")["used_percent"], 75);
    let failover = named("failovers", "from", "two");
    assert_eq!(
        (&failover["to"], &failover["reason"], &failover["count"]),
        (&json!("one"), &json!("unavailable"), &json!(1))
    );
    assert_eq!(status["minutes"].as_array().unwrap().len(), 1);
    let target = named("targets", "model", "one");
    assert_eq!((&target["provider"], &target["circuit"]), (&json!("a"), &json!("closed")));
}

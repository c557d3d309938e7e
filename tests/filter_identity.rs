//! The whole filter on a fake Envoy: who asks is told from keys and tokens, before the body is there; what is not for them
//! is refused, left out or not listed; and nothing of a credential goes anywhere.

mod support;

use serde_json::json;
use sha2::{Digest, Sha256};
use support::{Answer, Envoy, Request, Response, Sent, chat, completion, world};

/// Models in two regions of two providers, a route over them, and consumers for whom that makes a difference.
fn configuration(anonymous: &str) -> String {
    let hash = |key: &str| Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let provider = |name: &str| json!({"vendor": "openai", "base_url": format!("https://{name}.example/v1"), "api_key": {"value": format!("key-of-{name}")}, "allow_unlisted": true});
    json!({
        "providers": {"a": provider("a"), "b": provider("b")},
        "models": {
            "small": {"provider": "a", "aliases": ["little"], "region": "eu"},
            "large": {"provider": "b", "region": "us"},
            "anywhere": {"provider": "b"},
        },
        "routes": {
            "smart": {"targets": [{"model": "large"}, {"model": "small"}]},
            "far": {"targets": [{"model": "large"}]},
        },
        "default_provider": "a",
        "auth": {
            "anonymous": serde_json::from_str::<serde_json::Value>(anonymous).unwrap(),
            "jwt": {"payload": "jwt_payload"},
        },
        "tiers": {"european": {"regions": ["eu"]}, "free": {"models": ["little"]}},
        "consumers": {
            "acme": {"keys": [{"sha256": hash("sk-acme-new")}, {"sha256": hash("sk-acme-old"), "not_after": "2023-11-14T22:13:20Z"}]},
            "euro": {"tier": "european", "keys": [{"sha256": hash("sk-euro")}]},
            "routed": {"models": ["smart"], "keys": [{"sha256": hash("sk-routed")}]},
        },
    })
    .to_string()
}

fn envoy() -> Envoy {
    let answer = |_: &Sent| Response::json(200, completion("hello"));
    Envoy::new(&configuration(r#""deny""#)).cluster("a", answer).cluster("b", answer)
}

/// A request that brings no credential.
fn bare(request: Request) -> Request {
    request.without("authorization")
}

fn with_key(key: &str, request: Request) -> Request {
    request.with("authorization", format!("Bearer {key}"))
}

fn code(answer: &Answer) -> String {
    answer.error()["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn who_asks_is_told_from_a_key_and_noted_for_the_access_log() {
    for request in [
        with_key("sk-acme-new", Request::chat(chat("small", ""))),
        bare(Request::chat(chat("small", ""))).with("x-api-key", "sk-acme-new"),
        with_key("sk-acme-old", Request::new("GET", "/v1/models")),
        with_key("sk-acme-new", Request::new("GET", "/v1/models/small")),
        // Also of a request that is refused for another reason.
        with_key("sk-acme-new", Request::chat(chat("unheard/of", "")).with("content-type", "text/plain")),
    ] {
        let mut envoy = envoy();
        envoy.ask(request);
        assert_eq!((envoy.logged("consumer"), envoy.logged("tier")), ("acme".into(), "default".into()));
    }
}

#[test]
fn who_cannot_be_told_is_refused_before_the_body_is_there() {
    let chat = || Request::chat(chat("small", ""));
    for request in [
        bare(chat()),
        with_key("sk-nobody", chat()),
        bare(chat()).with("x-api-key", "sk-nobody"),
        with_key("sk-acme-new", chat()).with("x-api-key", "sk-euro"),
        with_key(&"k".repeat(10_000), chat()),
        chat().with("authorization", "Basic c2stYWNtZS1uZXc="),
        chat().with("authorization", b"Bearer \xff\xfe"),
        with_key("sk-nobody", Request::new("GET", "/v1/models")),
        bare(Request::new("GET", "/v1/models/small")),
    ] {
        let mut envoy = envoy();
        // Nothing more than the head is there, and that is enough: this request would never end.
        let head = Request { pieces: vec![b"{".to_vec()], end: support::End::Stall, ..request };
        let answer = envoy.ask(head);
        assert_eq!((answer.status, code(&answer)), (401, "invalid_api_key".into()));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.error()["type"], "invalid_request_error");
        assert_eq!(envoy.tried(), [""; 0]);
        assert_eq!((envoy.logged("consumer"), envoy.logged("tier")), (String::new(), String::new()));
    }
}

#[test]
fn a_header_that_is_there_twice_is_refused() {
    for name in ["authorization", "x-api-key"] {
        let mut request = bare(Request::chat(chat("small", "")));
        let value = if name == "x-api-key" { "sk-acme-new" } else { "Bearer sk-acme-new" };
        request.headers.extend([1, 2].map(|_| (name.to_string(), value.as_bytes().to_vec())));
        let answer = envoy().ask(request);
        assert_eq!((answer.status, code(&answer)), (401, "invalid_api_key".into()), "{name}");
    }
}

#[test]
fn a_key_is_valid_until_its_last_second() {
    let mut envoy = envoy();
    let ask = |envoy: &mut Envoy| envoy.ask(with_key("sk-acme-old", Request::chat(chat("small", "")))).status;
    assert_eq!(ask(&mut envoy), 200);
    world(|world| world.now += 1_000_000_000);
    assert_eq!(ask(&mut envoy), 401);
}

#[test]
fn health_and_unknown_paths_are_told_to_anyone() {
    for (path, status) in [("/healthz", 200), ("/metrics", 404)] {
        assert_eq!(envoy().ask(bare(Request::new("GET", path))).status, status);
    }
}

#[test]
fn a_token_names_who_asks() {
    let text = |text: &str| text.as_bytes().to_vec();
    for (claims, status, consumer, tier) in [
        (vec![("sub", text("carol")), ("tier", text("free"))], 200, "carol", "free"),
        (vec![("sub", text("carol")), ("tier", text("platinum"))], 200, "carol", "default"),
        (vec![("sub", text("carol"))], 200, "carol", "default"),
        (vec![("sub", text("euro")), ("tier", text("free"))], 200, "euro", "european"),
        (vec![("sub", text("j\u{f6}rg m"))], 200, "j%C3%B6rg%20m", "default"),
        (vec![("sub", text("a\r\nx: y"))], 401, "", ""),
        (vec![("sub", 12.0_f64.to_le_bytes().to_vec())], 401, "", ""),
        (vec![("sub", text(""))], 401, "", ""),
        (vec![("email", text("carol@example.com"))], 401, "", ""),
        (vec![], 401, "", ""),
    ] {
        for anonymous in [r#""deny""#, r#"{"consumer": "guest"}"#] {
            let mut envoy = Envoy::new(&configuration(anonymous));
            envoy.script("a", |_| Response::json(200, completion("hello")));
            envoy.claims = claims.clone();
            let answer = envoy.ask(bare(Request::chat(chat("small", ""))));
            // Without any claims there is no token.
            let (status, consumer, tier) = match claims.is_empty() && anonymous.contains("guest") {
                true => (200, "guest", "default"),
                false => (status, consumer, tier),
            };
            assert_eq!(answer.status, status, "{claims:?}");
            assert_eq!((envoy.logged("consumer"), envoy.logged("tier")), (consumer.into(), tier.into()));
        }
    }
}

#[test]
fn a_token_and_a_key_of_two_consumers_are_refused() {
    for (subject, status) in [("acme", 200), ("euro", 401), ("carol", 401), ("", 200)] {
        let mut envoy = envoy();
        envoy.claims = vec![("sub", subject.as_bytes().to_vec())];
        let answer = envoy.ask(bare(Request::chat(chat("small", ""))).with("x-api-key", "sk-acme-new"));
        assert_eq!(answer.status, status, "{subject}");
    }
}

#[test]
fn what_is_not_for_whoever_asks_is_a_403() {
    for (key, model, status, expected) in [
        ("sk-acme-new", "large", 200, ""),
        ("sk-acme-new", "a/anything", 200, ""),
        ("sk-routed", "smart", 200, ""),
        ("sk-routed", "large", 403, "model_not_allowed"),
        ("sk-routed", "b/large", 403, "model_not_allowed"),
        ("sk-routed", "a/anything", 403, "model_not_allowed"),
        ("sk-routed", "anything", 403, "model_not_allowed"),
        ("sk-euro", "little", 200, ""),
        ("sk-euro", "large", 403, "region_not_allowed"),
        ("sk-euro", "anywhere", 403, "region_not_allowed"),
        ("sk-euro", "a/anything", 403, "region_not_allowed"),
        ("sk-euro", "far", 403, "region_not_allowed"),
    ] {
        let mut envoy = envoy();
        let answer = envoy.ask(with_key(key, Request::chat(chat(model, ""))));
        assert_eq!(answer.status, status, "{key} {model}");
        if status == 403 {
            assert_eq!((code(&answer).as_str(), &answer.error()["param"]), (expected, &json!("model")));
            assert_eq!(envoy.tried(), [""; 0]);
        }
    }
}

#[test]
fn targets_in_other_regions_are_left_out_of_a_route() {
    for (key, cluster, retries) in [("sk-acme-new", "b", "1"), ("sk-euro", "a", "0")] {
        let mut envoy = envoy();
        envoy.ask(with_key(key, Request::chat(chat("smart", ""))));
        assert_eq!(envoy.tried(), [cluster]);
        assert_eq!(support::header(&envoy.routed[0], "x-envoy-max-retries"), Some(retries.as_bytes()));
    }
}

#[test]
fn an_unknown_name_is_answered_with_names_that_are_for_whoever_asks() {
    let told = |key: &str, model: &str| {
        let config = configuration(r#""deny""#).replace(r#""default_provider":"a","#, "");
        let answer = Envoy::new(&config).ask(with_key(key, Request::chat(chat(model, ""))));
        (code(&answer), answer.error()["message"].as_str().unwrap().to_owned())
    };
    let (code, message) = told("sk-acme-new", "smal");
    assert!(code == "model_not_found" && message.contains("`small`"), "{message}");
    let (code, message) = told("sk-routed", "smal");
    assert!(code == "model_not_found" && !message.contains("`small`"), "{message}");
}

#[test]
fn only_what_is_for_whoever_asks_is_listed() {
    let listed = |key: &str| {
        let list = envoy().ask(with_key(key, Request::new("GET", "/v1/models"))).json();
        let ids =
            list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(listed("sk-acme-new"), ["anywhere", "far", "large", "little", "small", "smart"]);
    assert_eq!(listed("sk-euro"), ["little", "small", "smart"]);
    assert_eq!(listed("sk-routed"), ["smart"]);
    for (key, path, status) in [
        ("sk-euro", "small", 200),
        ("sk-euro", "large", 404),
        ("sk-routed", "small", 404),
        ("sk-routed", "smart", 200),
    ] {
        let answer = envoy().ask(with_key(key, Request::new("GET", &format!("/v1/models/{path}"))));
        assert_eq!(answer.status, status, "{key} {path}");
    }
}

#[test]
fn no_credential_reaches_a_provider_or_a_log() {
    let mut envoy = envoy();
    envoy.script("b", |_| Response::json(503, "{}"));
    for (key, status) in [("sk-acme-new", 200), ("sk-acme-new-but-wrong", 401)] {
        let request = with_key(key, Request::chat(chat("smart", "")));
        let request =
            ["x-api-key", "cookie", "proxy-authorization"].iter().fold(request, |r, name| r.with(name, key));
        assert_eq!(envoy.ask(request).status, status);
        for (name, value) in envoy.filter_state.borrow().iter() {
            let value = String::from_utf8_lossy(value);
            assert!(!value.contains("sk-acme"), "{name}: {value}");
        }
    }
    assert_eq!(envoy.tried(), ["b", "a"]);
    for sent in &envoy.sent {
        let headers = sent.headers.iter().map(|(_, value)| value);
        for bytes in headers.chain([&sent.body]) {
            assert!(!String::from_utf8_lossy(bytes).contains("sk-acme"), "{sent:?}");
        }
    }
    let log = world(|world| format!("{:?}", world.log));
    assert!(!log.contains("sk-acme"), "{log}");
}

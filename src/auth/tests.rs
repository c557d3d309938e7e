use super::credentials::MAX_KEY;
use super::*;
use crate::config::{CacheScope, Config};
use crate::error::ApiError;
use serde_json::json;
use sha2::{Digest, Sha256};

/// A moment of 2023.
const NOW: i64 = 1_700_000_000;

fn hash(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Keys of two consumers, tokens, and if `anonymous` says so, requests without either.
fn config(anonymous: &str) -> Config {
    let anonymous = match anonymous {
        "deny" => json!("deny"),
        name => json!({ "consumer": name }),
    };
    let document = json!({
        "providers": {"ollama": {}},
        "auth": {"anonymous": anonymous, "jwt": {"payload": "jwt_payload"}},
        "tiers": {"premium": {}, "free": {}},
        "consumers": {
            "acme": {
                "tier": "premium",
                "cache_scope": "tier",
                "keys": [
                    {"sha256": hash("sk-acme-old"), "not_after": "2023-11-14T22:13:19Z"},
                    {"sha256": hash("sk-acme-now"), "not_after": "2023-11-14T22:13:20Z"},
                    {"sha256": hash("sk-acme-new")},
                ],
            },
            "bob": {"keys": [{"sha256": hash("sk-bob")}]},
        },
    });
    Config::parse(document.to_string().as_bytes(), &|_| None).unwrap()
}

fn token(subject: &str, tier: Option<&str>) -> Token {
    Token::Of { subject: subject.as_bytes().to_vec(), tier: tier.map(|tier| tier.as_bytes().to_vec()) }
}

fn ask(config: &Config, headers: &[(&str, &str)], token: Option<&Token>) -> Result<(String, String), Denied> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let consumer = identify(config.auth(), Credentials::among(&headers), token, NOW)?;
    Ok((consumer.name.to_string(), consumer.tier.name.to_string()))
}

fn is(name: &str, tier: &str) -> Result<(String, String), Denied> {
    Ok((name.to_owned(), tier.to_owned()))
}

#[test]
fn a_key_names_its_consumer_in_either_header() {
    for (headers, expected) in [
        (&[("authorization", "Bearer sk-acme-new")][..], is("acme", "premium")),
        (&[("authorization", "bearer  sk-bob")], is("bob", "default")),
        (&[("x-api-key", "sk-bob")], is("bob", "default")),
        (&[("accept", "*/*"), ("x-api-key", "sk-bob"), ("cookie", "sk-acme-new")], is("bob", "default")),
        // As clients do that cannot know which of the two a server reads.
        (&[("authorization", "Bearer sk-bob"), ("x-api-key", "sk-bob")], is("bob", "default")),
        (&[("authorization", "Bearer sk-Bob")], Err(Denied::Unknown)),
        (&[("authorization", "Bearer sk-bob2")], Err(Denied::Unknown)),
        (&[("x-api-key", &hash("sk-bob"))], Err(Denied::Unknown)),
        (&[], Err(Denied::Missing)),
        (&[("cookie", "sk-bob")], Err(Denied::Missing)),
    ] {
        assert_eq!(ask(&config("deny"), headers, None), expected, "{headers:?}");
    }
}

#[test]
fn several_keys_are_valid_at_once_each_until_its_last_second() {
    for (key, expected) in [
        ("sk-acme-old", Err(Denied::Unknown)),
        ("sk-acme-now", is("acme", "premium")),
        ("sk-acme-new", is("acme", "premium")),
    ] {
        assert_eq!(ask(&config("deny"), &[("x-api-key", key)], None), expected, "{key}");
    }
}

#[test]
fn what_is_not_one_readable_key_is_refused() {
    let longest = "k".repeat(MAX_KEY);
    let too_long = "k".repeat(MAX_KEY + 1);
    for (headers, expected) in [
        (&[("authorization", "")][..], Denied::Malformed),
        (&[("authorization", "Bearer")], Denied::Malformed),
        (&[("authorization", "Bearer ")], Denied::Malformed),
        (&[("authorization", "Basic c2stYm9iOg==")], Denied::Malformed),
        (&[("authorization", "sk-bob")], Denied::Malformed),
        (&[("authorization", "Bearersk-bob")], Denied::Malformed),
        (&[("authorization", "Bearer sk-bob x")], Denied::Malformed),
        (&[("authorization", "Bearer sk-bob\u{e9}")], Denied::Malformed),
        (&[("x-api-key", "")], Denied::Malformed),
        (&[("x-api-key", "sk-bob\0")], Denied::Malformed),
        // As Envoy joins two headers of one name.
        (&[("authorization", "Bearer sk-bob,Bearer sk-bob")], Denied::Several),
        (&[("authorization", "Bearer sk-bob,sk-acme-new")], Denied::Several),
        (&[("x-api-key", "sk-bob"), ("x-api-key", "sk-bob")], Denied::Several),
        (&[("x-api-key", "sk-bob"), ("x-api-key", "")], Denied::Several),
        (&[("authorization", "Bearer sk-bob"), ("x-api-key", "sk-acme-new")], Denied::Several),
        (&[("authorization", "Bearer sk-bob"), ("x-api-key", "")], Denied::Several),
        (&[("x-api-key", &longest)], Denied::Unknown),
        (&[("x-api-key", &too_long)], Denied::Unknown),
    ] {
        for anonymous in ["deny", "guest"] {
            assert_eq!(ask(&config(anonymous), headers, None), Err(expected), "{headers:?}");
        }
    }
}

#[test]
fn a_token_names_a_consumer_and_its_tier() {
    for (token, expected) in [
        (token("carol", Some("premium")), is("carol", "premium")),
        (token("carol", Some("free")), is("carol", "free")),
        (token("carol", None), is("carol", "default")),
        // A tier that is none.
        (token("carol", Some("platinum")), is("carol", "default")),
        (token("carol", Some("")), is("carol", "default")),
        (Token::Of { subject: b"carol".to_vec(), tier: Some(vec![0xff, 0]) }, is("carol", "default")),
        // The configuration knows better.
        (token("acme", Some("free")), is("acme", "premium")),
        (token("bob", Some("premium")), is("bob", "default")),
        // Fit for a log.
        (token("j\u{f6}rg m", Some("free")), is("j%C3%B6rg%20m", "free")),
        (token("", Some("free")), Err(Denied::Nameless)),
        (token("a\nb", Some("free")), Err(Denied::Nameless)),
        (token(&"a".repeat(256), Some("free")), Err(Denied::Nameless)),
        (Token::Of { subject: 12.0_f64.to_le_bytes().to_vec(), tier: None }, Err(Denied::Nameless)),
        (Token::Nameless, Err(Denied::Nameless)),
    ] {
        for anonymous in ["deny", "guest"] {
            assert_eq!(ask(&config(anonymous), &[], Some(&token)), expected, "{token:?}");
        }
    }
}

#[test]
fn a_consumer_that_only_a_token_names_may_what_its_tier_may() {
    let config = config("deny");
    let asks = |token| identify(config.auth(), Credentials::default(), Some(&token), NOW).unwrap();
    let carol = asks(token("carol", Some("free")));
    assert_eq!((&carol.allowed.models, &carol.allowed.regions), (&None, &None));
    assert_eq!(carol.cache_scope, CacheScope::Consumer);
    assert!(Rc::ptr_eq(&carol.tier, config.auth().tier(Some("free"))));
    assert!(Rc::ptr_eq(&asks(token("acme", None)), config.auth().consumer("acme").unwrap()));
}

#[test]
fn a_token_and_a_key_have_to_be_of_one_consumer() {
    let key = |key| [("x-api-key", key)];
    for (headers, subject, expected) in [
        (key("sk-acme-new"), "acme", is("acme", "premium")),
        (key("sk-acme-new"), "bob", Err(Denied::Conflicting)),
        (key("sk-acme-new"), "carol", Err(Denied::Conflicting)),
        (key("sk-acme-old"), "acme", Err(Denied::Unknown)),
        (key("sk-nobody"), "acme", Err(Denied::Unknown)),
        (key(""), "acme", Err(Denied::Malformed)),
        (key("sk-acme-new"), "", is("acme", "premium")),
    ] {
        let token = token(subject, Some("premium"));
        assert_eq!(ask(&config("guest"), &headers, Some(&token)), expected, "{headers:?} {subject}");
    }
}

#[test]
fn anonymous_use_is_for_requests_that_bring_nothing() {
    let config = config("guest");
    assert_eq!(ask(&config, &[], None), is("guest", "default"));
    assert_eq!(ask(&config, &[("cookie", "a=b")], None), is("guest", "default"));
    assert_eq!(ask(&config, &[("authorization", "Bearer unused")], None), Err(Denied::Unknown));
    assert_eq!(ask(&config, &[("x-api-key", "sk-acme-old")], None), Err(Denied::Unknown));
}

#[test]
fn where_nobody_is_told_from_anybody_credentials_are_not_looked_at() {
    let document = json!({
        "providers": {"ollama": {}},
        "auth": {"anonymous": {"consumer": "guest"}},
        "consumers": {"guest": {"tier": "default"}},
    });
    let config = Config::parse(document.to_string().as_bytes(), &|_| None).unwrap();
    for headers in [
        &[][..],
        &[("authorization", "Bearer unused")],
        &[("authorization", "Basic x"), ("x-api-key", "a"), ("x-api-key", "b")],
    ] {
        assert_eq!(ask(&config, headers, None), is("guest", "default"));
    }
}

#[test]
fn an_expired_key_an_unknown_one_and_one_that_is_too_long_are_refused_alike() {
    let config = config("deny");
    let refusal = |key: &str| ask(&config, &[("x-api-key", key)], None).map_err(ApiError::from).unwrap_err();
    let unknown = refusal("sk-nobody");
    assert_eq!((unknown.status, unknown.code.as_deref()), (401, Some("invalid_api_key")));
    assert_eq!(unknown.kind, "invalid_request_error");
    assert_eq!(refusal("sk-acme-old"), unknown);
    assert_eq!(refusal(&"k".repeat(MAX_KEY + 1)), unknown);
}

#[test]
fn every_refusal_is_in_words_of_its_own() {
    use Denied::{Conflicting, Malformed, Missing, Nameless, NoAdmin, Several, Unknown};
    let all = [Missing, Several, Malformed, Unknown, Nameless, Conflicting, NoAdmin];
    let mut messages: Vec<_> = all.iter().map(ToString::to_string).collect();
    for denied in all {
        let error = ApiError::from(denied);
        let expected = if denied == NoAdmin { (403, "admin_required") } else { (401, "invalid_api_key") };
        assert_eq!((error.status, error.code.as_deref()), (expected.0, Some(expected.1)));
    }
    messages.sort_unstable();
    messages.dedup();
    assert_eq!(messages.len(), all.len());
}

/// Two keys whose hashes begin with the same byte are told apart, and each of many is found.
#[test]
fn each_of_many_keys_is_found_and_none_that_is_only_like_one() {
    let consumers: serde_json::Map<_, _> = (0..2000)
        .map(|number| (format!("c{number}"), json!({"keys": [{"sha256": hash(&format!("key-{number}"))}]})))
        .collect();
    let document = json!({"providers": {"ollama": {}}, "consumers": consumers});
    let config = Config::parse(document.to_string().as_bytes(), &|_| None).unwrap();
    for number in 0..2000 {
        let key = format!("key-{number}");
        assert_eq!(ask(&config, &[("x-api-key", &key)], None), is(&format!("c{number}"), "default"));
        let other = format!("other-{number}");
        assert_eq!(ask(&config, &[("x-api-key", &other)], None), Err(Denied::Unknown));
    }
}

//! Who may ask: what is read from `auth`, `tiers` and `consumers`, and what is said of each mistake.

use super::{environment, parse, problems};
use crate::config::{ApiKey, CacheScope, Config, Consumer, Named};
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::rc::Rc;

/// SHA-256 of `abc` (FIPS 180-2, appendix B.1).
const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const OTHER_HASH: &str = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AE";
const NO_SHA: &str = "expected 64 hexadecimal digits, as `printf %s \"$KEY\" | sha256sum` prints them";
const NO_DATE: &str = "expected a point in time as RFC 3339 has it: \"2027-01-31T23:59:59Z\"";

/// Three models, two of them somewhere, a route, and the sections about who may ask.
fn document(sections: &Value) -> Value {
    let mut document = json!({
        "providers": {"openai": {"allow_unlisted": true}, "groq": {"api_key": "none"}},
        "models": {
            "small": {"provider": "openai", "aliases": ["little"], "region": "eu", "tags": ["audited"]},
            "large": {"provider": "groq", "region": "us"},
            "anywhere": {"provider": "groq"},
        },
        "routes": {"smart": {"targets": [{"model": "large"}, {"model": "small"}]}},
    });
    for (key, section) in sections.as_object().unwrap() {
        document[key] = section.clone();
    }
    document
}

fn read(sections: &Value) -> Config {
    parse(&document(sections)).unwrap_or_else(|problems| panic!("{problems}"))
}

fn told(sections: &Value) -> Vec<String> {
    problems(&document(sections))
}

fn consumer<'a>(config: &'a Config, name: &str) -> &'a Rc<Consumer> {
    config.auth().consumer(name).unwrap_or_else(|| panic!("no consumer {name}"))
}

/// The keys whose hashes begin as `hash` does.
fn keys<'a>(config: &'a Config, hash: &str) -> &'a [ApiKey] {
    config.auth().keys().like(&[u8::from_str_radix(&hash[..2], 16).unwrap(); 32])
}

#[test]
fn consumers_are_read_with_their_tiers_keys_and_lists() {
    let config = read(&json!({
        "auth": {"jwt": {"payload": "verified", "tier_claim": "https://example.com/plan"}},
        "tiers": {"premium": {"models": ["smart", "little"], "regions": ["eu", "us"]}},
        "consumers": {
            "acme": {
                "tier": "premium",
                "keys": [{"sha256": HASH}, {"sha256": OTHER_HASH, "not_after": "2027-01-01T00:00:00Z"}],
                "models": ["openai/gpt-4o", "small"],
                "regions": ["eu"],
                "cache_scope": "tier",
            },
            "auth0|5f7c": {},
        },
    }));
    let acme = consumer(&config, "acme");
    assert_eq!((&acme.tier.name.to_string()[..], acme.cache_scope), ("premium", CacheScope::Tier));
    let listed = |allowed: &Option<Vec<Named>>| {
        let names = allowed.as_ref().unwrap().iter().map(|named| match named {
            Named::Model(model) => model.name.to_string(),
            Named::Route(route) => route.name.to_string(),
        });
        names.collect::<Vec<_>>()
    };
    assert_eq!(listed(&acme.allowed.models), ["openai/gpt-4o", "small"]);
    assert_eq!(listed(&acme.tier.allowed.models), ["smart", "small"]);
    assert_eq!(acme.allowed.regions.as_ref().unwrap(), &["eu"]);

    let other = consumer(&config, "auth0|5f7c");
    assert_eq!((&other.tier.name.to_string()[..], other.cache_scope), ("default", CacheScope::Consumer));
    assert_eq!((&other.allowed.models, &other.tier.allowed.models), (&None, &None));

    let [first, second] = keys(&config, HASH) else { panic!("two keys") };
    assert_eq!((first.hash[31], first.not_after), (0xad, None));
    assert_eq!((second.hash[31], second.not_after), (0xae, Some(Timestamp::from_seconds(1_798_761_600))));
    assert!(Rc::ptr_eq(&first.consumer, acme) && Rc::ptr_eq(&second.consumer, acme));
    assert_eq!(keys(&config, "bb"), []);

    let jwt = config.auth().jwt().unwrap();
    let payload = "metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0verified";
    assert_eq!(jwt.payload, payload);
    assert_eq!(jwt.consumer, format!("{payload}\0sub"));
    assert_eq!(jwt.tier, format!("{payload}\0https://example.com/plan"));
    assert_eq!(config.auth().anonymous(), None, "anonymous use has to be allowed");
}

#[test]
fn the_anonymous_consumer_is_one_of_the_document_or_one_of_its_own() {
    for (sections, tier) in [
        (json!({"auth": {"anonymous": {"consumer": "guest"}}}), "default"),
        (json!({"auth": {"anonymous": {"consumer": "guest"}}, "consumers": {"acme": {}}}), "default"),
        (
            json!({
                "auth": {"anonymous": {"consumer": "guest"}},
                "tiers": {"free": {}},
                "consumers": {"guest": {"tier": "free"}},
            }),
            "free",
        ),
    ] {
        let config = read(&sections);
        let guest = config.auth().anonymous().unwrap();
        assert_eq!((guest.name.as_str(), guest.tier.name.as_str()), ("guest", tier));
        // A token that names it is of the same one.
        assert!(Rc::ptr_eq(guest, consumer(&config, "guest")));
    }
}

#[test]
fn the_default_tier_can_be_declared_and_need_not_be() {
    let acme = |tiers: Value| {
        let keys = json!([{"sha256": HASH}]);
        let config = read(&json!({"tiers": tiers, "consumers": {"acme": {"tier": "default", "keys": keys}}}));
        assert!(Rc::ptr_eq(&consumer(&config, "acme").tier, config.auth().tier(None)));
        assert!(Rc::ptr_eq(config.auth().tier(Some("unheard-of")), config.auth().tier(None)));
        Rc::clone(&consumer(&config, "acme").tier)
    };
    assert_eq!(acme(json!({})).allowed.models, None);
    assert_eq!(
        acme(json!({"default": {"models": ["small"]}})).allowed.models.as_ref().map(Vec::len),
        Some(1)
    );
}

#[test]
fn that_anyone_may_ask_has_to_be_said() {
    const WAYS: &str = "expected consumers with keys, auth.jwt, or, if anyone may ask, auth: {anonymous: {consumer: anonymous}}";
    let refused = |document: &Value| {
        let told = Config::parse(document.to_string().as_bytes(), &environment).expect_err("a problem");
        told.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        refused(&document(&json!({}))),
        [format!("auth: there is neither auth nor consumers, so nobody could ask: {WAYS}")]
    );
    for sections in [
        json!({"auth": {}}),
        json!({"auth": {"anonymous": "deny"}}),
        json!({"consumers": {}}),
        json!({"consumers": {"acme": {}}}),
        json!({"consumers": {"acme": {"keys": []}}, "auth": {"anonymous": "deny"}}),
    ] {
        assert_eq!(
            refused(&document(&sections)),
            [format!("auth: nobody could ask: no consumer has a key, and there is no jwt: {WAYS}")],
            "{sections}"
        );
    }
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_may_have_been_meant() {
    let long = "x".repeat(256);
    assert_eq!(
        told(&json!({
            "auth": {
                "anonymous": {"consumer": "a b"},
                "jwt": {"payload": "", "consumer_claim": "a\0b", "tier_claim": long},
            },
            "tiers": {
                "a/b": {},
                "premium": {"models": ["smrat", "groq/large", "groq/other", "little"], "regions": ["eu", "su"], "requires": ["audtied"]},
                "nothing": {"models": [], "regions": []},
            },
            "consumers": {
                "acme": {"tier": "premuim", "models": ["openai/anything", "lttle"]},
                "of-a-refused-tier": {"tier": "a/b"},
                "a\nb": {},
            },
        })),
        [
            "auth.jwt.payload: \"\" cannot be a name: expected from 1 to 255 bytes, none of them NUL",
            "auth.jwt.consumer_claim: \"a\\0b\" cannot be a name: expected from 1 to 255 bytes, none of them NUL",
            &format!(
                "auth.jwt.tier_claim: {long:?} cannot be a name: expected from 1 to 255 bytes, none of them NUL"
            ),
            "tiers.a/b: \"a/b\" cannot be a name: it contains '/'",
            "tiers.nothing.models: there is none: expected at least one, or no list: then all",
            "tiers.nothing.regions: there is none: expected at least one, or no list: then all",
            "tiers.premium.models[0]: unknown model \"smrat\": expected a model, an alias, provider/model or a route; \
             nearest: \"smart\"",
            "tiers.premium.models[2]: unknown model \"groq/other\": expected a model, an alias, provider/model or a route",
            "tiers.premium.regions[1]: unknown region \"su\": expected the region of a model (models.*.region); \
             nearest: \"eu\"",
            "tiers.premium.requires[0]: unknown tag \"audtied\": expected the tag of a model (models.*.tags); \
             nearest: \"audited\"",
            "consumers.a\nb: \"a\\nb\" cannot be a name: it contains '\\n'",
            "consumers.acme.tier: unknown tier \"premuim\": expected one of tiers; nearest: \"premium\"",
            "consumers.acme.models[1]: unknown model \"lttle\": expected a model, an alias, provider/model or a route; \
             nearest: \"little\"",
            "auth.anonymous.consumer: \"a b\" cannot be a name: it contains ' '",
        ]
    );
}

#[test]
fn naming_what_was_refused_is_no_problem_of_its_own() {
    let mut document = document(&json!({
        "consumers": {"acme": {"models": ["bad", "broken", "gone/x"], "regions": ["mars"], "keys": [{"sha256": HASH}]}},
    }));
    document["providers"]["gone"] = json!({"vendor": "goone"});
    document["models"]["bad"] = json!({"provider": "nobody", "region": "mars"});
    document["routes"]["broken"] = json!({"targets": [{"model": "unheard-of"}]});
    let places: Vec<_> =
        problems(&document).iter().map(|told| told.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(places, ["providers.gone.vendor", "models.bad.provider", "routes.broken.targets[0].model"]);
}

#[test]
fn a_key_is_its_sha_256_once() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(
        told(&json!({"consumers": {
            "a": {"keys": [{"sha256": HASH}, {"sha256": "sk-secret"}, {"sha256": empty}]},
            "b": {"keys": [
                {"sha256": HASH.to_uppercase()},
                {"sha256": OTHER_HASH, "not_after": "2027-02-29T00:00:00Z"},
                {"sha256": OTHER_HASH, "not_after": "tomorrow"},
                {"sha256": format!("{HASH}0")},
                {"sha256": format!("g{}", &HASH[1..])},
                {"sha256": format!("{HASH}\n")},
                {"sha256": ""},
            ]},
        }})),
        [
            &format!("consumers.a.keys[1].sha256: not a SHA-256: {NO_SHA}"),
            "consumers.a.keys[2].sha256: the SHA-256 of an empty text: expected the SHA-256 of a key",
            "consumers.b.keys[0].sha256: the same key as consumers.a.keys[0]: expected each key once",
            &format!("consumers.b.keys[1].not_after: not a date: there is no such day: {NO_DATE}"),
            &format!("consumers.b.keys[2].not_after: not a date: it has another form: {NO_DATE}"),
            "consumers.b.keys[2].sha256: the same key as consumers.b.keys[1]: expected each key once",
            &format!("consumers.b.keys[3].sha256: not a SHA-256: {NO_SHA}"),
            &format!("consumers.b.keys[4].sha256: not a SHA-256: {NO_SHA}"),
            &format!("consumers.b.keys[5].sha256: not a SHA-256: {NO_SHA}"),
            &format!("consumers.b.keys[6].sha256: not a SHA-256: {NO_SHA}"),
        ]
    );
}

#[test]
fn the_wrong_shape_is_refused_where_it_is_and_without_what_may_be_a_key() {
    const HIDDEN: &str = "what is there is not shown, because it may be a secret: \
                          expected a list of {sha256: HASH, not_after: DATE}, each key once";
    let keys = |keys: Value| json!({"consumers": {"acme": {"keys": keys}}});
    for (sections, expected) in [
        (keys(json!("sk-secret")), format!("consumers.acme.keys: {HIDDEN}")),
        (keys(json!(["sk-secret"])), format!("consumers.acme.keys[0]: {HIDDEN}")),
        (keys(json!([{"sha256": HASH, "value": "sk-secret"}])), format!("consumers.acme.keys[0].value: {HIDDEN}")),
        (keys(json!([{"sha256": 12345}])), format!("consumers.acme.keys[0].sha256: {HIDDEN}")),
        (keys(json!([{"not_after": "2027-01-01T00:00:00Z"}])), "consumers.acme.keys[0]: missing key `sha256`".to_owned()),
        (
            json!({"consumers": {"acme": {"cache_scope": "tire"}}}),
            "consumers.acme.cache_scope: unknown value `tire`: expected one of `consumer`, `tier`, `shared`; \
             nearest: \"tier\""
                .to_owned(),
        ),
        (
            json!({"consumers": {"acme": {"teir": "premium"}}}),
            "consumers.acme.teir: unknown key `teir`: expected one of `tier`, `keys`, `models`, `regions`, `requires`, \
             `cache_scope`, `admin`; nearest: \"tier\""
                .to_owned(),
        ),
        (
            json!({"tiers": {"premium": "smart"}}),
            "tiers.premium: invalid type: string \"smart\": expected a tier: a map with the keys models, regions and requires".to_owned(),
        ),
        (
            json!({"tiers": {"premium": {"models": "smart"}}}),
            "tiers.premium.models: invalid type: string \"smart\": expected a sequence".to_owned(),
        ),
        (
            json!({"auth": {"anonymous": "allow"}}),
            "auth.anonymous: unknown value `allow`: expected `deny` or `consumer`".to_owned(),
        ),
        (
            json!({"auth": {"anonymous": true}}),
            "auth.anonymous: invalid type: boolean `true`: expected string or map".to_owned(),
        ),
        (json!({"auth": {"jwt": {}}}), "auth.jwt: missing key `payload`".to_owned()),
        (
            json!({"auth": {"anonymus": "deny"}}),
            "auth.anonymus: unknown key `anonymus`: expected `anonymous` or `jwt`; nearest: \"anonymous\"".to_owned(),
        ),
    ] {
        assert_eq!(told(&sections), [expected], "{sections}");
    }
}

#[test]
fn no_hash_is_shown_for_debugging() {
    let config = read(&json!({"consumers": {"acme": {"keys": [{"sha256": HASH}]}}}));
    let shown = format!("{config:?}");
    assert!(shown.contains("acme") && !shown.contains("186, 120") && !shown.contains("ba78"), "{shown}");
}

#[test]
fn both_lists_must_allow_what_is_asked_for() {
    let config = read(&json!({
        "tiers": {"premium": {"models": ["smart", "little", "large"]}},
        "consumers": {
            "all": {"keys": [{"sha256": HASH}]},
            "tier": {"tier": "premium"},
            "own": {"models": ["small", "openai/gpt-4o"]},
            "both": {"tier": "premium", "models": ["small", "anywhere"]},
        },
    }));
    let unlisted = |name: &str| Named::Model(config.model_of("openai", name).unwrap());
    for (name, named, for_whom) in [
        ("smart", config.named("smart").unwrap().clone(), &["all", "tier"][..]),
        ("small", config.named("small").unwrap().clone(), &["all", "tier", "own", "both"]),
        // An alias is another name of the same model.
        ("little", config.named("little").unwrap().clone(), &["all", "tier", "own", "both"]),
        ("large", config.named("large").unwrap().clone(), &["all", "tier"]),
        ("anywhere", config.named("anywhere").unwrap().clone(), &["all"]),
        ("gpt-4o", unlisted("gpt-4o"), &["all", "own"]),
        ("gpt-4", unlisted("gpt-4"), &["all"]),
    ] {
        let may = |consumer_name: &&str| consumer(&config, consumer_name).may_ask_for(&named);
        let found: Vec<_> = ["all", "tier", "own", "both"].into_iter().filter(may).collect();
        assert_eq!(found, for_whom, "{name}");
    }
}

#[test]
fn only_models_of_allowed_regions_are_used_and_none_that_run_nobody_knows_where() {
    let config = read(&json!({
        "tiers": {"european": {"regions": ["eu"]}, "western": {"regions": ["eu", "us"]}},
        "consumers": {
            "all": {"keys": [{"sha256": HASH}]},
            "tier": {"tier": "european"},
            "own": {"regions": ["us"]},
            "both": {"tier": "western", "regions": ["us"]},
            "neither": {"tier": "european", "regions": ["us"]},
        },
    }));
    for (name, for_whom) in
        [("small", &["all", "tier"][..]), ("large", &["all", "own", "both"]), ("anywhere", &["all"])]
    {
        let Some(Named::Model(model)) = config.named(name) else { panic!("{name}") };
        let may = |consumer_name: &&str| consumer(&config, consumer_name).may_use(model);
        let found: Vec<_> = ["all", "tier", "own", "both", "neither"].into_iter().filter(may).collect();
        assert_eq!(found, for_whom, "{name}");
    }
}

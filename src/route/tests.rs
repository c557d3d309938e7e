use super::*;
use crate::config::Ability;
use serde_json::json;

fn config() -> Config {
    let document = json!({
        "providers": {
            "openai": {"allow_unlisted": true},
            "anthropic": {},
            "gemini": {},
            "local": {"vendor": "compatible", "base_url": "http://localhost:1"},
        },
        "models": {
            "gpt-5": {"provider": "openai", "model": "gpt-5-2025-08-07", "aliases": ["best"], "context_window": 400_000},
            "nearby": {"provider": "gemini", "region": "eu"},
            "sonnet": {"provider": "anthropic", "model": "claude-sonnet-4-5"},
            "flash": {"provider": "gemini", "model": "gemini-2.5-flash"},
            "meta-llama/llama-3": {"provider": "local", "region": "eu"},
        },
        "routes": {
            "mixed": {"targets": [{"model": "flash"}, {"model": "gpt-5"}, {"model": "meta-llama/llama-3"}]},
            "far": {"targets": [{"model": "gpt-5"}, {"model": "sonnet"}, {"model": "openai/o3"}]},
            "smart": {"targets": [{"model": "sonnet"}, {"model": "openai/o3", "tries": 3}, {"model": "sonnet"}]},
            "keyless": {"targets": [{"model": "sonnet"}, {"model": "flash"}]},
        },
        "default_provider": "openai",
        "auth": {"anonymous": {"consumer": "anonymous"}},
        "consumers": {
            "european": {"regions": ["eu"]},
            "routed": {"models": ["mixed", "openai/o3", "best"]},
        },
    });
    let env = |variable: &str| (variable == "OPENAI_API_KEY").then(|| "sk".to_owned());
    Config::parse(document.to_string().as_bytes(), &env).unwrap()
}

/// The same without anything that would take in an unknown name.
fn closed() -> Config {
    let document = json!({
        "providers": {"openai": {"api_key": "none"}, "groq": {"api_key": "none", "allow_unlisted": true}},
        "models": {
            "gpt-5": {"provider": "openai", "model": "gpt-5-2025-08-07", "aliases": ["best"]},
            "gpt-5-mini": {"provider": "openai"},
        },
        "auth": {"anonymous": {"consumer": "anonymous"}},
    });
    Config::parse(document.to_string().as_bytes(), &|_| None).unwrap()
}

/// As a consumer that may ask for everything.
fn resolve(config: &Config, asked: &str) -> Result<Candidates, Unresolved> {
    super::resolve(config, asked, config.auth().anonymous().unwrap(), Needs::NOTHING)
}

#[test]
fn every_way_to_ask_for_a_model_finds_it() {
    let config = config();
    for (asked, found, provider, upstream, context_window) in [
        ("gpt-5", "gpt-5", "openai", "gpt-5-2025-08-07", Some(400_000)),
        ("best", "gpt-5", "openai", "gpt-5-2025-08-07", Some(400_000)),
        ("openai/gpt-5", "gpt-5", "openai", "gpt-5-2025-08-07", Some(400_000)),
        ("openai/gpt-5-2025-08-07", "gpt-5", "openai", "gpt-5-2025-08-07", Some(400_000)),
        ("openai/gpt-4.1", "openai/gpt-4.1", "openai", "gpt-4.1", None),
        ("meta-llama/llama-3", "meta-llama/llama-3", "local", "meta-llama/llama-3", None),
        ("local/meta-llama/llama-3", "meta-llama/llama-3", "local", "meta-llama/llama-3", None),
        // By the default provider:
        ("gpt-4.1", "openai/gpt-4.1", "openai", "gpt-4.1", None),
        ("gpt-5-2025-08-07", "gpt-5", "openai", "gpt-5-2025-08-07", Some(400_000)),
        ("ft/mine:1", "openai/ft/mine:1", "openai", "ft/mine:1", None),
    ] {
        let candidates = resolve(&config, asked).unwrap();
        let [Target { model, tries: 1, .. }] = candidates.targets.as_slice() else { panic!("{asked}") };
        assert_eq!(candidates.found, Found::Model(ModelName::parse(found).unwrap()), "{asked}");
        assert_eq!(model.provider.name, provider, "{asked}");
        assert_eq!(model.upstream, upstream, "{asked}");
        assert_eq!(model.context_window, context_window, "{asked}");
        assert_eq!(candidates.excluded, []);
    }
}

#[test]
fn a_route_gives_its_targets_in_order_without_those_who_have_no_key() {
    let candidates = resolve(&config(), "smart").unwrap();
    assert_eq!(candidates.found, Found::Route(RouteName::parse("smart").unwrap()));
    let targets: Vec<_> = candidates.targets.iter().map(|t| (t.model.upstream.as_str(), t.tries)).collect();
    assert_eq!(targets, [("o3", 3)]);
    let excluded: Vec<_> = candidates.excluded.iter().map(ToString::to_string).collect();
    assert_eq!(excluded, ["anthropic has no key: set ANTHROPIC_API_KEY"]);
}

#[test]
fn if_nobody_has_a_key_the_answer_says_which_to_set() {
    for (asked, message) in [
        (
            "sonnet",
            "No provider for the model `sonnet` can be used: anthropic has no key: set ANTHROPIC_API_KEY.",
        ),
        (
            "keyless",
            "No provider for the model `keyless` can be used: anthropic has no key: set ANTHROPIC_API_KEY; \
             gemini has no key: set GEMINI_API_KEY.",
        ),
    ] {
        let refusal = resolve(&config(), asked).unwrap_err();
        assert!(matches!(refusal, Unresolved::Nobody { .. }));
        assert_eq!(refusal.to_string(), message);
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_ones() {
    let long = "x".repeat(1000);
    for (asked, message) in [
        ("gpt5", "The model `gpt5` does not exist. Did you mean `gpt-5`?"),
        (
            "openai/gpt5-mini",
            "The model `openai/gpt5-mini` does not exist. Did you mean `openai/gpt-5-mini`?",
        ),
        ("o3", "The model `o3` does not exist. GET /v1/models lists those that do."),
        ("", "The model `` does not exist. GET /v1/models lists those that do."),
        ("a\nb", "The model `a\u{fffd}b` does not exist. GET /v1/models lists those that do."),
        // Allowed though unlisted, but not as anything:
        ("groq/../x", "The model `groq/../x` does not exist. GET /v1/models lists those that do."),
        ("groq/a?b", "The model `groq/a?b` does not exist. GET /v1/models lists those that do."),
        (
            &long,
            &format!("The model `{}…` does not exist. GET /v1/models lists those that do.", "x".repeat(128)),
        ),
    ] {
        let refusal = resolve(&closed(), asked).unwrap_err();
        assert!(matches!(refusal, Unresolved::Unknown { .. }), "{asked}");
        assert_eq!(refusal.to_string(), message);
    }
    // A provider that is named is meant, so the default provider does not step in.
    assert!(matches!(resolve(&config(), "anthropic/claude-2"), Err(Unresolved::Unknown { .. })));
}

#[test]
fn the_list_has_every_name_that_can_be_answered_in_a_stable_order() {
    let config = config();
    let anyone = config.auth().anonymous().unwrap();
    let listed: Vec<_> =
        models(&config, anyone).into_iter().map(|listed| (listed.id, listed.owned_by)).collect();
    assert_eq!(
        listed,
        [
            ("best", "openai"),
            ("far", "modelgate"),
            ("gpt-5", "openai"),
            ("meta-llama/llama-3", "local"),
            ("mixed", "modelgate"),
            ("smart", "modelgate")
        ]
    );
    assert_eq!(super::listed(&config, "smart", anyone), Some(Listed { id: "smart", owned_by: "modelgate" }));
    assert_eq!(super::listed(&config, "sonnet", anyone), None);
    assert_eq!(super::listed(&config, "unheard-of", anyone), None);
}

#[test]
fn what_is_not_for_a_consumer_is_left_out_or_refused_and_it_is_told_why() {
    let config = config();
    for (consumer, asked, expected) in [
        ("european", "mixed", Ok(&["meta-llama/llama-3"][..])),
        ("european", "meta-llama/llama-3", Ok(&["meta-llama/llama-3"])),
        ("european", "gpt-5", Err("The model `gpt-5` runs in no region that you may use.")),
        ("european", "far", Err("The model `far` runs in no region that you may use.")),
        ("european", "o3", Err("The model `o3` runs in no region that you may use.")),
        // The region would do, but its provider's key is missing: that is the operator's matter.
        (
            "european",
            "nearby",
            Err("No provider for the model `nearby` can be used: gemini has no key: set GEMINI_API_KEY."),
        ),
        ("routed", "mixed", Ok(&["gpt-5-2025-08-07", "meta-llama/llama-3"])),
        ("routed", "openai/o3", Ok(&["o3"])),
        ("routed", "o3", Ok(&["o3"])),
        ("routed", "gpt-5", Ok(&["gpt-5-2025-08-07"])),
        ("routed", "openai/gpt-5-2025-08-07", Ok(&["gpt-5-2025-08-07"])),
        (
            "routed",
            "openai/gpt-4",
            Err("You may not use the model `openai/gpt-4`. GET /v1/models lists those that you may."),
        ),
        ("routed", "far", Err("You may not use the model `far`. GET /v1/models lists those that you may.")),
        // Whether anyone has the key does not matter to someone it is not for.
        (
            "routed",
            "sonnet",
            Err("You may not use the model `sonnet`. GET /v1/models lists those that you may."),
        ),
        (
            "routed",
            "anthropic/x",
            Err("The model `anthropic/x` does not exist. GET /v1/models lists those that do."),
        ),
    ] {
        let found = super::resolve(&config, asked, config.auth().consumer(consumer).unwrap(), Needs::NOTHING);
        let found = found.map(|candidates| {
            candidates.targets.iter().map(|target| target.model.upstream.to_string()).collect::<Vec<_>>()
        });
        let expected = expected
            .map(|names| names.iter().map(|name| name.to_string()).collect::<Vec<_>>())
            .map_err(str::to_owned);
        assert_eq!(found.map_err(|refusal| refusal.to_string()), expected, "{consumer} {asked}");
    }
}

#[test]
fn a_region_that_is_left_out_is_named_among_the_reasons() {
    let config = config();
    let european = config.auth().consumer("european").unwrap();
    let candidates = super::resolve(&config, "mixed", european, Needs::NOTHING).unwrap();
    let excluded: Vec<_> = candidates.excluded.iter().map(ToString::to_string).collect();
    assert_eq!(
        excluded,
        ["flash is in no region that you may use", "gpt-5 is in no region that you may use"]
    );
}

#[test]
fn only_names_that_are_for_a_consumer_are_suggested() {
    let config = config();
    let told = |consumer: &str, asked: &str| {
        let consumer = config.auth().consumer(consumer).unwrap();
        super::resolve(&config, asked, consumer, Needs::NOTHING).unwrap_err().to_string()
    };
    assert_eq!(
        told("european", "local/gpt-5"),
        "The model `local/gpt-5` does not exist. GET /v1/models lists those that do."
    );
    assert_eq!(
        told("european", "gemini/nearbi"),
        "The model `gemini/nearbi` does not exist. Did you mean `gemini/nearby`?"
    );
    assert_eq!(
        told("routed", "gemini/nearbi"),
        "The model `gemini/nearbi` does not exist. GET /v1/models lists those that do."
    );
}

/// Models of which the catalog says what they cannot do, how much they have room for and what is warranted of them.
fn catalog() -> Config {
    let document = json!({
        "providers": {"openai": {"api_key": "none"}, "local": {"vendor": "compatible", "base_url": "http://localhost:1"}},
        "models": {
            "blind": {"provider": "openai", "supports": {"image": false, "tools": true}, "tags": ["audited"]},
            "plain": {"provider": "openai", "supports": {"image": false, "tools": false, "json_schema": false}},
            "small": {"provider": "local", "context_window": 1_000, "tags": ["audited", "keeps_nothing"]},
            "any": {"provider": "openai"},
        },
        "routes": {
            "all": {"targets": [{"model": "blind"}, {"model": "plain"}, {"model": "small"}, {"model": "any"}]},
            "limited": {"targets": [{"model": "plain"}, {"model": "small"}]},
        },
        "tiers": {"careful": {"requires": ["audited"]}},
        "auth": {"anonymous": {"consumer": "anyone"}},
        "consumers": {"anyone": {}, "bank": {"tier": "careful"}, "clinic": {"tier": "careful", "requires": ["keeps_nothing"]}},
    });
    Config::parse(document.to_string().as_bytes(), &|_| None).unwrap()
}

#[test]
fn who_cannot_do_what_is_asked_or_is_not_warranted_is_left_out_and_the_reason_is_kept() {
    use crate::config::Ability::{Image, JsonSchema, Streaming, Tools};
    let config = catalog();
    let none: &[Ability] = &[];
    for (consumer, asked, abilities, tokens, targets, reasons) in [
        ("anyone", "all", none, 0, "blind plain small any", ""),
        ("anyone", "all", &[Streaming], 1_000, "blind plain small any", ""),
        (
            "anyone",
            "all",
            &[Image],
            0,
            "small any",
            "blind does not support image; plain does not support image",
        ),
        (
            "anyone",
            "all",
            &[Image, Tools, JsonSchema],
            0,
            "small any",
            "blind does not support image; plain does not support image, tools, json_schema",
        ),
        (
            "anyone",
            "all",
            none,
            1_001,
            "blind plain any",
            "small has room for 1000 tokens, and about 1001 are needed",
        ),
        (
            "bank",
            "all",
            none,
            0,
            "blind small",
            "plain has not the tag audited, which you require; any has not the tag audited, which you require",
        ),
        (
            "clinic",
            "all",
            none,
            0,
            "small",
            "blind has not the tag keeps_nothing, which you require; plain has not the tag audited, which you require; \
             any has not the tag audited, which you require",
        ),
        (
            "bank",
            "any",
            none,
            0,
            "",
            "No model for `any` may answer you: any has not the tag audited, which you require.",
        ),
        (
            "anyone",
            "blind",
            &[Image],
            0,
            "",
            "No model for `blind` can do what is asked for: blind does not support image.",
        ),
        (
            "anyone",
            "limited",
            &[Tools],
            2_000,
            "",
            "No model for `limited` can do what is asked for: plain does not support tools; small has room for 1000 \
             tokens, and about 2000 are needed.",
        ),
        (
            "clinic",
            "limited",
            none,
            2_000,
            "",
            "No model for `limited` can do what is asked for: plain has not the tag audited, which you require; \
             small has room for 1000 tokens, and about 2000 are needed.",
        ),
    ] {
        let asks_for = abilities.iter().fold(Abilities::NONE, |all, ability| all.with(*ability, true));
        let needs = Needs {
            abilities: &|| asks_for,
            lot: &|_, _| 0,
            more_than: &|_, window| (tokens > window).then_some(tokens),
            among: &Among::ALL,
        };
        let (found, told) =
            match super::resolve(&config, asked, config.auth().consumer(consumer).unwrap(), needs) {
                Ok(Candidates { targets, excluded, .. }) => {
                    let reasons: Vec<_> = excluded.iter().map(ToString::to_string).collect();
                    (targets.iter().map(|target| target.model.name.to_string()).collect(), reasons.join("; "))
                }
                Err(refusal) => (Vec::new(), refusal.to_string()),
            };
        assert_eq!((found.join(" ").as_str(), told.as_str()), (targets, reasons), "{consumer} {asked}");
    }
}

#[test]
fn it_is_not_asked_what_a_request_needs_where_the_catalog_says_nothing_of_it() {
    let unasked = Needs {
        abilities: &|| panic!("abilities"),
        lot: &|_, _| 0,
        more_than: &|_, _| panic!("tokens"),
        among: &Among::ALL,
    };
    let config = catalog();
    let anyone = config.auth().consumer("anyone").unwrap();
    assert!(super::resolve(&config, "any", anyone, unasked).is_ok());
}

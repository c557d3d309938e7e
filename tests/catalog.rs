//! The catalog to begin with, `envoy/models.yaml`, is one: it can be taken over as it is, and says of each model what it promises.

use modelgate::config::{Config, Model, Named, Strategy, Vendor};
use modelgate::money::NanoUsd;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::rc::Rc;

const CATALOG: &str = include_str!("../envoy/models.yaml");
const ENVOY: &str = include_str!("../envoy/envoy.yaml");

fn yaml(text: &str) -> Value {
    yaml_serde::from_str(text).expect("YAML")
}

fn parse(document: &Value) -> Config {
    Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned()))
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// The catalog in a document that has every vendor for a provider, under the vendor's own name.
fn catalog() -> Config {
    let provider = |vendor: &Vendor| {
        let url = vendor.default_base_url().unwrap_or("https://example.com/v1");
        (vendor.as_str().to_owned(), json!({"base_url": url, "api_key": "none"}))
    };
    let providers: Map<_, _> = Vendor::ALL.iter().map(provider).collect();
    let mut document = yaml(CATALOG);
    document["providers"] = providers.into();
    document["auth"] = json!({"anonymous": {"consumer": "anonymous"}});
    parse(&document)
}

/// The plugin's configuration in Envoy's.
fn plugin(envoy: &Value) -> Option<&Value> {
    match envoy {
        Value::Object(members) => {
            let here = members.get("configuration").and_then(|configuration| configuration.get("value"));
            here.or_else(|| members.values().find_map(plugin))
        }
        Value::Array(elements) => elements.iter().find_map(plugin),
        _ => None,
    }
}

/// Whether the model makes embeddings: no answer of a chat is free.
fn embeds(model: &Model) -> bool {
    model.price.is_some_and(|price| price.output == NanoUsd::ZERO)
}

#[test]
fn it_has_nothing_but_models_and_routes() {
    let document = yaml(CATALOG);
    let keys: Vec<_> = document.as_object().expect("a map").keys().collect();
    assert_eq!(keys, ["models", "routes"]);
}

#[test]
fn every_model_has_room_a_price_and_a_quality() {
    let config = catalog();
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    assert!(config.models().len() >= 40, "only {} models", config.models().len());
    for model in config.models() {
        let name = &model.name;
        assert!(Vendor::named(model.provider.name.as_str()).is_some(), "{name}: no vendor has this name");
        let room = model.context_window.unwrap_or_else(|| panic!("{name}: no context_window"));
        assert!(model.max_output_tokens.is_none_or(|most| most <= room), "{name}: answers that have no room");
        assert!(model.price.is_some(), "{name}: no price");
        assert!(model.quality.at(None).is_some(), "{name}: no quality for every kind of request");
    }
}

#[test]
fn an_answer_costs_no_less_than_the_prompt_and_a_cached_prompt_no_more() {
    for model in catalog().models() {
        let (name, price) = (&model.name, model.price.expect("a price"));
        assert!(price.input > NanoUsd::ZERO, "{name}: a prompt is free");
        assert!(price.cached_input <= price.input, "{name}: cached_input is more than input");
        assert!(price.cache_write >= price.input, "{name}: cache_write is less than input");
        assert!(embeds(model) || price.input <= price.output, "{name}: output is less than input");
    }
}

#[test]
fn every_provider_with_a_price_list_of_its_own_has_a_model() {
    let config = catalog();
    let named: BTreeSet<_> = config.models().iter().map(|model| model.provider.name.as_str()).collect();
    // Azure sells deployments, OpenRouter what others sell, and the rest is one's own.
    let without = ["azure", "openrouter", "vllm", "ollama", "compatible"];
    let expected: BTreeSet<_> =
        Vendor::ALL.iter().map(|vendor| vendor.as_str()).filter(|name| !without.contains(name)).collect();
    assert_eq!(named, expected);
}

#[test]
fn its_routes_fall_back_across_providers_and_only_to_models_that_chat() {
    let config = catalog();
    let strategies: Vec<_> =
        config.routes().iter().map(|route| (route.name.as_str(), route.strategy)).collect();
    assert_eq!(
        strategies,
        [("best", Strategy::Intent), ("cheap", Strategy::LeastCost), ("fast", Strategy::Latency)]
    );
    for route in config.routes() {
        let models = || route.targets.iter().map(|target| &target.model);
        let providers: BTreeSet<_> = models().map(|model| model.provider.name.as_str()).collect();
        assert!(providers.len() > 2, "{}: {providers:?}", route.name);
        assert!(models().all(|model| model.listed && !embeds(model)), "{}", route.name);
    }
}

#[test]
fn its_models_can_stand_in_the_place_of_those_of_the_shipped_configuration() {
    let envoy = yaml(ENVOY);
    let shipped = plugin(&envoy).expect("the plugin's configuration").clone();
    let mut with_models = shipped.clone();
    with_models["models"] = yaml(CATALOG)["models"].clone();
    let (before, after) = (parse(&shipped), parse(&with_models));
    for model in before.models() {
        for name in std::iter::once(&model.name).chain(&model.aliases) {
            let Some(Named::Model(found)) = after.named(name.as_str()) else { panic!("{name} is missing") };
            let who = |model: &Rc<Model>| (model.provider.name.clone(), model.upstream.clone());
            assert_eq!(who(found), who(model), "{name}");
        }
    }
    let mut with_both = with_models;
    with_both["routes"] = yaml(CATALOG)["routes"].clone();
    parse(&with_both);
}

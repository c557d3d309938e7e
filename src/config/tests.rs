//! The document as a whole: what is read from it, and what is said of each mistake.

mod agents;
mod content_rules;
mod identity;
mod several;
mod tasks;

use super::protobuf::tests::encode;
use super::*;
use crate::money::NanoUsd;
use proptest::prelude::*;
use serde_json::{Value, json};

fn environment(variable: &str) -> Option<String> {
    match variable {
        "OPENAI_API_KEY" => Some(" sk-openai\n".to_owned()),
        "BROKEN_KEY" => Some("sk broken".to_owned()),
        "EMPTY_KEY" => Some(" \n".to_owned()),
        _ => None,
    }
}

/// A document with providers that says nothing of who may ask is given that anyone may.
fn parse(document: &Value) -> Result<Config, Problems> {
    let mut document = document.clone();
    if document.get("providers").is_some() && document.get("auth").or(document.get("consumers")).is_none() {
        document["auth"] = json!({"anonymous": {"consumer": "anonymous"}});
    }
    Config::parse(&encode(&document), &environment)
}

fn problems(document: &Value) -> Vec<String> {
    parse(document).expect_err("a problem").iter().map(ToString::to_string).collect()
}

fn full() -> Value {
    json!({
        "providers": {
            "openai": {"headers": {"OpenAI-Organization": "org_1"}, "allow_unlisted": true},
            "claude": {"vendor": "anthropic", "cluster": "anthropic_cluster", "api_key": {"env": "EMPTY_KEY"}},
            "local": {"vendor": "compatible", "base_url": "http://localhost:9000/api/", "api_key": {"value": "sk-local"}},
            "open": {"vendor": "gemini", "api_key": "none", "headers": {"X-Goog-Api-Key": "abc"}},
        },
        "models": {
            "claude-sonnet": {
                "provider": "claude", "model": "claude-sonnet-4-5", "aliases": ["sonnet"],
                "context_window": 200_000, "max_output_tokens": 64_000,
                "price": {"input": 3, "output": 15, "cached_input": 0.3, "request": 0.01},
            },
            "meta-llama/llama-3": {"provider": "local"},
        },
        "routes": {
            "smart": {"targets": [{"model": "sonnet"}, {"model": "openai/gpt-5-mini", "tries": 2}]},
        },
        "pricing": {"default": {"input": 0.0375, "output": 0.15, "cache_write": 0.05, "reasoning": 0.2, "image": 1e-3}},
        "default_provider": "openai",
        "auth": {"anonymous": {"consumer": "anonymous"}},
        "bounds": {"request_bytes": 1_048_576},
    })
}

#[test]
fn a_whole_document_is_read_with_its_references_resolved() {
    let config = parse(&full()).unwrap();

    let openai = config.provider("openai").unwrap();
    assert_eq!(openai.vendor, Vendor::OpenAi);
    assert_eq!(openai.cluster, "openai");
    assert_eq!(openai.base.to_string(), "https://api.openai.com/v1");
    assert_eq!(openai.key, Key::Secret(Secret::parse("sk-openai").unwrap()));
    assert_eq!(openai.headers, [("openai-organization".to_owned(), "org_1".to_owned())]);

    let claude = config.provider("claude").unwrap();
    assert_eq!(claude.cluster, "anthropic_cluster");
    assert_eq!(claude.key, Key::Missing { variable: "EMPTY_KEY".into() });
    assert_eq!(config.provider("local").unwrap().base.authority, "localhost:9000".into());
    assert_eq!(config.provider("open").unwrap().key, Key::None);
    assert_eq!(config.providers().count(), 4);

    let Some(Named::Model(sonnet)) = config.named("sonnet") else { panic!("an alias") };
    assert_eq!(sonnet.name, "claude-sonnet");
    assert_eq!(sonnet.upstream, "claude-sonnet-4-5");
    assert_eq!((sonnet.context_window, sonnet.max_output_tokens), (Some(200_000), Some(64_000)));
    assert!(Rc::ptr_eq(&sonnet.provider, claude));

    let usd = |text: &str| NanoUsd::from_usd(text.parse().unwrap()).unwrap();
    let own = Price {
        input: usd("3"),
        output: usd("15"),
        cached_input: usd("0.3"),
        cache_write: usd("3"),
        reasoning: usd("15"),
        request: usd("0.01"),
        image: NanoUsd::ZERO,
    };
    assert_eq!(config.price(sonnet), Some(own));
    let default = Price {
        input: NanoUsd::new(37_500_000),
        output: usd("0.15"),
        cached_input: usd("0.0375"),
        cache_write: usd("0.05"),
        reasoning: usd("0.2"),
        request: NanoUsd::ZERO,
        image: NanoUsd::new(1_000_000),
    };
    let unlisted = config.model_of("openai", "gpt-5-mini").unwrap();
    assert_eq!(config.price(&unlisted), Some(default));

    let [smart] = config.routes() else { panic!("one route") };
    let targets: Vec<_> = smart.targets.iter().map(|t| (t.model.upstream.as_str(), t.tries)).collect();
    assert_eq!(targets, [("claude-sonnet-4-5", 1), ("gpt-5-mini", 2)]);

    assert_eq!(config.bounds(), Bounds { request_bytes: 1 << 20, ..Bounds::default() });
    assert_eq!(
        config.warnings(),
        ["providers.claude.api_key.env: EMPTY_KEY is not set in the plugin's environment \
          (vm_config.environment_variables): the provider is left out"]
    );
}

#[test]
fn a_struct_and_json_text_say_the_same() {
    let document = full();
    let pretty = format!("\n \t{}", serde_json::to_string_pretty(&document).unwrap());
    let expected = shown(&parse(&document).unwrap());
    for text in [document.to_string(), pretty] {
        let config = Config::parse(text.as_bytes(), &environment).unwrap();
        assert_eq!(shown(&config), expected);
    }
}

fn shown(config: &Config) -> String {
    let mut providers: Vec<_> = config.providers().collect();
    providers.sort_by_key(|provider| provider.name.clone());
    format!("{providers:?} {:?} {:?}", config.models(), config.routes())
}

/// A `Struct` begins with a newline and may go on with any length, also one that reads as `{`.
#[test]
fn a_struct_that_looks_like_json_is_read_as_a_struct() {
    let with_model = |length: usize| json!({"providers": {"openai": {}}, "models": {"m": {"provider": "openai", "model": "x".repeat(length)}}});
    let looks_like_json = (1..100).map(with_model).find(|document| {
        let document = json!({ "models": document["models"] });
        encode(&document).starts_with(b"\n{")
    });
    let Some(document) = looks_like_json else { panic!("one of these lengths is that of a brace") };
    let bytes = [
        encode(&json!({"models": document["models"]})),
        encode(
            &json!({"providers": document["providers"], "auth": {"anonymous": {"consumer": "anonymous"}}}),
        ),
    ];
    assert!(Config::parse(&bytes.concat(), &environment).is_ok());
}

#[test]
fn the_smallest_document_needs_one_provider_called_like_its_vendor() {
    for vendor in Vendor::ALL {
        let needs_address = vendor.default_base_url().is_none();
        let provider = if needs_address { json!({"base_url": "http://a"}) } else { json!({}) };
        let config = parse(&json!({"providers": {vendor.as_str(): provider}})).unwrap();
        assert_eq!(config.provider(vendor.as_str()).unwrap().vendor, *vendor);
    }
}

#[test]
fn a_key_is_looked_for_where_its_vendor_usually_has_it() {
    for (api_key, expected) in [
        (json!(null), Key::Missing { variable: "DASHSCOPE_API_KEY".into() }),
        (json!("none"), Key::None),
        (json!({"env": "OPENAI_API_KEY"}), Key::Secret(Secret::parse("sk-openai").unwrap())),
        (json!({"value": "abc"}), Key::Secret(Secret::parse("abc").unwrap())),
    ] {
        let config = parse(&json!({"providers": {"qwen": {"api_key": api_key}}})).unwrap();
        assert_eq!(config.provider("qwen").unwrap().key, expected);
    }
    let config = parse(&json!({"providers": {"ollama": {}}})).unwrap();
    assert_eq!(config.provider("ollama").unwrap().key, Key::None);
    assert!(config.warnings().is_empty());
}

#[test]
fn every_problem_is_told_at_once() {
    let told = problems(&json!({
        "providers": {
            "openai": {"cluster": "a b", "base_url": "api.openai.com"},
            "azure": {},
            "claude": {"vendor": "antropic"},
            "groq": {},
        },
        "models": {
            "gpt-5": {"provider": "openai"},
            "gemini": {"provider": "groq", "price": {"input": -0.5, "output": 1e-10, "reasoning": 2e5, "image": 1e300}},
            "llama": {"provider": "grok", "context_window": 0, "aliases": ["bad name"]},
            "mixtral": {"provider": "groq"},
        },
        "routes": {
            "smart": {"targets": [{"model": "gpt-5"}, {"model": "mixtra", "tries": 0}, {"model": "groq/x"}]},
            "mixtral": {"targets": []},
            "other": {"targets": [{"model": "smart"}, {"model": "bad name"}, {"model": "openai/x"}]},
        },
        "pricing": {"default": {"input": 100_000, "output": 100_000.5, "request": 1001}},
        "default_provider": "groq",
        "bounds": {"held_bytes": 0},
        "timeouts": {"first_token_ms": 0, "answer_ms": 86_400_001},
    }));
    let vendors: Vec<_> = Vendor::ALL.iter().map(|vendor| vendor.as_str()).collect();
    let vendors = vendors.join(", ");
    assert_eq!(
        told,
        [
            "providers.azure.base_url: missing key `base_url`: expected the address of this azure server: \
             http[s]://host[:port][/path][?query]",
            &format!(
                "providers.claude.vendor: unknown vendor \"antropic\": expected one of {vendors}; nearest: \"anthropic\""
            ),
            "providers.openai.cluster: \"a b\" cannot be a name: it contains ' '",
            "providers.openai.base_url: not a base URL: it does not begin with http:// or https://: \
             expected http[s]://host[:port][/path][?query]",
            "models.gemini.price.input: -0.5: it is negative: expected USD for a million tokens, from 0 to 100000",
            "models.gemini.price.output: 0.0000000001: it has more than nine decimals: expected USD for a million \
             tokens, from 0 to 100000",
            "models.gemini.price.reasoning: 200000: expected USD for a million tokens, from 0 to 100000",
            "models.gemini.price.image: 1e300: it is more than 18446744073.709551615 USD: expected USD each, from 0 to 1000",
            "models.llama.aliases[0]: \"bad name\" cannot be a name: it contains ' '",
            "models.llama.provider: unknown provider \"grok\": expected one of providers; nearest: \"groq\"",
            "models.llama.context_window: 0: expected a number of tokens, at least 1",
            "pricing.default.output: 100000.5: expected USD for a million tokens, from 0 to 100000",
            "pricing.default.request: 1001: expected USD each, from 0 to 1000",
            "routes.mixtral.targets: there is none: expected at least one target",
            "routes.mixtral: \"mixtral\" is already a name of models.mixtral: expected a name that no model, alias or \
             route has",
            "routes.other.targets[0].model: \"smart\" is a route: expected a model, an alias or provider/model",
            "routes.smart.targets[1].tries: 0: expected a whole number from 1 to 10",
            "routes.smart.targets[1].model: unknown model \"mixtra\": expected a model, an alias or provider/model; \
             nearest: \"mixtral\"",
            "routes.smart.targets[2].model: unknown model \"groq/x\": expected a model of the catalog, or \
             allow_unlisted: true for groq",
            "default_provider: \"groq\": expected a provider with allow_unlisted: true",
            "bounds.held_bytes: 0: expected a whole number from 1 to 536870912",
            "timeouts.first_token_ms: 0: expected a whole number from 1 to 86400000",
            "timeouts.answer_ms: 86400001: expected a whole number from 1 to 86400000",
        ]
    );
}

#[test]
fn a_document_of_the_wrong_shape_is_refused_where_it_is_wrong() {
    let with = |provider: Value| json!({"providers": {"openai": provider}});
    let model = |model: Value| json!({"providers": {"openai": {}}, "models": {"a": model}});
    let target = |target: Value| json!({"providers": {"openai": {}}, "routes": {"a": {"targets": [target]}}});
    const HIDDEN: &str = "what is there is not shown, because it may be a secret";
    for (document, expected) in [
        (json!({}), "configuration: the plugin has no configuration: expected a google.protobuf.Struct, or a \
                     StringValue of JSON text".to_owned()),
        (json!({"models": {}}), "configuration: missing key `providers`".to_owned()),
        (json!({"providers": {}}), "providers: there is none: expected at least one provider".to_owned()),
        (
            json!({"provider": {}}),
            "provider: unknown key `provider`: expected one of `providers`, `models`, `pricing`, `tools`, `routes`, \
             `default_provider`, `fallback`, `internal_cluster`, `auth`, `tiers`, `consumers`, `limits`, `content_rules`, `log`, `cache`, `tasks`, `task_model`, `health`, `bounds`, `timeouts`; nearest: \"providers\""
                .to_owned(),
        ),
        (
            with(json!({"allow_unlisted": 1})),
            "providers.openai.allow_unlisted: invalid type: integer `1`: expected true or false".to_owned(),
        ),
        (model(json!({})), "models.a: missing key `provider`".to_owned()),
        (
            model(json!({"provider": "openai", "context_window": 0.5})),
            "models.a.context_window: invalid type: floating point `0.5`: expected a whole number".to_owned(),
        ),
        (
            model(json!({"provider": "openai", "price": {"input": 1, "output": 2, "cached_inputs": 1}})),
            "models.a.price.cached_inputs: unknown key `cached_inputs`: expected one of `input`, `output`, `cached_input`, \
             `cache_write`, `reasoning`, `request`, `image`; nearest: \"cached_input\""
                .to_owned(),
        ),
        (
            model(json!({"provider": "openai", "supports": {"images": false}})),
            "models.a.supports.images: unknown key `images`: expected one of `image`, `audio`, `file`, `tools`, \
             `parallel_tool_calls`, `strict`, `json_object`, `json_schema`, `reasoning`, `streaming`; nearest: \"image\""
                .to_owned(),
        ),
        (
            model(json!({"provider": "openai", "supports": {"image": "no"}})),
            "models.a.supports.image: invalid type: string \"no\": expected true or false".to_owned(),
        ),
        (
            model(json!({"provider": "openai", "price": {"input": 1}})),
            "models.a.price: missing key `output`".to_owned(),
        ),
        (
            model(json!({"provider": "openai", "price": {"input": "1,5", "output": 2}})),
            "models.a.price.input: invalid type: string \"1,5\": expected a number".to_owned(),
        ),
        (
            json!({"providers": {"openai": {}}, "pricing": {"defaults": {}}}),
            "pricing.defaults: unknown key `defaults`: expected `default`; nearest: \"default\"".to_owned(),
        ),
        (
            target(json!({"model": "x", "tires": 2})),
            "routes.a.targets[0].tires: unknown key `tires`: expected one of `model`, `tries`, `weight`, `priority`, `as_fallback`; nearest: \"tries\"".to_owned(),
        ),
        (
            target(json!("gpt-5")),
            "routes.a.targets[0]: invalid type: string \"gpt-5\": expected a target: a map with the keys model, tries, weight and priority"
                .to_owned(),
        ),
        (
            with(json!({"api_key": "sk-1"})),
            format!("providers.openai.api_key: {HIDDEN}: expected {{env: VARIABLE}}, {{value: KEY}} or none"),
        ),
        (
            with(json!({"api_key": {"value": 12345}})),
            format!("providers.openai.api_key.value: {HIDDEN}: expected {{env: VARIABLE}}, {{value: KEY}} or none"),
        ),
        (
            with(json!({"headers": {"authorization": 12345}})),
            format!("providers.openai.headers.authorization: {HIDDEN}: expected a map from header names to strings, \
                     each name once"),
        ),
    ] {
        assert_eq!(problems(&document), [expected]);
    }
}

/// As Envoy's reader of YAML puts it into a `Struct`.
#[test]
fn a_number_beyond_32_bits_may_come_as_a_string() {
    let limit = |tokens: Value| json!({"providers": {"openai": {}}, "limits": [{"name": "day", "tokens": tokens, "window": "day"}]});
    for tokens in [json!(5_000_000_000_u64), json!("5000000000")] {
        let config = parse(&limit(tokens)).unwrap();
        assert_eq!(config.limits().groups()[0].limits[0].size, 5_000_000_000);
    }
    assert_eq!(
        problems(&limit(json!("5e9"))),
        ["limits[0].tokens: invalid type: string \"5e9\": expected a whole number"]
    );
}

#[test]
fn everything_of_the_wrong_shape_is_told_at_once() {
    let document = json!({
        "providers": {"openai": {"vendr": "openai", "allow_unlisted": "yes"}, "groq": 1},
        "routes": {"a": {"targets": [{"model": "x"}, {"modle": "y"}, 5]}},
        "limits": [{"requests": 1.5, "window": "week"}],
        "cache": {"exact": {"ttl": -1}},
    });
    assert_eq!(
        problems(&document),
        [
            "providers.openai.vendr: unknown key `vendr`: expected one of `vendor`, `base_url`, `cluster`, `api_key`, \
             `headers`, `allow_unlisted`; nearest: \"vendor\"",
            "providers.openai.allow_unlisted: invalid type: string \"yes\": expected true or false",
            "providers.groq: invalid type: integer `1`: expected a provider: a map with the keys vendor, base_url, …",
            "routes.a.targets[1].modle: unknown key `modle`: expected one of `model`, `tries`, `weight`, `priority`, `as_fallback`; nearest: \"model\"",
            "routes.a.targets[2]: invalid type: integer `5`: expected a target: a map with the keys model, tries, weight and priority",
            "limits[0]: missing key `name`",
            "limits[0].requests: invalid type: floating point `1.5`: expected a whole number",
            "limits[0].window: unknown value `week`: expected one of `minute`, `hour`, `day`, `month`",
            "cache.exact.ttl: invalid value: integer `-1`: expected a whole number",
        ]
    );
}

#[test]
fn a_model_without_a_price_has_that_of_pricing_default_or_none() {
    let with = |pricing: Value| json!({"providers": {"openai": {"allow_unlisted": true}}, "models": {"a": {"provider": "openai"}}, "pricing": pricing});
    let config = parse(&with(json!({}))).unwrap();
    assert_eq!(config.price(&config.models()[0]), None);
    let config = parse(&with(json!({"default": {"input": 1, "output": 2}}))).unwrap();
    let price = config.price(&config.models()[0]).unwrap();
    assert_eq!((price.input, price.reasoning), (NanoUsd::new(1_000_000_000), NanoUsd::new(2_000_000_000)));
}

proptest! {
    /// As JSON text, where serde reads the number, as a `Struct`'s double, and as the string that Envoy makes of it in YAML.
    #[test]
    fn a_price_is_the_decimal_that_was_written(nanos in 0..100_000_000_000_000_u64) {
        let written = NanoUsd::new(nanos);
        let text = format!(r#"{{"providers": {{"groq": {{}}}}, "models": {{"a": {{"provider": "groq", "price": {{"input": {written}, "output": 0}}}}}}, "auth": {{"anonymous": {{"consumer": "anonymous"}}}}}}"#);
        let mut document = serde_json::from_str::<Value>(&text).unwrap();
        let double = parse(&document);
        document["models"]["a"]["price"]["input"] = written.to_string().into();
        for config in [Config::parse(text.as_bytes(), &environment), double, parse(&document)] {
            let config = config.unwrap();
            prop_assert_eq!(config.price(&config.models()[0]).map(|price| price.input), Some(written));
        }
    }
}

#[test]
fn bytes_that_are_no_document_are_refused() {
    for (bytes, expected) in [
        (&b""[..], "configuration: the plugin has no configuration"),
        (b" \n", "configuration: the plugin has no configuration"),
        (b"{", "configuration: the text is not JSON: the text ends too early at line 1 column 2"),
        (b"providers: {}", "configuration: the text is not JSON: expected a value at line 1 column 1"),
        (b"\xff\xfe", "configuration: the text is not JSON: expected a value at line 1 column 1"),
        (
            b"{\"providers\": {\"groq\": {}}} x",
            "configuration: the text is not JSON: expected the end of the text at line 1 column 29",
        ),
        (b"{\"providers\": {\"groq\": {}, \"groq\": {}}}", "providers: the key `groq` is there twice"),
        (
            b"\x0a\x05\x0a\x01a\x12\x09",
            "configuration: the bytes are not a google.protobuf.Struct: the bytes end in the",
        ),
    ] {
        let told = Config::parse(bytes, &environment).expect_err("a problem").to_string();
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn headers_that_would_break_or_betray_a_request_are_refused() {
    for (name, value) in [
        ("Host", "a"),
        ("content-length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "close"),
        ("content-type", "text/plain"),
        ("accept-encoding", "br"),
        (":path", "/"),
        ("a b", "c"),
        ("", "c"),
        ("x-envoy-retry-on", "5xx"),
        ("x-modelgate-attempt", "1"),
        ("authorization", "Bearer a"),
        ("x-api-key", "a"),
        ("x-tenant", "a\r\nb: c"),
        ("x-tenant", " a"),
        ("x-tenant", "é"),
    ] {
        let told = problems(&json!({"providers": {"openai": {"headers": {name: value}}}}));
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert!(told[0].starts_with(&format!("providers.openai.headers.{name}: ")), "{told:?}");
    }
    let twice = problems(&json!({"providers": {"openai": {"headers": {"X-A": "1", "x-a": "2"}}}}));
    assert_eq!(twice, ["providers.openai.headers.x-a: the header is there twice: expected one value"]);
}

#[test]
fn no_secret_is_in_a_problem_or_in_a_configuration_shown_for_debugging() {
    for provider in [
        json!({"api_key": {"value": "s3cret s3cret"}}),
        json!({"api_key": {"env": "s3cret-key"}}),
        json!({"api_key": {"s3cret": "s3cret"}}),
        json!({"api_key": ["s3cret"]}),
        json!({"base_url": "https://me:s3cret@host"}),
        json!({"headers": {"x-a": "s3cret\n"}}),
        json!({"headers": "s3cret"}),
        json!({"api_key": {"env": "BROKEN_KEY"}}),
    ] {
        let told = problems(&json!({"providers": {"openai": provider}})).join("\n");
        assert!(!told.contains("s3cret") && !told.contains("sk broken"), "{told}");
    }
    let provider = json!({"api_key": {"value": "s3cret"}, "headers": {"x-a": "s3cret"}});
    let config = parse(&json!({"providers": {"openai": provider}})).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn provider_slash_model_means_the_catalogs_name_before_the_providers() {
    let config = parse(&json!({
        "providers": {"openai": {}},
        "models": {
            "fast": {"provider": "openai", "model": "gpt-5"},
            "gpt-5": {"provider": "openai", "model": "gpt-5-2025-08-07"},
        },
    }))
    .unwrap();
    let upstream = |name: &str| config.model_of("openai", name).map(|model| model.upstream.to_string());
    assert_eq!(upstream("gpt-5").as_deref(), Some("gpt-5-2025-08-07"));
    assert_eq!(upstream("fast").as_deref(), Some("gpt-5"));
    assert_eq!(upstream("gpt-5-2025-08-07").as_deref(), Some("gpt-5-2025-08-07"));
    assert_eq!(upstream("gpt-4"), None);
}

mod strategies;

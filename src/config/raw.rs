//! The document as it is written: the shape of it, before any value is judged.
//!
//! Every type mirrors one level of the document and refuses keys it does not know. What serde says of a mistake is put
//! into the words of [`Problem`]; where a key or a header's value may be, nothing of what was found is repeated.

use super::cache::When;
use super::consumer::CacheScope;
use super::limit::{Dimension, Mode, OnContention, OnExceed, Window};
use super::problems::Problem;
use super::protobuf;
use crate::names;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys providers, models, routes, …")]
pub(super) struct Document {
    pub providers: Entries<Provider>,
    #[serde(default)]
    pub models: Entries<Model>,
    #[serde(default)]
    pub pricing: Pricing,
    #[serde(default)]
    pub routes: Entries<Route>,
    pub default_provider: Option<String>,
    pub internal_cluster: Option<String>,
    pub auth: Option<Auth>,
    #[serde(default)]
    pub tiers: Entries<Tier>,
    pub consumers: Option<Entries<Consumer>>,
    #[serde(default)]
    pub limits: Vec<Limit>,
    #[serde(default)]
    pub cache: Cache,
    #[serde(default)]
    pub bounds: Bounds,
    #[serde(default)]
    pub timeouts: Timeouts,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a provider: a map with the keys vendor, base_url, …")]
pub(super) struct Provider {
    pub vendor: Option<String>,
    pub base_url: Option<String>,
    pub cluster: Option<String>,
    pub api_key: Option<ApiKey>,
    #[serde(default)]
    pub headers: Entries<String>,
    #[serde(default)]
    pub allow_unlisted: bool,
}

/// `none`, `{env: VARIABLE}` or `{value: KEY}`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ApiKey {
    None,
    Env(String),
    Value(String),
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a model: a map with the keys provider, model, …")]
pub(super) struct Model {
    pub provider: String,
    pub model: Option<String>,
    #[serde(default)]
    pub aliases: Vec<String>,
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u64>,
    pub region: Option<String>,
    pub price: Option<Price>,
}

/// In USD: for a million tokens, or for one request or image.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a price: a map with the keys input, output, …")]
pub(super) struct Price {
    pub input: Usd,
    pub output: Usd,
    pub cached_input: Option<Usd>,
    pub cache_write: Option<Usd>,
    pub reasoning: Option<Usd>,
    pub request: Option<Usd>,
    pub image: Option<Usd>,
}

/// An amount of US dollars. Envoy's reader of YAML knows whole numbers only: into a `Struct` it puts all others as strings.
#[derive(Clone, Copy)]
pub(super) struct Usd(pub f64);

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the key default")]
pub(super) struct Pricing {
    pub default: Option<Price>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a route: a map with the keys targets and cache")]
pub(super) struct Route {
    pub targets: Vec<Target>,
    pub cache: Option<RouteCache>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a target: a map with the keys model and tries")]
pub(super) struct Target {
    pub model: String,
    pub tries: Option<u64>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a limit: a map with the keys name, per, window, …")]
pub(super) struct Limit {
    pub name: String,
    #[serde(default)]
    pub per: Vec<Dimension>,
    pub tiers: Option<Vec<String>>,
    pub consumers: Option<Vec<String>>,
    pub models: Option<Vec<String>>,
    pub requests: Option<u64>,
    pub tokens: Option<u64>,
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub concurrent: Option<u64>,
    pub usd: Option<Usd>,
    pub window: Option<Window>,
    pub burst: Option<u64>,
    #[serde(default)]
    pub mode: Mode,
    pub on_exceed: Option<OnExceed>,
    #[serde(default)]
    pub on_contention: OnContention,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys anonymous and jwt")]
pub(super) struct Auth {
    pub anonymous: Option<Anonymous>,
    pub jwt: Option<Jwt>,
}

/// `deny` or `{consumer: NAME}`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Anonymous {
    Deny,
    Consumer(String),
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys payload, consumer_claim and tier_claim")]
pub(super) struct Jwt {
    pub payload: String,
    pub consumer_claim: Option<String>,
    pub tier_claim: Option<String>,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a tier: a map with the keys models and regions")]
pub(super) struct Tier {
    pub models: Option<Vec<String>>,
    pub regions: Option<Vec<String>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a consumer: a map with the keys tier, keys, …")]
pub(super) struct Consumer {
    pub tier: Option<String>,
    #[serde(default)]
    pub keys: Vec<ConsumerKey>,
    pub models: Option<Vec<String>>,
    pub regions: Option<Vec<String>>,
    pub cache_scope: Option<CacheScope>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsumerKey {
    pub sha256: String,
    pub not_after: Option<String>,
}

#[derive(Default, serde::Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a map with the keys store, wait, exact, semantic and embedder"
)]
pub(super) struct Cache {
    pub store: CacheStore,
    pub wait: Option<u64>,
    pub exact: Option<Exact>,
    pub semantic: Option<Semantic>,
    pub embedder: Option<Embedder>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys model, dimensions and timeout_ms")]
pub(super) struct Embedder {
    pub model: String,
    pub dimensions: Option<u64>,
    pub timeout_ms: Option<u64>,
}

#[derive(Default, serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a map with the keys entries, entry_bytes, total_bytes and questions"
)]
pub(super) struct CacheStore {
    pub entries: Option<u64>,
    pub entry_bytes: Option<u64>,
    pub total_bytes: Option<u64>,
    pub questions: Option<u64>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys enabled, when and ttl")]
pub(super) struct Exact {
    pub enabled: Option<bool>,
    pub when: Option<When>,
    pub ttl: Option<u64>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys exact and semantic")]
pub(super) struct RouteCache {
    pub exact: Option<Exact>,
    pub semantic: Option<Semantic>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys enabled, threshold and ttl")]
pub(super) struct Semantic {
    pub enabled: Option<bool>,
    pub threshold: Option<f64>,
    pub ttl: Option<u64>,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys request_bytes, response_bytes and held_bytes")]
pub(super) struct Bounds {
    pub request_bytes: Option<u64>,
    pub response_bytes: Option<u64>,
    pub held_bytes: Option<u64>,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys first_token_ms and answer_ms")]
pub(super) struct Timeouts {
    pub first_token_ms: Option<u64>,
    pub answer_ms: Option<u64>,
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl Visitor<'_> for Read {
            type Value = Usd;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Usd, E> {
                Ok(Usd(number as f64))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Usd, E> {
                Ok(Usd(number as f64))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Usd, E> {
                Ok(Usd(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Usd, E> {
                let number = text.parse().ok().filter(|number: &f64| number.is_finite());
                number.map(Usd).ok_or_else(|| E::invalid_type(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Read)
    }
}

/// Read by name, sorted: protobuf's maps have no order, so none may matter. In YAML, a key with nothing after it is none.
pub(super) struct Entries<T>(pub BTreeMap<String, T>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Read<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Entries<T>, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((name, entry)) = access.next_entry::<String, T>()? {
                    entries.insert(name, entry);
                }
                Ok(Entries(entries))
            }

            fn visit_unit<E: Error>(self) -> Result<Entries<T>, E> {
                Ok(Entries::default())
            }
        }

        deserializer.deserialize_any(Read(PhantomData))
    }
}

/// JSON in which no name is given twice, where serde's own maps would let the last one win.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E: Error>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E: Error>(self, truth: bool) -> Result<Value, E> {
                Ok(truth.into())
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
                Ok(number.into())
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
                Ok(number.into())
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
                Ok(number.into())
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
                Ok(text.into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
                let mut values = Vec::new();
                while let Some(Once(value)) = access.next_element()? {
                    values.push(value);
                }
                Ok(Value::Array(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
                let mut entries = Map::new();
                while let Some((name, Once(value))) = access.next_entry::<String, _>()? {
                    if entries.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("the key `{name}` is there twice")));
                    }
                    entries.insert(name, value);
                }
                Ok(Value::Object(entries))
            }
        }

        deserializer.deserialize_any(Read).map(Self)
    }
}

/// Reads the plugin's configuration: the bytes of a `google.protobuf.Struct`, or JSON text.
///
/// The byte 0x12 tells them apart. A `Struct` with anything in it has one before every value (field 2, by length), and
/// JSON text has none: control characters are escaped in it. The first byte would not do: that of a `Struct` is a newline.
pub(super) fn read(bytes: &[u8]) -> Result<Document, Problem> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(whole("the plugin has no configuration".to_owned()));
    }
    let value = match bytes.contains(&0x12) {
        true => protobuf::decode(bytes)
            .map_err(|why| whole(format!("the bytes are not a google.protobuf.Struct: {why}")))?,
        false => from_text(bytes)?,
    };
    serde_path_to_error::deserialize(value).map_err(problem)
}

/// The document goes through the same form whatever it is written in: read from the text directly, all of serde's code for
/// its shape would be in the filter a second time.
fn from_text(bytes: &[u8]) -> Result<Value, Problem> {
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let Once(value) = serde_path_to_error::deserialize(&mut text).map_err(problem)?;
    text.end().map_err(not_json)?;
    Ok(value)
}

fn whole(found: String) -> Problem {
    Problem {
        path: "configuration".to_owned(),
        found,
        expected: "a google.protobuf.Struct, or a StringValue of JSON text".to_owned(),
        nearest: Vec::new(),
    }
}

fn not_json(error: serde_json::Error) -> Problem {
    whole(format!("the text is not JSON: {error}"))
}

/// Serde's words for a mistake are `<what was found>, expected <what>`; known keys come in backticks.
fn problem(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = match error.path().to_string().as_str() {
        "." => "configuration".to_owned(),
        path => path.to_owned(),
    };
    if let Some(expected) = confidential(error.path()) {
        let found = "what is there is not shown, because it may be a secret".to_owned();
        return Problem { path, found, expected: expected.to_owned(), nearest: Vec::new() };
    }
    let error = error.into_inner();
    if error.is_syntax() || error.is_eof() {
        return not_json(error);
    }
    let message = error.to_string();
    // JSON text has lines and columns, a `Struct` has none.
    let place = if error.line() > 0 {
        format!(" at line {} column {}", error.line(), error.column())
    } else {
        String::new()
    };
    let message = message.strip_suffix(&place).unwrap_or(&message);
    let (found, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let mut quoted = message.split('`').skip(1).step_by(2);
    let nearest = match quoted.next() {
        Some(wanted) if found.starts_with("unknown") => names::nearest(wanted, quoted),
        _ => Vec::new(),
    };
    Problem {
        path,
        found: found
            .replace("unknown field", "unknown key")
            .replace("unknown variant", "unknown value")
            .replace("missing field", "missing key")
            + &place,
        expected: expected
            .replace("u64", "a whole number")
            .replace("f64", "a number")
            .replace("a boolean", "true or false"),
        nearest: nearest.into_iter().map(str::to_owned).collect(),
    }
}

/// What belongs at a place where a secret may be.
fn confidential(path: &Path) -> Option<&'static str> {
    let mut keys = path.iter();
    let Some(Segment::Map { key: section }) = keys.next() else { return None };
    let Some(Segment::Map { key }) = keys.nth(1) else { return None };
    match (section.as_str(), key.as_str()) {
        ("providers", "api_key") => Some("{env: VARIABLE}, {value: KEY} or none"),
        ("consumers", "keys") => Some("a list of {sha256: HASH, not_after: DATE}, each key once"),
        ("providers", "headers") => Some("a map from header names to strings, each name once"),
        _ => None,
    }
}

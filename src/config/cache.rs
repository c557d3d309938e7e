//! Which answers are kept and given again, for how long, and in how much memory.

use super::Route;
use super::catalog::Catalog;
use super::check::{Check, within};
use super::raw;
use super::shape::words;
use std::ops::RangeInclusive;
use std::rc::Rc;

/// The cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// How much is kept.
    pub store: CacheStore,
    /// How long a request waits for the answer to the same one that is on its way, in seconds.
    pub wait: u64,
    /// What holds for models that are asked for by their own name.
    pub policy: CachePolicy,
    /// The model that makes vectors of questions; none if the gateway does.
    pub embedder: Option<Embedder>,
}

/// A model that makes vectors, and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedder {
    /// Its name, as a client would ask for it.
    pub model: Rc<str>,
    /// How many numbers a vector has; the model's own number if none.
    pub dimensions: Option<u32>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u32,
}

/// How much is kept at most, of all workers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheStore {
    /// Answers.
    pub entries: u32,
    /// The longest answer, in bytes.
    pub entry_bytes: u32,
    /// All answers together, in bytes.
    pub total_bytes: u64,
    /// Questions that others are compared with.
    pub questions: u32,
}

/// Which answers are given again to requests for one name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CachePolicy {
    /// To the same request.
    pub exact: Option<Exact>,
    /// To one in which only the last question is another, and means the same.
    pub semantic: Option<Semantic>,
}

/// When the same request gets the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    /// Which requests.
    pub when: When,
    /// For how long, in seconds.
    pub ttl: u64,
}

/// Which requests get the same answer again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum When {
    /// Those that ask for the likeliest answer, and so for the same one each time: with `temperature` 0.
    #[default]
    Deterministic,
    /// All.
    Always,
}

words! { When: "deterministic" => When::Deterministic, "always" => When::Always }

/// When a similar question gets the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Semantic {
    /// How similar it has to be.
    pub threshold: Similarity,
    /// For how long, in seconds.
    pub ttl: u64,
}

/// The cosine of the angle between two vectors, in ten-thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Similarity(u16);

impl Similarity {
    /// What admitted no pair wrongly where it was measured (`docs/cache.md`).
    pub const SAFE: Self = Self(9000);

    /// The similarity from 0 to 1, if it is one.
    #[must_use]
    pub fn new(cosine: f64) -> Option<Self> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be in bounds"
        )]
        (0.0..=1.0).contains(&cosine).then_some(Self((cosine * 10_000.0).round() as u16))
    }

    /// Whether vectors with this cosine are similar enough.
    #[must_use]
    pub fn admits(self, cosine: f32) -> bool {
        cosine * 10_000.0 >= f32::from(self.0)
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self { store: CacheStore::default(), wait: WAIT, policy: CachePolicy::default(), embedder: None }
    }
}

impl Default for CacheStore {
    fn default() -> Self {
        Self { entries: 4096, entry_bytes: 256 * 1024, total_bytes: 64 * 1024 * 1024, questions: 2048 }
    }
}

/// An hour.
pub(super) const TTL: u64 = 3600;
/// A year.
pub(super) const TTLS: RangeInclusive<u64> = 1..=31_536_000;
/// Longer than most answers take, and far less than clients wait.
const WAIT: u64 = 30;
const WAITS: RangeInclusive<u64> = 0..=600;
/// A request that has to wait longer for what a model says of it is better served without.
pub(super) const CALL_MS: u64 = 2000;
pub(super) const CALL_TIMES: RangeInclusive<u64> = 1..=60_000;
const DIMENSIONS: RangeInclusive<u64> = 1..=4096;
const ENTRIES: RangeInclusive<u64> = 1..=1_000_000;
/// Envoy's shared data has been seen to take values of 8 MiB.
const ENTRY_BYTES: RangeInclusive<u64> = 1024..=8 * 1024 * 1024;
const TOTAL_BYTES: RangeInclusive<u64> = 1024..=16 * 1024 * 1024 * 1024;
const QUESTIONS: RangeInclusive<u64> = 1..=100_000;

impl Check<'_> {
    pub(super) fn cache(&mut self, raw: &raw::Cache) -> Cache {
        let exact = self.exact("cache.exact", raw.exact.as_ref(), None);
        if let Some(semantic) = &raw.semantic {
            self.ttl("cache.semantic", semantic.ttl);
            self.threshold("cache.semantic", semantic.threshold);
        }
        let store = self.cache_store(&raw.store);
        let wait = self.limited("cache.wait", raw.wait, WAIT, &WAITS);
        let policy = CachePolicy { exact, semantic: None };
        Cache { store, wait, policy, embedder: raw.embedder.as_ref().and_then(|raw| self.embedder(raw)) }
    }

    /// What holds for a route: what it says, and of what it does not say, what is said for all.
    pub(super) fn cache_policy(
        &mut self,
        route: &str,
        raw: Option<&raw::RouteCache>,
        cache: &Cache,
        all: &raw::Cache,
    ) -> CachePolicy {
        let Some(raw) = raw else { return cache.policy };
        let path = format!("{route}.cache");
        let exact = match &raw.exact {
            Some(exact) => self.exact(&format!("{path}.exact"), Some(exact), all.exact.as_ref()),
            None => cache.policy.exact,
        };
        let semantic = raw
            .semantic
            .as_ref()
            .and_then(|semantic| self.semantic(&format!("{path}.semantic"), semantic, all.semantic.as_ref()));
        CachePolicy { exact, semantic }
    }

    fn embedder(&mut self, raw: &raw::Embedder) -> Option<Embedder> {
        let mut within = |key: &str, raw: u64, range| {
            u32::try_from(self.limited(&format!("cache.embedder.{key}"), Some(raw), raw, range)).ok()
        };
        let dimensions = raw.dimensions.map(|raw| within("dimensions", raw, &DIMENSIONS));
        let timeout_ms = within("timeout_ms", raw.timeout_ms.unwrap_or(CALL_MS), &CALL_TIMES)?;
        let model = raw.model.as_str().into();
        Some(Embedder { model, dimensions: dimensions.flatten(), timeout_ms })
    }

    /// Warns of defaults for routes where there is none that they are for.
    pub(super) fn cache_is_used(&mut self, catalog: &Catalog, raw: &raw::Cache) {
        let is_semantic = |route: &Rc<Route>| route.cache.semantic.is_some();
        let defaults = [("semantic", raw.semantic.is_some()), ("embedder", raw.embedder.is_some())];
        for (key, _) in defaults.iter().filter(|(_, is_there)| *is_there) {
            if !catalog.routes.iter().any(is_semantic) {
                let why = "no route has cache.semantic, so no question is compared with others";
                self.warnings.push(format!("cache.{key}: {why}"));
            }
        }
    }

    fn exact(&mut self, path: &str, raw: Option<&raw::Exact>, all: Option<&raw::Exact>) -> Option<Exact> {
        let raw = raw?;
        let ttl = self.ttl(path, raw.ttl).or(all.and_then(|all| all.ttl));
        let when = raw.when.or(all.and_then(|all| all.when)).unwrap_or_default();
        raw.enabled.unwrap_or(true).then(|| Exact { when, ttl: ttl.unwrap_or(TTL) })
    }

    fn semantic(&mut self, path: &str, raw: &raw::Semantic, all: Option<&raw::Semantic>) -> Option<Semantic> {
        let enabled = raw.enabled.or(all.and_then(|all| all.enabled)).unwrap_or(true);
        let ttl = self.ttl(path, raw.ttl).or(all.and_then(|all| all.ttl));
        let of_all = || all.and_then(|all| Similarity::new(all.threshold?));
        let threshold = self.threshold(path, raw.threshold).or_else(of_all).unwrap_or(Similarity::SAFE);
        enabled.then(|| Semantic { threshold, ttl: ttl.unwrap_or(TTL) })
    }

    fn cache_store(&mut self, raw: &raw::CacheStore) -> CacheStore {
        let default = CacheStore::default();
        let mut limited = |key: &str, raw: Option<u64>, default: u64, range: &RangeInclusive<u64>| {
            self.limited(&format!("cache.store.{key}"), raw, default, range)
        };
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let store = CacheStore {
            entries: small(limited("entries", raw.entries, default.entries.into(), &ENTRIES)),
            entry_bytes: small(limited(
                "entry_bytes",
                raw.entry_bytes,
                default.entry_bytes.into(),
                &ENTRY_BYTES,
            )),
            total_bytes: limited("total_bytes", raw.total_bytes, default.total_bytes, &TOTAL_BYTES),
            questions: small(limited("questions", raw.questions, default.questions.into(), &QUESTIONS)),
        };
        if store.total_bytes < store.entry_bytes.into() {
            let expected = format!("at least entry_bytes, {}", store.entry_bytes);
            self.problems.add("cache.store.total_bytes", store.total_bytes.to_string(), expected);
        }
        store
    }

    fn ttl(&mut self, path: &str, raw: Option<u64>) -> Option<u64> {
        raw.map(|ttl| self.limited(&format!("{path}.ttl"), Some(ttl), TTL, &TTLS))
    }

    fn threshold(&mut self, path: &str, raw: Option<f64>) -> Option<Similarity> {
        let threshold = Similarity::new(raw?);
        if let (None, Some(raw)) = (threshold, raw) {
            self.problems.add(format!("{path}.threshold"), raw.to_string(), "a cosine, from 0 to 1");
        }
        threshold
    }

    /// The number, or nothing but a problem where it is out of bounds.
    pub(super) fn limited(
        &mut self,
        path: &str,
        raw: Option<u64>,
        default: u64,
        range: &RangeInclusive<u64>,
    ) -> u64 {
        let number = raw.unwrap_or(default);
        if !range.contains(&number) {
            self.problems.add(path, number.to_string(), within(range));
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::super::protobuf::tests::encode;
    use super::*;
    use serde_json::{Value, json};

    fn document(cache: Value, of_route: Value) -> Value {
        let mut route = json!({"targets": [{"model": "m"}]});
        if !of_route.is_null() {
            route["cache"] = of_route;
        }
        json!({
            "auth": {"anonymous": {"consumer": "anonymous"}},
            "providers": {"p": {"vendor": "openai", "api_key": {"value": "k"}}},
            "models": {"m": {"provider": "p", "aliases": ["em"]}},
            "routes": {"r": route},
            "cache": cache,
        })
    }

    fn parse(cache: Value, of_route: Value) -> Config {
        let document = document(cache, of_route).to_string();
        Config::parse(document.as_bytes(), &|_| None)
            .unwrap_or_else(|problems| panic!("{document}\n{problems}"))
    }

    fn problems(cache: Value, of_route: Value) -> Vec<String> {
        let document = document(cache, of_route);
        let problems = Config::parse(&encode(&document), &|_| None).expect_err("a problem");
        problems.iter().map(ToString::to_string).collect()
    }

    fn exact(when: When, ttl: u64) -> Option<Exact> {
        Some(Exact { when, ttl })
    }

    fn semantic(threshold: f64, ttl: u64) -> Option<Semantic> {
        Some(Semantic { threshold: Similarity::new(threshold).unwrap(), ttl })
    }

    #[test]
    fn nothing_is_kept_unless_it_is_asked_for() {
        for cache in [json!({}), json!({"store": {"entries": 9}}), json!({"exact": {"enabled": false}})] {
            let config = parse(cache, json!(null));
            assert_eq!(config.cache().policy, CachePolicy::default());
            assert_eq!(config.cache_policy("r"), CachePolicy::default());
        }
        let document = json!({"auth": {"anonymous": {"consumer": "anonymous"}}, "providers": {"openai": {}}})
            .to_string();
        assert_eq!(Config::parse(document.as_bytes(), &|_| None).unwrap().cache(), &Cache::default());
    }

    #[test]
    fn a_route_says_what_is_different_for_it() {
        use When::{Always, Deterministic};
        let all = json!({"exact": {"when": "always", "ttl": 60}, "semantic": {"threshold": 0.95, "ttl": 70}});
        for (cache, of_route, of_model, expected, similar) in [
            (json!({"exact": {}}), json!(null), exact(Deterministic, 3600), exact(Deterministic, 3600), None),
            (all.clone(), json!(null), exact(Always, 60), exact(Always, 60), None),
            (all.clone(), json!({}), exact(Always, 60), exact(Always, 60), None),
            (all.clone(), json!({"exact": {"ttl": 5}}), exact(Always, 60), exact(Always, 5), None),
            (
                all.clone(),
                json!({"exact": {"when": "deterministic"}}),
                exact(Always, 60),
                exact(Deterministic, 60),
                None,
            ),
            (all.clone(), json!({"exact": {"enabled": false}}), exact(Always, 60), None, None),
            (all.clone(), json!({"semantic": {}}), exact(Always, 60), exact(Always, 60), semantic(0.95, 70)),
            (
                all.clone(),
                json!({"semantic": {"enabled": false}}),
                exact(Always, 60),
                exact(Always, 60),
                None,
            ),
            (
                all,
                json!({"semantic": {"threshold": 0.5, "ttl": 9}}),
                exact(Always, 60),
                exact(Always, 60),
                semantic(0.5, 9),
            ),
            (
                json!({}),
                json!({"exact": {}, "semantic": {}}),
                None,
                exact(Deterministic, 3600),
                semantic(0.9, 3600),
            ),
            (
                json!({"exact": {"enabled": false}}),
                json!({"exact": {}}),
                None,
                exact(Deterministic, 3600),
                None,
            ),
            (json!({"semantic": {"enabled": false}}), json!({"semantic": {}}), None, None, None),
            (
                json!({"semantic": {"enabled": false}}),
                json!({"semantic": {"enabled": true}}),
                None,
                None,
                semantic(0.9, 3600),
            ),
        ] {
            let config = parse(cache.clone(), of_route.clone());
            let said = format!("{cache} {of_route}");
            assert_eq!(
                (config.cache().policy.exact, config.cache_policy("m").exact),
                (of_model, of_model),
                "{said}"
            );
            assert_eq!(
                config.cache_policy("r"),
                CachePolicy { exact: expected, semantic: similar },
                "{said}"
            );
            assert_eq!(
                config.cache().policy.semantic,
                None,
                "a model that is no route has to be asked for exactly"
            );
        }
    }

    #[test]
    fn a_model_that_makes_vectors_is_one_that_a_client_could_ask_for() {
        for model in ["m", "em", "r"] {
            let cache = json!({"embedder": {"model": model, "dimensions": 256, "timeout_ms": 5}});
            let expected = Embedder { model: model.into(), dimensions: Some(256), timeout_ms: 5 };
            assert_eq!(parse(cache, json!({"semantic": {}})).cache().embedder, Some(expected));
        }
        let config = parse(json!({"embedder": {"model": "m"}}), json!(null));
        assert_eq!(config.cache().embedder.as_ref().map(|embedder| embedder.timeout_ms), Some(2000));
        assert_eq!(config.internal_cluster().as_str(), "modelgate_internal");
        assert!(config.warnings()[0].starts_with("cache.embedder: no route has"), "{:?}", config.warnings());
        for (embedder, expected) in [
            (json!({}), "cache.embedder: missing key `model`"),
            (
                json!({"model": "n"}),
                "cache.embedder.model: unknown model \"n\": expected a model, an alias, a route or provider/model",
            ),
            (
                json!({"model": "p/x"}),
                "cache.embedder.model: unknown model \"p/x\": expected a model, an alias, a route or provider/model",
            ),
            (
                json!({"model": "m", "dimensions": 5000}),
                "cache.embedder.dimensions: 5000: expected a whole number from 1 to 4096",
            ),
            (
                json!({"model": "m", "timeout_ms": 0}),
                "cache.embedder.timeout_ms: 0: expected a whole number from 1 to 60000",
            ),
        ] {
            let found = problems(json!({"embedder": embedder}), json!(null));
            assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
        }
    }

    #[test]
    fn defaults_that_are_for_no_route_are_told() {
        let used = parse(json!({"semantic": {"threshold": 0.8}}), json!({"semantic": {}}));
        assert!(used.warnings().is_empty(), "{:?}", used.warnings());
        let unused = parse(json!({"semantic": {}}), json!(null));
        assert!(unused.warnings()[0].starts_with("cache.semantic: no route has"), "{:?}", unused.warnings());
    }

    #[test]
    fn what_cannot_be_is_told() {
        for (cache, of_route, expected) in [
            (
                json!({"wait": 601, "store": {"entries": 0, "entry_bytes": 1, "total_bytes": 5000, "questions": 0}}),
                json!(null),
                vec![
                    "cache.store.entries: 0: expected a whole number from 1 to 1000000",
                    "cache.store.entry_bytes: 1: expected a whole number from 1024 to 8388608",
                    "cache.store.questions: 0: expected a whole number from 1 to 100000",
                    "cache.wait: 601: expected a whole number from 0 to 600",
                ],
            ),
            (
                json!({"store": {"total_bytes": 5000}}),
                json!(null),
                vec!["cache.store.total_bytes: 5000: expected at least entry_bytes, 262144"],
            ),
            (
                json!({"exact": {"ttl": 0}, "semantic": {"ttl": 0, "threshold": 1.5}}),
                json!({"exact": {"ttl": 31_536_001}, "semantic": {"threshold": -1}}),
                vec![
                    "cache.exact.ttl: 0: expected a whole number from 1 to 31536000",
                    "cache.semantic.ttl: 0: expected a whole number from 1 to 31536000",
                    "cache.semantic.threshold: 1.5: expected a cosine, from 0 to 1",
                    "routes.r.cache.exact.ttl: 31536001: expected a whole number from 1 to 31536000",
                    "routes.r.cache.semantic.threshold: -1: expected a cosine, from 0 to 1",
                ],
            ),
            (
                json!({"exact": {"when": "deterministc"}}),
                json!(null),
                vec![
                    "cache.exact.when: unknown value `deterministc`: expected `deterministic` or `always`; nearest: \"deterministic\"",
                ],
            ),
            (
                json!({"semantic": {"threshold": "high"}}),
                json!(null),
                vec!["cache.semantic.threshold: invalid type: string \"high\": expected a number"],
            ),
            (
                json!({"entries": 1}),
                json!(null),
                vec![
                    "cache.entries: unknown key `entries`: expected one of `store`, `wait`, `exact`, `semantic`, `embedder`",
                ],
            ),
        ] {
            assert_eq!(problems(cache, of_route), expected);
        }
    }

    #[test]
    fn a_similarity_admits_what_is_not_less() {
        let threshold = Similarity::new(0.9).unwrap();
        assert_eq!(
            [0.8999, 0.9, 0.9001, 1.0, f32::NAN].map(|cosine| threshold.admits(cosine)),
            [false, true, true, true, false]
        );
        for bad in [-0.1, 1.1, f64::NAN] {
            assert_eq!(Similarity::new(bad), None);
        }
    }
}

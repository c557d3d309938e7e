//! Judging the limits: each counts one thing over a time that suits it, and is for names that exist.

use super::catalog::{Catalog, Named};
use super::check::{Check, within};
use super::consumer::Auth;
use super::limit::{Counted, Dimension, Group, Kind, Limit, Limits, Pace, Period, Span, Window};
use super::raw;
use crate::fnv;
use crate::money::NanoUsd;
use crate::names::{self, BadName, ConsumerName, LimitName, ModelName, TierName};
use std::ops::RangeInclusive;
use std::rc::Rc;

/// The counters of a group are one value, read and written for every request.
const MOST_LIMITS: usize = 64;
/// Requests, in a window or at the same time.
const REQUESTS: RangeInclusive<u64> = 1..=1_000_000_000;
const TOKENS: RangeInclusive<u64> = 1..=1_000_000_000_000;
/// The keys of which a limit has exactly one.
const AMOUNTS: &str = "exactly one of requests, tokens, input_tokens, output_tokens, concurrent and usd";

impl Check<'_> {
    pub(super) fn limits(&mut self, catalog: &Catalog, auth: &Auth, raw: Vec<raw::Limit>) -> Limits {
        if raw.len() > MOST_LIMITS {
            self.problems.add("limits", format!("{} limits", raw.len()), format!("at most {MOST_LIMITS}"));
        }
        let mut limits = Limits::default();
        let mut taken: Vec<LimitName> = Vec::new();
        for (position, raw) in raw.into_iter().enumerate() {
            let path = format!("limits[{position}]");
            let per: Vec<_> = Dimension::ALL.into_iter().filter(|one| raw.per.contains(one)).collect();
            if per.len() < raw.per.len() {
                self.problems.add(format!("{path}.per"), "one of them is there twice", "each once");
            }
            let Some(limit) = self.limit((catalog, auth), &path, raw, &mut taken).map(Rc::new) else {
                continue;
            };
            match limits.groups.iter_mut().find(|group| group.per == per) {
                Some(group) => group.limits.push(Rc::clone(&limit)),
                None => limits.groups.push(Group { per, limits: vec![Rc::clone(&limit)] }),
            }
            limits.all.push(limit);
        }
        limits
    }

    fn limit(
        &mut self,
        (catalog, auth): (&Catalog, &Auth),
        path: &str,
        raw: raw::Limit,
        taken: &mut Vec<LimitName>,
    ) -> Option<Limit> {
        let name = self.name(LimitName::parse(&raw.name), &format!("{path}.name"), &raw.name);
        match &name {
            Some(name) if taken.contains(name) => {
                let found = format!("{name:?} is already the name of a limit");
                self.problems.add(format!("{path}.name"), found, "a name that no other limit has");
            }
            name => taken.extend(name.clone()),
        }
        let tiers = self.only(&format!("{path}.tiers"), raw.tiers.as_deref(), TierName::parse);
        if tiers.is_some() {
            self.all_there("tier", path, raw.tiers.as_deref(), auth.tiers.keys());
        }
        let consumers =
            self.only(&format!("{path}.consumers"), raw.consumers.as_deref(), ConsumerName::parse);
        if consumers.is_some() {
            self.all_there("consumer", path, raw.consumers.as_deref(), auth.consumers.keys());
        }
        let models = self.models_of(catalog, &format!("{path}.models"), raw.models.as_deref());
        let amount = self.counted_amount(path, &raw);
        let name = name?;
        let (kind, size) = amount?;
        Some(Limit {
            id: id(&name, kind),
            name,
            tiers: tiers?,
            consumers: consumers?,
            models: models?,
            kind,
            size,
            mode: raw.mode,
            on_exceed: raw.on_exceed.unwrap_or_default(),
            on_contention: raw.on_contention,
        })
    }

    /// What is counted, over which time, and how much of it is allowed.
    fn counted_amount(&mut self, path: &str, raw: &raw::Limit) -> Option<(Kind, u64)> {
        let counts = [
            ("requests", raw.requests),
            ("tokens", raw.tokens),
            ("input_tokens", raw.input_tokens),
            ("output_tokens", raw.output_tokens),
            ("concurrent", raw.concurrent),
        ];
        let mut given: Vec<_> = counts.iter().filter_map(|(key, size)| Some((*key, (*size)?))).collect();
        given.extend(raw.usd.map(|_| ("usd", 0)));
        let [(key, size)] = given[..] else {
            let keys: Vec<_> = given.iter().map(|(key, _)| *key).collect();
            let found = if keys.is_empty() { "there is no amount".to_owned() } else { keys.join(" and ") };
            self.problems.add(path, found, AMOUNTS);
            return None;
        };
        let size = self.size(&format!("{path}.{key}"), raw.usd, size, key);
        let kind = self.kind(path, key, size.unwrap_or(*TOKENS.start()), raw);
        if raw.on_exceed.is_some() && !matches!(key, "tokens" | "output_tokens" | "usd") {
            let found = format!("no stream can outgrow its {key}");
            self.problems.add(
                format!("{path}.on_exceed"),
                found,
                "none but for tokens, output_tokens and usd",
            );
        }
        Some((kind?, size?))
    }

    fn size(&mut self, path: &str, usd: Option<f64>, size: u64, key: &str) -> Option<u64> {
        if let Some(usd) = usd {
            return match NanoUsd::from_usd(usd) {
                Ok(NanoUsd::ZERO) => {
                    self.problems.add(path, "0", "an amount in USD, more than 0");
                    None
                }
                Ok(amount) => Some(amount.nanos()),
                Err(why) => {
                    self.problems.add(path, format!("{usd} cannot be an amount: {why}"), "an amount in USD");
                    None
                }
            };
        }
        let range = if matches!(key, "requests" | "concurrent") { REQUESTS } else { TOKENS };
        if !range.contains(&size) {
            self.problems.add(path, size.to_string(), within(&range));
            return None;
        }
        Some(size)
    }

    fn kind(&mut self, path: &str, key: &str, size: u64, raw: &raw::Limit) -> Option<Kind> {
        let counted = match key {
            "input_tokens" => Counted::Input,
            "output_tokens" => Counted::Output,
            _ => Counted::All,
        };
        let (kind, expected) = match (key, raw.window) {
            ("concurrent", None) => (Some(Kind::Concurrent), ""),
            ("concurrent", Some(_)) => (None, "no window: they count while they last"),
            ("requests", Some(Window::Minute)) => (Some(Kind::Requests(Span::Minute)), ""),
            ("requests", Some(Window::Hour)) => (Some(Kind::Requests(Span::Hour)), ""),
            ("requests", Some(Window::Day)) => (Some(Kind::Requests(Span::Day)), ""),
            ("requests", _) => (None, "minute, hour or day"),
            ("usd", Some(Window::Day)) => (Some(Kind::Usd(Period::Day)), ""),
            ("usd", Some(Window::Month)) => (Some(Kind::Usd(Period::Month)), ""),
            ("usd", _) => (None, "day or month"),
            (_, Some(Window::Minute)) => {
                let burst = raw.burst.unwrap_or(size);
                if !TOKENS.contains(&burst) {
                    self.problems.add(format!("{path}.burst"), burst.to_string(), within(&TOKENS));
                }
                (Some(Kind::Tokens(counted, Pace::Minute { burst })), "")
            }
            (_, Some(Window::Day)) => (Some(Kind::Tokens(counted, Pace::Day)), ""),
            (_, _) => (None, "minute or day"),
        };
        if raw.burst.is_some() && !matches!(kind, None | Some(Kind::Tokens(_, Pace::Minute { .. }))) {
            let found = "only tokens per minute have one";
            self.problems.add(format!("{path}.burst"), found, "no burst");
        }
        if kind.is_none() {
            let found = match raw.window {
                Some(window) => format!("{} for {key}", window.as_str()),
                None => "missing key `window`".to_owned(),
            };
            self.problems.add(format!("{path}.window"), found, expected);
        }
        kind
    }

    /// The names that a limit is only for. A list of none would be for nobody, which nobody means.
    pub(super) fn only<T>(
        &mut self,
        path: &str,
        raw: Option<&[String]>,
        parse: impl Fn(&str) -> Result<T, BadName>,
    ) -> Option<Vec<T>> {
        if raw.is_some_and(<[_]>::is_empty) {
            self.problems.add(path, "there is none", "at least one, or to be left out for all");
        }
        let names = raw.unwrap_or_default().iter().enumerate();
        let names: Vec<_> =
            names.map(|(at, name)| self.name(parse(name), &format!("{path}[{at}]"), name)).collect();
        names.into_iter().collect()
    }

    /// Whether the configuration has those tiers or consumers.
    pub(super) fn all_there<'k>(
        &mut self,
        kind: &str,
        path: &str,
        asked: Option<&[String]>,
        known: impl Iterator<Item = &'k Rc<str>> + Clone,
    ) {
        let section = format!("{kind}s");
        for (at, name) in asked.unwrap_or_default().iter().enumerate() {
            if known.clone().any(|known| **known == **name) || self.is_refused(&section, name) {
                continue;
            }
            let nearest = names::nearest(name, known.clone().map(|name| &**name));
            let (path, found) = (format!("{path}.{section}[{at}]"), format!("unknown {kind} {name:?}"));
            self.problems.add_with_nearest(path, found, format!("one of {section}"), nearest);
        }
    }

    /// Models by their own names, however the document names them.
    fn models_of(&mut self, catalog: &Catalog, path: &str, raw: Option<&[String]>) -> Option<Vec<ModelName>> {
        let asked = self.only(path, raw, ModelName::parse)?;
        let models = asked.iter().enumerate().map(|(at, asked)| match catalog.names.get(asked.as_str()) {
            Some(Named::Model(model)) => Some(model.name.clone()),
            _ => {
                self.unknown_model(catalog, format!("{path}[{at}]"), asked.as_str());
                None
            }
        });
        models.collect::<Vec<_>>().into_iter().collect()
    }

    pub(super) fn unknown_model(&mut self, catalog: &Catalog, path: String, asked: &str) {
        if self.is_refused("models", asked) {
            return;
        }
        let found = match self.route_names.contains(asked) {
            true => format!("{asked:?} is a route"),
            false => format!("unknown model {asked:?}"),
        };
        let models = catalog.names.iter().filter(|(_, named)| matches!(named, Named::Model(_)));
        let nearest = names::nearest(asked, models.map(|(name, _)| &**name));
        self.problems.add_with_nearest(path, found, "a model of the catalog, or an alias", nearest);
    }
}

/// A hash of what makes a limit the same one after a change of the configuration.
fn id(name: &LimitName, kind: Kind) -> u64 {
    let window = kind.window().map_or("", Window::as_str);
    let text = [name.as_str(), kind.as_str(), window].join(" ");
    fnv::of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::limit::{Mode, OnContention, OnExceed};
    use super::super::{Config, Problems};
    use super::*;
    use serde_json::{Value, json};

    fn parse(limits: &Value) -> Result<Rc<Limits>, Problems> {
        let document = json!({
            "providers": {"openai": {"allow_unlisted": true}},
            "models": {"gpt-5-mini": {"provider": "openai", "aliases": ["mini"]}},
            "routes": {"smart": {"targets": [{"model": "mini"}]}},
            "auth": {"anonymous": {"consumer": "anonymous"}},
            "tiers": {"premium": {}},
            "consumers": {"acme": {"tier": "premium"}},
            "limits": limits,
        });
        let config = Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned()))?;
        Ok(Rc::clone(config.limits()))
    }

    fn problems(limits: &Value) -> Vec<String> {
        parse(limits).expect_err("a problem").iter().map(ToString::to_string).collect()
    }

    /// A limit of this shape, told without its name.
    fn only(limit: Value) -> Vec<String> {
        let mut limit = limit;
        limit["name"] = json!("a");
        problems(&json!([limit])).iter().map(|problem| problem.replacen("limits[0]", "", 1)).collect()
    }

    #[test]
    fn every_kind_of_limit_is_read() {
        let limits = parse(&json!([
            {"name": "a", "requests": 60, "window": "minute"},
            {"name": "b", "requests": 60, "window": "hour"},
            {"name": "c", "requests": 60, "window": "day"},
            {"name": "d", "tokens": 1000, "window": "minute"},
            {"name": "e", "input_tokens": 1000, "window": "minute", "burst": 200},
            {"name": "f", "output_tokens": 1000, "window": "day", "on_exceed": "stop"},
            {"name": "g", "concurrent": 5},
            {"name": "h", "usd": 0.5, "window": "day"},
            {"name": "i", "usd": 100, "window": "month"},
        ]))
        .unwrap();
        let told: Vec<_> = limits.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "60 requests per minute",
                "60 requests per hour",
                "60 requests per day",
                "1000 tokens per minute",
                "1000 input tokens per minute, 200 at once",
                "1000 output tokens per day",
                "5 requests at the same time",
                "0.5 USD per day",
                "100 USD per month",
            ]
        );
        let kinds: Vec<_> = limits.iter().map(|limit| limit.kind).collect();
        assert_eq!(kinds[3], Kind::Tokens(Counted::All, Pace::Minute { burst: 1000 }));
        assert_eq!(kinds[4], Kind::Tokens(Counted::Input, Pace::Minute { burst: 200 }));
        assert_eq!(limits.iter().last().map(|limit| limit.size), Some(100 * NanoUsd::PER_USD));
    }

    #[test]
    fn a_limit_enforces_refuses_and_lets_finish_unless_told_otherwise() {
        let limits = parse(&json!([
            {"name": "a", "usd": 1, "window": "day"},
            {"name": "b", "usd": 1, "window": "day", "mode": "observe", "on_exceed": "stop", "on_contention": "admit"},
        ]))
        .unwrap();
        let read: Vec<_> =
            limits.iter().map(|limit| (limit.mode, limit.on_exceed, limit.on_contention)).collect();
        assert_eq!(
            read,
            [
                (Mode::Enforce, OnExceed::Finish, OnContention::Refuse),
                (Mode::Observe, OnExceed::Stop, OnContention::Admit)
            ]
        );
    }

    #[test]
    fn limits_for_the_same_dimensions_are_one_group_in_whatever_order_they_are_named() {
        let limits = parse(&json!([
            {"name": "a", "concurrent": 5, "per": ["model", "consumer"]},
            {"name": "b", "concurrent": 5},
            {"name": "c", "concurrent": 5, "per": ["consumer", "model"]},
            {"name": "d", "concurrent": 5, "per": []},
        ]))
        .unwrap();
        let groups: Vec<_> = limits
            .groups()
            .iter()
            .map(|group| (group.per.as_slice(), group.limits.iter().map(|l| l.name.as_str()).collect()))
            .collect();
        let both: &[_] = &[Dimension::Consumer, Dimension::Model];
        assert_eq!(groups, [(both, vec!["a", "c"]), (&[], vec!["b", "d"])]);
    }

    #[test]
    fn a_limit_is_for_models_by_their_own_names() {
        let limits = parse(&json!([
            {"name": "a", "concurrent": 5, "models": ["mini"], "tiers": ["premium"], "consumers": ["acme"]},
        ]))
        .unwrap();
        let limit = limits.iter().next().unwrap();
        assert_eq!(limit.models, ["gpt-5-mini"]);
        assert_eq!(
            (limit.tiers.as_slice(), limit.consumers.len()),
            (&[TierName::parse("premium").unwrap()][..], 1)
        );
    }

    #[test]
    fn a_limit_stays_the_same_when_its_size_changes_and_no_longer() {
        let id = |limit: Value| parse(&json!([limit])).unwrap().iter().next().unwrap().id;
        let first = id(json!({"name": "a", "tokens": 10, "window": "minute"}));
        assert_eq!(
            first,
            id(json!({"name": "a", "tokens": 20, "window": "minute", "burst": 5, "models": ["mini"]}))
        );
        for other in [
            json!({"name": "b", "tokens": 10, "window": "minute"}),
            json!({"name": "a", "tokens": 10, "window": "day"}),
            json!({"name": "a", "output_tokens": 10, "window": "minute"}),
            json!({"name": "a", "concurrent": 10}),
        ] {
            assert_ne!(first, id(other));
        }
    }

    #[test]
    fn sizes_that_are_none_are_refused() {
        let requests = "expected a whole number from 1 to 1000000000";
        let tokens = "expected a whole number from 1 to 1000000000000";
        for (limit, expected) in [
            (json!({"requests": 0, "window": "day"}), format!(".requests: 0: {requests}")),
            (json!({"requests": 1_000_000_001, "window": "day"}), format!(".requests: 1000000001: {requests}")),
            (json!({"concurrent": 0}), format!(".concurrent: 0: {requests}")),
            (json!({"tokens": 0, "window": "day"}), format!(".tokens: 0: {tokens}")),
            (json!({"tokens": u64::MAX, "window": "day"}), format!(".tokens: 18446744073709551615: {tokens}")),
            (json!({"tokens": 5, "window": "minute", "burst": 0}), format!(".burst: 0: {tokens}")),
            (json!({"usd": 0, "window": "day"}), ".usd: 0: expected an amount in USD, more than 0".to_owned()),
            (
                json!({"usd": -1.5, "window": "day"}),
                ".usd: -1.5 cannot be an amount: it is negative: expected an amount in USD".to_owned(),
            ),
            (
                json!({"usd": 0.000_000_000_1, "window": "day"}),
                ".usd: 0.0000000001 cannot be an amount: it has more than nine decimals: expected an amount in USD"
                    .to_owned(),
            ),
            (
                json!({"usd": 1e11, "window": "day"}),
                ".usd: 100000000000 cannot be an amount: it is more than 18446744073.709551615 USD: expected an amount \
                 in USD"
                    .to_owned(),
            ),
        ] {
            assert_eq!(only(limit), [expected]);
        }
        for (limit, expected) in [
            (
                json!({"tokens": -5, "window": "day"}),
                ".tokens: invalid value: integer `-5`: expected a whole number",
            ),
            (
                json!({"tokens": 1.5, "window": "day"}),
                ".tokens: invalid type: floating point `1.5`: expected a whole number",
            ),
            (json!({"usd": "5$", "window": "day"}), ".usd: invalid type: string \"5$\": expected a number"),
        ] {
            assert_eq!(only(limit), [expected]);
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        const AMOUNT: &str =
            "expected exactly one of requests, tokens, input_tokens, output_tokens, concurrent and usd";
        for (limit, expected) in [
            (json!({}), format!(": there is no amount: {AMOUNT}")),
            (json!({"tokens": 5, "usd": 1, "window": "day"}), format!(": tokens and usd: {AMOUNT}")),
            (json!({"requests": 5}), ".window: missing key `window`: expected minute, hour or day".to_owned()),
            (
                json!({"requests": 5, "window": "month"}),
                ".window: month for requests: expected minute, hour or day".to_owned(),
            ),
            (json!({"tokens": 5, "window": "hour"}), ".window: hour for tokens: expected minute or day".to_owned()),
            (json!({"usd": 5, "window": "minute"}), ".window: minute for usd: expected day or month".to_owned()),
            (
                json!({"concurrent": 5, "window": "day"}),
                ".window: day for concurrent: expected no window: they count while they last".to_owned(),
            ),
            (
                json!({"tokens": 5, "window": "day", "burst": 5}),
                ".burst: only tokens per minute have one: expected no burst".to_owned(),
            ),
            (
                json!({"input_tokens": 5, "window": "day", "on_exceed": "stop"}),
                ".on_exceed: no stream can outgrow its input_tokens: expected none but for tokens, output_tokens and usd"
                    .to_owned(),
            ),
            (
                json!({"concurrent": 5, "per": ["tier", "tier"]}),
                ".per: one of them is there twice: expected each once".to_owned(),
            ),
            (
                json!({"concurrent": 5, "consumers": []}),
                ".consumers: there is none: expected at least one, or to be left out for all".to_owned(),
            ),
        ] {
            assert_eq!(only(limit), [expected]);
        }
    }

    #[test]
    fn names_that_nothing_has_are_refused_with_the_nearest() {
        for (limit, expected) in [
            (
                json!({"concurrent": 5, "models": ["gpt-5-min"]}),
                ".models[0]: unknown model \"gpt-5-min\": expected a model of the catalog, or an alias; nearest: \
                 \"gpt-5-mini\"",
            ),
            (
                json!({"concurrent": 5, "models": ["mini", "smart"]}),
                ".models[1]: \"smart\" is a route: expected a model of the catalog, or an alias",
            ),
            (
                json!({"concurrent": 5, "models": ["openai/gpt-4"]}),
                ".models[0]: unknown model \"openai/gpt-4\": expected a model of the catalog, or an alias",
            ),
            (
                json!({"concurrent": 5, "tiers": ["a b"]}),
                ".tiers[0]: \"a b\" cannot be a name: it contains ' '",
            ),
            (
                json!({"concurrent": 5, "per": ["consumr"]}),
                ".per[0]: unknown value `consumr`: expected one of `consumer`, `tier`, `model`; nearest: \"consumer\"",
            ),
            (
                json!({"concurrent": 5, "mode": "observ"}),
                ".mode: unknown value `observ`: expected `enforce` or `observe`; nearest: \"observe\"",
            ),
            (
                json!({"concurrent": 5, "windows": "day"}),
                ".windows: unknown key `windows`: expected one of `name`, `per`, `tiers`, `consumers`, `models`, \
                 `requests`, `tokens`, `input_tokens`, `output_tokens`, `concurrent`, `usd`, `window`, `burst`, `mode`, \
                 `on_exceed`, `on_contention`; nearest: \"window\"",
            ),
        ] {
            assert_eq!(only(limit), [expected]);
        }
        let limit = json!({"name": "a\"b", "concurrent": 5});
        assert_eq!(
            problems(&json!([limit])),
            ["limits[0].name: \"a\\\"b\" cannot be a name: it contains '\"'"]
        );
    }

    #[test]
    fn a_limit_has_a_name_of_its_own_and_there_are_not_too_many() {
        let limit = json!({"name": "a", "concurrent": 5});
        assert_eq!(
            problems(&json!([limit, limit])),
            ["limits[1].name: \"a\" is already the name of a limit: expected a name that no other limit has"]
        );
        let many: Vec<_> = (0..65).map(|n| json!({"name": format!("limit-{n}"), "concurrent": 5})).collect();
        assert_eq!(problems(&json!(many)), ["limits: 65 limits: expected at most 64"]);
        assert_eq!(parse(&json!(many[1..])).unwrap().iter().count(), 64);
    }

    #[test]
    fn tiers_and_consumers_are_looked_for_among_those_that_there_are() {
        let anybody = json!({"name": "a", "concurrent": 5, "consumers": ["acme", "anonymous"], "tiers": ["premium", "default"]});
        assert!(parse(&json!([anybody])).is_ok());
        assert_eq!(
            problems(&json!([
                {"name": "b", "concurrent": 5, "consumers": ["acme", "umbrella"], "tiers": ["premum"]}
            ])),
            [
                "limits[0].tiers[0]: unknown tier \"premum\": expected one of tiers; nearest: \"premium\"",
                "limits[0].consumers[1]: unknown consumer \"umbrella\": expected one of consumers",
            ]
        );
    }
}

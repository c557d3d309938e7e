//! When a target is left alone because of how it is doing, and how soon what was seen of it is forgotten.

use super::check::Check;
use super::raw;
use crate::names::ClusterName;
use std::ops::RangeInclusive;

/// The rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Health {
    /// So many failures in a row open a circuit.
    pub failures: u32,
    /// So does this share of the requests in the window, of those that usually would not fail.
    pub error_rate: f32,
    /// How long a request counts for the error rate, in milliseconds.
    pub window_ms: u64,
    /// With fewer requests in the window there is no error rate.
    pub min_requests: u32,
    /// How long a circuit is open the first time, in milliseconds.
    pub open_ms: u64,
    /// How long it is open at most, in milliseconds.
    pub open_most_ms: u64,
    /// How many requests try a target at once whose circuit is half open; at most [`Self::MOST_PROBES`].
    pub probes: u32,
    /// How many have to succeed for the circuit to close.
    pub successes: u32,
    /// After how long an observation counts half, in milliseconds.
    pub half_life_ms: u64,
}

impl Health {
    /// More at once are no probes.
    pub const MOST_PROBES: u32 = 16;
}

impl Default for Health {
    fn default() -> Self {
        Self {
            // As many as Envoy's own outlier detection waits for.
            failures: 5,
            error_rate: 0.5,
            window_ms: 30_000,
            min_requests: 20,
            open_ms: 10_000,
            open_most_ms: 300_000,
            probes: 1,
            successes: 2,
            half_life_ms: 30_000,
        }
    }
}

const FAILURES: RangeInclusive<u64> = 1..=1_000_000;
const WINDOWS: RangeInclusive<u64> = 1..=3_600;
const PROBES: RangeInclusive<u64> = 1..=Health::MOST_PROBES as u64;
const SUCCESSES: RangeInclusive<u64> = 1..=100;
/// A day.
const SECONDS: RangeInclusive<u64> = 1..=86_400;

impl Check<'_> {
    /// Where Envoy's admin interface is asked.
    pub(super) fn admin_cluster(&mut self, raw: Option<&raw::Health>) -> Option<ClusterName> {
        let Some(raw::Health::On(raw)) = raw else { return None };
        let name = raw.admin_cluster.as_deref()?;
        self.name(ClusterName::parse(name), "health.admin_cluster", name)
    }

    /// The rules; none where nothing is watched.
    pub(super) fn health(&mut self, raw: Option<&raw::Health>) -> Option<Health> {
        let raw = match raw {
            None => return Some(Health::default()),
            Some(raw::Health::Off) => return None,
            Some(raw::Health::On(raw)) => raw,
        };
        let default = Health::default();
        let mut number = |key: &str, raw: Option<u64>, default: u64, range: &RangeInclusive<u64>| {
            self.limited(&format!("health.{key}"), raw, default, range)
        };
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let millis = |seconds: u64| seconds.saturating_mul(1_000);
        let failures = number("failures", raw.failures, default.failures.into(), &FAILURES);
        let window = number("window", raw.window, default.window_ms / 1_000, &WINDOWS);
        let least = number("min_requests", raw.min_requests, default.min_requests.into(), &FAILURES);
        let open = number("open", raw.open, default.open_ms / 1_000, &SECONDS);
        // Who makes it longer than it is at most by default means that.
        let most = open.clamp(default.open_most_ms / 1_000, *SECONDS.end());
        let most = number("open_most", raw.open_most, most, &SECONDS);
        let probes = number("probes", raw.probes, default.probes.into(), &PROBES);
        let successes = number("successes", raw.successes, default.successes.into(), &SUCCESSES);
        let half_life = number("half_life", raw.half_life, default.half_life_ms / 1_000, &SECONDS);
        if raw.open_most.is_some() && most < open {
            self.problems.add("health.open_most", most.to_string(), format!("at least open, {open}"));
        }
        if let Some(rate) = raw.error_rate.filter(|rate| !(0.001..=1.0).contains(rate)) {
            self.problems.add("health.error_rate", rate.to_string(), "a share, from 0.001 to 1");
        }
        Some(Health {
            failures: small(failures),
            error_rate: raw.error_rate.map_or(default.error_rate, |rate| rate as f32),
            window_ms: millis(window),
            min_requests: small(least),
            open_ms: millis(open),
            open_most_ms: millis(most),
            probes: small(probes),
            successes: small(successes),
            half_life_ms: millis(half_life),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::super::protobuf::tests::encode;
    use super::*;
    use serde_json::{Value, json};

    fn document(health: &Value) -> Value {
        let mut document = json!({
            "auth": {"anonymous": {"consumer": "anonymous"}},
            "providers": {"p": {"vendor": "openai", "api_key": {"value": "k"}}},
        });
        document["health"] = health.clone();
        document
    }

    fn parse(health: &Value) -> Option<Health> {
        let document = document(health);
        // As Envoy hands it over, and as text.
        let [packed, text] = [encode(&document), document.to_string().into_bytes()]
            .map(|bytes| Config::parse(&bytes, &|_| None).unwrap_or_else(|why| panic!("{why}")));
        assert_eq!(packed.health(), text.health());
        text.health().copied()
    }

    fn problems(health: &Value) -> Vec<String> {
        let problems = Config::parse(&encode(&document(health)), &|_| None).expect_err("a problem");
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn targets_are_watched_unless_it_is_off() {
        for health in [json!(null), json!({}), json!({"failures": 5})] {
            assert_eq!(parse(&health), Some(Health::default()), "{health}");
        }
        // Envoy's reader of YAML makes the second of the first.
        for health in [json!("off"), json!(false)] {
            assert_eq!(parse(&health), None, "{health}");
        }
    }

    #[test]
    fn every_rule_can_be_given() {
        let health = json!({
            "failures": 3, "error_rate": 0.25, "window": 60, "min_requests": 50, "open": 5, "open_most": 5,
            "probes": 2, "successes": 1, "half_life": 10,
        });
        let expected = Health {
            failures: 3,
            error_rate: 0.25,
            window_ms: 60_000,
            min_requests: 50,
            open_ms: 5_000,
            open_most_ms: 5_000,
            probes: 2,
            successes: 1,
            half_life_ms: 10_000,
        };
        assert_eq!(parse(&health), Some(expected));
    }

    #[test]
    fn a_first_time_that_is_longer_than_usual_is_the_longest_too() {
        let health = parse(&json!({"open": 600})).unwrap();
        assert_eq!((health.open_ms, health.open_most_ms), (600_000, 600_000));
    }

    #[test]
    fn what_cannot_be_is_told() {
        for (health, expected) in [
            (
                json!({"failures": 0, "window": 0, "probes": 17, "successes": 0, "half_life": 86_401}),
                vec![
                    "health.failures: 0: expected a whole number from 1 to 1000000",
                    "health.window: 0: expected a whole number from 1 to 3600",
                    "health.probes: 17: expected a whole number from 1 to 16",
                    "health.successes: 0: expected a whole number from 1 to 100",
                    "health.half_life: 86401: expected a whole number from 1 to 86400",
                ],
            ),
            (json!({"open": 20, "open_most": 10}), vec!["health.open_most: 10: expected at least open, 20"]),
            (
                json!({"open_most": 86_401}),
                vec!["health.open_most: 86401: expected a whole number from 1 to 86400"],
            ),
            (
                json!({"open": 1_u64 << 50}),
                vec!["health.open: 1125899906842624: expected a whole number from 1 to 86400"],
            ),
            (json!({"error_rate": 0}), vec!["health.error_rate: 0: expected a share, from 0.001 to 1"]),
            (json!({"error_rate": 1.5}), vec!["health.error_rate: 1.5: expected a share, from 0.001 to 1"]),
            (
                json!({"failure": 5}),
                vec![
                    "health.failure: unknown key `failure`: expected one of `failures`, `error_rate`, `window`, `min_requests`, `open`, `open_most`, `probes`, `successes`, `half_life`, `admin_cluster`; nearest: \"failures\"",
                ],
            ),
            (
                json!("on"),
                vec![
                    "health: invalid type: string \"on\": expected off, or a map with the keys failures, error_rate, …",
                ],
            ),
            (
                json!(true),
                vec![
                    "health: invalid type: boolean `true`: expected off, or a map with the keys failures, error_rate, …",
                ],
            ),
        ] {
            assert_eq!(problems(&health), expected, "{health}");
        }
    }
}

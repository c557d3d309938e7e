//! Limits that do nothing, or other than they seem to.

use super::{Advice, PRICE, Without};
use modelgate_config::{Config, Kind, Limit, Mode, Model, Pace, Period, Span};
use modelgate_words::names::ConsumerName;
use std::rc::Rc;

impl Advice<'_> {
    pub fn limits(&mut self) {
        let config = self.config;
        let limits: Vec<_> = config.limits().iter().collect();
        for (position, limit) in limits.iter().enumerate() {
            let path = format!("limits[{position}]");
            if let Kind::Usd(_) = limit.kind {
                self.priced(limit, &format!("{path}.usd"));
            }
            if limit.capacity() > limit.size {
                let found = format!("{}, more at once than in a minute ({})", limit.capacity(), limit.size);
                self.warn(&format!("{path}.burst"), &found, "at most as much as the limit");
            }
            let of_tiers = |name: &ConsumerName| {
                let consumer = config.auth().consumer(name.as_str());
                consumer.is_none_or(|consumer| limit.tiers.contains(&consumer.tier.name))
            };
            if !limit.tiers.is_empty() && !limit.consumers.is_empty() && !limit.consumers.iter().any(of_tiers)
            {
                let found = "none of these consumers is of one of the limit's tiers, so it is for nobody";
                self.warn(&format!("{path}.consumers"), found, "consumers of its tiers, or no tiers");
            }
            let stricter = limits.iter().enumerate().find(|(other, stricter)| {
                self.same_scope(stricter, limit)
                    && (is_within(stricter, limit) && (!is_within(limit, stricter) || *other < position))
            });
            if let Some((_, stricter)) = stricter {
                let found = format!("it is never reached: {} ({stricter}) is before it", stricter.name);
                self.warn(&path, &found, "a limit that is reached sooner, or none");
            }
        }
    }

    /// Whether two limits count the same requests, and the first stops some.
    fn same_scope(&self, one: &Limit, two: &Limit) -> bool {
        let group = |limit: &Limit| {
            let holds = |other: &Rc<Limit>| other.id == limit.id;
            self.config.limits().groups().iter().position(|group| group.limits.iter().any(holds))
        };
        !std::ptr::eq(one, two)
            && one.mode == Mode::Enforce
            && group(one) == group(two)
            && (&one.tiers, &one.consumers, &one.models) == (&two.tiers, &two.consumers, &two.models)
    }

    /// Whether what a budget is over has a price.
    fn priced(&mut self, limit: &Limit, path: &str) {
        let config = self.config;
        let is_for = |model: &&Rc<Model>| limit.models.is_empty() || limit.models.contains(&model.name);
        let models = config.models().iter().filter(is_for).filter(|model| config.price(model).is_none());
        let models: Vec<_> = models.map(|model| model.name.to_string()).collect();
        if !models.is_empty() {
            self.warn(path, &format!("{}", Without(&models)), PRICE);
        }
        let has_unlisted = config.providers().any(|provider| provider.allow_unlisted);
        if models.is_empty() && limit.models.is_empty() && has_unlisted && !has_default(config) {
            let found = "models that are not listed have no price, and may be asked for";
            self.warn(path, found, "pricing.default, or no allow_unlisted");
        }
    }
}

/// Whether every model has a price, listed or not.
fn has_default(config: &Config) -> bool {
    let unlisted = config.providers().find(|provider| provider.allow_unlisted);
    let model =
        unlisted.and_then(|provider| config.model_of(provider.name.as_str(), "a-model-that-nobody-lists"));
    model.is_none_or(|model| config.price(&model).is_some())
}

/// Whether what the first lets through is always within the second.
fn is_within(first: &Limit, second: &Limit) -> bool {
    let (Some(one), Some(two)) = (seconds(first.kind), seconds(second.kind)) else {
        return first.kind == Kind::Concurrent
            && second.kind == Kind::Concurrent
            && first.size <= second.size;
    };
    let counts_same = match (first.kind, second.kind) {
        (Kind::Tokens(one, _), Kind::Tokens(two, _)) => one == two,
        _ => first.kind.as_str() == second.kind.as_str(),
    };
    let times = u128::from(two.div_ceil(one));
    // A bucket that was full gives what it holds besides what flows in.
    let extra = if matches!(first.kind, Kind::Tokens(_, Pace::Minute { .. })) && one != two {
        first.capacity()
    } else {
        0
    };
    let most = u128::from(first.size) * times + u128::from(extra);
    let fits_at_once = one != two || first.capacity() <= second.capacity();
    counts_same && one <= two && fits_at_once && most <= u128::from(second.size)
}

/// How long the window is; of a month the longest.
fn seconds(kind: Kind) -> Option<u64> {
    const DAY: u64 = 86_400;
    Some(match kind {
        Kind::Requests(Span::Minute) | Kind::Tokens(_, Pace::Minute { .. }) => 60,
        Kind::Requests(Span::Hour) => 3_600,
        Kind::Requests(Span::Day) | Kind::Tokens(_, Pace::Day) | Kind::Usd(Period::Day) => DAY,
        Kind::Usd(Period::Month) => 31 * DAY,
        Kind::Concurrent => return None,
    })
}

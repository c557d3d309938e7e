//! Routes: which models stand in for each other.

use super::catalog::{Catalog, Model, Named};
use super::check::{Check, within};
use super::strategy::{Known, PRIORITIES, WEIGHTS};
use super::{
    Adaptive, Affinity, Cache, CachePolicy, Constraints, Edits, Experiment, Orchestration, Score, Strategy,
    raw,
};
use crate::names::{self, RouteName};
use std::ops::RangeInclusive;
use std::rc::Rc;

/// More attempts on one target are not a fallback any more.
const TRIES: RangeInclusive<u64> = 1..=10;

/// A name behind which several models stand in for each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What clients call it.
    pub name: RouteName,
    /// At least one.
    pub targets: Vec<Target>,
    /// In which order they are tried.
    pub strategy: Strategy,
    /// How much of the time is spent on learning how fast others are, in thousandths.
    pub explore: u16,
    /// What counts with the strategy `adaptive`.
    pub adaptive: Adaptive,
    /// What whoever answers has to keep to.
    pub constraints: Constraints,
    /// How good a model has to be for a simple, a standard and a hard request.
    pub bars: [Option<Score>; 3],
    /// Whether conversations stay with the target that has their beginning in its cache.
    pub affinity: Option<Affinity>,
    /// Several ways in which it is tried at once.
    pub experiment: Option<Experiment>,
    /// Whether the oldest turns of conversations are left out that are too long for every target.
    pub truncate: bool,
    /// Whether another target goes on with a stream that breaks.
    pub continuation: bool,
    /// How several calls answer, where they do.
    pub orchestration: Option<Rc<Orchestration>>,
    /// How its answers are checked, where they are.
    pub check: Option<Rc<Orchestration>>,
    /// Which of its answers are given again.
    pub cache: CachePolicy,
}

/// A model to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The model.
    pub model: Rc<Model>,
    /// How many attempts it gets before the next target's turn; at least one.
    pub tries: u32,
    /// How often it is the first, in proportion to those of the others.
    pub weight: u32,
    /// Targets with a lower number come first, whatever the strategy says.
    pub priority: u32,
    /// What is changed in a request that it serves after others have failed.
    pub as_fallback: Option<Rc<Edits>>,
}

impl Route {
    /// All targets that it may have, those of an experiment's arms among them.
    pub fn all(&self) -> impl Iterator<Item = &Target> {
        let arms = self.experiment.iter().flat_map(|experiment| &experiment.arms);
        self.targets.iter().chain(arms.flat_map(|arm| &arm.targets))
    }
}

impl Target {
    /// A model that nobody stands in for.
    #[must_use]
    pub fn alone(model: Rc<Model>) -> Self {
        Self { model, tries: 1, weight: 1, priority: 0, as_fallback: None }
    }
}

impl Check<'_> {
    pub(super) fn routes(
        &mut self,
        catalog: &mut Catalog,
        raw: raw::Entries<raw::Route>,
        known: Known,
        (cache, cache_of_all): (&Cache, &raw::Cache),
    ) {
        self.route_names.extend(raw.0.iter().map(|(name, _)| name.clone()));
        for (name, raw) in raw.0 {
            let path = format!("routes.{name}");
            if raw.targets.is_empty() {
                self.problems.add(format!("{path}.targets"), "there is none", "at least one target");
            }
            let parsed = self.name(RouteName::parse(&name), &path, &name);
            let targets = raw.targets.iter().enumerate();
            let targets: Vec<_> = targets
                .map(|(position, target)| {
                    self.target(catalog, &format!("{path}.targets[{position}]"), target)
                })
                .collect();
            let cache = self.cache_policy(&path, raw.cache.as_ref(), cache, cache_of_all);
            let (explore, constraints) =
                (self.explore(&path, raw.strategy, raw.explore), self.constraints(&path, &raw.constraints));
            let (Some(name), Some(targets)) = (parsed, targets.into_iter().collect::<Option<Vec<_>>>())
            else {
                self.refuse(path);
                continue;
            };
            let bars = self.bars(&path, &raw.constraints, known.tasks);
            let adaptive = self.adaptive(&path, &raw.adaptive);
            let affinity = self.affinity(&path, raw.affinity.as_ref());
            let experiment = raw.experiment.as_ref().map(|raw| self.experiment(catalog, &path, raw));
            let orchestration =
                raw.orchestration.as_ref().and_then(|raw| self.orchestration(catalog, &path, raw));
            let check = raw.check.as_ref().and_then(|raw| self.checked(&path, raw));
            self.strategy_is_of_use(&path, raw.strategy, &targets, &raw, known);
            let route = Rc::new(Route {
                name,
                targets,
                strategy: raw.strategy,
                explore,
                adaptive,
                constraints,
                bars,
                truncate: raw.truncate,
                affinity,
                experiment,
                continuation: raw.continuation,
                orchestration,
                check,
                cache,
            });
            self.claim(catalog, route.name.as_str(), &path, &Named::Route(Rc::clone(&route)));
            catalog.routes.push(route);
        }
    }

    pub(super) fn target(&mut self, catalog: &Catalog, path: &str, raw: &raw::Target) -> Option<Target> {
        let mut number = |key: &str, raw: Option<u64>, default: u64, range: &RangeInclusive<u64>| {
            let number = raw.unwrap_or(default);
            if !range.contains(&number) {
                self.problems.add(format!("{path}.{key}"), number.to_string(), within(range));
            }
            u32::try_from(number).unwrap_or(u32::MAX)
        };
        let tries = number("tries", raw.tries, 1, &TRIES);
        let weight = number("weight", raw.weight, 1, &WEIGHTS);
        let priority = number("priority", raw.priority, 0, &PRIORITIES);
        let model = catalog.model(&raw.model);
        if model.is_none() {
            self.unknown_target(catalog, format!("{path}.model"), &raw.model);
        }
        let as_fallback =
            raw.as_fallback.as_ref().map(|raw| Rc::new(self.edits(&format!("{path}.as_fallback"), raw)));
        Some(Target { model: model?, tries, weight, priority, as_fallback })
    }

    fn unknown_target(&mut self, catalog: &Catalog, path: String, asked: &str) {
        let provider = asked.split_once('/').map_or("", |(provider, _)| provider);
        if self.is_refused("models", asked) || self.is_refused("providers", provider) {
            return;
        }
        let found = match self.route_names.contains(asked) {
            true => format!("{asked:?} is a route"),
            false => format!("unknown model {asked:?}"),
        };
        let expected = match catalog.offer(asked) {
            Some((offer, _)) if !offer.provider.allow_unlisted => {
                format!("a model of the catalog, or allow_unlisted: true for {provider}")
            }
            _ => "a model, an alias or provider/model".to_owned(),
        };
        let models = catalog.names.iter().filter(|(_, named)| matches!(named, Named::Model(_)));
        let nearest = names::nearest(asked, models.map(|(name, _)| &**name));
        self.problems.add_with_nearest(path, found, expected, nearest);
    }
}

//! From the document to the configuration: every value judged, every reference resolved, every problem noted.
//!
//! An entry that is wrong is left out and the check goes on, so that one look shows all there is to mend; naming an entry
//! that was refused is not a problem of its own.

use super::catalog::{Catalog, Model, Named, Offer};
use super::identity::Sections;
use super::problems::Problems;
use super::quality;
use super::strategy::Known;
use super::tool::Users;
use super::{Abilities, Ability, Bounds, Config, Price, Tasks, Timeouts, Tool, raw};
use crate::names::{self, BadName, ClusterName, ModelName, RegionName, TagName};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::rc::Rc;

/// A day.
const MILLISECONDS: RangeInclusive<u64> = 1..=86_400_000;
/// Half of the memory that Envoy gives a VM.
const BYTES: RangeInclusive<u64> = 1..=512 * 1024 * 1024;

pub(super) struct Check<'a> {
    pub env: &'a dyn Fn(&str) -> Option<String>,
    pub problems: Problems,
    pub warnings: Vec<String>,
    /// The paths of entries that were refused.
    refused: BTreeSet<String>,
    pub route_names: BTreeSet<String>,
    /// Where models run.
    pub regions: BTreeSet<RegionName>,
    /// What is warranted of models.
    pub tags: BTreeSet<TagName>,
    /// What a model costs of which nothing else is said.
    pub default_price: Option<Price>,
    /// What agents may use.
    pub tools: Vec<Rc<Tool>>,
    /// Whom they are for.
    pub tools_for: Vec<Users>,
}

/// The configuration `document` describes, with the environment that the keys are read from.
pub(super) fn check(
    document: raw::Document,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Problems> {
    let mut check = Check {
        env,
        problems: Problems::default(),
        warnings: Vec::new(),
        refused: BTreeSet::new(),
        route_names: BTreeSet::new(),
        regions: BTreeSet::new(),
        tags: BTreeSet::new(),
        default_price: None,
        tools: Vec::new(),
        tools_for: Vec::new(),
    };
    let mut catalog = Catalog::default();
    check.providers(&mut catalog, document.providers);
    let tasks = document.tasks.map(|raw| check.tasks(raw));
    check.models(&mut catalog, document.models, &quality::added(tasks.as_ref()));
    let default_price = document.pricing.default.and_then(|raw| check.price("pricing.default", raw));
    check.default_price = default_price;
    check.tools(document.tools);
    let cache = check.cache(&document.cache);
    let health = check.health(document.health.as_ref());
    let admin_cluster = check.admin_cluster(document.health.as_ref());
    let known =
        Known { health: health.is_some(), default_price: default_price.is_some(), tasks: tasks.is_some() };
    check.routes(&mut catalog, document.routes, known, (&cache, &document.cache));
    let all_tasks = tasks.as_ref().map(Tasks::names);
    check.orchestrations_are_known(&catalog, all_tasks.as_deref());
    check.cache_is_used(&catalog, &document.cache);
    let default = document.default_provider.and_then(|name| check.default_provider(&catalog, &name));
    let asked = [
        ("cache.embedder.model", document.cache.embedder.as_ref().map(|raw| &raw.model)),
        ("task_model.model", document.task_model.as_ref().map(|raw| &raw.model)),
    ];
    for (path, model) in asked {
        model.into_iter().for_each(|model| check.is_known(&catalog, default.as_ref(), path, model));
    }
    let task_model = document.task_model.and_then(|raw| check.task_model(&raw, tasks.is_some()));
    let internal_cluster = check.internal_cluster(document.internal_cluster.as_deref());
    let sections = Sections { auth: document.auth, tiers: document.tiers, consumers: document.consumers };
    let auth = check.auth(&catalog, sections);
    check.tools_are_for_somebody(&auth);
    let limits = check.limits(&catalog, &auth, document.limits);
    let content_rules = check.content_rules(&catalog, &auth, document.content_rules);
    let log = check.log(&catalog, &content_rules, &document.log);
    let bounds = check.bounds(document.bounds);
    let timeouts = check.timeouts(document.timeouts);
    let warnings = std::mem::take(&mut check.warnings);
    match internal_cluster.filter(|_| check.problems.is_empty()) {
        Some(internal_cluster) => Ok(Config {
            catalog,
            default,
            fallback: document.fallback,
            internal_cluster,
            default_price,
            auth,
            limits: Rc::new(limits),
            content_rules,
            log,
            cache,
            tasks,
            task_model,
            health,
            admin_cluster,
            bounds,
            timeouts,
            warnings,
        }),
        None => Err(check.problems),
    }
}

impl Check<'_> {
    fn providers(&mut self, catalog: &mut Catalog, raw: raw::Entries<raw::Provider>) {
        if raw.0.is_empty() {
            self.problems.add("providers", "there is none", "at least one provider");
        }
        for (name, raw) in raw.0 {
            match self.provider(&name, raw) {
                Some(provider) => {
                    let offer = Offer { provider: Rc::new(provider), models: Default::default() };
                    catalog.offers.insert(name.into(), offer);
                }
                None => self.refuse(format!("providers.{name}")),
            }
        }
    }

    fn models(&mut self, catalog: &mut Catalog, raw: raw::Entries<raw::Model>, tasks: &[String]) {
        for (name, raw) in raw.0 {
            let path = format!("models.{name}");
            let aliases = raw.aliases.clone();
            match self.model(catalog, &path, &name, raw, tasks) {
                Some(model) => {
                    catalog.has_prices |= model.price.is_some();
                    catalog.models.push(Rc::new(model));
                }
                None => {
                    self.refuse(path);
                    aliases.iter().for_each(|alias| self.refuse(format!("models.{alias}")));
                }
            }
        }
        for model in catalog.models.clone() {
            let named = Named::Model(Rc::clone(&model));
            self.claim(catalog, model.name.as_str(), &format!("models.{}", model.name), &named);
            for (position, alias) in model.aliases.iter().enumerate() {
                self.claim(
                    catalog,
                    alias.as_str(),
                    &format!("models.{}.aliases[{position}]", model.name),
                    &named,
                );
            }
        }
        // `provider/model` means the entry of that name before the one that is called so upstream.
        for key in [|model: &Model| model.name.clone(), |model: &Model| model.upstream.clone()] {
            for model in &catalog.models {
                if let Some(offer) = catalog.offers.get_mut(model.provider.name.as_str()) {
                    offer.models.entry(key(model).as_str().into()).or_insert_with(|| Rc::clone(model));
                }
            }
        }
    }

    fn model(
        &mut self,
        catalog: &Catalog,
        path: &str,
        name: &str,
        raw: raw::Model,
        tasks: &[String],
    ) -> Option<Model> {
        let parsed = self.name(ModelName::parse(name), path, name);
        let upstream = match &raw.model {
            Some(upstream) => self.name(ModelName::parse(upstream), &format!("{path}.model"), upstream),
            None => parsed.clone(),
        };
        let mut aliases = Vec::with_capacity(raw.aliases.len());
        for (position, alias) in raw.aliases.iter().enumerate() {
            aliases.push(self.name(ModelName::parse(alias), &format!("{path}.aliases[{position}]"), alias));
        }
        let region = raw
            .region
            .as_deref()
            .and_then(|region| self.name(RegionName::parse(region), &format!("{path}.region"), region));
        self.regions.extend(region.clone());
        let mut tags = Vec::with_capacity(raw.tags.len());
        for (position, tag) in raw.tags.iter().enumerate() {
            tags.extend(self.name(TagName::parse(tag), &format!("{path}.tags[{position}]"), tag));
        }
        self.tags.extend(tags.iter().cloned());
        let provider = catalog.offers.get(raw.provider.as_str()).map(|offer| Rc::clone(&offer.provider));
        if provider.is_none() {
            self.unknown_provider(catalog, format!("{path}.provider"), &raw.provider);
        }
        for (key, tokens) in
            [("context_window", raw.context_window), ("max_output_tokens", raw.max_output_tokens)]
        {
            if tokens == Some(0) {
                self.problems.add(format!("{path}.{key}"), "0", "a number of tokens, at least 1");
            }
        }
        let lacks = self.lacks(&format!("{path}.supports"), &raw.supports);
        let quality = self.quality(&format!("{path}.quality"), raw.quality, tasks);
        let price = raw.price.map(|raw| self.price(&format!("{path}.price"), raw));
        Some(Model {
            name: parsed?,
            provider: provider?,
            upstream: upstream?,
            aliases: aliases.into_iter().collect::<Option<_>>()?,
            context_window: raw.context_window,
            max_output_tokens: raw.max_output_tokens,
            region,
            tags,
            lacks,
            listed: true,
            languages: raw.languages.iter().map(|language| language.0).collect(),
            quality,
            // A price that was refused is none; a problem says so.
            price: price.flatten(),
        })
    }

    /// What a model does not support. Of what nothing is said it may be able.
    fn lacks(&mut self, path: &str, supports: &raw::Entries<bool>) -> Abilities {
        let mut lacks = Abilities::NONE;
        for (word, can) in &supports.0 {
            match Ability::ALL.iter().find(|(_, other, _)| other == word) {
                Some((ability, ..)) => lacks = lacks.with(*ability, !can),
                None => {
                    let words = Ability::ALL.map(|(_, word, _)| word);
                    let (found, expected) =
                        (format!("unknown key `{word}`"), format!("one of `{}`", words.join("`, `")));
                    let nearest = names::nearest(word, words);
                    self.problems.add_with_nearest(format!("{path}.{word}"), found, expected, nearest);
                }
            }
        }
        lacks
    }

    fn default_provider(&mut self, catalog: &Catalog, name: &str) -> Option<Offer> {
        let path = "default_provider";
        let Some(offer) = catalog.offers.get(name) else {
            self.unknown_provider(catalog, path.to_owned(), name);
            return None;
        };
        if !offer.provider.allow_unlisted {
            self.problems.add(path, format!("{name:?}"), "a provider with allow_unlisted: true");
        }
        Some(offer.clone())
    }

    /// Whether a client could ask for the model that the gateway asks itself.
    pub(super) fn is_known(&mut self, catalog: &Catalog, default: Option<&Offer>, path: &str, model: &str) {
        let is_known = catalog.names.contains_key(model)
            || catalog.model(model).is_some()
            || default.is_some_and(|default| default.model(model).is_some());
        if !is_known && !self.is_refused("models", model) && !self.is_refused("routes", model) {
            let nearest = names::nearest(model, catalog.names.keys().map(|name| &**name));
            let found = format!("unknown model {model:?}");
            let expected = "a model, an alias, a route or provider/model";
            self.problems.add_with_nearest(path, found, expected, nearest);
        }
    }

    /// The cluster's name; in the configurations that come with the gateway it is this one.
    fn internal_cluster(&mut self, raw: Option<&str>) -> Option<ClusterName> {
        let name = raw.unwrap_or("modelgate_internal");
        self.name(ClusterName::parse(name), "internal_cluster", name)
    }

    fn unknown_provider(&mut self, catalog: &Catalog, path: String, name: &str) {
        if !self.is_refused("providers", name) {
            let nearest = names::nearest(name, catalog.offers.keys().map(|name| &**name));
            self.problems.add_with_nearest(
                path,
                format!("unknown provider {name:?}"),
                "one of providers",
                nearest,
            );
        }
    }

    fn bounds(&mut self, raw: raw::Bounds) -> Bounds {
        let mut bound = |key: &str, raw: Option<u64>, default: usize| {
            let Some(bytes) = raw else { return default };
            if !BYTES.contains(&bytes) {
                self.problems.add(format!("bounds.{key}"), bytes.to_string(), within(&BYTES));
            }
            usize::try_from(bytes).unwrap_or(default)
        };
        let default = Bounds::default();
        Bounds {
            request_bytes: bound("request_bytes", raw.request_bytes, default.request_bytes),
            response_bytes: bound("response_bytes", raw.response_bytes, default.response_bytes),
            held_bytes: bound("held_bytes", raw.held_bytes, default.held_bytes),
        }
    }

    fn timeouts(&mut self, raw: raw::Timeouts) -> Timeouts {
        let mut limit = |key: &str, raw: Option<u64>| {
            let ms = raw?;
            if !MILLISECONDS.contains(&ms) {
                self.problems.add(format!("timeouts.{key}"), ms.to_string(), within(&MILLISECONDS));
            }
            Some(ms)
        };
        let first_token_ms = limit("first_token_ms", raw.first_token_ms);
        let answer_ms = limit("answer_ms", raw.answer_ms).unwrap_or(Timeouts::default().answer_ms);
        Timeouts { first_token_ms, answer_ms }
    }

    /// Models, aliases and routes are asked for in the same way, so each name stands for one thing.
    pub(super) fn claim(&mut self, catalog: &mut Catalog, name: &str, path: &str, named: &Named) {
        match catalog.names.get(name) {
            None => {
                catalog.names.insert(name.into(), named.clone());
            }
            Some(taken) => {
                let by = match taken {
                    Named::Model(model) => format!("models.{}", model.name),
                    Named::Route(route) => format!("routes.{}", route.name),
                };
                let found = format!("{name:?} is already a name of {by}");
                self.problems.add(path, found, "a name that no model, alias or route has");
            }
        }
    }

    /// The name, or nothing and a problem.
    pub(super) fn name<T>(&mut self, parsed: Result<T, BadName>, path: &str, text: &str) -> Option<T> {
        parsed.map_err(|why| self.problems.add(path, format!("{text:?} cannot be a name: {why}"), "")).ok()
    }

    pub(super) fn refuse(&mut self, path: String) {
        self.refused.insert(path);
    }

    pub(super) fn is_refused(&self, section: &str, name: &str) -> bool {
        self.refused.contains(&format!("{section}.{name}"))
    }
}

impl Check<'_> {
    /// Notes a problem; where there are many to note, this takes less room.
    #[inline(never)]
    pub(super) fn wrong(&mut self, path: &str, found: &str, expected: &str) {
        self.problems.add(path, found, expected);
    }
}

/// Where a key of the map at `path` is.
#[inline(never)]
pub(super) fn at(path: &str, key: &str) -> String {
    [path, ".", key].concat()
}

pub(super) fn within(range: &RangeInclusive<u64>) -> String {
    format!("a whole number from {} to {}", range.start(), range.end())
}

//! The configuration: one document for every role of the filter, read once and valid ever after.
//!
//! [`Config::parse`] takes what Envoy hands over, a `google.protobuf.Struct` or JSON text, and gives either a
//! configuration whose references are all resolved or everything that is wrong with the document.
//! The document itself is described in `docs/configuration.md`.

// A panic traps the VM under every request of a worker, so nothing outside of tests may be able to.
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

#[cfg(test)]
use crate as config;
use modelgate_words::{fnv, json, money, names, time};

mod ability;
mod agent;
mod base_url;
mod cache;
mod cascade;
mod catalog;
mod check;
mod checked;
mod consumer;
mod content_rules;
mod edits;
mod ensemble;
mod experiment;
mod fallback;
#[cfg(not(target_family = "wasm"))]
pub mod form;
mod health;
mod identity;
mod limit;
mod limits;
mod log;
mod orchestration;
pub mod pattern;
mod price;
mod problems;
mod protobuf;
mod provider;
mod quality;
mod raw;
mod route;
mod secret;
mod shape;
mod strategy;
mod task;
mod task_model;
#[cfg(test)]
mod tests;
mod tool;
mod vendor;

pub use ability::{Abilities, Ability};
pub use agent::{Agent, Autonomy, Skilled};
pub use base_url::{BadBaseUrl, BaseUrl, Scheme};
pub use cache::{Cache, CachePolicy, CacheStore, Embedder, Exact, Semantic, Similarity, When};
pub use cascade::{Cascade, Measure, Race};
pub use catalog::{Model, Named};
pub use checked::Checked;
pub use consumer::{Allowed, ApiKey, Auth, CacheScope, Consumer, Jwt, KeyHash, Keys, Tier};
pub use content_rules::{Action, AppliesTo, ContentRule};
pub use edits::Edits;
pub use ensemble::{Ballot, Combine, Ensemble, Judge, Member};
pub use experiment::{Arm, By, Experiment};
pub use fallback::Fallback;
pub use health::Health;
pub use limit::{
    Counted, Dimension, Group, Kind, Limit, Limits, Mode, OnContention, OnExceed, Pace, Period, Span, Window,
};
pub use log::Log;
pub use orchestration::{How, Orchestration, Trigger};
pub use price::Price;
pub use problems::{Problem, Problems};
pub use provider::Provider;
pub use quality::{Quality, Score};
pub use route::{Route, Target};
pub use secret::{Key, Secret, Unsendable};
pub use strategy::{Adaptive, Affinity, Constraints, Strategy};
pub use task::{Alternative, BUILT_IN, BadPhrase, Phrase, Step, Task, Tasks};
pub use task_model::TaskModel;
pub use tool::{Method, Piece, Tool};
pub use vendor::Vendor;

use crate::names::ClusterName;
use catalog::{Catalog, Offer};
use std::rc::Rc;

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    catalog: Catalog,
    /// With the catalog's models of it, because a bare name may be one of them.
    default: Option<Offer>,
    fallback: Fallback,
    internal_cluster: ClusterName,
    auth: Auth,
    limits: Rc<Limits>,
    content_rules: Vec<Rc<ContentRule>>,
    log: Log,
    default_price: Option<Price>,
    cache: Cache,
    tasks: Option<Tasks>,
    task_model: Option<TaskModel>,
    health: Option<Health>,
    admin_cluster: Option<ClusterName>,
    bounds: Bounds,
    timeouts: Timeouts,
    warnings: Vec<String>,
}

/// How much is held in memory at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest request body, in bytes.
    pub request_bytes: usize,
    /// The longest response body that is not streamed, in bytes.
    pub response_bytes: usize,
    /// How much of a stream is held back until its first content, in bytes.
    pub held_bytes: usize,
}

/// How long one attempt may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Of a stream, until its first content; Envoy's `per_try_timeout` where it is not given.
    pub first_token_ms: Option<u64>,
    /// Of an answer that is not streamed, until all of it is there.
    pub answer_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        // As long as OpenAI's own SDKs wait.
        Self { first_token_ms: None, answer_ms: 600_000 }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self { request_bytes: 32 * 1024 * 1024, response_bytes: 32 * 1024 * 1024, held_bytes: 64 * 1024 }
    }
}

impl Config {
    /// Reads the plugin's configuration; `env` is its environment, where the providers' keys are.
    ///
    /// # Errors
    /// Everything in the document that has not the right shape, or if all has, everything that is wrong with it.
    pub fn parse(bytes: &[u8], env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        check::check(raw::read(bytes)?, env)
    }

    /// What is no error, but an operator should know: a provider without its key.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How those who ask are told apart.
    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    /// How requests get to the next target.
    pub fn fallback(&self) -> Fallback {
        self.fallback
    }

    /// Envoy's cluster that leads back to the gateway by way of an internal listener: how it asks something itself.
    pub fn internal_cluster(&self) -> &ClusterName {
        &self.internal_cluster
    }

    /// How much may be asked, by whom.
    pub fn limits(&self) -> &Rc<Limits> {
        &self.limits
    }

    /// What must not be asked or answered, in the order of the document.
    pub fn content_rules(&self) -> &[Rc<ContentRule>] {
        &self.content_rules
    }

    /// What the access log is told of prompts and answers.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Which kinds of request the configuration has words for; none where kinds of request are not told apart.
    pub fn tasks(&self) -> Option<&Tasks> {
        self.tasks.as_ref()
    }

    /// The model that is asked where words leave it in doubt of which kind a request is; only where kinds are told apart.
    pub fn task_model(&self) -> Option<&TaskModel> {
        self.task_model.as_ref()
    }

    /// Which answers are kept, and where.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// When targets are left alone because of how they are doing; none where that is not watched.
    pub fn health(&self) -> Option<&Health> {
        self.health.as_ref()
    }

    /// The cluster by which Envoy's admin interface is reached, if it is to be asked how clusters are doing.
    pub fn admin_cluster(&self) -> Option<&ClusterName> {
        self.admin_cluster.as_ref()
    }

    /// Which answers to requests for this name are given again: those of a route, or of any model.
    pub fn cache_policy(&self, name: &str) -> CachePolicy {
        match self.named(name) {
            Some(Named::Route(route)) => route.cache,
            _ => self.cache.policy,
        }
    }

    /// Whether any request may wait for the answer to the same one that is on its way.
    pub fn has_waits(&self) -> bool {
        let keeps = |policy: &CachePolicy| policy.exact.is_some();
        let routes = self.catalog.routes.iter().map(|route| &route.cache);
        self.cache.wait > 0 && routes.chain([&self.cache.policy]).any(keeps)
    }

    /// How much is held in memory at most.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// How long one attempt may take.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// What a model costs: its own price, else that of `pricing.default`. Where there is neither, money cannot be counted.
    pub fn price(&self, model: &Model) -> Option<Price> {
        model.price.or(self.default_price)
    }

    /// Whether anything is limited.
    pub fn has_limits(&self) -> bool {
        !self.limits.groups().is_empty()
    }

    /// Whether anything has a price.
    pub fn has_prices(&self) -> bool {
        self.default_price.is_some() || self.catalog.has_prices
    }

    /// The models of the catalog, sorted by name.
    pub fn models(&self) -> &[Rc<Model>] {
        &self.catalog.models
    }

    /// The routes, sorted by name.
    pub fn routes(&self) -> &[Rc<Route>] {
        &self.catalog.routes
    }

    /// The providers, in no order.
    pub fn providers(&self) -> impl Iterator<Item = &Rc<Provider>> {
        self.catalog.offers.values().map(|offer| &offer.provider)
    }

    /// The provider of this name.
    pub fn provider(&self, name: &str) -> Option<&Rc<Provider>> {
        self.catalog.offers.get(name).map(|offer| &offer.provider)
    }

    /// What a model's name, an alias or a route's name stands for.
    pub fn named(&self, name: &str) -> Option<&Named> {
        self.catalog.names.get(name)
    }

    /// What a client's word for a model or a route stands for: a name of the catalog, `provider/model`, or a model of the default provider.
    pub fn meant(&self, asked: &str) -> Option<Named> {
        if let Some(named) = self.named(asked) {
            return Some(named.clone());
        }
        let model = match self.qualified(asked) {
            Some((provider, model)) => self.model_of(provider.name.as_str(), model),
            None => self.model_by_default(asked),
        };
        model.map(Named::Model)
    }

    /// Every name that [`Self::named`] knows, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.catalog.names.keys().map(|name| &**name)
    }

    /// The provider that `asked` names before its first slash, and what it names after it.
    pub fn qualified<'a>(&self, asked: &'a str) -> Option<(&Rc<Provider>, &'a str)> {
        self.catalog.offer(asked).map(|(offer, model)| (&offer.provider, model))
    }

    /// A model by who serves it and what it is called there or in the catalog; one that is not listed if the provider
    /// allows that.
    pub fn model_of(&self, provider: &str, model: &str) -> Option<Rc<Model>> {
        self.catalog.offers.get(provider)?.model(model)
    }

    /// What the catalog lists of a provider: names, its own and the catalog's, in no order.
    pub fn listed_of(&self, provider: &str) -> impl Iterator<Item = &str> {
        self.catalog
            .offers
            .get(provider)
            .into_iter()
            .flat_map(|offer| offer.models.keys())
            .map(|name| &**name)
    }

    /// The model that the default provider, if there is one, serves for a name that nothing else has.
    pub fn model_by_default(&self, name: &str) -> Option<Rc<Model>> {
        self.default.as_ref()?.model(name)
    }
}

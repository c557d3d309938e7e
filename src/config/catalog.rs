//! What clients may ask for: the models with their aliases, the routes, and what each provider serves.

use super::{Abilities, Price, Provider, Quality, Route};
use crate::names::{ModelName, RegionName, TagName};
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;
use std::rc::Rc;

/// A model of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// What clients call it; `provider/model` for one that the catalog does not list.
    pub name: ModelName,
    /// Who serves it.
    pub provider: Rc<Provider>,
    /// What its provider calls it.
    pub upstream: ModelName,
    /// What else clients may call it.
    pub aliases: Vec<ModelName>,
    /// How many tokens prompt and answer may have together, if known.
    pub context_window: Option<u64>,
    /// How many tokens an answer may have, if known.
    pub max_output_tokens: Option<u64>,
    /// Where it runs, if known.
    pub region: Option<RegionName>,
    /// What is warranted of it.
    pub tags: Vec<TagName>,
    /// What it is known not to be able to do.
    pub lacks: Abilities,
    /// Whether the catalog lists it; otherwise clients alone have named it.
    pub listed: bool,
    /// Which languages it knows, by their codes (ISO 639-1); empty if nothing is said.
    pub languages: Vec<&'static str>,
    /// How good it is.
    pub quality: Quality,
    /// What it costs, if that is said of it; see [`Config::price`](super::Config::price).
    pub price: Option<Price>,
}

/// What a name of the catalog stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A model, by its name or an alias.
    Model(Rc<Model>),
    /// A route.
    Route(Rc<Route>),
}

/// One provider and what the catalog lists of it.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub provider: Rc<Provider>,
    /// By the provider's name for them and by the catalog's.
    pub models: Index<Rc<Model>>,
}

/// Maps whose keys are the configuration's alone: nobody outside can crowd them, so the hash needs no random seed.
pub(super) type Index<T> = HashMap<Rc<str>, T, BuildHasherDefault<DefaultHasher>>;

/// Every name and what it stands for.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalog {
    pub names: Index<Named>,
    pub offers: Index<Offer>,
    /// Sorted by name.
    pub models: Vec<Rc<Model>>,
    /// Sorted by name.
    pub routes: Vec<Rc<Route>>,
    /// Whether any of the models has a price.
    pub has_prices: bool,
}

impl Offer {
    /// The model that this provider, or the catalog, calls `name`; one that is not listed if the provider allows it.
    pub fn model(&self, name: &str) -> Option<Rc<Model>> {
        if let Some(listed) = self.models.get(name) {
            return Some(Rc::clone(listed));
        }
        if !self.provider.allow_unlisted {
            return None;
        }
        let upstream = ModelName::parse(name).ok()?;
        // Together they may be too long for a name; then it goes by the provider's.
        let qualified = ModelName::parse(&format!("{}/{name}", self.provider.name));
        Some(Rc::new(Model {
            name: qualified.unwrap_or_else(|_| upstream.clone()),
            provider: Rc::clone(&self.provider),
            upstream,
            aliases: Vec::new(),
            context_window: None,
            max_output_tokens: None,
            region: None,
            tags: Vec::new(),
            lacks: Abilities::NONE,
            listed: false,
            languages: Vec::new(),
            quality: Quality::default(),
            price: None,
        }))
    }
}

impl Catalog {
    /// The model of this name, of this alias, or of `provider/model`.
    pub fn model(&self, name: &str) -> Option<Rc<Model>> {
        match self.names.get(name) {
            Some(Named::Model(model)) => Some(Rc::clone(model)),
            _ => self.offer(name).and_then(|(offer, model)| offer.model(model)),
        }
    }

    /// The offer that `asked` begins with the name of, and what comes after the slash.
    pub fn offer<'a>(&self, asked: &'a str) -> Option<(&Offer, &'a str)> {
        let (provider, model) = asked.split_once('/')?;
        Some((self.offers.get(provider)?, model))
    }
}

//! Who may ask: consumers and the tiers they belong to, what both may ask for, and how a consumer is recognized.

use super::catalog::{Index, Model, Named};
use super::shape::words;
use crate::names::{ConsumerName, RegionName, TagName, TierName};
use crate::time::Timestamp;
use std::fmt;
use std::rc::Rc;

/// Someone who asks, and whom limits and costs are counted for. It is one pointer to hand on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// What it is called.
    pub name: ConsumerName,
    /// What it belongs to.
    pub tier: Rc<Tier>,
    /// What it may ask for, if its tier may too.
    pub allowed: Allowed,
    /// With whom it has cached answers in common.
    pub cache_scope: CacheScope,
    /// Whether it may see how the gateway is doing.
    pub admin: bool,
    /// Whether the configuration has it; otherwise only a token has named it.
    pub listed: bool,
}

/// A kind of consumers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tier {
    /// What it is called.
    pub name: TierName,
    /// What its consumers may ask for.
    pub allowed: Allowed,
}

/// What may be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Models, by whatever name, and routes, whatever is behind them; all if there is no list.
    pub models: Option<Vec<Named>>,
    /// Where the models that answer may run; anywhere, and where nobody said, if there is no list.
    pub regions: Option<Vec<RegionName>>,
    /// What has to be warranted of the models that answer.
    pub requires: Vec<TagName>,
}

/// Who may be served an answer that was given before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CacheScope {
    /// The consumer that it was given to.
    #[default]
    Consumer,
    /// All consumers of the tier whose scope is the tier.
    Tier,
    /// All consumers whose scope is this one.
    Shared,
}

words! { CacheScope: "consumer" => CacheScope::Consumer, "tier" => CacheScope::Tier, "shared" => CacheScope::Shared }

impl Consumer {
    /// One that is not among the configuration's `consumers`: it may ask for what its tier may.
    pub fn unlisted(name: ConsumerName, tier: Rc<Tier>) -> Self {
        let (allowed, cache_scope) = Default::default();
        Self { name, tier, allowed, cache_scope, admin: false, listed: false }
    }

    /// The same, for whom the gateway asks something: any model, where it may run for this consumer.
    #[must_use]
    pub fn asking_for_any(&self) -> Self {
        let any = |allowed: &Allowed| Allowed { models: None, ..allowed.clone() };
        let tier = Tier { name: self.tier.name.clone(), allowed: any(&self.tier.allowed) };
        Self { tier: Rc::new(tier), allowed: any(&self.allowed), ..self.clone() }
    }

    /// Whether it may ask for this model or route.
    pub fn may_ask_for(&self, named: &Named) -> bool {
        let on = |allowed: &Allowed| allowed.models.as_ref().is_none_or(|models| models.contains(named));
        on(&self.tier.allowed) && on(&self.allowed)
    }

    /// Whether this model may answer it, by where the model runs.
    pub fn may_use(&self, model: &Model) -> bool {
        let on = |allowed: &Allowed| {
            let Some(regions) = &allowed.regions else { return true };
            model.region.as_ref().is_some_and(|region| regions.contains(region))
        };
        on(&self.tier.allowed) && on(&self.allowed)
    }

    /// What has to be warranted of this model, so that it may answer, and is not.
    pub fn misses(&self, model: &Model) -> Option<&TagName> {
        let required = self.tier.allowed.requires.iter().chain(&self.allowed.requires);
        required.into_iter().find(|tag| !model.tags.contains(tag))
    }
}

/// How those who ask are told apart.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    pub(super) anonymous: Option<Rc<Consumer>>,
    pub(super) jwt: Option<Jwt>,
    pub(super) keys: Keys,
    pub(super) consumers: Index<Rc<Consumer>>,
    pub(super) tiers: Index<Rc<Tier>>,
    pub(super) default_tier: Rc<Tier>,
    /// Whether one of the consumers is an admin.
    pub(super) has_admin: bool,
}

impl Auth {
    /// Who asks without saying so; none if nobody may.
    pub fn anonymous(&self) -> Option<&Rc<Consumer>> {
        self.anonymous.as_ref()
    }

    /// Where Envoy puts the tokens that it has verified; none if it verifies none.
    pub fn jwt(&self) -> Option<&Jwt> {
        self.jwt.as_ref()
    }

    /// The keys there are.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Whether anybody is told from anybody else: by a key or by a token.
    pub fn recognizes_someone(&self) -> bool {
        self.jwt.is_some() || !self.keys.is_empty()
    }

    /// Whether anybody may see how the gateway is doing.
    pub fn has_admin(&self) -> bool {
        self.has_admin
    }

    /// The consumer of this name, if the configuration has it.
    pub fn consumer(&self, name: &str) -> Option<&Rc<Consumer>> {
        self.consumers.get(name)
    }

    /// The tier of this name; that of consumers who have none, if there is no such tier.
    pub fn tier(&self, name: Option<&str>) -> &Rc<Tier> {
        name.and_then(|name| self.tiers.get(name)).unwrap_or(&self.default_tier)
    }
}

/// Where Envoy's filter `jwt_authn` keeps what it has verified, as paths of Envoy's attributes: their parts with a NUL
/// between each two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// The payload. It cannot be read as a whole, but it can be told whether it is there.
    pub payload: String,
    /// The claim that names the consumer.
    pub consumer: String,
    /// The claim that names the tier.
    pub tier: String,
}

impl Jwt {
    pub(super) fn new(payload: &str, consumer: &str, tier: &str) -> Self {
        let payload = format!("metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0{payload}");
        let claim = |name: &str| format!("{payload}\0{name}");
        Self { consumer: claim(consumer), tier: claim(tier), payload }
    }
}

/// The SHA-256 of a key.
pub type KeyHash = [u8; 32];

/// An API key: not the key itself, which is nowhere, but by what it is recognized.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its SHA-256.
    pub hash: KeyHash,
    /// When it is valid for the last time.
    pub not_after: Option<Timestamp>,
    /// Whose it is.
    pub consumer: Rc<Consumer>,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of a key that can be guessed the hash is as good as the key.
        write!(f, "ApiKey(<hash> of {:?}, not after {:?})", self.consumer.name, self.not_after)
    }
}

/// All keys, no two alike, by the first byte of their hashes.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<Vec<ApiKey>>);

impl Keys {
    pub(super) fn add(&mut self, key: ApiKey) {
        let [first, ..] = key.hash;
        self.0.resize_with(256, Vec::new);
        if let Some(bucket) = self.0.get_mut(usize::from(first)) {
            bucket.push(key);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those whose hashes begin as this one does.
    pub fn like(&self, [first, ..]: &KeyHash) -> &[ApiKey] {
        self.0.get(usize::from(*first)).map_or(&[], Vec::as_slice)
    }
}

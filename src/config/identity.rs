//! Judges `auth`, `tiers` and `consumers`.
//!
//! That anyone may ask has to be said: a document that names nobody is refused, and so is one in which nobody can be
//! recognized. Nothing of a key, and nothing of its hash, is repeated: the key itself may stand in the hash's place.

use super::catalog::{Catalog, Named};
use super::check::Check;
use super::consumer::{Allowed, ApiKey, Auth, Consumer, Jwt, KeyHash, Tier};
use super::raw;
use crate::names::{self, ConsumerName, RegionName, TagName, TierName};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How a document says who may ask.
const WAYS: &str =
    "consumers with keys, auth.jwt, or, if anyone may ask, auth: {anonymous: {consumer: anonymous}}";
/// No claim and no payload has a longer name.
const MAX_CLAIM: usize = 255;
/// Of the empty text: what a shell makes of a variable that is not set.
const HASH_OF_NOTHING: KeyHash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// The sections that say who may ask.
pub(super) struct Sections {
    pub auth: Option<raw::Auth>,
    pub tiers: raw::Entries<raw::Tier>,
    pub consumers: Option<raw::Entries<raw::Consumer>>,
}

impl Check<'_> {
    /// How those who ask are told apart.
    pub(super) fn auth(&mut self, catalog: &Catalog, sections: Sections) -> Auth {
        let is_said = sections.auth.is_some() || sections.consumers.is_some();
        let raw = sections.auth.unwrap_or_default();
        let mut auth = Auth { jwt: raw.jwt.map(|jwt| self.jwt(jwt)), ..Auth::default() };
        self.tiers(catalog, &mut auth, sections.tiers);
        self.consumers(catalog, &mut auth, sections.consumers.unwrap_or_default());
        if let Some(raw::Anonymous::Consumer(name)) = raw.anonymous {
            self.anonymous(&mut auth, &name);
        }
        if !is_said {
            self.problems.add("auth", "there is neither auth nor consumers, so nobody could ask", WAYS);
        } else if self.problems.is_empty() && !auth.recognizes_someone() && auth.anonymous.is_none() {
            self.problems.add("auth", "nobody could ask: no consumer has a key, and there is no jwt", WAYS);
        }
        auth
    }

    fn tiers(&mut self, catalog: &Catalog, auth: &mut Auth, raw: raw::Entries<raw::Tier>) {
        for (name, raw) in raw.0 {
            let path = format!("tiers.{name}");
            let allowed = self.allowed(catalog, &path, raw.models, raw.regions, raw.requires);
            match self.name(TierName::parse(&name), &path, &name) {
                Some(tier) => _ = auth.tiers.insert(name.into(), Rc::new(Tier { name: tier, allowed })),
                None => self.refuse(path),
            }
        }
        let default = auth.tiers.entry(TierName::default().as_str().into()).or_default();
        auth.default_tier = Rc::clone(default);
    }

    fn consumers(&mut self, catalog: &Catalog, auth: &mut Auth, raw: raw::Entries<raw::Consumer>) {
        let mut known = BTreeMap::new();
        for (name, raw) in raw.0 {
            let path = format!("consumers.{name}");
            let parsed = self.name(ConsumerName::parse(&name), &path, &name);
            let tier = self.tier(auth, &path, raw.tier.as_deref());
            let allowed = self.allowed(catalog, &path, raw.models, raw.regions, raw.requires);
            let keys = self.keys(&path, raw.keys, &mut known);
            let (Some(name), Some(tier)) = (parsed, tier) else { continue };
            let cache_scope = raw.cache_scope.unwrap_or_default();
            let admin = raw.admin;
            let consumer = Rc::new(Consumer { name, tier, allowed, cache_scope, admin, listed: true });
            for (hash, not_after) in keys {
                auth.keys.add(ApiKey { hash, not_after, consumer: Rc::clone(&consumer) });
            }
            auth.has_admin |= admin;
            auth.consumers.insert(consumer.name.as_str().into(), consumer);
        }
    }

    fn tier(&mut self, auth: &Auth, path: &str, name: Option<&str>) -> Option<Rc<Tier>> {
        let Some(name) = name else { return Some(Rc::clone(&auth.default_tier)) };
        let tier = auth.tiers.get(name).map(Rc::clone);
        if tier.is_none() && !self.is_refused("tiers", name) {
            let nearest = names::nearest(name, auth.tiers.keys().map(|name| &**name));
            let found = format!("unknown tier {name:?}");
            self.problems.add_with_nearest(format!("{path}.tier"), found, "one of tiers", nearest);
        }
        tier
    }

    /// The hashes of the keys of a consumer; `known` is where each of those so far was found.
    fn keys(
        &mut self,
        path: &str,
        raw: Vec<raw::ConsumerKey>,
        known: &mut BTreeMap<KeyHash, String>,
    ) -> Vec<(KeyHash, Option<Timestamp>)> {
        let mut keys = Vec::with_capacity(raw.len());
        for (position, raw) in raw.into_iter().enumerate() {
            let path = format!("{path}.keys[{position}]");
            let not_after = raw.not_after.and_then(|text| {
                let refused = |why| {
                    let expected = "a point in time as RFC 3339 has it: \"2027-01-31T23:59:59Z\"";
                    self.problems.add(format!("{path}.not_after"), format!("not a date: {why}"), expected);
                };
                Timestamp::parse(&text).map_err(refused).ok()
            });
            let place = format!("{path}.sha256");
            match key_hash(&raw.sha256) {
                None => {
                    let expected = "64 hexadecimal digits, as `printf %s \"$KEY\" | sha256sum` prints them";
                    self.problems.add(place, "not a SHA-256", expected);
                }
                Some(HASH_OF_NOTHING) => {
                    self.problems.add(place, "the SHA-256 of an empty text", "the SHA-256 of a key");
                }
                Some(hash) => match known.get(&hash) {
                    Some(other) => {
                        self.problems.add(place, format!("the same key as {other}"), "each key once");
                    }
                    None => {
                        known.insert(hash, path);
                        keys.push((hash, not_after));
                    }
                },
            }
        }
        keys
    }

    /// A consumer of `consumers`, or one more.
    fn anonymous(&mut self, auth: &mut Auth, name: &str) {
        let Some(parsed) = self.name(ConsumerName::parse(name), "auth.anonymous.consumer", name) else {
            return;
        };
        let consumer = auth.consumers.entry(name.into());
        let one_more = || {
            let consumer = Consumer::unlisted(parsed, Rc::clone(&auth.default_tier));
            Rc::new(Consumer { listed: true, ..consumer })
        };
        auth.anonymous = Some(Rc::clone(consumer.or_insert_with(one_more)));
    }

    fn jwt(&mut self, raw: raw::Jwt) -> Jwt {
        let consumer = raw.consumer_claim.as_deref().unwrap_or("sub");
        let tier = raw.tier_claim.as_deref().unwrap_or("tier");
        for (key, name) in [("payload", &*raw.payload), ("consumer_claim", consumer), ("tier_claim", tier)] {
            // A NUL would end a part of the path it becomes.
            if name.is_empty() || name.len() > MAX_CLAIM || name.contains('\0') {
                let expected = format!("from 1 to {MAX_CLAIM} bytes, none of them NUL");
                self.problems.add(format!("auth.jwt.{key}"), format!("{name:?} cannot be a name"), expected);
            }
        }
        Jwt::new(&raw.payload, consumer, tier)
    }

    /// What lists allow; all may be left out.
    fn allowed(
        &mut self,
        catalog: &Catalog,
        path: &str,
        models: Option<Vec<String>>,
        regions: Option<Vec<String>>,
        requires: Vec<String>,
    ) -> Allowed {
        let models = models.map(|models| {
            self.each(format!("{path}.models"), models, |check, path, name| check.named(catalog, path, name))
        });
        let regions = regions.map(|regions| self.each(format!("{path}.regions"), regions, Self::region));
        let mut tags = Vec::with_capacity(requires.len());
        for (position, tag) in requires.iter().enumerate() {
            tags.extend(self.tag(format!("{path}.requires[{position}]"), tag));
        }
        Allowed { models, regions, requires: tags }
    }

    /// An empty list is taken for a mistake: it would allow nothing.
    fn each<T>(
        &mut self,
        path: String,
        names: Vec<String>,
        read: impl Fn(&mut Self, String, &str) -> Option<T>,
    ) -> Vec<T> {
        if names.is_empty() {
            self.problems.add(path.as_str(), "there is none", "at least one, or no list: then all");
        }
        let names = names.iter().enumerate();
        names.filter_map(|(position, name)| read(self, format!("{path}[{position}]"), name)).collect()
    }

    /// What a list of models names.
    fn named(&mut self, catalog: &Catalog, path: String, name: &str) -> Option<Named> {
        let named = match catalog.names.get(name) {
            Some(Named::Route(route)) => Some(Named::Route(Rc::clone(route))),
            _ => catalog.model(name).map(Named::Model),
        };
        let provider = name.split_once('/').map_or("", |(provider, _)| provider);
        let is_refused = ["models", "routes"].iter().any(|section| self.is_refused(section, name))
            || self.is_refused("providers", provider);
        if named.is_none() && !is_refused {
            let nearest = names::nearest(name, catalog.names.keys().map(|name| &**name));
            let expected = "a model, an alias, provider/model or a route";
            self.problems.add_with_nearest(path, format!("unknown model {name:?}"), expected, nearest);
        }
        named
    }

    /// A region that models run in: no other can be meant.
    pub(super) fn region(&mut self, path: String, name: &str) -> Option<RegionName> {
        let region = self.regions.get(name).cloned();
        if region.is_none() {
            let nearest = names::nearest(name, self.regions.iter().map(RegionName::as_str));
            let found = format!("unknown region {name:?}");
            self.problems.add_with_nearest(path, found, "the region of a model (models.*.region)", nearest);
        }
        region
    }

    /// A tag that models have: no other can be meant.
    fn tag(&mut self, path: String, name: &str) -> Option<TagName> {
        let tag = self.tags.get(name).cloned();
        if tag.is_none() {
            let nearest = names::nearest(name, self.tags.iter().map(TagName::as_str));
            let found = format!("unknown tag {name:?}");
            self.problems.add_with_nearest(path, found, "the tag of a model (models.*.tags)", nearest);
        }
        tag
    }
}

/// The hash that 64 hexadecimal digits stand for.
fn key_hash(text: &str) -> Option<KeyHash> {
    let mut hash = KeyHash::default();
    let (digits, rest) = text.as_bytes().as_chunks::<2>();
    if digits.len() != hash.len() || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, [high, low]) in hash.iter_mut().zip(digits) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(hash)
}

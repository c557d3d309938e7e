//! Whose counters a value holds.
//!
//! The counters of a consumer that the configuration names are alone under their key. Consumers that only a token has named
//! are as many as its issuer likes, so they share a fixed number of keys: each belongs to one of them by its hash, and a
//! key's value has a few places, told apart by the whole hash. A place is given to somebody else only when nothing in it
//! counts any more, so nobody inherits anything. Who finds none is counted in one place more, together with the others who
//! found none, and stays there for as long as anything counts in it: nobody has two counters at a time.

use super::bytes::Reader;
use super::holders::Census;
use super::scope::{Scope, TOLERANCE};
use crate::time::Timestamp;

/// Who has a place in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tenant(u128);

impl Tenant {
    /// The only one under its key.
    pub const ALONE: Self = Self(0);
    /// Those who found no place.
    const OTHERS: Self = Self(u128::MAX);

    /// One of several under a key.
    pub fn hashed(hash: u128) -> Self {
        Self(hash.clamp(1, u128::MAX - 1))
    }
}

/// How many have a place of their own in a value.
const PLACES: usize = 4;
/// The form of a value, its first byte.
const VERSION: u8 = 2;

/// A value of the store, opened at one tenant's place.
pub(super) struct Opened<'a> {
    /// All that there are.
    places: Places<'a>,
    /// Whose place this is.
    tenant: Tenant,
    /// The counters there.
    pub scope: Scope,
    /// Whether the clock went back since they were written.
    went_back: bool,
}

impl<'a> Opened<'a> {
    /// Opens a value for a tenant. What is no value, or one of another form, is one with nothing in it.
    pub fn new(value: Option<&'a [u8]>, tenant: Tenant, now: Timestamp, census: &mut Census<'_>) -> Self {
        let places = value.and_then(Places::of).unwrap_or(Places(Reader(&[])));
        let tenant = places.seat(tenant, now, census);
        let own = places.clone().find(|place| place.tenant == tenant);
        let mut scope = own.and_then(|place| Scope::read(place.scope)).unwrap_or_default();
        let went_back = scope.advance(now);
        Self { places, tenant, scope, went_back }
    }

    /// What to write when nothing is counted: only that the clock went back, if it did.
    pub fn unchanged(
        value: Option<&'a [u8]>,
        tenant: Tenant,
        now: Timestamp,
        census: &mut Census<'_>,
    ) -> Option<Vec<u8>> {
        let opened = Self::new(value, tenant, now, census);
        if opened.went_back { Some(opened.close(census)) } else { None }
    }

    /// The value as it is to be now, without the places in which nothing counts.
    pub fn close(mut self, census: &mut Census<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.places.0.0.len() + 128);
        out.push(VERSION);
        for place in self.places.filter(|place| place.tenant != self.tenant) {
            match place.now(self.scope.latest(), census) {
                Now::Idle => {}
                Now::Same => write(&mut out, place.tenant, place.idle_at, |out| {
                    out.extend_from_slice(place.scope);
                }),
                Now::Changed(scope) => write(&mut out, place.tenant, scope.idle_at(), |out| scope.write(out)),
            }
        }
        self.scope.tidy();
        if !self.scope.is_empty() {
            write(&mut out, self.tenant, self.scope.idle_at(), |out| self.scope.write(out));
        }
        out
    }
}

fn write(out: &mut Vec<u8>, tenant: Tenant, idle_at: Timestamp, scope: impl FnOnce(&mut Vec<u8>)) {
    out.extend(tenant.0.to_le_bytes());
    out.extend(idle_at.millis().to_le_bytes());
    let at = out.len();
    out.extend([0; 4]);
    scope(out);
    let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    if let Some((field, _)) = out.get_mut(at..).and_then(<[u8]>::split_first_chunk_mut) {
        *field = length.to_le_bytes();
    }
}

/// The places of a value.
#[derive(Clone)]
struct Places<'a>(Reader<'a>);

struct Place<'a> {
    tenant: Tenant,
    /// When nothing in it may count any more.
    idle_at: Timestamp,
    scope: &'a [u8],
}

/// What a place is now.
enum Now {
    /// Nothing in it counts.
    Idle,
    /// It is as it is written.
    Same,
    /// The clock went back, or some of those who have reserved were asked for.
    Changed(Scope),
}

impl<'a> Places<'a> {
    fn of(value: &'a [u8]) -> Option<Self> {
        let places = Self(Reader(value.strip_prefix(&[VERSION])?));
        let mut rest = places.clone();
        rest.by_ref().for_each(drop);
        rest.0.0.is_empty().then_some(places)
    }

    /// In whose place a tenant is counted.
    fn seat(&self, tenant: Tenant, now: Timestamp, census: &mut Census<'_>) -> Tenant {
        if tenant == Tenant::ALONE || self.clone().any(|place| place.tenant == tenant) {
            return tenant;
        }
        let busy: Vec<_> =
            self.clone().filter(|place| !matches!(place.now(now, census), Now::Idle)).collect();
        let with_others = busy.len() >= PLACES || busy.iter().any(|place| place.tenant == Tenant::OTHERS);
        if with_others { Tenant::OTHERS } else { tenant }
    }
}

impl<'a> Iterator for Places<'a> {
    type Item = Place<'a>;

    fn next(&mut self) -> Option<Place<'a>> {
        let mut from = self.0;
        let tenant = Tenant(from.u128()?);
        let idle_at = Timestamp::from_millis(from.u64()?);
        let length = usize::try_from(from.u32()?).ok()?;
        let scope = from.bytes(length)?;
        self.0 = from;
        Some(Place { tenant, idle_at, scope })
    }
}

impl Place<'_> {
    fn now(&self, now: Timestamp, census: &mut Census<'_>) -> Now {
        let is_ahead = |latest: Timestamp| latest.since(now) > TOLERANCE;
        if self.idle_at > now && Scope::latest_in(self.scope).is_some_and(|latest| !is_ahead(latest)) {
            return Now::Same;
        }
        let Some(mut scope) = Scope::read(self.scope) else { return Now::Idle };
        scope.advance(now);
        scope.drop_dead(census);
        scope.tidy();
        if scope.is_empty() { Now::Idle } else { Now::Changed(scope) }
    }
}

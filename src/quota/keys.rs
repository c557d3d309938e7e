//! The keys under which limits keep their state, all made here.
//!
//! Shared data has no removal, so there must not be more keys than the configuration accounts for. Names that it has are in the
//! keys as they are. Of a model that only a client has named, the provider is; of a consumer that only a token has named,
//! the number of a set that it shares with others, in which it is told apart by its hash (see `tenants`). Names have no
//! spaces, so no two keys are the same text.

use super::tenants::Tenant;
use super::{Ask, Consumer};
use crate::config::Dimension;
use crate::digest::digest;
use crate::names::ConsumerName;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Which instances of the VM there are.
pub(super) const HOLDERS: &str = "quota holders";
/// How many sets there are of consumers that the configuration does not have. With four places in each, one in two hundred
/// and fifty finds no place of its own when four thousand of them ask within one window.
const SETS: u16 = 4096;
/// How many slots there are for what was learned of answers' lengths.
const LEARNED: u64 = 4096;

/// Where the counters of a group of limits are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub key: String,
    /// Whose they are, of those that share the key.
    pub tenant: Tenant,
}

/// Where the counters of a group with these dimensions are for a request.
pub(super) fn place(per: &[Dimension], ask: &Ask<'_>) -> Place {
    let mut key = String::with_capacity(64);
    key.push_str("quota");
    let mut tenant = Tenant::ALONE;
    for dimension in per {
        // Writing to a string cannot fail.
        let _ = match dimension {
            Dimension::Consumer => match ask.consumer {
                Consumer::Configured(name) => write!(key, " consumer {name}"),
                Consumer::OfToken(name) => {
                    let (set, own) = of_token(name);
                    tenant = own;
                    write!(key, " consumers {set}")
                }
            },
            Dimension::Tier => write!(key, " tier {}", ask.tier),
            Dimension::Model if !ask.model.listed => write!(key, " models {}", ask.model.provider.name),
            Dimension::Model => write!(key, " model {}", ask.model.name),
        };
    }
    Place { key, tenant }
}

/// Where it is kept how long the answers are for a subject, and the hash by which that is known. It is only an estimate
/// that hangs on it, so the hash need be no better than this.
pub(super) fn learned(subject: &str, model: &str) -> (String, u64) {
    let mut hasher = DefaultHasher::new();
    (subject, model).hash(&mut hasher);
    let hash = hasher.finish();
    (format!("quota learned {}", hash % LEARNED), hash)
}

/// Names of tokens are chosen by strangers: with a hash that is hard to collide nobody can choose another's.
fn of_token(consumer: &ConsumerName) -> (u16, Tenant) {
    let hash = digest(&[consumer.as_str().as_bytes()]);
    let (set, own) = hash.split_first_chunk().unwrap_or((&[0; 2], &[]));
    let own = own.first_chunk().map_or(0, |own| u128::from_le_bytes(*own));
    (u16::from_le_bytes(*set) % SETS, Tenant::hashed(own))
}

//! What `GET /v1/models` lists: every name of the catalog that can be answered now, and that is for whoever asks.

use super::{Needs, why_not};
use crate::config::{Config, Consumer, Model, Named};

/// One entry of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<'a> {
    /// What to ask for.
    pub id: &'a str,
    /// The provider of a model; `modelgate` for a route, behind which there are several.
    pub owned_by: &'a str,
}

/// The models, aliases and routes that this consumer can ask for, sorted by name.
///
/// Those of which no provider has its key are left out: asking for them would fail.
pub fn models<'a>(config: &'a Config, consumer: &Consumer) -> Vec<Listed<'a>> {
    let mut all: Vec<_> = config.names().filter_map(|name| listed(config, name, consumer)).collect();
    all.sort_unstable_by_key(|listed| listed.id);
    all
}

/// The entry of this name.
pub fn listed<'a>(config: &'a Config, name: &'a str, consumer: &Consumer) -> Option<Listed<'a>> {
    let named = config.named(name).filter(|named| consumer.may_ask_for(named))?;
    let answers = |model: &Model| why_not(model, consumer, Needs::NOTHING).is_none();
    let (owned_by, usable) = match named {
        Named::Model(model) => (model.provider.name.as_str(), answers(model)),
        Named::Route(route) => ("modelgate", route.all().any(|target| answers(&target.model))),
    };
    usable.then_some(Listed { id: name, owned_by })
}

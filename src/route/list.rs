//! What `GET /v1/models` lists: every name of the catalog that can be answered now.

use super::why_not;
use crate::config::{Config, Named};

/// One entry of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<'a> {
    /// What to ask for.
    pub id: &'a str,
    /// The provider of a model; `modelgate` for a route, behind which there are several.
    pub owned_by: &'a str,
}

/// The models, aliases and routes that can be asked for, sorted by name.
///
/// Those of which no provider has its key are left out: asking for them would fail.
pub fn models(config: &Config) -> Vec<Listed<'_>> {
    let mut all: Vec<_> = config.names().filter_map(|name| listed(config, name)).collect();
    all.sort_unstable_by_key(|listed| listed.id);
    all
}

/// The entry of this name.
pub fn listed<'a>(config: &'a Config, name: &'a str) -> Option<Listed<'a>> {
    let (owned_by, usable) = match config.named(name)? {
        Named::Model(model) => (model.provider.name.as_str(), why_not(&model.provider).is_none()),
        Named::Route(route) => {
            ("modelgate", route.targets.iter().any(|target| why_not(&target.model.provider).is_none()))
        }
    };
    usable.then_some(Listed { id: name, owned_by })
}

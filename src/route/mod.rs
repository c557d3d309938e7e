//! Who may answer, in what order: from the name a client asked for to the models that will be tried.
//!
//! A name is, in this order: a model's, an alias or a route's; `provider/model`; or, if there is a default provider, that
//! provider's name for a model. Providers without their key are left out as long as someone else can answer, and so are
//! models in regions that are not for whoever asks.

mod list;
mod unresolved;

pub use list::{Listed, listed, models};
pub use unresolved::Unresolved;

use crate::config::{Config, Consumer, Key, Model, Named, Target};
use crate::names::{ModelName, ProviderName, RouteName};
use std::fmt;
use std::rc::Rc;

/// The models that may answer a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    /// What the name that was asked for stands for.
    pub found: Found,
    /// In the order in which they are to be tried; at least one.
    pub targets: Vec<Target>,
    /// Who would have been among them.
    pub excluded: Vec<Excluded>,
}

/// What the name that was asked for stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// This model, whatever name of it was asked for.
    Model(ModelName),
    /// This route.
    Route(RouteName),
}

/// A provider that cannot answer, or not this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excluded {
    /// Who.
    pub provider: ProviderName,
    /// For what reason.
    pub why: Why,
}

/// Why a provider cannot answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Its key is not in the environment.
    KeyMissing {
        /// The variable that should hold it.
        variable: Rc<str>,
    },
    /// Whoever asks may not use the region that the model runs in.
    Region,
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::KeyMissing { variable } => write!(f, "{} has no key: set {variable}", self.provider),
            Why::Region => write!(f, "{} is in no region that you may use", self.provider),
        }
    }
}

/// The models that may answer this consumer's request for `asked`.
///
/// # Errors
/// If nothing has this name, if it is not for this consumer, or if nobody who has it can answer.
pub fn resolve(config: &Config, asked: &str, consumer: &Consumer) -> Result<Candidates, Unresolved> {
    let named = match config.named(asked) {
        Some(named) => Some(named.clone()),
        None => match config.qualified(asked) {
            Some((provider, model)) => config.model_of(provider.name.as_str(), model),
            None => config.model_by_default(asked),
        }
        .map(Named::Model),
    };
    let named = named.ok_or_else(|| Unresolved::unknown(config, asked, consumer))?;
    if !consumer.may_ask_for(&named) {
        return Err(Unresolved::not_allowed(asked));
    }
    match named {
        Named::Model(model) => {
            let found = Found::Model(model.name.clone());
            candidates(asked, found, [Target { model, tries: 1 }], consumer)
        }
        Named::Route(route) => {
            let found = Found::Route(route.name.clone());
            candidates(asked, found, route.targets.iter().cloned(), consumer)
        }
    }
}

/// The one place where it is decided who of those named is tried, and in what order: as configured, without those who
/// cannot answer.
fn candidates(
    asked: &str,
    found: Found,
    named: impl IntoIterator<Item = Target>,
    consumer: &Consumer,
) -> Result<Candidates, Unresolved> {
    let named = named.into_iter();
    let mut targets = Vec::with_capacity(named.size_hint().0);
    let mut excluded: Vec<Excluded> = Vec::new();
    for target in named {
        match why_not(&target.model, consumer) {
            None => targets.push(target),
            Some(why) => {
                let provider = target.model.provider.name.clone();
                let excluding = Excluded { provider, why };
                if !excluded.contains(&excluding) {
                    excluded.push(excluding);
                }
            }
        }
    }
    if targets.is_empty() {
        return Err(Unresolved::nobody(asked, excluded));
    }
    Ok(Candidates { found, targets, excluded })
}

/// What keeps a model from answering this consumer. What the consumer may not use does not matter to it, so that comes first.
fn why_not(model: &Model, consumer: &Consumer) -> Option<Why> {
    if !consumer.may_use(model) {
        return Some(Why::Region);
    }
    match &model.provider.key {
        Key::Missing { variable } => Some(Why::KeyMissing { variable: Rc::clone(variable) }),
        Key::Secret(_) | Key::None => None,
    }
}

#[cfg(test)]
mod tests;

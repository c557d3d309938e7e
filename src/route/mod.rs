//! Who may answer, in what order: from the name a client asked for to the models that will be tried.
//!
//! A name is, in this order: a model's, an alias or a route's; `provider/model`; or, if there is a default provider, that
//! provider's name for a model. Providers without their key are left out as long as someone else can answer.

mod list;
mod unresolved;

pub use list::{Listed, listed, models};
pub use unresolved::Unresolved;

use crate::config::{Config, Key, Named, Provider, Target};
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

/// A provider that cannot answer now.
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
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::KeyMissing { variable } => write!(f, "{} has no key: set {variable}", self.provider),
        }
    }
}

/// The models that may answer a request for `asked`.
///
/// # Errors
/// If nothing has this name, or if nobody who has it can answer.
pub fn resolve(config: &Config, asked: &str) -> Result<Candidates, Unresolved> {
    let model = match config.named(asked) {
        Some(Named::Route(route)) => {
            return candidates(asked, Found::Route(route.name.clone()), route.targets.iter().cloned());
        }
        Some(Named::Model(model)) => Some(Rc::clone(model)),
        None => match config.qualified(asked) {
            Some((provider, model)) => config.model_of(provider.name.as_str(), model),
            None => config.model_by_default(asked),
        },
    };
    let model = model.ok_or_else(|| Unresolved::unknown(config, asked))?;
    candidates(asked, Found::Model(model.name.clone()), [Target { model, tries: 1 }])
}

/// The one place where it is decided who of those named is tried, and in what order: as configured, without those who
/// cannot answer.
fn candidates(
    asked: &str,
    found: Found,
    named: impl IntoIterator<Item = Target>,
) -> Result<Candidates, Unresolved> {
    let named = named.into_iter();
    let mut targets = Vec::with_capacity(named.size_hint().0);
    let mut excluded: Vec<Excluded> = Vec::new();
    for target in named {
        match why_not(&target.model.provider) {
            None => targets.push(target),
            Some(why) => {
                let provider = target.model.provider.name.clone();
                if !excluded.iter().any(|other| other.provider == provider) {
                    excluded.push(Excluded { provider, why });
                }
            }
        }
    }
    if targets.is_empty() {
        return Err(Unresolved::nobody(asked, excluded));
    }
    Ok(Candidates { found, targets, excluded })
}

/// What keeps a provider from being asked.
fn why_not(provider: &Provider) -> Option<Why> {
    match &provider.key {
        Key::Missing { variable } => Some(Why::KeyMissing { variable: Rc::clone(variable) }),
        Key::Secret(_) | Key::None => None,
    }
}

#[cfg(test)]
mod tests;

//! Who may answer, in what order: from the name a client asked for to the models that will be tried.
//!
//! A name is, in this order: a model's, an alias or a route's; `provider/model`; or, if there is a default provider, that
//! provider's name for a model. Left out, as long as someone else can answer, are models that are not for whoever asks (by region
//! or by what is warranted of them), those whose providers have no key, and those that cannot do what is asked for.

mod list;
mod merits;
mod turns;
mod unresolved;

pub use list::{Listed, listed, models};
pub use merits::{Broken, Merits, thousandths};
pub use turns::{Turns, by_priority};
pub use unresolved::Unresolved;

use crate::config::{Abilities, By, Config, Consumer, Key, Model, Named, Route, Target};
use crate::names::{ArmName, ModelName, ProviderName, RouteName, TagName};
use std::fmt;
use std::rc::Rc;

/// The models that may answer a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    /// What the name that was asked for stands for.
    pub found: Found,
    /// The route that it is.
    pub route: Option<Rc<Route>>,
    /// The arm of the route's experiment.
    pub arm: Option<ArmName>,
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

/// A model that does not answer, or not this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excluded {
    /// Which.
    pub model: ModelName,
    /// Who would serve it.
    pub provider: ProviderName,
    /// For what reason.
    pub why: Why,
}

/// Why a model does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Whoever asks may not use the region that it runs in.
    Region,
    /// Whoever asks requires something that is not warranted of it.
    Tag(TagName),
    /// Others are to answer.
    Others,
    /// Its provider's key is not in the environment.
    KeyMissing {
        /// The variable that should hold it.
        variable: Rc<str>,
    },
    /// It cannot do all that is asked for.
    Lacks(Abilities),
    /// It does not know the language of the request.
    Language(&'static str),
    /// It does not keep to what is wanted of whoever answers.
    Breaks(Broken),
    /// Prompt and answer have no room in it.
    TooLong {
        /// Tokens that are needed, about.
        needed: u64,
        /// Tokens that there is room for.
        window: u64,
    },
}

impl Why {
    /// The reason in a word.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Tag(_) => "tag",
            Self::Others => "others",
            Self::KeyMissing { .. } => "key_missing",
            Self::Lacks(_) => "ability",
            Self::Language(_) => "language",
            Self::Breaks(_) => "constraint",
            Self::TooLong { .. } => "context",
        }
    }
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, provider, why } = self;
        match why {
            Why::Region => write!(f, "{model} is in no region that you may use"),
            Why::Tag(tag) => write!(f, "{model} has not the tag {tag}, which you require"),
            Why::KeyMissing { variable } => write!(f, "{provider} has no key: set {variable}"),
            Why::Others => write!(f, "{model} is not to answer this time"),
            Why::Lacks(abilities) => {
                let words: Vec<_> = abilities.each().map(|(word, _)| word).collect();
                write!(f, "{model} does not support {}", words.join(", "))
            }
            Why::Language(code) => write!(f, "{model} does not know the language of the request, {code}"),
            Why::Breaks(broken) => write!(f, "{model} {broken}"),
            Why::TooLong { needed, window } => {
                write!(f, "{model} has room for {window} tokens, and about {needed} are needed")
            }
        }
    }
}

/// What a request needs of a model. It is asked only where the catalog says something about that.
#[derive(Clone, Copy)]
pub struct Needs<'a> {
    /// What it asks for besides an answer to a text.
    pub abilities: &'a dyn Fn() -> Abilities,
    /// The number by which whoever asks is in an arm of a route's experiment.
    pub lot: &'a dyn Fn(&Route, By) -> u64,
    /// How many tokens prompt and answer need of a model, where that is more than so many.
    pub more_than: &'a dyn Fn(&Model, u64) -> Option<u64>,
    /// Who of them is to answer.
    pub among: &'a Among,
}

/// Some of the models that a name stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Among {
    /// This one alone.
    pub only: Option<Rc<str>>,
    /// None of these.
    pub not: Vec<Rc<str>>,
}

impl Among {
    /// All of them.
    pub const ALL: Self = Self { only: None, not: Vec::new() };

    fn has(&self, model: &ModelName) -> bool {
        let is = |name: &Rc<str>| **name == *model.as_str();
        self.only.as_ref().is_none_or(is) && !self.not.iter().any(is)
    }
}

impl Needs<'_> {
    /// Nothing in particular.
    pub const NOTHING: Needs<'static> =
        Needs { abilities: &|| Abilities::NONE, lot: &|_, _| 0, more_than: &|_, _| None, among: &Among::ALL };
}

/// The models that may answer this consumer's request for `asked`.
///
/// # Errors
/// If nothing has this name, if it is not for this consumer, or if nobody who has it can answer.
pub fn resolve(
    config: &Config,
    asked: &str,
    consumer: &Consumer,
    needs: Needs<'_>,
) -> Result<Candidates, Unresolved> {
    let named = config.meant(asked).ok_or_else(|| Unresolved::unknown(config, asked, consumer))?;
    if !consumer.may_ask_for(&named) {
        return Err(Unresolved::not_allowed(asked));
    }
    match named {
        Named::Model(model) => {
            let found = Found::Model(model.name.clone());
            candidates(asked, (found, None), [Target::alone(model)], consumer, needs)
        }
        Named::Route(route) => {
            let found = Found::Route(route.name.clone());
            let experiment = route.experiment.as_ref();
            let arm = experiment.and_then(|it| it.arm((needs.lot)(&route, it.by)));
            let own = arm.map(|arm| arm.targets.as_slice()).filter(|targets| !targets.is_empty());
            let targets = own.unwrap_or(&route.targets).iter().cloned();
            let mut candidates =
                candidates(asked, (found, Some(Rc::clone(&route))), targets, consumer, needs)?;
            candidates.arm = arm.map(|arm| arm.name.clone());
            Ok(candidates)
        }
    }
}

/// The one place where it is decided who of those named is tried, and in what order: as configured, without those who
/// cannot answer.
fn candidates(
    asked: &str,
    (found, route): (Found, Option<Rc<Route>>),
    named: impl IntoIterator<Item = Target>,
    consumer: &Consumer,
    needs: Needs<'_>,
) -> Result<Candidates, Unresolved> {
    let named = named.into_iter();
    let mut targets = Vec::with_capacity(named.size_hint().0);
    let mut excluded: Vec<Excluded> = Vec::new();
    for target in named {
        match why_not(&target.model, consumer, needs) {
            None => targets.push(target),
            Some(why) => {
                let (model, provider) = (target.model.name.clone(), target.model.provider.name.clone());
                let excluding = Excluded { model, provider, why };
                if !excluded.contains(&excluding) {
                    excluded.push(excluding);
                }
            }
        }
    }
    if targets.is_empty() {
        return Err(Unresolved::nobody(asked, excluded));
    }
    Ok(Candidates { found, route, arm: None, targets, excluded })
}

/// What keeps a model from answering this consumer. What the consumer may not use does not matter to it, so that comes first; and
/// what the request needs matters only of who could answer.
fn why_not(model: &Model, consumer: &Consumer, needs: Needs<'_>) -> Option<Why> {
    if !consumer.may_use(model) {
        return Some(Why::Region);
    }
    if let Some(tag) = consumer.misses(model) {
        return Some(Why::Tag(tag.clone()));
    }
    if !needs.among.has(&model.name) {
        return Some(Why::Others);
    }
    if let Key::Missing { variable } = &model.provider.key {
        return Some(Why::KeyMissing { variable: Rc::clone(variable) });
    }
    if !model.lacks.is_empty() {
        let lacks = model.lacks.and((needs.abilities)());
        if !lacks.is_empty() {
            return Some(Why::Lacks(lacks));
        }
    }
    let window = model.context_window?;
    (needs.more_than)(model, window).map(|needed| Why::TooLong { needed, window })
}

#[cfg(test)]
mod tests;

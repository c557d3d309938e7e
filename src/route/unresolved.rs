//! Why no model answers, in words for the client.

use super::{Excluded, Why};
use crate::config::{Config, Consumer, Named};
use crate::names::{self, MAX_NAME};
use std::fmt;

/// No model can be tried for the name that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// Nothing has this name: the client's mistake (404, `model_not_found`).
    Unknown {
        /// The name, shortened if it is absurdly long.
        asked: String,
        /// Names that may have been meant, best first.
        nearest: Vec<String>,
    },
    /// What has this name is not for whoever asks (403).
    NotAllowed {
        /// The name.
        asked: String,
    },
    /// What has this name runs in no region that is for whoever asks (403).
    NoRegion {
        /// The name.
        asked: String,
    },
    /// Of nothing that has this name is warranted what whoever asks requires (403).
    NotWarranted {
        /// The name.
        asked: String,
        /// Who could have answered, and why not.
        excluded: Vec<Excluded>,
    },
    /// Nothing that has this name can do what the request asks for (400).
    Incapable {
        /// The name.
        asked: String,
        /// Who could have answered, and why not.
        excluded: Vec<Excluded>,
    },
    /// Nobody who could answer keeps to what is wanted of whoever does (400).
    Unfit {
        /// The name.
        asked: String,
        /// Who could have answered, and why not.
        excluded: Vec<Excluded>,
    },
    /// Something has this name, but nobody who could answer can now: the operator's mistake (503).
    Nobody {
        /// The name.
        asked: String,
        /// Who could have answered, and why not.
        excluded: Vec<Excluded>,
    },
}

impl Unresolved {
    pub(super) fn unknown(config: &Config, asked: &str, consumer: &Consumer) -> Self {
        let for_it =
            config.names().filter(|name| config.named(name).is_some_and(|it| consumer.may_ask_for(it)));
        let mut nearest: Vec<String> = names::nearest(asked, for_it).into_iter().map(str::to_owned).collect();
        // After a known provider's name, what that provider is known to serve is nearer than anything else.
        if let Some((provider, model)) = config.qualified(asked) {
            let provider_name = provider.name.as_str();
            let for_it = config.listed_of(provider_name).filter(|name| {
                let model = config.model_of(provider_name, name).map(Named::Model);
                model.is_some_and(|model| consumer.may_ask_for(&model))
            });
            let served = names::nearest(model, for_it);
            nearest.splice(..0, served.into_iter().map(|model| format!("{}/{model}", provider.name)));
            nearest.truncate(3);
        }
        Self::Unknown { asked: shown(asked), nearest }
    }

    pub(super) fn not_allowed(asked: &str) -> Self {
        Self::NotAllowed { asked: shown(asked) }
    }

    /// Whose matter it is that nobody answers: the client's, if someone could answer another request; the consumer's, if someone
    /// could answer another consumer; else the operator's.
    #[must_use]
    pub fn nobody(asked: &str, excluded: Vec<Excluded>) -> Self {
        let asked = shown(asked);
        let for_request = |why: &Why| matches!(why, Why::Lacks(_) | Why::TooLong { .. } | Why::Language(_));
        let for_consumer = |why: &Why| matches!(why, Why::Region | Why::Tag(_));
        if excluded.iter().any(|excluded| matches!(excluded.why, Why::Breaks(_))) {
            return Self::Unfit { asked, excluded };
        }
        if excluded.iter().any(|excluded| for_request(&excluded.why)) {
            return Self::Incapable { asked, excluded };
        }
        if excluded.iter().all(|excluded| excluded.why == Why::Region) {
            return Self::NoRegion { asked };
        }
        if excluded.iter().all(|excluded| for_consumer(&excluded.why)) {
            return Self::NotWarranted { asked, excluded };
        }
        Self::Nobody { asked, excluded }
    }

    /// The constraint that nobody keeps to who could answer otherwise.
    #[must_use]
    pub fn constraint(&self) -> Option<&'static str> {
        let Self::Unfit { excluded, .. } = self else { return None };
        excluded.iter().find_map(|excluded| match excluded.why {
            Why::Breaks(broken) => Some(broken.constraint()),
            _ => None,
        })
    }

    /// The member of the request that asks for what nobody can do; none if it is too long for all who could.
    #[must_use]
    pub fn unsupported(&self) -> Option<&'static str> {
        let Self::Incapable { excluded, .. } = self else { return None };
        excluded.iter().find_map(|excluded| match excluded.why {
            Why::Lacks(abilities) => abilities.each().next().map(|(_, member)| member),
            Why::Language(_) => Some("messages"),
            _ => None,
        })
    }
}

/// What a client sent, fit for a message: one line, no longer than a name may be.
fn shown(asked: &str) -> String {
    let mut characters = asked.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    let mut shown: String = characters.by_ref().take(MAX_NAME).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { asked, nearest } => {
                write!(f, "The model `{asked}` does not exist.")?;
                for (position, name) in nearest.iter().enumerate() {
                    write!(f, "{}`{name}`", if position == 0 { " Did you mean " } else { ", " })?;
                }
                f.write_str(if nearest.is_empty() { " GET /v1/models lists those that do." } else { "?" })
            }
            Self::NotAllowed { asked } => {
                write!(f, "You may not use the model `{asked}`. GET /v1/models lists those that you may.")
            }
            Self::NoRegion { asked } => {
                write!(f, "The model `{asked}` runs in no region that you may use.")
            }
            Self::NotWarranted { asked, excluded } => {
                write!(f, "No model for `{asked}` may answer you")?;
                reasons(excluded, f)
            }
            Self::Incapable { asked, excluded } => {
                write!(f, "No model for `{asked}` can do what is asked for")?;
                reasons(excluded, f)
            }
            Self::Unfit { asked, excluded } => {
                write!(f, "No model for `{asked}` keeps to what is wanted")?;
                reasons(excluded, f)
            }
            Self::Nobody { asked, excluded } => {
                write!(f, "No provider for the model `{asked}` can be used")?;
                reasons(excluded, f)
            }
        }
    }
}

/// Each reason once; a provider has no key for all of its models.
fn reasons(excluded: &[Excluded], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut told: Vec<String> = excluded.iter().map(ToString::to_string).collect();
    told.dedup();
    write!(f, ": {}.", told.join("; "))
}

impl std::error::Error for Unresolved {}

//! Why no model answers, in words for the client.

use super::Excluded;
use crate::config::Config;
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
    /// Something has this name, but nobody who could answer can now: the operator's mistake (503).
    Nobody {
        /// The name.
        asked: String,
        /// Who could have answered, and why not.
        excluded: Vec<Excluded>,
    },
}

impl Unresolved {
    pub(super) fn unknown(config: &Config, asked: &str) -> Self {
        let mut nearest: Vec<String> =
            names::nearest(asked, config.names()).into_iter().map(str::to_owned).collect();
        // After a known provider's name, what that provider is known to serve is nearer than anything else.
        if let Some((provider, model)) = config.qualified(asked) {
            let served = names::nearest(model, config.listed_of(provider.name.as_str()));
            nearest.splice(..0, served.into_iter().map(|model| format!("{}/{model}", provider.name)));
            nearest.truncate(3);
        }
        Self::Unknown { asked: shown(asked), nearest }
    }

    pub(super) fn nobody(asked: &str, excluded: Vec<Excluded>) -> Self {
        Self::Nobody { asked: shown(asked), excluded }
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
            Self::Nobody { asked, excluded } => {
                write!(f, "No provider for the model `{asked}` can be used")?;
                for (position, excluded) in excluded.iter().enumerate() {
                    write!(f, "{}{excluded}", if position == 0 { ": " } else { "; " })?;
                }
                f.write_str(".")
            }
        }
    }
}

impl std::error::Error for Unresolved {}

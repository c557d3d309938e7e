//! A provider's key: kept so that no log line and no error can show it.

use std::fmt;
use std::rc::Rc;

/// A text that is shown to nobody: formatting it gives `<secret>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Rc<str>);

/// A secret that could not be sent as a header's value: whitespace, a control character or a non-ASCII one is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsendable;

impl Secret {
    /// The secret in `text`, without the whitespace around it (files and shells like to add a newline).
    ///
    /// # Errors
    /// If anything else than visible ASCII is left: it would break the header it is sent in.
    pub fn parse(text: &str) -> Result<Self, Unsendable> {
        let text = text.trim();
        if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Unsendable);
        }
        Ok(Self(text.into()))
    }

    /// The secret itself, for the header it belongs in and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// What a provider's requests are authorized with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// This key.
    Secret(Secret),
    /// Nothing: the provider asks for none, or fixed headers carry it.
    None,
    /// A key is needed, but the environment variable that should hold it is unset or empty.
    /// The provider is left out of plans.
    Missing {
        /// The variable to set.
        variable: Rc<str>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let key = Key::Secret(Secret::parse("sk-abc").unwrap());
        assert_eq!(format!("{key:?}"), "Secret(<secret>)");
        assert_eq!(Secret::parse("sk-abc").unwrap().to_string(), "<secret>");
    }

    #[test]
    fn whitespace_around_a_secret_is_not_of_it_and_within_it_is_refused() {
        assert_eq!(Secret::parse(" sk-abc\r\n").unwrap().expose(), "sk-abc");
        for bad in ["", " \n", "sk abc", "sk\nabc", "sk\0abc", "sk-äbc"] {
            assert_eq!(Secret::parse(bad), Err(Unsendable), "{bad:?}");
        }
    }
}

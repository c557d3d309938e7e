//! Who asks: from what a request brings along to a consumer of the configuration, or to a refusal.
//!
//! A request may bring an API key, as `Authorization: Bearer` or as `X-API-Key`, and a token (JWT) that Envoy has verified
//! and taken out of it; if both name someone, it has to be the same consumer. What names nobody is refused, and is not
//! anonymous use: that is for requests that bring nothing. Where nobody can be told from anybody else, because the
//! configuration has neither keys nor tokens, nothing is looked at; SDKs insist on sending some key.

mod credentials;
mod denied;
mod key;
#[cfg(test)]
mod tests;

pub use credentials::Credentials;
pub use denied::Denied;

use crate::config::{Auth, Consumer};
use crate::names::ConsumerName;
use std::rc::Rc;

/// A token that Envoy has verified. The claims are as Envoy hands them over: text is its bytes, anything else some other
/// form. A token that is not valid is none; Envoy leaves it where it was, and it is no API key either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// It has these claims.
    Of {
        /// The one that names the consumer.
        subject: Vec<u8>,
        /// The one that names the tier.
        tier: Option<Vec<u8>>,
    },
    /// It has no claim that would name a consumer.
    Nameless,
}

/// Who asks. `now` is Unix time in seconds.
///
/// # Errors
/// If that cannot be told, or if nobody may ask without telling.
pub fn identify(
    auth: &Auth,
    credentials: Credentials<'_>,
    token: Option<&Token>,
    now: i64,
) -> Result<Rc<Consumer>, Denied> {
    if !auth.recognizes_someone() {
        return auth.anonymous().map(Rc::clone).ok_or(Denied::Missing);
    }
    let by_key = match credentials.key()? {
        Some(key) => Some(key::owner(auth.keys(), key, now).ok_or(Denied::Unknown)?),
        None => None,
    };
    match (by_key, token.map(|token| bearer(auth, token))) {
        (Some(key), Some(Ok(token))) if key.name != token.name => Err(Denied::Conflicting),
        (Some(key), _) => Ok(Rc::clone(key)),
        (None, Some(by_token)) => by_token,
        (None, None) => auth.anonymous().map(Rc::clone).ok_or(Denied::Missing),
    }
}

/// Who asks how the gateway is doing. A browser brings the key as a password, with any user's name.
///
/// # Errors
/// If that cannot be told, or if it is nobody who may see it.
pub fn identify_admin(
    auth: &Auth,
    credentials: Credentials<'_>,
    token: Option<&Token>,
    now: i64,
) -> Result<Rc<Consumer>, Denied> {
    let consumer = match credentials.password() {
        Some(password) if password.len() <= credentials::MAX_KEY => {
            key::owner(auth.keys(), &password, now).map(Rc::clone).ok_or(Denied::Unknown)?
        }
        Some(_) => return Err(Denied::Unknown),
        None => identify(auth, credentials, token, now)?,
    };
    if consumer.admin { Ok(consumer) } else { Err(Denied::NoAdmin) }
}

/// Whom a token names. One that the configuration has is as it is there. Any other belongs to the tier that the token
/// names; where it names none that there is, to the default tier, as a consumer does that names none.
fn bearer(auth: &Auth, token: &Token) -> Result<Rc<Consumer>, Denied> {
    let Token::Of { subject, tier } = token else { return Err(Denied::Nameless) };
    let name = ConsumerName::of_subject(subject).map_err(|_| Denied::Nameless)?;
    if let Some(consumer) = auth.consumer(name.as_str()) {
        return Ok(Rc::clone(consumer));
    }
    let tier = tier.as_ref().and_then(|tier| std::str::from_utf8(tier).ok());
    Ok(Rc::new(Consumer::unlisted(name, Rc::clone(auth.tier(tier)))))
}

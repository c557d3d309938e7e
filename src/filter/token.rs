//! What Envoy's filter `jwt_authn` has verified of a request's token, read from the dynamic metadata it leaves it in.
//!
//! Measured on Envoy 1.40: the payload cannot be read as a whole (the host has no form for a `Struct` and says so), a claim
//! can: text as its bytes, a number as the eight of a double, a boolean as one byte, maps and lists in a form full of NULs.

use super::abi::{self, Refused};
use crate::auth::Token;
use crate::config::Jwt;

/// proxy-wasm's status for a property that there is not.
const NOT_FOUND: Refused = Refused(1);

/// The token of this request; none if there is none that is valid. Where there is a key, one that names nobody does not
/// matter, and it is not asked whether there is one.
pub(super) fn verified(jwt: &Jwt, has_key: bool) -> Option<Token> {
    match abi::property(&jwt.consumer) {
        Ok(subject) => Some(Token::Of { subject, tier: abi::property(&jwt.tier).ok() }),
        Err(NOT_FOUND) if has_key || abi::property(&jwt.payload) == Err(NOT_FOUND) => None,
        Err(_) => Some(Token::Nameless),
    }
}

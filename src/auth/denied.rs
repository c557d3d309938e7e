//! Why it is not told who asks.

use crate::error::{ApiError, Blame};
use std::fmt;

/// Why a request is answered with 401.
///
/// What is known of keys is in none of them but [`Self::Unknown`], which is the same for a key that there never was, one
/// that has expired and a token that is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is no credential, and anonymous use is not allowed.
    Missing,
    /// There is more than one.
    Several,
    /// There is one that cannot be read.
    Malformed,
    /// There is one that names nobody, or nobody any more.
    Unknown,
    /// A token is valid, but names nobody.
    Nameless,
    /// A token and a key are valid, but of two consumers.
    Conflicting,
    /// It is told who asks, but that is nobody who may see how the gateway is doing.
    NoAdmin,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => {
                "You didn't provide an API key. Send it as 'Authorization: Bearer KEY' or as 'X-API-Key: KEY'."
            }
            Self::Several => "You provided more than one credential. Send one API key, in one header.",
            Self::Malformed => {
                "The credential cannot be read. Expected 'Authorization: Bearer KEY' or 'X-API-Key: KEY', \
                 where KEY is visible ASCII characters."
            }
            Self::Unknown => "Incorrect API key or token provided.",
            Self::Nameless => "The token does not say who you are.",
            Self::NoAdmin => "You may not see how the gateway is doing.",
            Self::Conflicting => "The token and the API key are not of the same consumer.",
        })
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        let (status, code) = match denied {
            Denied::NoAdmin => (403, "admin_required"),
            _ => (401, "invalid_api_key"),
        };
        let error = Self::invalid_request(denied.to_string()).coded(code);
        Self { status, ..error }.blaming(Blame::Request)
    }
}

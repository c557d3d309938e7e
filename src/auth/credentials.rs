//! What of a request's headers says who asks.

use super::Denied;
use crate::base64;

/// No key is longer, in bytes.
pub const MAX_KEY: usize = 512;

/// The headers that carry a key; each as often as it is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'h> {
    authorization: Option<&'h [u8]>,
    api_key: Option<&'h [u8]>,
    /// Whether one of them is there more than once.
    repeated: bool,
}

impl<'h> Credentials<'h> {
    /// Those among all headers, whose names are lower case.
    #[must_use]
    pub fn among(headers: &[(&str, &'h [u8])]) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            let place = match *name {
                "authorization" => &mut found.authorization,
                "x-api-key" => &mut found.api_key,
                _ => continue,
            };
            found.repeated |= place.replace(value).is_some();
        }
        found
    }

    /// Whether there is any.
    #[must_use]
    pub fn are_there(&self) -> bool {
        self.authorization.is_some() || self.api_key.is_some()
    }

    /// The password of HTTP's basic authentication (RFC 7617), by which browsers bring a key; none if that is not what is there.
    pub(super) fn password(self) -> Option<Vec<u8>> {
        let (scheme, rest) = self
            .authorization
            .filter(|_| !self.repeated && self.api_key.is_none())?
            .split_at_checked("Basic ".len())?;
        let text = std::str::from_utf8(rest).ok().filter(|_| scheme.eq_ignore_ascii_case(b"Basic "))?;
        let pair = base64::decode(text.trim_ascii())?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        pair.get(colon.saturating_add(1)..).map(<[u8]>::to_vec)
    }

    /// The key. The same one in both headers, as some clients send it, is one key.
    pub(super) fn key(self) -> Result<Option<&'h [u8]>, Denied> {
        if self.repeated {
            return Err(Denied::Several);
        }
        let bearer = self.authorization.map(bearer).transpose()?;
        let key = match (bearer, self.api_key) {
            (Some(bearer), Some(key)) if bearer != key => return Err(Denied::Several),
            (bearer, key) => bearer.or(key),
        };
        key.map(well_formed).transpose()
    }
}

/// What stands after `Bearer`, whatever case that is written in (RFC 9110, section 11.1).
fn bearer(value: &[u8]) -> Result<&[u8], Denied> {
    let (scheme, rest) = value.split_at_checked("Bearer".len()).ok_or(Denied::Malformed)?;
    match rest {
        [b' ', ..] if scheme.eq_ignore_ascii_case(b"Bearer") => Ok(rest.trim_ascii_start()),
        _ => Err(Denied::Malformed),
    }
}

/// Visible characters, and no comma: with one Envoy joins headers that are there twice.
fn well_formed(key: &[u8]) -> Result<&[u8], Denied> {
    match key {
        _ if key.contains(&b',') => Err(Denied::Several),
        _ if key.is_empty() || !key.iter().all(u8::is_ascii_graphic) => Err(Denied::Malformed),
        // A token that was not valid is left in its place; so much as its length is not told of it.
        _ if key.len() > MAX_KEY => Err(Denied::Unknown),
        _ => Ok(key),
    }
}

//! Where a provider's API begins: scheme, authority, path prefix and, for Azure's dated API versions, a query.

use std::fmt;
use std::rc::Rc;

/// `http` or `https`. Envoy's cluster decides whether the connection is encrypted; the scheme becomes `:scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text, for servers nearby.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// As it is written in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The parsed `base_url` of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// `host` or `host:port`, in lower case: the `:authority` of every request.
    pub authority: Rc<str>,
    /// Empty, or begins with a slash and does not end with one: `/v1`.
    pub path: Rc<str>,
    /// What every request carries after `?`: `api-version=2024-10-21`.
    pub query: Option<Rc<str>>,
}

/// Why a text is not a base URL. None of them repeats the text: people put credentials into URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadBaseUrl {
    /// Not `http://` or `https://`.
    Scheme,
    /// Credentials before the host.
    UserInfo,
    /// No host, or characters that no host has.
    Host,
    /// Not a port.
    Port,
    /// Whitespace, control or non-ASCII characters, or others that must be escaped in a URL.
    Character,
    /// Something after `#`.
    Fragment,
}

impl fmt::Display for BadBaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "it does not begin with http:// or https://",
            Self::UserInfo => "it has credentials before the host (a key goes into api_key)",
            Self::Host => "it has no valid host",
            Self::Port => "its port is not a number from 1 to 65535",
            Self::Character => "it has a character that a URL cannot have",
            Self::Fragment => "it has a fragment (#)",
        })
    }
}

impl BaseUrl {
    /// Reads `scheme://host[:port][/path][?query]`; slashes at the path's end do not count.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, BadBaseUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(BadBaseUrl::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(BadBaseUrl::Scheme),
        };
        if rest.contains('#') {
            return Err(BadBaseUrl::Fragment);
        }
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query).filter(|query| !query.is_empty())),
            None => (rest, None),
        };
        let (authority, path) =
            rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""));
        check_authority(authority)?;
        let path = path.trim_end_matches('/');
        if !path.chars().chain(query.unwrap_or_default().chars()).all(is_url_character) {
            return Err(BadBaseUrl::Character);
        }
        Ok(Self {
            scheme,
            authority: authority.to_ascii_lowercase().into(),
            path: path.into(),
            query: query.map(Into::into),
        })
    }

    /// The `:path` of a request to `endpoint`, which begins with a slash and may have a query of its own.
    pub fn request_path(&self, endpoint: &str) -> String {
        let (before, query) = match &self.query {
            Some(query) if endpoint.contains('?') => ("&", &**query),
            Some(query) => ("?", &**query),
            None => ("", ""),
        };
        [&self.path, endpoint, before, query].concat()
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority, self.request_path(""))
    }
}

fn check_authority(authority: &str) -> Result<(), BadBaseUrl> {
    if authority.contains('@') {
        return Err(BadBaseUrl::UserInfo);
    }
    let (valid, after) = match authority.strip_prefix('[') {
        // An IPv6 address is in brackets, because it has colons of its own.
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or(BadBaseUrl::Host)?;
            (address.parse::<std::net::Ipv6Addr>().is_ok(), after)
        }
        None => {
            let (host, after) = authority
                .split_at_checked(authority.find(':').unwrap_or(authority.len()))
                .ok_or(BadBaseUrl::Host)?;
            let is_host_character = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            (!host.is_empty() && host.chars().all(is_host_character), after)
        }
    };
    if !valid {
        return Err(BadBaseUrl::Host);
    }
    if after.is_empty() {
        return Ok(());
    }
    let port = after.strip_prefix(':').ok_or(BadBaseUrl::Host)?;
    // `parse` would take "+80".
    let digits = port.chars().all(|c| c.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(1..) if digits => Ok(()),
        _ => Err(BadBaseUrl::Port),
    }
}

fn is_url_character(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_apart() {
        for (text, scheme, authority, path, query) in [
            ("https://api.openai.com/v1", Scheme::Https, "api.openai.com", "/v1", None),
            ("HTTPS://API.openai.com/V1///", Scheme::Https, "api.openai.com", "/V1", None),
            ("http://127.0.0.1:11434", Scheme::Http, "127.0.0.1:11434", "", None),
            ("http://[::1]:8000/", Scheme::Http, "[::1]:8000", "", None),
            ("http://my_server", Scheme::Http, "my_server", "", None),
            (
                "https://r.openai.azure.com/openai/deployments/d?api-version=2024-10-21",
                Scheme::Https,
                "r.openai.azure.com",
                "/openai/deployments/d",
                Some("api-version=2024-10-21"),
            ),
            ("https://a.b?", Scheme::Https, "a.b", "", None),
        ] {
            let url = BaseUrl::parse(text).unwrap();
            let parts = (url.scheme, &*url.authority, &*url.path, url.query.as_deref());
            assert_eq!(parts, (scheme, authority, path, query), "{text}");
            assert_eq!(BaseUrl::parse(&url.to_string()), Ok(url));
        }
    }

    #[test]
    fn what_is_not_a_base_url_is_refused_with_the_reason() {
        for (text, why) in [
            ("", BadBaseUrl::Scheme),
            ("api.openai.com/v1", BadBaseUrl::Scheme),
            ("ftp://a", BadBaseUrl::Scheme),
            ("https://", BadBaseUrl::Host),
            ("https:///v1", BadBaseUrl::Host),
            ("https://a b/", BadBaseUrl::Host),
            ("https://:80", BadBaseUrl::Host),
            ("https://[::1", BadBaseUrl::Host),
            ("https://[nonsense]", BadBaseUrl::Host),
            ("https://[::1]80", BadBaseUrl::Host),
            ("https://a:", BadBaseUrl::Port),
            ("https://a:0", BadBaseUrl::Port),
            ("https://a:65536", BadBaseUrl::Port),
            ("https://a:+80", BadBaseUrl::Port),
            ("https://me:secret@a", BadBaseUrl::UserInfo),
            ("https://a/#x", BadBaseUrl::Fragment),
            ("https://a/b c", BadBaseUrl::Character),
            ("https://a/?b=\n", BadBaseUrl::Character),
            ("https://a/é", BadBaseUrl::Character),
        ] {
            assert_eq!(BaseUrl::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn an_endpoint_goes_between_the_path_and_the_query() {
        let azure = BaseUrl::parse("https://a/openai?api-version=1").unwrap();
        assert_eq!(azure.request_path("/chat/completions"), "/openai/chat/completions?api-version=1");
        assert_eq!(azure.request_path("/x?alt=sse"), "/openai/x?alt=sse&api-version=1");
        let plain = BaseUrl::parse("https://a/v1/").unwrap();
        assert_eq!(plain.request_path("/chat/completions"), "/v1/chat/completions");
    }
}

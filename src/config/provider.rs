//! One provider: where it is, what authorizes its requests and what else they carry.

use super::check::Check;
use super::{BaseUrl, Key, Secret, Vendor, raw};
use crate::names::{self, ClusterName, ProviderName};
use std::fmt;

/// A provider that requests can be sent to.
#[derive(Clone, PartialEq, Eq)]
pub struct Provider {
    /// What the configuration calls it.
    pub name: ProviderName,
    /// Envoy's cluster for it.
    pub cluster: ClusterName,
    /// Whose API it speaks.
    pub vendor: Vendor,
    /// Where its API begins.
    pub base: BaseUrl,
    /// What authorizes its requests.
    pub key: Key,
    /// Fixed headers of every request, names in lower case. The values may be secrets.
    pub headers: Vec<(String, String)>,
    /// Whether `provider/model` may be asked for although no entry of the catalog names the model.
    pub allow_unlisted: bool,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Provider")
            .field("name", &self.name)
            .field("cluster", &self.cluster)
            .field("vendor", &self.vendor)
            .field("base", &self.base)
            .field("key", &self.key)
            .field("headers", &headers)
            .field("allow_unlisted", &self.allow_unlisted)
            .finish()
    }
}

/// Headers that the gateway or Envoy writes; a fixed value would break the request or the reading of its answer.
const OWN_HEADERS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers of Envoy's and the gateway's own, which no provider is to see.
const OWN_PREFIXES: &[&str] = &["x-envoy-", "x-modelgate-"];
/// Headers in which vendors expect the key.
const KEY_HEADERS: &[&str] = &["api-key", "authorization", "x-api-key", "x-goog-api-key"];

impl Check<'_> {
    /// The provider `raw` describes; nothing if a problem was noted.
    pub(super) fn provider(&mut self, name: &str, raw: raw::Provider) -> Option<Provider> {
        let path = format!("providers.{name}");
        let provider_name = self.name(ProviderName::parse(name), &path, name);
        let cluster_name = raw.cluster.as_deref().unwrap_or(name);
        // A name that is bad as a provider's was told above.
        let cluster = match (ClusterName::parse(cluster_name), raw.cluster.is_some()) {
            (Err(_), false) => None,
            (parsed, _) => self.name(parsed, &format!("{path}.cluster"), cluster_name),
        };
        let vendor = self.vendor(&path, name, raw.vendor.as_deref());
        let base = vendor.and_then(|vendor| self.base_url(&path, vendor, raw.base_url.as_deref()));
        let key = vendor.and_then(|vendor| self.key(&path, vendor, raw.api_key));
        let headers = self.headers(&path, raw.headers, matches!(key, Some(Key::None)));
        Some(Provider {
            name: provider_name?,
            cluster: cluster?,
            vendor: vendor?,
            base: base?,
            key: key?,
            headers: headers?,
            allow_unlisted: raw.allow_unlisted,
        })
    }

    /// A provider that is called like a vendor need not name it again.
    fn vendor(&mut self, path: &str, name: &str, raw: Option<&str>) -> Option<Vendor> {
        let vendor = Vendor::named(raw.unwrap_or(name));
        if vendor.is_none() {
            let known = Vendor::ALL.iter().map(|vendor| vendor.as_str());
            let mut expected = format!("one of {}", known.clone().collect::<Vec<_>>().join(", "));
            let found = match raw {
                Some(raw) => format!("unknown vendor {raw:?}"),
                None => {
                    expected.push_str(" (by default the provider's name, where it is one of them)");
                    "missing key `vendor`".to_owned()
                }
            };
            let nearest = names::nearest(raw.unwrap_or(name), known);
            self.problems.add_with_nearest(format!("{path}.vendor"), found, expected, nearest);
        }
        vendor
    }

    fn base_url(&mut self, path: &str, vendor: Vendor, raw: Option<&str>) -> Option<BaseUrl> {
        let path = format!("{path}.base_url");
        let Some(text) = raw.or(vendor.default_base_url()) else {
            self.problems.add(
                path,
                "missing key `base_url`",
                format!("the address of this {vendor} server: {URL}"),
            );
            return None;
        };
        BaseUrl::parse(text)
            .map_err(|why| self.problems.add(path, format!("not a base URL: {why}"), URL))
            .ok()
    }

    fn key(&mut self, path: &str, vendor: Vendor, raw: Option<raw::ApiKey>) -> Option<Key> {
        let (path, text) = match raw {
            Some(raw::ApiKey::None) => return Some(Key::None),
            Some(raw::ApiKey::Value(text)) => (format!("{path}.api_key.value"), text),
            Some(raw::ApiKey::Env(variable)) => {
                return self.key_in(&variable, &format!("{path}.api_key.env"));
            }
            None => {
                return match vendor.default_key_variable() {
                    Some(variable) => self.key_in(variable, &format!("{path}.api_key")),
                    None => Some(Key::None),
                };
            }
        };
        self.secret(&path, "the key", &text)
    }

    fn key_in(&mut self, variable: &str, path: &str) -> Option<Key> {
        match self.variable(variable, path, "the provider")? {
            Some(text) => self.secret(path, &format!("the value of {variable}"), &text),
            None => Some(Key::Missing { variable: variable.into() }),
        }
    }

    /// What this variable of the environment has; if nothing, it is warned that `who` is left out.
    pub(super) fn variable(&mut self, variable: &str, path: &str, who: &str) -> Option<Option<String>> {
        let mut characters = variable.chars();
        let valid = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && characters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            // It is not repeated: it may be the key itself, in the wrong place.
            self.problems.add(
                path,
                "not the name of an environment variable",
                "letters, digits and underscores",
            );
            return None;
        }
        let text = (self.env)(variable).filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.warnings.push(format!(
                "{path}: {variable} is not set in the plugin's environment (vm_config.environment_variables): \
                 {who} is left out"
            ));
        }
        Some(text)
    }

    fn secret(&mut self, path: &str, what: &str, text: &str) -> Option<Key> {
        let parsed = Secret::parse(text);
        if parsed.is_err() {
            self.problems.add(
                path,
                format!("{what} cannot be sent in a header"),
                "visible ASCII characters, no spaces",
            );
        }
        parsed.ok().map(Key::Secret)
    }

    pub(super) fn headers(
        &mut self,
        path: &str,
        raw: raw::Entries<String>,
        may_authorize: bool,
    ) -> Option<Vec<(String, String)>> {
        let before = self.problems.iter().len();
        let mut headers: Vec<(String, String)> = Vec::with_capacity(raw.0.len());
        for (name, value) in raw.0 {
            let path = format!("{path}.headers.{name}");
            let name = name.to_ascii_lowercase();
            if name.is_empty() || !name.bytes().all(is_token) {
                self.problems.add(path, "not a header's name", "letters, digits and hyphens");
            } else if OWN_HEADERS.contains(&name.as_str())
                || OWN_PREFIXES.iter().any(|own| name.starts_with(own))
            {
                self.problems.add(path, "a header that the gateway or Envoy sets itself", "another header");
            } else if KEY_HEADERS.contains(&name.as_str()) && !may_authorize {
                self.problems.add(
                    path,
                    "a header for the key",
                    "the key in api_key, or api_key: none beside this header",
                );
            } else if !value.chars().all(|c| matches!(c, ' '..='~' | '\t')) || value.trim() != value {
                self.problems.add(
                    path,
                    "not a header's value",
                    "visible ASCII characters, and spaces between them",
                );
            } else if headers.iter().any(|(other, _)| *other == name) {
                self.problems.add(path, "the header is there twice", "one value");
            } else {
                headers.push((name, value));
            }
        }
        (self.problems.iter().len() == before).then_some(headers)
    }
}

const URL: &str = "http[s]://host[:port][/path][?query]";

/// What HTTP allows in a header's name (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

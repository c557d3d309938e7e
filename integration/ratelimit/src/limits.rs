//! Which limit a descriptor has: the configuration of envoyproxy/ratelimit, a tree of keys and values.
use serde::Deserialize;

use crate::messages::{Descriptor, Entry};

/// The limits of one domain.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Whose limits these are; the filter says the same.
    pub domain: String,
    descriptors: Vec<Node>,
}

/// One key, with one value or any.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    key: String,
    /// The value it is for; one that ends in `*` is for all that begin so. Without one it is for all values that no other node
    /// is for, each of which has a counter.
    value: Option<String>,
    rate_limit: Option<Limit>,
    #[serde(default)]
    descriptors: Vec<Node>,
}

/// So many in a window.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The window's length.
    #[serde(default)]
    pub unit: Unit,
    /// The most that fits.
    #[serde(default)]
    pub requests_per_unit: u32,
    /// Whether there is no limit after all.
    #[serde(default)]
    pub unlimited: bool,
}

/// A window's length; windows begin at multiples of it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// One second.
    #[default]
    Second = 1,
    /// 60 seconds.
    Minute = 2,
    /// 60 minutes.
    Hour = 3,
    /// 24 hours.
    Day = 4,
    /// 30 days.
    Month = 5,
    /// 365 days.
    Year = 6,
    /// Seven days.
    Week = 7,
}

impl Unit {
    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
            Self::Month => 30 * 86_400,
            Self::Year => 365 * 86_400,
        }
    }
}

impl Limits {
    /// Reads a file of them.
    ///
    /// # Errors
    /// If it is not such a file, or asks for what this service does not know.
    pub fn parse(text: &str) -> Result<Self, yaml_serde::Error> {
        yaml_serde::from_str(text)
    }

    /// The limit that a descriptor of a domain has; none if there is none, or none for it.
    #[must_use]
    pub fn find(&self, domain: &str, descriptor: &Descriptor) -> Option<&Limit> {
        let (last, path) = descriptor.entries.split_last()?;
        let mut nodes = Some(self).filter(|limits| limits.domain == domain)?.descriptors.as_slice();
        for entry in path {
            nodes = &best(nodes, entry)?.descriptors;
        }
        best(nodes, last)?.rate_limit.as_ref().filter(|limit| !limit.unlimited)
    }
}

/// The node that says most of an entry: its very value, the beginning of its value, or its key alone.
fn best<'a>(nodes: &'a [Node], entry: &Entry) -> Option<&'a Node> {
    let mut found = nodes.iter().filter_map(|node| {
        let rank = match &node.value {
            _ if node.key != entry.key => return None,
            None => 0,
            Some(value) if *value == entry.value => usize::MAX,
            Some(value) => {
                value.strip_suffix('*').filter(|beginning| entry.value.starts_with(beginning))?.len() + 1
            }
        };
        Some((rank, node))
    });
    let first = found.next()?;
    Some(found.fold(first, |best, other| if other.0 > best.0 { other } else { best }).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "
        domain: gateway
        descriptors:
        - {key: consumer, rate_limit: {unit: minute, requests_per_unit: 10}}
        - {key: consumer, value: acme, rate_limit: {unit: day, requests_per_unit: 20}}
        - {key: consumer, value: 'dev-*', rate_limit: {unit: hour, requests_per_unit: 30}}
        - {key: consumer, value: admin, rate_limit: {unlimited: true}}
        - key: tier
          value: free
          descriptors:
          - {key: model, rate_limit: {unit: second, requests_per_unit: 40}}
    ";

    fn descriptor(entries: &[(&str, &str)]) -> Descriptor {
        let entry =
            |(key, value): &(&str, &str)| Entry { key: (*key).to_owned(), value: (*value).to_owned() };
        Descriptor { entries: entries.iter().map(entry).collect(), hits_addend: None }
    }

    #[test]
    fn the_node_that_says_most_of_a_descriptor_has_its_limit() {
        let limits = Limits::parse(TREE).expect("the tree is one");
        for (entries, expected) in [
            (&[("consumer", "globex")][..], Some((Unit::Minute, 10))),
            (&[("consumer", "acme")], Some((Unit::Day, 20))),
            (&[("consumer", "dev-7")], Some((Unit::Hour, 30))),
            (&[("consumer", "admin")], None),
            (&[("tier", "free"), ("model", "m")], Some((Unit::Second, 40))),
            (&[("tier", "free")], None),
            (&[("tier", "paid"), ("model", "m")], None),
            (&[("model", "m")], None),
            (&[], None),
        ] {
            let found = limits.find("gateway", &descriptor(entries));
            assert_eq!(found.map(|limit| (limit.unit, limit.requests_per_unit)), expected, "{entries:?}");
        }
        assert!(limits.find("another", &descriptor(&[("consumer", "acme")])).is_none());
    }

    #[test]
    fn what_this_service_does_not_know_is_an_error() {
        for text in [
            "domain: d",
            "domain: d\ndescriptors: [{key: k, shadow_mode: true}]",
            "{domain: d, descriptors: [], x: 1}",
        ] {
            assert!(Limits::parse(text).is_err(), "{text}");
        }
    }
}

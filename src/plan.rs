//! The plan of a request: its targets in order, and what each attempt has to know of the client.
//!
//! The gateway role writes it once into filter state; each attempt's provider role reads it there.
//! Attempt *n* is target *n*. It carries names, not references, so that it stays readable when the
//! configuration changes between two attempts.

use serde::{Deserialize, Serialize};

/// What a request may be answered by, and how the client wants it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Plan {
    /// In the order of the attempts.
    #[serde(rename = "t")]
    pub targets: Vec<PlannedTarget>,
    /// How long the canonical body is. An attempt cannot take it from the headers: they are as the
    /// last attempt left them.
    #[serde(rename = "l")]
    pub length: usize,
    /// Whether the client asked for a stream.
    #[serde(rename = "s")]
    pub stream: bool,
    /// Whether the client asked for usage in the stream.
    #[serde(rename = "u")]
    pub include_usage: bool,
    /// Whether the client expects a call as the legacy `function_call`.
    #[serde(rename = "f")]
    pub functions: bool,
}

/// One attempt.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PlannedTarget {
    /// The provider's name in the configuration.
    #[serde(rename = "p")]
    pub provider: String,
    /// The Envoy cluster it is reached through.
    #[serde(rename = "c")]
    pub cluster: String,
    /// The provider's own name of the model.
    #[serde(rename = "m")]
    pub model: String,
    /// The model's name in the catalog, for the client.
    #[serde(rename = "n")]
    pub name: String,
    /// Whether the canonical body may go to this target as it stands.
    #[serde(rename = "b")]
    pub body_passes: bool,
    /// The most tokens the model can answer with, where the catalog says.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
}

impl Plan {
    /// The plan as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // A struct of strings and numbers always serializes.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The plan in `bytes`, if there is one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let target = |name: &str, max_output_tokens: Option<u64>| PlannedTarget {
            provider: name.to_string(),
            cluster: format!("cluster \"of\" {name}"),
            model: "m/\u{e9}".to_string(),
            name: "n".to_string(),
            body_passes: max_output_tokens.is_none(),
            max_output_tokens,
        };
        let targets = vec![target("a", None), target("b", Some(64_000))];
        let plan = Plan { targets, length: 70_000, stream: true, include_usage: false, functions: true };
        assert_eq!(Plan::from_bytes(&plan.to_bytes()), Some(plan));
    }

    #[test]
    fn what_is_no_plan_is_none() {
        for bytes in [&b""[..], b"{}", b"null", b"{\"t\":[]", &[0xFF]] {
            assert_eq!(Plan::from_bytes(bytes), None);
        }
    }
}

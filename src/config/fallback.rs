//! How a request that a target has failed gets to the next one.

use super::shape::words;

/// By what a request gets to a target in another cluster than the one that has failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fallback {
    /// `retries`: Envoy's retries, each of which chooses its cluster anew (`refresh_cluster_on_retry`, Envoy 1.39).
    #[default]
    Retries,
    /// `calls`: Envoy's retries stay in the first target's cluster, and the gateway asks itself for the others.
    Calls,
    /// `none`: Envoy's retries stay in the first target's cluster, and nobody else is asked.
    None,
}

words! { Fallback: "retries" => Fallback::Retries, "calls" => Fallback::Calls, "none" => Fallback::None }

impl Fallback {
    /// What is off with it, and why; nothing with [`Self::Retries`].
    #[must_use]
    pub fn lack(self) -> Option<&'static str> {
        match self {
            Self::Retries => None,
            Self::Calls => Some(
                "fallback: calls: retries stay in the first target's cluster (before Envoy 1.39 they cannot leave it); others are asked \
                 through the internal listener, and stream nothing",
            ),
            Self::None => Some(
                "fallback: none: retries stay in the first target's cluster (before Envoy 1.39 they cannot leave it); nobody else is \
                 asked",
            ),
        }
    }
}

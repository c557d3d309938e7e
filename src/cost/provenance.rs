//! Where the numbers come from: what is charged says so.

/// Who counted the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// The provider reported them.
    Provider,
    /// Nobody reported them: they were estimated from what was sent and what was delivered.
    Estimated,
    /// Some were reported, some estimated.
    Mixed,
}

impl Provenance {
    /// The provenance of two counts taken together: prompt and answer of one attempt, or several attempts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Mixed }
    }

    /// The word in headers and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Estimated => "estimated",
            Self::Mixed => "mixed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Provenance::{Estimated, Mixed, Provider};

    #[test]
    fn what_is_partly_estimated_is_mixed() {
        for (a, b, both) in [
            (Provider, Provider, Provider),
            (Estimated, Estimated, Estimated),
            (Provider, Estimated, Mixed),
            (Mixed, Provider, Mixed),
            (Mixed, Estimated, Mixed),
            (Mixed, Mixed, Mixed),
        ] {
            assert_eq!((a.and(b), b.and(a)), (both, both), "{a:?} {b:?}");
        }
    }
}

//! What an answer cost, told with its usage: the only member of ours in a stream.

use super::event::Usage;
use crate::json;
use crate::money::NanoUsd;
use std::fmt;
use std::rc::Rc;

/// The name of the member.
pub(super) const MEMBER: &str = "x_modelgate";

/// Knows what usage costs.
#[derive(Clone)]
pub struct Costs(Rc<dyn Fn(&Usage) -> NanoUsd>);

impl Costs {
    /// By this rule.
    pub fn new(rule: impl Fn(&Usage) -> NanoUsd + 'static) -> Self {
        Self(Rc::new(rule))
    }

    /// What it cost.
    #[must_use]
    pub fn of(&self, usage: &Usage) -> NanoUsd {
        self.0(usage)
    }

    /// Writes the member, with the comma before it: `,"x_modelgate":{"cost_usd":0.00001}`.
    pub fn write(&self, out: &mut Vec<u8>, usage: &Usage) {
        out.push(b',');
        json::string(out, MEMBER);
        out.push(b':');
        json::object(out, |member| member.number("cost_usd", self.of(usage)));
    }
}

impl fmt::Debug for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Costs")
    }
}

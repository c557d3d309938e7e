//! Answers that are checked against the form that was asked for, and what is done about those that have it not.

use super::check::Check;
use super::{How, Orchestration, Trigger, raw};
use std::ops::RangeInclusive;
use std::rc::Rc;

/// Who has not answered in the form after so many attempts will not.
const ATTEMPTS: u64 = 3;
const FEW: RangeInclusive<u64> = 1..=8;

/// How a route's answers are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// So many answers are asked for at most, the first one among them.
    pub attempts: u32,
    /// Whether the arguments of calls are checked as well.
    pub tools: bool,
}

impl Check<'_> {
    pub(super) fn checked(&mut self, path: &str, raw: &raw::Checked) -> Option<Rc<Orchestration>> {
        let rules = match raw {
            raw::Checked::Switch(false) => return None,
            raw::Checked::Switch(true) => &raw::CheckedRules::default(),
            raw::Checked::By(rules) => rules,
        };
        let path = format!("{path}.check");
        let attempts = self.limited(&format!("{path}.attempts"), rules.attempts, ATTEMPTS, &FEW);
        let checked = Checked {
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            tools: rules.tools.unwrap_or(true),
        };
        let (timeout_ms, call_timeout_ms, max_cost) =
            self.time_and_money(&path, (rules.timeout_ms, rules.call_timeout_ms), rules.max_cost_usd);
        Some(Rc::new(Orchestration {
            when: Trigger::always(),
            timeout_ms,
            call_timeout_ms,
            max_cost,
            report: rules.report.unwrap_or(true),
            how: How::Checked(Rc::new(checked)),
        }))
    }
}

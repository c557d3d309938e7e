//! What an answer cost, told with its usage, and how it was made where several calls have made it: the only member of ours in an
//! answer.

use super::event::Usage;
use crate::json::{self, Edit, Value, splice};
use crate::money::NanoUsd;
use std::fmt;
use std::rc::Rc;

/// The name of the member.
pub(super) const MEMBER: &str = "x_modelgate";

/// What was used for an answer before it was asked for: by calls that it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// Tokens.
    pub usage: Usage,
    /// What they cost; none if nobody knows.
    pub cost: Option<NanoUsd>,
    /// How the answer is made, as far as it is told: names and JSON texts.
    pub reports: Vec<(&'static str, Vec<u8>)>,
}

/// What usage costs.
type Rule = Rc<dyn Fn(&Usage) -> NanoUsd>;

/// Knows what usage costs, and what was used before.
#[derive(Clone, Default)]
pub struct Costs {
    rule: Option<Rule>,
    before: Option<Rc<Before>>,
}

impl Costs {
    /// By this rule.
    pub fn new(rule: impl Fn(&Usage) -> NanoUsd + 'static) -> Self {
        Self { rule: Some(Rc::new(rule)), before: None }
    }

    /// The same after so much was used.
    #[must_use]
    pub fn after(self, before: Option<Rc<Before>>) -> Self {
        Self { before, ..self }
    }

    /// Whether anything was used before, so that the answer does not say all.
    #[must_use]
    pub fn adds(&self) -> bool {
        self.before.is_some()
    }

    /// What it cost in all, if that is known.
    #[must_use]
    pub fn of(&self, usage: &Usage) -> Option<NanoUsd> {
        let cost = self.rule.as_ref().map(|rule| rule(usage));
        let before = self.before.as_ref().and_then(|before| before.cost);
        match (cost, before) {
            (Some(cost), Some(before)) => Some(cost.saturating_add(before)),
            (cost, before) => cost.or(before),
        }
    }

    /// What was used in all.
    #[must_use]
    pub fn usage(&self, usage: &Usage) -> Usage {
        self.before.as_ref().map_or(*usage, |before| before.usage.plus(usage))
    }

    /// Writes the member, with the comma before it: `,"x_modelgate":{"cost_usd":0.00001}`.
    pub fn write(&self, out: &mut Vec<u8>, usage: &Usage) {
        out.push(b',');
        json::string(out, MEMBER);
        out.push(b':');
        self.write_value(out, usage);
    }

    fn write_value(&self, out: &mut Vec<u8>, usage: &Usage) {
        json::object(out, |member| {
            if let Some(cost) = self.of(usage) {
                member.number("cost_usd", cost);
            }
            for (name, report) in self.before.iter().flat_map(|before| &before.reports) {
                member.raw(name, report);
            }
        });
    }

    /// `text`, which is an answer or a chunk of one that used so much, with what it used in all and how it was made.
    #[must_use]
    pub fn told_in(&self, text: &[u8], answer: Value<'_>, usage: Option<Usage>) -> Vec<u8> {
        let usage = usage.unwrap_or_default();
        let (mut all, mut member) = (Vec::new(), Vec::new());
        self.usage(&usage).write(&mut all);
        self.write_value(&mut member, &usage);
        splice(text, vec![Edit::set(answer, "usage", &all), Edit::set(answer, MEMBER, &member)])
    }
}

impl fmt::Debug for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Costs")
    }
}

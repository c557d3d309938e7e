//! What is changed in a request that a target serves as a fallback: it may be a lesser model, or a dearer one.

use super::check::Check;
use super::raw;
use super::shape::words;
use std::rc::Rc;

/// What is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    /// What the system prompt says besides.
    pub system: Option<Rc<str>>,
    /// `temperature`, as JSON.
    pub temperature: Option<Rc<str>>,
    /// The most that the answer may have, in tokens.
    pub max_tokens: Option<u64>,
    /// `reasoning_effort`.
    pub reasoning_effort: Option<Rc<str>>,
    /// Whether tools become an instruction to answer with JSON.
    pub strips_tools: bool,
}

impl Edits {
    /// Which members of the request they change, for the client.
    #[must_use]
    pub fn list(&self) -> String {
        let all = [
            ("system", self.system.is_some()),
            ("temperature", self.temperature.is_some()),
            ("max_tokens", self.max_tokens.is_some()),
            ("reasoning_effort", self.reasoning_effort.is_some()),
            ("tools", self.strips_tools),
        ];
        let names: Vec<_> = all.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| *name).collect();
        names.join(",")
    }
}

/// What becomes of tools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Tools {
    #[default]
    Keep,
    Strip,
}

words! { Tools: "keep" => Tools::Keep, "strip" => Tools::Strip }

/// An effort that requests may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effort(pub &'static str);

words! {
    Effort:
    "none" => Effort("none"),
    "minimal" => Effort("minimal"),
    "low" => Effort("low"),
    "medium" => Effort("medium"),
    "high" => Effort("high"),
    "xhigh" => Effort("xhigh"),
    "max" => Effort("max"),
}

impl Check<'_> {
    pub(super) fn edits(&mut self, path: &str, raw: &raw::Edits) -> Edits {
        if let Some(temperature) = raw.temperature.filter(|number| !(0.0..=2.0).contains(number)) {
            let path = format!("{path}.temperature");
            self.problems.add(path, temperature.to_string(), "a number from 0 to 2");
        }
        if raw.max_tokens == Some(0) {
            self.problems.add(format!("{path}.max_tokens"), "0", "a number of tokens, at least 1");
        }
        let edits = Edits {
            system: raw.system.as_deref().filter(|text| !text.trim().is_empty()).map(Rc::from),
            temperature: raw.temperature.map(|number| number.to_string().into()),
            max_tokens: raw.max_tokens,
            reasoning_effort: raw.reasoning_effort.map(|effort| effort.0.into()),
            strips_tools: raw.tools == Tools::Strip,
        };
        if edits == Edits::default() {
            let expected = "something of system, temperature, max_tokens, reasoning_effort and tools: strip";
            self.problems.add(path, "it changes nothing", expected);
        }
        edits
    }
}

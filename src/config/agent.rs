//! Agents: who plans, which models and tools a plan may use, who looks at what came of it, and how far a plan may go.

use super::catalog::{Catalog, Named};
use super::check::{Check, at};
use super::shape::words;
use super::{Judge, Model, Price, Tool, raw};
use crate::names;
use std::ops::RangeInclusive;
use std::rc::Rc;

const MODELS: RangeInclusive<u64> = 1..=16;
const MOST_TOOLS: u64 = 16;
const STEPS: RangeInclusive<u64> = 1..=16;
const MOST_STEPS: u64 = 8;
const MOST_DEPTH: u64 = 4;
const ROUNDS: RangeInclusive<u64> = 0..=3;
const STEP_TOKENS: u64 = 4_096;
const TOKENS: RangeInclusive<u64> = 1..=10_000_000;

/// Someone plans the answer to a request, and the plan's steps are carried out.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Who plans: a model, as a client would ask for it, or a route.
    pub planner: Rc<str>,
    /// What the planner is told besides.
    pub instructions: Option<Rc<str>>,
    /// Who may be given a step; at least one.
    pub models: Vec<Skilled>,
    /// What steps may use.
    pub tools: Vec<Rc<Tool>>,
    /// Who looks at what came of the steps.
    pub validator: Option<Judge>,
    /// Who writes the answer.
    pub synthesis: Rc<str>,
    /// What is done without asking the client.
    pub autonomy: Autonomy,
    /// How many steps a plan may have.
    pub max_steps: usize,
    /// How many steps of a plan may come one after the other.
    pub max_depth: usize,
    /// How often the validator may send what came of the steps back.
    pub max_rounds: u32,
    /// How many tokens the answer of one step may have.
    pub max_step_tokens: u64,
    /// How many tokens the steps of a plan may be expected to take.
    pub max_tokens: Option<u64>,
}

impl PartialEq for Agent {
    /// Each is one of its own.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Agent {}

/// A model, and what it is good for.
#[derive(Debug, Clone)]
pub struct Skilled {
    /// A model, as a client would ask for it, or a route.
    pub model: Rc<str>,
    /// What it is good for, for whoever plans.
    pub description: Rc<str>,
    /// Words by which a step may ask for it.
    pub capabilities: Vec<Rc<str>>,
    /// The catalog's model; none if it is a route.
    pub known: Option<Rc<Model>>,
    /// What it costs, if that is known.
    pub price: Option<Price>,
}

/// What is done without asking the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Autonomy {
    /// All of it.
    #[default]
    Auto,
    /// The plan is made, and carried out once the client has approved of it.
    Approve,
    /// The plan is made, and is the answer.
    PlanOnly,
}

words! {
    Autonomy: "auto" => Autonomy::Auto, "approve" => Autonomy::Approve, "plan_only" => Autonomy::PlanOnly
}

impl Agent {
    /// The models that it names, with where: as a client would ask for them.
    pub(super) fn models(&self) -> Vec<(String, &str)> {
        let mut all = vec![("agent.planner".to_owned(), &*self.planner)];
        for (at, skilled) in self.models.iter().enumerate() {
            all.push((format!("agent.models[{at}].model"), &skilled.model));
        }
        all.extend(self.validator.iter().map(|judge| ("agent.validator.model".to_owned(), &*judge.model)));
        if self.synthesis != self.planner {
            all.push(("agent.synthesis".to_owned(), &self.synthesis));
        }
        all
    }
}

impl Check<'_> {
    pub(super) fn agent(&mut self, catalog: &Catalog, path: &str, raw: &raw::Agent) -> Option<Agent> {
        if !MODELS.contains(&(raw.models.len() as u64)) {
            self.wrong(&at(path, "models"), &raw.models.len().to_string(), "from 1 to 16 of them");
        }
        let models: Vec<_> = raw.models.iter().map(|raw| self.skilled(catalog, raw)).collect();
        for (at, skilled) in models.iter().enumerate() {
            if models.iter().take(at).any(|other| other.model == skilled.model) {
                let path = format!("{path}.models[{at}].model");
                self.wrong(&path, &format!("{:?} is there twice", skilled.model), "each model once");
            }
        }
        if raw.tools.len() as u64 > MOST_TOOLS {
            self.wrong(&at(path, "tools"), &raw.tools.len().to_string(), "at most 16 of them");
        }
        let tools = raw.tools.iter().enumerate();
        let tools: Vec<_> =
            tools.map(|(at, name)| self.tool_named(&format!("{path}.tools[{at}]"), name)).collect();
        let validator = match &raw.validator {
            Some(raw) => Some(self.judge(&at(path, "validator"), Some(raw))?),
            None => None,
        };
        let mut count = |key: &str, raw: Option<u64>, default: u64, range: &RangeInclusive<u64>| {
            self.limited(&at(path, key), raw, default, range)
        };
        let max_steps = count("max_steps", raw.max_steps, MOST_STEPS, &STEPS);
        let max_depth = count("max_depth", raw.max_depth, MOST_DEPTH, &STEPS);
        let max_rounds = count("max_rounds", raw.max_rounds, 1, &ROUNDS);
        let max_step_tokens = count("max_step_tokens", raw.max_step_tokens, STEP_TOKENS, &TOKENS);
        let max_tokens = raw.max_tokens.map(|tokens| count("max_tokens", Some(tokens), tokens, &TOKENS));
        let instructions = raw.instructions.as_deref().filter(|text| !text.trim().is_empty());
        Some(Agent {
            planner: raw.planner.as_str().into(),
            instructions: instructions.map(Into::into),
            models,
            tools: tools.into_iter().collect::<Option<_>>()?,
            validator,
            synthesis: raw.synthesis.as_ref().unwrap_or(&raw.planner).as_str().into(),
            autonomy: raw.autonomy,
            max_steps: usize::try_from(max_steps).unwrap_or(1),
            max_depth: usize::try_from(max_depth).unwrap_or(1),
            max_rounds: u32::try_from(max_rounds).unwrap_or(0),
            max_step_tokens,
            max_tokens,
        })
    }

    fn skilled(&self, catalog: &Catalog, raw: &raw::Skilled) -> Skilled {
        let known = match catalog.names.get(raw.model.as_str()) {
            Some(Named::Model(model)) => Some(Rc::clone(model)),
            Some(Named::Route(_)) => None,
            None => catalog.model(&raw.model),
        };
        let price = known.as_ref().and_then(|model| model.price.or(self.default_price));
        Skilled {
            model: raw.model.as_str().into(),
            description: raw.description.trim().into(),
            capabilities: raw.capabilities.iter().map(|word| word.as_str().into()).collect(),
            known,
            price,
        }
    }

    fn tool_named(&mut self, path: &str, name: &str) -> Option<Rc<Tool>> {
        let tool = self.tools.iter().find(|tool| *tool.name == *name).cloned();
        if tool.is_none() && !self.is_refused("tools", name) {
            let known: Vec<_> = self.tools.iter().map(|tool| Rc::clone(&tool.name)).collect();
            let nearest = names::nearest(name, known.iter().map(|name| &**name));
            self.problems.add_with_nearest(path, format!("unknown tool {name:?}"), "one of tools", nearest);
        }
        tool
    }
}

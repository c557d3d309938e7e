//! A plan: what a planner or a client has written, read as what it is, text from outside, and held against what is allowed.
//!
//! `{"steps": [{"id": "facts", "tool": "search", "arguments": {"query": "…"}}, {"id": "sum", "needs": ["facts"], "model": "fast",
//! "task": "…"}]}`. In strings of `arguments`, `{{facts}}` stands for the result of that step.

use super::arguments::{references, violation};
use crate::config::{Agent, Consumer, Model, Price, Skilled, Tool};
use crate::json::{self, Document, Surrogates, Value};
use crate::money::NanoUsd;
use std::rc::Rc;

const MOST_TEXT: usize = 128 * 1024;
const MOST_ID: usize = 40;
/// Of a task or of arguments, in bytes.
const MOST_SAID: usize = 16 * 1024;
/// More steps there never are.
const MOST_NEEDS: usize = 64;
/// In prose with braces the plan is looked for behind so many of them.
const TRIES: usize = 8;
/// What a model is told besides the conversation and what it needs, in tokens, about.
const INSTRUCTION_TOKENS: u64 = 300;
/// A byte of a prompt is so many of a token.
const BYTES_PER_TOKEN: u64 = 4;

/// One step.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub id: String,
    /// The steps whose results it needs, by their ids; each is in this plan or was carried out before.
    pub needs: Vec<String>,
    pub does: Does,
    /// What is to be done, in words.
    pub task: String,
}

/// Who does a step.
#[derive(Clone, Debug)]
pub(super) enum Does {
    Ask(Rc<str>),
    /// With these arguments, a JSON object.
    Use(Rc<Tool>, Vec<u8>),
}

/// What a plan is held against.
#[derive(Clone, Copy)]
pub(super) struct Terms<'t> {
    pub agent: &'t Agent,
    pub consumer: &'t Consumer,
    /// The ids of steps that were carried out before.
    pub known: &'t [&'t str],
    /// What may still be spent.
    pub money: Option<NanoUsd>,
    /// How long the conversation is that each model is shown, in bytes.
    pub conversation: usize,
}

impl Terms<'_> {
    /// The models that may be given a step: where they run, and what is warranted of them, is right for whoever asks.
    pub fn models(&self) -> impl Iterator<Item = &Skilled> {
        let may = |model: &Model| self.consumer.may_use(model) && self.consumer.misses(model).is_none();
        self.agent.models.iter().filter(move |skilled| skilled.known.as_ref().is_none_or(|model| may(model)))
    }

    /// The tools that a step may use.
    pub fn tools(&self) -> impl Iterator<Item = &Rc<Tool>> {
        self.agent.tools.iter().filter(|tool| tool.is_for(self.consumer))
    }
}

/// Reads a plan.
///
/// # Errors
/// The first thing that is wrong with it, and where.
pub(super) fn read(text: &str, terms: &Terms<'_>) -> Result<Vec<Step>, String> {
    if text.len() > MOST_TEXT {
        return Err("the plan is too long".to_owned());
    }
    let document = object(text).ok_or("there is no JSON object in the answer, or it is not valid JSON")?;
    let steps = document.root().get("steps").ok_or("`steps` is missing")?;
    if steps.kind() != json::Kind::Array {
        return Err("`steps` is no list".to_owned());
    }
    let most = terms.agent.max_steps;
    let count = steps.items().take(most.saturating_add(1)).count();
    if count > most {
        return Err(format!("there are more than {most} steps"));
    }
    let mut read = Vec::with_capacity(count);
    for (at, value) in steps.items().enumerate() {
        let step = step(value, terms, &read).map_err(|why| format!("steps[{at}]: {why}"))?;
        read.push(step);
    }
    is_bounded(&read, terms)?;
    Ok(read)
}

/// The JSON object in a text that may have more around it.
pub(super) fn object(text: &str) -> Option<Document<'_>> {
    let text = text.get(..=text.rfind('}')?)?;
    let starts = text.match_indices('{').take(TRIES);
    starts.filter_map(|(at, _)| Document::parse(text.get(at..)?.as_bytes(), Surrogates::Lone).ok()).next()
}

/// A member that is a string; none is empty.
fn text(value: Value<'_>, key: &str) -> Result<String, String> {
    let Some(member) = value.get(key) else { return Ok(String::new()) };
    let text = member.text().ok_or_else(|| format!("`{key}` is no string"))?;
    let text = text.decode().into_owned();
    if text.len() > MOST_SAID { Err(format!("`{key}` is too long")) } else { Ok(text) }
}

fn step(value: Value<'_>, terms: &Terms<'_>, before: &[Step]) -> Result<Step, String> {
    let (id, task) = (text(value, "id")?, text(value, "task")?);
    let (model, capability, tool) = (text(value, "model")?, text(value, "capability")?, text(value, "tool")?);
    if id.is_empty() || id.len() > MOST_ID || !id.bytes().all(is_id) {
        return Err(format!("`id` has to be 1 to {MOST_ID} letters, digits, `_` or `-`"));
    }
    if before.iter().any(|step| step.id == id) {
        return Err(format!("the id {id:?} is there twice"));
    }
    let mut needs = Vec::new();
    let listed = value.get("needs");
    let alone = listed.filter(|needs| needs.text().is_some());
    for need in listed.into_iter().flat_map(|needs| needs.items()).chain(alone).take(MOST_NEEDS) {
        let need = need.text().ok_or("`needs` is no list of ids")?.decode().into_owned();
        if !needs.contains(&need) {
            needs.push(need);
        }
    }
    let does = if tool.is_empty() {
        if task.is_empty() {
            return Err("`task` is missing".to_owned());
        }
        Does::Ask(model_of(&model, &capability, terms)?)
    } else {
        let tool = terms.tools().find(|known| *known.name == *tool).ok_or_else(|| unknown("tool", &tool))?;
        let arguments = value.get("arguments").map_or(&b"{}"[..], Value::raw);
        if arguments.len() > MOST_SAID {
            return Err("`arguments` are too long".to_owned());
        }
        if let Some(why) = violation(&tool.parameters, arguments, true) {
            return Err(format!("arguments of {}: {why}", tool.name));
        }
        for need in references(arguments) {
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
        Does::Use(Rc::clone(tool), arguments.to_vec())
    };
    if needs.contains(&id) {
        return Err("it needs itself".to_owned());
    }
    Ok(Step { id, needs, does, task })
}

pub(super) fn is_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn model_of(model: &str, capability: &str, terms: &Terms<'_>) -> Result<Rc<str>, String> {
    let found = match (model, capability) {
        ("", "") => return Err("there is none of `model`, `capability` and `tool`".to_owned()),
        ("", word) => terms.models().find(|skilled| skilled.capabilities.iter().any(|can| **can == *word)),
        (name, _) => terms.models().find(|skilled| *skilled.model == *name),
    };
    let unknown =
        || if model.is_empty() { unknown("capability", capability) } else { unknown("model", model) };
    found.map(|skilled| Rc::clone(&skilled.model)).ok_or_else(unknown)
}

fn unknown(kind: &str, name: &str) -> String {
    let name: String = name.chars().take(MOST_ID).collect();
    format!("unknown {kind} {name:?}")
}

/// Whether every step comes at some time, none too late, and all of them are within what may be spent.
fn is_bounded(steps: &[Step], terms: &Terms<'_>) -> Result<(), String> {
    for (at, step) in steps.iter().enumerate() {
        let is_there =
            |need: &&String| !steps.iter().any(|it| it.id == **need) && !terms.known.contains(&need.as_str());
        if let Some(need) = step.needs.iter().find(is_there) {
            return Err(format!("steps[{at}]: it needs {}", unknown("step", need)));
        }
    }
    // In each turn come those whose needs have come before; ids of this plan hide those of former ones.
    let mut come: Vec<&str> = Vec::new();
    let mut depth = 0_usize;
    while come.len() < steps.len() {
        let waits = |need: &String| steps.iter().any(|it| it.id == *need) && !come.contains(&need.as_str());
        let next: Vec<&str> = steps
            .iter()
            .filter(|step| !come.contains(&step.id.as_str()) && !step.needs.iter().any(waits))
            .map(|step| step.id.as_str())
            .collect();
        if next.is_empty() {
            let left: Vec<_> =
                steps.iter().map(|step| step.id.as_str()).filter(|id| !come.contains(id)).collect();
            return Err(format!("these steps wait for each other: {}", left.join(", ")));
        }
        come.extend(next);
        depth = depth.saturating_add(1);
    }
    if depth > terms.agent.max_depth {
        return Err(format!("{depth} steps come one after the other; at most {} may", terms.agent.max_depth));
    }
    is_affordable(steps, terms)
}

fn is_affordable(steps: &[Step], terms: &Terms<'_>) -> Result<(), String> {
    let output = terms.agent.max_step_tokens;
    let (mut tokens, mut money) = (0_u64, NanoUsd::ZERO);
    for step in steps {
        let Does::Ask(model) = &step.does else { continue };
        let bytes = step.task.len().saturating_add(terms.conversation) as u64;
        let results = (step.needs.len() as u64).saturating_mul(output);
        let prompt = INSTRUCTION_TOKENS.saturating_add(bytes / BYTES_PER_TOKEN).saturating_add(results);
        tokens = tokens.saturating_add(prompt).saturating_add(output);
        let price = terms.agent.models.iter().find(|skilled| skilled.model == *model).and_then(|it| it.price);
        if let Some(price) = price {
            money = money.saturating_add(cost(&price, prompt, output));
        }
    }
    match (terms.agent.max_tokens, terms.money) {
        (Some(most), _) if tokens > most => {
            Err(format!("its steps may take {tokens} tokens; at most {most} are left"))
        }
        (_, Some(most)) if money > most => {
            Err(format!("its steps may cost {money} USD; at most {most} are left"))
        }
        _ => Ok(()),
    }
}

/// What a call costs with so many tokens.
fn cost(price: &Price, prompt: u64, output: u64) -> NanoUsd {
    let of = |tokens: u64, price: NanoUsd| u128::from(tokens).saturating_mul(u128::from(price.nanos()));
    let millionths = of(prompt, price.input).saturating_add(of(output, price.output.max(price.reasoning)));
    let tokens = u64::try_from(millionths / 1_000_000).unwrap_or(u64::MAX);
    NanoUsd::new(tokens).saturating_add(price.request)
}

/// The plan as it is told: in one form, whoever wrote it.
pub(super) fn write<'s>(steps: impl Iterator<Item = &'s Step>, out: &mut Vec<u8>) {
    json::object(out, |plan| {
        plan.array("steps", |list| {
            for step in steps {
                list.object(|it| {
                    it.string("id", &step.id);
                    it.array("needs", |needs| step.needs.iter().for_each(|need| needs.string(need)));
                    match &step.does {
                        Does::Ask(model) => it.string("model", model),
                        Does::Use(tool, arguments) => {
                            it.string("tool", &tool.name);
                            it.raw("arguments", arguments);
                        }
                    }
                    if !step.task.is_empty() {
                        it.string("task", &step.task);
                    }
                });
            }
        });
    });
}

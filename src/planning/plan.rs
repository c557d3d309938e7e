//! A plan: what a planner or a client has written, read as what it is, text from outside, and held against what is allowed.
//!
//! `{"steps": [{"id": "facts", "tool": "search", "arguments": {"query": "…"}}, {"id": "sum", "needs": ["facts"], "model": "fast",
//! "task": "…"}]}`. In strings of `arguments`, `{{facts}}` stands for the result of that step.

use super::Known;
use super::arguments::{each_reference, violation_so_far};
use super::prompts::beginning;
use crate::config::{Agent, Consumer, Model, Price, Skilled, Tool};
use crate::json::{self, Document, Kind, Object, Surrogates, Value};
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
    /// How long it may still take, in milliseconds.
    pub ms: u64,
    /// What is known of models.
    pub facts: &'t [Known],
    /// How long the conversation is that each model is shown, in bytes.
    pub conversation: usize,
}

impl Terms<'_> {
    /// The models that may be given a step: where they run, and what is warranted of them, is right for whoever asks, and where
    /// money is limited it is known what they cost.
    #[inline(never)]
    pub fn models(&self) -> Vec<&Skilled> {
        let may = |model: &Model| self.consumer.may_use(model) && self.consumer.misses(model).is_none();
        let is_priced = |model: &str| self.money.is_none() || self.price(model).is_some();
        self.agent
            .models
            .iter()
            .filter(|skilled| {
                skilled.known.as_ref().is_none_or(|model| may(model)) && is_priced(&skilled.model)
            })
            .collect()
    }

    fn fact(&self, model: &str) -> Option<&Known> {
        self.facts.iter().find(|known| *known.name == *model)
    }

    fn price(&self, model: &str) -> Option<&Price> {
        self.fact(model)?.price.as_ref()
    }

    /// After how many milliseconds a model's answers are there, all but a few.
    pub fn late_ms(&self, model: &str) -> Option<u32> {
        self.fact(model)?.late_ms
    }

    /// The tools that a step may use.
    #[inline(never)]
    pub fn tools(&self) -> Vec<&Rc<Tool>> {
        self.agent.tools.iter().filter(|tool| tool.is_for(self.consumer)).collect()
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
    if steps.kind() != Kind::Array {
        return Err("`steps` is no list".to_owned());
    }
    let most = terms.agent.max_steps;
    let steps = items(steps);
    if steps.len() > most {
        return Err(format!("there are more than {most} steps"));
    }
    let mut read = Vec::with_capacity(steps.len());
    for (at, value) in steps.into_iter().enumerate() {
        let step = step(value, terms, &read).map_err(|why| format!("steps[{at}]: {why}"))?;
        read.push(step);
    }
    is_bounded(&read, terms)?;
    Ok(read)
}

/// The JSON object in a text that may have more around it.
pub(super) fn object(text: &str) -> Option<Document<'_>> {
    let text = text.get(..=text.rfind('}')?)?;
    let mut from = 0_usize;
    for _ in 0..TRIES {
        let rest = text.get(from..)?;
        let at = rest.find('{')?;
        if let Ok(document) = Document::parse(rest.get(at..)?.as_bytes(), Surrogates::Lone) {
            return Some(document);
        }
        from = from.saturating_add(at).saturating_add(1);
    }
    None
}

/// A member that is a string and says something.
fn text<'d>(value: Value<'d>, key: &str) -> Result<Option<Value<'d>>, String> {
    let Some(member) = value.get(key) else { return Ok(None) };
    match member.raw().len() {
        _ if member.kind() != Kind::String => Err(format!("`{key}` is no string")),
        2 => Ok(None),
        length if length > MOST_SAID => Err(format!("`{key}` is too long")),
        _ => Ok(Some(member)),
    }
}

// What follows is used often, and takes less room where it is not put into the place of each call.

/// Writes a member that is a string.
#[inline(never)]
pub(super) fn put(out: &mut Object<'_>, key: &str, text: &str) {
    out.string(key, text);
}

/// Writes a member that is a list of strings.
#[inline(never)]
pub(super) fn put_list(out: &mut Object<'_>, key: &str, texts: &[&str]) {
    out.array(key, |list| texts.iter().for_each(|text| list.string(text)));
}

/// Writes a member that is JSON.
#[inline(never)]
pub(super) fn put_raw(out: &mut Object<'_>, key: &str, json: &[u8]) {
    out.raw(key, json);
}

/// Writes a member that is a number.
#[inline(never)]
pub(super) fn put_number(out: &mut Object<'_>, key: &str, number: u64) {
    out.number(key, number);
}

/// A string's text; empty if it is none.
#[inline(never)]
pub(super) fn decoded(value: Value<'_>) -> String {
    value.text().map(|text| text.decode().into_owned()).unwrap_or_default()
}

/// The items of a list; none of anything else.
#[inline(never)]
pub(super) fn items(value: Value<'_>) -> Vec<Value<'_>> {
    value.items().collect()
}

/// The keys and values of an object; none of anything else.
#[inline(never)]
pub(super) fn entries(value: Value<'_>) -> Vec<(Value<'_>, Value<'_>)> {
    value.entries().collect()
}

/// One need more, if it is not there yet.
fn add(needs: &mut Vec<String>, need: &str) {
    if needs.len() < MOST_NEEDS && !needs.iter().any(|other| other == need) {
        needs.push(need.to_owned());
    }
}

fn step(value: Value<'_>, terms: &Terms<'_>, before: &[Step]) -> Result<Step, String> {
    let (id, task, tool) = (text(value, "id")?, text(value, "task")?, text(value, "tool")?);
    let model = text(value, "model")?;
    let is_named = |id: &Value<'_>| {
        let inside = id.raw().get(1..id.raw().len().saturating_sub(1)).unwrap_or_default();
        inside.len() <= MOST_ID && inside.iter().copied().all(is_id)
    };
    let Some(id) = id.filter(is_named) else {
        return Err(format!("`id` has to be 1 to {MOST_ID} letters, digits, `_` or `-`"));
    };
    if before.iter().any(|step| id.says(&step.id)) {
        return Err(format!("the id {:?} is there twice", decoded(id)));
    }
    let does = match tool {
        None if task.is_none() => return Err("`task` is missing".to_owned()),
        None => Does::Ask(model_of(model, text(value, "capability")?, terms)?),
        Some(tool) => tool_of(tool, value.get("arguments"), terms)?,
    };
    let mut needs = Vec::new();
    if let Some(listed) = value.get("needs") {
        if listed.kind() == Kind::String {
            add(&mut needs, &decoded(listed));
        }
        for need in items(listed) {
            add(&mut needs, &decoded(need));
        }
    }
    if let Does::Use(_, arguments) = &does {
        each_reference(arguments, &mut |id| add(&mut needs, id));
    }
    if needs.iter().any(|need| id.says(need)) {
        return Err("it needs itself".to_owned());
    }
    Ok(Step { id: decoded(id), needs, does, task: task.map(decoded).unwrap_or_default() })
}

fn tool_of(name: Value<'_>, arguments: Option<Value<'_>>, terms: &Terms<'_>) -> Result<Does, String> {
    let Some(tool) = terms.tools().into_iter().find(|tool| name.says(&tool.name)) else {
        return Err(unknown("tool", name));
    };
    let arguments = arguments.map_or(&b"{}"[..], Value::raw);
    if arguments.len() > MOST_SAID {
        return Err("`arguments` are too long".to_owned());
    }
    match violation_so_far(&tool.parameters, arguments) {
        Some(why) => Err(format!("arguments of {}: {why}", tool.name)),
        None => Ok(Does::Use(Rc::clone(tool), arguments.to_vec())),
    }
}

pub(super) fn is_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn model_of(model: Option<Value<'_>>, word: Option<Value<'_>>, terms: &Terms<'_>) -> Result<Rc<str>, String> {
    let (kind, name) = match (model, word) {
        (Some(name), _) => ("model", name),
        (None, Some(word)) => ("capability", word),
        (None, None) => return Err("there is none of `model`, `capability` and `tool`".to_owned()),
    };
    let suits = |skilled: &&Skilled| match model {
        Some(_) => name.says(&skilled.model),
        None => skilled.capabilities.iter().any(|can| name.says(can)),
    };
    match terms.models().into_iter().find(suits) {
        Some(skilled) => Ok(Rc::clone(&skilled.model)),
        None if terms.money.is_some()
            && terms.agent.models.iter().any(|it| suits(&it) && terms.price(&it.model).is_none()) =>
        {
            Err(format!("what {kind} {:?} costs is not known, and money is limited", decoded(name)))
        }
        None => Err(unknown(kind, name)),
    }
}

fn unknown(kind: &str, name: Value<'_>) -> String {
    format!("unknown {kind} {:?}", beginning(&decoded(name), MOST_ID))
}

/// Whether every step comes at some time, none too late, and all of them are within what may be spent.
fn is_bounded(steps: &[Step], terms: &Terms<'_>) -> Result<(), String> {
    // After how many others each comes, itself included; 0 as long as that is not known. Ids of this plan hide those of former ones.
    let mut turns = vec![0_usize; steps.len()];
    let mut deepest = 0_usize;
    let mut goes_on = true;
    while std::mem::take(&mut goes_on) {
        for (at, step) in steps.iter().enumerate() {
            let mut turn = 1_usize;
            for need in &step.needs {
                let before = match steps.iter().position(|other| other.id == *need) {
                    Some(place) => turns.get(place).copied().unwrap_or(0),
                    None if terms.known.contains(&need.as_str()) => continue,
                    None => {
                        let need = beginning(need, MOST_ID);
                        return Err(format!("steps[{at}]: it needs unknown step {need:?}"));
                    }
                };
                turn = if before == 0 || turn == 0 { 0 } else { turn.max(before.saturating_add(1)) };
            }
            if let Some(known) = turns.get_mut(at)
                && *known != turn
            {
                (*known, goes_on) = (turn, true);
                deepest = deepest.max(turn);
            }
        }
    }
    if turns.contains(&0) {
        let mut left = String::new();
        for (step, _) in steps.iter().zip(&turns).filter(|(_, turn)| **turn == 0) {
            left.push_str(if left.is_empty() { "" } else { ", " });
            left.push_str(&step.id);
        }
        return Err(format!("these steps wait for each other: {left}"));
    }
    if deepest > terms.agent.max_depth {
        return Err(format!(
            "{deepest} steps come one after the other; at most {} may",
            terms.agent.max_depth
        ));
    }
    is_in_time(steps, &turns, terms)?;
    is_affordable(steps, terms)
}

/// Whether the steps are likely to be over in time, as far as it is known how long the models take that do them. `turns` tells after
/// how many others each comes.
fn is_in_time(steps: &[Step], turns: &[usize], terms: &Terms<'_>) -> Result<(), String> {
    // When each is over.
    let mut ends = vec![0_u64; steps.len()];
    for turn in 1..=steps.len() {
        for (at, step) in steps.iter().enumerate().filter(|(at, _)| turns.get(*at) == Some(&turn)) {
            let needs = steps.iter().zip(&ends).filter(|(other, _)| step.needs.contains(&other.id));
            let begins = needs.map(|(_, end)| *end).max().unwrap_or(0);
            let takes = match &step.does {
                Does::Ask(model) => terms.late_ms(model).unwrap_or(0),
                Does::Use(..) => 0,
            };
            if let Some(end) = ends.get_mut(at) {
                *end = begins.saturating_add(takes.into());
            }
        }
    }
    let (takes, left) = (ends.into_iter().max().unwrap_or(0), terms.ms);
    match takes > left {
        true => Err(format!("its steps may take {takes} ms until the last is over; {left} ms are left")),
        false => Ok(()),
    }
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
        if let Some(price) = terms.price(model) {
            money = money.saturating_add(cost(price, prompt, output));
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
pub(super) fn write(steps: &[&Step], out: &mut Vec<u8>) {
    json::object(out, |plan| {
        plan.array("steps", |list| {
            for step in steps {
                list.object(|it| {
                    named(step, it);
                    if let Does::Use(_, arguments) = &step.does {
                        put_raw(it, "arguments", arguments);
                    }
                    if !step.task.is_empty() {
                        put(it, "task", &step.task);
                    }
                });
            }
        });
    });
}

/// What a step is called, what it needs, and who does it.
pub(super) fn named(step: &Step, it: &mut Object<'_>) {
    put(it, "id", &step.id);
    let needs: Vec<&str> = step.needs.iter().map(String::as_str).collect();
    put_list(it, "needs", &needs);
    match &step.does {
        Does::Ask(model) => put(it, "model", model),
        Does::Use(tool, _) => put(it, "tool", &tool.name),
    }
}

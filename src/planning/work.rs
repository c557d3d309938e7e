//! A step that is carried out: who is asked what for it, and what has come of it.

use super::agent::Whom;
use super::arguments::{completed, request, violation};
use super::plan::{Does, Step, named, put, put_number};
use super::prompts;
use crate::config::Tool;
use crate::json::Object;
use std::rc::Rc;

/// A step, and how far it is.
pub(super) struct Work {
    pub step: Step,
    /// How often it was planned anew before.
    pub round: u32,
    pub state: State,
    /// Under which it was asked for.
    pub tag: Option<u32>,
}

/// How far a step is.
pub(super) enum State {
    /// Others come before it.
    Waits,
    /// It is on its way.
    Asked,
    /// What was found.
    Found(String),
    /// Why nothing was, in a word.
    Failed(String),
}

impl Work {
    /// What was found.
    pub fn result(&self) -> Option<&str> {
        match &self.state {
            State::Found(text) => Some(text),
            _ => None,
        }
    }

    /// Whether nothing more will come of it.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Found(_) | State::Failed(_))
    }

    /// How it went, in a word.
    pub fn outcome(&self) -> &str {
        match &self.state {
            State::Waits => "not_asked",
            State::Asked => "not_waited_for",
            State::Found(_) => "ok",
            State::Failed(why) => why,
        }
    }

    pub fn report(&self, out: &mut Object<'_>) {
        named(&self.step, out);
        put_number(out, "round", self.round.into());
        put(out, "outcome", self.outcome());
    }
}

/// Whom to ask what for the step at `at`, of which nothing that it needs is still to come.
///
/// # Errors
/// Why nobody is asked, in a word.
pub(super) fn ask(works: &[Work], at: usize, conversation: &str, max_tokens: u64) -> Result<Whom, String> {
    let work = works.get(at).ok_or("none")?;
    match &work.step.does {
        Does::Ask(model) => {
            let needs: Vec<&Work> = work.step.needs.iter().filter_map(|id| find(works, id)).collect();
            if !needs.is_empty() && needs.iter().all(|need| need.result().is_none()) {
                return Err("skipped".to_owned());
            }
            let (instruction, text) = prompts::step(&work.step.task, conversation, &needs);
            Ok(Whom::Model { model: Rc::clone(model), instruction, text, max_tokens: Some(max_tokens) })
        }
        Does::Use(tool, arguments) => service(tool, arguments, works),
    }
}

fn service(tool: &Rc<Tool>, arguments: &[u8], works: &[Work]) -> Result<Whom, String> {
    let arguments = completed(tool, arguments, &|id| find(works, id)?.result())?;
    if violation(&tool.parameters, &arguments).is_some() {
        return Err("arguments".to_owned());
    }
    let (path, body) = request(tool, arguments)?;
    Ok(Whom::Tool { tool: Rc::clone(tool), path, body })
}

/// The step of this id that was planned last.
pub(super) fn find<'w>(works: &'w [Work], id: &str) -> Option<&'w Work> {
    works.iter().rev().find(|work| work.step.id == id)
}

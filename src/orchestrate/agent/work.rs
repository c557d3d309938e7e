//! A step that is carried out: who is asked what for it, and what has come of it.

use super::arguments::{completed, request, violation};
use super::plan::{Does, Step};
use super::prompts;
use crate::config::Tool;
use crate::json::Object;
use crate::orchestrate::ensemble::report_answer;
use crate::orchestrate::{Answer, To};
use std::rc::Rc;

/// A step, and how far it is.
pub(super) struct Work {
    pub step: Step,
    /// How often it was planned anew before.
    pub round: u32,
    pub state: State,
}

/// How far a step is.
pub(super) enum State {
    /// Others come before it.
    Waits,
    /// It is on its way.
    Asked,
    /// It was answered.
    Answered(Box<Answer>),
    /// It was not asked: why, in a word.
    Left(String),
}

impl Work {
    /// What was found.
    pub fn result(&self) -> Option<&str> {
        match &self.state {
            State::Answered(answer) => {
                answer.said.as_ref().ok().filter(|said| !said.refuses).map(|said| said.text.as_str())
            }
            _ => None,
        }
    }

    /// Whether nothing more will come of it.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Answered(_) | State::Left(_))
    }

    /// How it went, in a word.
    pub fn outcome(&self) -> String {
        match &self.state {
            State::Waits => "not_asked".to_owned(),
            State::Asked => "not_waited_for".to_owned(),
            State::Left(why) => why.clone(),
            State::Answered(answer) => match &answer.said {
                Ok(said) if said.refuses => "refused".to_owned(),
                Ok(_) => "ok".to_owned(),
                Err(why) => why.clone(),
            },
        }
    }

    pub fn report(&self, out: &mut Object<'_>) {
        out.string("id", &self.step.id);
        if self.round > 0 {
            out.number("round", self.round);
        }
        out.array("needs", |needs| self.step.needs.iter().for_each(|need| needs.string(need)));
        match &self.step.does {
            Does::Ask(model) => out.string("model", model),
            Does::Use(tool, _) => out.string("tool", &tool.name),
        }
        match &self.state {
            State::Answered(answer) if self.result().is_some() || answer.said.is_err() => {
                report_answer(out, answer);
                out.number("ms", answer.ms);
            }
            _ => out.string("outcome", &self.outcome()),
        }
    }
}

/// What is asked for the step at `at`, of which nothing that it needs is still to come.
///
/// # Errors
/// Why it is left, in a word.
pub(super) fn ask(works: &[Work], at: usize, conversation: &str, max_tokens: u64) -> Result<To, String> {
    let work = works.get(at).ok_or("none")?;
    let needs = work.step.needs.iter().filter_map(|id| find(works, id));
    match &work.step.does {
        Does::Ask(model) => {
            if !work.step.needs.is_empty() && needs.clone().all(|need| need.result().is_none()) {
                return Err("skipped".to_owned());
            }
            Ok(To::Models(prompts::step(model, &work.step.task, conversation, needs, max_tokens)))
        }
        Does::Use(tool, arguments) => service(tool, arguments, works),
    }
}

fn service(tool: &Rc<Tool>, arguments: &[u8], works: &[Work]) -> Result<To, String> {
    let arguments = completed(tool, arguments, |id| find(works, id)?.result())?;
    if violation(&tool.parameters, &arguments, false).is_some() {
        return Err("arguments".to_owned());
    }
    let (path, body) = request(tool, arguments)?;
    Ok(To::Service { tool: Rc::clone(tool), path, body })
}

/// The step of this id that was planned last.
pub(super) fn find<'w>(works: &'w [Work], id: &str) -> Option<&'w Work> {
    works.iter().rev().find(|work| work.step.id == id)
}

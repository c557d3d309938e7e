//! The model that is asked what kind of request it is, where words leave that in doubt.

use super::cache::{CALL_MS, CALL_TIMES, TTL, TTLS};
use super::check::Check;
use super::{Score, raw};
use std::rc::Rc;

/// Which doubt, in thousandths of all there is, is worth a question.
const BELOW: Score = 500;

/// A model that tells kinds of request apart, and when it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskModel {
    /// Its name, as a client would ask for it.
    pub model: Rc<str>,
    /// The confidence below which it is asked.
    pub below: Score,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u32,
    /// For how long what it says of a text holds, in seconds.
    pub ttl: u64,
}

impl Check<'_> {
    pub(super) fn task_model(&mut self, raw: &raw::TaskModel, tells_tasks: bool) -> Option<TaskModel> {
        if !tells_tasks {
            let expected = "tasks, if need be an empty map";
            self.problems.add("task_model", "there are no tasks", expected);
        }
        let below = raw.below.map_or(Some(BELOW), |below| self.score("task_model.below", below));
        let timeout_ms = self.limited("task_model.timeout_ms", raw.timeout_ms, CALL_MS, &CALL_TIMES);
        let ttl = self.limited("task_model.ttl", raw.ttl, TTL, &TTLS);
        let (model, timeout_ms) = (raw.model.as_str().into(), u32::try_from(timeout_ms).ok()?);
        Some(TaskModel { model, below: below?, timeout_ms, ttl })
    }
}

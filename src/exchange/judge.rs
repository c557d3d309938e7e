//! Of which task a request is, from a model: what the gateway asks itself where words leave that in doubt, and what it makes of the
//! answer.

use super::{About, Books, Call};
use crate::classify::{Classifier, Mark};
use crate::config::TaskModel;
use crate::json::{self, Value};
use crate::names::TaskName;

/// Where its body begins. 32 tokens are a word's worth, for tokenizers that make many of one, and for who says a little more.
const BEGINNING: &str = r#"{"max_completion_tokens":32,"temperature":0,"model":"#;
/// Who has not said it is not asked again about the same text for so long, in milliseconds.
const PAUSE: u64 = 60_000;

/// A text of which words do not say clearly of which task it is, and who could.
pub(super) struct Doubt<'a> {
    pub text: String,
    pub mark: Mark,
    pub classifier: &'a Classifier,
    pub model: &'a TaskModel,
}

impl Doubt<'_> {
    /// The call that asks for it.
    pub fn call(&self) -> Call {
        let mut body = Vec::new();
        let instruction = self.classifier.instruction();
        for (before, text) in [
            (BEGINNING, &*self.model.model),
            (r#","messages":[{"role":"system","content":"#, &instruction),
            (r#"},{"role":"user","content":"#, &self.text),
        ] {
            body.extend_from_slice(before.as_bytes());
            json::string(&mut body, text);
        }
        body.extend_from_slice(b"}]}");
        let (about, timeout_ms) = (About::Task(self.mark), self.model.timeout_ms);
        Call { path: "/v1/chat/completions", body, timeout_ms, about }
    }
}

/// The task that the answer to such a call names.
///
/// # Errors
/// What is there in its place, for the log: nothing of what was asked is in it, nor of what was answered.
pub(super) fn task(answer: Value<'_>, classifier: &Classifier) -> Result<TaskName, &'static str> {
    let choice = answer.get("choices").and_then(|choices| choices.items().next());
    let said = choice.and_then(|choice| choice.get("message")?.get("content")?.text());
    let said = said.ok_or("an answer without words")?;
    classifier.label(&said.decode()).cloned().ok_or("an answer that names no task, or several")
}

/// Keeps what was said of a text.
pub(super) fn note(mark: Mark, task: Option<TaskName>, model: &TaskModel, books: Books<'_>) {
    let ms = task.as_ref().map_or(PAUSE, |_| model.ttl.saturating_mul(1000));
    books.memory.labels.borrow_mut().note(mark, task, books.now.after(ms));
}

//! Answers that are checked: the route's targets are asked what the client has asked, until an answer has the form that was asked
//! for.
//!
//! What only looks different is mended. Of what does not fit then its model is told, once, what is wrong; after that it is the turn of
//! targets that have not been tried. Where nobody (else) takes a schema, those who are left get it as an instruction. An answer that was
//! cut is not corrected: somebody else is asked, and it is the answer if nobody does better. Who declines is not asked again.

use super::form::{self, calls, message_of};
use super::{Answer, Ask, Commission, Mode, Next, Refusal, Said, To, prompt};
use crate::chat::FinishReason;
use crate::config;
use crate::error::ApiError;
use crate::json::{self, Document, Surrogates};
use crate::route::Among;
use crate::schema::{Change, Undecided};
use std::rc::Rc;

/// Its calls come back under tags from here on, which are nobody else's.
const FIRST: u32 = 2_000;

pub(super) struct Checked {
    rules: Rc<config::Checked>,
    /// What is asked, for some model or route: the client's request, not streamed.
    body: Vec<u8>,
    step: Step,
    calls: u32,
    /// How many answers came.
    attempts: u32,
    /// Whose answers did not fit.
    tried: Vec<Rc<str>>,
    /// Whether the schema is said as an instruction.
    instructs: bool,
    /// What is wrong with the last of their answers.
    wrong: Vec<String>,
    /// Of whose answer nothing was made, since that was last asked.
    blamed: Option<Rc<str>>,
    /// What was changed in what is answered.
    changes: Vec<Change>,
    undecided: Option<Undecided>,
    /// An answer that was cut.
    cut: Option<Box<Said>>,
}

/// Who was asked last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Whoever of the route's targets has not been tried.
    Others,
    /// Whose answer did not fit, with what is wrong.
    Again,
}

impl Checked {
    /// Has `body` answered, a request that was checked.
    pub fn new(rules: Rc<config::Checked>, body: Vec<u8>) -> Self {
        let (calls, attempts, instructs) = Default::default();
        let (tried, wrong, blamed, changes, undecided, cut) = Default::default();
        let step = Step::Others;
        Self { rules, body, step, calls, attempts, tried, instructs, wrong, blamed, changes, undecided, cut }
    }

    fn ask(&mut self, step: Step, body: Option<Vec<u8>>, among: Among) -> Next {
        let Some(body) = body else { return self.fail() };
        self.step = step;
        self.calls = self.calls.saturating_add(1);
        let tag = FIRST.saturating_add(self.calls);
        Next::Ask(vec![Ask { tag, to: To::Targets(body, among), timeout_ms: None }])
    }

    /// The request, as it is put to anybody.
    fn asked(&self) -> Option<Vec<u8>> {
        if self.instructs { prompt::with_schema_said(&self.body) } else { prompt::not_streamed(&self.body) }
    }

    fn others(&mut self) -> Next {
        let body = self.asked();
        let among = Among { only: None, not: self.tried.clone() };
        self.ask(Step::Others, body, among)
    }

    fn again(&mut self, said: &Said) -> Next {
        let among = Among { only: Some(said.model.as_str().into()), not: Vec::new() };
        let body = self.asked().and_then(|body| prompt::continued(&body, &self.turns(said)?));
        self.ask(Step::Again, body, among)
    }

    /// What was said, and what is wrong with it, as turns of the conversation.
    fn turns(&self, said: &Said) -> Option<Vec<u8>> {
        let document = Document::parse(&said.completion, Surrogates::Lone).ok()?;
        let message = message_of(document.root())?;
        let wrong = self.wrong.join("\n- ");
        let mut turns = Vec::new();
        if said.calls.is_none() {
            prompt::turn(&mut turns, "assistant", &said.text);
            turns.push(b',');
            prompt::turn(&mut turns, "user", &[CORRECT, &wrong, ALONE].concat());
            return Some(turns);
        }
        turns.extend_from_slice(message.raw());
        for (id, call) in calls(message) {
            turns.push(b',');
            json::object(&mut turns, |turn| {
                turn.string("role", if id.is_some() { "tool" } else { "function" });
                match id {
                    Some(id) => turn.text("tool_call_id", &id),
                    None => {
                        turn.text("name", &call.get("name").and_then(json::Value::text).unwrap_or_default())
                    }
                }
                turn.string("content", &[NOT_CALLED, &wrong, CALL_AGAIN].concat());
            });
        }
        Some(turns)
    }

    /// An answer came.
    fn hear(&mut self, mut said: Said) -> Next {
        // Who declines has said so in the form that there is for that.
        if said.refuses || said.finish == Some(FinishReason::ContentFilter) {
            return Next::Answer(Box::new(said));
        }
        let found = form::look(&self.body, &mut said, self.rules.tools);
        if !said.misfits {
            (self.changes, self.undecided) = (found.changes, found.undecided);
            return Next::Answer(Box::new(said));
        }
        self.blame(&said.model, found.wrong);
        let is_cut = said.finish == Some(FinishReason::Length);
        let again = (!is_cut && self.step == Step::Others).then(|| said.clone());
        if is_cut {
            self.cut = Some(Box::new(said));
        }
        match again {
            _ if self.attempts >= self.rules.attempts => self.fail(),
            Some(said) => self.again(&said),
            None => self.others(),
        }
    }

    fn blame(&mut self, model: &str, wrong: Vec<String>) {
        let model = Rc::from(model);
        self.wrong = wrong;
        self.blamed = Some(Rc::clone(&model));
        self.tried.push(model);
    }

    /// No answer came.
    fn miss(&mut self, why: &str, refusal: Option<Refusal>, model: &str) -> Next {
        let Some(refusal) = refusal else {
            self.blame(model, vec!["there is no answer".to_owned()]);
            return if self.attempts >= self.rules.attempts { self.fail() } else { self.others() };
        };
        let nobody = ["400:unsupported_parameter", "503:no_provider"].contains(&why);
        match self.step {
            Step::Again => self.others(),
            Step::Others if nobody && !self.instructs && prompt::with_schema_said(&self.body).is_some() => {
                self.instructs = true;
                self.others()
            }
            Step::Others if self.attempts == 0 => Next::Refuse(Box::new(refusal)),
            Step::Others => self.fail(),
        }
    }

    fn fail(&mut self) -> Next {
        if let Some(cut) = self.cut.take() {
            return Next::Answer(cut);
        }
        let count = match self.attempts {
            0 => return refuse(ApiError::new(504, "server_error", TOO_LATE).coded("timeout")),
            1 => "1 attempt".to_owned(),
            count => format!("{count} attempts"),
        };
        let message =
            format!("no answer has the form that was asked for, after {count}: {}", self.wrong.join("; "));
        refuse(ApiError::new(502, "server_error", message).coded("invalid_answer"))
    }
}

const CORRECT: &str = "That is not what was asked for:\n- ";
const ALONE: &str = "\nAnswer again, with nothing but the corrected JSON.";
const NOT_CALLED: &str = "Nothing was called, because the arguments are not what the functions take:\n- ";
const CALL_AGAIN: &str = "\nCall again with corrected arguments.";
const TOO_LATE: &str = "there was no time or money left to have the answer checked";

fn refuse(error: ApiError) -> Next {
    Next::Refuse(Box::new(Refusal {
        status: error.status,
        body: error.to_json(),
        retry_after: String::new(),
    }))
}

impl Mode for Checked {
    fn name(&self) -> &'static str {
        "check"
    }

    fn begin(&mut self, _: &Commission) -> Next {
        self.others()
    }

    fn take(&mut self, tag: u32, answer: Answer, _: &Commission) -> Next {
        if tag != FIRST.saturating_add(self.calls) {
            // It was asked before the answer had to be checked.
            return Next::Ask(Vec::new());
        }
        if answer.refusal.is_none() {
            self.attempts = self.attempts.saturating_add(1);
        }
        match answer.said {
            Ok(said) => self.hear(said),
            Err(why) => self.miss(&why, answer.refusal, &answer.model),
        }
    }

    fn conclude(&mut self, _: &Commission) -> Next {
        self.fail()
    }

    fn blamed(&mut self) -> Option<Rc<str>> {
        self.blamed.take()
    }

    fn is_told(&self) -> bool {
        self.attempts > 1 || self.instructs || !self.changes.is_empty() || self.undecided.is_some()
    }

    fn report(&self, out: &mut Vec<u8>) {
        json::object(out, |report| {
            report.number("attempts", self.attempts);
            if self.instructs {
                report.bool("instructed", true);
            }
            if !self.changes.is_empty() {
                report.array("changes", |changes| {
                    self.changes.iter().for_each(|change| changes.string(&change.to_string()));
                });
            }
            if !self.wrong.is_empty() {
                report.array("violations", |wrong| self.wrong.iter().for_each(|it| wrong.string(it)));
            }
            if let Some(why) = self.undecided {
                report.string("unchecked", &why.to_string());
            }
        });
    }
}

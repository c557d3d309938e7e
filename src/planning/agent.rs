//! An agent: a model plans what is to be done, the steps are carried out, and a model answers with what they have found.

use super::Means;
use super::approval::{Opened, Opinion};
use super::arguments::plain;
use super::plan::{self, Step, Terms, put, put_number};
use super::prompts;
use super::work::{self, State, Work};
use crate::config::{self, Autonomy, Consumer, Tool};
use crate::json::{self, Object, Value};
use crate::money::NanoUsd;
use std::rc::Rc;

/// Of what a validator has against what was found, in bytes.
const MOST_REASONS: usize = 4 * 1024;

/// An agent at work on one request.
pub struct Agent {
    rules: Rc<config::Agent>,
    consumer: Rc<Consumer>,
    /// What the whole may take, with the time that is left of that.
    means: Means,
    spent: NanoUsd,
    conversation: String,
    stage: Stage,
    works: Vec<Work>,
    /// From here on they are those of the last plan.
    first: usize,
    /// What others than steps were asked.
    asked: Vec<Asked>,
    /// The next question's.
    tag: u32,
    /// How often the validator has sent back what was found.
    rounds: u32,
    /// Whether the last plan was mended, and how often one was.
    is_repaired: bool,
    repairs: u32,
    /// What was said against what was found.
    reasons: Option<String>,
    /// What it has come to, and if that is less than was wanted, why.
    end: &'static str,
    why: Option<String>,
}

/// What is done next.
#[derive(Debug)]
pub enum Do {
    /// Ask these; with none, wait for those that were asked before.
    Ask(Vec<Question>),
    /// Answer with this plan, a JSON text.
    Propose {
        /// The plan.
        plan: Vec<u8>,
        /// Whether the client is asked to approve of it.
        asks: bool,
    },
    /// Have a model answer the request that is told this besides.
    Answer {
        /// Who answers; none: the route's own targets.
        model: Option<Rc<str>>,
        /// What it is told.
        system: String,
    },
    /// Leave it to the route's own targets.
    Leave,
}

/// A question.
#[derive(Debug)]
pub struct Question {
    /// Under which the answer comes back; each has one of its own, from 0 on.
    pub tag: u32,
    /// Who is asked what.
    pub whom: Whom,
}

/// Who is asked what.
#[derive(Debug)]
pub enum Whom {
    /// A model.
    Model {
        /// As a client would ask for it.
        model: Rc<str>,
        /// What it is told.
        instruction: String,
        /// What it is asked.
        text: String,
        /// How many tokens its answer may have.
        max_tokens: Option<u64>,
    },
    /// A tool.
    Tool {
        /// Where it is, and what else is sent.
        tool: Rc<Tool>,
        /// `:path`.
        path: String,
        /// The body of a `POST`.
        body: Option<Vec<u8>>,
    },
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Planning,
    Working,
    Validating,
    Over,
}

/// The planner or the validator was asked.
struct Asked {
    who: &'static str,
    tag: u32,
    /// What came of it, in a word.
    came_to: &'static str,
    /// What was wrong.
    problem: Option<String>,
}

/// What a validator has said.
enum Verdict {
    Accepted,
    Refused(String),
    Unreadable,
}

impl Agent {
    /// An agent for a request of this consumer, which may take so much.
    #[must_use]
    pub fn new(rules: Rc<config::Agent>, consumer: Rc<Consumer>, means: Means) -> Self {
        Self {
            rules,
            consumer,
            means,
            spent: NanoUsd::ZERO,
            conversation: String::new(),
            stage: Stage::Planning,
            works: Vec::new(),
            first: 0,
            asked: Vec::new(),
            tag: 0,
            rounds: 0,
            is_repaired: false,
            repairs: 0,
            reasons: None,
            end: "under_way",
            why: None,
        }
    }

    /// What is done first with a request, whose conversation is told in words.
    pub fn begin(&mut self, opened: &Opened, conversation: String) -> Do {
        self.conversation = conversation;
        if opened.has_tools {
            return self.leave("request_has_tools");
        }
        let opinion = opened.opinion.as_ref().filter(|_| self.rules.autonomy == Autonomy::Approve);
        let Some(Opinion { plan, against }) = opinion else { return self.plan(None) };
        if let Some(why) = against {
            return self.plan(Some((plan, why)));
        }
        match self.read(plan) {
            Ok(steps) if steps.is_empty() => self.leave("nothing_to_do"),
            Ok(steps) => self.carry_out(steps),
            // Whatever is made of it is another plan, which nobody has approved of.
            Err(why) => {
                let next = self.plan(Some((plan, &why)));
                self.why = Some(format!("approved: {why}"));
                next
            }
        }
    }

    /// What is done after this was said, or why nothing was, in a word. So many milliseconds are left.
    pub fn take(&mut self, tag: u32, said: Result<&str, &str>, cost: Option<NanoUsd>, left_ms: u64) -> Do {
        self.means.ms = left_ms;
        self.spent = self.spent.saturating_add(cost.unwrap_or_default());
        match self.stage {
            Stage::Planning => self.planned(said),
            Stage::Validating => self.validated(said),
            Stage::Working => {
                if let Some(work) = self.works.iter_mut().find(|work| work.tag == Some(tag)) {
                    work.state = match said {
                        Ok(text) => State::Found(text.to_owned()),
                        Err(why) => State::Failed(why.to_owned()),
                    };
                }
                self.advance()
            }
            Stage::Over => Do::Ask(Vec::new()),
        }
    }

    /// What is done because nothing more may be asked: somebody answers in any case, so the route's own targets do, with what was found.
    pub fn conclude(&mut self) -> Do {
        if !self.has_results() {
            return self.leave("limit");
        }
        self.over("route");
        self.why = Some("limit".to_owned());
        Do::Answer { model: None, system: self.told() }
    }

    /// The terms of plans, given the ids of steps that were carried out before.
    fn terms<'t>(&'t self, known: &'t [&'t str]) -> Terms<'t> {
        let left = |most: NanoUsd| NanoUsd::new(most.nanos().saturating_sub(self.spent.nanos()));
        Terms {
            agent: &self.rules,
            consumer: &self.consumer,
            known,
            money: self.means.money.map(left),
            ms: self.means.ms,
            facts: &self.means.models,
            conversation: self.conversation.len(),
        }
    }

    fn read(&self, text: &str) -> Result<Vec<Step>, String> {
        let known: Vec<&str> = self.works.iter().map(|work| work.step.id.as_str()).collect();
        plan::read(text, &self.terms(&known))
    }

    /// Asks for a plan; `last` is one that was refused, and why.
    fn plan(&mut self, last: Option<(&str, &str)>) -> Do {
        self.stage = Stage::Planning;
        let instruction = prompts::planner(&self.terms(&[]));
        let text = prompts::plan(&self.conversation, &self.refs(), last);
        self.ask("planner", Rc::clone(&self.rules.planner), instruction, text)
    }

    fn ask(&mut self, who: &'static str, model: Rc<str>, instruction: String, text: String) -> Do {
        let tag = self.next_tag();
        self.asked.push(Asked { who, tag, came_to: "not_waited_for", problem: None });
        Do::Ask(vec![Question { tag, whom: Whom::Model { model, instruction, text, max_tokens: None } }])
    }

    fn next_tag(&mut self) -> u32 {
        let tag = self.tag;
        self.tag = tag.saturating_add(1);
        tag
    }

    fn note(&mut self, came_to: &'static str) {
        if let Some(asked) = self.asked.last_mut() {
            asked.came_to = came_to;
        }
    }

    fn planned(&mut self, said: Result<&str, &str>) -> Do {
        let Ok(text) = said else {
            self.note("failed");
            return self.without_plan("planner");
        };
        match self.read(text) {
            Ok(steps) => {
                self.note("planned");
                self.resolve(steps)
            }
            Err(problem) => {
                self.note("invalid");
                if let Some(asked) = self.asked.last_mut() {
                    asked.problem = Some(problem.clone());
                }
                if self.is_repaired {
                    return self.without_plan("invalid_plan");
                }
                self.is_repaired = true;
                self.repairs = self.repairs.saturating_add(1);
                self.plan(Some((text, &problem)))
            }
        }
    }

    /// Does with a plan what may be done without asking.
    fn resolve(&mut self, steps: Vec<Step>) -> Do {
        let autonomy = self.rules.autonomy;
        if steps.is_empty() && autonomy != Autonomy::PlanOnly {
            return self.without_plan("nothing_to_do");
        }
        if autonomy == Autonomy::Auto {
            return self.carry_out(steps);
        }
        self.take_on(steps);
        let asks = autonomy == Autonomy::Approve;
        self.over(if asks { "approval" } else { "plan" });
        Do::Propose { plan: self.last_plan(), asks }
    }

    fn take_on(&mut self, steps: Vec<Step>) {
        self.first = self.works.len();
        for step in steps {
            self.works.push(Work { step, round: self.rounds, state: State::Waits, tag: None });
        }
    }

    fn last_plan(&self) -> Vec<u8> {
        let mut plan = Vec::new();
        let steps: Vec<&Step> = self.works.iter().skip(self.first).map(|work| &work.step).collect();
        plan::write(&steps, &mut plan);
        plan
    }

    fn carry_out(&mut self, steps: Vec<Step>) -> Do {
        self.take_on(steps);
        self.stage = Stage::Working;
        self.advance()
    }

    /// The place of a step that waits, of which all that it needs is there.
    fn due(&self) -> Option<usize> {
        let comes = |id: &String| work::find(&self.works, id).is_some_and(|need| !need.is_over());
        let is_due = |work: &Work| matches!(work.state, State::Waits) && !work.step.needs.iter().any(comes);
        self.works.iter().position(is_due)
    }

    /// Asks for every step that is due.
    fn advance(&mut self) -> Do {
        let mut questions = Vec::new();
        while let Some(at) = self.due() {
            let whom = work::ask(&self.works, at, &self.conversation, self.rules.max_step_tokens);
            let tag = self.next_tag();
            let Some(work) = self.works.get_mut(at) else { break };
            work.state = match whom {
                Ok(whom) => {
                    work.tag = Some(tag);
                    questions.push(Question { tag, whom });
                    State::Asked
                }
                Err(why) => State::Failed(why),
            };
        }
        match self.works.iter().all(Work::is_over) {
            true => self.worked(),
            false => Do::Ask(questions),
        }
    }

    /// All steps are over.
    fn worked(&mut self) -> Do {
        if !self.has_results() {
            return self.leave("no_results");
        }
        let Some(judge) = &self.rules.validator else { return self.answer() };
        let (instruction, text) = prompts::validation(&judge.rubric, &self.conversation, &self.refs());
        let model = Rc::clone(&judge.model);
        self.stage = Stage::Validating;
        self.ask("validator", model, instruction, text)
    }

    fn validated(&mut self, said: Result<&str, &str>) -> Do {
        let (came_to, reasons) = match said.map(verdict) {
            Err(_) => ("failed", None),
            Ok(Verdict::Accepted) => ("accepted", None),
            Ok(Verdict::Unreadable) => ("unreadable", None),
            Ok(Verdict::Refused(reasons)) => ("refused", Some(reasons)),
        };
        self.note(came_to);
        self.reasons = reasons.clone();
        // A client has approved of this plan and of no other.
        let may_go_on = self.rounds < self.rules.max_rounds && self.rules.autonomy == Autonomy::Auto;
        let Some(reasons) = reasons.filter(|_| may_go_on) else { return self.answer() };
        self.rounds = self.rounds.saturating_add(1);
        self.is_repaired = false;
        let plan = self.last_plan();
        self.plan(Some((&String::from_utf8_lossy(&plan), &reasons)))
    }

    fn has_results(&self) -> bool {
        self.works.iter().any(|work| work.result().is_some())
    }

    fn refs(&self) -> Vec<&Work> {
        self.works.iter().collect()
    }

    /// There is no plan, or no further one: what was found before may be enough.
    fn without_plan(&mut self, why: &str) -> Do {
        if !self.has_results() {
            return self.leave(why);
        }
        self.why = Some(why.to_owned());
        self.answer()
    }

    /// A model answers with what was found.
    fn answer(&mut self) -> Do {
        self.over("answer");
        Do::Answer { model: Some(Rc::clone(&self.rules.synthesis)), system: self.told() }
    }

    fn told(&self) -> String {
        prompts::answer(&self.refs(), self.reasons.as_deref())
    }

    fn leave(&mut self, why: &str) -> Do {
        self.over("route");
        self.why = Some(why.to_owned());
        Do::Leave
    }

    fn over(&mut self, end: &'static str) {
        self.stage = Stage::Over;
        self.end = end;
    }

    /// How it went so far, as a JSON object; `used` adds what the answer to a question has used.
    pub fn report(&self, out: &mut Vec<u8>, used: &dyn Fn(u32, &mut Object<'_>)) {
        json::object(out, |report| {
            put(report, "end", self.end);
            if let Some(why) = &self.why {
                put(report, "why", why);
            }
            put_number(report, "rounds", self.rounds.into());
            put_number(report, "repairs", self.repairs.into());
            report.array("steps", |steps| {
                for work in &self.works {
                    steps.object(|step| {
                        work.report(step);
                        if let Some(tag) = work.tag {
                            used(tag, step);
                        }
                    });
                }
            });
            report.array("asked", |list| {
                for asked in &self.asked {
                    list.object(|it| {
                        put(it, "who", asked.who);
                        put(it, "came_to", asked.came_to);
                        if let Some(problem) = &asked.problem {
                            put(it, "problem", problem);
                        }
                        used(asked.tag, it);
                    });
                }
            });
        });
    }
}

/// What a validator has said. Whoever says nothing that can be read has nothing against it.
fn verdict(said: &str) -> Verdict {
    let Some(document) = plan::object(said) else { return Verdict::Unreadable };
    let root = document.root();
    match root.get("accept").and_then(Value::bool) {
        Some(true) => Verdict::Accepted,
        None => Verdict::Unreadable,
        Some(false) => {
            let reasons = root.get("reasons").or_else(|| root.get("reason"));
            let reasons = reasons.map(plain);
            let reasons = reasons.filter(|text| !text.is_empty());
            let reasons = reasons.unwrap_or_else(|| "it is not enough".to_owned());
            Verdict::Refused(prompts::beginning(&reasons, MOST_REASONS).to_owned())
        }
    }
}

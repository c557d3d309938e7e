//! An agent: a model plans what is to be done, the steps are carried out, and a model answers with what they have found.
//!
//! A plan is text from outside, whoever wrote it: it can only choose among the models and tools that the configuration lists for
//! this agent. What steps find is material for those who come after, and never decides what is asked of whom.

mod approval;
mod arguments;
mod plan;
mod prompts;
mod work;

use super::ensemble::report_answer;
use super::{Answer, Ask, Commission, Mode, Next, Said, To, prompt};
use crate::chat::Request;
use crate::config::{self, Autonomy, Edits};
use crate::json::{self, Document, Surrogates, Value};
use crate::money::NanoUsd;
use approval::Opinion;
use plan::{Does, Step, Terms};
use std::rc::Rc;
use work::{State, Work};

/// Tags of steps are their places.
const PLANNER: u32 = 10_000;
const VALIDATOR: u32 = 20_000;
const MOST_REASONS: usize = 4 * 1024;

pub(super) struct Agent {
    rules: Rc<config::Agent>,
    stage: Stage,
    /// The client's request, without what is only between client and gateway.
    body: Vec<u8>,
    /// Which model or route it asks for.
    model: String,
    conversation: String,
    works: Vec<Work>,
    /// From here on they are those of the last plan.
    first: usize,
    /// What others than steps were asked.
    asked: Vec<Asked>,
    /// How often the validator has sent back what was found.
    rounds: u32,
    /// Whether the last plan was mended, and how often one was.
    is_repaired: bool,
    repairs: u32,
    /// What was said against what was found.
    reasons: Option<String>,
    /// Tells what may still be spent.
    spent: NanoUsd,
    /// What it has come to, and if that is less than was wanted, why.
    end: &'static str,
    why: Option<String>,
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Planning,
    Working,
    Validating,
    Over,
}

/// The planner or the validator has said something.
struct Asked {
    who: &'static str,
    /// What came of it, in a word.
    outcome: &'static str,
    /// What was wrong.
    problem: Option<String>,
    answer: Answer,
}

/// What a validator has said.
enum Verdict {
    Accepted,
    Refused(String),
    Unreadable,
}

impl Agent {
    pub fn new(rules: Rc<config::Agent>) -> Self {
        Self {
            rules,
            stage: Stage::Planning,
            body: Vec::new(),
            model: String::new(),
            conversation: String::new(),
            works: Vec::new(),
            first: 0,
            asked: Vec::new(),
            rounds: 0,
            is_repaired: false,
            repairs: 0,
            reasons: None,
            spent: NanoUsd::ZERO,
            end: "under_way",
            why: None,
        }
    }

    /// Has something done with the terms of plans.
    fn with_terms<T>(&self, commission: &Commission, with: impl FnOnce(&Terms<'_>) -> T) -> T {
        let known: Vec<String> = self.works.iter().map(|work| work.step.id.clone()).collect();
        let left = |most: NanoUsd| NanoUsd::new(most.nanos().saturating_sub(self.spent.nanos()));
        with(&Terms {
            agent: &self.rules,
            consumer: &commission.consumer,
            known: &known,
            money: commission.rules.max_cost.map(left),
            conversation: self.conversation.len(),
        })
    }

    fn read(&self, text: &str, commission: &Commission) -> Result<Vec<Step>, String> {
        self.with_terms(commission, |terms| plan::read(text, terms))
    }

    /// Asks for a plan; `last` is one that was refused, and why.
    fn plan(&mut self, last: Option<(&str, &str)>, commission: &Commission) -> Next {
        self.stage = Stage::Planning;
        let instruction = self.with_terms(commission, prompts::planner);
        let text = prompts::plan(&self.conversation, &self.works, last);
        let body = prompt::question(&self.rules.planner, &instruction, &text);
        Next::Ask(vec![Ask { tag: PLANNER, to: To::Models(body), timeout_ms: None }])
    }

    fn planned(&mut self, answer: Answer, commission: &Commission) -> Next {
        let said = match &answer.said {
            Ok(said) => said.clone(),
            Err(_) => {
                self.note("planner", "failed", None, answer);
                return self.without_plan("planner");
            }
        };
        match self.read(&said.text, commission) {
            Ok(steps) => {
                self.note("planner", "planned", None, answer);
                self.resolve(steps, &said, commission)
            }
            Err(problem) => {
                self.note("planner", "invalid", Some(problem.clone()), answer);
                if self.is_repaired {
                    return self.without_plan("invalid_plan");
                }
                self.is_repaired = true;
                self.repairs = self.repairs.saturating_add(1);
                self.plan(Some((&said.text, &problem)), commission)
            }
        }
    }

    /// Does with a plan what may be done without asking.
    fn resolve(&mut self, steps: Vec<Step>, said: &Said, commission: &Commission) -> Next {
        let autonomy = self.rules.autonomy;
        if steps.is_empty() && autonomy != Autonomy::PlanOnly {
            return self.without_plan("nothing_to_do");
        }
        if autonomy == Autonomy::Auto {
            return self.carry_out(steps);
        }
        let mut plan = Vec::new();
        plan::write(&steps, &mut plan);
        self.take_on(steps);
        let asks = autonomy == Autonomy::Approve;
        self.over(if asks { "approval" } else { "plan" });
        Next::Answer(Box::new(approval::answer(&plan, asks, &commission.request_id, said)))
    }

    fn take_on(&mut self, steps: Vec<Step>) {
        self.first = self.works.len();
        let round = self.rounds;
        self.works.extend(steps.into_iter().map(|step| Work { step, round, state: State::Waits }));
    }

    fn carry_out(&mut self, steps: Vec<Step>) -> Next {
        self.take_on(steps);
        self.stage = Stage::Working;
        self.advance()
    }

    /// Asks for every step of which all that it needs is there.
    fn advance(&mut self) -> Next {
        let mut asks = Vec::new();
        loop {
            let is_due = |work: &Work| {
                let comes = |id: &String| work::find(&self.works, id).is_some_and(|need| !need.is_over());
                matches!(work.state, State::Waits) && !work.step.needs.iter().any(comes)
            };
            let due = self.works.iter().enumerate().skip(self.first).find(|(_, work)| is_due(work));
            let Some((at, _)) = due else { break };
            let asked = work::ask(&self.works, at, &self.conversation, self.rules.max_step_tokens);
            let Some(work) = self.works.get_mut(at) else { break };
            work.state = match asked {
                Ok(to) => {
                    let timeout_ms = match &work.step.does {
                        Does::Ask(_) => None,
                        Does::Use(tool, _) => Some(tool.timeout_ms),
                    };
                    asks.push(Ask { tag: u32::try_from(at).unwrap_or(u32::MAX), to, timeout_ms });
                    State::Asked
                }
                Err(why) => State::Left(why),
            };
        }
        match self.works.iter().all(Work::is_over) {
            true => self.worked(),
            false => Next::Ask(asks),
        }
    }

    /// All steps are over.
    fn worked(&mut self) -> Next {
        if !self.has_results() {
            return self.plain("no_results");
        }
        let Some(judge) = &self.rules.validator else { return self.answer() };
        let (instruction, text) = prompts::validation(&judge.rubric, &self.conversation, &self.works);
        let body = prompt::question(&judge.model, &instruction, &text);
        self.stage = Stage::Validating;
        Next::Ask(vec![Ask { tag: VALIDATOR, to: To::Models(body), timeout_ms: None }])
    }

    fn validated(&mut self, answer: Answer, commission: &Commission) -> Next {
        let verdict = answer.said.as_ref().map_or(Verdict::Unreadable, |said| verdict(&said.text));
        let outcome = match (&verdict, &answer.said) {
            (_, Err(_)) => "failed",
            (Verdict::Accepted, _) => "accepted",
            (Verdict::Refused(_), _) => "refused",
            (Verdict::Unreadable, _) => "unreadable",
        };
        self.note("validator", outcome, None, answer);
        let Verdict::Refused(reasons) = verdict else {
            self.reasons = None;
            return self.answer();
        };
        self.reasons = Some(reasons.clone());
        // A client has approved of this plan and of no other.
        if self.rounds >= self.rules.max_rounds || self.rules.autonomy != Autonomy::Auto {
            return self.answer();
        }
        self.rounds = self.rounds.saturating_add(1);
        self.is_repaired = false;
        let mut plan = Vec::new();
        let steps: Vec<_> = self.works.iter().skip(self.first).map(|work| work.step.clone()).collect();
        plan::write(&steps, &mut plan);
        self.plan(Some((&String::from_utf8_lossy(&plan), &reasons)), commission)
    }

    fn has_results(&self) -> bool {
        self.works.iter().any(|work| work.result().is_some())
    }

    /// There is no plan, or no further one: what was found before may be enough.
    fn without_plan(&mut self, why: &str) -> Next {
        if !self.has_results() {
            return self.plain(why);
        }
        self.why = Some(why.to_owned());
        self.answer()
    }

    /// A model answers with what was found.
    fn answer(&mut self) -> Next {
        let model = Rc::clone(&self.rules.synthesis);
        match self.request_with_results(&model) {
            Some(body) => {
                self.over("answer");
                Next::Forward(body)
            }
            None => self.plain("request"),
        }
    }

    fn request_with_results(&self, model: &str) -> Option<Vec<u8>> {
        let system = prompts::answer(&self.works, self.reasons.as_deref());
        let edits = Edits { system: Some(system.into()), ..Edits::default() };
        prompt::put_to(&self.body, model, Some(&edits), true)
    }

    /// The route's own targets answer.
    fn plain(&mut self, why: &str) -> Next {
        self.over("route");
        self.why = Some(why.to_owned());
        if self.body.is_empty() { Next::Plain } else { Next::Forward(self.body.clone()) }
    }

    fn over(&mut self, end: &'static str) {
        self.stage = Stage::Over;
        self.end = end;
    }

    fn note(&mut self, who: &'static str, outcome: &'static str, problem: Option<String>, answer: Answer) {
        self.asked.push(Asked { who, outcome, problem, answer });
    }

    /// Reads the request: what it asks for, and what it says to a plan.
    fn open(&mut self, commission: &Commission) -> Result<Option<Opinion>, &'static str> {
        let document = Document::parse(&commission.body, Surrogates::Paired).map_err(|_| "request")?;
        let request = Request::read(document.root()).map_err(|_| "request")?;
        if !request.tools.is_empty() {
            return Err("request_has_tools");
        }
        self.model = request.model.decode().into_owned();
        let without = approval::without(&request, &commission.body);
        self.body = without.unwrap_or_else(|| commission.body.clone());
        self.conversation = prompt::conversation(&self.body);
        let opinion = approval::opinion(&request);
        Ok(opinion.filter(|_| self.rules.autonomy == Autonomy::Approve))
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
            let reasons = reasons.map(|reasons| match reasons.text() {
                Some(text) => text.decode().into_owned(),
                None => String::from_utf8_lossy(reasons.raw()).into_owned(),
            });
            let reasons = reasons.filter(|text| !text.is_empty());
            let reasons = reasons.unwrap_or_else(|| "it is not enough".to_owned());
            Verdict::Refused(reasons.chars().take(MOST_REASONS).collect())
        }
    }
}

impl Mode for Agent {
    fn name(&self) -> &'static str {
        "agent"
    }

    fn begin(&mut self, commission: &Commission) -> Next {
        match self.open(commission) {
            Err(why) => self.plain(why),
            Ok(None) => self.plan(None, commission),
            Ok(Some(Opinion { plan, against: Some(why) })) => self.plan(Some((&plan, &why)), commission),
            Ok(Some(Opinion { plan, against: None })) => match self.read(&plan, commission) {
                Ok(steps) if steps.is_empty() => self.plain("nothing_to_do"),
                Ok(steps) => self.carry_out(steps),
                // Whatever is made of it is another plan, which nobody has approved of.
                Err(why) => {
                    let next = self.plan(Some((&plan, &why)), commission);
                    self.why = Some(format!("approved: {why}"));
                    next
                }
            },
        }
    }

    fn take(&mut self, tag: u32, answer: Answer, commission: &Commission) -> Next {
        self.spent = self.spent.saturating_add(answer.cost.unwrap_or_default());
        match (self.stage, tag) {
            (Stage::Planning, PLANNER) => self.planned(answer, commission),
            (Stage::Validating, VALIDATOR) => self.validated(answer, commission),
            (Stage::Working, at) => {
                if let Some(work) = self.works.get_mut(at as usize) {
                    work.state = State::Answered(Box::new(answer));
                }
                self.advance()
            }
            _ => Next::Ask(Vec::new()),
        }
    }

    /// Somebody answers in any case: then the route's own targets, with what was found.
    fn conclude(&mut self, _: &Commission) -> Next {
        let model = self.model.clone();
        match self.request_with_results(&model).filter(|_| self.has_results()) {
            Some(body) => {
                self.over("route");
                self.why = Some("limit".to_owned());
                Next::Forward(body)
            }
            None => self.plain("limit"),
        }
    }

    fn report(&self, out: &mut Vec<u8>) {
        json::object(out, |report| {
            report.string("end", self.end);
            if let Some(why) = &self.why {
                report.string("why", why);
            }
            report.number("rounds", self.rounds);
            report.number("repairs", self.repairs);
            report.array("steps", |steps| {
                self.works.iter().for_each(|work| steps.object(|step| work.report(step)));
            });
            report.array("asked", |list| {
                for asked in &self.asked {
                    list.object(|it| {
                        it.string("who", asked.who);
                        it.string("came_to", asked.outcome);
                        if let Some(problem) = &asked.problem {
                            it.string("problem", problem);
                        }
                        report_answer(it, &asked.answer);
                        it.number("ms", asked.answer.ms);
                    });
                }
            });
        });
    }
}

//! An agent's plans, carried out by calls: what [`planning`](crate::planning) wants asked is asked, and told what was said.

use super::report::report_use;
use super::{Answer, Ask, Commission, Mode, Next, Said, To, prompt};
use crate::config::{self, Edits};
use crate::planning::{self, Do, Means, Opened, Question, Whom};
use std::rc::Rc;

pub(super) struct Agent {
    agent: planning::Agent,
    /// The client's request, without what is only between client and gateway.
    opened: Opened,
    /// What was answered, by tags.
    answers: Vec<(u32, Answer)>,
}

impl Agent {
    pub fn new(rules: Rc<config::Agent>, commission: &Commission) -> Self {
        let limits = &commission.rules;
        let means =
            Means { money: limits.max_cost, ms: limits.timeout_ms.into(), models: commission.models.clone() };
        let agent = planning::Agent::new(rules, Rc::clone(&commission.consumer), means);
        Self { agent, opened: Opened::default(), answers: Vec::new() }
    }

    fn next(&self, what: Do, commission: &Commission) -> Next {
        match what {
            Do::Ask(questions) => Next::Ask(questions.into_iter().map(ask).collect()),
            Do::Propose { plan, asks } => {
                let by = self.answers.last().and_then(|(_, answer)| answer.said.as_ref().ok());
                let Some(by) = by else { return self.leave() };
                let completion = planning::completion(&plan, asks, &commission.request_id, &by.completion);
                Next::Answer(Box::new(Said { completion, ..by.clone() }))
            }
            Do::Answer { model, system } => {
                let model = model.as_deref().unwrap_or(&self.opened.model);
                let edits = Edits { system: Some(system.into()), ..Edits::default() };
                let body = prompt::put_to(&self.opened.body, model, Some(&edits), true);
                body.map_or_else(|| self.leave(), Next::Forward)
            }
            Do::Leave => self.leave(),
        }
    }

    fn leave(&self) -> Next {
        match self.opened.body.is_empty() {
            true => Next::Plain,
            false => Next::Forward(self.opened.body.clone()),
        }
    }
}

fn ask(question: Question) -> Ask {
    let tag = question.tag;
    match question.whom {
        Whom::Model { model, instruction, text, max_tokens } => {
            let body = prompt::question(&model, &instruction, &text, max_tokens);
            Ask { tag, to: To::Models(body), timeout_ms: None }
        }
        Whom::Tool { tool, path, body } => {
            let timeout_ms = Some(tool.timeout_ms);
            Ask { tag, to: To::Service { tool, path, body }, timeout_ms }
        }
    }
}

impl Mode for Agent {
    fn name(&self) -> &'static str {
        "agent"
    }

    fn begin(&mut self, commission: &Commission) -> Next {
        self.opened = planning::open(&commission.body);
        let conversation = prompt::conversation(&self.opened.body);
        let first = self.agent.begin(&self.opened, conversation);
        self.next(first, commission)
    }

    fn take(&mut self, tag: u32, answer: Answer, commission: &Commission) -> Next {
        let said = match &answer.said {
            Ok(said) if said.refuses => Err("refused"),
            Ok(said) => Ok(&*said.text),
            Err(why) => Err(&**why),
        };
        let what = self.agent.take(tag, said, answer.cost, answer.left_ms);
        self.answers.push((tag, answer));
        self.next(what, commission)
    }

    fn conclude(&mut self, commission: &Commission) -> Next {
        let what = self.agent.conclude();
        self.next(what, commission)
    }

    /// What steps have found is no answer.
    fn may_do_without(&self) -> bool {
        false
    }

    fn report(&self, out: &mut Vec<u8>) {
        self.agent.report(out, &|tag, it| {
            if let Some((_, answer)) = self.answers.iter().find(|(other, _)| *other == tag) {
                report_use(it, answer);
                it.number("ms", answer.ms);
            }
        });
    }
}

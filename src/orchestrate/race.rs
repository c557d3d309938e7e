//! A race: several answer the same request, each a while after the one before, and the first good answer counts.

use super::report::report_answer;
use super::{Answer, Ask, Commission, Mode, Next, To, form};
use crate::config;
use crate::json;
use std::rc::Rc;

/// That a wait is over comes back under tags from here on.
const WAITED: u32 = 1_000;
/// How long the next one waits for somebody of whom nothing is known, in milliseconds.
const UNKNOWN_MS: u32 = 2_000;

pub(super) struct Race {
    rules: Rc<config::Race>,
    /// Those who have started.
    runners: Vec<Option<Answer>>,
    winner: Option<usize>,
}

impl Race {
    pub fn new(rules: Rc<config::Race>) -> Self {
        Self { rules, runners: Vec::new(), winner: None }
    }

    /// The next one starts, and those after it if they wait for nothing.
    fn start(&mut self, commission: &Commission) -> Next {
        let mut asks = Vec::new();
        while let Some(target) = self.rules.targets.get(self.runners.len()) {
            let tag = u32::try_from(self.runners.len()).unwrap_or(0);
            self.runners.push(None);
            asks.extend(Ask::of(tag, target, &commission.body));
            let late = || commission.late_ms(&target.model).unwrap_or(UNKNOWN_MS);
            let stagger = self.rules.stagger_ms.unwrap_or_else(late);
            let is_last = self.runners.len() == self.rules.targets.len();
            if stagger > 0 && !is_last {
                let tag = WAITED.saturating_add(tag);
                asks.push(Ask { tag, to: To::Nobody, timeout_ms: Some(stagger) });
                break;
            }
        }
        Next::Ask(asks)
    }

    /// Any answer, if nobody has given a good one.
    fn any(&mut self) -> Next {
        let answers = self.runners.iter().enumerate();
        let mut answers = answers.filter_map(|(at, answer)| Some((at, answer.as_ref()?.said.as_ref().ok()?)));
        match answers.next() {
            Some((at, said)) => {
                self.winner = Some(at);
                Next::Answer(Box::new(said.clone()))
            }
            None => Next::Plain,
        }
    }
}

impl Mode for Race {
    fn name(&self) -> &'static str {
        "race"
    }

    fn begin(&mut self, commission: &Commission) -> Next {
        self.start(commission)
    }

    fn take(&mut self, tag: u32, mut answer: Answer, commission: &Commission) -> Next {
        let has_more = self.runners.len() < self.rules.targets.len();
        if let Some(at) = tag.checked_sub(WAITED) {
            // Whoever was waited for may have failed meanwhile, so that the next one has started.
            let is_next = (at as usize).saturating_add(1) == self.runners.len();
            return if is_next && has_more { self.start(commission) } else { Next::Ask(Vec::new()) };
        }
        form::look_at(&mut answer, commission, false);
        let at = tag as usize;
        let said = answer.said.as_ref().ok().filter(|said| said.is_good()).cloned();
        if let Some(runner) = self.runners.get_mut(at) {
            *runner = Some(answer);
        }
        match said {
            Some(said) => {
                self.winner = Some(at);
                Next::Answer(Box::new(said))
            }
            // Nobody waits for whoever is out.
            None if has_more => self.start(commission),
            None if self.runners.iter().all(Option::is_some) => self.any(),
            None => Next::Ask(Vec::new()),
        }
    }

    fn conclude(&mut self, _: &Commission) -> Next {
        self.any()
    }

    fn report(&self, out: &mut Vec<u8>) {
        json::object(out, |report| {
            if let Some(winner) = self.winner {
                report.number("winner", winner);
            }
            report.array("targets", |targets| {
                for (at, target) in self.rules.targets.iter().enumerate() {
                    targets.object(|entry| {
                        entry.string("model", &target.model);
                        match self.runners.get(at) {
                            None => entry.string("outcome", "not_started"),
                            Some(None) => entry.string("outcome", "cancelled"),
                            Some(Some(answer)) => report_answer(entry, answer),
                        }
                    });
                }
            });
        });
    }
}

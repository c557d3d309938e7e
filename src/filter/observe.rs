//! What is told of a request when it is over: to the metrics, and to the access log.

use super::abi;
use super::books;
use super::gateway::{Gateway, State};
use super::live::Live;
use super::metrics;
use crate::attempt::{Spent, Stage};
use crate::chat::Usage;
use crate::config::{Config, Named};
use crate::exchange::Statement;
use crate::observe::{Ending, Outcome, Tell, Tried, kind_of};

impl Gateway {
    /// The request is over, or all of its answer is there. A span of a trace is closed before `on_log`, and has what was told by then.
    pub(super) fn conclude(&mut self) {
        if !std::mem::replace(&mut self.concluded, true) {
            if let Some(answer) = self.answer.take().and_then(|answer| answer.into_answer())
                && abi::set_property("answer", &answer).is_err()
            {
                log::error!("Envoy refused to note what was answered");
            }
            self.watch();
            let statement = self.settle();
            self.observe(&statement);
        }
    }

    /// Tells how the request has ended, and what was used.
    pub(super) fn observe(&self, statement: &Statement) {
        let live = self.ticket.as_ref().map(|ticket| ticket.live());
        let outcome = self.outcome(live);
        let spent = live.map(|live| live.spent.borrow());
        let spent = spent.as_deref().map(Vec::as_slice).unwrap_or_default();
        let targets = live.map(|live| &*live.plan.targets).unwrap_or_default();
        let routed = live.is_some_and(|live| live.route.is_some());
        let attempts = spent.iter().zip(targets).enumerate();
        let attempts: Vec<_> = attempts
            .map(|(at, (spent, target))| {
                let item = statement.items.iter().find(|item| item.attempt == at);
                let usage = item.map(|item| Usage {
                    prompt: item.input,
                    completion: item.output,
                    ..spent.report().usage().unwrap_or_default()
                });
                Tried {
                    provider: &target.provider,
                    model: (routed || is_listed(&self.config, &target.name)).then_some(&*target.name),
                    outcome: came_to(spent, outcome),
                    usage,
                    cost: item.and_then(|item| item.cost),
                }
            })
            .collect();
        if outcome == Outcome::Error && self.record.failure().is_none() {
            self.record.fails(attempts.last().map_or("server_error", |last| last.outcome));
        }
        let ending = Ending { now: abi::now(), outcome, attempts: &attempts };
        self.tell(ending.now, &|tell| self.record.tell(&ending, tell));
        self.tell_log(outcome);
    }

    /// Has numbers told at this time, in nanoseconds; to the page as well where there is one.
    pub(super) fn tell(&self, now: u64, what: &dyn Fn(Tell<'_>)) {
        if !self.config.auth().has_admin() {
            return what(&mut metrics::tell);
        }
        books::at(books::at_nanos(now), |books| {
            what(&mut |metric, labels, value| {
                metrics::tell(metric, labels, value);
                books.memory.note(metric, labels, value, books.now);
            });
        });
    }

    fn outcome(&self, live: Option<&Live>) -> Outcome {
        let last = live.and_then(|live| live.spent.borrow().last().cloned());
        let stage = last.as_ref().map(|last| last.stage());
        match (&self.state, stage) {
            (State::Replied, _) if self.record.failure().is_none() => Outcome::Ok,
            (State::Replied | State::Replaced(_), _) | (State::Forwarded, Some(Stage::Failed)) => {
                Outcome::Error
            }
            (State::Forwarded, Some(Stage::Answering)) => {
                match last.is_some_and(|last| last.has_finished()) {
                    true => Outcome::Ok,
                    false => self.cut(),
                }
            }
            _ => Outcome::Cancelled,
        }
    }

    /// An answer has begun and not come to its end.
    fn cut(&self) -> Outcome {
        let details = abi::property("response\0code_details").unwrap_or_default();
        match details.starts_with(b"downstream") {
            true => Outcome::Cancelled,
            false => Outcome::Broken,
        }
    }

    fn tell_log(&self, outcome: Outcome) {
        let mut told = abi::set_property("outcome", outcome.as_str().as_bytes());
        if let Some(asked) = self.record.asked() {
            let worked = self.record.worked_us().to_string();
            told = told.and_then(|()| abi::set_property("overhead_us", worked.as_bytes()));
            // Of what was forwarded it is told before.
            if self.ticket.is_none() {
                told = told.and_then(|()| abi::set_property("request_model", asked.as_bytes()));
            }
        }
        if let Some(kind) = self.record.failure() {
            told = told.and_then(|()| abi::set_property("error", kind.as_bytes()));
        }
        if told.is_err() {
            log::error!("Envoy refused to note what a request was for");
        }
    }
}

fn is_listed(config: &Config, name: &str) -> bool {
    matches!(config.named(name), Some(Named::Model(model)) if model.listed)
}

/// What an attempt has come to, in a word.
fn came_to(spent: &Spent, outcome: Outcome) -> &'static str {
    match spent.stage() {
        Stage::Answering if spent.has_finished() => "ok",
        Stage::Answering if outcome == Outcome::Cancelled => "cancelled",
        Stage::Answering => "broken",
        Stage::Asked if outcome == Outcome::Cancelled => "cancelled",
        Stage::Asked => kind_of(0),
        Stage::Failed => {
            let failure = spent.failure().unwrap_or_default();
            let status = failure.split(':').next().and_then(|status| status.parse().ok());
            kind_of(status.unwrap_or(500))
        }
    }
}

//! What a request has used, when it is over: settled, and told to the access log.

use super::abi;
use super::books;
use super::gateway::{Gateway, State};
use super::live::{Live, Ticket};
use crate::attempt::{Report, Spent, Stage};
use crate::chat::Usage;
use crate::exchange::{Meter, Statement, Used, is_limited, is_unsent, reported};
use crate::health::Ended;
use crate::json;
use std::rc::Rc;

impl Gateway {
    /// Settles what was reserved, for the last time, and gives what was used.
    pub(super) fn settle(&self) -> Statement {
        let meter = self.meter();
        let observed = meter.as_ref().map(|meter| meter.observed()).unwrap_or_default();
        let statement = match meter {
            None => reported(&self.used()),
            Some(meter) => books::with(|books| match self.is_unsent() {
                true => {
                    meter.release(books);
                    Statement::default()
                }
                false => meter.settle(&self.used(), &self.config, books),
            }),
        };
        tell_use(&statement, &observed);
        if let Some(ticket) = &self.ticket {
            tell_attempts(&statement, ticket.live());
        }
        statement
    }

    /// Tells the health of its targets how the last attempt has ended, if that has not been said.
    #[inline(never)]
    pub(super) fn watch(&self) {
        let Some(live) = self.ticket.as_ref().map(Ticket::live) else { return };
        let replaced = matches!(self.state, State::Replaced(_));
        if live.trials.are_over() && !replaced {
            return;
        }
        let last = live.spent.borrow().last().cloned();
        let details = || abi::property("response\0code_details").unwrap_or_default();
        books::with(|books| {
            let trials = &live.trials;
            match last {
                Some(spent) if spent.has_finished() => {
                    let usage = spent.report().usage();
                    let tokens = usage.map_or(0, |usage| usage.completion);
                    trials.end(Ended::Answered { tokens }, usage.as_ref(), books);
                }
                _ if replaced => {
                    trials.unanswered(books);
                    // Envoy had nobody to send it to, which is said of a target that was not even tried.
                    let next = live.plan.targets.get(trials.begun());
                    if let Some(next) = next.filter(|_| is_unsent(&details())) {
                        trials.begin(&next.name, books);
                        trials.unanswered(books);
                    }
                }
                _ if trials.is_open() && details().starts_with(b"upstream") => {
                    trials.end(Ended::Failed, None, books)
                }
                _ => trials.end(Ended::Untold, None, books),
            }
            trials.over(books);
        });
    }

    /// What each attempt has used, as far as is known.
    fn used(&self) -> Vec<Used> {
        let Some(ticket) = &self.ticket else { return Vec::new() };
        // Envoy has not answered by itself.
        let is_open = matches!(self.state, State::Forwarded);
        if is_open && ticket.live().answered.get().is_none() {
            return vec![Used::Unseen];
        }
        let spent = ticket.live().spent.borrow();
        let last = spent.len().saturating_sub(1);
        let used = |(at, spent): (usize, &Rc<Spent>)| match (spent.stage(), spent.report()) {
            (Stage::Answering, Report::Whole(usage)) => Used::Reported(usage),
            (Stage::Answering, Report::SoFar(usage)) => Used::Partly(usage, spent.said().makeup()),
            (Stage::Answering, Report::Missing) => Used::Said(spent.said().makeup()),
            // Nobody has answered: the client has left while the provider was at work.
            (Stage::Asked, _) if is_open && at == last => Used::Said(spent.said().makeup()),
            (Stage::Asked | Stage::Failed, _) => Used::Nothing,
        };
        spent.iter().enumerate().map(used).collect()
    }

    /// What has been used so far, estimated where providers have not said it and it is counted.
    pub(super) fn used_so_far(&self) -> Usage {
        let used = self.used();
        let Some(ticket) = &self.ticket else { return Usage::default() };
        match &*ticket.live().meter.borrow() {
            Some(meter) => books::with(|books| meter.so_far(&used, books)),
            None => {
                let Statement { input: prompt, output: completion, .. } = reported(&used);
                Usage { prompt, completion, ..Usage::default() }
            }
        }
    }

    /// Whether Envoy had nobody to send the request to, or was not to send it, as far as it says.
    fn is_unsent(&self) -> bool {
        let nobody_answered =
            |ticket: &Ticket| ticket.live().spent.borrow().iter().all(|spent| spent.stage() == Stage::Asked);
        matches!(self.state, State::Replaced(_)) && self.ticket.as_ref().is_some_and(nobody_answered) && {
            let details = abi::property("response\0code_details").unwrap_or_default();
            is_unsent(&details) || is_limited(&details)
        }
    }

    /// What is reserved for the request, for the last time.
    pub(super) fn meter(&self) -> Option<Box<Meter>> {
        self.ticket.as_ref()?.live().meter.take()
    }
}

/// Tells the access log what was used.
fn tell_use(statement: &Statement, observed: &str) {
    let mut told = Ok(());
    let mut tell = |name, value: String| told = told.and_then(|()| abi::set_property(name, value.as_bytes()));
    if let Some(provenance) = statement.provenance {
        tell("tokens_in", statement.input.to_string());
        tell("tokens_out", statement.output.to_string());
        // What Envoy's rate limit filter adds to limits that many Envoys share: it can take one value, not a sum.
        tell("tokens", statement.input.saturating_add(statement.output).to_string());
        tell("usage", provenance.as_str().to_string());
        if let Some(cost) = statement.cost {
            tell("cost_usd", cost.to_string());
        }
    }
    if !observed.is_empty() {
        tell("limits_observed", observed.to_string());
    }
    if told.is_err() {
        log::error!("Envoy refused to note what a request used");
    }
}

/// Tells the access log what each attempt came to, where there was more than one: a list of objects, as JSON text.
fn tell_attempts(statement: &Statement, live: &Live) {
    let spent = live.spent.borrow();
    if spent.len() < 2 {
        return;
    }
    let mut list = Vec::new();
    json::array(&mut list, |list| {
        for (at, (spent, target)) in spent.iter().zip(&live.plan.targets).enumerate() {
            list.object(|attempt| {
                attempt.string("provider", &target.provider);
                attempt.string("model", &target.name);
                attempt.string("outcome", &outcome(spent));
                let Some(item) = statement.items.iter().find(|item| item.attempt == at) else { return };
                attempt.number("tokens_in", item.input);
                attempt.number("tokens_out", item.output);
                attempt.string("usage", item.provenance.as_str());
                if let Some(cost) = item.cost {
                    attempt.number("cost_usd", cost);
                }
            });
        }
    });
    if abi::set_property("attempts", &list).is_err() {
        log::error!("Envoy refused to note what attempts used");
    }
}

/// What an attempt came to, in a word or by its error.
fn outcome(spent: &Spent) -> String {
    match spent.stage() {
        Stage::Answering => "ok".to_owned(),
        Stage::Asked => "unanswered".to_owned(),
        Stage::Failed => spent.failure().unwrap_or_default(),
    }
}

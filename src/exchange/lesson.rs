//! What a route with the strategy `adaptive` learns from its attempts: whether they succeed, what they cost, how long they take.

use super::{Books, feedback};
use crate::bandit::{Rules, Toll, reward};
use crate::config::{Adaptive, Route};
use crate::health::Ended;
use std::rc::Rc;

/// What is left of the worth of an answer that was cut.
const CUT: f32 = 0.5;

/// How a bandit goes about it on a route.
pub(super) fn rules(route: &Route) -> Rules {
    Rules { explore: share(route.explore), half_life: route.adaptive.half_life }
}

fn share(thousandths: u16) -> f32 {
    f32::from(thousandths) / 1_000.0
}

/// What is learned from the attempts of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    pub(super) route: Rc<str>,
    /// The kind of request; empty where kinds are not told apart.
    pub(super) task: String,
    pub(super) rules: Rules,
    pub(super) weights: Adaptive,
    /// Who asks, and under which name.
    pub(super) consumer: Rc<str>,
    pub(super) request_id: String,
    /// What requests of its like cost, in nano-dollars, and how long they take, in milliseconds, whoever answers.
    pub(super) usual_cost: f32,
    pub(super) usual_ms: f32,
    pub(super) arms: Vec<Arm>,
}

/// What is known of a target's cost beforehand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arm {
    pub model: Rc<str>,
    /// What the prompt costs, in nano-dollars.
    pub prompt: f32,
    /// What a token of the answer costs.
    pub token: f32,
    /// How many tokens the answer may have, if that is known.
    pub most: Option<u64>,
}

impl Lesson {
    /// What of that an attempt at a model teaches that has ended so, after the client would have waited so long for it.
    pub(super) fn learn(&self, model: &str, ended: Ended, waited_ms: f32, books: Books<'_>) {
        let (is_success, tokens) = match ended {
            Ended::Answered { tokens } => (true, tokens),
            Ended::Failed | Ended::TimedOut | Ended::Limited { .. } => (false, 0),
            Ended::Untold => return,
        };
        let arm = self.arms.iter().find(|arm| *arm.model == *model);
        let amount = arm.map_or(0.0, |arm| arm.prompt + arm.token * tokens as f32);
        let cost = Toll { weight: share(self.weights.cost), amount, usual: self.usual_cost };
        let time = Toll { weight: share(self.weights.latency), amount: waited_ms, usual: self.usual_ms };
        let mut reward = reward(is_success, cost, time);
        // It has as many tokens as it may, so it was most likely cut.
        if arm.and_then(|arm| arm.most).is_some_and(|most| tokens >= most) {
            reward *= CUT;
        }
        books.memory.bandit.borrow_mut().learn((&self.route, &self.task), model, reward, &self.rules);
        if is_success {
            feedback::note(self, model, books.store);
        }
    }
}

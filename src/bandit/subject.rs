//! What a worker knows of the arms of one route and task, and what of it the others have not been told.

use super::rewards::{Rewards, left};
use std::rc::Rc;

/// So many arms are kept, of all routes and tasks together.
pub(super) const MOST: usize = 1_024;
/// In no name, and so between two.
const BETWEEN: &str = " ";

/// A route and a task.
#[derive(Debug)]
pub(super) struct Subject {
    pub name: Rc<str>,
    /// Which part is left of what the others knew at the last exchange; 1 if nothing was learned since.
    pub left: f32,
    pub arms: Vec<Arm>,
}

#[derive(Debug, Clone)]
pub(super) struct Arm {
    pub name: Rc<str>,
    pub rewards: Rewards,
    /// Those of them that the others have not been told.
    pub untold: Rewards,
}

/// What a route and a task are called together.
pub(super) fn name((route, task): (&str, &str)) -> String {
    [route, BETWEEN, task].concat()
}

impl Subject {
    pub fn is(&self, (route, task): (&str, &str)) -> bool {
        let rest = self.name.strip_prefix(route).and_then(|rest| rest.strip_prefix(BETWEEN));
        rest == Some(task)
    }

    /// Whether something was learned that the others have not been told.
    pub fn has_news(&self) -> bool {
        self.left < 1.0
    }

    pub fn learn(&mut self, arm: &str, reward: f32, half_life: u32) {
        let left = left(half_life);
        self.left *= left;
        self.fade(left);
        let new = Rewards::of(reward);
        self.add(Arm { name: arm.into(), rewards: new, untold: new });
    }

    /// Takes in what a worker has learned of this subject, after what is known already.
    pub fn take(&mut self, news: &Self) {
        self.fade(news.left);
        news.arms.iter().filter(|arm| arm.untold.weight > 0.0).for_each(|arm| self.add(arm.clone()));
    }

    /// Adds what is untold of an arm to what is known of it. Of an arm of which nothing is, nobody knows more than who tells.
    #[inline(never)]
    fn add(&mut self, arm: Arm) {
        match self.arms.iter_mut().find(|known| known.name == arm.name) {
            Some(known) => {
                known.rewards.add(arm.untold);
                known.untold.add(arm.untold);
            }
            None => self.arms.push(arm),
        }
    }

    #[inline(never)]
    fn fade(&mut self, left: f32) {
        let mut at = 0;
        while let Some(arm) = self.arms.get_mut(at) {
            arm.rewards.fade(left);
            arm.untold.fade(left);
            if arm.rewards.is_forgotten() {
                self.arms.swap_remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Notes that the others know all of it.
    pub fn is_told(&mut self) {
        self.left = 1.0;
        self.arms.iter_mut().for_each(|arm| arm.untold = Rewards::default());
    }
}

/// Puts what is known of a subject at the end, because something is learned of it.
#[inline(never)]
pub(super) fn last<'a>(subjects: &'a mut Vec<Subject>, name: &str) -> Option<&'a mut Subject> {
    let subject = match subjects.iter().rposition(|known| *known.name == *name) {
        Some(at) => subjects.remove(at),
        None => Subject { name: name.into(), left: 1.0, arms: Vec::new() },
    };
    subjects.push(subject);
    subjects.last_mut()
}

/// Keeps no more than there is room for. The route and task that was not learned of for the longest time goes first, with all of
/// its arms: one that is hardly ever tried is not forgotten while others are in use, only to be tried again.
#[inline(never)]
pub(super) fn limit(subjects: &mut Vec<Subject>) {
    let mut room = MOST;
    let fits = |subject: &&Subject| {
        let rest = room.checked_sub(subject.arms.len().max(1));
        room = rest.unwrap_or_default();
        rest.is_some()
    };
    let kept = subjects.iter().rev().take_while(fits).count();
    while subjects.len() > kept {
        subjects.remove(0);
    }
}

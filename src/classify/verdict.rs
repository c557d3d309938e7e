//! What speaks for which task, added up, and what comes of it.

use super::CHAT;
use super::complexity::Complexity;
use super::features::{Features, Format, Language};
use super::keywords::{EASY, HARD};
use crate::names::TaskName;
use std::fmt;
use std::rc::Rc;

/// What a point of a rule, in halves, is worth beside what words alone speak of (in logarithms of odds).
const RULE: f32 = 0.25;
/// What a code fence, and what a schema is worth.
const FENCE: f32 = 0.7;
const SCHEMA: f32 = 0.7;
/// What speaks for another task has to outweigh this: most that is asked in words nobody has heard is chat.
const DOUBT: f32 = 0.5;
/// From this far ahead of all others a task is clear.
const CLEAR: f32 = 3.0;
/// The built-in tasks, and as many as the configuration may have.
const MOST: usize = 80;
/// Out of the question.
const UNSAID: f32 = -1000.0;
/// Places of built-in tasks.
const CODE: usize = 0;
const CLASSIFICATION: usize = 6;
const EXTRACTION: usize = 7;

/// What kind of request it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The task.
    pub task: TaskName,
    /// How sure that is, in thousandths.
    pub confidence: u16,
    /// The next likely task, and how likely that is, in thousandths.
    pub runner_up: Option<(TaskName, u16)>,
    /// What speaks for it.
    pub evidence: Evidence,
    /// How hard it is.
    pub complexity: Complexity,
    /// Which language its last turn is in.
    pub language: Language,
}

/// What speaks for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The request says so.
    Tag,
    /// A model says so.
    Model,
    /// A keyword or pattern, as it is written.
    Keyword(Rc<str>),
    /// Its words as a whole.
    Lexical,
    /// The system prompt or the turn before.
    Context,
    /// Code fences, or the form that the answer has to have.
    Form,
    /// Nothing: it is chat for want of anything else.
    Nothing,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tag => "tag",
            Self::Model => "model",
            Self::Keyword(text) => return write!(f, "keyword {text:?}"),
            Self::Lexical => "lexical",
            Self::Context => "context",
            Self::Form => "form",
            Self::Nothing => "nothing",
        })
    }
}

/// A task that there is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Names that may have been meant, best first.
    pub nearest: Vec<String>,
}

/// What speaks for each task.
pub(super) struct Scores<'c> {
    /// Logarithms of the odds against chat.
    all: [f32; MOST],
    count: usize,
    /// What the user's last turn says is told by, each with its subject and its points in halves.
    pub told: Vec<(&'c Rc<str>, u8, u8)>,
    /// The most likely task before the form, and before what else was said.
    said: usize,
    formed: usize,
    /// Points of words that say that it is hard, or easy.
    pub hard: u8,
    pub easy: u8,
    /// Words of the last turn.
    pub words: usize,
    /// Whether anything speaks for anything.
    says: bool,
}

impl<'c> Scores<'c> {
    /// Nothing speaks for any of so many tasks; those beyond the built-in ones are out of the question until something does.
    pub fn new(count: usize) -> Self {
        let mut all = [UNSAID; MOST];
        all.iter_mut().take(CHAT).for_each(|score| *score = 0.0);
        all.iter_mut().skip(CHAT).take(1).for_each(|score| *score = DOUBT);
        let count = count.min(MOST);
        let (told, said) = (Vec::new(), CHAT);
        Self { all, count, told, said, formed: CHAT, hard: 0, easy: 0, words: 0, says: false }
    }

    /// What a text's words speak of, with this weight.
    pub fn add_lexical(&mut self, scores: &[f32; 8], weight: f32) {
        for (score, more) in self.all.iter_mut().zip(scores) {
            *score += more * weight;
        }
        self.says |= scores.iter().any(|score| score.abs() > 0.5);
    }

    /// A phrase that is there, with its points in halves.
    pub fn add_rule(&mut self, text: &'c Rc<str>, subject: u8, points: u8, weight: f32) {
        if weight >= 1.0 {
            match subject {
                HARD => self.hard = self.hard.saturating_add(points),
                EASY => self.easy = self.easy.saturating_add(points),
                _ => self.told.push((text, subject, points)),
            }
        }
        if let Some(score) = self.all.get_mut(usize::from(subject)) {
            let before = if *score == UNSAID { 0.0 } else { *score };
            *score = before + f32::from(points) * RULE * weight;
            self.says = true;
        }
    }

    /// What the form of the request speaks of; what was said is complete.
    pub fn add_features(&mut self, features: &Features<'_>) {
        self.said = self.best();
        let mut add = |place: usize, worth: f32| {
            if let Some(score) = self.all.get_mut(place) {
                *score += worth;
            }
        };
        if features.code_fences > 0 {
            add(CODE, FENCE);
        }
        if features.format == Format::Schema {
            add(EXTRACTION, SCHEMA);
            add(CLASSIFICATION, SCHEMA);
        }
        self.formed = self.best();
    }

    /// Whether the best is far ahead of all others.
    pub fn is_clear(&self) -> bool {
        let best = self.best();
        let ahead = |(place, score): (usize, &f32)| place == best || self.score(best) - score > CLEAR;
        self.all.iter().take(self.count).enumerate().all(ahead)
    }

    /// Whether a phrase tells of the best.
    pub fn is_told(&self) -> bool {
        let best = self.best();
        self.told.iter().any(|(_, subject, _)| usize::from(*subject) == best)
    }

    fn score(&self, place: usize) -> f32 {
        self.all.get(place).copied().unwrap_or(UNSAID)
    }

    /// The most likely task; of equally likely ones chat, or else the first.
    fn best(&self) -> usize {
        (0..self.count)
            .fold(CHAT, |best, place| if self.score(place) > self.score(best) { place } else { best })
    }

    /// The task that phrases alone tell of, to compare with.
    #[cfg(test)]
    pub fn by_rules(&self) -> usize {
        let points = |place: &usize| -> u32 {
            let its = self.told.iter().filter(|(_, subject, _)| usize::from(*subject) == *place);
            its.map(|(.., points)| u32::from(*points)).sum()
        };
        (0..self.count).rev().filter(|place| points(place) > 0).max_by_key(points).unwrap_or(CHAT)
    }

    /// What comes of it: the place of the task, and the verdict, whose complexity is still to be told.
    pub fn judge(self, tasks: &[TaskName]) -> (usize, Verdict) {
        let best = self.best();
        let top = self.score(best);
        let odds = |place: usize| exponential(self.score(place) - top);
        let sum: f32 = (0..self.count).map(odds).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
        let share = |place: usize| (odds(place) / sum * 1000.0) as u16;
        let others = (0..self.count).filter(|place| *place != best);
        let second = others.max_by(|a, b| self.score(*a).total_cmp(&self.score(*b)));
        let keyword = self.told.iter().filter(|(_, subject, _)| usize::from(*subject) == best);
        let keyword = keyword.max_by_key(|(.., points)| *points);
        let evidence = match keyword {
            _ if best != self.formed => Evidence::Context,
            _ if best != self.said => Evidence::Form,
            Some((text, ..)) => Evidence::Keyword(Rc::clone(text)),
            None if self.says => Evidence::Lexical,
            None => Evidence::Nothing,
        };
        let name = |place: usize| tasks.get(place).cloned();
        let runner_up = second.and_then(|place| Some((name(place)?, share(place))));
        let task = name(best).unwrap_or_default();
        let complexity = Complexity::Standard;
        (
            best,
            Verdict {
                task,
                confidence: share(best),
                runner_up,
                evidence,
                complexity,
                language: Language::Other,
            },
        )
    }
}

/// e to the power of `x`, which is at most 0.
fn exponential(x: f32) -> f32 {
    let mut power = (1.0 + x.max(-60.0) / 64.0).max(0.0);
    for _ in 0..6 {
        power *= power;
    }
    power
}

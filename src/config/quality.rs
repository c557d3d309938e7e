//! How good a model is, as whoever configures it says: in all, and at kinds of request.

use super::check::Check;
use super::shape::words;
use super::{BUILT_IN, Tasks, raw};
use crate::names;
use std::rc::Rc;

/// A thousandth of all there is: 0 for the worst, 1000 for the best.
pub type Score = u16;

/// How good a model is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quality {
    default: Option<Score>,
    /// Sorted by name.
    tasks: Vec<(Rc<str>, Score)>,
}

impl Quality {
    /// How good it is at this kind of request; none if nobody has said.
    #[must_use]
    pub fn at(&self, task: Option<&str>) -> Option<Score> {
        let of_task = task.and_then(|task| self.tasks.iter().find(|(name, _)| **name == *task));
        of_task.map(|(_, score)| *score).or(self.default)
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.default.is_none() && self.tasks.is_empty()
    }
}

/// A language that can be told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Language(pub &'static str);

words! {
    Language:
    "en" => Language("en"),
    "zh" => Language("zh"),
    "ja" => Language("ja"),
    "ko" => Language("ko"),
    "ru" => Language("ru"),
}

impl Check<'_> {
    pub(super) fn quality(&mut self, path: &str, raw: Option<raw::Quality>, tasks: &[String]) -> Quality {
        let mut quality = Quality::default();
        match raw {
            None => {}
            Some(raw::Quality::All(score)) => quality.default = self.score(path, score),
            Some(raw::Quality::By(entries)) => {
                for (name, score) in entries.0 {
                    let path = format!("{path}.{name}");
                    let score = self.score(&path, score);
                    if name == "default" {
                        quality.default = score;
                    } else if BUILT_IN.contains(&&*name) || tasks.contains(&name) {
                        quality.tasks.extend(score.map(|score| (Rc::from(name), score)));
                    } else {
                        let known = BUILT_IN.into_iter().chain(tasks.iter().map(String::as_str));
                        let nearest = names::nearest(&name, known.chain(["default"]));
                        let found = format!("unknown task `{name}`");
                        self.problems.add_with_nearest(path, found, "default, or a task", nearest);
                    }
                }
            }
        }
        quality
    }

    pub(super) fn score(&mut self, path: &str, score: f64) -> Option<Score> {
        if !(0.0..=1.0).contains(&score) {
            self.problems.add(path, score.to_string(), "a number from 0 to 1");
            return None;
        }
        Some((score * 1_000.0).round() as Score)
    }
}

/// The names of all tasks that the configuration adds.
pub(super) fn added(tasks: Option<&Tasks>) -> Vec<String> {
    tasks.iter().flat_map(|tasks| &tasks.0).map(|task| task.name.to_string()).collect()
}

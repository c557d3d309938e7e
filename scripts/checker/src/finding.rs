//! What is said of a configuration: where, how grave, what.

use crate::yaml::Place;
use modelgate_config::Problem;
use std::fmt;

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gravity {
    /// It would be refused, or could not work.
    Error,
    /// It works, and is hardly meant.
    Warning,
}

/// One thing that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub at: Place,
    pub gravity: Gravity,
    pub problem: Problem,
}

impl fmt::Display for Gravity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Error { "error" } else { "warning" })
    }
}

/// All that is said.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    pub fn error(&mut self, at: Place, path: &str, found: &str, expected: &str) {
        self.add(at, Gravity::Error, problem(path, found, expected, Vec::new()));
    }

    pub fn warning(&mut self, at: Place, path: &str, found: &str, expected: &str) {
        self.add(at, Gravity::Warning, problem(path, found, expected, Vec::new()));
    }

    /// An error about a name, with those that may have been meant.
    pub fn unknown<'n>(
        &mut self,
        at: Place,
        path: &str,
        (name, found): (&str, &str),
        expected: &str,
        known: impl Iterator<Item = &'n str>,
    ) {
        let nearest = modelgate_words::names::nearest(name, known);
        let nearest = nearest.into_iter().map(str::to_owned).collect();
        self.add(at, Gravity::Error, problem(path, found, expected, nearest));
    }

    /// Notes it, once: what aliases repeat is one thing to mend.
    pub fn add(&mut self, at: Place, gravity: Gravity, problem: Problem) {
        let finding = Finding { at, gravity, problem };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    /// In the order of their places.
    pub fn sorted(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|finding| finding.at);
        self.0
    }
}

fn problem(path: &str, found: &str, expected: &str, nearest: Vec<String>) -> Problem {
    Problem { path: path.to_owned(), found: found.to_owned(), expected: expected.to_owned(), nearest }
}

//! What is wrong with a configuration: everything at once, each with where, what was found and what was expected.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `routes.smart.targets[1].model`.
    pub path: String,
    /// What is there, without anything that could be a secret.
    pub found: String,
    /// What belongs there.
    pub expected: String,
    /// Known names that may have been meant, best first.
    pub nearest: Vec<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.found)?;
        if !self.expected.is_empty() {
            write!(f, ": expected {}", self.expected)?;
        }
        for (position, name) in self.nearest.iter().enumerate() {
            write!(f, "{}{name:?}", if position == 0 { "; nearest: " } else { ", " })?;
        }
        Ok(())
    }
}

/// All that is wrong, in the order of the document's sections; displayed as one line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes one more.
    pub(super) fn add(
        &mut self,
        path: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) {
        self.add_with_nearest(path, found, expected, Vec::new());
    }

    /// Notes one more, with the names that may have been meant.
    pub(super) fn add_with_nearest(
        &mut self,
        path: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        nearest: Vec<&str>,
    ) {
        self.0.push(Problem {
            path: path.into(),
            found: found.into(),
            expected: expected.into(),
            nearest: nearest.into_iter().map(str::to_owned).collect(),
        });
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

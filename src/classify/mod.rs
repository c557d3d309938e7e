//! What kind of request is it, and how hard?
//!
//! A request says so itself, by a header or by `metadata.task`; or it is told from what the user said last: by keywords and patterns,
//! the gateway's own and the configuration's, and by a table of words that was trained offline. The system prompt and the turn before
//! weigh less. Where that leaves a doubt, a model may say it (`judge`). Only windows of bounded size are looked at, each character once, without memory that depends on the prompt.
//! `docs/classification.md` defines the tasks and says how often this is right.

mod complexity;
mod features;
mod judge;
mod keywords;
mod labels;
mod lexical;
mod rules;
#[cfg(test)]
mod tests;
mod verdict;
mod window;
mod words;

pub use complexity::Complexity;
pub use features::{Features, Format, Language, Script, features};
pub use labels::{Labels, Mark};
pub use verdict::{Evidence, Unknown, Verdict};

use crate::config::{self, BUILT_IN, Phrase, Tasks};
use crate::names::{self, TaskName};
use lexical::Lexical;
use rules::{Heard, Rules};
use verdict::Scores;
use window::Window;
use words::{Token, Words};

/// The header by which a client says what kind of request it sends.
pub const TASK_HEADER: &str = "x-modelgate-task";

/// The place of `chat`, against which the others are measured, among the built-in tasks.
const CHAT: usize = 8;
/// What a keyword of the configuration's is worth; the gateway's own are worth up to 3. It decides: an operator knows what for.
const CONFIGURED: u8 = 40;
/// How sure it is what a model says, in thousandths.
const MODEL: u16 = 900;

/// Tells tasks apart; made once for a configuration.
#[derive(Debug)]
pub struct Classifier {
    /// The built-in ones, then those that only the configuration has.
    tasks: Vec<TaskName>,
    rules: Rules,
}

/// What is counted on the way.
#[derive(Debug, Default)]
struct Marks {
    questions: u32,
    /// Lines that begin as those of a list do.
    items: u32,
    in_line: bool,
    /// Pieces that were seen, to show that there is a bound.
    #[cfg(test)]
    seen: usize,
}

impl Classifier {
    /// The classifier of a configuration.
    #[must_use]
    pub fn new(configured: &Tasks) -> Self {
        let built_in = BUILT_IN.iter().filter_map(|name| TaskName::parse(name).ok());
        let added = configured.0.iter().filter(|task| !BUILT_IN.contains(&task.name.as_str()));
        let tasks: Vec<_> = built_in.chain(added.map(|task| task.name.clone())).collect();
        let place = |name: &TaskName| tasks.iter().position(|task| task == name).unwrap_or_default() as u8;
        let replaced = |subject: u8| {
            let is_it = |task: &&config::Task| task.replaces && place(&task.name) == subject;
            configured.0.iter().any(|task| is_it(&task))
        };
        let own: Vec<_> = keywords::BUILT_IN
            .iter()
            .filter(|(subject, ..)| !replaced(*subject))
            .filter_map(|(subject, points, text)| Some((Phrase::pattern(text).ok()?, *subject, *points)))
            .collect();
        let own = own.iter().map(|(phrase, subject, points)| (phrase, *subject, *points));
        let theirs = configured
            .0
            .iter()
            .flat_map(|task| task.phrases.iter().map(move |phrase| (phrase, &task.name)))
            .map(|(phrase, name)| (phrase, place(name), CONFIGURED));
        let rules = Rules::new(own.chain(theirs).collect());
        Self { tasks, rules }
    }

    /// The names of the tasks there are: the built-in ones, then the configuration's own.
    #[must_use]
    pub fn tasks(&self) -> &[TaskName] {
        &self.tasks
    }

    /// The task of this name; case does not count.
    ///
    /// # Errors
    /// The names that were probably meant, if there is none.
    pub fn task(&self, name: &str) -> Result<&TaskName, Unknown> {
        let wanted = name.trim();
        let found = self.tasks.iter().find(|task| task.as_str().eq_ignore_ascii_case(wanted));
        found.ok_or_else(|| {
            let nearest = names::nearest(wanted, self.tasks.iter().map(TaskName::as_str));
            Unknown { nearest: nearest.into_iter().map(str::to_owned).collect() }
        })
    }

    /// What kind of request it is.
    #[must_use]
    pub fn classify(&self, features: &Features<'_>) -> Verdict {
        let mut scores = Scores::new(self.tasks.len());
        let marks = self.hear(features.last, 1.0, &mut scores);
        scores.add_features(features);
        // What else was said changes nothing where this is clear.
        if !scores.is_clear() {
            let factor = match scores.is_told() {
                true => 0.5,
                // What says little goes on with what was said before.
                false if scores.words < 6 => 2.0,
                false => 1.0,
            };
            for (window, weight) in [(features.system, 0.3), (features.before, 0.2)] {
                if window != Window::default() {
                    self.hear(window, weight * factor, &mut scores);
                }
            }
        }
        let (hard, easy) = (scores.hard, scores.easy);
        let (place, verdict) = scores.judge(&self.tasks);
        Verdict {
            complexity: complexity::complexity(features, place, &marks, hard, easy),
            language: features.language,
            ..verdict
        }
    }

    /// The verdict on a request that says itself of which task it is.
    #[must_use]
    pub fn tagged(&self, features: &Features<'_>, task: &TaskName) -> Verdict {
        self.told(features, task, (1000, Evidence::Tag))
    }

    /// The verdict on a request of which a model has said of which task it is.
    #[must_use]
    pub fn labelled(&self, features: &Features<'_>, task: &TaskName) -> Verdict {
        self.told(features, task, (MODEL, Evidence::Model))
    }

    fn told(&self, features: &Features<'_>, task: &TaskName, by: (u16, Evidence)) -> Verdict {
        let mut scores = Scores::new(self.tasks.len());
        let marks = self.hear(features.last, 1.0, &mut scores);
        let place = self.tasks.iter().position(|one| one == task).unwrap_or(CHAT);
        let complexity = complexity::complexity(features, place, &marks, scores.hard, scores.easy);
        let (confidence, evidence) = by;
        Verdict {
            task: task.clone(),
            confidence,
            runner_up: None,
            evidence,
            complexity,
            language: features.language,
        }
    }

    /// Reads a window, and adds what it speaks of, with this weight.
    fn hear<'c>(&'c self, window: Window<'_>, weight: f32, scores: &mut Scores<'c>) -> Marks {
        let (mut lexical, mut heard, mut marks) = (Lexical::default(), Heard::new(), Marks::default());
        let [head, tail, end] = window.parts();
        self.read(head, &mut lexical, &mut heard, &mut marks);
        for (part, is_end) in [(tail, false), (end, true)] {
            if !part.is_empty() {
                lexical.part(is_end);
                heard.part(is_end);
                self.read(part, &mut lexical, &mut heard, &mut marks);
            }
        }
        lexical.length(window.bytes);
        scores.add_lexical(&lexical.scores(), weight);
        self.rules.find(&heard, |text, subject, points| scores.add_rule(text, subject, points, weight));
        if weight >= 1.0 {
            scores.words = heard.len();
        }
        marks
    }

    fn read(&self, part: &[u8], lexical: &mut Lexical, heard: &mut Heard, marks: &mut Marks) {
        let mut words = Words::new(&self.rules.beginnings);
        let mut take = |token| {
            lexical.hear(token);
            heard.hear(token);
            marks.see(token);
        };
        window::characters(part, |character| words.push(character, &mut take));
        words.end(&mut take);
    }
}

impl Marks {
    fn see(&mut self, token: Token) {
        #[cfg(test)]
        {
            self.seen += 1;
        }
        match token {
            Token::Sign(0x0A) => self.in_line = false,
            Token::Sign(0x2D | 0x2A | 0x2022) | Token::Number if !self.in_line => {
                self.items = self.items.saturating_add(1);
                self.in_line = true;
            }
            Token::Sign(0x3F) => self.questions = self.questions.saturating_add(1),
            Token::Break => {}
            _ => self.in_line = true,
        }
    }
}

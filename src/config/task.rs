//! Which kinds of request there are, and by which words those are known that the configuration defines.
//!
//! A pattern is no regular expression: it is words in their order, each with its alternatives, and places where a few others may
//! stand between them. So every one of them is matched in linear time, and an engine of expressions has no place in the filter.

use super::check::Check;
use super::raw;
use crate::names::TaskName;
use std::fmt;
use std::rc::Rc;

/// The tasks there are without a configuration, in the order in which others name them.
pub const BUILT_IN: [&str; 9] = [
    "code",
    "reasoning",
    "summary",
    "creative",
    "analysis",
    "translation",
    "classification",
    "extraction",
    "chat",
];

/// More kinds of request are told apart by nobody.
const MOST_TASKS: usize = 64;
const MOST_PHRASES: usize = 256;
const MOST_BYTES: usize = 200;
const MOST_STEPS: usize = 8;
const MOST_ALTERNATIVES: usize = 24;
/// So many letters, a beginning of a word has at least and at most.
const BEGINNING: std::ops::RangeInclusive<usize> = 3..=8;

/// What the configuration says of tasks, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tasks(pub Vec<Task>);

/// A task that the configuration has words for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What it is called.
    pub name: TaskName,
    /// Whether the words take the place of those that the gateway has for it, rather than adding to them.
    pub replaces: bool,
    /// By what it is known.
    pub phrases: Vec<Phrase>,
}

/// Words in an order, any of which tells of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// As it was written.
    pub text: Rc<str>,
    /// Its words.
    pub steps: Vec<Step>,
}

/// A word of a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Whether a few other words may stand before it.
    pub gap: bool,
    /// What it may be.
    pub alternatives: Vec<Alternative>,
}

/// What a word of a phrase may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// The word; of a language without spaces, what is looked for between its characters.
    pub text: Rc<str>,
    /// Whether the word only begins so.
    pub begins: bool,
}

/// Why a text is no phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPhrase {
    /// There is nothing.
    Empty,
    /// It is longer than so many bytes.
    TooLong,
    /// It has more than so many words.
    TooManyWords,
    /// A word has more than so many alternatives.
    TooManyAlternatives,
    /// Something without a letter or a digit stands where a word should be.
    NoWord,
    /// An asterisk is not at the end of a word with so many letters.
    Asterisk,
    /// A gap is at the beginning or the end, or beside another one.
    Gap,
    /// A keyword has what only patterns have.
    NotPlain(char),
}

impl fmt::Display for BadPhrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is longer than 200 bytes",
            Self::TooManyWords => "it has more than 8 words",
            Self::TooManyAlternatives => "a word has more than 24 alternatives",
            Self::NoWord => "it has no letter or digit where a word should be",
            Self::Asterisk => "an asterisk is not at the end of 3 to 8 letters",
            Self::Gap => "`..` is not between two words",
            Self::NotPlain(found) => return write!(f, "it has {found:?}, which only patterns have"),
        })
    }
}

impl Tasks {
    /// All kinds of request there are, with these.
    pub(super) fn names(&self) -> Vec<TaskName> {
        let built_in = BUILT_IN.iter().filter_map(|name| TaskName::parse(name).ok());
        built_in.chain(self.0.iter().map(|task| task.name.clone())).collect()
    }
}

impl Phrase {
    /// The words of a keyword, one after another.
    ///
    /// # Errors
    /// Says what keeps `text` from being one.
    pub fn keyword(text: &str) -> Result<Self, BadPhrase> {
        match text.chars().find(|c| matches!(c, '|' | '*')) {
            Some(found) => Err(BadPhrase::NotPlain(found)),
            None => Self::pattern(text),
        }
    }

    /// A pattern: words, `a|b` for one of several, `begin*` for any that begins so, `..` for up to four that are not looked at.
    ///
    /// # Errors
    /// Says what keeps `text` from being one.
    pub fn pattern(text: &str) -> Result<Self, BadPhrase> {
        if text.len() > MOST_BYTES {
            return Err(BadPhrase::TooLong);
        }
        let mut steps = Vec::new();
        let mut gap = false;
        for word in text.split_whitespace() {
            if word == ".." {
                if gap || steps.is_empty() {
                    return Err(BadPhrase::Gap);
                }
                gap = true;
                continue;
            }
            let alternatives = word.split('|').map(alternative).collect::<Result<Vec<_>, _>>()?;
            if alternatives.len() > MOST_ALTERNATIVES {
                return Err(BadPhrase::TooManyAlternatives);
            }
            steps.push(Step { gap: std::mem::take(&mut gap), alternatives });
        }
        match steps.len() {
            _ if gap => Err(BadPhrase::Gap),
            0 => Err(BadPhrase::Empty),
            1..=MOST_STEPS => Ok(Self { text: text.into(), steps }),
            _ => Err(BadPhrase::TooManyWords),
        }
    }
}

fn alternative(word: &str) -> Result<Alternative, BadPhrase> {
    let (text, begins) = match word.strip_suffix('*') {
        Some(beginning) => (beginning, true),
        None => (word, false),
    };
    if !text.contains(char::is_alphanumeric) {
        return Err(BadPhrase::NoWord);
    }
    let is_beginning = || BEGINNING.contains(&text.chars().count()) && text.chars().all(char::is_alphabetic);
    if text.contains('*') || begins && !is_beginning() {
        return Err(BadPhrase::Asterisk);
    }
    Ok(Alternative { text: text.into(), begins })
}

impl Check<'_> {
    pub(super) fn tasks(&mut self, raw: raw::Entries<raw::Task>) -> Tasks {
        let mut tasks = Vec::new();
        if raw.0.len() > MOST_TASKS {
            self.problems.add("tasks", format!("there are {}", raw.0.len()), "at most 64");
        }
        for (name, raw) in raw.0 {
            let path = format!("tasks.{name}");
            let is_built_in = BUILT_IN.contains(&&*name);
            let parsed = self.name(TaskName::parse(&name), &path, &name);
            let replaces = raw.replace.unwrap_or(false);
            if raw.replace.is_some() && !is_built_in {
                let found = format!("the gateway has no words for {name:?}");
                self.problems.add(
                    format!("{path}.replace"),
                    found,
                    format!("no such key, or one of {}", BUILT_IN.join(", ")),
                );
            }
            if raw.keywords.is_empty() && raw.patterns.is_empty() && !replaces {
                self.problems.add(&*path, "it has neither keywords nor patterns", "at least one");
            }
            if raw.keywords.len().saturating_add(raw.patterns.len()) > MOST_PHRASES {
                self.problems.add(&*path, "too many keywords and patterns", "at most 256");
            }
            let mut phrases = Vec::new();
            self.phrases(&format!("{path}.keywords"), &raw.keywords, Phrase::keyword, &mut phrases);
            self.phrases(&format!("{path}.patterns"), &raw.patterns, Phrase::pattern, &mut phrases);
            tasks.extend(parsed.map(|name| Task { name, replaces, phrases }));
        }
        Tasks(tasks)
    }

    fn phrases(
        &mut self,
        path: &str,
        texts: &[String],
        read: fn(&str) -> Result<Phrase, BadPhrase>,
        phrases: &mut Vec<Phrase>,
    ) {
        for (position, text) in texts.iter().enumerate() {
            match read(text) {
                Ok(phrase) => phrases.push(phrase),
                Err(why) => {
                    let expected = "words, with a|b, begin* and .. in patterns";
                    self.problems.add(format!("{path}[{position}]"), format!("{text:?}: {why}"), expected);
                }
            }
        }
    }
}

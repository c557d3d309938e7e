//! Ensembles: who answers a request together, and how one answer is made of theirs.

use super::check::Check;
use super::shape::words;
use super::{Edits, raw};
use std::ops::RangeInclusive;
use std::rc::Rc;

const MEMBERS: RangeInclusive<u64> = 1..=8;
const WEIGHTS: RangeInclusive<u64> = 1..=1_000;

/// Several who answer the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensemble {
    /// Who answers; at least one.
    pub members: Vec<Member>,
    /// How one answer is made of theirs.
    pub combine: Combine,
    /// After so many answers (to a vote: that agree) the others are not waited for.
    pub quorum: Option<u32>,
    /// With fewer answers the route's targets answer.
    pub min_responses: u32,
}

/// Someone whose answer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// A model, as a client would ask for it, or a route.
    pub model: Rc<str>,
    /// What is changed in the request.
    pub edits: Option<Rc<Edits>>,
    /// What its vote counts.
    pub weight: u32,
    /// How long its call may take, in milliseconds; as long as any if none.
    pub timeout_ms: Option<u32>,
}

/// How one answer is made of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Combine {
    /// A model says how good each of them is.
    BestOfN(Judge),
    /// What most of them say.
    Vote(Ballot),
    /// A model writes it.
    Fuse(Rc<str>),
    /// The longest.
    Longest,
    /// The first that is good.
    FirstValid,
}

/// A model that says how good answers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judge {
    /// A model, as a client would ask for it, or a route.
    pub model: Rc<str>,
    /// What makes an answer good.
    pub rubric: Rc<str>,
}

/// What of an answer is its vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ballot {
    /// Its text, but for case, space and punctuation.
    Text,
    /// The last number in it.
    Number,
    /// A member of the JSON object that it is, by its path (`a.b`).
    Field(Rc<str>),
}

/// What the judge is told where the configuration says nothing.
const RUBRIC: &str = "It is correct, complete, does what was asked for, and is no longer than it has to be.";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    BestOfN,
    Vote,
    Fuse,
    Longest,
    FirstValid,
}

words! {
    Rule: "best_of_n" => Rule::BestOfN, "vote" => Rule::Vote, "fuse" => Rule::Fuse, "longest" => Rule::Longest,
    "first_valid" => Rule::FirstValid
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum VoteBy {
    #[default]
    Text,
    Number,
    Json,
}

words! { VoteBy: "text" => VoteBy::Text, "number" => VoteBy::Number, "json" => VoteBy::Json }

impl Ensemble {
    /// The models that it names, with where: as a client would ask for them.
    pub(super) fn models(&self) -> Vec<(String, &str)> {
        let members = self.members.iter().enumerate();
        let mut all: Vec<_> =
            members.map(|(at, member)| (format!("ensemble.members[{at}].model"), &*member.model)).collect();
        match &self.combine {
            Combine::BestOfN(judge) => all.push(("ensemble.judge.model".to_owned(), &judge.model)),
            Combine::Fuse(model) => all.push(("ensemble.model".to_owned(), model)),
            Combine::Vote(_) | Combine::Longest | Combine::FirstValid => {}
        }
        all
    }
}

impl Check<'_> {
    pub(super) fn ensemble(&mut self, path: &str, raw: &raw::Ensemble) -> Option<Ensemble> {
        let members = self.members(&format!("{path}.members"), &raw.members);
        let most = members.len() as u64;
        let mut count = |key: &str, raw: Option<u64>, default: u64| {
            let number = self.limited(&format!("{path}.{key}"), raw, default, &(1..=most.max(1)));
            u32::try_from(number).unwrap_or(u32::MAX)
        };
        let quorum = raw.quorum.map(|quorum| count("quorum", Some(quorum), 1));
        let min_responses = count("min_responses", raw.min_responses, 1);
        let combine = match raw.combine {
            Rule::BestOfN => Combine::BestOfN(self.judge(&format!("{path}.judge"), raw.judge.as_ref())?),
            Rule::Vote => Combine::Vote(match (raw.vote.by, &raw.vote.field) {
                (VoteBy::Text, _) => Ballot::Text,
                (VoteBy::Number, _) => Ballot::Number,
                (VoteBy::Json, Some(field)) if !field.is_empty() => Ballot::Field(field.as_str().into()),
                (VoteBy::Json, _) => {
                    let expected = "the path of a member of the answers, as `a.b`";
                    self.problems.add(format!("{path}.vote.field"), "there is none", expected);
                    return None;
                }
            }),
            Rule::Fuse => match &raw.model {
                Some(model) => Combine::Fuse(model.as_str().into()),
                None => {
                    let expected = "the model that writes the answer";
                    self.problems.add(format!("{path}.model"), "there is none", expected);
                    return None;
                }
            },
            Rule::Longest => Combine::Longest,
            Rule::FirstValid => Combine::FirstValid,
        };
        Some(Ensemble { members, combine, quorum, min_responses })
    }

    pub(super) fn members(&mut self, path: &str, raw: &[raw::Member]) -> Vec<Member> {
        if !MEMBERS.contains(&(raw.len() as u64)) {
            self.problems.add(path, raw.len().to_string(), "from 1 to 8 of them");
        }
        raw.iter().enumerate().map(|(at, raw)| self.member(&format!("{path}[{at}]"), raw)).collect()
    }

    fn member(&mut self, path: &str, raw: &raw::Member) -> Member {
        let weight = self.limited(&format!("{path}.weight"), raw.weight, 1, &WEIGHTS);
        let edits = raw.request.as_ref().map(|raw| Rc::new(self.edits(&format!("{path}.request"), raw)));
        let weight = u32::try_from(weight).unwrap_or(1);
        let timeout_ms = raw.timeout_ms.map(|_| self.ms(&format!("{path}.timeout_ms"), raw.timeout_ms, 1));
        Member { model: raw.model.as_str().into(), edits, weight, timeout_ms }
    }

    pub(super) fn judge(&mut self, path: &str, raw: Option<&raw::Judge>) -> Option<Judge> {
        let Some(raw) = raw else {
            self.problems.add(path, "there is none", "a map with the keys model and rubric");
            return None;
        };
        let rubric = raw.rubric.as_deref().filter(|text| !text.trim().is_empty()).unwrap_or(RUBRIC);
        Some(Judge { model: raw.model.as_str().into(), rubric: rubric.into() })
    }
}

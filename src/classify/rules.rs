//! Which keywords and patterns are in what is said.
//!
//! All phrases are looked for at once: a word that none begins with is passed over, and from one that some do the rest of those is
//! followed. How far that goes is bounded by the phrases alone, so the time is linear in the window.

use super::words::{self, Beginnings, Token};
use crate::config::{Alternative, Phrase, Step};
use crate::names;
use std::rc::Rc;

/// So many words of the head, together with those of the tail, and together with those of the end, are looked at.
const HEAD: usize = 208;
const TAIL: usize = 256;
const MOST: usize = 320;
/// So many words may stand where a pattern has a gap.
const GAP: usize = 4;
/// A phrase's place is so many bits.
const SHIFT: u32 = 20;
const PLACE: u64 = (1 << SHIFT) - 1;
/// What stands in the front or at the end counts in full, elsewhere half.
const FRONT: usize = 24;

/// Phrases, and what each of them tells.
#[derive(Debug, Default)]
pub(super) struct Rules {
    phrases: Vec<Rule>,
    /// With what phrases begin, sorted: a hash, and below it the phrase's place.
    firsts: Vec<u64>,
    sieve: [u64; 32],
    /// Beginnings of words that phrases have.
    pub beginnings: Beginnings,
}

#[derive(Debug)]
struct Rule {
    text: Rc<str>,
    /// Which subject it tells of.
    subject: u8,
    points: u8,
    steps: Vec<Words>,
}

/// A step of a phrase as hashes.
#[derive(Debug)]
struct Words {
    gap: bool,
    alternatives: Vec<Vec<u32>>,
    /// Hashes of known beginnings.
    begins: Vec<u32>,
}

/// What was said, by the hashes of its words.
pub(super) struct Heard {
    words: [(u32, u32); MOST],
    len: usize,
    limit: usize,
    /// Where the end begins.
    end: usize,
}

impl Heard {
    pub fn new() -> Self {
        Self { words: [(0, 0); MOST], len: 0, limit: HEAD, end: MOST }
    }

    /// Another part of the text begins: no phrase goes across.
    pub fn part(&mut self, is_end: bool) {
        self.limit = if is_end { MOST } else { TAIL };
        self.push((0, 0));
        if is_end {
            self.end = self.len;
        }
    }

    #[inline]
    pub fn hear(&mut self, token: Token) {
        if let Some(word) = words::heard(token) {
            self.push(word);
        }
    }

    #[inline]
    fn push(&mut self, word: (u32, u32)) {
        if let Some(free) = self.words.get_mut(self.len).filter(|_| self.len < self.limit) {
            *free = word;
            self.len = self.len.wrapping_add(1);
        }
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.len
    }
}

impl Rules {
    /// What is looked for: phrases with the subject that each tells of, and how many points it is worth.
    pub fn new(phrases: Vec<(&Phrase, u8, u8)>) -> Self {
        let alternatives = |phrase: &Phrase| {
            let steps = phrase.steps.iter().flat_map(|step| step.alternatives.iter().cloned());
            steps.filter(|alternative| alternative.begins).collect::<Vec<_>>()
        };
        let known: Vec<Alternative> = phrases.iter().flat_map(|(phrase, ..)| alternatives(phrase)).collect();
        let mut rules = Self::default();
        for (phrase, subject, points) in phrases {
            let steps: Vec<_> = phrase.steps.iter().map(|step| Words::of(step, &known)).collect();
            let index = rules.phrases.len() as u64 & PLACE;
            if let Some(first) = steps.first() {
                let firsts = first.alternatives.iter().filter_map(|words| words.first().copied());
                rules.firsts.extend(
                    firsts.chain(first.begins.iter().copied()).map(|first| u64::from(first) << SHIFT | index),
                );
            }
            rules.phrases.push(Rule { text: Rc::clone(&phrase.text), subject, points, steps });
        }
        rules.firsts.sort_unstable();
        rules.firsts.dedup();
        for first in &rules.firsts {
            let first = first >> SHIFT;
            if let Some(word) = rules.sieve.get_mut((first >> 27 & 31) as usize) {
                *word |= 1 << (first >> 21 & 63);
            }
        }
        rules.beginnings = Beginnings::new(known.iter().filter_map(beginning).map(u64::from).collect());
        rules
    }

    /// Tells of each phrase that is there, the first time it is: its text, its subject, and its points in halves.
    pub fn find<'s>(&'s self, heard: &Heard, mut take: impl FnMut(&'s Rc<str>, u8, u8)) {
        let mut told = vec![0_u64; self.phrases.len().div_ceil(64)];
        for at in 0..heard.len() {
            let Some((hash, known)) = heard.words.get(at) else { return };
            for first in [*hash, *known] {
                if first == 0 || !self.may_begin_with(first) {
                    continue;
                }
                let first = u64::from(first);
                let begin = self.firsts.partition_point(|other| other >> SHIFT < first);
                let phrases = self.firsts.iter().skip(begin).take_while(|other| *other >> SHIFT == first);
                for other in phrases {
                    let index = (other & PLACE) as usize;
                    let Some(rule) = self.phrases.get(index) else { continue };
                    let (word, bit) = (index / 64, 1 << (index % 64));
                    let Some(word) = told.get_mut(word).filter(|word| **word & bit == 0) else { continue };
                    if rule.begins_at(heard, at) {
                        *word |= bit;
                        let points =
                            rule.points.saturating_mul(if at < FRONT || at >= heard.end { 2 } else { 1 });
                        take(&rule.text, rule.subject, points);
                    }
                }
            }
        }
    }

    #[inline]
    fn may_begin_with(&self, first: u32) -> bool {
        let word = self.sieve.get((first >> 27) as usize).copied().unwrap_or_default();
        word >> (first >> 21 & 63) & 1 == 1
    }
}

impl Rule {
    /// Whether the phrase is there from this word on. The bits of `ends` are the places where what was found of it may end.
    fn begins_at(&self, heard: &Heard, at: usize) -> bool {
        let mut ends = 1_u64;
        for step in &self.steps {
            if step.gap {
                ends = (1..=GAP).fold(ends, |more, by| more | ends << by);
            }
            let mut after = 0;
            while ends != 0 {
                let end = ends.trailing_zeros() as usize;
                ends &= ends.wrapping_sub(1);
                after |= step.ends(heard, at.saturating_add(end)) << end;
            }
            if after == 0 {
                return false;
            }
            ends = after;
        }
        true
    }
}

impl Words {
    fn of(step: &Step, known: &[Alternative]) -> Self {
        let (begins, whole): (Vec<_>, Vec<_>) = step.alternatives.iter().partition(|one| one.begins);
        let alternatives =
            whole.iter().map(|whole| words::hashes(&whole.text)).filter(|words| !words.is_empty());
        // A word is known by the longest of the beginnings that it has.
        let begins = known.iter().filter(|known| {
            let known = names::lower(&known.text);
            begins.iter().any(|begins| known.starts_with(&*names::lower(&begins.text)))
        });
        let alternatives = alternatives.collect();
        Self { gap: step.gap, alternatives, begins: begins.filter_map(beginning).collect() }
    }

    /// After how many words from here on the step may end, as bits.
    fn ends(&self, heard: &Heard, at: usize) -> u64 {
        let Some((_, known)) = heard.words.get(at).filter(|_| at < heard.len()) else { return 0 };
        let mut ends = u64::from(*known != 0 && self.begins.contains(known)) << 1;
        for words in &self.alternatives {
            let there = heard.words.get(at..).unwrap_or_default().iter().map(|(hash, _)| hash);
            if words.iter().eq(there.take(words.len())) {
                ends |= 1_u64.checked_shl(words.len() as u32).unwrap_or_default();
            }
        }
        ends
    }
}

/// The hash of what a word begins with.
fn beginning(alternative: &Alternative) -> Option<u32> {
    words::hashes(&alternative.text).first().copied()
}

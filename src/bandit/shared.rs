//! What all workers know: one value of the store with all routes and tasks, the one that was learned of last at the end.
//!
//! Names and sums are behind each other, each name after its length, all numbers of four bytes.

use super::rewards::Rewards;
use super::subject::{Arm, Subject, last, limit};
use crate::store::{Contended, Store, update};
use std::rc::Rc;

/// Where it is.
pub(super) const KEY: &str = "bandit";
/// The form of the value, its first byte.
pub(super) const VERSION: u8 = 1;
/// How often a race for the value may be lost. Exchanges are rare, and what is not told now is told a second later.
const ATTEMPTS: u32 = 32;

/// Tells what a worker has learned, and takes over what all know then. Where nothing can be read, nobody knows more than this
/// worker.
pub(super) fn exchange(store: &dyn Store, own: &mut Vec<Subject>) -> Result<(), Contended> {
    let has_news = own.iter().any(Subject::has_news);
    let mut all = None;
    update(store, KEY, ATTEMPTS, |value| {
        all = value.and_then(read);
        if let Some(all) = &mut all {
            take(all, own);
        }
        ((), has_news.then(|| write(all.as_ref().unwrap_or(own))))
    })?;
    if let Some(all) = all {
        *own = all;
    }
    own.iter_mut().for_each(Subject::is_told);
    Ok(())
}

/// Takes in what is news.
#[inline(never)]
fn take(all: &mut Vec<Subject>, own: &[Subject]) {
    for news in own.iter().filter(|subject| subject.has_news()) {
        if let Some(known) = last(all, &news.name) {
            known.take(news);
        }
    }
    limit(all);
}

#[inline(never)]
fn write(subjects: &[Subject]) -> Vec<u8> {
    let mut out = vec![VERSION];
    for subject in subjects.iter().filter(|subject| !subject.arms.is_empty()) {
        text(&mut out, &subject.name);
        word(&mut out, subject.arms.len() as u32);
        for Arm { name, rewards: Rewards { weight, sum, squares }, .. } in &subject.arms {
            text(&mut out, name);
            [weight, sum, squares].iter().for_each(|amount| word(&mut out, amount.to_bits()));
        }
    }
    out
}

#[inline(never)]
fn text(out: &mut Vec<u8>, text: &str) {
    word(out, text.len() as u32);
    out.extend_from_slice(text.as_bytes());
}

#[inline(never)]
fn word(out: &mut Vec<u8>, word: u32) {
    out.extend_from_slice(&word.to_le_bytes());
}

/// All that is in a value; none if any of it cannot be read.
#[inline(never)]
fn read(value: &[u8]) -> Option<Vec<Subject>> {
    let mut from = Reader(value.strip_prefix(&[VERSION])?);
    let mut subjects = Vec::new();
    while !from.0.is_empty() {
        let mut subject = Subject { name: from.name()?, left: 1.0, arms: Vec::new() };
        for _ in 0..from.word()? {
            let name = from.name()?;
            let rewards = Rewards { weight: from.amount()?, sum: from.amount()?, squares: from.amount()? };
            subject.arms.push(Arm { name, rewards: rewards.checked()?, untold: Rewards::default() });
        }
        subjects.push(subject);
    }
    Some(subjects)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    #[inline(never)]
    fn word(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*word))
    }

    fn amount(&mut self) -> Option<f32> {
        self.word().map(f32::from_bits)
    }

    #[inline(never)]
    fn name(&mut self) -> Option<Rc<str>> {
        let length = self.word()?;
        let (text, rest) = self.0.split_at_checked(length as usize)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(Rc::from)
    }
}

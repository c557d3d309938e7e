//! What all workers know: one value of the store with all routes and tasks, the one that was learned of last at the end.
//!
//! Names and sums are behind each other, each name after its length, all numbers of four bytes.

use super::rewards::Rewards;
use super::subject::{Arm, MOST, Subject, limit};
use crate::store::{Contended, Store, update};

/// Where it is.
pub(super) const KEY: &str = "bandit";
/// The form of the value, its first byte.
pub(super) const VERSION: u8 = 1;
/// How often a race for the value may be lost. Exchanges are rare, and what is not told now is told a second later.
const ATTEMPTS: u32 = 32;

/// Tells what a worker has learned, and gives what all know then.
pub(super) fn exchange(store: &dyn Store, own: &[Subject]) -> Result<Vec<Subject>, Contended> {
    let has_news = own.iter().any(Subject::has_news);
    let mut all = update(store, KEY, ATTEMPTS, |value| {
        let all = merged(value, own);
        let new = has_news.then(|| write(&all));
        (all, new)
    })?;
    all.iter_mut().for_each(Subject::is_told);
    Ok(all)
}

/// What is in the value, and after that what is news. Of what is not there, as where nothing can be read, nobody knows more
/// than this worker.
fn merged(value: Option<&[u8]>, own: &[Subject]) -> Vec<Subject> {
    let Some(mut all) = value.and_then(read) else { return own.to_vec() };
    for news in own.iter().filter(|subject| subject.has_news()) {
        let at = all.iter().position(|known| known.is((&news.route, &news.task)));
        let subject = match at {
            Some(at) => {
                let mut known = all.remove(at);
                known.take(news);
                known
            }
            None => news.clone(),
        };
        all.push(subject);
    }
    limit(&mut all);
    all
}

fn write(subjects: &[Subject]) -> Vec<u8> {
    let mut out = vec![VERSION];
    for subject in subjects {
        text(&mut out, &subject.route);
        text(&mut out, &subject.task);
        word(&mut out, subject.arms.len() as u32);
        for Arm { name, rewards: Rewards { weight, sum, squares }, .. } in &subject.arms {
            text(&mut out, name);
            [weight, sum, squares].iter().for_each(|amount| word(&mut out, amount.to_bits()));
        }
    }
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    word(out, text.len() as u32);
    out.extend_from_slice(text.as_bytes());
}

fn word(out: &mut Vec<u8>, word: u32) {
    out.extend_from_slice(&word.to_le_bytes());
}

/// All that is in a value; none if any of it cannot be read.
fn read(value: &[u8]) -> Option<Vec<Subject>> {
    let mut from = Reader(value.strip_prefix(&[VERSION])?);
    let (mut subjects, mut kept) = (Vec::new(), 0);
    while !from.0.is_empty() {
        let mut subject = Subject::new((from.text()?, from.text()?));
        let arms = from.word()?;
        kept = arms.saturating_add(kept);
        if kept as usize > MOST || arms == 0 {
            return None;
        }
        for _ in 0..arms {
            let name = from.text()?.into();
            let rewards = Rewards { weight: from.amount()?, sum: from.amount()?, squares: from.amount()? };
            subject.arms.push(Arm { name, rewards: rewards.checked()?, untold: Rewards::default() });
        }
        subjects.push(subject);
    }
    Some(subjects)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn word(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*word))
    }

    fn amount(&mut self) -> Option<f32> {
        self.word().map(f32::from_bits)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.word()?;
        let (text, rest) = self.0.split_at_checked(length as usize)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

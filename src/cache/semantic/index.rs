//! The questions that were asked before, in what all workers share.
//!
//! What must be the same exactly is not searched for but part of the address: the context (scope,
//! route, system prompt, tools, form of the answer, earlier turns, sampling), what made the vectors,
//! what is asked for, and the words on which everything depends. So a set holds few questions that
//! come into question at all, and one value is read for a look. The oldest question of a set goes
//! first. Answers lie elsewhere, under their own keys.

use super::guard::{difference, strictness};
use super::words::Words;
use super::{Question, Vector};
use crate::cache::answers::{Answers, Found};
use crate::cache::bytes::{checksum, take, take_slice};
use crate::cache::canonical::Canonical;
use crate::cache::key::{Key, Keys};
use crate::config::Similarity;
use crate::store::{self, Store};
use crate::time::Timestamp;

/// Where the questions are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Index {
    sets: u64,
}

/// A question that is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'q> {
    /// The keys of its request.
    pub keys: Keys,
    /// What it is.
    pub question: &'q Question,
    /// Its vector.
    pub vector: &'q Vector,
    /// The model that has made the vector; none if the gateway has.
    pub embedder: Option<&'q str>,
}

/// A question that was asked before.
struct Record<'r> {
    /// What has to be the same: part of a hash of it.
    tag: [u8; 16],
    /// Of the answer.
    key: Key,
    /// When it was asked.
    made: Timestamp,
    text: &'r str,
    vector: &'r [u8],
}

/// The form's version, its first byte.
const VERSION: u8 = 1;
/// So many questions a set has at most.
const MOST: usize = 64;
/// So many of the nearest are tried: the answer of one may be gone.
const TRIED: usize = 3;
/// How often a lost race is run again before the question is not noted.
const ATTEMPTS: u32 = 3;

impl Index {
    /// Places for this many questions, or up to 63 more.
    #[must_use]
    pub fn new(questions: u32) -> Self {
        Self { sets: u64::from(questions).div_ceil(MOST as u64).max(1) }
    }

    /// The answer to the nearest question that means the same, is similar enough and was answered less than
    /// `ttl` seconds ago.
    pub fn find(
        &self,
        store: &dyn Store,
        answers: &Answers,
        asked: &Asked<'_>,
        (threshold, ttl): (Similarity, u64),
        now: Timestamp,
    ) -> Option<Found> {
        let address = asked.address();
        let (bytes, _) = store.get(&self.set(&address))?;
        let tag = tag(&address);
        let mut near: Vec<(f32, Record<'_>)> = records(&bytes)
            .filter(|record| record.tag == tag)
            .map(|record| (asked.vector.cosine(record.vector), record))
            .filter(|(cosine, _)| threshold.admits(*cosine))
            .collect();
        let nearest = std::iter::from_fn(|| {
            let all = near.iter().enumerate();
            let (at, _) = all.max_by(|(_, (a, x)), (_, (b, y))| a.total_cmp(b).then(x.made.cmp(&y.made)))?;
            Some(near.swap_remove(at).1)
        });
        let same = nearest.filter(|record| asked.means(record.text)).take(TRIED);
        same.map(|record| Keys { exact: record.key, context: asked.keys.context })
            .find_map(|keys| answers.find(store, &keys, ttl, now))
    }

    /// Notes a question whose answer is kept.
    pub fn note(&self, store: &dyn Store, asked: &Asked<'_>, now: Timestamp) {
        let address = asked.address();
        let new = Record {
            tag: tag(&address),
            key: asked.keys.exact,
            made: now,
            text: &asked.question.text,
            vector: asked.vector.as_bytes(),
        };
        // A question that cannot be noted is one that is answered anew.
        let _ = store::update(store, &self.set(&address), ATTEMPTS, |old| {
            let others = records(old.unwrap_or_default()).filter(|record| record.key != new.key);
            let mut kept: Vec<Record<'_>> = others.collect();
            kept.drain(..kept.len().saturating_sub(MOST.saturating_sub(1)));
            ((), Some(written(kept.iter().chain([&new]))))
        });
    }

    fn set(&self, address: &Key) -> String {
        format!("cache/questions/{}", address.part(0).checked_rem(self.sets).unwrap_or_default())
    }
}

impl Asked<'_> {
    /// The hash of all that has to be the same exactly.
    fn address(&self) -> Key {
        let mut address = Canonical::begin("modelgate cache question 1", None);
        address.key(&self.keys.context);
        address.tag(if self.embedder.is_some() { b'm' } else { b'l' });
        address.plain(self.embedder.unwrap_or_default());
        address.plain(self.question.words.asks);
        self.question.words.decisive().for_each(|word| address.plain(word));
        address.finish()
    }

    /// Whether nothing is between this question and another one that vectors do not show.
    fn means(&self, other: &str) -> bool {
        let other = Words::of(other);
        let strictness = strictness(&self.question.words, &other, self.embedder.is_some());
        difference(&self.question.words, &other, strictness).is_none()
    }
}

fn tag(address: &Key) -> [u8; 16] {
    let mut tag = [0; 16];
    for (to, index) in tag.as_chunks_mut::<8>().0.iter_mut().zip([2, 3]) {
        *to = address.part(index).to_le_bytes();
    }
    tag
}

/// The questions in these bytes, oldest first; none if they are anything but what was written.
fn records(bytes: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = bytes.strip_prefix(&[VERSION]).unwrap_or_default();
    if take(&mut rest).map(u64::from_le_bytes) != Some(checksum(rest)) {
        rest = &[];
    }
    std::iter::from_fn(move || {
        let text = usize::from(u16::from_le_bytes(take(&mut rest)?));
        let vector = usize::from(u16::from_le_bytes(take(&mut rest)?));
        Some(Record {
            tag: take(&mut rest)?,
            key: Key::from_bytes(take(&mut rest)?),
            made: Timestamp::from_millis(u64::from_le_bytes(take(&mut rest)?)),
            text: std::str::from_utf8(take_slice(&mut rest, text)?).ok()?,
            vector: take_slice(&mut rest, vector)?,
        })
    })
}

fn written<'r>(records: impl Iterator<Item = &'r Record<'r>>) -> Vec<u8> {
    let mut body = Vec::new();
    for record in records {
        // Both are far shorter than 64 KiB.
        let len = |len: usize| u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes();
        body.extend(len(record.text.len()));
        body.extend(len(record.vector.len()));
        body.extend(record.tag);
        body.extend(record.key.as_bytes());
        body.extend(record.made.millis().to_le_bytes());
        body.extend_from_slice(record.text.as_bytes());
        body.extend_from_slice(record.vector);
    }
    let mut out = vec![VERSION];
    out.extend(checksum(&body).to_le_bytes());
    out.extend(body);
    out
}

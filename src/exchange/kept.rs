//! Answers that were given before: looked for before anything is reserved, kept when they are complete.
//!
//! An answer from here costs no provider anything, so it counts against no limit. What is kept is only what an attempt has
//! let go, taken down as it went.

use super::content::fingerprint;
use super::embedding::{self, Embedding};
use super::{Asking, Books, Call, Reply};
use crate::cache::semantic::{Asked, Index, Question, Vector};
use crate::cache::{
    Answers, Found, Handling, Key, Keys, Origin, Recorder, Scope, Status, Subject, not_cached,
};
use crate::chat::{EVENT_STREAM, JSON, Request, Usage};
use crate::config::{CachePolicy, CacheScope, CacheStore, Config, Consumer, How};
use crate::observe::Record;
use crate::route::{self, Candidates};
use crate::time::Timestamp;
use std::rc::Rc;

/// What came of looking for an answer.
pub(super) enum Look {
    /// There is one, or no other one is wanted.
    Answered(Reply),
    /// There will be, under this key, because the same request is on its way.
    Awaited(Key),
    /// A model has to be asked for the vector of the question; see [`Step::Call`](super::Step::Call).
    Embed(Call, Option<(Key, Timestamp)>),
    /// A provider has to be asked; with what the cache does then, where it is for requests like this.
    Unanswered(Option<Caching>),
}

/// What the cache does for a request that is forwarded.
#[derive(Debug, PartialEq)]
pub struct Caching {
    /// What its client is told.
    pub status: Status,
    /// How its answer is kept; none if it is not.
    pub keep: Option<Box<Keep>>,
}

/// How an answer is kept.
#[derive(Debug, PartialEq)]
pub struct Keep {
    keys: Keys,
    /// For how long, in seconds.
    ttl: u64,
    /// Under which key the same request finds the answer, and until when it waits for that; none if it does not wait.
    awaited: Option<(Key, Timestamp)>,
    /// What was asked, where similar questions get this answer too.
    question: Option<Compared>,
    n: u64,
    functions: bool,
    store: CacheStore,
}

/// A question that is compared with others.
#[derive(Debug, PartialEq)]
struct Compared {
    text: Question,
    vector: Vector,
    /// The model that has made the vector; none if the gateway has.
    embedder: Option<Rc<str>>,
}

/// Looks for an answer to this consumer's request.
pub(super) fn look_up(
    request: &Request<'_>,
    candidates: &Candidates,
    asking: Asking<'_>,
    config: &Config,
    books: Books<'_>,
) -> Look {
    let Asking { consumer, control, .. } = asking;
    let (name, policy) = match &candidates.found {
        route::Found::Model(name) => (name.as_str(), config.cache().policy),
        route::Found::Route(name) => (name.as_str(), config.cache_policy(name.as_str())),
    };
    if policy == CachePolicy::default() {
        return match control.only_if_cached {
            true => Look::Answered(not_cached().into()),
            false => Look::Unanswered(None),
        };
    }
    let handling = Handling::of(request, policy, control);
    let status = handling.without_answer();
    let Handling { exact, semantic, keep, question, only_if_cached } = handling;
    if status == Status::Bypass && keep.is_none() && !only_if_cached {
        return Look::Unanswered(Some(Caching { status, keep: None }));
    }
    let rules = fingerprint(candidates, asking, config) ^ checks(candidates);
    let subject = Subject { scope: scope(consumer), name, targets: &candidates.targets, rules };
    let keys = Keys::of(request, &subject);
    let store = config.cache().store;
    let answers = Answers::new(store);
    let found = exact.and_then(|ttl| answers.find(books.store, &keys, ttl, books.now));
    if let Some(reply) = found.and_then(|found| reply(&found, Status::Hit, request)) {
        return answered(reply, Status::Hit, asking.record);
    }
    // Whoever would not take the answer, or whose own will not be kept, waits for none and is waited for by nobody.
    let wait = config.cache().wait;
    let awaited = exact.is_some() && keep.is_some() && wait > 0 && !only_if_cached;
    let awaited = awaited.then(|| (keys.exact, books.now.after(wait.saturating_mul(1000))));
    let joins = || awaited.filter(|(key, _)| (asking.joins)(key)).map(|(key, _)| Look::Awaited(key));
    let embedder = config.cache().embedder.as_ref();
    let vector = match (&question, embedder, &asking.told.embedding) {
        (Some(question), None, _) => question.vector(),
        (Some(_), Some(_), Embedding::Made(vector)) => Some(vector.clone()),
        // A model takes its time, so it is asked last, and only for who is given the answer to a similar question.
        (Some(question), Some(embedder), Embedding::Unasked) if semantic.is_some() && !only_if_cached => {
            return joins()
                .unwrap_or_else(|| Look::Embed(embedding::call(embedder, question.text()), awaited));
        }
        _ => None,
    };
    let embedder = embedder.map(|embedder| Rc::clone(&embedder.model));
    let question = question.zip(vector).map(|(text, vector)| Compared { text, vector, embedder });
    let similar = semantic.zip(question.as_ref()).and_then(|(semantic, question)| {
        Index::new(store.questions).find(books.store, &answers, &question.asked(keys), semantic, books.now)
    });
    if let Some(reply) = similar.and_then(|found| reply(&found, Status::Semantic, request)) {
        return answered(reply, Status::Semantic, asking.record);
    }
    if only_if_cached {
        return Look::Answered(not_cached().into());
    }
    if let Some(awaits) = joins() {
        return awaits;
    }
    let (n, functions) = (request.n, request.functions);
    let keep = keep.map(|ttl| Box::new(Keep { keys, ttl, awaited, question, n, functions, store }));
    Look::Unanswered(Some(Caching { status, keep }))
}

fn answered(reply: Reply, status: Status, record: &Record) -> Look {
    record.cached(status.as_str());
    record.saves(reply.saved.unwrap_or_default());
    Look::Answered(reply)
}

impl Keep {
    /// What takes the answer down.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        Recorder::new(self.n, self.most_bytes(), self.functions)
    }

    /// Under which key the same request finds the answer, and until when it waits for that; none if it does not wait.
    #[must_use]
    pub fn awaited(&self) -> Option<(Key, Timestamp)> {
        self.awaited
    }

    /// The most bytes an answer may have.
    #[must_use]
    pub fn most_bytes(&self) -> usize {
        self.store.entry_bytes as usize
    }

    /// Keeps what was taken down, if it is an answer to be given again. `usage` is what it used, where it does not say so.
    pub fn keep(&self, recorder: Recorder, origin: Origin<'_>, usage: Option<Usage>, books: Books<'_>) {
        let Books { store, now, .. } = books;
        let Some(entry) = recorder.finish(self.keys, origin, usage, now) else { return };
        let is_kept = Answers::new(self.store).keep(store, &entry, self.ttl, now);
        if let Some(question) = self.question.as_ref().filter(|_| is_kept) {
            Index::new(self.store.questions).note(store, &question.asked(self.keys), now);
        }
    }
}

impl Compared {
    fn asked(&self, keys: Keys) -> Asked<'_> {
        let Self { text, vector, embedder } = self;
        Asked { keys, question: text, vector, embedder: embedder.as_deref() }
    }
}

/// What tells answers that were checked from others: what was kept before they were is nothing for those who have them checked.
fn checks(candidates: &Candidates) -> u64 {
    let check = candidates.route.as_ref().and_then(|route| route.check.as_ref());
    match check.map(|check| &check.how) {
        Some(How::Checked(rules)) => 1 + u64::from(rules.tools),
        _ => 0,
    }
}

fn scope(consumer: &Consumer) -> Scope<'_> {
    match consumer.cache_scope {
        CacheScope::Consumer => Scope::Consumer(consumer.name.as_str()),
        CacheScope::Tier => Scope::Tier(consumer.tier.name.as_str()),
        CacheScope::Shared => Scope::Shared,
    }
}

/// An answer that was found, in the form the client asked for; none if it cannot be put into that.
fn reply(found: &Found, status: Status, request: &Request<'_>) -> Option<Reply> {
    let entry = &found.entry;
    let (content_type, body) = match request.stream {
        true => (EVENT_STREAM, entry.stream(request.include_usage, request.functions)?),
        false => (JSON, entry.completion.clone()),
    };
    let mut headers = vec![
        ("x-modelgate-provider", entry.provider.clone()),
        ("x-modelgate-model", entry.model.clone()),
        ("x-modelgate-cache", status.as_str().to_string()),
        ("age", found.age.to_string()),
    ];
    if !entry.dropped.is_empty() {
        headers.push(("x-modelgate-dropped", entry.dropped.clone()));
    }
    if request.stream {
        headers.push(("cache-control", "no-cache".to_string()));
    }
    let saved = entry.usage.map(|usage| usage.prompt.saturating_add(usage.completion));
    Some(Reply { status: 200, content_type, headers, body, saved, verdict: None })
}

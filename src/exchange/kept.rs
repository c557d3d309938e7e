//! Answers that were given before: looked for before anything is reserved, kept when they are complete.
//!
//! An answer from here costs no provider anything, so it counts against no limit. What is kept is only what an attempt has
//! let go, taken down as it went.

use super::{Asking, Books, JSON, Reply};
use crate::cache::semantic::{Asked, Index, Question, Vector};
use crate::cache::{
    Answers, Found, Handling, Key, Keys, Origin, Recorder, Scope, Status, Subject, not_cached,
};
use crate::chat::{Request, Usage};
use crate::config::{CachePolicy, CacheScope, CacheStore, Config, Consumer};
use crate::route::{self, Candidates};
use crate::time::Timestamp;

const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

/// What came of looking for an answer.
pub(super) enum Look {
    /// There is one, or no other one is wanted.
    Answered(Reply),
    /// There will be, under this key, because the same request is on its way.
    Awaited(Key),
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
    /// How long the same request waits for this answer; none if it does not.
    until: Option<Timestamp>,
    /// What was asked, where similar questions get this answer too.
    question: Option<(Question, Vector)>,
    n: u64,
    functions: bool,
    store: CacheStore,
}

/// Looks for an answer to this consumer's request.
pub(super) fn look_up(
    request: &Request<'_>,
    candidates: &Candidates,
    asking: Asking<'_>,
    config: &Config,
    books: Books<'_>,
) -> Look {
    let Asking { consumer, control, joins, .. } = asking;
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
    let subject = Subject { scope: scope(consumer), name, targets: &candidates.targets };
    let keys = Keys::of(request, &subject);
    let question = question.and_then(|question| question.vector().map(|vector| (question, vector)));
    let store = config.cache().store;
    let answers = Answers::new(store);
    let same = || Some((answers.find(books.store, &keys, exact?, books.now)?, Status::Hit));
    let similar = || {
        let (semantic, asked) = (semantic?, asked(keys, question.as_ref()?));
        let found = Index::new(store.questions).find(books.store, &answers, &asked, semantic, books.now)?;
        Some((found, Status::Semantic))
    };
    let found = same().or_else(similar);
    if let Some(reply) = found.and_then(|(found, status)| reply(&found, status, request)) {
        return Look::Answered(reply);
    }
    if only_if_cached {
        return Look::Answered(not_cached().into());
    }
    // Whoever would not take the answer, or whose own will not be kept, waits for none and is waited for by nobody.
    let wait = config.cache().wait;
    let awaited = exact.is_some() && keep.is_some() && wait > 0;
    if awaited && joins(&keys.exact) {
        return Look::Awaited(keys.exact);
    }
    let until = awaited.then(|| books.now.after(wait.saturating_mul(1000)));
    let (n, functions) = (request.n, request.functions);
    let keep = keep.map(|ttl| Box::new(Keep { keys, ttl, until, question, n, functions, store }));
    Look::Unanswered(Some(Caching { status, keep }))
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
        Some((self.keys.exact, self.until?))
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
            Index::new(self.store.questions).note(store, &asked(self.keys, question), now);
        }
    }
}

fn asked(keys: Keys, (question, vector): &(Question, Vector)) -> Asked<'_> {
    Asked { keys, question, vector, embedder: None }
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
    Some(Reply { status: 200, content_type, headers, body, saved })
}

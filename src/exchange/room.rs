//! Room for a conversation that is too long for every model of a route that lets its oldest turns be left out (`truncate`).

use super::Books;
use super::needs::{Asked, Asks};
use crate::chat::{Message, Request};
use crate::config::{Config, Model, Named};
use crate::estimate::{Calibration, Makeup};
use crate::json::{Document, Surrogates};
use crate::route::{Unresolved, Why};
use crate::trim::{Trimmed, trim};
use std::rc::Rc;

/// So many tokens are kept for the answer of a request that does not say how long it may be, if the window is large enough;
const ANSWER: u64 = 1_024;
/// of a smaller one, one part of so many.
const PART: u64 = 8;
/// An estimate of the parts may come out lower than that of the whole; then it is tried again with less.
const ATTEMPTS: usize = 3;

/// The request without its oldest turns, if that is allowed and helps: it has then room in the largest model that could not
/// take it whole.
pub(super) fn make(
    request: &Request<'_>,
    body: &[u8],
    asks: &Asks<'_>,
    (asked, refusal): (&str, &Unresolved),
    config: &Config,
    books: Books<'_>,
) -> Option<Trimmed> {
    let (model, window) = largest(asked, refusal, config)?;
    let kept = asks.most_output(&model).filter(|_| request.max_tokens.is_some());
    let answer = kept.unwrap_or_else(|| ANSWER.min(window / PART));
    let counts = asks.counts(&model, books);
    let tokens = |message: &Message<'_>| {
        counts.tokens(&Makeup::of_message(message, super::meter::family(&model), model.upstream.as_str()))
    };
    let said: u64 = request.messages.iter().map(tokens).fold(0, u64::saturating_add);
    let rest = counts.tokens(&asks.makeup(&model)).saturating_sub(said);
    let mut room = window.saturating_sub(answer).saturating_sub(rest);
    for _ in 0..ATTEMPTS {
        let trimmed = trim(request, body, room, &tokens).filter(|trimmed| trimmed.messages > 0)?;
        if fits(&trimmed.body, &model, &counts, window.saturating_sub(answer)) {
            return Some(trimmed);
        }
        room = room.saturating_sub(room / 5);
    }
    None
}

/// The model with the largest window of those that have no room, on a route that lets turns be left out.
fn largest(asked: &str, refusal: &Unresolved, config: &Config) -> Option<(Rc<Model>, u64)> {
    let (Some(Named::Route(route)), Unresolved::Incapable { excluded, .. }) = (config.named(asked), refusal)
    else {
        return None;
    };
    let windows = excluded.iter().filter_map(|excluded| match excluded.why {
        Why::TooLong { window, .. } => Some((&excluded.model, window)),
        _ => None,
    });
    let (name, window) = windows.max_by_key(|(_, window)| *window).filter(|_| route.truncate)?;
    let target = route.targets.iter().find(|target| target.model.name == *name)?;
    Some((Rc::clone(&target.model), window))
}

/// Whether a request has room, as a whole.
fn fits(body: &[u8], model: &Model, counts: &Calibration, room: u64) -> bool {
    let document = Document::parse(body, Surrogates::Paired).ok();
    let request = document.as_ref().and_then(|document| Request::read(document.root()).ok());
    request.is_some_and(|request| counts.tokens(&Asks::of(Asked::Chat(&request)).makeup(model)) <= room)
}

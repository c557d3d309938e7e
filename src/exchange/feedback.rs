//! What users say of answers: `POST /v1/feedback` names a request that a route with the strategy `adaptive` has served, and how
//! good its answer was. Who has answered which request is kept for the latest of them, in slots of the store.

use super::Reply;
use super::lesson::{self, Lesson};
use super::{Asking, Books};
use crate::config::{Config, Named};
use crate::digest::digest;
use crate::error::ApiError;
use crate::json::{self, Kind, Value};
use crate::store::{Expected, Store};

/// How many requests are known; what comes later may take the place of any.
const SLOTS: u16 = 4_096;
/// The form of a slot's value, its first byte.
const VERSION: u8 = 1;
const MARK: usize = 16;

/// By what a consumer's request is known, and where it is kept.
fn mark(consumer: &str, request_id: &str) -> ([u8; MARK], String) {
    let digest = digest(&[consumer.as_bytes(), &[0], request_id.as_bytes()]);
    let (mut mark, mut slot) = ([0; MARK], [0; 2]);
    mark.iter_mut().zip(&digest).for_each(|(to, from)| *to = *from);
    slot.iter_mut().zip(digest.iter().skip(MARK)).for_each(|(to, from)| *to = *from);
    (mark, format!("served {}", u16::from_le_bytes(slot) % SLOTS))
}

/// Notes who has answered a request.
pub(super) fn note(lesson: &Lesson, model: &str, store: &dyn Store) {
    let (mark, key) = mark(&lesson.consumer, &lesson.request_id);
    let mut value = vec![VERSION];
    value.extend_from_slice(&mark);
    value.extend_from_slice([&*lesson.route, &*lesson.task, model].join("\0").as_bytes());
    // Where it is not noted, nobody can say anything of it.
    let _ = store.set(&key, &value, Expected::Anything);
}

/// Which route has served a request, of which task it was and who has answered.
fn served(consumer: &str, request_id: &str, store: &dyn Store) -> Option<(String, String, String)> {
    let (mark, key) = mark(consumer, request_id);
    let (value, _) = store.get(&key)?;
    let rest = value.strip_prefix(&[VERSION])?.strip_prefix(&mark)?;
    let mut parts = std::str::from_utf8(rest).ok()?.split('\0').map(str::to_owned);
    Some((parts.next()?, parts.next()?, parts.next()?))
}

/// Learns what a user says of an answer.
///
/// # Errors
/// 400 for what is no feedback, 404 for a request that nobody knows.
pub(super) fn take(
    root: Value<'_>,
    asking: Asking<'_>,
    config: &Config,
    books: Books<'_>,
) -> Result<Reply, ApiError> {
    if root.kind() != Kind::Object {
        return Err(ApiError::invalid_request("expected a JSON object").coded("invalid_type"));
    }
    let missing = |member: &'static str| {
        ApiError::invalid_param(member, format!("{member} is missing")).coded("missing_required_parameter")
    };
    let id = root.get("request_id").ok_or_else(|| missing("request_id"))?;
    let id = id.text().map(|text| text.decode().into_owned()).ok_or_else(|| {
        ApiError::invalid_param("request_id", "request_id: expected a string").coded("invalid_type")
    })?;
    let score = root.get("score").ok_or_else(|| missing("score"))?;
    let score = match score.bool() {
        Some(is_good) => Some(if is_good { 1.0 } else { 0.0 }),
        None => score.f64().filter(|score| (0.0..=1.0).contains(score)),
    };
    let score = score.ok_or_else(|| {
        let message = "score: expected a number from 0 to 1, true or false";
        ApiError::invalid_param("score", message).coded("invalid_value")
    })?;
    let known = served(asking.consumer.name.as_str(), &id, books.store);
    let known = known.and_then(|known| match config.named(&known.0) {
        Some(Named::Route(route)) => Some((known, lesson::rules(route))),
        _ => None,
    });
    let Some(((route, task, model), rules)) = known else {
        let message =
            "no request of yours with this id is known that a route with the strategy `adaptive` has served";
        let error = ApiError::invalid_param("request_id", message).coded("request_not_found");
        return Err(ApiError { status: 404, ..error });
    };
    books.memory.bandit.borrow_mut().learn((&route, &task), &model, score as f32, &rules);
    let mut body = Vec::new();
    json::object(&mut body, |said| {
        said.string("object", "feedback");
        said.string("request_id", &id);
        said.string("route", &route);
        if !task.is_empty() {
            said.string("task", &task);
        }
        said.string("model", &model);
    });
    Ok(Reply::json(body))
}

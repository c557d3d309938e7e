//! What kind of request it is: as the request says, as a model has said of such a text, or as it can be told.

use super::judge::Doubt;
use super::wishes::{Wish, wish};
use super::{Asking, Books};
use crate::chat::Request;
use crate::classify::{Classifier, Evidence, Mark, Verdict, features};
use crate::config::{CacheScope, Config, Consumer};
use crate::digest::digest;
use crate::error::ApiError;

/// The bytes that a token of prose has, about. How hard a request is does not hang on more than that.
const BYTES_OF_A_TOKEN: u64 = 4;

/// The verdict on a request, whose client may say itself of which kind it is; and where it is in doubt, what a model could be asked.
///
/// # Errors
/// 400 for a kind that there is not.
pub(super) fn verdict<'a>(
    classifier: &'a Classifier,
    request: &Request<'_>,
    asking: Asking<'_>,
    config: &'a Config,
    books: Books<'_>,
) -> Result<(Box<Verdict>, Option<Doubt<'a>>), ApiError> {
    let features = features(request, request.value.raw().len() as u64 / BYTES_OF_A_TOKEN);
    let Some(Wish { text: said, place }) = wish("task", asking.wishes, request.get("metadata")) else {
        let verdict = classifier.classify(&features);
        // What was said before tells it, and a model would not see that.
        let is_told = |verdict: &Verdict| verdict.evidence == Evidence::Context;
        let model =
            config.task_model().filter(|model| verdict.confidence < model.below && !is_told(&verdict));
        let text = model.map(|_| features.excerpt()).filter(|text| !text.is_empty());
        let (Some(model), Some(text)) = (model, text) else { return Ok((Box::new(verdict), None)) };
        let mark = mark(asking.consumer, &text);
        let labels = books.memory.labels.borrow();
        return Ok(match labels.find(&mark, books.now) {
            Some(Some(task)) => (Box::new(classifier.labelled(&features, task)), None),
            Some(None) => (Box::new(verdict), None),
            None => (Box::new(verdict), Some(Doubt { text, mark, classifier, model })),
        });
    };
    match classifier.task(&said) {
        Ok(task) => Ok((Box::new(classifier.tagged(&features, task)), None)),
        Err(unknown) => {
            let tasks: Vec<_> = classifier.tasks().iter().map(|task| task.as_str()).collect();
            let mut message = format!("there is no task '{said}': expected one of '{}'", tasks.join("', '"));
            if let [nearest, ..] = unknown.nearest.as_slice() {
                message.push_str(&format!("; did you mean '{nearest}'?"));
            }
            Err(ApiError::invalid_param(place, message).coded("invalid_value"))
        }
    }
}

/// By what a consumer's text is known. What was said of it is shared with those with whom answers are: an explanation would tell
/// others that it has been sent.
fn mark(consumer: &Consumer, text: &str) -> Mark {
    let (kind, name) = match consumer.cache_scope {
        CacheScope::Consumer => (&b"consumer "[..], consumer.name.as_str()),
        CacheScope::Tier => (&b"tier "[..], consumer.tier.name.as_str()),
        CacheScope::Shared => (&b""[..], ""),
    };
    let mut mark = Mark::default();
    mark.iter_mut()
        .zip(digest(&[kind, name.as_bytes(), &[0], text.as_bytes()]))
        .for_each(|(to, from)| *to = from);
    mark
}

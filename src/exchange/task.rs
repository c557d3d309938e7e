//! What kind of request it is: as the request says, or as it can be told.

use super::wishes::{Wish, Wishes, wish};
use crate::chat::Request;
use crate::classify::{Classifier, Verdict, features};
use crate::error::ApiError;

/// The bytes that a token of prose has, about. How hard a request is does not hang on more than that.
const BYTES_OF_A_TOKEN: u64 = 4;

/// The verdict on a request, whose client may say itself of which kind it is.
///
/// # Errors
/// 400 for a kind that there is not.
pub(super) fn verdict(
    classifier: &Classifier,
    request: &Request<'_>,
    wishes: &Wishes,
) -> Result<Box<Verdict>, ApiError> {
    let features = features(request, request.value.raw().len() as u64 / BYTES_OF_A_TOKEN);
    let Some(Wish { text: said, place }) = wish("task", wishes, request.get("metadata")) else {
        return Ok(Box::new(classifier.classify(&features)));
    };
    match classifier.task(&said) {
        Ok(task) => Ok(Box::new(classifier.tagged(&features, task))),
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

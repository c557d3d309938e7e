//! Google's errors (`google.rpc.Status`) as OpenAI's.

use super::fields;
use crate::error::{ApiError, Blame};
use crate::json::{Kind, Value};
use crate::provider::error::{described, json_in, plain_text, unauthenticated};

/// Reads the body of a failed request: an error, an error in a list, or no JSON at all.
pub(super) fn of_body(status: u16, body: &[u8]) -> ApiError {
    if let Some(document) = json_in(body) {
        let root = document.root();
        let first = if root.kind() == Kind::Array { root.items().next() } else { Some(root) };
        if let Some(error) = first.and_then(|value| value.get("error")) {
            return read(status, error);
        }
    }
    described(status, plain_text(body))
}

/// Reads an error that stands in an answer of status 200.
pub(super) fn in_answer(error: Value<'_>) -> ApiError {
    let code = error.get("code").and_then(Value::u64).and_then(|code| u16::try_from(code).ok());
    read(code.filter(|code| (400..600).contains(code)).unwrap_or(500), error)
}

fn read(status: u16, error: Value<'_>) -> ApiError {
    let [message, name, details] = fields(error, ["message", "status", "details"]);
    let message = message.or(Some(error)).and_then(Value::text);
    let message = message.map(|message| message.decode().into_owned()).unwrap_or_default();
    let name = name.and_then(Value::text).unwrap_or_default();
    let reason = detail(details, "reason").unwrap_or_default();
    let bad_key = reason == "API_KEY_INVALID" || message.starts_with("API key not valid");
    if bad_key || name == "UNAUTHENTICATED" {
        return unauthenticated(&message);
    }
    let kind = problem(&message);
    let mut error = described(status, message);
    error.retry_after = detail(details, "retryDelay").as_deref().and_then(seconds);
    match kind {
        Problem::TooLong => error.coded("context_length_exceeded").blaming(Blame::Target),
        Problem::OfModel => error.blaming(Blame::Target),
        // The account or the place it calls from, not the request.
        Problem::Other if name == "FAILED_PRECONDITION" => error.blaming(Blame::Target),
        Problem::Other => error,
    }
}

enum Problem {
    /// The conversation does not fit this model.
    TooLong,
    /// This model lacks what is asked for.
    OfModel,
    Other,
}

/// `INVALID_ARGUMENT` stands for everything; the words tell more.
fn problem(message: &str) -> Problem {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["exceeds the maximum number of tokens", "input token count", "input context length"]) {
        Problem::TooLong
    } else if says(&["is not enabled for", "not supported for this model", "is not supported by this model"])
        || says(&["thought_signature", "not a supported", "does not support", "are not supported"])
    {
        Problem::OfModel
    } else {
        Problem::Other
    }
}

/// A member of the first of the details that has it.
fn detail(details: Option<Value<'_>>, name: &str) -> Option<String> {
    let found = details?.items().find_map(|detail| detail.get(name)?.text());
    found.map(|text| text.decode().into_owned())
}

/// A `google.protobuf.Duration` (`"43.5s"`) in whole seconds, rounded up.
fn seconds(duration: &str) -> Option<u64> {
    let digits = duration.strip_suffix('s')?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let more = u64::from(fraction.bytes().any(|digit| digit != b'0'));
    Some(whole.parse::<u64>().ok()?.saturating_add(more))
}

//! What the vendors say when something is wrong, in OpenAI's form.
//!
//! Seen: `{"error": {…}}`, the same in a list (Gemini's endpoint), `error` as a string (xAI), no
//! `error` but `{"object": "error", "message": …}` (Mistral, vLLM), `{"detail": …}` (FastAPI), bare
//! `{"code", "message"}` (DashScope), HTML, nothing.

use crate::error::{ApiError, Blame};
use crate::json::{Kind, Value};
use crate::provider::error::{described, json_in, plain_text};

/// Reads the body of a status that is not 200.
pub(super) fn read(status: u16, body: &[u8]) -> ApiError {
    match json_in(body) {
        Some(document) => judged(status, &Said::read(document.root())),
        None => judged(status, &Said { message: plain_text(body), ..Said::default() }),
    }
}

/// Whether a body or chunk of status 200 is an error.
pub(super) fn is_one(body: Value<'_>) -> bool {
    let body = body.items().next().unwrap_or(body);
    let empty: [&[u8]; 4] = [b"false", b"0", br#""""#, b"{}"];
    if body.get("error").is_some_and(|error| !empty.contains(&error.raw())) {
        return true;
    }
    let says = |key: &str| body.get(key).is_some();
    let object = body.get("object").and_then(Value::text).is_some_and(|object| object == "error");
    object || !says("choices") && (says("detail") || says("message") && (says("code") || says("status")))
}

/// An error that came with status 200, in a body or in a stream.
pub(super) fn in_band(body: Value<'_>) -> ApiError {
    let said = Said::read(body);
    let status = said.number.filter(|number| (400..600).contains(number)).unwrap_or(502);
    judged(status, &said)
}

/// As [`in_band`], of text that is not JSON.
pub(super) fn in_band_text(text: &[u8]) -> ApiError {
    judged(502, &Said { message: plain_text(text), ..Said::default() })
}

/// What an error says of itself.
#[derive(Default)]
struct Said {
    message: String,
    kind: Option<String>,
    code: Option<String>,
    param: Option<String>,
    /// `code` or `status` where it is a number, as OpenRouter's HTTP status.
    number: Option<u16>,
    retry_after: Option<u64>,
}

impl Said {
    fn read(body: Value<'_>) -> Self {
        let body = body.items().next().unwrap_or(body);
        let inner = body.get("error").filter(|error| error.kind() == Kind::Object);
        let error = inner.unwrap_or(body);
        let word = |key: &str| {
            let said = error.get(key).or_else(|| body.get(key))?;
            let word = match said.kind() {
                Kind::String => said.text()?.decode().into_owned(),
                Kind::Number => String::from_utf8_lossy(said.raw()).into_owned(),
                _ => return None,
            };
            (!word.is_empty() && word.len() < 64 && !word.contains(char::is_whitespace)).then_some(word)
        };
        let number = ["code", "status", "statusCode"].iter().find_map(|key| error.get(key)?.u64());
        let number = number.and_then(|number| u16::try_from(number).ok());
        let (message, place) = message(error, body);
        Self {
            message,
            kind: word("type"),
            // A code that only repeats the HTTP status, or the type, says nothing.
            code: word("code").filter(|code| {
                let status = code.parse().is_ok_and(|number: u16| number < 600);
                !status && !code.ends_with("_error")
            }),
            param: word("param").or(place),
            number,
            retry_after: error.get("details").and_then(|details| details.items().find_map(retry_delay)),
        }
    }
}

/// The message, and the parameter that it is about where the form tells.
fn message(error: Value<'_>, body: Value<'_>) -> (String, Option<String>) {
    let candidates = ["message", "detail", "error", "msg"].into_iter().filter_map(|key| error.get(key));
    let Some(said) = candidates.map(detailed).next().or_else(|| body.text().map(|_| body)) else {
        return (String::new(), None);
    };
    if let Some(text) = said.text() {
        let mut message = text.decode().into_owned();
        // OpenRouter: what the vendor behind it said.
        if let Some(raw) = error.get("metadata").and_then(|metadata| metadata.get("raw")?.text()) {
            message = format!("{message}: {}", plain_text(raw.decode().as_bytes()));
        }
        return (message, None);
    }
    let mut place = None;
    let problems = said.items().map(|problem| {
        let path: Vec<String> =
            problem.get("loc").into_iter().flat_map(Value::items).filter_map(step).collect();
        let path = path.join(".");
        let text = problem.get("msg").and_then(Value::text).unwrap_or_default();
        let text =
            if path.is_empty() { text.decode().into_owned() } else { format!("{path}: {}", text.decode()) };
        place = place.take().or(Some(path)).filter(|path| !path.is_empty());
        text
    });
    let message = problems.collect::<Vec<_>>().join("; ");
    if message.is_empty() { (plain_text(said.raw()), None) } else { (message, place) }
}

/// Mistral puts FastAPI's form into `message`.
fn detailed(message: Value<'_>) -> Value<'_> {
    message.get("detail").unwrap_or(message)
}

/// A step of FastAPI's `loc`, which begins with "body".
fn step(step: Value<'_>) -> Option<String> {
    let step = match step.text() {
        Some(text) => text.decode().into_owned(),
        None => String::from_utf8_lossy(step.raw()).into_owned(),
    };
    (step != "body").then_some(step)
}

/// Google's `RetryInfo`: `"retryDelay": "43s"`.
fn retry_delay(detail: Value<'_>) -> Option<u64> {
    let delay = detail.get("retryDelay")?.text()?.decode().into_owned();
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked, and the cast saturates"
    )]
    (seconds >= 0.0).then(|| seconds.ceil() as u64)
}

fn judged(status: u16, said: &Said) -> ApiError {
    let lower = said.message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let code = said.code.as_deref().unwrap_or_default();
    let request = matches!(status, 400 | 413 | 422);
    let key = has(&["api key", "api_key"]) && has(&["incorrect", "invalid", "not valid", "expired"]);
    if request && (key || code == "invalid_api_key" || code == "InvalidApiKey") {
        return described(401, said.message.clone());
    }
    let mut error = described(status, said.message.clone());
    if status == 401 {
        return error;
    }
    error.retry_after = said.retry_after;
    if status == 402 {
        return error;
    }
    if let Some(kind) = &said.kind {
        error.kind = kind.clone().into();
    }
    if let Some(param) = &said.param {
        error.param = Some(param.clone().into());
    }
    let too_long = [
        "context length",
        "context window",
        "maximum context",
        "prompt is too long",
        "input is too long",
        "too many tokens",
        "maximum prompt length",
        "reduce the length of the messages",
        "range of input length",
    ];
    let no_model = ["is not a valid model", "invalid model", "model not found", "model_not_found"];
    let no_model = has(&no_model) || has(&["model"]) && has(&["does not exist", "not exist"]);
    if request && (code == "context_length_exceeded" || has(&too_long) && code != "rate_limit_exceeded") {
        return error.coded("context_length_exceeded").blaming(Blame::Target);
    }
    if status == 404 || request && no_model {
        return error.coded("model_not_found").blaming(Blame::Target);
    }
    if !code.is_empty() {
        error.code = Some(code.to_string().into());
    }
    // What this vendor or model cannot do or will not say, another may.
    let theirs =
        ["unsupported", "tool_use_failed", "content_filter", "rate_limit", "json_validate_failed", "model_"];
    let strict = has(&["extra inputs are not permitted", "not supported", "unsupported", "is unsupported"]);
    if theirs.iter().any(|word| code.starts_with(word)) || strict {
        error.blame = Blame::Target;
    }
    error
}

//! `logprobsResult` as OpenAI's `logprobs`.

use super::fields;
use crate::json::{Object, Value, array, object};

/// The `logprobs` object of a choice.
pub(super) fn of(result: Value<'_>) -> Vec<u8> {
    let [chosen, top] = fields(result, ["chosenCandidates", "topCandidates"]);
    let mut alternatives = top.into_iter().flat_map(Value::items);
    let mut out = Vec::new();
    object(&mut out, |logprobs| {
        array(logprobs.value("content"), |content| {
            for token in chosen.into_iter().flat_map(Value::items) {
                let others = alternatives.next().and_then(|step| step.get("candidates"));
                content.object(|entry| {
                    write(token, entry);
                    entry.array("top_logprobs", |list| {
                        for other in others.into_iter().flat_map(Value::items) {
                            list.object(|entry| write(other, entry));
                        }
                    });
                });
            }
        });
        logprobs.null("refusal");
    });
    out
}

fn write(candidate: Value<'_>, entry: &mut Object<'_>) {
    let [token, probability] = fields(candidate, ["token", "logProbability"]);
    let token = token.and_then(Value::text).unwrap_or_default();
    entry.text("token", &token);
    match probability {
        Some(number) if number.f64().is_some() => entry.raw("logprob", number.raw()),
        // "-Infinity" is no JSON number; OpenAI writes -9999 for what is as good as impossible.
        Some(_) => entry.raw("logprob", b"-9999.0"),
        None => entry.raw("logprob", b"0.0"),
    }
    entry.array("bytes", |bytes| {
        for byte in token.decode().bytes() {
            crate::json::number(bytes.value(), byte);
        }
    });
}

//! An answer as a GenerateContentResponse, whole, as server-sent events, or as an array that grows.
use serde_json::{Value, json};

use crate::answer::{Answer, Stop, Usage, tokens};
use crate::ask::Ask;
use crate::ids;
use crate::playback::Event;
use crate::route::Form;

/// The whole answer.
pub fn whole(ask: &Ask, answer: &Answer) -> Value {
    let shared = Shared::new(ask);
    if let Some(blocked) = shared.blocked(answer) {
        return blocked;
    }
    let candidates: Vec<Value> = (0..ask.candidates)
        .map(|index| {
            let mut parts = Vec::new();
            if ask.shows_thoughts && !answer.reasoning.is_empty() {
                parts.push(json!({"text": answer.reasoning.concat(), "thought": true}));
            }
            if !answer.text.is_empty() {
                parts.push(text_part(ask, answer, &answer.text.concat()));
            }
            parts.extend(call_parts(ask, answer));
            candidate(index, &parts, Some(finish(answer)))
        })
        .collect();
    shared.response(&candidates, answer.usage, true)
}

/// What all chunks of a stream have in common.
struct Shared {
    model: String,
    id: String,
}

impl Shared {
    fn new(ask: &Ask) -> Shared {
        Shared { model: ask.model.clone(), id: ids::id("", 23) }
    }

    fn response(&self, candidates: &[Value], usage: Option<Usage>, last: bool) -> Value {
        let mut response = json!({"candidates": candidates});
        if let Some(counts) = usage {
            response["usageMetadata"] = metadata(&counts, last);
        }
        response["modelVersion"] = self.model.as_str().into();
        response["responseId"] = self.id.as_str().into();
        response
    }

    /// A refusal blocks the prompt: no candidates at all.
    fn blocked(&self, answer: &Answer) -> Option<Value> {
        let reason = answer.refusal.as_ref()?;
        let counts = answer.usage.map(|u| json!({"promptTokenCount": u.prompt, "totalTokenCount": u.prompt}));
        Some(json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": reason},
                    "usageMetadata": counts, "modelVersion": self.model, "responseId": self.id}))
    }
}

/// Counts so far: candidates without thoughts, both within the total.
fn metadata(counts: &Usage, last: bool) -> Value {
    let spoken = counts.completion - counts.reasoning;
    let mut usage = json!({"promptTokenCount": counts.prompt});
    if spoken > 0 || last {
        usage["candidatesTokenCount"] = spoken.into();
    }
    usage["totalTokenCount"] = (counts.prompt + counts.completion).into();
    usage["promptTokensDetails"] = json!([{"modality": "TEXT", "tokenCount": counts.prompt}]);
    if counts.cached > 0 {
        usage["cachedContentTokenCount"] = counts.cached.into();
    }
    if counts.reasoning > 0 {
        usage["thoughtsTokenCount"] = counts.reasoning.into();
    }
    usage
}

fn candidate(index: usize, parts: &[Value], finish: Option<&str>) -> Value {
    let content = match parts {
        [] if finish.is_some() => json!({}),
        parts => json!({"parts": parts, "role": "model"}),
    };
    let mut candidate = json!({"content": content});
    if let Some(reason) = finish {
        candidate["finishReason"] = reason.into();
    }
    candidate["index"] = index.into();
    candidate
}

/// Gemini says STOP for tool calls and stop sequences too.
fn finish(answer: &Answer) -> &str {
    match &answer.stop {
        Stop::End | Stop::Sequence(_) | Stop::Tools | Stop::Refusal => "STOP",
        Stop::Length => "MAX_TOKENS",
        Stop::Raw(reason) => reason,
    }
}

/// A model that thought signs its text; Gemini 3 signs in any case.
fn text_part(ask: &Ask, answer: &Answer, text: &str) -> Value {
    let mut part = json!({"text": text});
    if signs(ask, answer) {
        part["thoughtSignature"] = ids::signature("gemini", "").into();
    }
    part
}

/// The calls as parts; the first of them is signed.
fn call_parts(ask: &Ask, answer: &Answer) -> Vec<Value> {
    let calls = answer.calls.iter().enumerate();
    calls
        .map(|(n, call)| {
            let mut part = json!({"functionCall": {"name": call.name, "args": call.arguments}});
            if n == 0 && signs(ask, answer) {
                part["thoughtSignature"] = ids::signature("gemini", &call.name).into();
            }
            part
        })
        .collect()
}

fn signs(ask: &Ask, answer: &Answer) -> bool {
    !answer.reasoning.is_empty() || ask.model.starts_with("gemini-3")
}

/// The answer as a stream in the form the path asks.
pub fn events(ask: &Ask, answer: &Answer, form: Form) -> Vec<Event> {
    let chunks = chunks(ask, answer);
    let last = chunks.len().saturating_sub(1);
    let framed = chunks.into_iter().enumerate().map(|(n, (chunk, content))| {
        let bytes = match form {
            Form::Array => {
                let (open, close) =
                    (if n == 0 { "[" } else { ",\r\n" }, if n == last { "\n]\n" } else { "" });
                format!("{open}{chunk:#}{close}")
            }
            _ => format!("data: {chunk}\r\n\r\n"),
        };
        Event { bytes: bytes.into(), content }
    });
    framed.collect()
}

fn chunks(ask: &Ask, answer: &Answer) -> Vec<(Value, bool)> {
    let shared = Shared::new(ask);
    if let Some(blocked) = shared.blocked(answer) {
        return vec![(blocked, false)];
    }
    let mut parts: Vec<Value> = Vec::new();
    if ask.shows_thoughts {
        parts.extend(answer.reasoning.iter().map(|t| json!({"text": t, "thought": true})));
    }
    parts.extend(answer.text.iter().map(|t| json!({"text": t})));
    parts.extend(call_parts(ask, answer));
    // Text ends with its signature on an empty part; without one the last part carries the finish itself.
    if parts.is_empty() || (answer.calls.is_empty() && signs(ask, answer)) {
        parts.push(if answer.text.is_empty() { Value::Null } else { text_part(ask, answer, "") });
    }
    let last = parts.len() - 1;
    let mut counts = answer.usage.map(|u| Usage { completion: u.reasoning, ..u });
    let mut chunks = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        for index in 0..ask.candidates {
            let ends = n == last && index + 1 == ask.candidates;
            if let (Some(counts), false) = (&mut counts, part.get("thought").is_some()) {
                counts.completion += tokens(part["text"].as_str().unwrap_or("........"));
            }
            let finish = (n == last).then(|| finish(answer));
            let part = if part.is_null() { &[][..] } else { std::slice::from_ref(part) };
            let content = part.iter().any(|p| p["text"] != "");
            let candidates = [candidate(index, part, finish)];
            let so_far = match (ends, counts, answer.usage) {
                (false, Some(now), Some(all)) => {
                    Some(Usage { completion: now.completion.min(all.completion), ..now })
                }
                _ => answer.usage,
            };
            chunks.push((shared.response(&candidates, so_far, ends), content));
        }
    }
    chunks
}

/// An error inside a stream.
pub fn error_event(error: &Value, form: Form, first: bool) -> Event {
    let bytes = match form {
        Form::Array => format!("{}{error:#}\n]\n", if first { "[" } else { ",\r\n" }),
        _ => format!("data: {error}\r\n\r\n"),
    };
    Event { bytes: bytes.into(), content: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::{ask, said};

    fn body(events: &[Event]) -> String {
        events.iter().map(|e| std::str::from_utf8(&e.bytes).unwrap()).collect()
    }

    #[test]
    fn usage_grows_on_every_chunk_and_the_finish_comes_last() {
        let ask = ask("hello");
        let body = body(&events(&ask, &said(&ask, "lax"), Form::Events));
        let chunks: Vec<Value> = body
            .split_terminator("\r\n\r\n")
            .map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap())
            .collect();
        let totals: Vec<u64> =
            chunks.iter().map(|c| c["usageMetadata"]["totalTokenCount"].as_u64().unwrap()).collect();
        assert!(totals.is_sorted() && totals.len() > 2, "{totals:?}");
        let finished: Vec<bool> =
            chunks.iter().map(|c| c["candidates"][0].get("finishReason").is_some()).collect();
        assert_eq!(finished.iter().position(|f| *f), Some(chunks.len() - 1));
    }

    #[test]
    fn an_array_is_one_json_document_also_when_it_ends_in_an_error() {
        let ask = ask("hello");
        let mut all = events(&ask, &said(&ask, "lax"), Form::Array);
        let whole: Value = serde_json::from_str(&body(&all)).unwrap();
        assert_eq!(whole.as_array().unwrap().len(), all.len());
        all.truncate(2);
        all.push(error_event(&json!({"error": {"code": 503}}), Form::Array, false));
        let broken: Value = serde_json::from_str(&body(&all)).unwrap();
        assert_eq!(broken[2]["error"]["code"], 503);
    }

    #[test]
    fn calls_come_whole_with_stop_and_the_first_is_signed() {
        let mut ask = ask("call tools weather and time");
        ask.model = "gemini-3-pro-preview".into();
        let whole = whole(&ask, &said(&ask, "lax"));
        let candidate = &whole["candidates"][0];
        assert_eq!(candidate["finishReason"], "STOP");
        assert_eq!(candidate["content"]["parts"][0]["thoughtSignature"], ids::signature("gemini", "weather"));
        assert!(candidate["content"]["parts"][1].get("thoughtSignature").is_none());
    }

    #[test]
    fn a_refusal_blocks_the_prompt() {
        let ask = ask("hello");
        let whole = whole(&ask, &said(&ask, "refusal=no"));
        assert!(whole.get("candidates").is_none() && whole["promptFeedback"]["blockReason"].is_string());
    }
}

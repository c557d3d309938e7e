//! An answer as a chat completion, whole or in chunks.
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Stop, Usage};
use crate::ask::Ask;
use crate::ids;
use crate::playback::Event;

/// Whether this provider shows its thoughts: OpenAI itself does not, those who speak its form do.
fn reasoning_of<'a>(ask: &Ask, answer: &'a Answer, provider: &str) -> &'a [String] {
    match provider != "openai" || (!answer.reasoning.is_empty() && !ask.thinks) {
        true => &answer.reasoning,
        false => &[],
    }
}

/// The whole answer.
pub fn whole(ask: &Ask, answer: &Answer, provider: &str) -> Value {
    let choices: Vec<Value> = (0..ask.candidates)
        .map(|index| {
            json!({"index": index, "message": message(ask, answer, provider, index), "logprobs": null,
                   "finish_reason": finish(ask, answer)})
        })
        .collect();
    let mut completion = json!({
        "id": ids::id("chatcmpl-", 29),
        "object": "chat.completion",
        "created": ids::now(),
        "model": ask.model,
        "choices": choices,
        "service_tier": "default",
        "system_fingerprint": null,
    });
    if let Some(counts) = &answer.usage {
        completion["usage"] = usage(counts);
    }
    completion
}

fn message(ask: &Ask, answer: &Answer, provider: &str, index: usize) -> Value {
    let text = answer.text.concat() + &other_choice(answer, index);
    let silent = !answer.calls.is_empty() || answer.refusal.is_some();
    let mut message = json!({
        "role": "assistant",
        "content": if silent { Value::Null } else { text.into() },
        "refusal": answer.refusal,
        "annotations": [],
    });
    let reasoning = reasoning_of(ask, answer, provider).concat();
    if !reasoning.is_empty() {
        message["reasoning_content"] = reasoning.into();
    }
    if answer.calls.is_empty() {
        return message;
    }
    let calls = answer.calls.iter().map(|c| (c.name.as_str(), &c.arguments));
    if ask.legacy_functions {
        let call = calls.into_iter().next();
        message["function_call"] =
            call.map_or(Value::Null, |(n, a)| json!({"name": n, "arguments": a.to_string()}));
        return message;
    }
    message["tool_calls"] = calls
        .map(|(name, arguments)| match arguments {
            Value::String(input) => {
                json!({"id": call_id(), "type": "custom", "custom": {"name": name, "input": input}})
            }
            arguments => json!({"id": call_id(), "type": "function",
                                "function": {"name": name, "arguments": arguments.to_string()}}),
        })
        .collect();
    message
}

/// Further choices say which they are, so that a mix-up shows; JSON stays JSON.
fn other_choice(answer: &Answer, index: usize) -> String {
    let json = answer.text.first().is_some_and(|t| t.starts_with(['{', '[']));
    if index == 0 || json { String::new() } else { format!(" (choice {index})") }
}

fn call_id() -> String {
    ids::id("call_", 24)
}

fn finish(ask: &Ask, answer: &Answer) -> String {
    match &answer.stop {
        Stop::End | Stop::Sequence(_) | Stop::Refusal => "stop",
        Stop::Length => "length",
        Stop::Tools if ask.legacy_functions => "function_call",
        Stop::Tools => "tool_calls",
        Stop::Raw(reason) => reason,
    }
    .to_owned()
}

fn usage(counts: &Usage) -> Value {
    json!({
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.completion,
        "total_tokens": counts.prompt + counts.completion,
        "prompt_tokens_details": {"cached_tokens": counts.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning, "audio_tokens": 0,
                                      "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    })
}

/// The answer as a stream.
pub fn events(ask: &Ask, answer: &Answer, provider: &str, no_done: bool) -> Vec<Event> {
    let chunks = Chunks::new(ask);
    let mut events = Vec::new();
    if provider == "azure" {
        events.push(Event { bytes: Bytes::from_static(AZURE_FIRST), content: false });
    }
    let per_choice: Vec<Vec<Event>> =
        (0..ask.candidates).map(|index| chunks.choice(ask, answer, provider, index)).collect();
    let mut choices: Vec<_> = per_choice.into_iter().map(Vec::into_iter).collect();
    while !choices.is_empty() {
        choices.retain_mut(|choice| choice.next().map(|event| events.push(event)).is_some());
    }
    if let (true, Some(counts)) = (ask.include_usage, &answer.usage) {
        events.push(chunks.event("", &format!(",\"usage\":{}", usage(counts)), false));
    }
    if !no_done {
        events.push(Event { bytes: Bytes::from_static(b"data: [DONE]\n\n"), content: false });
    }
    events
}

const AZURE_FIRST: &[u8] = b"data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\
    \"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":{}}]}\n\n";

/// What all chunks of a stream have in common.
struct Chunks {
    head: String,
    usage: &'static str,
    obfuscation: bool,
}

impl Chunks {
    fn new(ask: &Ask) -> Chunks {
        let head = format!(
            "data: {{\"id\":\"{}\",\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":{},\
             \"service_tier\":\"default\",\"system_fingerprint\":null,\"choices\":[",
            ids::id("chatcmpl-", 29),
            ids::now(),
            Value::from(ask.model.as_str())
        );
        let usage = if ask.include_usage { ",\"usage\":null" } else { "" };
        Chunks { head, usage, obfuscation: ask.obfuscation }
    }

    fn event(&self, choice: &str, usage: &str, content: bool) -> Event {
        let padding = match self.obfuscation {
            true => format!(",\"obfuscation\":\"{}\"", ids::id("", 1 + choice.len() % 16)),
            false => String::new(),
        };
        let text = [self.head.as_str(), choice, "]", usage, &padding, "}\n\n"].concat();
        Event { bytes: text.into(), content }
    }

    fn delta(&self, index: usize, delta: &Value, finish: Option<&str>, content: bool) -> Event {
        let finish = finish.map_or_else(|| "null".to_owned(), |f| Value::from(f).to_string());
        let choice =
            format!("{{\"index\":{index},\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}");
        self.event(&choice, self.usage, content)
    }

    fn choice(&self, ask: &Ask, answer: &Answer, provider: &str, index: usize) -> Vec<Event> {
        let silent = !answer.calls.is_empty() || answer.refusal.is_some();
        let content = if silent { Value::Null } else { "".into() };
        let refusal = answer.refusal.as_ref().map(|_| "");
        let first = json!({"role": "assistant", "content": content, "refusal": refusal});
        let mut out = vec![self.delta(index, &first, None, false)];
        let mut say = |key: &str, text: &str| {
            let delta = Value::Object(Map::from_iter([(key.to_owned(), Value::from(text))]));
            out.push(self.delta(index, &delta, None, true));
        };
        for thought in reasoning_of(ask, answer, provider) {
            say("reasoning_content", thought);
        }
        for piece in &answer.text {
            say("content", piece);
        }
        let more = if silent { String::new() } else { other_choice(answer, index) };
        if !more.is_empty() {
            say("content", &more);
        }
        if let Some(refusal) = &answer.refusal {
            say("refusal", refusal);
        }
        for (n, call) in answer.calls.iter().enumerate() {
            for delta in call_deltas(ask, n, &call.name, &call.arguments) {
                out.push(self.delta(index, &delta, None, true));
            }
        }
        out.push(self.delta(index, &json!({}), Some(&finish(ask, answer)), false));
        out
    }
}

/// A call's name first, then its arguments in two fragments.
fn call_deltas(ask: &Ask, n: usize, name: &str, arguments: &Value) -> Vec<Value> {
    if let Value::String(input) = arguments {
        let first =
            json!({"index": n, "id": call_id(), "type": "custom", "custom": {"name": name, "input": ""}});
        let rest = json!({"index": n, "custom": {"input": input}});
        return [first, rest].map(|call| json!({"tool_calls": [call]})).into();
    }
    let arguments = arguments.to_string();
    let middle = arguments.char_indices().nth(arguments.chars().count() / 2).map_or(0, |(at, _)| at);
    let (one, two) = arguments.split_at(middle);
    if ask.legacy_functions {
        let first = json!({"function_call": {"name": name, "arguments": ""}});
        let rest = [one, two].map(|part| json!({"function_call": {"arguments": part}}));
        return std::iter::once(first).chain(rest).collect();
    }
    let first =
        json!({"index": n, "id": call_id(), "type": "function", "function": {"name": name, "arguments": ""}});
    let rest = [one, two].map(|part| json!({"index": n, "function": {"arguments": part}}));
    std::iter::once(first).chain(rest).map(|call| json!({"tool_calls": [call]})).collect()
}

/// An error inside a stream.
pub fn error_event(error: &Value) -> Event {
    Event { bytes: format!("data: {error}\n\n").into(), content: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::{ask, said};

    fn chunks(events: &[Event]) -> Vec<Value> {
        let texts = events.iter().map(|e| std::str::from_utf8(&e.bytes).unwrap());
        texts.filter_map(|t| serde_json::from_str(t.strip_prefix("data: ")?.trim_end()).ok()).collect()
    }

    #[test]
    fn a_stream_begins_with_the_role_and_ends_with_finish_usage_and_done() {
        let mut ask = ask("hello");
        ask.include_usage = true;
        let events = events(&ask, &said(&ask, "lax"), "openai", false);
        let chunks = chunks(&events);
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        assert!(chunks.iter().skip(1).all(|c| c["choices"][0]["delta"].get("role").is_none()));
        let [.., finish, usage] = &chunks[..] else { panic!("too few") };
        assert_eq!(
            (&finish["choices"][0]["finish_reason"], &finish["usage"]),
            (&json!("stop"), &Value::Null)
        );
        assert_eq!(usage["choices"], json!([]));
        assert_eq!(
            usage["usage"]["total_tokens"],
            usage["usage"]["prompt_tokens"].as_u64().unwrap()
                + usage["usage"]["completion_tokens"].as_u64().unwrap()
        );
        assert_eq!(events.last().unwrap().bytes, "data: [DONE]\n\n");
    }

    #[test]
    fn parallel_calls_stream_under_contiguous_indices_and_join_to_json() {
        let ask = ask(r#"call tools weather with {"city":"Oslo"} and time"#);
        let mut arguments = [String::new(), String::new()];
        for chunk in chunks(&events(&ask, &said(&ask, "lax"), "openai", false)) {
            if let Some(call) = chunk["choices"][0]["delta"]["tool_calls"].get(0) {
                arguments[call["index"].as_u64().unwrap() as usize] +=
                    call["function"]["arguments"].as_str().unwrap();
            }
        }
        assert_eq!(arguments, [r#"{"city":"Oslo"}"#, r#"{"city":"example city"}"#]);
    }

    #[test]
    fn choices_say_which_they_are_and_only_followers_show_their_thoughts() {
        let mut ask = ask("hello");
        (ask.candidates, ask.thinks) = (2, true);
        let answer = said(&ask, "lax");
        let own = whole(&ask, &answer, "openai");
        assert!(own["choices"][1]["message"]["content"].as_str().unwrap().ends_with("(choice 1)"));
        assert!(own["choices"][0]["message"].get("reasoning_content").is_none());
        assert!(own["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64() > Some(0));
        assert!(whole(&ask, &answer, "deepseek")["choices"][0]["message"]["reasoning_content"].is_string());
    }
}

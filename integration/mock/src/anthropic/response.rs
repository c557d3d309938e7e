//! An answer as a Messages response, whole or as events.
use serde_json::{Value, json};

use crate::answer::{Answer, Stop, Usage};
use crate::ask::Ask;
use crate::ids;
use crate::playback::Event;

/// The whole answer.
pub fn whole(ask: &Ask, answer: &Answer) -> Value {
    let content: Vec<Value> = blocks(ask, answer).into_iter().map(|b| b.whole).collect();
    let mut message = envelope(ask, &content);
    end(&mut message, answer);
    if let Some(counts) = &answer.usage {
        message["usage"] = usage(counts, counts.completion);
    }
    message
}

fn envelope(ask: &Ask, content: &[Value]) -> Value {
    json!({"model": ask.model, "id": ids::id("msg_01", 22), "type": "message", "role": "assistant",
           "content": content, "stop_reason": null, "stop_sequence": null})
}

fn end(target: &mut Value, answer: &Answer) {
    let (reason, sequence) = match &answer.stop {
        Stop::End => ("end_turn", None),
        Stop::Length => ("max_tokens", None),
        Stop::Sequence(sequence) => ("stop_sequence", Some(sequence)),
        Stop::Tools => ("tool_use", None),
        Stop::Refusal => ("refusal", None),
        Stop::Raw(reason) => (reason.as_str(), None),
    };
    target["stop_reason"] = reason.into();
    target["stop_sequence"] = sequence.map_or(Value::Null, |s| s.as_str().into());
    if let Some(refusal) = &answer.refusal {
        target["stop_details"] = json!({"type": "refusal", "category": "cyber", "explanation": refusal});
    }
}

fn usage(counts: &Usage, output: u64) -> Value {
    let mut usage = json!({
        "input_tokens": counts.prompt - counts.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": counts.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    });
    if counts.reasoning > 0 && output > counts.reasoning {
        usage["output_tokens_details"] = json!({"thinking_tokens": counts.reasoning});
    }
    usage
}

/// A content block: as it stands whole, as it starts in a stream, and what follows.
struct Block {
    whole: Value,
    start: Value,
    deltas: Vec<Value>,
}

fn blocks(ask: &Ask, answer: &Answer) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !answer.reasoning.is_empty() {
        let thought = if ask.shows_thoughts { answer.reasoning.concat() } else { String::new() };
        let signature = ids::signature("anthropic", &thought);
        let shown = answer.reasoning.iter().filter(|_| ask.shows_thoughts);
        let mut deltas: Vec<Value> =
            shown.map(|t| json!({"type": "thinking_delta", "thinking": t})).collect();
        deltas.push(json!({"type": "signature_delta", "signature": signature}));
        blocks.push(Block {
            whole: json!({"type": "thinking", "thinking": thought, "signature": signature}),
            start: json!({"type": "thinking", "thinking": "", "signature": ""}),
            deltas,
        });
    }
    if !answer.text.is_empty() {
        blocks.push(Block {
            whole: json!({"type": "text", "text": answer.text.concat()}),
            start: json!({"type": "text", "text": ""}),
            deltas: answer.text.iter().map(|t| json!({"type": "text_delta", "text": t})).collect(),
        });
    }
    for call in &answer.calls {
        let id = ids::id("toolu_01", 22);
        let arguments = call.arguments.to_string();
        let middle = arguments.char_indices().nth(arguments.chars().count() / 2).map_or(0, |(at, _)| at);
        let (one, two) = if arguments == "{}" { ("", "") } else { arguments.split_at(middle) };
        // The first fragment is always empty; a call without arguments has no other.
        let parts = ["", one, two].into_iter().enumerate().filter(|(n, part)| *n == 0 || !part.is_empty());
        blocks.push(Block {
            whole: json!({"type": "tool_use", "id": id, "name": call.name, "input": call.arguments}),
            start: json!({"type": "tool_use", "id": id, "name": call.name, "input": {}}),
            deltas: parts
                .map(|(_, part)| json!({"type": "input_json_delta", "partial_json": part}))
                .collect(),
        });
    }
    blocks
}

/// The answer as a stream.
pub fn events(ask: &Ask, answer: &Answer, no_done: bool) -> Vec<Event> {
    let mut message = envelope(ask, &[]);
    if let Some(counts) = &answer.usage {
        message["usage"] = usage(counts, 1);
    }
    let mut out = vec![event(&json!({"type": "message_start", "message": message}), false)];
    for (index, block) in blocks(ask, answer).into_iter().enumerate() {
        let start = json!({"type": "content_block_start", "index": index, "content_block": block.start});
        // Where a call starts its name is already told: that is content.
        out.push(event(&start, block.start["type"] == "tool_use"));
        if index == 0 {
            out.push(event(&json!({"type": "ping"}), false));
        }
        for delta in &block.deltas {
            out.push(event(&json!({"type": "content_block_delta", "index": index, "delta": delta}), true));
        }
        out.push(event(&json!({"type": "content_block_stop", "index": index}), false));
    }
    let mut delta = json!({});
    end(&mut delta, answer);
    let mut last = json!({"type": "message_delta", "delta": delta});
    if let Some(counts) = &answer.usage {
        last["usage"] = usage(counts, counts.completion);
    }
    out.push(event(&last, false));
    if !no_done {
        out.push(event(&json!({"type": "message_stop"}), false));
    }
    out
}

fn event(data: &Value, content: bool) -> Event {
    let name = data["type"].as_str().unwrap_or_default();
    Event { bytes: format!("event: {name}\ndata: {data}\n\n").into(), content }
}

/// An error inside a stream.
pub fn error_event(error: &Value) -> Event {
    Event { bytes: format!("event: error\ndata: {error}\n\n").into(), content: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::{ask, said};

    #[test]
    fn events_come_in_order_with_blocks_closed() {
        let mut ask = ask("call tools weather and time");
        (ask.thinks, ask.shows_thoughts) = (true, true);
        let events = events(&ask, &said(&ask, "lax"), false);
        let names: Vec<String> = events
            .iter()
            .map(|e| {
                let text = std::str::from_utf8(&e.bytes).unwrap();
                let (name, data) = text.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
                let data: Value = serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap();
                assert_eq!(data["type"], name);
                name.trim_start_matches("content_block_").to_owned()
            })
            .collect();
        let mut short = names.clone();
        short.dedup();
        let expected = [
            "message_start",
            "start",
            "ping",
            "delta",
            "stop",
            "start",
            "delta",
            "stop",
            "start",
            "delta",
            "stop",
            "message_delta",
            "message_stop",
        ];
        assert_eq!(short, expected);
    }

    #[test]
    fn cached_tokens_are_counted_apart_from_the_input() {
        let ask = ask("hello");
        let whole = whole(&ask, &said(&ask, "cached=8"));
        assert_eq!(
            (&whole["usage"]["input_tokens"], &whole["usage"]["cache_read_input_tokens"]),
            (&json!(2), &json!(8))
        );
    }

    #[test]
    fn thoughts_that_are_not_shown_are_signed_all_the_same() {
        let mut ask = ask("hello");
        ask.thinks = true;
        let whole = whole(&ask, &said(&ask, "lax"));
        assert_eq!(whole["content"][0]["thinking"], "");
        assert_eq!(whole["content"][0]["signature"], ids::signature("anthropic", ""));
    }
}

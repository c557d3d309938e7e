//! A client that reads a stream as the official SDKs do and insists on what they insist on.

use serde_json::{Map, Value as Tree, json};

/// What a client has at the end of a stream.
#[derive(Debug, Default)]
pub struct Seen {
    /// The message, put together.
    pub message: Tree,
    pub finish: Option<String>,
    pub usage: Option<Tree>,
    /// The in-band error's object.
    pub error: Option<Tree>,
    pub done: bool,
}

/// Reads a stream of one choice.
pub fn read(stream: &[u8]) -> Seen {
    let text = std::str::from_utf8(stream).expect("UTF-8");
    let mut seen = Seen { message: json!({}), ..Seen::default() };
    let mut head: Option<Tree> = None;
    for event in text.split_terminator("\n\n") {
        let data = event.strip_prefix("data: ").expect("nothing but data lines");
        assert!(!seen.done && seen.error.is_none(), "nothing after the end");
        if data == "[DONE]" {
            assert!(seen.finish.is_some(), "no [DONE] without a finish");
            seen.done = true;
            continue;
        }
        let chunk: Tree = serde_json::from_str(data).expect("JSON");
        if let Some(error) = chunk.get("error") {
            assert!(error["message"].is_string() && error["type"].is_string(), "{error}");
            seen.error = Some(error.clone());
            continue;
        }
        let now = json!([chunk["id"], chunk["object"], chunk["created"], chunk["model"]]);
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(*head.get_or_insert_with(|| now.clone()), now, "one head for all chunks");
        assert!(seen.usage.is_none(), "no chunk after the usage");
        let choices = chunk["choices"].as_array().expect("choices");
        let Some(choice) = choices.first() else {
            seen.usage = Some(chunk["usage"].clone());
            continue;
        };
        assert_eq!((choices.len(), &choice["index"], &chunk["usage"]), (1, &json!(0), &Tree::Null));
        assert!(seen.finish.is_none(), "one finish, and nothing of the choice after it");
        let first = seen.message.as_object().is_some_and(Map::is_empty);
        let delta = choice["delta"].as_object().expect("delta");
        assert_eq!(delta.contains_key("role"), first, "the role in the first chunk and never again");
        accumulate(&mut seen.message, &choice["delta"]);
        seen.finish = choice["finish_reason"].as_str().map(str::to_string);
    }
    for call in seen.message["tool_calls"].as_array().into_iter().flatten() {
        let arguments = call["function"]["arguments"].as_str().expect("arguments");
        let whole = seen.finish.is_none() || seen.finish.as_deref() == Some("length");
        assert!(whole || serde_json::from_str::<Tree>(arguments).is_ok(), "arguments are JSON: {arguments}");
        assert!(call["id"].as_str().is_some_and(|id| !id.is_empty()) && call["type"] == "function");
    }
    seen
}

/// Joins as `accumulate_delta` of openai-python does: strings are concatenated but for `index` and
/// `type`, numbers added, objects merged, and lists must hold objects with an integer index.
fn accumulate(whole: &mut Tree, delta: &Tree) {
    for (key, value) in delta.as_object().expect("an object") {
        let known = &mut whole[key.as_str()];
        if known.is_null() && !value.is_array() {
            *known = value.clone();
            continue;
        }
        match value {
            Tree::Null => {}
            _ if key == "index" || key == "type" => *known = value.clone(),
            Tree::String(more) => {
                let Tree::String(text) = known else { panic!("{key} was not a string") };
                text.push_str(more);
            }
            Tree::Object(_) => accumulate(known, value),
            Tree::Array(items) => {
                if known.is_null() {
                    *known = json!([]);
                }
                for item in items {
                    let index = item["index"].as_u64().expect("an index in every item of a list") as usize;
                    let list = known.as_array_mut().expect("a list");
                    assert!(index <= list.len(), "no gap in {key}");
                    match list.get_mut(index) {
                        Some(entry) => accumulate(entry, item),
                        None => list.push(item.clone()),
                    }
                }
            }
            other => panic!("{key}: {other} again"),
        }
    }
}

/// The message of a whole answer in the same shape.
pub fn whole(completion: &Tree) -> Seen {
    let choice = &completion["choices"][0];
    Seen {
        message: choice["message"].clone(),
        finish: choice["finish_reason"].as_str().map(str::to_string),
        usage: completion.get("usage").cloned(),
        ..Seen::default()
    }
}

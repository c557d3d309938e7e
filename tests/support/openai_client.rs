//! An OpenAI client as strict as the strictest of the official ones.
//!
//! Streams are joined the way `openai-python` joins them (`accumulate_delta`: every string is
//! concatenated, so that a name sent twice comes out doubled; lists are joined by an integer
//! `index`), and what the SDKs of other languages throw on is refused here too. Whatever passes can
//! be read by all of them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Map, Value};

/// An answer as its client has it in the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub id: String,
    pub model: String,
    pub choices: Vec<Choice>,
    pub usage: Option<Usage>,
    /// The in-band error that ended the stream.
    pub error: Option<Value>,
    /// Whether `[DONE]` came.
    pub done: bool,
}

/// One choice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    pub content: Option<String>,
    pub reasoning: String,
    pub refusal: Option<String>,
    pub calls: Vec<Call>,
    pub finish: Option<String>,
    /// How many signatures and sealed blocks a client that echoes the message would send back.
    pub signatures: usize,
    /// The joined message, with all its members.
    pub message: Value,
}

/// One tool call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub id: String,
    pub name: String,
    /// Parsed; of a custom tool, the plain input.
    pub arguments: Value,
}

/// The tokens as OpenAI counts them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    pub prompt: u64,
    pub completion: u64,
    pub total: u64,
    pub cached: u64,
    pub reasoning: u64,
}

type Checked<T> = Result<T, String>;

macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => { if !$holds { return Err(format!($($why)+)); } };
}

/// Reads a whole stream; `asked_usage` is whether the request had `stream_options.include_usage`.
pub fn stream(bytes: &[u8], asked_usage: bool) -> Checked<Seen> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8: {error}"))?;
    let mut client = Client { asked_usage, ..Client::default() };
    for event in text.split_terminator("\n\n").filter(|event| !event.trim().is_empty()) {
        let data = event.trim_start_matches('\n').strip_prefix("data: ");
        let data = data.ok_or_else(|| format!("an event that is not `data: …`: {event:?}"))?;
        client.event(data).map_err(|why| format!("{why}, in {data}"))?;
    }
    ensure!(text.is_empty() || text.ends_with("\n\n"), "the stream ends inside an event");
    client.end()
}

/// Reads a whole `chat.completion`.
pub fn completion(bytes: &[u8]) -> Checked<Seen> {
    let body: Value = serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
    ensure!(body["object"] == "chat.completion", "object is {}", body["object"]);
    ensure!(body["created"].is_u64(), "created is {}", body["created"]);
    let choices = body["choices"].as_array().ok_or("no choices")?;
    ensure!(!choices.is_empty(), "no choice");
    let mut seen = Seen { id: named(&body, "id")?, model: named(&body, "model")?, ..Seen::default() };
    let mut next = 0;
    for choice in choices {
        let index = choice["index"].as_u64().ok_or("a choice without index")?;
        ensure!(index >= next, "choice {index} after {next}");
        next = index + 1;
        let message = choice.get("message").filter(|message| message.is_object()).ok_or("no message")?;
        ensure!(message["role"] == "assistant", "role is {}", message["role"]);
        ensure!(message.get("content").is_some(), "no content");
        let finish = choice["finish_reason"].as_str().ok_or("no finish_reason")?;
        ensure!(
            message
                .get("tool_calls")
                .is_none_or(|calls| calls.as_array().is_some_and(|calls| !calls.is_empty())),
            "an empty list of tool calls"
        );
        seen.choices.push(conclude(message.clone(), Some(finish.to_string()))?);
    }
    seen.usage = body.get("usage").map(usage).transpose()?;
    Ok(seen)
}

/// Checks an error body: an object with all four members, of the types the SDKs read.
pub fn error(bytes: &[u8]) -> Checked<Value> {
    let body: Value = serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
    check_error(&body["error"])?;
    Ok(body["error"].clone())
}

fn check_error(error: &Value) -> Checked<()> {
    ensure!(error.is_object(), "error is {error}");
    ensure!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "no message in {error}");
    ensure!(error["type"].as_str().is_some_and(|kind| !kind.is_empty()), "no type in {error}");
    for key in ["param", "code"] {
        let value = error.get(key).ok_or_else(|| format!("no {key} in {error}"))?;
        ensure!(value.is_null() || value.is_string(), "{key} is {value}");
    }
    Ok(())
}

#[derive(Default)]
struct Client {
    asked_usage: bool,
    head: Option<Value>,
    choices: Vec<Joined>,
    usage: Option<Usage>,
    error: Option<Value>,
    done: bool,
}

#[derive(Default)]
struct Joined {
    message: Map<String, Value>,
    finish: Option<String>,
}

impl Client {
    fn event(&mut self, data: &str) -> Checked<()> {
        ensure!(!self.done, "something after [DONE]");
        ensure!(self.error.is_none(), "something after the error");
        if data == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        let chunk: Value = serde_json::from_str(data).map_err(|error| format!("not JSON: {error}"))?;
        if let Some(error) = chunk.get("error") {
            check_error(error)?;
            self.error = Some(error.clone());
            return Ok(());
        }
        self.chunk(&chunk)
    }

    fn chunk(&mut self, chunk: &Value) -> Checked<()> {
        ensure!(chunk["object"] == "chat.completion.chunk", "object is {}", chunk["object"]);
        let head = serde_json::json!([named(chunk, "id")?, named(chunk, "model")?, chunk["created"]]);
        ensure!(head[2].is_u64(), "created is {}", head[2]);
        let first = self.head.get_or_insert_with(|| head.clone());
        ensure!(*first == head, "id, model and created were {first}");
        let choices = chunk["choices"].as_array().ok_or("choices is not a list")?;
        let used = chunk.get("usage");
        match used {
            Some(Value::Object(_)) => {
                ensure!(self.asked_usage, "usage that was not asked for");
                ensure!(choices.is_empty(), "usage beside choices");
                ensure!(self.usage.is_none(), "usage twice");
                self.usage = Some(usage(&chunk["usage"])?);
            }
            Some(Value::Null) => ensure!(self.asked_usage, "a usage member that was not asked for"),
            Some(other) => return Err(format!("usage is {other}")),
            None => {}
        }
        choices.iter().try_for_each(|choice| self.choice(choice))
    }

    fn choice(&mut self, choice: &Value) -> Checked<()> {
        let index = choice["index"].as_u64().ok_or("a choice without index")?;
        let index = usize::try_from(index).unwrap();
        ensure!(index < 128, "choice {index}");
        self.choices.resize_with(self.choices.len().max(index + 1), Joined::default);
        let joined = &mut self.choices[index];
        ensure!(joined.finish.is_none(), "choice {index} goes on after its finish");
        let delta = choice["delta"].as_object().ok_or("delta is not an object")?;
        if joined.message.is_empty() {
            ensure!(delta.get("role").is_some_and(|role| role == "assistant"), "the first delta has no role");
        } else {
            ensure!(!delta.contains_key("role"), "the role again");
        }
        check_calls(&joined.message, delta)?;
        let content = delta.get("content");
        ensure!(
            content.is_none_or(|content| content.is_string() || content.is_null()),
            "content is {content:?}"
        );
        accumulate(&mut joined.message, delta)?;
        match &choice["finish_reason"] {
            Value::Null => {}
            Value::String(reason) => joined.finish = Some(reason.clone()),
            other => return Err(format!("finish_reason is {other}")),
        }
        Ok(())
    }

    fn end(self) -> Checked<Seen> {
        let mut seen = Seen { usage: self.usage, error: self.error, done: self.done, ..Seen::default() };
        if let Some(head) = self.head {
            seen.id = head[0].as_str().unwrap().to_string();
            seen.model = head[1].as_str().unwrap().to_string();
        }
        let begun = self.choices.into_iter().enumerate().filter(|(_, joined)| !joined.message.is_empty());
        for (index, joined) in begun {
            let finish = joined.finish;
            if seen.done {
                ensure!(finish.is_some(), "choice {index} has no finish_reason");
            }
            let choice = if seen.error.is_none() && seen.done {
                conclude(Value::Object(joined.message), finish)?
            } else {
                unfinished(Value::Object(joined.message), finish)
            };
            seen.choices.push(choice);
        }
        if seen.done {
            ensure!(!seen.choices.is_empty(), "[DONE] without an answer");
        }
        Ok(seen)
    }
}

/// Tool call fragments as `openai-node` and the Vercel SDK want them.
fn check_calls(message: &Map<String, Value>, delta: &Map<String, Value>) -> Checked<()> {
    let Some(fragments) = delta.get("tool_calls") else { return Ok(()) };
    let fragments = fragments.as_array().ok_or("tool_calls is not a list")?;
    let mut known = message.get("tool_calls").and_then(Value::as_array).map_or(0, Vec::len);
    for fragment in fragments {
        let index = fragment["index"].as_u64().ok_or("a tool call fragment without index")?;
        let index = usize::try_from(index).unwrap();
        ensure!(index <= known, "tool call {index} after {known} calls");
        if index == known {
            known += 1;
            let kind = fragment["type"].as_str().ok_or("a new tool call without type")?;
            ensure!(kind == "function" || kind == "custom", "a tool call of type {kind}");
            ensure!(!named(fragment, "id")?.is_empty(), "a tool call with an empty id");
            ensure!(!named(&fragment[kind], "name")?.is_empty(), "a tool call with an empty name");
            let input = if kind == "custom" { "input" } else { "arguments" };
            ensure!(fragment[kind][input].is_string(), "a new tool call without {input}");
        } else {
            for key in ["id", "type"] {
                ensure!(fragment.get(key).is_none(), "the {key} of a tool call again");
            }
            ensure!(fragment["function"].get("name").is_none(), "the name of a tool call again");
            let kind = message.get("tool_calls").and_then(|calls| calls[index]["type"].as_str());
            let kind = kind.unwrap_or("function");
            let other = if kind == "custom" { "function" } else { "custom" };
            ensure!(fragment.get(other).is_none(), "{other} in a fragment of a {kind} call");
        }
    }
    Ok(())
}

/// `accumulate_delta` of `openai-python`, with its exceptions as errors.
fn accumulate(whole: &mut Map<String, Value>, delta: &Map<String, Value>) -> Checked<()> {
    for (key, piece) in delta {
        let Some(known) = whole.get_mut(key) else {
            whole.insert(key.clone(), piece.clone());
            continue;
        };
        if known.is_null() || key == "index" || key == "type" {
            *known = piece.clone();
            continue;
        }
        match (known, piece) {
            (Value::String(known), Value::String(piece)) => known.push_str(piece),
            (Value::Object(known), Value::Object(piece)) => accumulate(known, piece)?,
            (Value::Array(known), Value::Array(piece)) => extend(known, piece, key)?,
            (known @ Value::Number(_), Value::Number(_)) => {
                return Err(format!("{key}: {known} would be added to"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn extend(known: &mut Vec<Value>, piece: &[Value], key: &str) -> Checked<()> {
    if known.iter().all(|item| item.is_string() || item.is_number()) {
        known.extend_from_slice(piece);
        return Ok(());
    }
    for item in piece {
        let entry = item.as_object().ok_or_else(|| format!("{key}: a list of {item}"))?;
        let index = item["index"].as_u64().ok_or_else(|| format!("{key}: an entry without integer index"))?;
        match known.get_mut(usize::try_from(index).unwrap()) {
            Some(Value::Object(known)) => accumulate(known, entry)?,
            Some(other) => return Err(format!("{key}: entry {index} is {other}")),
            None => known.push(item.clone()),
        }
    }
    Ok(())
}

/// Checks what only a complete message must be.
fn conclude(message: Value, finish: Option<String>) -> Checked<Choice> {
    let reason = finish.as_deref().unwrap_or_default();
    let known = ["stop", "length", "tool_calls", "content_filter", "function_call"];
    ensure!(known.contains(&reason), "finish_reason is {reason:?}");
    ensure!(message["role"] == "assistant", "role is {}", message["role"]);
    let mut ids = Vec::new();
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        let id = named(call, "id")?;
        ensure!(!ids.contains(&id), "two tool calls have the id {id}");
        ids.push(id);
        let cut = reason == "length" || reason == "content_filter";
        if call["type"] == "function" && !cut {
            let arguments = call["function"]["arguments"].as_str().ok_or("arguments is not a string")?;
            let parsed: Value = serde_json::from_str(arguments)
                .map_err(|error| format!("arguments {arguments:?}: {error}"))?;
            ensure!(parsed.is_object(), "arguments {arguments:?} is not an object");
        }
    }
    ensure!(reason != "tool_calls" || !ids.is_empty(), "finish_reason tool_calls without a call");
    ensure!(reason != "stop" || ids.is_empty(), "finish_reason stop with calls");
    Ok(unfinished(message, finish))
}

fn unfinished(message: Value, finish: Option<String>) -> Choice {
    let text = |key: &str| message.get(key).and_then(Value::as_str).map(str::to_string);
    let call = |call: &Value| {
        let custom = call["type"] == "custom";
        let plain = call["function"]["arguments"].as_str().unwrap_or_default();
        Call {
            id: call["id"].as_str().unwrap_or_default().to_string(),
            name: call[if custom { "custom" } else { "function" }]["name"]
                .as_str()
                .unwrap_or_default()
                .to_string(),
            arguments: if custom {
                call["custom"]["input"].clone()
            } else {
                serde_json::from_str(plain).unwrap_or_else(|_| plain.into())
            },
        }
    };
    Choice {
        content: text("content"),
        reasoning: text("reasoning_content").unwrap_or_default(),
        refusal: text("refusal"),
        calls: message["tool_calls"].as_array().into_iter().flatten().map(call).collect(),
        finish,
        signatures: signatures(&message),
        message,
    }
}

fn signatures(message: &Value) -> usize {
    let google = |value: &Value| value["extra_content"]["google"]["thought_signature"].is_string();
    let sealed = |block: &&Value| {
        block["data"].is_string()
            || block["signature"].as_str().is_some_and(|signature| !signature.is_empty())
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let blocks = list(&message["extra_content"]["anthropic"]["thinking_blocks"]);
    usize::from(google(message))
        + list(&message["tool_calls"]).iter().filter(|call| google(call)).count()
        + blocks.iter().filter(sealed).count()
}

fn usage(value: &Value) -> Checked<Usage> {
    let count = |key: &str| value[key].as_u64().ok_or_else(|| format!("usage.{key} is {}", value[key]));
    let detail = |group: &str, key: &str| value[group][key].as_u64().unwrap_or(0);
    let usage = Usage {
        prompt: count("prompt_tokens")?,
        completion: count("completion_tokens")?,
        total: count("total_tokens")?,
        cached: detail("prompt_tokens_details", "cached_tokens"),
        reasoning: detail("completion_tokens_details", "reasoning_tokens"),
    };
    ensure!(usage.total == usage.prompt + usage.completion, "the parts of {usage:?} do not add up");
    ensure!(usage.cached <= usage.prompt, "more was cached than sent: {usage:?}");
    ensure!(usage.reasoning <= usage.completion, "more reasoning than answer: {usage:?}");
    Ok(usage)
}

fn named(value: &Value, key: &str) -> Checked<String> {
    value[key].as_str().map(str::to_string).ok_or_else(|| format!("{key} is {}", value[key]))
}

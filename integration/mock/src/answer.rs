//! What a provider says: decided once, before a dialect puts it into its form.
use serde_json::{Value, json};

use crate::ask::{Ask, Choice, Shape, Tool};
use crate::directives::Directives;
use crate::instance::instance;

const ECHO_CHARS: usize = 240;
const PIECES: usize = 5;

/// A tool call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// An object; a string for a free-form tool.
    pub arguments: Value,
}

/// Why the answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All is said.
    End,
    /// The bound was reached.
    Length,
    /// This stop sequence came.
    Sequence(String),
    /// Tools shall be called.
    Tools,
    /// The model refuses.
    Refusal,
    /// This reason, in the provider's own word.
    Raw(String),
}

/// Token counts; the parts lie within the wholes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All of the prompt.
    pub prompt: u64,
    /// The part of it that was cached.
    pub cached: u64,
    /// All of the answer, with the thoughts.
    pub completion: u64,
    /// The thoughts.
    pub reasoning: u64,
}

impl Usage {
    /// The counts as the control API shows them.
    pub fn to_json(self) -> Value {
        let Usage { prompt, cached, completion, reasoning } = self;
        json!({"prompt": prompt, "cached": cached, "completion": completion, "reasoning": reasoning})
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Thoughts, in pieces as they stream.
    pub reasoning: Vec<String>,
    /// Text, in pieces as it streams.
    pub text: Vec<String>,
    /// Tool calls.
    pub calls: Vec<ToolCall>,
    /// The words of a refusal.
    pub refusal: Option<String>,
    /// Why it ends.
    pub stop: Stop,
    /// Token counts; none if they shall not be reported.
    pub usage: Option<Usage>,
}

impl Answer {
    /// What `provider` says to this request, as told.
    pub fn to(ask: &Ask, provider: &str, told: &Directives) -> Answer {
        let calls = match (&told.text, &told.refusal) {
            (None, None) => calls(ask),
            _ => Vec::new(),
        };
        let mut stop = Stop::End;
        let mut text =
            if calls.is_empty() && told.refusal.is_none() { text(ask, provider, told) } else { Vec::new() };
        if told.chunks.is_none() && told.big.is_none() {
            let whole = text.concat();
            if let Some((kept, why)) = bounded(&whole, ask) {
                text = pieces(kept, told.size);
                stop = why;
            }
        }
        stop = match () {
            () if told.refusal.is_some() => Stop::Refusal,
            () if !calls.is_empty() => Stop::Tools,
            () => stop,
        };
        let reasoning = match ask.thinks || told.reasoning {
            true => pieces(
                &format!("The user writes to {}. I think about it, then I answer.", ask.model),
                told.size,
            ),
            false => Vec::new(),
        };
        let spoken: u64 = text.iter().map(|t| tokens(t)).sum::<u64>()
            + calls.iter().map(|c| tokens(&c.name) + tokens(&c.arguments.to_string())).sum::<u64>()
            + told.refusal.as_deref().map_or(0, tokens);
        let thought = tokens(&reasoning.concat());
        let usage = Usage {
            prompt: ask.prompt_tokens.max(told.cached.unwrap_or(0)),
            cached: told.cached.unwrap_or(0),
            completion: (spoken * ask.candidates as u64).max(1) + thought,
            reasoning: thought,
        };
        let stop = told.finish.clone().map_or(stop, Stop::Raw);
        Answer {
            reasoning,
            text,
            calls,
            refusal: told.refusal.clone(),
            stop,
            usage: (!told.no_usage).then_some(usage),
        }
    }
}

/// About four characters are a token.
pub fn tokens(text: &str) -> u64 {
    text.chars().count().div_ceil(4) as u64
}

fn text(ask: &Ask, provider: &str, told: &Directives) -> Vec<String> {
    if let Some(bytes) = told.big {
        let mut whole = "filler ".repeat(bytes / 7 + 1);
        whole.truncate(bytes);
        return pieces(&whole, told.size);
    }
    if let Some(count) = told.chunks {
        let piece = "word ".repeat(told.size.unwrap_or(1));
        return vec![piece; count];
    }
    if let Some(text) = &told.text {
        return pieces(text, told.size);
    }
    let whole = match &ask.shape {
        Shape::Schema(schema) => instance(schema).to_string(),
        Shape::Object => {
            json!({"provider": provider, "model": ask.model, "echo": clip(&ask.last_user, ECHO_CHARS)})
                .to_string()
        }
        Shape::Free => spoken(ask, provider),
    };
    pieces(&whole, told.size)
}

fn spoken(ask: &Ask, provider: &str) -> String {
    let mut said = format!("This is {} from {provider}.", ask.model);
    if !ask.tool_results.is_empty() {
        said += &format!(" The tools returned: {}", clip(&ask.tool_results.join(" | "), ECHO_CHARS));
        return said;
    }
    for (kind, count) in &ask.media {
        said += &format!(" I see {count} {kind}{}.", if *count == 1 { "" } else { "s" });
    }
    said + &format!(" You said: {}", clip(&ask.last_user, ECHO_CHARS))
}

/// Cuts a text into pieces of `size` tokens, or into a few.
fn pieces(text: &str, size: Option<usize>) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let piece = size.map_or_else(|| chars.len().div_ceil(PIECES), |s| s.saturating_mul(4));
    chars.chunks(piece.max(1)).map(|c| c.iter().collect()).collect()
}

fn clip(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The text up to a stop sequence or the token bound, whichever comes first.
fn bounded<'a>(text: &'a str, ask: &Ask) -> Option<(&'a str, Stop)> {
    let sequence = ask.stop.iter().filter(|s| !s.is_empty());
    let stopped = sequence
        .filter_map(|s| Some((text.find(s.as_str())?, Stop::Sequence(s.clone()))))
        .min_by_key(|s| s.0);
    let limit = ask.max_tokens.and_then(|max| usize::try_from(max).ok()?.checked_mul(4));
    let limit = limit.and_then(|chars| Some((text.char_indices().nth(chars)?.0, Stop::Length)));
    let (at, why) = [stopped, limit].into_iter().flatten().min_by_key(|s| s.0)?;
    Some((&text[..at], why))
}

/// The calls that are forced, or that the user asks for by name: `call tool a`, `call tools a and b`, each perhaps
/// followed by `with {…}`, its arguments.
fn calls(ask: &Ask) -> Vec<ToolCall> {
    let forced = match &ask.choice {
        Choice::None => return Vec::new(),
        Choice::Auto => None,
        Choice::Forced(names) => Some(names),
    };
    let asked = if ask.tool_results.is_empty() { asked_calls(ask) } else { Vec::new() };
    let allowed = |call: &ToolCall| forced.is_none_or(|names| names.is_empty() || names.contains(&call.name));
    let mut calls: Vec<ToolCall> = asked.into_iter().filter(allowed).collect();
    if let (true, Some(names)) = (calls.is_empty(), forced) {
        let tool = ask.tools.iter().find(|t| names.is_empty() || names.contains(&t.name));
        calls.extend(tool.map(|t| call_of(t, None)));
    }
    if !ask.parallel {
        calls.truncate(1);
    }
    calls
}

fn asked_calls(ask: &Ask) -> Vec<ToolCall> {
    let said = &ask.last_user;
    let Some((at, phrase)) = ["call tools ", "call tool "].into_iter().find_map(|p| Some((said.find(p)?, p)))
    else {
        return Vec::new();
    };
    let mut rest = &said[at + phrase.len()..];
    let mut calls = Vec::new();
    loop {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c)).unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        let Some(tool) = ask.tools.iter().find(|t| t.name == name) else { return calls };
        rest = tail;
        let mut arguments = None;
        if let Some(json) = rest.strip_prefix(" with ") {
            let mut values = serde_json::Deserializer::from_str(json).into_iter::<Value>();
            if let Some(Ok(value)) = values.next() {
                rest = &json[values.byte_offset()..];
                arguments = Some(value);
            }
        }
        calls.push(call_of(tool, arguments));
        let Some(next) = [" and ", ", "].into_iter().find_map(|joint| rest.strip_prefix(joint)) else {
            return calls;
        };
        rest = next;
    }
}

fn call_of(tool: &Tool, arguments: Option<Value>) -> ToolCall {
    let arguments = match (arguments, &tool.schema) {
        (Some(given), _) => given,
        (None, Some(schema)) => instance(schema),
        (None, None) => json!("free-form input"),
    };
    // A schema that says nothing of its type still means an object.
    let arguments = match (&tool.schema, arguments) {
        (Some(_), odd) if !odd.is_object() => json!({}),
        (_, arguments) => arguments,
    };
    ToolCall { name: tool.name.clone(), arguments }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn ask(text: &str) -> Ask {
        let tool = |name: &str| Tool {
            name: name.into(),
            schema: Some(json!({"type": "object", "properties": {"city": {"type": "string"}}})),
        };
        let mut ask = Ask::to("gpt-5", 40);
        ask.last_user = text.into();
        ask.tools = vec![tool("weather"), tool("time")];
        ask
    }

    pub(crate) fn said(ask: &Ask, told: &str) -> Answer {
        Answer::to(ask, "openai", &Directives::of_model(&format!("m+{told}")).1.unwrap())
    }

    #[test]
    fn an_answer_says_who_speaks_and_echoes() {
        let mut ask = ask("hello");
        ask.saw("image");
        ask.saw("image");
        let answer = said(&ask, "lax");
        assert_eq!(answer.text.concat(), "This is gpt-5 from openai. I see 2 images. You said: hello");
        assert_eq!((answer.stop, answer.text.len()), (Stop::End, PIECES));
    }

    #[test]
    fn tools_are_called_when_the_user_names_them() {
        let names =
            |text: &str| said(&ask(text), "lax").calls.into_iter().map(|c| c.name).collect::<Vec<_>>();
        assert_eq!(names("please call tool weather."), ["weather"]);
        assert_eq!(names("call tools weather and time"), ["weather", "time"]);
        assert_eq!(names("call tool nothing"), [""; 0]);
        let answer = said(&ask(r#"call tools weather with {"city":"Oslo"} and time"#), "lax");
        assert_eq!(answer.calls[0].arguments, json!({"city": "Oslo"}));
        assert_eq!(answer.calls[1].arguments, json!({"city": "example city"}));
        assert_eq!((answer.stop, answer.text.len()), (Stop::Tools, 0));
    }

    #[test]
    fn a_forced_tool_is_called_and_a_forbidden_one_is_not() {
        let mut ask = ask("hello");
        ask.choice = Choice::Forced(vec!["time".into()]);
        assert_eq!(said(&ask, "lax").calls[0].name, "time");
        ask.last_user = "call tool weather".into();
        ask.choice = Choice::None;
        assert!(said(&ask, "lax").calls.is_empty());
    }

    #[test]
    fn after_tool_results_the_model_speaks() {
        let mut ask = ask("call tool weather");
        ask.tool_results = vec!["sunny".into()];
        assert_eq!(said(&ask, "lax").text.concat(), "This is gpt-5 from openai. The tools returned: sunny");
    }

    #[test]
    fn bounds_and_stop_sequences_end_the_text() {
        let mut ask = ask("hello");
        ask.max_tokens = Some(2);
        let answer = said(&ask, "lax");
        assert_eq!((answer.text.concat().as_str(), answer.stop), ("This is ", Stop::Length));
        ask.stop = vec!["is".into()];
        assert_eq!(said(&ask, "lax").stop, Stop::Sequence("is".into()));
    }

    #[test]
    fn filler_has_the_size_asked() {
        let answer = said(&ask(""), "chunks=64+size=2");
        assert_eq!((answer.text.len(), answer.text[0].as_str()), (64, "word word "));
        assert_eq!(said(&ask(""), "big=1000").text.concat().len(), 1000);
        assert_eq!(said(&ask(""), "text=").text.len(), 0);
    }
}

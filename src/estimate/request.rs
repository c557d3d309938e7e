//! What a request is made of, in one pass over its texts.
//!
//! The pass is the only thing here that costs something with the size of a request, so of very long ones only a sample is
//! looked at.

use super::makeup::{Kind, Makeup};
use super::media;
use super::start::Family;
use super::tally::Tally;
use crate::chat::{Content, Message, Part, Request, ResponseFormat, ToolChoice};
use crate::embeddings::Input;

/// A message is so many tokens more than its text: its marks and its role.
const MESSAGE: f32 = 4.0;
/// What a call is more than its name and its arguments.
const CALL: f32 = 6.0;
/// What a tool is more than its text.
const TOOL: f32 = 8.0;
/// What is in every request, at least: the mark that the answer follows.
const FRAME: f32 = 4.0;

/// So much of a request's text is looked at, in bytes.
const LOOKED_AT: usize = 12 * 1024;
/// Where that is not all of it, it is looked at in pieces of so many bytes, evenly spread.
const WINDOW: usize = 128;

impl Makeup {
    /// What `request` is made of, whoever will serve it; [`served_by`](Self::served_by) says the rest.
    #[must_use]
    pub fn read(request: &Request<'_>) -> Self {
        let (mut makeup, tools) = looked_at(|take| each_text(request, take));
        makeup.add(Kind::Tools, tools + TOOL * request.tools.len() as f32);
        makeup.add(Kind::Frame, FRAME);
        let calls: usize = request.messages.iter().map(|message| message.tool_calls.len()).sum();
        makeup.fixed = MESSAGE * request.messages.len() as f32 + CALL * calls as f32;
        makeup
    }

    /// With what depends on who serves it: how images and files are counted, and what is added to requests with tools.
    #[must_use]
    pub fn served_by(self, request: &Request<'_>, family: Family, model: &str) -> Self {
        let mut makeup = self;
        for message in &request.messages {
            if let Content::Parts(parts) = &message.content {
                let tokens = parts.iter().map(|(part, _)| media::tokens(part, family, model));
                makeup.add(Kind::Media, tokens.sum());
            }
        }
        if family == Family::Claude && !request.tools.is_empty() {
            // The system prompt that tells Claude 4 models of tools, by `tool_choice`.
            makeup.fixed += match request.tool_choice {
                None | Some(ToolChoice::Auto | ToolChoice::None) => 346.0,
                Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { .. }) => 313.0,
            };
        }
        makeup
    }
}

impl Makeup {
    /// What one message is made of, where this model serves it.
    #[must_use]
    pub fn of_message(message: &Message<'_>, family: Family, model: &str) -> Self {
        let each =
            |take: &mut dyn FnMut(&[u8], Place)| each_of_message(message, |text| take(text, Place::Message));
        let (mut makeup, _) = looked_at(each);
        makeup.fixed = MESSAGE + CALL * message.tool_calls.len() as f32;
        if let Content::Parts(parts) = &message.content {
            makeup.add(Kind::Media, parts.iter().map(|(part, _)| media::tokens(part, family, model)).sum());
        }
        makeup
    }

    /// What the input of a request for embeddings is made of. Tokens are what they are.
    #[must_use]
    pub fn of_input(input: &Input<'_>) -> Self {
        match input {
            Input::Texts(texts) => {
                let each = |take: &mut dyn FnMut(&[u8], Place)| {
                    texts.iter().for_each(|text| take(text.as_bytes(), Place::Message));
                };
                looked_at(each).0
            }
            Input::Tokens { tokens, .. } => Self { fixed: *tokens as f32, ..Self::default() },
        }
    }
}

/// What texts are made of, and how many tokens those are that stand in tools. The texts are handed over twice.
fn looked_at(each_text: impl Fn(&mut dyn FnMut(&[u8], Place))) -> (Makeup, f32) {
    let mut bytes = 0_usize;
    each_text(&mut |text, _| bytes = bytes.saturating_add(text.len()));
    let (mut said, mut tools) = (Tally::default(), Tally::default());
    let mut sample = Sample::of(bytes);
    each_text(&mut |text, place| {
        let tally = if place == Place::Message { &mut said } else { &mut tools };
        tally.begin();
        sample.take(text, |piece| tally.push(piece));
    });
    let scale = sample.scale();
    let mut makeup = said.makeup();
    for part in &mut makeup.parts {
        *part *= scale;
    }
    (makeup, tools.makeup().total() * scale)
}

/// Where a text stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Message,
    Tool,
}

/// Hands over the text of every message, and the JSON of every tool and schema.
fn each_text(request: &Request<'_>, take: &mut dyn FnMut(&[u8], Place)) {
    for message in &request.messages {
        each_of_message(message, |text| take(text, Place::Message));
    }
    for tool in &request.tools {
        take(tool.value.raw(), Place::Tool);
    }
    if let ResponseFormat::JsonSchema { schema: Some(schema), .. } = &request.response_format {
        take(schema.raw(), Place::Tool);
    }
}

fn each_of_message(message: &Message<'_>, mut take: impl FnMut(&[u8])) {
    match &message.content {
        Content::None => {}
        Content::Text(text) => take(text.as_bytes()),
        Content::Parts(parts) => {
            for (part, _) in parts {
                if let Part::Text(text) | Part::Refusal(text) = part {
                    take(text.as_bytes());
                }
            }
        }
    }
    for call in &message.tool_calls {
        take(call.name.as_bytes());
        take(call.arguments.as_bytes());
    }
    for text in [&message.name, &message.refusal].into_iter().flatten() {
        take(text.as_bytes());
    }
}

/// Which stretches of the texts, taken as one, are looked at.
struct Sample {
    window: usize,
    gap: usize,
    /// How far into the current window and the gap after it.
    at: usize,
    seen: usize,
    total: usize,
}

impl Sample {
    fn of(total: usize) -> Self {
        let (window, gap) = match total.div_ceil(LOOKED_AT) {
            0 | 1 => (usize::MAX, 0),
            times => (WINDOW, WINDOW.saturating_mul(times.saturating_sub(1))),
        };
        Self { window, gap, at: 0, seen: 0, total }
    }

    fn take(&mut self, text: &[u8], mut look: impl FnMut(&[u8])) {
        let mut rest = text;
        while !rest.is_empty() {
            let into_gap = self.at.checked_sub(self.window);
            let left = into_gap.map_or(self.window.saturating_sub(self.at), |at| self.gap.saturating_sub(at));
            let (piece, after) = rest.split_at_checked(left).unwrap_or((rest, &[]));
            if into_gap.is_none() {
                self.seen = self.seen.saturating_add(piece.len());
                look(piece);
            }
            self.at = self.at.saturating_add(piece.len());
            if self.at >= self.window.saturating_add(self.gap) {
                self.at = 0;
            }
            rest = after;
        }
    }

    /// What a count in the sample stands for.
    fn scale(&self) -> f32 {
        if self.seen == 0 { 1.0 } else { self.total as f32 / self.seen as f32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::Kind::{Digits, Frame, Latin, Marks, Media, Space};
    use crate::json::{Document, Surrogates, Text};
    use serde_json::{Value, json};

    fn of(body: &Value, then: impl Fn(&Request<'_>)) {
        let body = body.to_string();
        let document = Document::parse(body.as_bytes(), Surrogates::Paired).unwrap();
        then(&Request::read(document.root()).unwrap());
    }

    fn read(body: &Value) -> Makeup {
        let mut makeup = Makeup::default();
        let cell = std::cell::RefCell::new(&mut makeup);
        of(body, |request| **cell.borrow_mut() = Makeup::read(request));
        makeup
    }

    fn text(plain: &str) -> f32 {
        let mut tally = Tally::default();
        tally.push(Text::of(plain).as_bytes());
        tally.makeup().total()
    }

    #[test]
    fn everything_that_is_said_counts_and_nothing_else() {
        let said = |messages: Value| read(&json!({"model": "m", "user": "ignored", "messages": messages}));
        let none = said(json!([{"role": "user", "content": ""}]));
        assert_eq!((none.total(), none.part(Frame), none.fixed), (8.0, 4.0, 4.0));
        for (message, expected) in [
            (json!({"role": "user", "content": "What is this?"}), text("What is this?")),
            (
                json!({"role": "user", "content": [{"type": "text", "text": "What"}, {"type": "text", "text": " is this?"}]}),
                text("What") + text(" is this?"),
            ),
            (json!({"role": "user", "name": "Ada", "content": "Hi"}), text("Ada") + text("Hi")),
            (json!({"role": "assistant", "refusal": "No."}), text("No.")),
            (json!({"role": "assistant", "content": "a", "reasoning_content": "ignored"}), text("a")),
            (
                json!({"role": "assistant", "content": null, "tool_calls": [
                    {"id": "ignored", "type": "function", "function": {"name": "look_up", "arguments": "{\"city\": \"Berlin\"}"}},
                ]}),
                text("look_up") + text("{\"city\": \"Berlin\"}") + CALL,
            ),
            (json!({"role": "tool", "tool_call_id": "ignored", "content": "[1, 2]"}), text("[1, 2]")),
        ] {
            let makeup = said(json!([message]));
            assert!((makeup.total() - 8.0 - expected).abs() < 0.001, "{message}: {makeup:?}, not {expected}");
        }
        let two = said(json!([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]));
        assert!((two.total() - 12.0 - text("a") - text("b")).abs() < 0.001, "{two:?}");
    }

    #[test]
    fn tools_and_schemas_are_a_kind_of_their_own() {
        let tool = json!({"type": "function", "function": {"name": "f", "description": "Looks 1 up.", "parameters": {"type": "object"}}});
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        let makeup = read(&json!({
            "model": "m",
            "messages": [{"role": "user", "content": ""}],
            "tools": [tool],
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}},
        }));
        let expected = text(&tool.to_string()) + text(&schema.to_string()) + TOOL;
        assert!((makeup.part(Kind::Tools) - expected).abs() < 0.01, "{makeup:?}, not {expected}");
        assert_eq!([Latin, Digits, Marks, Space].map(|kind| makeup.part(kind)), [0.0; 4]);
    }

    #[test]
    fn who_serves_it_decides_how_images_and_tools_count() {
        let body = json!({
            "model": "m",
            "messages": [{"role": "user", "content": [
                {"type": "text", "text": "Compare."},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/b.png"}},
            ]}],
            "tools": [{"type": "function", "function": {"name": "f"}}],
        });
        of(&body, |request| {
            let makeup = Makeup::read(request);
            assert_eq!(makeup.part(Media), 0.0);
            let openai = makeup.served_by(request, Family::OpenAi, "gpt-4o");
            assert_eq!((openai.part(Media), openai.fixed), (85.0 + 765.0, 4.0));
            let claude = makeup.served_by(request, Family::Claude, "claude-sonnet-4-5");
            assert_eq!((claude.part(Media), claude.fixed), (2.0 * 1369.0, 4.0 + 346.0));
            assert_eq!(claude.part(Latin), openai.part(Latin));
        });
        let mut forced = body.clone();
        forced["tool_choice"] = json!("required");
        of(&forced, |request| {
            let claude = Makeup::read(request).served_by(request, Family::Claude, "claude-sonnet-4-5");
            assert_eq!(claude.fixed, 4.0 + 313.0);
        });
    }

    #[test]
    fn of_a_very_long_request_a_sample_is_looked_at() {
        // Prose, code, numbers and Chinese in stretches of different lengths, over many messages.
        let stretches = [
            "The gateway reads each request once, plans who may answer it, and lets it go. ".repeat(40),
            "    for (let i = 0; i < items.length; i++) { total += items[i].price * 1.19; }\n".repeat(90),
            "2025-11-03 12:44:07,112 INFO 10.0.31.7:44310 200 1834 0.0127\n".repeat(30),
            "网关一次读取每个请求，规划由谁来回答，然后放行。".repeat(25),
        ];
        let content = |n: usize| [&stretches[n % 4], &stretches[(n / 3) % 4]].map(String::as_str).concat();
        let messages: Vec<_> = (0..40).map(|n| json!({"role": "user", "content": content(n)})).collect();
        let whole: f32 = messages.iter().map(|message| text(message["content"].as_str().unwrap())).sum();
        let body = json!({"model": "m", "messages": messages});
        assert!(body.to_string().len() > 6 * LOOKED_AT);
        let sampled = read(&body).total() - 4.0 - 160.0;
        assert!((sampled / whole - 1.0).abs() < 0.03, "{sampled}, not {whole}");
    }

    #[test]
    fn a_sample_is_evenly_spread_and_no_larger_than_it_may_be() {
        for total in [0, 1, LOOKED_AT, LOOKED_AT + 1, 5 * LOOKED_AT, 1000 * LOOKED_AT] {
            let mut sample = Sample::of(total);
            let mut seen = 0;
            let text = vec![b'a'; total / 7 + 1];
            let mut left = total;
            while left > 0 {
                let part = &text[..left.min(text.len())];
                sample.take(part, |piece| seen += piece.len());
                left -= part.len();
            }
            assert!(seen <= LOOKED_AT + WINDOW, "{total}: {seen}");
            assert!(seen >= total.min(LOOKED_AT / 2), "{total}: {seen}");
            assert!((sample.scale() * seen as f32 - total as f32).abs() <= 0.01 * total as f32);
        }
    }
}

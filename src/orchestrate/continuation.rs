//! A stream that breaks after its content has begun is gone on with by another model: it is given the conversation and the text so
//! far, and the client sees one stream with one finish.
//!
//! What breaks is seen by the error that an attempt then writes into the stream: that is held back. What comes of a call is always
//! whole, so the rest comes in one piece.

use super::form::choice_of;
use super::{Answer, prompt};
use crate::chat::{ChunkWriter, Delta, Event, FinishReason, Usage};
use crate::json::{Document, Surrogates, Text};
use crate::sse::{Frame, Splitter};

/// A longer text is not gone on with, in bytes.
const MOST: usize = 256 * 1024;
/// A longer event is none of ours, in bytes.
const MOST_OF_AN_EVENT: usize = 4 * 1024 * 1024;
/// So much of a joint is looked at for what is said twice, in bytes.
const JOINT: usize = 400;
/// Fewer bytes that are the same are no repetition.
const LEAST_SAID_TWICE: usize = 12;

/// What the next model is told.
const GO_ON: &str = "Your last message was interrupted. Go on exactly where it ends, in the middle of the sentence or word if need be: write only \
what is missing. Do not repeat anything of it, do not begin anew, do not comment on the interruption.";

/// A stream that is looked at while it passes.
#[derive(Debug)]
pub struct Continuation {
    /// The client's request.
    body: Vec<u8>,
    include_usage: bool,
    splitter: Splitter,
    /// A chunk of the stream, for the members that all have in common.
    head: Vec<u8>,
    text: String,
    /// Whether something has passed that cannot be gone on with, or all of it.
    is_over: bool,
}

/// Where a stream breaks.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken {
    /// So many bytes of the piece are for the client.
    pub keep: usize,
    /// The request for the rest; none where there is nothing that could be gone on with.
    pub ask: Option<Vec<u8>>,
}

impl Continuation {
    /// That of the stream that answers this request.
    #[must_use]
    pub fn new(body: Vec<u8>, include_usage: bool) -> Self {
        let splitter = Splitter::new(MOST_OF_AN_EVENT);
        let (head, text, is_over) = (Vec::new(), String::new(), false);
        Self { body, include_usage, splitter, head, text, is_over }
    }

    /// Looks at the next piece of the stream.
    pub fn push(&mut self, piece: &[u8]) -> Option<Broken> {
        if self.is_over {
            return None;
        }
        let Self { splitter, head, text, is_over, .. } = self;
        let (mut passed, mut broken) = (0_usize, None);
        // Attempts let whole events go, so what is held of the last piece is nothing.
        let before = splitter.held();
        let looked = splitter.push(piece, |frame: Frame<'_>| {
            if broken.is_none() && frame.data.as_deref().is_some_and(|data| look(data, head, text, is_over)) {
                broken = Some(passed);
            }
            passed = passed.saturating_add(frame.raw.len());
        });
        self.is_over |= looked.is_err() || self.text.len() > MOST || before > 0;
        let keep = broken?;
        let may_go_on = !self.is_over && !self.text.is_empty() && !self.head.is_empty();
        self.is_over = true;
        Some(Broken { keep, ask: may_go_on.then(|| self.request()).flatten() })
    }

    fn request(&self) -> Option<Vec<u8>> {
        let mut turns = Vec::with_capacity(self.text.len().saturating_add(512));
        prompt::turn(&mut turns, "assistant", &self.text);
        turns.push(b',');
        prompt::turn(&mut turns, "user", GO_ON);
        prompt::not_streamed(&prompt::continued(&self.body, &turns)?)
    }

    /// The rest of the stream, by what was answered; none if that is nothing to go on with.
    #[must_use]
    pub fn rest(&self, answer: &Answer, used_before: Usage) -> Option<Vec<u8>> {
        let said = answer.said.as_ref().ok().filter(|said| said.calls.is_none() && !said.refuses)?;
        let head = Document::parse(&self.head, Surrogates::Lone).ok()?;
        let mut writer = ChunkWriter::new("", "", 0, self.include_usage).going_on(head.root(), 1, &[]);
        let mut out = Vec::with_capacity(said.text.len().saturating_add(1024));
        let more = joint(&self.text, &said.text);
        let delta = Delta::Text(Text::of(more));
        writer.write(Event::Delta { choice: 0, delta }, &mut out);
        let reason = said.finish.unwrap_or(FinishReason::Stop);
        writer.write(Event::Finish { choice: 0, reason }, &mut out);
        writer.write(Event::Usage(used_before.plus(&answer.usage)), &mut out);
        writer.write(Event::End, &mut out);
        Some(out)
    }
}

/// Takes note of an event; whether it says that the stream is broken.
fn look(data: &[u8], head: &mut Vec<u8>, text: &mut String, is_over: &mut bool) -> bool {
    if data.trim_ascii() == b"[DONE]" {
        *is_over = true;
        return false;
    }
    let Ok(chunk) = Document::parse(data, Surrogates::Lone) else { return false };
    let root = chunk.root();
    if root.get("error").is_some_and(|error| !error.is_null()) {
        return true;
    }
    let Some(choice) = choice_of(root) else { return false };
    if head.is_empty() {
        head.extend_from_slice(data);
    }
    let ends = choice.get("finish_reason").is_some_and(|reason| !reason.is_null());
    let delta = choice.get("delta");
    let calls = delta.and_then(|delta| delta.get("tool_calls").or_else(|| delta.get("function_call")));
    // What was called in part is not glued: the client is told that the stream is broken.
    *is_over |= ends || calls.is_some_and(|calls| !calls.is_null());
    if let Some(more) = delta.and_then(|delta| delta.get("content")?.text()) {
        text.push_str(&more.decode());
    }
    false
}

/// What of `more` goes on with `text`: without what of the end of that it says again.
fn joint<'m>(text: &str, more: &'m str) -> &'m str {
    let most = more.len().min(text.len()).min(JOINT);
    let said_twice = |length: &usize| {
        let (Some(end), Some(begin)) = (text.get(text.len().saturating_sub(*length)..), more.get(..*length))
        else {
            return false;
        };
        end == begin
    };
    let length = (LEAST_SAID_TWICE..=most).rev().find(said_twice);
    more.get(length.unwrap_or(0)..).unwrap_or(more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orchestrate::Received;
    use serde_json::{Value as Json, json};

    const BODY: &str = r#"{"model":"route","stream":true,"messages":[{"role":"user","content":"Count."}]}"#;

    fn event(delta: &Json, reason: Option<&str>) -> String {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        let chunk = json!({"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": [choice]});
        format!("data: {chunk}\n\n")
    }

    fn text(text: &str) -> String {
        event(&json!({"content": text}), None)
    }

    const ERROR: &str = "data: {\"error\":{\"message\":\"gone\"}}\n\n";

    fn answer(text: &str) -> Answer {
        let body = json!({
            "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 4},
        });
        Answer::read(&Received { status: 200, body: body.to_string().as_bytes(), ..Received::default() })
    }

    #[test]
    fn a_broken_stream_is_gone_on_with_as_one() {
        let mut it = Continuation::new(BODY.into(), true);
        assert_eq!(it.push(text("one, two, ").as_bytes()), None);
        let piece = text("three, ") + ERROR;
        let broken = it.push(piece.as_bytes()).unwrap();
        assert_eq!(broken.keep, piece.len() - ERROR.len(), "the error is held back");
        let ask: Json = serde_json::from_slice(&broken.ask.unwrap()).unwrap();
        assert_eq!(ask["messages"][1], json!({"role": "assistant", "content": "one, two, three, "}));
        assert_eq!((&ask["messages"][2]["role"], ask.get("stream")), (&json!("user"), None));
        let before = Usage { prompt: 9, completion: 3, ..Usage::default() };
        let rest = String::from_utf8(it.rest(&answer("three, four"), before).unwrap()).unwrap();
        assert!(rest.contains(r#""content":"three, four""#), "so few bytes may be meant: {rest}");
        let rest = String::from_utf8(it.rest(&answer("one, two, three, four"), before).unwrap()).unwrap();
        assert!(rest.contains(r#""id":"c1""#) && rest.contains(r#""content":"four""#), "{rest}");
        assert!(
            rest.contains(r#""finish_reason":"stop""#) && rest.contains(r#""total_tokens":36"#),
            "{rest}"
        );
        assert!(rest.ends_with("data: [DONE]\n\n"));
        assert_eq!(it.push(ERROR.as_bytes()), None, "once is enough");
    }

    #[test]
    fn what_cannot_be_gone_on_with_stays_broken() {
        let call = event(
            &json!({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{\"x"}}]}),
            None,
        );
        for (before, why) in [
            (String::new(), "nothing was said"),
            (event(&json!({"role": "assistant", "content": ""}), None), "nothing was said"),
            (text("Let me see. ") + &call, "a call was cut"),
        ] {
            let mut it = Continuation::new(BODY.into(), false);
            let piece = before.clone() + ERROR;
            let broken = it.push(piece.as_bytes());
            assert!(broken.is_none_or(|broken| broken.ask.is_none()), "{why}");
        }
    }

    #[test]
    fn a_stream_that_ends_is_none_of_its_business() {
        let mut it = Continuation::new(BODY.into(), false);
        let whole = text("one") + &event(&json!({}), Some("stop")) + "data: [DONE]\n\n";
        assert_eq!(it.push(whole.as_bytes()), None);
        assert!(it.is_over);
    }

    #[test]
    fn a_joint_says_nothing_twice() {
        for (before, more, goes_on) in [
            ("The quick brown fox", " jumps", " jumps"),
            ("The quick brown fox", "quick brown fox jumps", " jumps"),
            ("The quick brown fox", "fox jumps", "fox jumps"),
            ("日本の首都は東京です", "首都は東京です。人口は", "。人口は"),
            ("", "x", "x"),
        ] {
            assert_eq!(joint(before, more), goes_on, "{before} | {more}");
        }
    }
}

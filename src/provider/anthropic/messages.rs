//! The conversation as Anthropic wants it: instructions apart, turns of user and assistant that
//! alternate, tool results first in the turn after the calls.
//!
//! The API rejects empty text and a first turn that is not the user's; where a client's conversation has
//! such, the least possible is put in its place.

use super::content::{self, Block, Input, Kind};
use super::thinking::{self, Thought};
use crate::chat::{Content, Message, Part, Request, Role, ToolCall};
use crate::error::{ApiError, Blame};
use crate::json::{self, Array, Document, Surrogates, Text};
use crate::provider::Outgoing;
use std::borrow::Cow;

/// Stands where the user says nothing and the API wants something.
const NOTHING_SAID: &str = ".";

/// A conversation, not yet written.
#[derive(Debug)]
pub(super) struct Conversation<'r> {
    pub system: Vec<Block<'r>>,
    pub turns: Vec<Turn<'r>>,
}

/// What one side says until the other speaks.
#[derive(Debug)]
pub(super) struct Turn<'r> {
    pub assistant: bool,
    pub blocks: Vec<Block<'r>>,
}

impl<'r> Conversation<'r> {
    /// Reads the messages.
    ///
    /// # Errors
    /// 400 for content that has no counterpart, and for arguments that are not a JSON object.
    pub fn of(
        request: &'r Request<'r>,
        thought: &Thought,
        outgoing: &mut Outgoing,
    ) -> Result<Self, ApiError> {
        let mut conversation = Self { system: Vec::new(), turns: Vec::with_capacity(request.messages.len()) };
        for (index, message) in request.messages.iter().enumerate() {
            if message.name.is_some() && message.role != Role::Function {
                super::lose(outgoing, "messages[].name");
            }
            let mut blocks = match message.role {
                Role::Assistant => assistant(message, index, thought, outgoing)?,
                Role::Tool | Role::Function => vec![tool_result(message, index, outgoing)?],
                Role::System | Role::Developer => instructions(message, index)?,
                Role::User => content::blocks(&message.content, index, outgoing)?,
            };
            let last = blocks.last_mut().filter(|block| !matches!(block.kind, Kind::Thinking(_)));
            if let Some(block) = last {
                block.cache_control = message.cache_control.or(block.cache_control);
            }
            match message.role {
                Role::System | Role::Developer => conversation.system.extend(blocks),
                role => conversation.say(role == Role::Assistant, blocks),
            }
        }
        conversation.settle();
        Ok(conversation)
    }

    /// Whether it ends with the assistant's words, which the model would have to go on from.
    pub fn ends_with_assistant(&self) -> bool {
        self.turns.last().is_some_and(|turn| turn.assistant)
    }

    /// Writes the messages.
    pub fn write(&self, messages: &mut Array<'_>) {
        for turn in &self.turns {
            messages.object(|message| {
                message.string("role", if turn.assistant { "assistant" } else { "user" });
                match turn.blocks.as_slice() {
                    [Block { kind: Kind::Text(text), cache_control: None }] => message.text("content", text),
                    blocks => {
                        message.array("content", |out| blocks.iter().for_each(|block| block.write(out)))
                    }
                }
            });
        }
    }

    fn say(&mut self, assistant: bool, blocks: Vec<Block<'r>>) {
        match self.turns.last_mut().filter(|turn| turn.assistant == assistant) {
            Some(turn) => turn.blocks.extend(blocks),
            None if assistant && blocks.is_empty() => {}
            None => self.turns.push(Turn { assistant, blocks }),
        }
    }

    fn settle(&mut self) {
        for turn in self.turns.iter_mut().filter(|turn| !turn.assistant) {
            let is_result = |block: &Block<'_>| matches!(block.kind, Kind::ToolResult { .. });
            let (results, others): (Vec<_>, Vec<_>) = turn.blocks.drain(..).partition(is_result);
            turn.blocks.extend(results.into_iter().chain(others));
        }
        if self.turns.is_empty() {
            // Instructions alone are the question.
            self.turns.push(Turn { assistant: false, blocks: std::mem::take(&mut self.system) });
        }
        if self.turns.first().is_some_and(|turn| turn.assistant) {
            self.turns.insert(0, Turn { assistant: false, blocks: Vec::new() });
        }
        for turn in self.turns.iter_mut().filter(|turn| turn.blocks.is_empty()) {
            turn.blocks.push(Kind::Text(Text::of(NOTHING_SAID)).into());
        }
        let last = self.turns.last_mut().filter(|turn| turn.assistant);
        if let Some(Block { kind: Kind::Text(text), .. }) = last.and_then(|turn| turn.blocks.last_mut()) {
            // The beginning of an answer must not end in white space.
            *text = Text::of(text.decode().trim_end()).into_owned();
        }
    }
}

fn instructions<'r>(message: &'r Message<'r>, at: usize) -> Result<Vec<Block<'r>>, ApiError> {
    if let Content::Parts(parts) = &message.content
        && let Some(index) = parts.iter().position(|(part, _)| !matches!(part, Part::Text(_)))
    {
        let param = format!("messages[{at}].content[{index}].type");
        return Err(ApiError::invalid_param(param, "instructions can hold text only").coded("invalid_value"));
    }
    content::blocks(&message.content, at, &mut Outgoing::default())
}

fn assistant<'r>(
    message: &'r Message<'r>,
    at: usize,
    thought: &Thought,
    outgoing: &mut Outgoing,
) -> Result<Vec<Block<'r>>, ApiError> {
    let replayed = message.thinking_blocks.iter().filter(|block| thought.on && thinking::is_signed(**block));
    let mut blocks: Vec<Block<'r>> = replayed.map(|block| Kind::Thinking(*block).into()).collect();
    let said = content::blocks(&message.content, at, outgoing)?;
    let declined = message.refusal.as_ref().filter(|_| said.is_empty()).and_then(content::text_block);
    if said.is_empty() && declined.is_none() && message.tool_calls.is_empty() {
        // Thinking alone is no turn.
        return Ok(Vec::new());
    }
    blocks.extend(said);
    blocks.extend(declined);
    for (index, call) in message.tool_calls.iter().enumerate() {
        let kind =
            Kind::ToolUse { id: id(&call.id), name: call.name.borrow(), input: input(call, at, index)? };
        blocks.push(kind.into());
    }
    Ok(blocks)
}

fn input<'r>(call: &'r ToolCall<'r>, at: usize, index: usize) -> Result<Input<'r>, ApiError> {
    if call.custom {
        return Ok(Input::Free(call.arguments.borrow()));
    }
    let json = call.arguments.decode();
    if json.trim().is_empty() {
        return Ok(Input::Json(Cow::Borrowed("{}")));
    }
    let is_object = Document::parse(json.as_bytes(), Surrogates::Paired)
        .is_ok_and(|document| document.root().kind() == json::Kind::Object);
    if is_object {
        return Ok(Input::Json(json));
    }
    let param = format!("messages[{at}].tool_calls[{index}].function.arguments");
    let message = "this model takes only arguments that are a JSON object";
    Err(ApiError::invalid_param(param, message).coded("invalid_value").blaming(Blame::Target))
}

fn tool_result<'r>(
    message: &'r Message<'r>,
    at: usize,
    outgoing: &mut Outgoing,
) -> Result<Block<'r>, ApiError> {
    let id = message.tool_call_id.as_ref().map(id).unwrap_or_default();
    let content = content::blocks(&message.content, at, outgoing)?;
    Ok(Kind::ToolResult { id, content }.into())
}

/// An id in the characters the API takes (`^[a-zA-Z0-9_-]+$`); calls and results of the same id
/// get the same one.
fn id<'r>(id: &'r Text<'r>) -> Text<'r> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !id.is_empty() && id.as_bytes().iter().all(|byte| allowed(*byte)) {
        return id.borrow();
    }
    let mut clean = String::from("call_");
    for byte in id.decode().bytes() {
        if allowed(byte) {
            clean.push(char::from(byte));
        } else {
            clean.push_str(&format!("_{byte:02x}"));
        }
    }
    Text::of(&clean).into_owned()
}

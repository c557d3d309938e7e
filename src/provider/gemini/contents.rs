//! The conversation as Gemini's `systemInstruction` and `contents`.
//!
//! Turns of one speaker are joined. The results of an assistant's calls make one turn of their own,
//! in the order of the calls and one for each, as the provider demands. Thought signatures go back
//! on the part they came with.

use super::media::Media;
use super::models::Model;
use super::pieces::Piece;
use crate::chat::{Message, Part, Request, Role};
use crate::error::ApiError;
use crate::json::{Object, Text};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

/// Stands where a signature is demanded and the client did not keep it.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// A conversation in the provider's order.
#[derive(Debug, Default)]
pub(super) struct Conversation<'d> {
    system: Vec<Text<'d>>,
    turns: Vec<Turn<'d>>,
}

#[derive(Debug)]
struct Turn<'d> {
    speaker: Speaker,
    parts: Vec<Piece<'d>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Speaker {
    User,
    Model,
    /// The user's side, but nothing else may stand beside function responses.
    Results,
}

impl<'d> Conversation<'d> {
    /// Puts the messages in order.
    ///
    /// # Errors
    /// 400 for content or arguments that cannot be translated, and for calls without their results.
    pub fn read(request: &Request<'d>, model: Model) -> Result<Self, ApiError> {
        let mut conversation = Self::default();
        let current = request.messages.iter().rposition(|message| message.role == Role::User).unwrap_or(0);
        let mut messages = request.messages.iter().enumerate().peekable();
        while let Some((index, message)) = messages.next() {
            match message.role {
                Role::System | Role::Developer => {
                    let texts = message.content.parts().filter_map(|(part, _)| text_of(part));
                    conversation.system.extend(texts);
                }
                Role::User => conversation.turn(Speaker::User, said(message, index)?),
                Role::Assistant => {
                    let demanded = model.signatures && index > current;
                    conversation.turn(Speaker::Model, assistant(message, index, demanded)?);
                    let mut results = Vec::new();
                    let is_result = |(_, message): &(usize, &Message<'d>)| {
                        matches!(message.role, Role::Tool | Role::Function)
                    };
                    while let Some(result) = messages.next_if(is_result) {
                        results.push(result);
                    }
                    let last = messages.peek().is_none() && results.is_empty();
                    if !last {
                        conversation.turn(Speaker::Results, answered(message, index, results)?);
                    }
                }
                Role::Tool | Role::Function => return Err(orphan(index)),
            }
        }
        // A conversation begins with the user's turn, be it blank.
        if conversation.turns.first().is_none_or(|turn| turn.speaker == Speaker::Model) {
            let blank = vec![Piece::text(Text::of(" "))];
            conversation.turns.insert(0, Turn { speaker: Speaker::User, parts: blank });
        }
        Ok(conversation)
    }

    fn turn(&mut self, speaker: Speaker, parts: Vec<Piece<'d>>) {
        match self.turns.last_mut() {
            _ if parts.is_empty() => {}
            Some(last) if last.speaker == speaker => last.parts.extend(parts),
            _ => self.turns.push(Turn { speaker, parts }),
        }
    }

    /// Writes both members of the request.
    pub fn write(&self, request: &mut Object<'_>) {
        if !self.system.is_empty() {
            request.object("systemInstruction", |system| {
                system.array("parts", |parts| {
                    for text in &self.system {
                        parts.object(|part| part.text("text", text));
                    }
                });
            });
        }
        request.array("contents", |contents| {
            for turn in &self.turns {
                contents.object(|content| {
                    content.string("role", if turn.speaker == Speaker::Model { "model" } else { "user" });
                    content.array("parts", |parts| {
                        for piece in &turn.parts {
                            piece.write(parts);
                        }
                    });
                });
            }
        });
    }
}

/// The text of a part, unless it is empty: the provider refuses empty ones.
fn text_of(part: Part<'_>) -> Option<Text<'_>> {
    match part {
        Part::Text(text) | Part::Refusal(text) => Some(text).filter(|text| !text.is_empty()),
        _ => None,
    }
}

/// What a message says, part by part.
fn said<'d>(message: &Message<'d>, index: usize) -> Result<Vec<Piece<'d>>, ApiError> {
    let mut pieces = Vec::new();
    for (place, (part, _)) in message.content.parts().enumerate() {
        if let Part::Text(_) | Part::Refusal(_) = part {
            pieces.extend(text_of(part).map(Piece::text));
        } else {
            let path = || format!("messages[{index}].content[{place}]");
            pieces.push(Piece::Media(Media::read(&part, path)?));
        }
    }
    Ok(pieces)
}

/// An assistant's turn; `demanded` if its first call has to have a signature.
fn assistant<'d>(message: &Message<'d>, index: usize, demanded: bool) -> Result<Vec<Piece<'d>>, ApiError> {
    let mut pieces = said(message, index)?;
    if pieces.is_empty() {
        let refusal = message.refusal.clone().filter(|text| !text.is_empty());
        pieces.extend(refusal.map(Piece::text));
    }
    let last_text = pieces.iter_mut().rev().find_map(|piece| match piece {
        Piece::Text { signature, .. } => Some(signature),
        _ => None,
    });
    // A signature of the message is of its text; some endpoints put that of a lone call there.
    let mut of_message = message.signature.clone();
    if let Some(signature) = last_text {
        *signature = of_message.take();
    }
    if message.tool_calls.is_empty() && of_message.is_some() {
        pieces.push(Piece::Text { text: Text::default(), signature: of_message.take() });
    }
    let mut missing = demanded.then(|| Text::of(NO_SIGNATURE));
    for (place, call) in message.tool_calls.iter().enumerate() {
        let given = call.signature.clone().or_else(|| of_message.take());
        let signature = given.or_else(|| missing.take());
        missing = None;
        let path = || format!("messages[{index}].tool_calls[{place}].function.arguments");
        pieces.push(Piece::call(call, signature, path)?);
    }
    Ok(pieces)
}

/// The results of a message's calls, in the order of the calls.
fn answered<'d>(
    message: &Message<'d>,
    index: usize,
    results: Vec<(usize, &Message<'d>)>,
) -> Result<Vec<Piece<'d>>, ApiError> {
    let mut waiting: BTreeMap<Cow<'_, str>, VecDeque<(usize, &Message<'d>)>> = BTreeMap::new();
    for (place, result) in &results {
        let id = result.tool_call_id.as_ref().ok_or_else(|| orphan(*place))?;
        waiting.entry(id.decode()).or_default().push_back((*place, result));
    }
    let mut pieces = Vec::with_capacity(results.len());
    for call in &message.tool_calls {
        let result = waiting.get_mut(&call.id.decode()).and_then(VecDeque::pop_front);
        let Some((place, result)) = result else {
            let path = format!("messages[{index}].tool_calls");
            let message = format!(
                "`{path}`: every call must be followed by a tool message that answers it; none answers '{}'",
                call.id.decode()
            );
            return Err(ApiError::invalid_param(path, message));
        };
        pieces.push(Piece::result(call, result, place)?);
    }
    match waiting.values().flatten().next() {
        Some((place, _)) => Err(orphan(*place)),
        None => Ok(pieces),
    }
}

fn orphan(index: usize) -> ApiError {
    let path = format!("messages[{index}].tool_call_id");
    let message = format!("`{path}`: no call of the assistant's message before it has this id");
    ApiError::invalid_param(path, message)
}

//! The conversation as Gemini's `systemInstruction` and `contents`.
//!
//! Turns of one speaker are joined. The results of an assistant's calls make one turn of their own,
//! in the order of the calls and one for each, as the provider demands. Thought signatures go back
//! on the part they came with.

use super::ids;
use super::media::Media;
use super::models::Model;
use crate::chat::{Content, Message, Part, Request, Role, ToolCall};
use crate::error::ApiError;
use crate::json::{Array, Document, Kind, Object, Surrogates, Text, array};
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

#[derive(Debug)]
enum Piece<'d> {
    Text { text: Text<'d>, signature: Option<Text<'d>> },
    Media(Media<'d>),
    Call { call: Name<'d>, arguments: Cow<'static, [u8]>, signature: Option<Text<'d>> },
    Result { call: Name<'d>, output: Output<'d>, media: Vec<Media<'d>> },
}

/// What a call is known by.
#[derive(Clone, Debug)]
struct Name<'d> {
    id: Text<'d>,
    name: Text<'d>,
}

#[derive(Debug)]
enum Output<'d> {
    /// A JSON object.
    Object(Vec<u8>),
    Text(Text<'d>),
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
            let blank = Piece::Text { text: Text::of(" "), signature: None };
            conversation.turns.insert(0, Turn { speaker: Speaker::User, parts: vec![blank] });
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
        array(request.value("contents"), |contents| {
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

impl Piece<'_> {
    fn write(&self, parts: &mut Array<'_>) {
        parts.object(|part| match self {
            Self::Text { text, signature } => {
                part.text("text", text);
                write_signature(part, signature.as_ref());
            }
            Self::Media(media) => media.write(part),
            Self::Call { call, arguments, signature } => {
                part.object("functionCall", |function| {
                    call.write(function);
                    function.raw("args", arguments);
                });
                write_signature(part, signature.as_ref());
            }
            Self::Result { call, output, media } => part.object("functionResponse", |function| {
                call.write(function);
                match output {
                    Output::Object(json) => function.raw("response", json),
                    Output::Text(text) => {
                        function.object("response", |response| response.text("output", text))
                    }
                }
                if !media.is_empty() {
                    function.array("parts", |parts| {
                        media.iter().for_each(|media| parts.object(|part| media.write(part)))
                    });
                }
            }),
        });
    }
}

impl Name<'_> {
    fn write(&self, function: &mut Object<'_>) {
        if let Some(id) = ids::native(&self.id) {
            let out = function.value("id");
            out.push(b'"');
            out.extend_from_slice(id);
            out.push(b'"');
        }
        function.text("name", &self.name);
    }
}

fn write_signature(part: &mut Object<'_>, signature: Option<&Text<'_>>) {
    if let Some(signature) = signature {
        part.text("thoughtSignature", signature);
    }
}

/// The text of a part, unless it is empty: the provider refuses empty ones.
fn text_of(part: Part<'_>) -> Option<Text<'_>> {
    match part {
        Part::Text(text) | Part::Refusal(text) => Some(text).filter(|text| !text.is_empty()),
        _ => None,
    }
}

fn said<'d>(message: &Message<'d>, index: usize) -> Result<Vec<Piece<'d>>, ApiError> {
    let mut pieces = Vec::new();
    for (place, (part, _)) in message.content.parts().enumerate() {
        match part {
            Part::Text(text) | Part::Refusal(text) => {
                pieces.extend(
                    Some(text)
                        .filter(|text| !text.is_empty())
                        .map(|text| Piece::Text { text, signature: None }),
                );
            }
            part => pieces
                .push(Piece::Media(Media::read(&part, || format!("messages[{index}].content[{place}]"))?)),
        }
    }
    Ok(pieces)
}

/// An assistant's turn; `demanded` if its first call has to have a signature.
fn assistant<'d>(message: &Message<'d>, index: usize, demanded: bool) -> Result<Vec<Piece<'d>>, ApiError> {
    let mut pieces = said(message, index)?;
    if pieces.is_empty() {
        let refusal = message.refusal.clone().filter(|text| !text.is_empty());
        pieces.extend(refusal.map(|text| Piece::Text { text, signature: None }));
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
        let arguments = arguments(call, path)?;
        pieces.push(Piece::Call { call: Name::of(call), arguments, signature });
    }
    Ok(pieces)
}

impl<'d> Name<'d> {
    fn of(call: &ToolCall<'d>) -> Self {
        Self { id: call.id.clone(), name: call.name.clone() }
    }
}

/// A call's arguments as a JSON object.
fn arguments(call: &ToolCall<'_>, path: impl Fn() -> String) -> Result<Cow<'static, [u8]>, ApiError> {
    if call.custom {
        let mut input = Vec::new();
        crate::json::object(&mut input, |object| object.text("input", &call.arguments));
        return Ok(Cow::Owned(input));
    }
    let plain = call.arguments.decode();
    if plain.trim().is_empty() {
        return Ok(Cow::Borrowed(b"{}"));
    }
    match Document::parse(plain.as_bytes(), Surrogates::Paired) {
        Ok(document) if document.root().is_null() => Ok(Cow::Borrowed(b"{}")),
        Ok(document) if document.root().kind() == Kind::Object => {
            Ok(Cow::Owned(plain.into_owned().into_bytes()))
        }
        Ok(document) => {
            let found = document.root().kind().as_str();
            let message = format!("`{}`: expected a JSON object, found {found}", path());
            Err(ApiError::invalid_param(path(), message).coded("invalid_value"))
        }
        Err(error) => {
            let message = format!("`{}`: not JSON: {error}", path());
            Err(ApiError::invalid_param(path(), message).coded("invalid_value"))
        }
    }
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
        let (output, media) = outcome(result, place)?;
        pieces.push(Piece::Result { call: Name::of(call), output, media });
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

/// What a tool gave back: a JSON object as it is, anything else as text in one.
fn outcome<'d>(result: &Message<'d>, index: usize) -> Result<(Output<'d>, Vec<Media<'d>>), ApiError> {
    let mut media = Vec::new();
    let text = match &result.content {
        Content::None => Text::default(),
        Content::Text(text) => text.clone(),
        Content::Parts(parts) => {
            let mut text = Text::default();
            for (place, (part, _)) in parts.iter().enumerate() {
                match part {
                    Part::Text(more) | Part::Refusal(more) if text.is_empty() => text = more.clone(),
                    Part::Text(more) | Part::Refusal(more) => text.push(more),
                    part => media.push(Media::read(part, || format!("messages[{index}].content[{place}]"))?),
                }
            }
            text
        }
    };
    if text.as_bytes().trim_ascii_start().starts_with(b"{") {
        let plain = text.decode();
        let document = Document::parse(plain.as_bytes(), Surrogates::Paired);
        if document.is_ok_and(|document| document.root().kind() == Kind::Object) {
            return Ok((Output::Object(plain.into_owned().into_bytes()), media));
        }
    }
    Ok((Output::Text(text), media))
}

//! The parts of a turn: text, media, calls and their results.

use super::ids;
use super::media::Media;
use crate::chat::{Content, Message, Part, ToolCall};
use crate::error::ApiError;
use crate::json::{self, Array, Document, Kind, Object, Surrogates, Text};
use std::borrow::Cow;

/// One part.
#[derive(Debug)]
pub(super) enum Piece<'d> {
    /// Text, with the thought signature it came with.
    Text { text: Text<'d>, signature: Option<Text<'d>> },
    /// An image, audio or a file.
    Media(Media<'d>),
    /// A function call and its arguments, a JSON object.
    Call { call: Name<'d>, arguments: Cow<'static, [u8]>, signature: Option<Text<'d>> },
    /// What a function gave back.
    Result { call: Name<'d>, output: Output<'d>, media: Vec<Media<'d>> },
}

/// What a call is known by.
#[derive(Debug)]
pub(super) struct Name<'d> {
    id: Text<'d>,
    name: Text<'d>,
}

/// The output of a function.
#[derive(Debug)]
pub(super) enum Output<'d> {
    /// A JSON object.
    Object(Vec<u8>),
    Text(Text<'d>),
}

impl<'d> Piece<'d> {
    /// Text without a signature.
    pub fn text(text: Text<'d>) -> Self {
        Self::Text { text, signature: None }
    }

    /// A call that an assistant made; `path` is where it stands in the request.
    ///
    /// # Errors
    /// 400 for arguments that are not a JSON object.
    pub fn call(
        call: &ToolCall<'d>,
        signature: Option<Text<'d>>,
        path: impl Fn() -> String,
    ) -> Result<Self, ApiError> {
        Ok(Self::Call { call: Name::of(call), arguments: arguments(call, path)?, signature })
    }

    /// The result of a call, of the message that stands at `index`.
    ///
    /// # Errors
    /// 400 for media that cannot be said.
    pub fn result(call: &ToolCall<'d>, result: &Message<'d>, index: usize) -> Result<Self, ApiError> {
        let (output, media) = outcome(result, index)?;
        Ok(Self::Result { call: Name::of(call), output, media })
    }

    /// Writes the part.
    pub fn write(&self, parts: &mut Array<'_>) {
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

impl<'d> Name<'d> {
    fn of(call: &ToolCall<'d>) -> Self {
        Self { id: call.id.clone(), name: call.name.clone() }
    }

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

/// A call's arguments as a JSON object.
fn arguments(call: &ToolCall<'_>, path: impl Fn() -> String) -> Result<Cow<'static, [u8]>, ApiError> {
    if call.custom {
        let mut input = Vec::new();
        json::object(&mut input, |object| object.text("input", &call.arguments));
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

//! Blocks of content: what parts of messages become, and how they are written.

use super::media::{self, Source};
use super::thinking;
use crate::chat::{Content, Part};
use crate::error::ApiError;
use crate::json::{Array, Text, Value};
use crate::provider::Outgoing;
use std::borrow::Cow;

/// A content block, not yet written: a view of the request.
#[derive(Clone, Debug)]
pub(super) struct Block<'r> {
    pub kind: Kind<'r>,
    pub cache_control: Option<Value<'r>>,
}

#[derive(Clone, Debug)]
pub(super) enum Kind<'r> {
    Text(Text<'r>),
    Image(Source<'r>),
    Document {
        source: Source<'r>,
        title: Option<Text<'r>>,
    },
    ToolUse {
        id: Text<'r>,
        name: Text<'r>,
        input: Input<'r>,
    },
    ToolResult {
        id: Text<'r>,
        content: Vec<Block<'r>>,
    },
    Thinking(Value<'r>),
    /// A part that is already in Anthropic's words.
    Native(Value<'r>),
}

#[derive(Clone, Debug)]
pub(super) enum Input<'r> {
    /// The JSON text of an object.
    Json(Cow<'r, str>),
    /// A custom tool's free text.
    Free(Text<'r>),
}

impl<'r> From<Kind<'r>> for Block<'r> {
    fn from(kind: Kind<'r>) -> Self {
        Self { kind, cache_control: None }
    }
}

impl Block<'_> {
    /// Writes it.
    pub fn write(&self, blocks: &mut Array<'_>) {
        blocks.object(|block| {
            match &self.kind {
                Kind::Text(text) => {
                    block.string("type", "text");
                    block.text("text", text);
                }
                Kind::Image(source) => {
                    block.string("type", "image");
                    block.object("source", |out| source.write(out));
                }
                Kind::Document { source, title } => {
                    block.string("type", "document");
                    block.object("source", |out| source.write(out));
                    if let Some(title) = title {
                        block.text("title", title);
                    }
                }
                Kind::ToolUse { id, name, input } => {
                    block.string("type", "tool_use");
                    block.text("id", id);
                    block.text("name", name);
                    match input {
                        Input::Json(json) => block.raw("input", json.as_bytes()),
                        Input::Free(text) => block.object("input", |input| input.text("input", text)),
                    }
                }
                Kind::ToolResult { id, content } => {
                    block.string("type", "tool_result");
                    block.text("tool_use_id", id);
                    match content.as_slice() {
                        [] => {}
                        [Block { kind: Kind::Text(text), cache_control: None }] => {
                            block.text("content", text)
                        }
                        content => {
                            block.array("content", |out| content.iter().for_each(|part| part.write(out)))
                        }
                    }
                }
                Kind::Thinking(value) => thinking::write_block(*value, block),
                Kind::Native(value) => {
                    let members = value.entries().filter_map(|(key, value)| Some((key.text()?, value)));
                    for (key, value) in members.filter(|(key, _)| *key != "cache_control") {
                        block.member(&key, value.raw());
                    }
                }
            }
            if let Some(control) = self.cache_control {
                block.raw("cache_control", control.raw());
            }
        });
    }
}

/// The blocks of a message's content; `message` is which one it is, from 0. Text that is blank is left out: the API rejects it.
///
/// # Errors
/// 400 for what has no counterpart: audio, files of another provider's store, media of other types.
pub(super) fn blocks<'r>(
    content: &'r Content<'r>,
    message: usize,
    outgoing: &mut Outgoing,
) -> Result<Vec<Block<'r>>, ApiError> {
    let parts = match content {
        Content::None => return Ok(Vec::new()),
        Content::Text(text) => return Ok(text_block(text).into_iter().collect()),
        Content::Parts(parts) => parts,
    };
    let mut blocks = Vec::with_capacity(parts.len());
    for (index, (part, value)) in parts.iter().enumerate() {
        let at = |member: &str| format!("messages[{message}].content[{index}]{member}");
        let block = match part {
            Part::Text(text) | Part::Refusal(text) => text_block(text),
            Part::Image { url, detail } => {
                if detail.as_ref().is_some_and(|detail| *detail != "auto") {
                    super::lose(outgoing, "messages[].content[].image_url.detail");
                }
                Some(media::block(url, None, &|| at(".image_url.url"))?)
            }
            Part::Audio { .. } => {
                return Err(ApiError::unsupported(at(".input_audio"), "this model does not take audio"));
            }
            Part::File { data: Some(data), name, .. } => {
                Some(media::block(data, name.as_ref(), &|| at(".file.file_data"))?)
            }
            Part::File { id: Some(id), name, .. } => Some(media::stored(id, name.as_ref(), outgoing, &at)?),
            Part::File { .. } => {
                return Err(ApiError::invalid_param(at(".file"), "expected `file_data` or `file_id`"));
            }
            Part::Other(kind) => {
                let native = ["image", "document", "search_result"].iter().any(|known| *kind == **known);
                if !native {
                    let message = format!("this model does not take parts of type '{}'", kind.decode());
                    return Err(ApiError::unsupported(at(".type"), message));
                }
                Some(Kind::Native(*value).into())
            }
        };
        blocks.extend(block.map(|block| Block { cache_control: value.get("cache_control"), ..block }));
    }
    Ok(blocks)
}

/// A text block, unless the text is blank.
pub(super) fn text_block<'r>(text: &'r Text<'r>) -> Option<Block<'r>> {
    (!text.is_blank()).then(|| Kind::Text(text.borrow()).into())
}

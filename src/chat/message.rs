//! The messages of a chat request, read and checked.
//!
//! Only what translation and routing act on is typed; a message keeps its [`Value`], so that what
//! nobody acts on can be passed on as it stands.

use super::reader::{Path, Reader};
use crate::error::ApiError;
use crate::json::{Kind, Text, Value};

/// Who speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "OpenAI's roles")]
pub enum Role {
    System,
    Developer,
    User,
    Assistant,
    Tool,
    Function,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message<'d> {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content<'d>,
    /// The calls an assistant made (`tool_calls`, or the legacy `function_call` as a call whose id
    /// is the function's name).
    pub tool_calls: Vec<ToolCall<'d>>,
    /// Which call a tool message answers; of a legacy function message, the function's name.
    pub tool_call_id: Option<Text<'d>>,
    /// The speaker's name.
    pub name: Option<Text<'d>>,
    /// An assistant's refusal, echoed.
    pub refusal: Option<Text<'d>>,
    /// An assistant's reasoning, echoed (`reasoning_content` or `reasoning`).
    pub reasoning: Option<Text<'d>>,
    /// Anthropic's thinking blocks, echoed: `extra_content.anthropic.thinking_blocks` as this
    /// gateway writes them, or `thinking_blocks` as others do. Objects of `type` `thinking`
    /// (`thinking`, `signature`) or `redacted_thinking` (`data`).
    pub thinking_blocks: Vec<Value<'d>>,
    /// Gemini's signature of the text, echoed (`extra_content.google.thought_signature`).
    pub signature: Option<Text<'d>>,
    /// `cache_control` on the message itself, an extension for Anthropic.
    pub cache_control: Option<Value<'d>>,
    /// The whole message.
    pub value: Value<'d>,
}

/// What a message says.
#[derive(Clone, Debug)]
pub enum Content<'d> {
    /// Nothing (`null` or absent).
    None,
    /// A string.
    Text(Text<'d>),
    /// A list of parts.
    Parts(Vec<(Part<'d>, Value<'d>)>),
}

/// A part of a message's content.
#[derive(Clone, Debug)]
pub enum Part<'d> {
    /// `text`.
    Text(Text<'d>),
    /// `image_url`: an address or a data URL.
    Image {
        /// `url`.
        url: Text<'d>,
        /// `detail`.
        detail: Option<Text<'d>>,
    },
    /// `input_audio`.
    Audio {
        /// Base64.
        data: Text<'d>,
        /// `wav` or `mp3`.
        format: Text<'d>,
    },
    /// `file`.
    File {
        /// `file_data`: a data URL.
        data: Option<Text<'d>>,
        /// `file_id`: a file of the provider's own store.
        id: Option<Text<'d>>,
        /// `filename`.
        name: Option<Text<'d>>,
    },
    /// `refusal`, of an assistant.
    Refusal(Text<'d>),
    /// A type that is not OpenAI's, as `video_url`.
    Other(Text<'d>),
}

/// A call an assistant made.
#[derive(Clone, Debug)]
pub struct ToolCall<'d> {
    /// `id`.
    pub id: Text<'d>,
    /// The tool's name.
    pub name: Text<'d>,
    /// The arguments: JSON text as a string; of a custom tool, free text.
    pub arguments: Text<'d>,
    /// Whether it is of a custom tool.
    pub custom: bool,
    /// Gemini's signature of the call, echoed (`extra_content.google.thought_signature`).
    pub signature: Option<Text<'d>>,
}

impl<'d> Message<'d> {
    /// Reads `messages[index]`.
    pub(super) fn read(value: Value<'d>, index: usize) -> Result<Self, ApiError> {
        let at = Reader::new(value, Path::Item(&Path::Body, "messages", index))?;
        let role = match at.text("role")? {
            Some(role) => role_named(&role).ok_or_else(|| {
                at.wrong(
                    "role",
                    format!(
                        "unknown role '{}'; expected 'system', 'developer', 'user', 'assistant' or 'tool'",
                        role.decode()
                    ),
                )
            })?,
            None => return Err(at.missing("role")),
        };
        let mut message = Self {
            role,
            content: content(&at)?,
            tool_calls: Vec::new(),
            tool_call_id: None,
            name: None,
            refusal: None,
            reasoning: None,
            thinking_blocks: Vec::new(),
            signature: None,
            cache_control: None,
            value,
        };
        // Most messages have a role, say something, and that is all.
        let says_nothing = matches!(message.content, Content::None);
        if says_nothing || value.entries().nth(2).is_some() || matches!(role, Role::Tool | Role::Function) {
            message.read_rest(&at)?;
        }
        Ok(message)
    }

    /// Reads all but the role and the content.
    fn read_rest(&mut self, at: &Reader<'d, '_>) -> Result<(), ApiError> {
        let value = self.value;
        self.name = at.text("name")?;
        self.tool_calls = tool_calls(at)?;
        if let Some(call) = at.object("function_call")?.filter(|_| self.role == Role::Assistant) {
            let name = call.require_text("name")?;
            let arguments = call.text("arguments")?.unwrap_or_default();
            let call = ToolCall { id: name.clone(), name, arguments, custom: false, signature: None };
            self.tool_calls.push(call);
        }
        self.tool_call_id = match self.role {
            Role::Tool => Some(at.require_text("tool_call_id")?),
            Role::Function => Some(self.name.clone().ok_or_else(|| at.missing("name"))?),
            _ => None,
        };
        let says_nothing = matches!(self.content, Content::None) && self.tool_calls.is_empty();
        if says_nothing && self.role != Role::Assistant {
            return Err(at.missing("content"));
        }
        let extra = |provider: &str| value.get("extra_content").and_then(|extra| extra.get(provider));
        let blocks = extra("anthropic").and_then(|anthropic| anthropic.get("thinking_blocks"));
        let blocks = blocks.or_else(|| value.get("thinking_blocks"));
        self.refusal = at.text("refusal")?;
        self.reasoning = ["reasoning_content", "reasoning"].iter().find_map(|key| value.get(key)?.text());
        self.thinking_blocks = blocks.map(|blocks| blocks.items().collect()).unwrap_or_default();
        self.signature = google_signature(value);
        self.cache_control = value.get("cache_control");
        Ok(())
    }

    /// Whether the message holds what only its own provider may see: echoed reasoning, signatures,
    /// marks for Anthropic's cache.
    #[must_use]
    pub fn echoes(&self) -> bool {
        let keys = [
            "extra_content",
            "thinking_blocks",
            "reasoning_content",
            "reasoning",
            "reasoning_details",
            "cache_control",
        ];
        let call_echoes = || {
            self.value
                .get("tool_calls")
                .is_some_and(|calls| calls.items().any(|call| call.get("extra_content").is_some()))
        };
        let part_echoes = || match &self.content {
            Content::Parts(parts) => parts.iter().any(|(_, part)| part.get("cache_control").is_some()),
            Content::None | Content::Text(_) => false,
        };
        self.value.entries().any(|(key, _)| keys.iter().any(|echo| key.says(echo)))
            || call_echoes()
            || part_echoes()
    }
}

impl<'d> Content<'d> {
    /// Every part; a string is one part of text.
    pub fn parts(&self) -> impl Iterator<Item = (Part<'d>, Option<Value<'d>>)> {
        let (text, parts) = match self {
            Self::None => (None, &[][..]),
            Self::Text(text) => (Some((Part::Text(text.clone()), None)), &[][..]),
            Self::Parts(parts) => (None, parts.as_slice()),
        };
        text.into_iter().chain(parts.iter().map(|(part, value)| (part.clone(), Some(*value))))
    }
}

fn role_named(name: &Text<'_>) -> Option<Role> {
    Some(match name.decode().as_ref() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        "function" => Role::Function,
        _ => return None,
    })
}

fn content<'d>(message: &Reader<'d, '_>) -> Result<Content<'d>, ApiError> {
    let Some(value) = message.value("content") else { return Ok(Content::None) };
    match value.kind() {
        Kind::String => Ok(value.text().map_or(Content::None, Content::Text)),
        Kind::Array => {
            let parts = value.items().enumerate();
            let read =
                |(index, part)| Ok((self::part(part, Path::Item(message.path(), "content", index))?, part));
            parts.map(read).collect::<Result<_, _>>().map(Content::Parts)
        }
        kind => Err(message.expected("content", "a string or an array of parts", kind)),
    }
}

fn part<'d>(value: Value<'d>, path: Path<'_>) -> Result<Part<'d>, ApiError> {
    let at = Reader::new(value, path)?;
    let kind = at.require_text("type")?;
    let inner = |name: &'static str| at.object(name)?.ok_or_else(|| at.missing(name));
    Ok(match kind.decode().as_ref() {
        "text" => Part::Text(at.require_text("text")?),
        "refusal" => Part::Refusal(at.require_text("refusal")?),
        "image_url" => {
            let image = inner("image_url")?;
            Part::Image { url: image.require_text("url")?, detail: image.text("detail")? }
        }
        "input_audio" => {
            let audio = inner("input_audio")?;
            Part::Audio { data: audio.require_text("data")?, format: audio.require_text("format")? }
        }
        "file" => {
            let file = inner("file")?;
            Part::File {
                data: file.text("file_data")?,
                id: file.text("file_id")?,
                name: file.text("filename")?,
            }
        }
        _ => Part::Other(kind),
    })
}

fn tool_calls<'d>(message: &Reader<'d, '_>) -> Result<Vec<ToolCall<'d>>, ApiError> {
    let Some(calls) = message.array("tool_calls")? else { return Ok(Vec::new()) };
    let read = |(index, call)| {
        let call = Reader::new(call, Path::Item(message.path(), "tool_calls", index))?;
        let custom = call.text("type")?.is_some_and(|kind| kind == "custom");
        let (kind, input) = if custom { ("custom", "input") } else { ("function", "arguments") };
        let body = call.object(kind)?.ok_or_else(|| call.missing(kind))?;
        Ok(ToolCall {
            id: call.require_text("id")?,
            name: body.require_text("name")?,
            arguments: body.text(input)?.unwrap_or_default(),
            custom,
            signature: google_signature(call.inner()),
        })
    };
    calls.items().enumerate().map(read).collect()
}

fn google_signature<'d>(value: Value<'d>) -> Option<Text<'d>> {
    value.get("extra_content")?.get("google")?.get("thought_signature")?.text()
}

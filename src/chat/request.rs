//! A chat completions request, read and checked once.
//!
//! Source: OpenAI's API reference, `POST /v1/chat/completions`. Every error names the member, what
//! was expected and what was found. Members that nobody here acts on are kept by name.

use super::message::{Content, Message, Part};
use super::reader::{Path, Reader};
use crate::error::ApiError;
use crate::json::{Kind, Text, Value};

/// A checked request.
#[derive(Clone, Debug)]
pub struct Request<'d> {
    /// The model asked for.
    pub model: Text<'d>,
    /// The conversation; never empty.
    pub messages: Vec<Message<'d>>,
    /// `tools`, and the legacy `functions`.
    pub tools: Vec<Tool<'d>>,
    /// Whether it offers the legacy `functions`, and expects a `function_call`.
    pub functions: bool,
    /// `tool_choice`, or the legacy `function_call`.
    pub tool_choice: Option<ToolChoice<'d>>,
    /// `parallel_tool_calls`.
    pub parallel_tool_calls: Option<bool>,
    /// `response_format`.
    pub response_format: ResponseFormat<'d>,
    /// `max_completion_tokens`, else `max_tokens`.
    pub max_tokens: Option<u64>,
    /// `temperature`, a number from 0 to 2.
    pub temperature: Option<f64>,
    /// `top_p`, a number from 0 to 1.
    pub top_p: Option<f64>,
    /// `stop`, as a list.
    pub stop: Vec<Text<'d>>,
    /// `n`; at least 1.
    pub n: u64,
    /// `reasoning_effort`.
    pub reasoning_effort: Option<Effort>,
    /// `stream`.
    pub stream: bool,
    /// `stream_options.include_usage`.
    pub include_usage: bool,
    /// The whole body.
    pub value: Value<'d>,
}

/// A tool offered to the model.
#[derive(Clone, Debug)]
pub struct Tool<'d> {
    /// What sort it is.
    pub kind: ToolKind,
    /// Its name; empty for a sort that has none.
    pub name: Text<'d>,
    /// What it does.
    pub description: Option<Text<'d>>,
    /// JSON Schema of a function's arguments.
    pub parameters: Option<Value<'d>>,
    /// Whether the arguments must match the schema.
    pub strict: Option<bool>,
    /// The whole tool.
    pub value: Value<'d>,
}

/// What sort of tool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ToolKind {
    /// `function`.
    Function,
    /// `custom`: free text in.
    Custom,
    /// A type that is not OpenAI's chat API's.
    Other,
}

/// Which tools the model may or must call.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolChoice<'d> {
    /// `auto`.
    Auto,
    /// `none`.
    None,
    /// `required`.
    Required,
    /// The named tool.
    Named(Text<'d>),
    /// `allowed_tools`: some of them, and whether one must be called.
    Allowed {
        /// Their names.
        names: Vec<Text<'d>>,
        /// `mode` is `required`.
        required: bool,
    },
}

/// What form the answer must have.
#[derive(Clone, Debug)]
pub enum ResponseFormat<'d> {
    /// Free text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that matches a schema.
    JsonSchema {
        /// `name`.
        name: Text<'d>,
        /// `schema`.
        schema: Option<Value<'d>>,
        /// `strict`.
        strict: Option<bool>,
    },
}

/// How much to reason.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(missing_docs, reason = "OpenAI's words")]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl Effort {
    const ALL: [(&'static str, Self); 7] = [
        ("none", Self::None),
        ("minimal", Self::Minimal),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("xhigh", Self::Xhigh),
        ("max", Self::Max),
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, effort)| *effort == self).map_or("medium", |(word, _)| word)
    }
}

impl<'d> Request<'d> {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 `invalid_request_error` that names the first member that is not what it should be.
    pub fn read(value: Value<'d>) -> Result<Self, ApiError> {
        let at = Reader::of_body(value)?;
        let messages = at.array("messages")?.ok_or_else(|| at.missing("messages"))?;
        let messages: Vec<_> = messages
            .items()
            .enumerate()
            .map(|(index, value)| Message::read(value, index))
            .collect::<Result<_, _>>()?;
        if messages.is_empty() {
            return Err(at.wrong("messages", "expected at least one message"));
        }
        let model = at.model()?;
        let max_tokens = match at.integer("max_completion_tokens", 1, None)? {
            Some(most) => Some(most),
            None => at.integer("max_tokens", 1, None)?,
        };
        let stream_options = at.object("stream_options")?;
        Ok(Self {
            model,
            messages,
            tools: tools(&at)?,
            functions: at.value("functions").is_some() && at.value("tools").is_none(),
            tool_choice: tool_choice(&at)?,
            parallel_tool_calls: at.bool("parallel_tool_calls")?,
            response_format: response_format(&at)?,
            max_tokens,
            temperature: at.number("temperature", 0.0, 2.0)?,
            top_p: at.number("top_p", 0.0, 1.0)?,
            stop: stop(&at)?,
            n: at.integer("n", 1, Some(128))?.unwrap_or(1),
            reasoning_effort: reasoning_effort(&at)?,
            stream: at.bool("stream")?.unwrap_or(false),
            include_usage: match stream_options {
                Some(options) => options.bool("include_usage")?.unwrap_or(false),
                None => false,
            },
            value,
        })
    }

    /// A member by name, if it is there and not `null`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value<'d>> {
        self.value.get(name)
    }

    /// How many images its messages hold.
    #[must_use]
    pub fn images(&self) -> u64 {
        let parts = self.messages.iter().flat_map(|message| match &message.content {
            Content::Parts(parts) => parts.as_slice(),
            Content::None | Content::Text(_) => &[],
        });
        parts
            .filter(|(part, _)| matches!(part, Part::Image { .. }))
            .fold(0, |count, _| count.saturating_add(1))
    }

    /// Whether the body holds what only its own provider may see: echoed reasoning, signatures,
    /// marks for Anthropic's cache.
    #[must_use]
    pub fn echoes(&self) -> bool {
        self.messages.iter().any(Message::echoes)
            || self.tools.iter().any(|tool| tool.value.get("cache_control").is_some())
    }
}

fn tools<'d>(at: &Reader<'d, '_>) -> Result<Vec<Tool<'d>>, ApiError> {
    let mut tools = Vec::new();
    for (index, value) in at.array("tools")?.into_iter().flat_map(Value::items).enumerate() {
        let tool = Reader::new(value, Path::Item(&Path::Body, "tools", index))?;
        let kind = tool.require_text("type")?;
        tools.push(if kind == "function" {
            function(&tool.object("function")?.ok_or_else(|| tool.missing("function"))?, value)?
        } else if kind == "custom" {
            let custom = tool.object("custom")?.ok_or_else(|| tool.missing("custom"))?;
            let description = custom.text("description")?;
            let name = custom.require_text("name")?;
            Tool { kind: ToolKind::Custom, name, description, parameters: None, strict: None, value }
        } else {
            let name = Text::default();
            Tool { kind: ToolKind::Other, name, description: None, parameters: None, strict: None, value }
        });
    }
    for (index, value) in at.array("functions")?.into_iter().flat_map(Value::items).enumerate() {
        tools.push(function(&Reader::new(value, Path::Item(&Path::Body, "functions", index))?, value)?);
    }
    Ok(tools)
}

fn function<'d>(function: &Reader<'d, '_>, value: Value<'d>) -> Result<Tool<'d>, ApiError> {
    Ok(Tool {
        kind: ToolKind::Function,
        name: function.require_text("name")?,
        description: function.text("description")?,
        parameters: function.object("parameters")?.map(|parameters| parameters.inner()),
        strict: function.bool("strict")?,
        value,
    })
}

fn tool_choice<'d>(at: &Reader<'d, '_>) -> Result<Option<ToolChoice<'d>>, ApiError> {
    let expected = "'auto', 'none', 'required' or an object that names a tool";
    let (key, value) = match (at.value("tool_choice"), at.value("function_call")) {
        (Some(choice), _) => ("tool_choice", choice),
        (None, Some(call)) => ("function_call", call),
        (None, None) => return Ok(None),
    };
    if let Some(word) = value.text() {
        return match word.decode().as_ref() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" => Ok(Some(ToolChoice::Required)),
            other => Err(at.wrong(key, format!("expected {expected}, found '{other}'"))),
        };
    }
    let choice = at.object(key)?.ok_or_else(|| at.missing(key))?;
    if let Some(allowed) = choice.object("allowed_tools")? {
        let name = |tool: Value<'d>| {
            ["function", "custom"].iter().find_map(|kind| tool.get(kind)?.get("name")?.text())
        };
        let names = allowed.array("tools")?.into_iter().flat_map(Value::items).filter_map(name).collect();
        let required = allowed.text("mode")?.is_some_and(|mode| mode == "required");
        return Ok(Some(ToolChoice::Allowed { names, required }));
    }
    for kind in ["function", "custom"] {
        if let Some(tool) = choice.object(kind)? {
            return Ok(Some(ToolChoice::Named(tool.require_text("name")?)));
        }
    }
    if key == "function_call" {
        return Ok(Some(ToolChoice::Named(choice.require_text("name")?)));
    }
    Err(at.wrong(key, format!("expected {expected}")))
}

fn response_format<'d>(at: &Reader<'d, '_>) -> Result<ResponseFormat<'d>, ApiError> {
    let Some(format) = at.object("response_format")? else { return Ok(ResponseFormat::Text) };
    match format.require_text("type")?.decode().as_ref() {
        "text" => Ok(ResponseFormat::Text),
        "json_object" => Ok(ResponseFormat::JsonObject),
        "json_schema" => {
            let schema = format.object("json_schema")?.ok_or_else(|| format.missing("json_schema"))?;
            Ok(ResponseFormat::JsonSchema {
                name: schema.require_text("name")?,
                schema: schema.object("schema")?.map(|schema| schema.inner()),
                strict: schema.bool("strict")?,
            })
        }
        other => {
            let message = format!("expected 'text', 'json_object' or 'json_schema', found '{other}'");
            Err(format.wrong("type", message))
        }
    }
}

fn stop<'d>(at: &Reader<'d, '_>) -> Result<Vec<Text<'d>>, ApiError> {
    let Some(value) = at.value("stop") else { return Ok(Vec::new()) };
    let expected = "a string or an array of strings";
    match value.kind() {
        Kind::String => Ok(value.text().into_iter().collect()),
        Kind::Array => value
            .items()
            .map(|item| item.text().ok_or_else(|| at.expected("stop", expected, item.kind())))
            .collect(),
        kind => Err(at.expected("stop", expected, kind)),
    }
}

fn reasoning_effort(at: &Reader<'_, '_>) -> Result<Option<Effort>, ApiError> {
    let Some(word) = at.text("reasoning_effort")? else { return Ok(None) };
    match Effort::ALL.iter().find(|(name, _)| word == *name) {
        Some((_, effort)) => Ok(Some(*effort)),
        None => {
            let known = Effort::ALL.map(|(name, _)| name).join("', '");
            Err(at.wrong("reasoning_effort", format!("expected one of '{known}', found '{}'", word.decode())))
        }
    }
}

//! Tools, which of them may be called, and how an answer of a given form is had.
//!
//! Models with structured outputs get the schema as it is meant; the others are made to call a tool
//! of a reserved name whose input is the answer, and the readers put that input back into the content.

use super::models::Model;
use super::schema;
use crate::chat::{Request, ResponseFormat, Tool, ToolChoice, ToolKind};
use crate::error::ApiError;
use crate::json::{self, Array, Object, Text, Value};
use crate::provider::Outgoing;

/// The tool whose input is the answer itself.
pub(super) const JSON_TOOL: &str = "json_tool_call";

/// What is said about tools and the form of the answer.
#[derive(Debug)]
pub(super) struct Tools<'r> {
    offered: Vec<&'r Tool<'r>>,
    format: Format<'r>,
    choice: Choice<'r>,
    strict: bool,
    one_at_a_time: bool,
    search: Option<Value<'r>>,
}

#[derive(Clone, Copy, Debug)]
enum Format<'r> {
    Free,
    Native(Value<'r>),
    Tool(Option<Value<'r>>),
}

#[derive(Clone, Debug, PartialEq)]
enum Choice<'r> {
    Unsaid,
    Auto,
    None,
    Any,
    Named(Text<'r>),
}

impl<'r> Tools<'r> {
    /// Decides.
    ///
    /// # Errors
    /// 400 `unsupported_parameter` for tools, choices and formats that this model cannot have.
    pub fn of(request: &'r Request<'r>, model: &Model, outgoing: &mut Outgoing) -> Result<Self, ApiError> {
        let mut offered = Vec::with_capacity(request.tools.len());
        for (index, tool) in request.tools.iter().enumerate() {
            check(tool, index)?;
            if tool.strict == Some(true) && !model.structured {
                super::lose(outgoing, "tools[].function.strict");
            }
            offered.push(tool);
        }
        let mut choice = match &request.tool_choice {
            None => Choice::Unsaid,
            Some(ToolChoice::Auto) => Choice::Auto,
            Some(ToolChoice::None) => Choice::None,
            Some(ToolChoice::Required) => Choice::Any,
            Some(ToolChoice::Named(name)) => Choice::Named(name.borrow()),
            Some(ToolChoice::Allowed { names, required }) => {
                offered.retain(|tool| names.iter().any(|name| tool.name.means(name)));
                if *required { Choice::Any } else { Choice::Auto }
            }
        };
        let search = request.get("web_search_options");
        let none_offered = offered.is_empty() && search.is_none();
        let forced = matches!(choice, Choice::Any | Choice::Named(_));
        if none_offered && forced {
            let message = "a tool call is required but there is no tool to call";
            return Err(ApiError::invalid_param("tool_choice", message).coded("invalid_value"));
        }
        // Where a call is required, the answer is that call and not a text of some form.
        let format = if forced { native_format(request, model) } else { format(request, model)? };
        if matches!(format, Format::Tool(_)) {
            choice = match choice {
                Choice::Auto | Choice::Unsaid if !none_offered => Choice::Any,
                _ => Choice::Named(Text::of(JSON_TOOL)),
            };
        } else if none_offered {
            choice = Choice::Unsaid;
        }
        if forced && !model.forced_tools {
            let message = "this model cannot be made to call a tool; use 'auto'";
            return Err(ApiError::unsupported("tool_choice", message));
        }
        let one_at_a_time = request.parallel_tool_calls == Some(false) && !none_offered;
        Ok(Self { offered, format, choice, strict: model.structured, one_at_a_time, search })
    }

    /// Whether a tool must be called.
    pub fn forced(&self) -> bool {
        matches!(self.choice, Choice::Any | Choice::Named(_))
    }

    /// Whether there is an `output_config.format` to write.
    pub fn has_format(&self) -> bool {
        matches!(self.format, Format::Native(_))
    }

    /// Writes `output_config.format`, if there is one.
    pub fn write_format(&self, output_config: &mut Object<'_>) {
        if let Format::Native(schema) = self.format {
            output_config.object("format", |format| {
                format.string("type", "json_schema");
                schema::write(schema, format.value("schema"));
            });
        }
    }

    /// Writes `tools` and `tool_choice`.
    pub fn write(&self, body: &mut Object<'_>) {
        let answers = matches!(self.format, Format::Tool(_));
        if self.offered.is_empty() && self.search.is_none() && !answers {
            return;
        }
        body.array("tools", |tools| {
            self.offered.iter().for_each(|tool| self.write_tool(tool, tools));
            if let Some(options) = self.search {
                tools.object(|tool| search_tool(options, tool));
            }
            if let Format::Tool(schema) = self.format {
                tools.object(|tool| answer_tool(schema, tool));
            }
        });
        let kind = match &self.choice {
            Choice::Unsaid if !self.one_at_a_time => return,
            Choice::Unsaid | Choice::Auto => "auto",
            Choice::None => "none",
            Choice::Any => "any",
            Choice::Named(_) => "tool",
        };
        body.object("tool_choice", |choice| {
            choice.string("type", kind);
            if let Choice::Named(name) = &self.choice {
                choice.text("name", name);
            }
            // The answer's own tool is called once.
            if self.one_at_a_time && kind != "none" || answers && kind == "tool" {
                choice.bool("disable_parallel_tool_use", true);
            }
        });
    }

    fn write_tool(&self, tool: &Tool<'_>, tools: &mut Array<'_>) {
        if tool.kind == ToolKind::Other {
            return tools.raw(tool.value.raw());
        }
        let strict = self.strict && tool.strict == Some(true);
        tools.object(|out| {
            out.text("name", &tool.name);
            if let Some(description) = &tool.description {
                out.text("description", description);
            }
            write_schema(tool.parameters, strict, out.value("input_schema"));
            if strict {
                out.bool("strict", true);
            }
            let inner = || tool.value.get("function")?.get("cache_control");
            if let Some(control) = tool.value.get("cache_control").or_else(inner) {
                out.raw("cache_control", control.raw());
            }
        });
    }
}

/// Whether the tool can be offered.
fn check(tool: &Tool<'_>, index: usize) -> Result<(), ApiError> {
    match tool.kind {
        ToolKind::Function if tool.name == JSON_TOOL => {
            let message = format!("the name '{JSON_TOOL}' is reserved");
            Err(ApiError::unsupported(format!("tools[{index}].function.name"), message))
        }
        ToolKind::Function => Ok(()),
        ToolKind::Custom => {
            let message = "this model takes no custom tools, whose input is free text";
            Err(ApiError::unsupported(format!("tools[{index}].type"), message))
        }
        ToolKind::Other => {
            // Anthropic's own tools carry a date: `web_search_20250305`.
            let kind = tool.value.get("type").and_then(Value::text).unwrap_or_default();
            let kind = kind.decode();
            let dated = kind
                .rsplit_once('_')
                .is_some_and(|(_, date)| date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()));
            let message = || format!("this model does not know tools of type '{kind}'");
            if dated { Ok(()) } else { Err(ApiError::unsupported(format!("tools[{index}].type"), message())) }
        }
    }
}

fn native_format<'r>(request: &'r Request<'r>, model: &Model) -> Format<'r> {
    match request.response_format {
        ResponseFormat::JsonSchema { schema: Some(schema), .. } if model.structured => Format::Native(schema),
        _ => Format::Free,
    }
}

fn format<'r>(request: &'r Request<'r>, model: &Model) -> Result<Format<'r>, ApiError> {
    let schema = match request.response_format {
        ResponseFormat::Text => return Ok(Format::Free),
        ResponseFormat::JsonObject => None,
        ResponseFormat::JsonSchema { schema, .. } => schema,
    };
    match schema {
        Some(schema) if model.structured && (schema::is_closed(schema) || !model.forced_tools) => {
            Ok(Format::Native(schema))
        }
        _ if model.forced_tools => Ok(Format::Tool(schema)),
        _ => Err(ApiError::unsupported(
            "response_format",
            "this model takes a `json_schema` with a schema, but no free JSON object",
        )),
    }
}

/// Writes a schema of arguments, which must be an object's.
fn write_schema(parameters: Option<Value<'_>>, strict: bool, out: &mut Vec<u8>) {
    match parameters {
        Some(schema) if strict => schema::write(schema, out),
        Some(schema) if schema.get("type").is_some() => out.extend_from_slice(schema.raw()),
        _ => json::object(out, |object| {
            object.string("type", "object");
            if parameters.is_none_or(|schema| schema.get("properties").is_none()) {
                object.raw("properties", b"{}");
            }
            let members = parameters.into_iter().flat_map(Value::entries);
            for (key, value) in members.filter_map(|(key, value)| Some((key.text()?, value))) {
                if key != "type" && !value.is_null() {
                    object.member(&key, value.raw());
                }
            }
        }),
    }
}

fn answer_tool(schema: Option<Value<'_>>, tool: &mut Object<'_>) {
    tool.string("name", JSON_TOOL);
    tool.string("description", "Gives the answer. Its input is the whole answer, as JSON.");
    match schema {
        Some(schema) => write_schema(Some(schema), false, tool.value("input_schema")),
        None => tool.object("input_schema", |schema| {
            schema.string("type", "object");
            schema.bool("additionalProperties", true);
        }),
    }
}

/// `web_search_options` as Anthropic's own search tool.
fn search_tool(options: Value<'_>, tool: &mut Object<'_>) {
    tool.string("type", "web_search_20250305");
    tool.string("name", "web_search");
    let place = options.get("user_location").and_then(|location| location.get("approximate"));
    let Some(place) = place else { return };
    tool.object("user_location", |location| {
        location.string("type", "approximate");
        for key in ["city", "region", "country", "timezone"] {
            if let Some(value) = place.get(key).and_then(Value::text) {
                location.text(key, &value);
            }
        }
    });
}

//! What this dialect, or this model, cannot honour and must not drop in silence.

use super::media::Media;
use super::models::Model;
use super::schema;
use crate::chat::{Content, Part, Request, ResponseFormat, Role, ToolKind};
use crate::error::ApiError;
use crate::json::Value;

/// The most stop sequences the provider takes.
const MOST_STOPS: usize = 5;

/// Whether the model can serve the request.
///
/// # Errors
/// 400 `unsupported_parameter` for the first member that it cannot honour.
pub(super) fn check(request: &Request<'_>, model: Model) -> Result<(), ApiError> {
    answer(request, model)?;
    tools(request, model)?;
    messages(request, model)
}

fn answer(request: &Request<'_>, model: Model) -> Result<(), ApiError> {
    if request.n > model.candidates {
        let message =
            format!("this model cannot give {} choices; the most is {}", request.n, model.candidates);
        return Err(ApiError::unsupported("n", message));
    }
    let modalities = request.get("modalities").into_iter().flat_map(Value::items);
    for modality in modalities.filter_map(Value::text) {
        if modality != "text" && modality != "image" {
            let message = format!("this model does not answer in '{}'", modality.decode());
            return Err(ApiError::unsupported("modalities", message));
        }
    }
    if request.stop.len() > MOST_STOPS {
        let message = format!("Gemini takes at most {MOST_STOPS} stop sequences");
        return Err(ApiError::unsupported("stop", message));
    }
    if let ResponseFormat::JsonSchema { schema: Some(schema), .. } = &request.response_format {
        expressible(*schema, model, "response_format")?;
    }
    Ok(())
}

fn tools(request: &Request<'_>, model: Model) -> Result<(), ApiError> {
    for (index, tool) in request.tools.iter().enumerate() {
        match tool.kind {
            ToolKind::Function => {}
            ToolKind::Custom => {
                let message = "Gemini knows functions with JSON arguments, no tools that take free text";
                return Err(ApiError::unsupported(format!("tools[{index}].type"), message));
            }
            ToolKind::Other => {
                let message = "this type of tool is not one that Gemini can be offered";
                return Err(ApiError::unsupported(format!("tools[{index}].type"), message));
            }
        }
        if let Some(parameters) = tool.parameters {
            let path = || format!("tools[{index}].function.parameters");
            expressible(parameters, model, path())?;
        }
    }
    if request.tools.is_empty() {
        return Ok(());
    }
    if !model.tools_with_format && !matches!(request.response_format, ResponseFormat::Text) {
        let message = "this model takes no response format together with tools";
        return Err(ApiError::unsupported("response_format", message));
    }
    if request.get("web_search_options").is_some() {
        let message = "Gemini searches the web only where no other tools are offered";
        return Err(ApiError::unsupported("web_search_options", message));
    }
    Ok(())
}

/// A model that does not take JSON Schema takes a subset of it, which not every schema fits into.
fn expressible(schema: Value<'_>, model: Model, path: impl Into<String>) -> Result<(), ApiError> {
    if model.json_schema {
        return Ok(());
    }
    schema::subset(schema).map(drop).map_err(|beyond| {
        let message = format!("this model does not understand the schema: {}", beyond.as_str());
        ApiError::unsupported(path.into(), message)
    })
}

fn messages(request: &Request<'_>, model: Model) -> Result<(), ApiError> {
    for (index, message) in request.messages.iter().enumerate() {
        let Content::Parts(parts) = &message.content else { continue };
        for (place, (part, _)) in parts.iter().enumerate() {
            let path = || format!("messages[{index}].content[{place}]");
            if matches!(part, Part::Text(_) | Part::Refusal(_)) {
                continue;
            }
            let only_text = match message.role {
                Role::System | Role::Developer => true,
                Role::Tool | Role::Function => !model.media_results,
                Role::User | Role::Assistant => false,
            };
            if only_text {
                let message = "this model takes nothing but text here";
                return Err(ApiError::unsupported(format!("{}.type", path()), message));
            }
            Media::read(part, path)?;
        }
    }
    let last = request.messages.last();
    let prefills = last.is_some_and(|last| last.role == Role::Assistant && last.tool_calls.is_empty());
    if prefills && !model.prefill {
        let message = "this model does not go on with a conversation that ends with the assistant's message";
        return Err(ApiError::unsupported("messages", message));
    }
    Ok(())
}

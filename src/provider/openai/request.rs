//! The request in a vendor's words: the client's body with a few members changed.
//!
//! Members go over one by one, as they stand, in the client's order; those that nobody knows too.
//! What the vendor would reject is renamed, converted or left out; what it cannot do is refused.

use super::messages;
use super::models::{self, Model};
use super::quirks::{Limit, Quirks, StreamOptions};
use crate::chat::{Content, Effort, Request, ResponseFormat, Role, ToolChoice, ToolKind};
use crate::error::ApiError;
use crate::json::{self, Array, Object, Text, Value};
use crate::provider::{Outgoing, Target};
use std::borrow::Cow;

/// Whether the vendor can do what is asked.
pub(super) fn fits(quirks: &Quirks, request: &Request<'_>, target: Target<'_>) -> Result<(), ApiError> {
    let lacks = quirks.lacks;
    let family = models::of(quirks.models, target.model);
    let speaks = request.get("modalities").is_some_and(|modalities| {
        modalities.items().any(|modality| modality.text().is_some_and(|modality| modality == "audio"))
    });
    let legacy = request.get("functions").is_some()
        || request
            .messages
            .iter()
            .any(|message| message.role == Role::Function || message.value.get("function_call").is_some());
    let custom = request.tools.iter().any(|tool| tool.kind == ToolKind::Custom)
        || request.messages.iter().any(|message| message.tool_calls.iter().any(|call| call.custom));
    let logprobs = request.get("logprobs").and_then(Value::bool) == Some(true);
    let schema = matches!(request.response_format, ResponseFormat::JsonSchema { .. });
    let refused = [
        (lacks.choices && request.n > 1, "n", "more than one choice"),
        (lacks.logprobs && logprobs, "logprobs", "log probabilities"),
        (lacks.audio && speaks, "modalities", "audio answers"),
        (lacks.json_schema && schema, "response_format", "answers that follow a JSON schema"),
        (lacks.custom_tools && custom, "tools", "custom tools"),
        (family.no_stop && !request.stop.is_empty(), "stop", "stop sequences"),
        (lacks.functions && legacy, "functions", "`functions` and `function_call`; use `tools`"),
    ];
    match refused.into_iter().find(|(refused, ..)| *refused) {
        Some((_, param, what)) => {
            let message = format!("model '{}' at {} does not support {what}", target.model, quirks.vendor);
            Err(ApiError::unsupported(param, message))
        }
        None => Ok(()),
    }
}

/// Writes the body.
pub(super) fn write(quirks: &Quirks, request: &Request<'_>, target: Target<'_>) -> Outgoing {
    let model = models::of(quirks.models, target.model);
    let mut writer = Writer { quirks, request, target, model, dropped: Vec::new() };
    let mut body = Vec::with_capacity(request.value.raw().len().saturating_add(256));
    json::object(&mut body, |out| {
        for (key, value) in request.value.entries() {
            if let Some(key) = key.text() {
                writer.member(&key, value, out);
            }
        }
        writer.limit(out);
        writer.usage(out);
    });
    Outgoing { body, headers: Vec::new(), dropped: writer.dropped }
}

struct Writer<'w, 'd> {
    quirks: &'w Quirks,
    request: &'w Request<'d>,
    target: Target<'w>,
    model: Model,
    dropped: Vec<Cow<'static, str>>,
}

impl Writer<'_, '_> {
    fn member(&mut self, key: &Text<'_>, value: Value<'_>, out: &mut Object<'_>) {
        let name = key.decode();
        match name.as_ref() {
            "model" => out.string("model", self.target.model),
            "messages" => {
                messages::write(self.quirks, self.request, &mut self.dropped, out.value("messages"));
            }
            // They are written at the end.
            "max_tokens" | "max_completion_tokens" | "stream_options" => {}
            "tools" => self.tools(value, out),
            "tool_choice" => self.tool_choice(value, out),
            "reasoning_effort" => self.effort(out),
            name if self.drops(name) => {
                if !is_default(name, value) {
                    self.dropped.push(Cow::Owned(name.to_string()));
                }
            }
            name => match self.quirks.renames.iter().find(|(ours, _)| *ours == name) {
                Some((_, theirs)) => out.raw(theirs, value.raw()),
                None => out.member(key, value.raw()),
            },
        }
    }

    fn drops(&self, name: &str) -> bool {
        self.quirks.drops.contains(&name) || self.model.drops.contains(&name)
    }

    /// The limit on answer tokens, under one name and no higher than the model can go.
    fn limit(&self, out: &mut Object<'_>) {
        let Some(asked) = self.request.max_tokens else { return };
        let said = self.request.get("max_completion_tokens").is_some();
        let completion = match self.quirks.limit {
            Limit::MaxTokens => false,
            Limit::MaxCompletionTokens => true,
            Limit::AsSaid => said || self.model.completion_limit,
        };
        let limit = self.target.max_output_tokens.map_or(asked, |most| asked.min(most));
        out.number(if completion { "max_completion_tokens" } else { "max_tokens" }, limit);
    }

    /// Usage is asked for in every stream; clients who did not ask do not see it.
    fn usage(&self, out: &mut Object<'_>) {
        if !self.request.stream || self.quirks.stream_options == StreamOptions::None {
            return;
        }
        out.object("stream_options", |options| {
            let said = self.request.get("stream_options");
            let said = said.filter(|_| self.quirks.stream_options == StreamOptions::All);
            for (key, value) in said.into_iter().flat_map(Value::entries) {
                if let Some(key) = key.text().filter(|key| *key != "include_usage") {
                    options.member(&key, value.raw());
                }
            }
            options.bool("include_usage", true);
        });
    }

    fn tools(&self, value: Value<'_>, out: &mut Object<'_>) {
        if self.quirks.canonical && !cached(value) {
            return out.raw("tools", value.raw());
        }
        // An empty list is an error to some, and to all the same as none.
        if value.items().next().is_none() {
            return;
        }
        let allowed = match &self.request.tool_choice {
            Some(ToolChoice::Allowed { names, .. }) if self.quirks.lacks.allowed_tools => Some(names),
            _ => None,
        };
        if allowed.is_none() && (self.quirks.replay.cache_control || !cached(value)) {
            return out.raw("tools", value.raw());
        }
        out.array("tools", |tools| {
            for tool in &self.request.tools {
                let named = |names: &Vec<Text<'_>>| names.iter().any(|name| name.means(&tool.name));
                if tool.kind == ToolKind::Other || allowed.is_none_or(named) {
                    self.tool(tool.value, tools);
                }
            }
        });
    }

    fn tool(&self, tool: Value<'_>, tools: &mut Array<'_>) {
        if self.quirks.replay.cache_control || tool.get("cache_control").is_none() {
            return tools.raw(tool.raw());
        }
        tools.object(|out| without(tool, "cache_control", out));
    }

    fn tool_choice(&self, value: Value<'_>, out: &mut Object<'_>) {
        let tools = self.request.get("tools").is_some_and(|tools| tools.items().next().is_some());
        if !tools && !self.quirks.canonical {
            return;
        }
        let word = |required: bool| if required { self.quirks.required } else { "auto" };
        match &self.request.tool_choice {
            Some(ToolChoice::Required) => out.string("tool_choice", word(true)),
            Some(ToolChoice::Allowed { required, .. }) if self.quirks.lacks.allowed_tools => {
                out.string("tool_choice", word(*required));
            }
            _ => out.raw("tool_choice", value.raw()),
        }
    }

    fn effort(&mut self, out: &mut Object<'_>) {
        let Some(asked) = self.request.reasoning_effort else { return };
        let thinking = self.model.thinking;
        let mut said = false;
        if let Some(word) = thinking.word(asked) {
            out.string("reasoning_effort", word.as_str());
            said = true;
        }
        let switch = if asked == Effort::None { thinking.off.filter(|_| !said) } else { thinking.on };
        let free = |key: &str| self.request.get(key).is_none();
        if let Some((key, value)) = switch {
            if free(key) {
                out.raw(key, value.as_bytes());
            }
            said = true;
        }
        let tokens = models::tokens(asked).filter(|_| asked != Effort::None);
        if let (Some(key), Some(tokens)) = (thinking.budget, tokens)
            && free(key)
        {
            out.number(key, tokens);
        }
        if !said {
            self.dropped.push(Cow::Borrowed("reasoning_effort"));
        }
    }
}

/// Whether leaving the member out is no loss at all.
fn is_default(name: &str, value: Value<'_>) -> bool {
    let number = match name {
        "temperature" | "top_p" => Some(1.0),
        "presence_penalty" | "frequency_penalty" => Some(0.0),
        _ => None,
    };
    value.is_null() || value.bool() == Some(false) || value.f64().is_some_and(|value| number == Some(value))
}

/// Whether a tool has Anthropic's `cache_control`.
fn cached(tools: Value<'_>) -> bool {
    tools.items().any(|tool| tool.get("cache_control").is_some())
}

/// The members of an object but for one.
pub(super) fn without(object: Value<'_>, left_out: &str, out: &mut Object<'_>) {
    for (key, value) in object.entries() {
        if let Some(key) = key.text().filter(|key| key != left_out) {
            out.member(&key, value.raw());
        }
    }
}

/// Whether a part of the message has Anthropic's `cache_control`.
pub(super) fn has_cached_parts(content: &Content<'_>) -> bool {
    match content {
        Content::Parts(parts) => parts.iter().any(|(_, part)| part.get("cache_control").is_some()),
        Content::None | Content::Text(_) => false,
    }
}

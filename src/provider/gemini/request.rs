//! Says a request as `generateContent`'s body.

use super::contents::Conversation;
use super::models::{Amount, Model};
use super::{fits, schema, tools};
use crate::chat::{Part, Request, ResponseFormat};
use crate::error::ApiError;
use crate::json::{Kind, Object, Value, object};
use crate::provider::{Outgoing, Target};
use std::borrow::Cow;

/// The members that are translated, or that say how to answer rather than what.
const KNOWN: [&str; 27] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "parallel_tool_calls",
    "response_format",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "n",
    "reasoning_effort",
    "stream",
    "stream_options",
    "logprobs",
    "top_logprobs",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "modalities",
    "web_search_options",
    "safety_settings",
    "service_tier",
];

type Dropped = Vec<Cow<'static, str>>;

/// The body for `target`.
///
/// # Errors
/// As the adapter's `request`.
pub(super) fn write(request: &Request<'_>, target: Target<'_>) -> Result<Outgoing, ApiError> {
    let model = Model::named(target.model);
    fits::check(request, model)?;
    let conversation = Conversation::read(request, model)?;
    let mut dropped = lost(request, model);
    let mut body = Vec::with_capacity(request.value.raw().len());
    object(&mut body, |out| {
        conversation.write(out);
        tools::write(request, model, out);
        let mut config = Vec::new();
        object(&mut config, |config| generation(request, model, target, &mut dropped, config));
        if config != b"{}" {
            out.raw("generationConfig", &config);
        }
        if let Some(settings) = request.get("safety_settings") {
            out.raw("safetySettings", settings.raw());
        }
    });
    Ok(Outgoing { body, headers: Vec::new(), dropped })
}

fn generation(
    request: &Request<'_>,
    model: Model,
    target: Target<'_>,
    dropped: &mut Dropped,
    out: &mut Object<'_>,
) {
    if let Some(most) = request.max_tokens {
        out.number("maxOutputTokens", target.max_output_tokens.map_or(most, |limit| most.min(limit)));
    }
    let sampling = [("temperature", "temperature"), ("top_p", "topP"), ("top_k", "topK")];
    for (name, word) in sampling {
        if let Some(value) = number(request, name).filter(|_| model.sampling) {
            out.raw(word, value.raw());
        }
    }
    // Zero is the default everywhere.
    for (name, word) in [("presence_penalty", "presencePenalty"), ("frequency_penalty", "frequencyPenalty")] {
        if let Some(value) = number(request, name).filter(|value| model.penalties && value.f64() != Some(0.0))
        {
            out.raw(word, value.raw());
        }
    }
    if let Some(seed) = request.get("seed").and_then(Value::i64) {
        out.number("seed", folded(seed));
    }
    if request.n > 1 {
        out.number("candidateCount", request.n);
    }
    if !request.stop.is_empty() {
        out.array("stopSequences", |list| request.stop.iter().for_each(|stop| list.text(stop)));
    }
    if request.get("logprobs").and_then(Value::bool) == Some(true) {
        out.bool("responseLogprobs", true);
        if let Some(top) = request.get("top_logprobs").and_then(Value::u64).filter(|top| *top > 0) {
            out.number("logprobs", top);
        }
    }
    format(request, model, out);
    let modalities = request.get("modalities").into_iter().flat_map(Value::items);
    if modalities.filter_map(Value::text).any(|modality| modality == "image") {
        out.raw("responseModalities", br#"["TEXT","IMAGE"]"#);
    }
    thinking(request, model, dropped, out);
}

fn format(request: &Request<'_>, model: Model, out: &mut Object<'_>) {
    let schema = match &request.response_format {
        ResponseFormat::Text => return,
        ResponseFormat::JsonObject => None,
        ResponseFormat::JsonSchema { schema, .. } => *schema,
    };
    out.string("responseMimeType", "application/json");
    match schema {
        Some(schema) if model.json_schema => out.raw("responseJsonSchema", schema.raw()),
        Some(schema) => {
            if let Ok(schema) = schema::subset(schema) {
                out.raw("responseSchema", &schema);
            }
        }
        None => {}
    }
}

fn thinking(request: &Request<'_>, model: Model, dropped: &mut Dropped, out: &mut Object<'_>) {
    let Some(effort) = request.reasoning_effort else { return };
    let setting = model.thinking.at(effort);
    if !setting.honoured {
        dropped.push("reasoning_effort".into());
    }
    let Some(amount) = setting.amount else { return };
    out.object("thinkingConfig", |config| {
        match amount {
            Amount::Tokens(tokens) => config.number("thinkingBudget", tokens),
            Amount::Level(level) => config.string("thinkingLevel", level.as_str()),
        }
        if effort != crate::chat::Effort::None {
            config.bool("includeThoughts", true);
        }
    });
}

fn number<'d>(request: &Request<'d>, name: &str) -> Option<Value<'d>> {
    request.get(name).filter(|value| value.kind() == Kind::Number)
}

/// The provider's seeds have 32 bits.
fn folded(seed: i64) -> i32 {
    i32::try_from(seed).unwrap_or_else(|_| {
        let halves = (seed >> 32) ^ seed;
        i32::from_le_bytes(halves.to_le_bytes().first_chunk::<4>().copied().unwrap_or_default())
    })
}

/// What is left out and whose loss is harmless.
fn lost(request: &Request<'_>, model: Model) -> Dropped {
    let mut lost: Dropped = Vec::new();
    for (key, value) in request.value.entries() {
        let Some(key) = key.text() else { continue };
        let name = key.decode();
        let gone = match name.as_ref() {
            "temperature" | "top_p" | "top_k" => !model.sampling && !value.is_null(),
            "presence_penalty" | "frequency_penalty" => {
                !model.penalties && value.f64().is_some_and(|penalty| penalty != 0.0)
            }
            "parallel_tool_calls" => value.bool() == Some(false) && !request.tools.is_empty(),
            "service_tier" => value.text().is_some_and(|tier| tier != "auto" && tier != "default"),
            "web_search_options" => value.entries().next().is_some(),
            known => !KNOWN.contains(&known) && !says_nothing(value),
        };
        if gone {
            lost.push(name.into_owned().into());
        }
    }
    for (present, name) in [
        (request.tools.iter().any(|tool| tool.strict == Some(true)), "tools[].function.strict"),
        (request.tools.iter().any(|tool| tool.value.get("cache_control").is_some()), "tools[].cache_control"),
        (
            request.messages.iter().any(|message| message.name.is_some() && message.tool_call_id.is_none()),
            "messages[].name",
        ),
        (request.messages.iter().any(|message| message.value.get("audio").is_some()), "messages[].audio"),
        (request.messages.iter().any(|message| message.cache_control.is_some()), "messages[].cache_control"),
        (
            any_part(request, |_, value| value.get("cache_control").is_some()),
            "messages[].content[].cache_control",
        ),
        (any_part(request, |part, _| detailed(part)), "messages[].content[].image_url.detail"),
    ] {
        if present {
            lost.push(name.into());
        }
    }
    lost
}

fn says_nothing(value: Value<'_>) -> bool {
    match value.kind() {
        Kind::Null => true,
        Kind::Bool => value.bool() == Some(false),
        Kind::Object => value.entries().next().is_none(),
        Kind::Array => value.items().next().is_none(),
        Kind::Number | Kind::String => false,
    }
}

fn any_part(request: &Request<'_>, is: impl Fn(&Part<'_>, Value<'_>) -> bool) -> bool {
    let parts = request.messages.iter().flat_map(|message| message.content.parts());
    parts.filter_map(|(part, value)| Some((part, value?))).any(|(part, value)| is(&part, value))
}

fn detailed(part: &Part<'_>) -> bool {
    matches!(part, Part::Image { detail: Some(detail), .. } if detail != "auto")
}

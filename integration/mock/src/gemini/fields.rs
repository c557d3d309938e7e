//! The names Gemini knows. Its JSON is read as protobuf, so any other name is an error, at any depth.
use serde_json::Value;

use super::request::snake;
use crate::failure::Failure;

/// What a message may contain: its scalar or free members, and its members that are messages themselves.
struct Message {
    plain: &'static [&'static str],
    inner: &'static [(&'static str, &'static Message)],
}

static REQUEST: Message = Message {
    plain: &["model", "cachedContent", "labels", "serviceTier", "store"],
    inner: &[
        ("contents", &CONTENT),
        ("systemInstruction", &CONTENT),
        ("tools", &TOOL),
        ("toolConfig", &TOOL_CONFIG),
        ("generationConfig", &GENERATION),
        ("safetySettings", &Message { plain: &["category", "threshold", "method"], inner: &[] }),
    ],
};

static CONTENT: Message = Message { plain: &["role"], inner: &[("parts", &PART)] };

static PART: Message = Message {
    plain: &[
        "text",
        "thought",
        "thoughtSignature",
        "videoMetadata",
        "mediaResolution",
        "partMetadata",
        "toolCall",
        "toolResponse",
    ],
    inner: &[
        ("inlineData", &Message { plain: &["mimeType", "data", "displayName"], inner: &[] }),
        ("fileData", &Message { plain: &["mimeType", "fileUri", "displayName"], inner: &[] }),
        ("functionCall", &Message { plain: &["id", "name", "args"], inner: &[] }),
        (
            "functionResponse",
            &Message {
                plain: &["id", "name", "response", "parts", "scheduling", "willContinue"],
                inner: &[],
            },
        ),
        ("executableCode", &Message { plain: &["id", "language", "code"], inner: &[] }),
        ("codeExecutionResult", &Message { plain: &["id", "outcome", "output"], inner: &[] }),
    ],
};

static TOOL: Message = Message {
    plain: &[
        "googleSearch",
        "googleSearchRetrieval",
        "codeExecution",
        "urlContext",
        "fileSearch",
        "googleMaps",
        "computerUse",
        "mcpServers",
        "retrieval",
        "enterpriseWebSearch",
    ],
    inner: &[("functionDeclarations", &FUNCTION)],
};

static FUNCTION: Message = Message {
    plain: &["name", "description", "parametersJsonSchema", "responseJsonSchema", "behavior"],
    inner: &[("parameters", &SCHEMA), ("response", &SCHEMA)],
};

static TOOL_CONFIG: Message = Message {
    plain: &["retrievalConfig", "includeServerSideToolInvocations"],
    inner: &[(
        "functionCallingConfig",
        &Message { plain: &["mode", "allowedFunctionNames", "streamFunctionCallArguments"], inner: &[] },
    )],
};

static GENERATION: Message = Message {
    plain: &[
        "temperature",
        "topP",
        "topK",
        "candidateCount",
        "maxOutputTokens",
        "stopSequences",
        "responseMimeType",
        "responseJsonSchema",
        "presencePenalty",
        "frequencyPenalty",
        "seed",
        "responseLogprobs",
        "logprobs",
        "responseModalities",
        "speechConfig",
        "mediaResolution",
        "audioTimestamp",
        "routingConfig",
        "imageConfig",
        "enableAffectiveDialog",
        "modelSelectionConfig",
        "enableEnhancedCivicAnswers",
    ],
    inner: &[
        ("responseSchema", &SCHEMA),
        (
            "thinkingConfig",
            &Message { plain: &["includeThoughts", "thinkingBudget", "thinkingLevel"], inner: &[] },
        ),
    ],
};

/// OpenAPI's subset; `properties` is a map and is walked apart. No additionalProperties, $ref, const or oneOf.
static SCHEMA: Message = Message {
    plain: &[
        "type",
        "format",
        "title",
        "description",
        "nullable",
        "enum",
        "maxItems",
        "minItems",
        "required",
        "minProperties",
        "maxProperties",
        "minLength",
        "maxLength",
        "pattern",
        "example",
        "propertyOrdering",
        "default",
        "minimum",
        "maximum",
        "properties",
    ],
    inner: &[("items", &SCHEMA), ("anyOf", &SCHEMA)],
};

/// Refuses names Gemini does not know, all of them in one error.
pub fn check(body: &Value) -> Result<(), Failure> {
    let mut unknown = Vec::new();
    walk(body, &REQUEST, "", &mut unknown);
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(Failure::bad(unknown.join("\n"))),
    }
}

fn walk(value: &Value, message: &Message, path: &str, unknown: &mut Vec<String>) {
    let below = |key: &str| if path.is_empty() { snake(key) } else { format!("{path}.{}", snake(key)) };
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                walk(item, message, &format!("{path}[{n}]"), unknown);
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                let named = |known: &str| known == key || snake(known) == *key;
                if let Some((_, inner)) = message.inner.iter().find(|(known, _)| named(known)) {
                    walk(value, inner, &below(key), unknown);
                } else if !message.plain.iter().any(|known| named(known)) {
                    let place = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
                    unknown.push(format!(
                        "Invalid JSON payload received. Unknown name \"{key}\"{place}: Cannot find field."
                    ));
                } else if key == "properties" && std::ptr::eq(message.plain, SCHEMA.plain) {
                    for (n, property) in value.as_object().into_iter().flat_map(|o| o.values()).enumerate() {
                        walk(property, &SCHEMA, &format!("{path}.properties[{n}].value"), unknown);
                    }
                }
            }
        }
        Value::Null => {}
        _ => unknown.push(format!("Invalid value at '{path}': a message is wanted, found {value}")),
    }
}

//! What Gemini refuses of a conversation: its turns, its parts, and how function calls and responses must meet.
use serde_json::Value;

use super::check::fault;
use super::request::{list, member};
use crate::ask::text_of;
use crate::failure::Failure;
use crate::ids::signature_fits;

const DATA: [&str; 7] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
];

/// Refuses a conversation as Gemini would.
pub fn check(model: &str, body: &Value) -> Result<(), Failure> {
    let contents = list(body, "contents");
    if contents.is_empty() {
        return Err(fault("contents", "contents is not specified"));
    }
    let system = member(body, "systemInstruction");
    if !system.is_null() {
        parts(list(system, "parts"), "system_instruction", "system")?;
    }
    for (n, content) in contents.iter().enumerate() {
        let role = text_of(content, "role");
        if !matches!(role, "user" | "model" | "") {
            return Err(Failure::bad("Please use a valid role: user, model."));
        }
        parts(list(content, "parts"), &format!("contents[{n}]"), role)?;
    }
    calls_meet(contents)?;
    signed(model, contents)
}

fn parts(parts: &[Value], at: &str, role: &str) -> Result<(), Failure> {
    if parts.is_empty() {
        return Err(fault(&format!("{at}.parts"), "contents.parts must not be empty."));
    }
    for (n, part) in parts.iter().enumerate() {
        let at = format!("{at}.parts[{n}]");
        let set: Vec<&str> = DATA.into_iter().filter(|name| !member(part, name).is_null()).collect();
        let [data] = set[..] else {
            let words = "required oneof field 'data' must have one initialized field";
            return Err(fault(&format!("{at}.data"), words));
        };
        let value = member(part, data);
        match data {
            "text" if !value.is_string() => {
                return Err(Failure::bad(format!("Invalid value at '{at}.text' (TYPE_STRING), {value}")));
            }
            "inlineData" => inline(value, &at)?,
            "fileData" if member(value, "fileUri").as_str().is_none_or(str::is_empty) => {
                return Err(fault(&format!("{at}.file_data"), "file_uri must be set"));
            }
            "functionCall" => {
                named(value, &at, "function_call")?;
                structured(&value["args"], &format!("{at}.function_call.args"))?;
                if role == "user" {
                    return Err(Failure::bad("Please ensure that function call turns have the role model."));
                }
            }
            "functionResponse" => {
                named(value, &at, "function_response")?;
                if value["response"].is_null() {
                    return Err(fault(
                        &format!("{at}.function_response.response"),
                        "required field is not set",
                    ));
                }
                structured(&value["response"], &format!("{at}.function_response.response"))?;
            }
            _ => {}
        }
        let signature = member(part, "thoughtSignature");
        if !signature.is_null() && !base64(signature.as_str().unwrap_or_default()) {
            return Err(Failure::bad(format!(
                "Invalid value at '{at}.thought_signature' (TYPE_BYTES), {signature}"
            )));
        }
    }
    Ok(())
}

fn inline(data: &Value, at: &str) -> Result<(), Failure> {
    if member(data, "mimeType").as_str().is_none_or(|mime| !mime.contains('/')) {
        return Err(fault(&format!("{at}.inline_data.mime_type"), "must be a valid MIME type"));
    }
    match data["data"].as_str().is_some_and(|text| !text.is_empty() && base64(text)) {
        true => Ok(()),
        false => Err(Failure::bad(format!(
            "Invalid value at '{at}.inline_data.data' (TYPE_BYTES), Base64 decoding failed"
        ))),
    }
}

/// Protobuf's JSON takes both alphabets, padded or not.
fn base64(text: &str) -> bool {
    let plain = text.trim_end_matches('=');
    plain.len() % 4 != 1 && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(&b))
}

fn named(value: &Value, at: &str, kind: &str) -> Result<(), Failure> {
    match text_of(value, "name") {
        "" => Err(fault(&format!("{at}.{kind}.name"), "Name cannot be empty.")),
        _ => Ok(()),
    }
}

fn structured(value: &Value, at: &str) -> Result<(), Failure> {
    match value {
        Value::Null | Value::Object(_) => Ok(()),
        _ => Err(Failure::bad(format!(
            "Invalid value at '{at}' (type.googleapis.com/google.protobuf.Struct), {value}"
        ))),
    }
}

/// The names of the calls or responses of a turn, in order.
fn names<'a>(content: &'a Value, kind: &str) -> Vec<&'a str> {
    let found = list(content, "parts").iter().map(|part| member(part, kind)).filter(|v| !v.is_null());
    found.map(|v| text_of(v, "name")).collect()
}

/// A turn with calls follows a user's turn, and a turn with as many responses follows it.
fn calls_meet(contents: &[Value]) -> Result<(), Failure> {
    let mut open: Vec<&str> = Vec::new();
    let mut before = "";
    for content in contents {
        let (calls, responses) = (names(content, "functionCall"), names(content, "functionResponse"));
        if responses.is_empty() && !open.is_empty()
            || (!responses.is_empty() && responses.len() != open.len())
        {
            let words = match open.is_empty() {
                true => {
                    "Please ensure that function response turn comes immediately after a function call turn."
                }
                false => {
                    "Please ensure that the number of function response parts is equal to the number of function call \
                     parts of the function call turn."
                }
            };
            return Err(Failure::bad(words));
        }
        if let Some(name) = responses.iter().find(|name| !open.contains(name)) {
            return Err(Failure::bad(format!(
                "The function response {name} answers no function call of the turn before."
            )));
        }
        if !calls.is_empty() && !matches!(before, "user" | "function") {
            let words = "Please ensure that function call turn comes immediately after a user turn or after a function \
                         response turn.";
            return Err(Failure::bad(words));
        }
        before = if text_of(content, "role") == "model" { "model" } else { "user" };
        open = calls;
    }
    match open.is_empty() {
        true => Ok(()),
        false => Err(Failure::bad(
            "Please ensure that the number of function response parts is equal to the number of function call parts \
             of the function call turn.",
        )),
    }
}

/// Gemini 3 wants back the signature of the first call of every step of the current turn; any Gemini refuses a
/// signature that is not its own.
fn signed(model: &str, contents: &[Value]) -> Result<(), Failure> {
    let asks = |content: &Value| {
        text_of(content, "role") != "model" && names(content, "functionResponse").is_empty()
    };
    let turn = contents.iter().rposition(asks).unwrap_or(0);
    for (n, content) in contents.iter().enumerate() {
        let mut first = true;
        for part in list(content, "parts") {
            let call = member(part, "functionCall");
            let signature = member(part, "thoughtSignature").as_str();
            let over = if call.is_null() { "" } else { text_of(call, "name") };
            if signature
                .is_some_and(|s| !s.starts_with("skip_thought_sig") && !signature_fits("gemini", over, s))
            {
                return Err(Failure::bad("Corrupted thought signature."));
            }
            if call.is_null() {
                continue;
            }
            if first && n > turn && signature.is_none() && model.starts_with("gemini-3") {
                let words = format!(
                    "Function call is missing a thought_signature in functionCall parts. This is required for tools \
                     to work correctly, and missing thought_signature may lead to degraded model performance. \
                     Additional data, function call `default_api:{over}` , position {n}. Please refer to \
                     https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
                );
                return Err(Failure::bad(words));
            }
            first = false;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::check::check;
    use super::*;

    fn said(model: &str, members: Value) -> Option<String> {
        let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
        for (key, value) in members.as_object().unwrap() {
            body[key] = value.clone();
        }
        check(model, &body).err().map(|f| f.message)
    }

    #[test]
    fn gemini_refuses_what_it_does_not_know_or_allow() {
        let user = json!({"role": "user", "parts": [{"text": "hi"}]});
        let call = json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]});
        let result =
            json!({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"a": 1}}}]});
        let two = json!({"role": "user", "parts": [result["parts"][0], result["parts"][0]]});
        let config = |value: Value| json!({"generationConfig": value});
        let function = |schema: Value| json!({"tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]});
        let cases = [
            (json!({"foo": 1}), "Unknown name \"foo\": Cannot find field."),
            (config(json!({"max_tokens": 1})), "Unknown name \"max_tokens\" at 'generation_config'"),
            (
                function(json!({"type": "object", "additionalProperties": false})),
                "at 'tools[0].function_declarations[0].parameters'",
            ),
            (
                function(json!({"type": "object", "properties": {"a": {"const": 1}}})),
                "parameters.properties[0].value'",
            ),
            (function(json!({"type": "array"})), "items: missing field"),
            (config(json!({"temperature": 2.5})), "temperature must be in the range [0.0, 2.0]."),
            (config(json!({"seed": 3_000_000_000_u64})), "(TYPE_INT32), 3000000000"),
            (config(json!({"stopSequences": "a"})), "stop_sequences"),
            (config(json!({"candidateCount": 9})), "candidate_count"),
            (config(json!({"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "low"}})), "only one of"),
            (config(json!({"thinkingConfig": {"thinkingLevel": "low"}})), "not supported for this model"),
            (config(json!({"responseSchema": {"type": "STRING"}})), "response_mime_type"),
            (
                json!({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}),
                "without function_declarations",
            ),
            (json!({"contents": []}), "contents is not specified"),
            (json!({"contents": [{"role": "assistant", "parts": [{"text": ""}]}]}), "valid role"),
            (json!({"contents": [{"role": "user", "parts": []}]}), "contents.parts must not be empty"),
            (json!({"contents": [{"role": "user", "parts": [{}]}]}), "required oneof field 'data'"),
            (json!({"contents": [user, call]}), "number of function response parts"),
            (json!({"contents": [user, call, two]}), "number of function response parts"),
            (json!({"contents": [user, call, user]}), "number of function response parts"),
            (json!({"contents": [result]}), "immediately after a function call turn"),
            (json!({"contents": [call, result]}), "immediately after a user turn"),
            (
                json!({"contents": [user, call, {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": "x"}}]}]}),
                "google.protobuf.Struct",
            ),
        ];
        for (members, words) in cases {
            let message = said("gemini-2.5-flash", members.clone()).unwrap_or_default();
            assert!(message.contains(words), "{members}: {message}");
        }
    }

    #[test]
    fn gemini_3_wants_its_signatures_back() {
        let conversation = |signature: Value| {
            json!({"contents": [
                {"role": "user", "parts": [{"text": "hi"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": signature},
                                            {"functionCall": {"name": "f", "args": {}}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}, {"functionResponse": {"name": "f", "response": {}}}]},
            ]})
        };
        let own = crate::ids::signature("gemini", "f");
        let foreign = crate::ids::signature("anthropic", "f");
        assert_eq!(said("gemini-3-pro-preview", conversation(json!(own))), None);
        assert_eq!(
            said("gemini-3-pro-preview", conversation(json!("skip_thought_signature_validator"))),
            None
        );
        assert_eq!(said("gemini-2.5-pro", conversation(Value::Null)), None);
        assert!(
            said("gemini-3-pro-preview", conversation(Value::Null))
                .unwrap()
                .contains("missing a thought_signature")
        );
        assert!(said("gemini-2.5-pro", conversation(json!(foreign))).unwrap().contains("Corrupted"));
    }

    #[test]
    fn names_may_be_camel_or_snake() {
        assert_eq!(
            said(
                "m",
                json!({"generation_config": {"max_output_tokens": 5}, "systemInstruction": {"parts": [{"text": "a"}]}})
            ),
            None
        );
    }
}

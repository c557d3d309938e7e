//! Embeddings: texts that share words are near each other, and each provider is as strict as the real one.
use serde_json::{Value, json};

use crate::answer::tokens;
use crate::ask::text_of;
use crate::failure::Failure;
use crate::route::Dialect;

/// How many numbers a vector has if nobody says.
const DIMENSIONS: usize = 64;

/// An answer, and how many tokens the input had.
pub struct Embedded {
    pub body: String,
    pub tokens: u64,
}

/// Answers a request, or says why not. `strict` if its shape is checked.
pub fn embed(
    dialect: Dialect,
    provider: &str,
    model: &str,
    body: &Value,
    strict: bool,
) -> Result<Embedded, Failure> {
    match dialect {
        Dialect::OpenAi => openai(provider, model, body, strict),
        Dialect::Gemini => gemini(model, body, strict),
        Dialect::Anthropic => Err(Failure::of(crate::failure::Kind::NotFound)),
    }
}

fn openai(provider: &str, model: &str, body: &Value, strict: bool) -> Result<Embedded, Failure> {
    let (known, base64): (&[&str], bool) = match provider {
        "deepseek" | "moonshot" | "cerebras" => {
            return Err(Failure::of(crate::failure::Kind::NotFound));
        }
        "mistral" => {
            (&["model", "input", "metadata", "output_dimension", "output_dtype", "encoding_format"], true)
        }
        "groq" => (&["model", "input", "encoding_format", "user"], true),
        "qwen" | "together" | "fireworks" => (&["model", "input", "dimensions", "encoding_format"], false),
        _ => (&["model", "input", "dimensions", "encoding_format", "user"], true),
    };
    let members = body.as_object().ok_or_else(|| Failure::bad("The body is not an object."))?;
    if let Some(unknown) = members.keys().find(|key| !known.contains(&key.as_str())).filter(|_| strict) {
        return Err(Failure::bad(format!("Unrecognized request argument supplied: {unknown}")));
    }
    let in_base64 = match text_of(body, "encoding_format") {
        "" | "float" => false,
        "base64" if base64 => true,
        other => return Err(Failure::bad(format!("'{other}' is not one of ['float'] - 'encoding_format'"))),
    };
    let dimensions = dimensions(body.get("dimensions").or_else(|| body.get("output_dimension")))?;
    let input = body.get("input").unwrap_or(&Value::Null);
    let takes_tokens = matches!(provider, "openai" | "azure" | "openrouter" | "vllm" | "compatible");
    let in_tokens = |first: &Value| first.is_number() || first.is_array();
    if strict && !takes_tokens && input.get(0).is_some_and(in_tokens) {
        return Err(Failure::bad("Input should be a valid string"));
    }
    let inputs = inputs(input)?;
    if strict && provider == "qwen" && inputs.len() > 10 {
        let message = "<400> InternalError.Algo.InvalidParameter: Value error, batch size is invalid, it should not be larger than 10.: input.contents";
        return Err(Failure::bad(message));
    }
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, (text, _))| {
            let vector = vector(text, dimensions);
            let embedding = if in_base64 { json!(base64_of(&vector)) } else { json!(vector) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens = inputs.iter().map(|(_, tokens)| tokens).sum();
    let body = json!({
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    });
    Ok(Embedded { body: body.to_string(), tokens })
}

/// `batchEmbedContents`, which tells no usage.
fn gemini(model: &str, body: &Value, strict: bool) -> Result<Embedded, Failure> {
    let requests = body.get("requests").and_then(Value::as_array).filter(|requests| !requests.is_empty());
    let requests =
        requests.ok_or_else(|| Failure::bad("* BatchEmbedContentsRequest.requests: must not be empty"))?;
    if requests.len() > 100 {
        let message = "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch";
        return Err(Failure::bad(message));
    }
    let (mut embeddings, mut all) = (Vec::new(), 0);
    for request in requests {
        let known = ["model", "content", "taskType", "title", "outputDimensionality"];
        let members = request.as_object().ok_or_else(|| Failure::bad("Invalid JSON payload received."))?;
        if let Some(unknown) = members.keys().find(|key| !known.contains(&key.as_str())).filter(|_| strict) {
            return Err(Failure::bad(format!(
                "Invalid JSON payload received. Unknown name \"{unknown}\" at 'requests[0]'"
            )));
        }
        if strict && text_of(request, "model") != format!("models/{model}") {
            return Err(Failure::bad(
                "* BatchEmbedContentsRequest.requests[0].model: the model of all requests must match",
            ));
        }
        let text =
            request.pointer("/content/parts/0/text").and_then(Value::as_str).filter(|text| !text.is_empty());
        let text =
            text.ok_or_else(|| Failure::bad("* EmbedContentRequest.content: contents is not specified"))?;
        let vector = vector(text, dimensions(request.get("outputDimensionality"))?);
        embeddings.push(json!({"values": vector}));
        all += tokens(text);
    }
    Ok(Embedded { body: format!("{:#}\n", json!({"embeddings": embeddings})), tokens: all })
}

fn dimensions(value: Option<&Value>) -> Result<usize, Failure> {
    let Some(value) = value else { return Ok(DIMENSIONS) };
    let dimensions = value.as_u64().filter(|n| (1..=4096).contains(n));
    dimensions.map(|n| n as usize).ok_or_else(|| Failure::bad("Invalid value for 'dimensions'."))
}

/// Each input, and how many tokens it has. A list of tokens is a text of their numbers.
fn inputs(value: &Value) -> Result<Vec<(String, u64)>, Failure> {
    let bad = || {
        Failure::bad("'$.input' is invalid. Please check the API reference.").about("input", "invalid_input")
    };
    let list = |value: &Value| -> Option<(String, u64)> {
        let numbers: Vec<u64> = value.as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?;
        let text = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
        (!numbers.is_empty()).then_some((text, numbers.len() as u64))
    };
    let text = |value: &Value| value.as_str().filter(|t| !t.is_empty()).map(|t| (t.to_owned(), tokens(t)));
    let inputs = match value {
        Value::String(_) => vec![text(value).ok_or_else(bad)?],
        Value::Array(items) if items.first().is_some_and(Value::is_number) => {
            vec![list(value).ok_or_else(bad)?]
        }
        Value::Array(items) => items
            .iter()
            .map(|item| text(item).or_else(|| list(item)).ok_or_else(bad))
            .collect::<Result<_, _>>()?,
        _ => return Err(bad()),
    };
    if inputs.is_empty() || inputs.len() > 2048 { Err(bad()) } else { Ok(inputs) }
}

/// The words of a text, each hashed to a place, as a vector of length 1.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut numbers = vec![0.0_f64; dimensions];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = word.to_lowercase().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        numbers[(hash % dimensions as u64) as usize] += 1.0;
    }
    let length = numbers.iter().map(|n| n * n).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    numbers.iter().map(|number| (number / length) as f32).collect()
}

fn base64_of(vector: &[f32]) -> String {
    use base64::Engine;
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        vector(a, 256).iter().zip(vector(b, 256)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn texts_that_share_words_are_near() {
        assert!(cosine("How do I bake bread?", "how do i bake bread") > 0.999);
        assert!(cosine("How do I bake bread at home?", "How do I bake a cake at home?") > 0.7);
        assert!(cosine("How do I bake bread?", "Who won the match") < 0.5);
    }

    #[test]
    fn each_provider_has_its_own_form() {
        let body = json!({"model": "m", "input": ["a b", "c"], "encoding_format": "base64"});
        let answer =
            |dialect, provider, body: &Value| embed(dialect, provider, "m", body, true).map(|e| e.body);
        let openai: Value = serde_json::from_str(&answer(Dialect::OpenAi, "openai", &body).unwrap()).unwrap();
        assert!(
            openai["data"][1]["embedding"].is_string() && openai["usage"]["prompt_tokens"].as_u64() > Some(1)
        );
        assert!(answer(Dialect::OpenAi, "qwen", &body).is_err());
        assert!(answer(Dialect::OpenAi, "deepseek", &body).is_err());
        assert!(answer(Dialect::OpenAi, "groq", &body).is_ok());
        let few = |count: usize| json!({"model": "m", "input": vec!["a"; count]});
        assert!(answer(Dialect::OpenAi, "qwen", &few(10)).is_ok());
        assert!(answer(Dialect::OpenAi, "qwen", &few(11)).is_err());
        let ids = json!({"model": "m", "input": [[1, 2], [3]]});
        assert!(answer(Dialect::OpenAi, "openai", &ids).is_ok());
        assert!(answer(Dialect::OpenAi, "mistral", &ids).is_err());
        assert!(
            answer(Dialect::OpenAi, "mistral", &json!({"model": "m", "input": "a", "user": "u"})).is_err()
        );
        let request = json!({"model": "models/m", "content": {"parts": [{"text": "a"}]}});
        let gemini: Value = serde_json::from_str(
            &answer(Dialect::Gemini, "gemini", &json!({"requests": [request]})).unwrap(),
        )
        .unwrap();
        assert_eq!(gemini["embeddings"][0]["values"].as_array().map(Vec::len), Some(DIMENSIONS));
    }
}

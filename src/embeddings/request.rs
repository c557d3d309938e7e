//! A client's request for embeddings. <https://platform.openai.com/docs/api-reference/embeddings/create>

use super::Encoding;
use crate::chat::Reader;
use crate::error::ApiError;
use crate::json::{Kind, Text, Value};

/// A checked view of the client's body.
#[derive(Debug)]
pub struct Request<'d> {
    /// The model, as the client calls it.
    pub model: Text<'d>,
    /// What vectors are asked of.
    pub input: Input<'d>,
    /// How many numbers a vector shall have.
    pub dimensions: Option<u64>,
    /// The form of the vectors.
    pub encoding: Encoding,
    /// The body.
    pub value: Value<'d>,
}

/// What vectors are asked of.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<'d> {
    /// A vector of each text.
    Texts(Vec<Text<'d>>),
    /// A vector of each list of tokens, which only the model knows that they are for.
    Tokens {
        /// How many lists there are.
        lists: usize,
        /// How many tokens are in all of them.
        tokens: u64,
    },
}

/// OpenAI takes no more in one request.
const MOST_INPUTS: usize = 2048;
const EXPECTED: &str = "a string, an array of strings, an array of token ids or an array of such arrays";

impl<'d> Request<'d> {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 `invalid_request_error` that names the first member that is not what it should be.
    pub fn read(value: Value<'d>) -> Result<Self, ApiError> {
        let at = Reader::of_body(value)?;
        Ok(Self {
            model: at.model()?,
            input: input(&at)?,
            dimensions: at.integer("dimensions", 1, None)?,
            encoding: encoding(&at)?,
            value,
        })
    }

    /// How many vectors are asked for.
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.input {
            Input::Texts(texts) => texts.len(),
            Input::Tokens { lists, .. } => *lists,
        }
    }
}

fn input<'d>(at: &Reader<'d, '_>) -> Result<Input<'d>, ApiError> {
    let value = at.value("input").ok_or_else(|| at.missing("input"))?;
    let wrong = |found: Value<'_>| at.expected("input", EXPECTED, found.kind());
    let input = match value.kind() {
        Kind::String => Input::Texts(value.text().into_iter().collect()),
        Kind::Array => match value.items().next().map(Value::kind) {
            None => return Err(at.wrong("input", "expected at least one input, found an empty array")),
            Some(Kind::String) => {
                let texts = value.items().map(|item| item.text().ok_or_else(|| wrong(item)));
                Input::Texts(texts.collect::<Result<_, _>>()?)
            }
            Some(Kind::Number) => Input::Tokens { lists: 1, tokens: tokens(at, value)? },
            Some(_) => {
                let each = value.items().map(|list| tokens(at, list));
                let all = each.collect::<Result<Vec<_>, _>>()?;
                Input::Tokens {
                    lists: all.len(),
                    tokens: all.iter().fold(0, |sum, n| sum.saturating_add(*n)),
                }
            }
        },
        _ => return Err(wrong(value)),
    };
    if let Input::Texts(texts) = &input
        && texts.iter().any(Text::is_empty)
    {
        return Err(at.wrong("input", "an input is an empty string"));
    }
    let count = if let Input::Texts(texts) = &input { texts.len() } else { value.items().count() };
    match count > MOST_INPUTS && !matches!(input, Input::Tokens { lists: 1, .. }) {
        true => Err(at.wrong("input", format!("expected at most {MOST_INPUTS} inputs, found {count}"))),
        false => Ok(input),
    }
}

/// How many tokens are in a list of them.
fn tokens(at: &Reader<'_, '_>, list: Value<'_>) -> Result<u64, ApiError> {
    if list.kind() != Kind::Array {
        return Err(at.expected("input", EXPECTED, list.kind()));
    }
    let mut count = 0_u64;
    for token in list.items() {
        if token.u64().is_none() {
            let found = String::from_utf8_lossy(token.raw().get(..32).unwrap_or(token.raw())).into_owned();
            return Err(at.wrong("input", format!("expected token ids, found {found}")));
        }
        count = count.saturating_add(1);
    }
    match count {
        0 => Err(at.wrong("input", "a list of tokens is empty")),
        count => Ok(count),
    }
}

fn encoding(at: &Reader<'_, '_>) -> Result<Encoding, ApiError> {
    match at.text("encoding_format")? {
        None => Ok(Encoding::Float),
        Some(word) if word == "float" => Ok(Encoding::Float),
        Some(word) if word == "base64" => Ok(Encoding::Base64),
        Some(word) => {
            let found = word.decode();
            Err(at.wrong("encoding_format", format!("expected 'float' or 'base64', found '{found}'")))
        }
    }
}

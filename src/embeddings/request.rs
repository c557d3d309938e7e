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
        at.text("user")?;
        Ok(Self {
            model: at.model()?,
            input: input(&at)?,
            dimensions: at.integer("dimensions", 1, None)?,
            encoding: encoding(&at)?,
            value,
        })
    }
}

impl Input<'_> {
    /// How many vectors are asked for.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Input::Texts(texts) => texts.len(),
            Input::Tokens { lists, .. } => *lists,
        }
    }
}

fn input<'d>(at: &Reader<'d, '_>) -> Result<Input<'d>, ApiError> {
    let value = at.value("input").ok_or_else(|| at.missing("input"))?;
    let itself = || "input".to_owned();
    let item = |index: usize| move || format!("input[{index}]");
    let input = match (value.kind(), value.items().next().map(Value::kind)) {
        (Kind::String, _) => Input::Texts(vec![text(at, value, &itself)?]),
        (Kind::Array, None) => {
            return Err(at.wrong("input", "expected at least one input, found an empty array"));
        }
        (Kind::Array, Some(Kind::String)) => {
            let texts = value.items().enumerate().map(|(index, each)| text(at, each, &item(index)));
            Input::Texts(texts.collect::<Result<_, _>>()?)
        }
        (Kind::Array, Some(Kind::Number)) => Input::Tokens { lists: 1, tokens: tokens(at, value, &itself)? },
        (Kind::Array, Some(Kind::Array)) => {
            let (mut lists, mut all) = (0_usize, 0_u64);
            for (index, list) in value.items().enumerate() {
                lists = index.saturating_add(1);
                all = all.saturating_add(tokens(at, list, &item(index))?);
            }
            Input::Tokens { lists, tokens: all }
        }
        (Kind::Array, Some(found)) => {
            return Err(at.expected(&item(0)(), "a string, a token id or an array of token ids", found));
        }
        (found, _) => return Err(at.expected("input", EXPECTED, found)),
    };
    match input.count() {
        count if count > MOST_INPUTS => {
            Err(at.wrong("input", format!("expected at most {MOST_INPUTS} inputs, found {count}")))
        }
        _ => Ok(input),
    }
}

/// The text that a value is; `place` is where it stands.
fn text<'d>(at: &Reader<'_, '_>, value: Value<'d>, place: &dyn Fn() -> String) -> Result<Text<'d>, ApiError> {
    match value.text() {
        None => Err(at.expected(&place(), "a string", value.kind())),
        Some(text) if text.is_empty() => Err(at.wrong(&place(), "an input is an empty string")),
        Some(text) => Ok(text),
    }
}

/// How many tokens are in a list of them, which stands at `place`.
fn tokens(at: &Reader<'_, '_>, list: Value<'_>, place: &dyn Fn() -> String) -> Result<u64, ApiError> {
    if list.kind() != Kind::Array {
        return Err(at.expected(&place(), "an array of token ids", list.kind()));
    }
    let mut count = 0_u64;
    for token in list.items() {
        if token.u64().is_none() {
            let found = String::from_utf8_lossy(token.raw().get(..32).unwrap_or(token.raw())).into_owned();
            return Err(
                at.wrong(&format!("{}[{count}]", place()), format!("expected a token id, found {found}"))
            );
        }
        count = count.saturating_add(1);
    }
    match count {
        0 => Err(at.wrong(&place(), "a list of tokens is empty")),
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

//! What a request asks, whichever dialect said it.
use std::collections::BTreeMap;

use serde_json::Value;

/// A tool on offer.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The JSON schema of its arguments; none for a free-form tool.
    pub schema: Option<Value>,
}

/// Whether a tool has to be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// As the model likes.
    #[default]
    Auto,
    /// No tool.
    None,
    /// One of these; any, if the list is empty.
    Forced(Vec<String>),
}

/// The shape the answer's text must have.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Shape {
    /// Any.
    #[default]
    Free,
    /// Some JSON object.
    Object,
    /// JSON after this schema.
    Schema(Value),
}

/// A request, reduced to what the answer depends on.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// The model, without directives.
    pub model: String,
    /// Whether the body asks for a stream.
    pub stream: bool,
    /// The text of the last user turn.
    pub last_user: String,
    /// The results of the last turn's tool calls, if the conversation ends with such.
    pub tool_results: Vec<String>,
    /// How many parts of each kind other than text came.
    pub media: BTreeMap<&'static str, usize>,
    /// Tools on offer.
    pub tools: Vec<Tool>,
    /// Whether one must be called.
    pub choice: Choice,
    /// Whether several may be called at once.
    pub parallel: bool,
    /// The shape asked of the text.
    pub shape: Shape,
    /// Whether the model shall think.
    pub thinks: bool,
    /// Whether the thoughts shall be shown.
    pub shows_thoughts: bool,
    /// How many answers.
    pub candidates: usize,
    /// The bound on the answer.
    pub max_tokens: Option<u64>,
    /// Where to stop.
    pub stop: Vec<String>,
    /// OpenAI's `stream_options.include_usage`.
    pub include_usage: bool,
    /// OpenAI's `stream_options.include_obfuscation`.
    pub obfuscation: bool,
    /// OpenAI's old `functions` instead of `tools`.
    pub legacy_functions: bool,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
}

impl Ask {
    /// A plain question to a model.
    pub fn to(model: &str, body_bytes: usize) -> Ask {
        Ask {
            model: model.into(),
            parallel: true,
            candidates: 1,
            obfuscation: true,
            prompt_tokens: (body_bytes as u64 / 4).max(1),
            ..Ask::default()
        }
    }

    /// Counts a part that is not text.
    pub fn saw(&mut self, kind: &'static str) {
        *self.media.entry(kind).or_default() += 1;
    }
}

/// A string member, or the empty string.
pub fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The items of an array member; none if it is something else.
pub fn items_of<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

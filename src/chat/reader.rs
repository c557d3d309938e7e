//! Reads the members of an object of the request, each of the type it must have.
//!
//! Every error names the member and says what was expected and what was found.

use crate::error::ApiError;
use crate::json::{Kind, Text, Value};
use std::fmt;

/// An object of the request and the way to it, for errors that name their place.
pub(crate) struct Reader<'d, 'p> {
    value: Value<'d>,
    path: Path<'p>,
}

/// The way to a value; written out only for an error.
#[derive(Clone, Copy)]
pub(crate) enum Path<'p> {
    Body,
    Member(&'p Path<'p>, &'p str),
    Item(&'p Path<'p>, &'p str, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => Ok(()),
            Self::Member(Path::Body, key) => f.write_str(key),
            Self::Member(path, key) => write!(f, "{path}.{key}"),
            Self::Item(path, key, index) => write!(f, "{}[{index}]", Self::Member(path, key)),
        }
    }
}

impl<'d, 'p> Reader<'d, 'p> {
    /// The body of a request.
    pub fn of_body(value: Value<'d>) -> Result<Self, ApiError> {
        if value.kind() != Kind::Object {
            let found = value.kind().as_str();
            return Err(ApiError::invalid_request(format!("the body must be a JSON object, not {found}")));
        }
        Self::new(value, Path::Body)
    }

    /// The model that the body asks for.
    pub fn model(&self) -> Result<Text<'d>, ApiError> {
        let model = self.require_text("model")?;
        match model.is_blank() {
            true => Err(self.wrong("model", "expected the name of a model, found an empty string")),
            false => Ok(model),
        }
    }

    /// The value must be an object that names each of its members once.
    pub fn new(value: Value<'d>, path: Path<'p>) -> Result<Self, ApiError> {
        if value.kind() != Kind::Object {
            let message = format!("`{path}`: expected an object, found {}", value.kind().as_str());
            return Err(ApiError::invalid_param(path.to_string(), message));
        }
        let at = Self { value, path };
        match value.duplicate() {
            Some(key) => Err(at.wrong(&key.decode(), "the member stands twice in its object")),
            None => Ok(at),
        }
    }

    pub fn inner(&self) -> Value<'d> {
        self.value
    }

    pub fn path(&self) -> &Path<'p> {
        &self.path
    }

    /// A member that is there and not `null`.
    pub fn value(&self, key: &str) -> Option<Value<'d>> {
        self.value.get(key)
    }

    pub fn text(&self, key: &str) -> Result<Option<Text<'d>>, ApiError> {
        self.typed(key, "a string", Value::text)
    }

    pub fn require_text(&self, key: &str) -> Result<Text<'d>, ApiError> {
        self.text(key)?.ok_or_else(|| self.missing(key))
    }

    pub fn bool(&self, key: &str) -> Result<Option<bool>, ApiError> {
        self.typed(key, "a boolean", Value::bool)
    }

    pub fn array(&self, key: &str) -> Result<Option<Value<'d>>, ApiError> {
        self.typed(key, "an array", |value| Some(value).filter(|value| value.kind() == Kind::Array))
    }

    pub fn object<'k>(&'k self, key: &'k str) -> Result<Option<Reader<'d, 'k>>, ApiError> {
        self.value(key).map(|value| Reader::new(value, Path::Member(&self.path, key))).transpose()
    }

    pub fn number(&self, key: &str, least: f64, most: f64) -> Result<Option<f64>, ApiError> {
        let expected = || format!("a number from {least} to {most}");
        let Some(value) = self.value(key) else { return Ok(None) };
        let number = value.f64().ok_or_else(|| self.mistyped(key, &expected(), value))?;
        if (least..=most).contains(&number) {
            Ok(Some(number))
        } else {
            Err(self.wrong(key, format!("expected {}, found {number}", expected())))
        }
    }

    pub fn integer(&self, key: &str, least: u64, most: Option<u64>) -> Result<Option<u64>, ApiError> {
        let expected = || match most {
            Some(most) => format!("an integer from {least} to {most}"),
            None => format!("an integer of at least {least}"),
        };
        let Some(value) = self.value(key) else { return Ok(None) };
        let number = value.u64().ok_or_else(|| self.mistyped(key, &expected(), value))?;
        let fits = number >= least && most.is_none_or(|most| number <= most);
        if fits {
            Ok(Some(number))
        } else {
            Err(self.wrong(key, format!("expected {}, found {number}", expected())))
        }
    }

    pub fn missing(&self, key: &str) -> ApiError {
        let path = self.member(key);
        let message = format!("missing required parameter: `{path}`");
        ApiError::invalid_param(path, message).coded("missing_required_parameter")
    }

    pub fn expected(&self, key: &str, expected: &str, found: Kind) -> ApiError {
        self.wrong(key, format!("expected {expected}, found {}", found.as_str())).coded("invalid_type")
    }

    pub fn wrong(&self, key: &str, message: impl fmt::Display) -> ApiError {
        let path = self.member(key);
        let message = format!("`{path}`: {message}");
        ApiError::invalid_param(path, message).coded("invalid_value")
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(Value<'d>) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.mistyped(key, expected, value))
    }

    fn mistyped(&self, key: &str, expected: &str, found: Value<'_>) -> ApiError {
        if found.kind() != Kind::Number {
            return self.expected(key, expected, found.kind());
        }
        // A number of the wrong sort is shown: "found a number" would not explain it.
        let shown = String::from_utf8_lossy(found.raw().get(..32).unwrap_or(found.raw()));
        self.wrong(key, format!("expected {expected}, found {shown}")).coded("invalid_type")
    }

    fn member(&self, key: &str) -> String {
        Path::Member(&self.path, key).to_string()
    }
}

//! Reading members of a request with errors that say where, what was expected and what was found.

use crate::error::ApiError;
use crate::json::{Kind, Text, Value};

/// An object of the request and the way to it, for errors that name their place.
pub(super) struct Reader<'d> {
    value: Value<'d>,
    path: String,
}

impl<'d> Reader<'d> {
    /// The value must be an object that names each of its members once.
    pub fn new(value: Value<'d>, path: String) -> Result<Self, ApiError> {
        if value.kind() != Kind::Object {
            let message = format!("`{path}`: expected an object, found {}", value.kind().as_str());
            return Err(ApiError::invalid_param(path, message));
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

    pub fn path(&self) -> &str {
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

    pub fn object(&self, key: &str) -> Result<Option<Reader<'d>>, ApiError> {
        self.value(key).map(|value| Reader::new(value, self.member(key))).transpose()
    }

    pub fn number(&self, key: &str, least: f64, most: f64) -> Result<Option<f64>, ApiError> {
        let expected = format!("a number from {least} to {most}");
        let Some(number) = self.typed(key, &expected, Value::f64)? else { return Ok(None) };
        if (least..=most).contains(&number) {
            Ok(Some(number))
        } else {
            Err(self.wrong(key, format!("expected {expected}, found {number}")))
        }
    }

    pub fn integer(&self, key: &str, least: u64, most: Option<u64>) -> Result<Option<u64>, ApiError> {
        let expected = match most {
            Some(most) => format!("an integer from {least} to {most}"),
            None => format!("an integer of at least {least}"),
        };
        let Some(number) = self.typed(key, &expected, Value::u64)? else { return Ok(None) };
        let fits = number >= least && most.is_none_or(|most| number <= most);
        if fits {
            Ok(Some(number))
        } else {
            Err(self.wrong(key, format!("expected {expected}, found {number}")))
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

    pub fn wrong(&self, key: &str, message: impl std::fmt::Display) -> ApiError {
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
        read(value).map(Some).ok_or_else(|| {
            // A number of the wrong sort is shown: "found a number" would not explain it.
            let shown =
                String::from_utf8_lossy(value.raw().get(..value.raw().len().min(32)).unwrap_or_default());
            match value.kind() {
                Kind::Number => {
                    self.wrong(key, format!("expected {expected}, found {shown}")).coded("invalid_type")
                }
                kind => self.expected(key, expected, kind),
            }
        })
    }

    fn member(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }
}

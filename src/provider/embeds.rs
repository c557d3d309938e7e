//! What providers make embeddings of, as data.

use super::Target;
use crate::embeddings::{Input, Request};
use crate::error::ApiError;

/// What of a request for embeddings a provider knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Embeds {
    /// What `dimensions` is called; none where nobody can choose how long a vector is.
    pub dimensions: Option<&'static str>,
    /// Whether it can be asked for base64; if not, numbers always come.
    pub encoding_format: bool,
    /// Whether it may be told `user`.
    pub user: bool,
    /// Whether it takes token ids. To clients of OpenAI's API they are those of OpenAI's tokenizer, and mean other words to
    /// another's models.
    pub tokens: bool,
    /// How many inputs it takes in one request, by what a model's name begins with: the first that fits holds. Of other models
    /// nothing is known.
    pub most_inputs: &'static [(&'static str, usize)],
}

impl Embeds {
    /// Whether the target can be asked for these.
    ///
    /// # Errors
    /// 400 `unsupported_parameter` that says what it does not take.
    pub fn fits(&self, request: &Request<'_>, target: Target<'_>) -> Result<(), ApiError> {
        let model = target.model;
        let refused = |param, what: String| Err(ApiError::unsupported(param, format!("`{param}`: {what}")));
        if !self.tokens && matches!(request.input, Input::Tokens { .. }) {
            return refused("input", format!("'{model}' makes embeddings of texts only, not of token ids"));
        }
        let most = self.most_inputs.iter().find(|(start, _)| model.starts_with(start));
        let found = request.input.count();
        if let Some((_, most)) = most.filter(|(_, most)| found > *most) {
            let what = format!("'{model}' takes at most {most} inputs in one request, found {found}");
            return refused("input", what);
        }
        if self.dimensions.is_none() && request.dimensions.is_some() {
            return refused("dimensions", format!("the embeddings of '{model}' have a length of their own"));
        }
        Ok(())
    }
}

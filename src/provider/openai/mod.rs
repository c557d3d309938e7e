//! OpenAI's dialect and those who claim to speak it.
//!
//! What vendors do differently is data ([`quirks`]). On the way back no vendor is trusted: whatever
//! any of them was seen doing is understood from all of them.

mod answer;
mod calls;
mod choice;
mod embeddings;
mod error;
mod messages;
mod models;
pub mod quirks;
mod request;
mod stream;
mod usage;
mod vendors;

#[cfg(test)]
mod tests;

pub(super) use embeddings::read as embedded;
pub use quirks::Quirks;

use super::{Adapter, Embeds, Emit, Outgoing, StreamReader, Target};
use crate::chat::Request;
use crate::error::ApiError;
use crate::json::Value;
use quirks::Credential;

/// The adapter for a vendor of OpenAI's dialect.
#[derive(Clone, Copy, Debug)]
pub struct OpenAi(pub &'static Quirks);

impl Adapter for OpenAi {
    fn is_canonical(&self) -> bool {
        self.0.canonical
    }

    fn fits(&self, request: &Request<'_>, target: Target<'_>) -> Result<(), ApiError> {
        request::fits(self.0, request, target)
    }

    fn path(&self, _: Target<'_>, _: bool) -> String {
        "/chat/completions".to_string()
    }

    fn credential(&self, key: &str) -> (&'static str, String) {
        match self.0.credential {
            Credential::Bearer => ("authorization", format!("Bearer {key}")),
            Credential::ApiKey => ("api-key", key.to_string()),
        }
    }

    fn request(&self, request: &Request<'_>, target: Target<'_>) -> Result<Outgoing, ApiError> {
        self.fits(request, target)?;
        Ok(request::write(self.0, request, target))
    }

    fn answer(&self, body: Value<'_>, emit: Emit<'_>) {
        answer::read(body, emit);
    }

    fn stream(&self) -> Box<dyn StreamReader> {
        Box::<stream::Reader>::default()
    }

    fn embeds(&self) -> Option<&'static Embeds> {
        self.0.embeds.as_ref()
    }

    fn embeds_as_said(&self, request: &crate::embeddings::Request<'_>) -> bool {
        self.embeds().is_some_and(|embeds| embeddings::edits(embeds, request).is_empty())
    }

    fn embeddings(
        &self,
        text: &[u8],
        request: &crate::embeddings::Request<'_>,
        target: Target<'_>,
    ) -> Result<Outgoing, ApiError> {
        let embeds = self.fits_embeddings(request, target)?;
        Ok(embeddings::write(embeds, text, request, target))
    }

    fn error(&self, status: u16, body: &[u8]) -> ApiError {
        error::read(status, body)
    }
}

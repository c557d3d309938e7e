//! How is it said over there? One adapter per dialect, chosen by vendor.
//!
//! An adapter turns the canonical request into a provider's and the provider's answer into
//! canonical [`Event`]s. It never sees credentials, clocks or connections; it keeps no state but
//! that of one stream.

pub mod anthropic;
mod embeds;
mod error;
pub mod gemini;
pub mod openai;

pub use embeds::Embeds;

use crate::chat::{Event, Request, Usage};
use crate::config::Vendor;
use crate::embeddings::{self, Wanted};
use crate::error::ApiError;
use crate::json::Value;
use std::borrow::Cow;

/// The model a request is put to.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// The provider's own name of the model.
    pub model: &'t str,
    /// The most tokens it can answer with, where the catalog says.
    pub max_output_tokens: Option<u64>,
}

/// A request in a provider's words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outgoing {
    /// The body.
    pub body: Vec<u8>,
    /// Headers that this request needs beyond the fixed ones, as `anthropic-beta`.
    pub headers: Vec<(&'static str, String)>,
    /// Parameters that had to be left out and whose loss is harmless.
    pub dropped: Vec<Cow<'static, str>>,
}

impl Outgoing {
    /// What was left out, as one header value. The names may be the client's own, so that characters
    /// which have no place in a header, or would divide the list, are left out of them, and what
    /// would be too long is too.
    #[must_use]
    pub fn dropped_list(&self) -> String {
        const LONGEST: usize = 1024;
        let mut list = String::new();
        for name in &self.dropped {
            let name: String = name.chars().filter(|c| c.is_ascii_graphic() && *c != ',').collect();
            if name.is_empty() || list.len().saturating_add(name.len()) >= LONGEST {
                continue;
            }
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(&name);
        }
        list
    }
}

/// Takes the events of an answer.
pub type Emit<'e> = &'e mut dyn FnMut(Event<'_>);

/// One provider dialect. Its methods take what is to be sent or was received, whole.
pub trait Adapter {
    /// Whether the dialect is the canonical one to the letter, so that bodies can pass untouched in
    /// both directions.
    fn is_canonical(&self) -> bool {
        false
    }

    /// Whether the target can serve the request without breaking what it asks for.
    ///
    /// # Errors
    /// 400 `unsupported_parameter` naming the parameter that it cannot honour.
    fn fits(&self, request: &Request<'_>, target: Target<'_>) -> Result<(), ApiError>;

    /// The path below the provider's base URL, with its query, as `/messages`.
    fn path(&self, target: Target<'_>, stream: bool) -> String;

    /// The header that carries the provider's key.
    fn credential(&self, key: &str) -> (&'static str, String);

    /// Headers that every request to this provider has, as `anthropic-version`.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Says the request in the provider's words.
    ///
    /// # Errors
    /// As [`fits`](Self::fits), or 400 for what cannot be translated, as arguments that are not JSON.
    fn request(&self, request: &Request<'_>, target: Target<'_>) -> Result<Outgoing, ApiError>;

    /// Reads a whole answer of status 200.
    fn answer(&self, body: Value<'_>, emit: Emit<'_>);

    /// A reader for one streamed answer.
    fn stream(&self) -> Box<dyn StreamReader>;

    /// The path of embeddings below the provider's base URL.
    fn embeddings_path(&self, _target: Target<'_>) -> String {
        "/embeddings".to_string()
    }

    /// What it knows of embeddings, if it makes any.
    fn embeds(&self) -> Option<&'static Embeds> {
        None
    }

    /// Whether the client's words for these embeddings are the provider's to the letter, but for the model's name.
    fn embeds_as_said(&self, request: &embeddings::Request<'_>) -> bool {
        let _ = request;
        false
    }

    /// Whether the target can make these embeddings, and what it knows of them.
    ///
    /// # Errors
    /// 400 `unsupported_parameter` for what it cannot do, as any embeddings at all.
    fn fits_embeddings(
        &self,
        request: &embeddings::Request<'_>,
        target: Target<'_>,
    ) -> Result<&'static Embeds, ApiError> {
        let embeds = self.embeds().ok_or_else(|| no_embeddings(target))?;
        embeds.fits(request, target).map(|()| embeds)
    }

    /// Says a request for embeddings, whose text is `text`, in the provider's words.
    ///
    /// # Errors
    /// As [`fits_embeddings`](Self::fits_embeddings).
    fn embeddings(
        &self,
        text: &[u8],
        request: &embeddings::Request<'_>,
        target: Target<'_>,
    ) -> Result<Outgoing, ApiError> {
        let _ = text;
        self.fits_embeddings(request, target).map(|_| Outgoing::default())
    }

    /// Reads a whole answer of status 200 to such a request, whose text is `text`.
    ///
    /// # Errors
    /// 502 for what is no answer, or not the one that is wanted.
    fn embedded(
        &self,
        text: &[u8],
        answer: Value<'_>,
        wanted: Wanted,
        target: Target<'_>,
    ) -> Result<Vectors, ApiError> {
        let _ = target;
        openai::embedded(text, answer, wanted)
    }

    /// Reads the body of a status that is not 200; it may be anything, also empty or HTML.
    fn error(&self, status: u16, body: &[u8]) -> ApiError;
}

/// An answer to a request for embeddings.
#[derive(Debug, Default, PartialEq)]
pub struct Vectors {
    /// The body, where it is another than the provider's.
    pub body: Option<Vec<u8>>,
    /// What the provider says was used.
    pub usage: Option<Usage>,
}

fn no_vector() -> ApiError {
    ApiError::bad_answer("the provider sent an embedding that is no vector")
}

fn no_embeddings(target: Target<'_>) -> ApiError {
    let message = format!("`model`: the provider of '{}' makes no embeddings", target.model);
    ApiError::unsupported("model", message)
}

/// The adapter of a vendor.
#[must_use]
pub fn adapter(vendor: Vendor) -> &'static dyn Adapter {
    use openai::{OpenAi, quirks};
    match vendor {
        Vendor::Anthropic => &anthropic::Anthropic,
        Vendor::Gemini => &gemini::Gemini,
        Vendor::OpenAi => &OpenAi(&quirks::OPENAI),
        Vendor::Azure => &OpenAi(&quirks::AZURE),
        Vendor::DeepSeek => &OpenAi(&quirks::DEEPSEEK),
        Vendor::Mistral => &OpenAi(&quirks::MISTRAL),
        Vendor::Groq => &OpenAi(&quirks::GROQ),
        Vendor::Together => &OpenAi(&quirks::TOGETHER),
        Vendor::OpenRouter => &OpenAi(&quirks::OPENROUTER),
        Vendor::Xai => &OpenAi(&quirks::XAI),
        Vendor::Qwen => &OpenAi(&quirks::QWEN),
        Vendor::Moonshot => &OpenAi(&quirks::MOONSHOT),
        Vendor::Fireworks => &OpenAi(&quirks::FIREWORKS),
        Vendor::Cerebras => &OpenAi(&quirks::CEREBRAS),
        Vendor::Vllm => &OpenAi(&quirks::VLLM),
        Vendor::Ollama => &OpenAi(&quirks::OLLAMA),
        Vendor::Compatible => &OpenAi(&quirks::COMPATIBLE),
    }
}

/// Reads one streamed answer, event by event.
pub trait StreamReader {
    /// Reads one server-sent event. Data that makes no sense becomes [`Event::Error`].
    fn read(&mut self, name: &[u8], data: &[u8], emit: Emit<'_>);

    /// The stream is over; `stray` is what stood in it outside of any event.
    fn finish(&mut self, stray: &[u8], emit: Emit<'_>);
}

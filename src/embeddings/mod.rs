//! The canonical words of embeddings: OpenAI's request, and the vectors of an answer in either form.
//!
//! Clients ask for numbers or for base64 of them (OpenAI's own SDKs do), providers answer in what they know; [`Encoding`] is
//! what a vector is put into where the two differ.

mod answer;
mod encoding;
mod request;

pub use answer::{Wanted, write_usage};
pub use encoding::{Encoding, Vector};
pub use request::{Input, Request};

#[cfg(test)]
mod tests;

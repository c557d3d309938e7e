//! modelgate: a multi-model LLM gateway as one proxy-wasm filter for Envoy.
#![deny(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::todo,
    clippy::unimplemented,
    clippy::indexing_slicing,
    clippy::string_slice
)]

pub mod chat;
pub mod error;
pub mod json;
pub mod provider;
pub mod sse;

//! modelgate: a multi-model LLM gateway as one proxy-wasm filter for Envoy.
//!
//! The design is in `docs/architecture.md`. Modules look only downward: words (`base64`, `json`, `sse`,
//! `chance`, `chat`, `config`, `embeddings`, `error`, `fnv`, `money`, `names`, `plan`, `schema`, `store`, `time`), policy (`affinity`, `auth`, `bandit`, `cache`, `classify`, `cost`, `estimate`, `health`,
//! `observe`, `planning`, `route`, `rules`, `provider`, `quota`, `trim`), flow (`exchange`, `attempt`, `orchestrate`), host (`filter`); only `filter` knows Envoy.

// A panic traps the VM under every request of a worker, so nothing outside of tests may be able to.
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

pub mod affinity;
pub mod attempt;
pub mod auth;
pub mod bandit;
pub mod base64;
pub mod cache;
pub mod chat;
pub mod classify;
pub mod cost;
pub mod digest;
pub mod embeddings;
pub mod error;
pub mod estimate;
pub mod exchange;
pub mod filter;
pub mod health;
pub mod observe;
pub mod orchestrate;
pub mod plan;
pub mod provider;
pub mod quota;
pub mod route;
pub mod rules;
pub mod sse;
pub mod store;
pub mod trim;

pub use modelgate_config as config;
pub use modelgate_planning as planning;
pub use modelgate_schema as schema;
pub use modelgate_words::{chance, fnv, json, money, names, time};

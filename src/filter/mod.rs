//! The filter's roles in Envoy: the only module that knows proxy-wasm.
//!
//! Which role a context has is Envoy's `root_id`: `gateway` in the HTTP connection manager's chain,
//! `provider` in a provider cluster's upstream chain. `idle` does nothing, and is what the cost of
//! the rest is measured against.

mod abi;
mod books;
mod callers;
mod conduct;
mod exports;
mod fallback;
mod flights;
mod gateway;
mod held;
mod live;
mod logger;
mod metrics;
mod observe;
mod provider;
mod resume;
mod root;
mod roster;
mod settle;
mod token;
mod watcher;

pub use logger::start as start_logging;

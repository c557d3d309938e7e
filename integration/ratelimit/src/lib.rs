//! A rate limit service for Envoy (`envoy.service.ratelimit.v3`) that counts in Redis.
//!
//! The tests and the compose harness run it where the image of `envoyproxy/ratelimit` cannot be had. It reads that one's
//! configuration, keeps that one's counters (fixed windows, `INCRBY`, whatever the answer is), and knows nothing besides.

mod counters;
mod limits;
mod messages;
mod redis;
mod server;

pub use limits::{Limit, Limits, Unit};
pub use messages::{Descriptor, Entry};
pub use redis::Redis;
pub use server::{Server, listen};

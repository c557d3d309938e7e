//! Words that the configuration shares with everything else.

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

pub mod chance;
pub mod fnv;
pub mod json;
pub mod money;
pub mod names;
pub mod time;

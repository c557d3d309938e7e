//! Plans that models make for an agent: read, judged, and carried out step by step.
//!
//! [`Agent`] says whom to ask what, and is told what was said; who carries that over is `orchestrate`'s affair. A plan is text from
//! outside, whoever wrote it: it can only choose among the models and tools that the configuration lists for this agent. What steps
//! find is material for those who come after, and never decides what is asked of whom.

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

use modelgate_config as config;
use modelgate_words::{json, money};

use config::Price;
use money::NanoUsd;
use std::rc::Rc;

mod agent;
mod approval;
mod arguments;
mod plan;
mod prompts;
mod work;

pub use agent::{Agent, Do, Question, Whom};
pub use approval::{Opened, completion, open};

/// What the answer to a request may take, and what is known of the models that may be asked for it.
#[derive(Clone, Debug)]
pub struct Means {
    /// What it may cost.
    pub money: Option<NanoUsd>,
    /// How long it may take, in milliseconds.
    pub ms: u64,
    /// The models.
    pub models: Vec<Known>,
}

/// What is known of a model.
#[derive(Clone, Debug)]
pub struct Known {
    /// As it is asked for.
    pub name: Rc<str>,
    /// What it costs.
    pub price: Option<Price>,
    /// Nineteen of twenty of its answers are there after so many milliseconds.
    pub late_ms: Option<u32>,
}

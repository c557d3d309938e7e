//! What is told of a request when it is over: the facts that were gathered of it, as metrics.
//!
//! A [`Record`] is made when a request begins. Whoever finds something out notes it there, and nobody else touches a metric: when the
//! request has ended, [`Record::tell`] makes numbers of it. The names of models and the kinds of requests are OpenTelemetry's
//! (semantic conventions for generative AI); units are in the names, because Envoy's histograms hold whole numbers. Every label
//! has one of a bounded number of values: names are those of the configuration, never what a client or a provider has said.

mod board;
mod metrics;
mod pace;
mod record;
#[cfg(test)]
mod tests;

pub use board::{Board, Count, Row, Section};
pub use metrics::{ALL, CIRCUIT, FALLBACKS, Kind, LABELS, Metric};
pub use pace::Pace;
pub use record::{Ending, Outcome, Record, Tried};

/// What a number is of: the names of labels and their values; one that is empty is left out.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

/// Whoever is told: what is measured, of what, and the number.
pub type Tell<'t> = &'t mut dyn FnMut(&'static Metric, Labels<'_>, u64);

/// The kind of an error by the status that it is told with, for a label.
#[must_use]
pub fn kind_of(status: u16) -> &'static str {
    match status {
        401 => "unauthenticated",
        403 => "forbidden",
        404 => "not_found",
        408 | 504 => "timeout",
        413 => "too_large",
        429 => "rate_limited",
        400..=499 => "invalid_request",
        502 => "bad_answer",
        503 | 529 => "unavailable",
        0 => "no_response",
        _ => "server_error",
    }
}

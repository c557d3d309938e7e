//! How many tokens a text has, without the tokenizer that the provider uses.
//!
//! A request is reserved for before anyone has counted it, and a stream that was cut is charged by what was delivered of it.
//! So characters are counted by what sort they are ([`Tally`]), a request is told as so many tokens of each [`Kind`] of
//! content ([`Makeup`]), and for each model a [`Calibration`] learns from the usage that providers report how much more or
//! less it makes of each kind. `docs/cost.md` has the errors that were measured.

mod calibration;
mod makeup;
mod media;
mod pixels;
mod request;
mod script;
mod start;
mod tally;

pub use calibration::Calibration;
pub use makeup::{Kind, Makeup};
pub use start::Family;
pub use tally::Tally;

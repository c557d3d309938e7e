//! What must not be said: content rules, looked for in texts that come whole or in pieces.
//!
//! Every match counts, also one that overlaps another: what any of them covers is taken out, or the text is denied. So what comes
//! out hangs neither on an order in which matches are tried nor on where a text was cut, and one pass is enough. A text is
//! let go as soon as no match that has begun can reach it, and at the latest when it is a rule's window behind; a match that is
//! longer covers that much of its end.

mod arguments;
mod escapes;
mod run;
mod said;
mod screen;
#[cfg(test)]
mod tests;

pub use escapes::Escapes;
pub use run::finds;
pub use said::Said;
pub use screen::{Fired, Screen, Screened, names};

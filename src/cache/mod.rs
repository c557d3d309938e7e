//! Has this been answered before?
//!
//! An answer is kept under a [`Key`] made of everything that shapes it and of the scope it may be
//! seen in, so that no answer crosses a scope, whatever else goes wrong.

mod answers;
mod bytes;
mod canonical;
mod control;
mod directory;
mod entry;
mod flights;
mod key;
mod policy;
mod recorder;
pub mod semantic;

pub use answers::{Answers, Found};
pub use control::Control;
pub use entry::Entry;
pub use flights::Flights;
pub use key::{Key, Keys, Scope, Subject, question};
pub use policy::{Handling, Status, not_cached};
pub use recorder::{Origin, Recorder};

#[cfg(test)]
mod tests;

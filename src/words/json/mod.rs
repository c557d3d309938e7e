//! JSON as bytes that are scanned once, looked at in place and spliced.
//!
//! A gateway reads a few members of a body and passes the rest on, so nothing here copies or
//! decodes what nobody asked for: [`Document`] checks the whole text in one pass and keeps a flat
//! list of where things are; [`Text`] is the inside of a JSON string, still escaped, which can be
//! copied into another JSON string as it is; [`splice`] replaces spans and leaves every other byte.

mod document;
mod scan;
mod shape;
mod text;
mod value;
mod write;

pub use document::{Document, Error, Fault, Kind, MAX_DEPTH, Nodes, Surrogates};
pub use shape::{Fit, Shape};
pub use text::{Piece, Text, decode, pieces, unescape};
pub use value::Value;
pub use write::{Array, Edit, Object, array, number, object, omissions, removals, splice, string};

#[cfg(test)]
mod tests;

//! Where in an answer something is, and how that and what was found there are told.

use crate::json::{Kind, Text, Value};
use std::fmt;

/// Names and values are told up to so many characters.
const SHOWN: usize = 48;

/// The way to a value; written out only for what is told.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Member(&'p Path<'p>, &'p Text<'p>),
    Item(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// How many steps it has.
    pub fn depth(&self) -> usize {
        let (mut depth, mut at) = (0_usize, self);
        while let Path::Member(up, _) | Path::Item(up, _) = at {
            depth = depth.saturating_add(1);
            at = up;
        }
        depth
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(up, name) => {
                up.fmt(f)?;
                if !matches!(up, Path::Root) {
                    f.write_str(".")?;
                }
                Cut(name.as_bytes()).fmt(f)
            }
            Self::Item(up, index) => write!(f, "{up}[{index}]"),
        }
    }
}

/// A value as it is told: what it is, or a long one's beginning.
pub(super) struct Shown<'d>(pub Value<'d>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            kind @ (Kind::Array | Kind::Object) if self.0.raw().len() > SHOWN => f.write_str(kind.as_str()),
            _ => Cut(self.0.raw()).fmt(f),
        }
    }
}

/// A text, or a long one's beginning.
pub(super) struct Cut<'t>(pub &'t [u8]);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0);
        match text.char_indices().nth(SHOWN).and_then(|(end, _)| text.get(..end)) {
            Some(beginning) => write!(f, "{beginning}…"),
            None => f.write_str(&text),
        }
    }
}

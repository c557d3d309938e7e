//! The arguments of a call, against what the called function takes.

use super::{Schema, Undecided, Violation};
use crate::chat::{Tool, ToolKind};
use crate::json::{Document, Error, Kind, Surrogates, Text};

/// What is wrong with a call of a function by a model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Miscall {
    /// No function of that name is offered.
    Unknown,
    /// The arguments are not JSON.
    NotJson(Error),
    /// They are not what the function takes.
    Differs(Vec<Violation>),
    /// It cannot be said whether they are.
    Undecided(Undecided),
}

/// The schema of the arguments of the function of that name: none in it, if the function takes any object.
#[must_use]
pub fn parameters<'d>(tools: &[Tool<'d>], name: &Text<'_>) -> Option<Option<Schema<'d>>> {
    let is_named = |tool: &&Tool<'d>| tool.kind == ToolKind::Function && tool.name.means(name);
    tools.iter().find(is_named).map(|tool| tool.parameters.map(Schema::new))
}

/// Checks the arguments (JSON text, no longer escaped) of a call of one of `tools`. None at all are an empty object, as some models say it.
///
/// # Errors
/// What is wrong with the call.
pub fn arguments(tools: &[Tool<'_>], name: &Text<'_>, arguments: &[u8]) -> Result<(), Miscall> {
    let schema = parameters(tools, name).ok_or(Miscall::Unknown)?;
    let text = if arguments.trim_ascii().is_empty() { b"{}" } else { arguments };
    let document = Document::parse(text, Surrogates::Lone).map_err(Miscall::NotJson)?;
    let value = document.root();
    let mut violations = match schema {
        Some(schema) => schema.check(value).map_err(Miscall::Undecided)?,
        None => Vec::new(),
    };
    if value.kind() != Kind::Object && violations.is_empty() {
        violations.push(Violation::new("an object", value));
    }
    if violations.is_empty() { Ok(()) } else { Err(Miscall::Differs(violations)) }
}

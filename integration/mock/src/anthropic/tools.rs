//! What Anthropic refuses of tools and of the choice among them.
use serde_json::Value;

use super::check::only;
use crate::ask::{items_of, text_of};
use crate::failure::Failure;

/// Refuses tools and a choice among them as Anthropic would.
pub fn check(body: &Value) -> Result<(), Failure> {
    let mut names = Vec::new();
    for (n, tool) in items_of(body, "tools").iter().enumerate() {
        let name = text_of(tool, "name");
        if matches!(text_of(tool, "type"), "" | "custom") {
            let at = format!("tools.{n}.custom");
            let known = [
                "type",
                "name",
                "description",
                "input_schema",
                "cache_control",
                "strict",
                "defer_loading",
                "allowed_callers",
                "input_examples",
                "eager_input_streaming",
            ];
            only(tool, &known, &at)?;
            if name.is_empty() {
                return Err(Failure::bad(format!("{at}.name: Field required")));
            }
            if name.len() > 128 || name.chars().any(|c| !c.is_ascii_alphanumeric() && !"_-".contains(c)) {
                let words = format!("{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'");
                return Err(Failure::bad(words));
            }
            match tool.get("input_schema").map(|schema| &schema["type"]) {
                None => return Err(Failure::bad(format!("{at}.input_schema: Field required"))),
                Some(Value::Null) => {
                    return Err(Failure::bad(format!("{at}.input_schema.type: Field required")));
                }
                Some(kind) if kind == "object" => {}
                Some(_) => {
                    return Err(Failure::bad(format!("{at}.input_schema.type: Input should be 'object'")));
                }
            }
        }
        if names.contains(&name) {
            return Err(Failure::bad("tools: Tool names must be unique."));
        }
        names.push(name);
    }
    let Some(choice) = body.get("tool_choice") else { return Ok(()) };
    let kind = text_of(choice, "type");
    if names.is_empty() {
        return Err(Failure::bad("tool_choice: tool_choice may only be specified while providing tools."));
    }
    let known: &[&str] = match kind {
        "auto" | "any" => &["type", "disable_parallel_tool_use"],
        "tool" => &["type", "name", "disable_parallel_tool_use"],
        "none" => &["type"],
        other => {
            let words = format!(
                "tool_choice: Input tag '{other}' found using 'type' does not match any of the expected tags: 'any', \
                 'auto', 'none', 'tool'"
            );
            return Err(Failure::bad(words));
        }
    };
    only(choice, known, &format!("tool_choice.{kind}"))?;
    match kind == "tool" && !names.contains(&text_of(choice, "name")) {
        true => Err(Failure::bad(format!("Tool '{}' not found in provided tools", text_of(choice, "name")))),
        false => Ok(()),
    }
}

//! A request as a target gets it that serves it as a fallback: with what its configuration changes. Everything else passes byte
//! for byte.

use super::{Request, Role};
use crate::config::Edits;
use crate::json::{self, Edit, removals, splice};

/// What a request without its tools is told of them.
const INSTEAD: &str = "You cannot call functions. Where you would call one, respond with nothing but a JSON object that has its \
                       \"name\" and its \"arguments\", which match the schema of its parameters. The functions: ";

/// `request`, whose text is `body`, with what `edits` change.
///
/// Tools are only taken out of a request whose conversation has no calls yet: what was called could not be told otherwise.
#[must_use]
pub fn degraded(request: &Request<'_>, body: &[u8], edits: &Edits) -> Vec<u8> {
    let mut changes = Vec::new();
    let mut instructions: Vec<String> = edits.system.iter().map(|text| text.to_string()).collect();
    let is_called = request
        .messages
        .iter()
        .any(|message| !message.tool_calls.is_empty() || matches!(message.role, Role::Tool | Role::Function));
    if edits.strips_tools && !request.tools.is_empty() && !is_called {
        let goes = ["tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"];
        changes.extend(removals(request.value, |key| goes.iter().any(|word| *key == **word)));
        let tools: Vec<_> =
            request.tools.iter().map(|tool| String::from_utf8_lossy(tool.value.raw())).collect();
        instructions.push(format!("{INSTEAD}[{}]", tools.join(",")));
    }
    changes.extend(instructed(request, &instructions.join("\n\n")));
    if let Some(temperature) = &edits.temperature {
        changes.push(Edit::set(request.value, "temperature", temperature.as_bytes()));
    }
    if let Some(most) = edits.max_tokens.filter(|most| request.max_tokens.is_none_or(|asked| asked > *most)) {
        let legacy = request.get("max_tokens").is_some() && request.get("max_completion_tokens").is_none();
        let key = if legacy { "max_tokens" } else { "max_completion_tokens" };
        changes.push(Edit::set(request.value, key, most.to_string().as_bytes()));
    }
    if let Some(effort) = &edits.reasoning_effort {
        let mut word = Vec::new();
        json::string(&mut word, effort);
        changes.push(Edit::set(request.value, "reasoning_effort", &word));
    }
    splice(body, changes)
}

/// Adds a system message after those that the conversation begins with.
fn instructed(request: &Request<'_>, instruction: &str) -> Option<Edit> {
    let instructs = |role: Role| matches!(role, Role::System | Role::Developer);
    let place = request.messages.iter().take_while(|message| instructs(message.role)).count();
    let messages = request.get("messages").filter(|_| !instruction.is_empty())?;
    let mut with = Vec::new();
    json::object(&mut with, |message| {
        message.string("role", "system");
        message.string("content", instruction);
    });
    match messages.items().nth(place) {
        Some(next) => {
            with.push(b',');
            with.extend_from_slice(next.raw());
            Some(Edit::replace(next, with))
        }
        None => {
            let last = messages.items().last()?;
            Some(Edit::replace(last, [last.raw(), b",", &with].concat()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Document, Surrogates};
    use serde_json::{Value, json};

    fn made(body: &Value, edits: &Edits) -> Value {
        // With white space that has to pass as it is.
        let body = serde_json::to_vec_pretty(body).unwrap();
        let document = Document::parse(&body, Surrogates::Paired).unwrap();
        let request = Request::read(document.root()).unwrap();
        let degraded = degraded(&request, &body, edits);
        let document = Document::parse(&degraded, Surrogates::Paired).unwrap();
        Request::read(document.root()).unwrap();
        serde_json::from_slice(&degraded).unwrap()
    }

    fn user(text: &str) -> Value {
        json!({"role": "user", "content": text})
    }

    #[test]
    fn what_is_configured_is_changed_and_nothing_else() {
        let all = Edits {
            system: Some("Be brief.".into()),
            temperature: Some("0.2".into()),
            max_tokens: Some(100),
            reasoning_effort: Some("low".into()),
            strips_tools: false,
        };
        let system = json!({"role": "system", "content": "Be brief."});
        let first = json!({"role": "system", "content": "You are a pirate."});
        for (before, after) in [
            (
                json!({"model": "m", "messages": [user("hi")]}),
                json!({"model": "m", "messages": [system, user("hi")], "temperature": 0.2, "max_completion_tokens": 100, "reasoning_effort": "low"}),
            ),
            (
                json!({"model": "m", "messages": [first, user("hi")], "max_tokens": 500, "temperature": 1, "seed": 7}),
                json!({"model": "m", "messages": [first, system, user("hi")], "max_tokens": 100, "temperature": 0.2, "seed": 7, "reasoning_effort": "low"}),
            ),
            (
                json!({"model": "m", "messages": [first], "max_completion_tokens": 50, "reasoning_effort": "high"}),
                json!({"model": "m", "messages": [first, system], "max_completion_tokens": 50, "temperature": 0.2, "reasoning_effort": "low"}),
            ),
        ] {
            assert_eq!(made(&before, &all), after, "{before}");
            assert_eq!(made(&before, &Edits::default()), before);
        }
    }

    #[test]
    fn tools_become_an_instruction_unless_some_were_called() {
        let strip = Edits { strips_tools: true, ..Edits::default() };
        let tool =
            json!({"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}});
        let request = json!({"model": "m", "messages": [user("hi")], "tools": [tool], "tool_choice": "auto", "parallel_tool_calls": true});
        let made = made(&request, &strip);
        let keys: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["model", "messages"]);
        let said = made["messages"][0]["content"].as_str().unwrap();
        assert!(said.contains("nothing but a JSON object") && said.contains(r#""name": "look""#), "{said}");
        let called = json!({"model": "m", "tools": [tool], "messages": [
            user("hi"),
            {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "seen"},
        ]});
        assert_eq!(self::made(&called, &strip), called);
    }
}

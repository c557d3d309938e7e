//! The form that a request asks its answer to have, and whether an answer has it: its JSON a schema's, the arguments of its calls
//! those of the functions. What only looks different is mended in the answer itself.

use super::{Answer, Commission, Said};
use crate::chat::{Request, ResponseFormat, Tool, ToolKind};
use crate::json::{self, Document, Edit, Surrogates, Text, Value, splice};
use crate::schema::{Change, Mended, Schema, Undecided, Unmended};

/// Any JSON object.
const OBJECT: &[u8] = br#"{"type":"object"}"#;
/// So much of what is wrong is told.
const MOST: usize = 8;

/// What was found of an answer.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What was mended in it.
    pub changes: Vec<Change>,
    /// What is wrong with it; nothing, if it has the form.
    pub wrong: Vec<String>,
    /// Why part of it cannot be judged.
    pub undecided: Option<Undecided>,
    /// Edits of the completion.
    edits: Vec<Edit>,
}

/// Looks at what was said in answer to `body`, a request that was checked, and mends what can be. Calls are looked at if `tools`.
pub(super) fn look(body: &[u8], said: &mut Said, tools: bool) -> Found {
    let mut found = Found::default();
    let Ok(document) = Document::parse(body, Surrogates::Paired) else { return found };
    let Ok(request) = Request::read(document.root()) else { return found };
    let completion = std::mem::take(&mut said.completion);
    if let Some(message) = message(&completion).as_ref().and_then(|document| message_of(document.root())) {
        if said.calls.is_none() {
            found.text(&request, message, said);
        } else if tools {
            found.calls(&request.tools, message);
        }
    }
    let edits = std::mem::take(&mut found.edits);
    said.completion = if edits.is_empty() { completion } else { splice(&completion, edits) };
    said.misfits = !found.wrong.is_empty();
    found
}

/// Looks at an answer that may be the client's, where those are checked, or in any case if it `has_to_fit`.
pub(super) fn look_at(answer: &mut Answer, commission: &Commission, has_to_fit: bool) {
    let check = commission.check.as_ref();
    if let Ok(said) = &mut answer.said
        && (has_to_fit || check.is_some())
    {
        look(&commission.body, said, check.is_none_or(|check| check.tools));
    }
}

fn message(completion: &[u8]) -> Option<Document<'_>> {
    Document::parse(completion, Surrogates::Lone).ok()
}

/// The first choice.
pub(super) fn choice_of(completion: Value<'_>) -> Option<Value<'_>> {
    completion.get("choices")?.items().next()
}

/// The message of the first choice.
pub(super) fn message_of(completion: Value<'_>) -> Option<Value<'_>> {
    choice_of(completion)?.get("message")
}

/// The calls in a message, each with what it is answered by: its id, or none for the legacy `function_call`.
pub(super) fn calls(message: Value<'_>) -> impl Iterator<Item = (Option<Text<'_>>, Value<'_>)> {
    let all = message.get("tool_calls").into_iter().flat_map(Value::items).filter_map(|call| {
        Some((Some(call.get("id").and_then(Value::text).unwrap_or_default()), call.get("function")?))
    });
    let legacy = message.get("function_call").filter(|call| !call.is_null()).map(|call| (None, call));
    all.chain(legacy)
}

impl Found {
    fn text(&mut self, request: &Request<'_>, message: Value<'_>, said: &mut Said) {
        let any = Document::parse(OBJECT, Surrogates::Lone).ok();
        let any = any.as_ref().map(Document::root);
        let schema = match &request.response_format {
            ResponseFormat::Text => None,
            ResponseFormat::JsonObject => any,
            ResponseFormat::JsonSchema { schema, .. } => schema.or(any),
        };
        let Some((schema, content)) = schema.zip(message.get("content")) else { return };
        if let Some(json) = self.mend(Schema::new(schema), said.text.as_bytes(), "") {
            self.replace(content, &json);
            said.text = json;
        }
    }

    fn calls(&mut self, tools: &[Tool<'_>], message: Value<'_>) {
        for (_, call) in calls(message) {
            let (Some(name), Some(arguments)) =
                (call.get("name").and_then(Value::text), call.get("arguments"))
            else {
                continue;
            };
            let at = format!("{}()", name.decode());
            let is_named = |tool: &&Tool<'_>| tool.kind == ToolKind::Function && tool.name.means(&name);
            let Some(tool) = tools.iter().find(is_named) else {
                self.wrong(&at, "there is no such function");
                continue;
            };
            let (Some(schema), Some(text)) = (tool.parameters, arguments.text()) else { continue };
            let text = text.decode();
            // None at all are an empty object, as some models say it.
            let text = if text.trim().is_empty() { "{}" } else { &*text };
            if let Some(json) = self.mend(Schema::new(schema), text.as_bytes(), &at) {
                self.replace(arguments, &json);
            }
        }
    }

    /// What is to stand in the place of a text, if something else is.
    fn mend(&mut self, schema: Schema<'_>, text: &[u8], at: &str) -> Option<String> {
        match schema.mend(text) {
            Ok(Mended { json, changes, violations }) if violations.is_empty() => {
                let json = (!changes.is_empty()).then(|| String::from_utf8(json).ok()).flatten();
                self.changes.extend(changes.into_iter().take(MOST));
                return json;
            }
            Ok(Mended { violations, .. }) => {
                violations.iter().for_each(|violation| self.wrong(at, &violation.to_string()));
            }
            Err(Unmended::Undecided(why)) => self.undecided = Some(why),
            Err(Unmended::NoJson) => self.wrong(at, "expected JSON, found none"),
            Err(Unmended::Cut) => self.wrong(at, "the JSON does not end"),
        }
        None
    }

    fn wrong(&mut self, at: &str, what: &str) {
        if self.wrong.len() < MOST {
            self.wrong.push(if at.is_empty() { what.to_owned() } else { [at, what].join(": ") });
        }
    }

    fn replace(&mut self, value: Value<'_>, plain: &str) {
        let mut text = Vec::with_capacity(plain.len().saturating_add(16));
        json::string(&mut text, plain);
        self.edits.push(Edit::replace(value, text));
    }
}

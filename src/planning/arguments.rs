//! The arguments of a tool: held against their schema, completed with other steps' results, and put where the tool wants them.

use super::plan::is_id;
use crate::config::{Method, Piece, Tool};
use crate::json::{self, Document, Edit, Kind, Surrogates, Value, splice};

/// Servers take no longer ones.
const MOST_PATH: usize = 8 * 1024;
const MOST_REFERENCES: usize = 64;
/// Of arguments with all results in their places, in bytes.
const MOST_ARGUMENTS: usize = 256 * 1024;

/// What is wrong with arguments, a JSON text, by their schema; where `open`, a string with a reference in it may become anything.
pub(super) fn violation(schema: &str, arguments: &[u8], open: bool) -> Option<String> {
    let (Ok(schema), Ok(arguments)) =
        (Document::parse(schema.as_bytes(), Surrogates::Lone), Document::parse(arguments, Surrogates::Lone))
    else {
        return Some("they are not JSON".to_owned());
    };
    let (schema, arguments) = (schema.root(), arguments.root());
    if arguments.kind() != Kind::Object {
        return Some("they are no object".to_owned());
    }
    let has = |name: &str| arguments.entries().any(|(key, _)| key.says(name));
    for required in schema.get("required").into_iter().flat_map(Value::items) {
        let name = required.text().map(|name| name.decode().into_owned()).unwrap_or_default();
        if !has(&name) {
            return Some(format!("`{name}` is missing"));
        }
    }
    let is_closed = schema.get("additionalProperties").and_then(Value::bool) == Some(false);
    for (key, value) in arguments.entries() {
        let name = key.text().map(|name| name.decode().into_owned()).unwrap_or_default();
        let Some(property) = schema.get("properties").and_then(|properties| properties.get(&name)) else {
            if is_closed {
                let name: String = name.chars().take(40).collect();
                return Some(format!("there is no `{name}`"));
            }
            continue;
        };
        let is_open = open && value.text().is_some_and(|text| !in_text(&text.decode()).is_empty());
        if let Some(wanted) = property.get("type").filter(|wanted| !is_open && !is_any(*wanted, value)) {
            return Some(format!("`{name}` is not of the type {}", String::from_utf8_lossy(wanted.raw())));
        }
    }
    None
}

/// Whether a value is of this type, or of one of these.
fn is_any(wanted: Value<'_>, value: Value<'_>) -> bool {
    let is = |wanted: Value<'_>| match value.kind() {
        Kind::Null => wanted.says("null"),
        Kind::Bool => wanted.says("boolean"),
        Kind::Number => wanted.says("number") || wanted.says("integer") && value.i64().is_some(),
        Kind::String => wanted.says("string"),
        Kind::Array => wanted.says("array"),
        Kind::Object => wanted.says("object"),
    };
    is(wanted) || wanted.items().any(is)
}

/// The ids that a text refers to, `{{id}}`, each with where it stands.
fn in_text(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut from = 0_usize;
    while let Some((before, after)) = text.get(from..).and_then(|rest| rest.split_once("{{")) {
        let at = from.saturating_add(before.len());
        from = at.saturating_add(2);
        if let Some((id, _)) = after.split_once("}}")
            && !id.is_empty()
            && id.bytes().all(is_id)
        {
            found.push((at, id));
            from = from.saturating_add(id.len()).saturating_add(2);
        }
        if found.len() >= MOST_REFERENCES {
            break;
        }
    }
    found
}

/// The strings in a value, at any depth; keys are none of them.
fn strings<'d>(value: Value<'d>, found: &mut Vec<Value<'d>>) {
    match value.kind() {
        Kind::String => found.push(value),
        Kind::Array => value.items().for_each(|item| strings(item, found)),
        Kind::Object => value.entries().for_each(|(_, member)| strings(member, found)),
        Kind::Null | Kind::Bool | Kind::Number => {}
    }
}

/// The steps that arguments refer to.
pub(super) fn references(arguments: &[u8]) -> Vec<String> {
    let Ok(document) = Document::parse(arguments, Surrogates::Lone) else { return Vec::new() };
    let mut all = Vec::new();
    strings(document.root(), &mut all);
    let texts = all.into_iter().filter_map(|value| Some(value.text()?.decode().into_owned()));
    texts
        .flat_map(|text| in_text(&text).into_iter().map(|(_, id)| id.to_owned()).collect::<Vec<_>>())
        .take(MOST_REFERENCES)
        .collect()
}

/// The arguments with results in the places of references.
///
/// A string that is nothing but a reference becomes what the result is as JSON, if it is a number, true or false, a list or an object
/// and the schema does not ask for a string there.
///
/// # Errors
/// Why they cannot be made, in a word: there is no result of that step, or it is too long.
pub(super) fn completed<'r>(
    tool: &Tool,
    arguments: &[u8],
    result: &dyn Fn(&str) -> Option<&'r str>,
) -> Result<Vec<u8>, String> {
    let broken = |_| "arguments".to_owned();
    let document = Document::parse(arguments, Surrogates::Lone).map_err(broken)?;
    let schema = Document::parse(tool.parameters.as_bytes(), Surrogates::Lone).map_err(broken)?;
    let wants_string: Vec<_> = document
        .root()
        .entries()
        .filter(|(key, _)| {
            let name = key.text().map(|name| name.decode().into_owned()).unwrap_or_default();
            let property = schema.root().get("properties").and_then(|all| all.get(&name));
            property.and_then(|property| property.get("type")).is_some_and(|kind| kind.says("string"))
        })
        .map(|(_, value)| value.span())
        .collect();
    let mut all = Vec::new();
    strings(document.root(), &mut all);
    let (mut edits, mut length) = (Vec::new(), 0_usize);
    for value in all {
        let Some(text) = value.text() else { continue };
        let text = text.decode();
        let found = in_text(&text);
        if found.is_empty() {
            continue;
        }
        let (mut whole, mut from) = (String::new(), 0_usize);
        for (at, id) in &found {
            let result = result(id).ok_or("no_result")?;
            whole.push_str(text.get(from..*at).unwrap_or_default());
            length = length.saturating_add(result.len());
            if length > MOST_ARGUMENTS {
                return Err("too_long".to_owned());
            }
            whole.push_str(result);
            from = at.saturating_add(id.len()).saturating_add(4);
        }
        whole.push_str(text.get(from..).unwrap_or_default());
        let is_alone = matches!(found.as_slice(), [(0, id)] if id.len().saturating_add(4) == text.len());
        let json = match is_alone && !wants_string.contains(&value.span()) && is_value(&whole) {
            true => whole.trim().as_bytes().to_vec(),
            false => {
                let mut json = Vec::new();
                json::string(&mut json, &whole);
                json
            }
        };
        edits.push(Edit::replace(value, json));
    }
    Ok(splice(arguments, edits))
}

/// Whether a text is JSON that is no text itself.
fn is_value(text: &str) -> bool {
    let document = Document::parse(text.trim().as_bytes(), Surrogates::Lone);
    document.is_ok_and(|document| !matches!(document.root().kind(), Kind::String | Kind::Null))
}

/// The path and the body of a request to a tool, with these arguments, which suit its schema.
///
/// # Errors
/// Which of them cannot be sent.
pub(super) fn request(tool: &Tool, arguments: Vec<u8>) -> Result<(String, Option<Vec<u8>>), String> {
    let document = Document::parse(&arguments, Surrogates::Lone).map_err(|_| "arguments".to_owned())?;
    let mut path = String::new();
    for piece in &tool.path {
        match piece {
            Piece::Plain(text) => path.push_str(text),
            Piece::Argument { name, in_path } => {
                let value = document.root().get(name);
                let text = value.map(|value| match value.text() {
                    Some(text) => text.decode().into_owned(),
                    None => String::from_utf8_lossy(value.raw()).into_owned(),
                });
                let text = text.unwrap_or_default();
                // Nothing, `.` and `..` would lead elsewhere.
                if *in_path && text.bytes().all(|byte| byte == b'.') {
                    return Err(format!("argument:{name}"));
                }
                encode(&text, &mut path);
            }
        }
        if path.len() > MOST_PATH {
            return Err("arguments:too_long".to_owned());
        }
    }
    drop(document);
    Ok((path, (tool.method == Method::Post).then_some(arguments)))
}

/// Percent-encodes all but what RFC 3986 calls unreserved.
fn encode(text: &str, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 15] {
                out.extend(DIGITS.get(usize::from(half)).copied().map(char::from));
            }
        }
    }
}

//! The arguments of a tool: held against their schema, completed with other steps' results, and put where the tool wants them.

use super::plan::{decoded, entries, is_id, items};
use super::prompts::beginning;
use crate::config::{Method, Piece, Tool};
use crate::json::{self, Document, Edit, Kind, Surrogates, Value, splice};
use modelgate_schema::Schema;

/// Servers take no longer ones.
const MOST_PATH: usize = 8 * 1024;
/// Of arguments with all results in their places, in bytes.
const MOST_ARGUMENTS: usize = 256 * 1024;

/// What is wrong with arguments, a JSON text, by their schema.
pub(super) fn violation(schema: &str, arguments: &[u8]) -> Option<String> {
    let (Ok(schema), Ok(arguments)) = parsed(schema, arguments) else {
        return Some("they are not JSON".to_owned());
    };
    // What cannot be decided is the tool's to refuse.
    let violations = Schema::new(schema.root()).check(arguments.root()).unwrap_or_default();
    violations.first().map(ToString::to_string)
}

fn parsed<'d>(
    schema: &'d str,
    arguments: &'d [u8],
) -> (Result<Document<'d>, json::Error>, Result<Document<'d>, json::Error>) {
    (Document::parse(schema.as_bytes(), Surrogates::Lone), Document::parse(arguments, Surrogates::Lone))
}

/// What is wrong with arguments already in which references stand yet: a string with one in it may become anything.
pub(super) fn violation_so_far(schema: &str, arguments: &[u8]) -> Option<String> {
    let (Ok(schema), Ok(arguments)) = parsed(schema, arguments) else {
        return Some("they are not JSON".to_owned());
    };
    let (schema, arguments) = (schema.root(), arguments.root());
    if arguments.kind() != Kind::Object {
        return Some("they are no object".to_owned());
    }
    let given = entries(arguments);
    for required in schema.get("required").map(items).unwrap_or_default() {
        let name = decoded(required);
        if !given.iter().any(|(key, _)| key.says(&name)) {
            return Some(format!("`{name}` is missing"));
        }
    }
    let is_closed = schema.get("additionalProperties").and_then(Value::bool) == Some(false);
    for (key, value) in given {
        let name = decoded(key);
        let Some(property) = schema.get("properties").and_then(|properties| properties.get(&name)) else {
            if is_closed {
                return Some(format!("there is no `{}`", beginning(&name, 40)));
            }
            continue;
        };
        let is_open = reference(&decoded(value)).is_some();
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
    is(wanted) || items(wanted).into_iter().any(is)
}

/// The first id that a text refers to, `{{id}}`: what is before it, it, and what is after it.
fn reference(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0_usize;
    loop {
        let at = from.saturating_add(text.get(from..)?.find("{{")?);
        let after = text.get(at.saturating_add(2)..)?;
        let length = after.bytes().take_while(|byte| is_id(*byte)).count();
        if length > 0
            && let Some(rest) = after.get(length..)?.strip_prefix("}}")
        {
            return Some((text.get(..at)?, after.get(..length)?, rest));
        }
        from = at.saturating_add(1);
    }
}

/// The strings in a value, at any depth; keys are none of them.
fn strings<'d>(value: Value<'d>, found: &mut dyn FnMut(Value<'d>, &str)) {
    match value.kind() {
        Kind::String => {
            if let Some(text) = value.text() {
                found(value, &text.decode());
            }
        }
        Kind::Array => items(value).into_iter().for_each(|item| strings(item, found)),
        Kind::Object => entries(value).into_iter().for_each(|(_, member)| strings(member, found)),
        Kind::Null | Kind::Bool | Kind::Number => {}
    }
}

/// The steps that arguments refer to.
pub(super) fn each_reference(arguments: &[u8], found: &mut dyn FnMut(&str)) {
    let Ok(document) = Document::parse(arguments, Surrogates::Lone) else { return };
    strings(document.root(), &mut |_, text| {
        let mut rest = text;
        while let Some((_, id, after)) = reference(rest) {
            found(id);
            rest = after;
        }
    });
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
) -> Result<Vec<u8>, &'static str> {
    let (Ok(document), Ok(schema)) = (
        Document::parse(arguments, Surrogates::Lone),
        Document::parse(tool.parameters.as_bytes(), Surrogates::Lone),
    ) else {
        return Err("arguments");
    };
    let root = document.root();
    let wants_string = |value: Value<'_>| {
        let Some((key, _)) = entries(root).into_iter().find(|(_, member)| member.span() == value.span())
        else {
            return false;
        };
        let property =
            key.text().and_then(|key| schema.root().get("properties")?.get(&key.decode())?.get("type"));
        property.is_some_and(|kind| kind.says("string"))
    };
    let (mut edits, mut length, mut fault) = (Vec::new(), 0_usize, None);
    strings(root, &mut |value, text| {
        let (mut whole, mut rest, mut is_alone) = (String::new(), text, false);
        while let Some((before, id, after)) = reference(rest) {
            let Some(result) = result(id) else {
                fault = Some("no_result");
                return;
            };
            length = length.saturating_add(result.len());
            if length > MOST_ARGUMENTS {
                fault = Some("too_long");
                return;
            }
            is_alone = before.is_empty() && after.is_empty() && whole.is_empty();
            whole.push_str(before);
            whole.push_str(result);
            rest = after;
        }
        if rest.len() == text.len() {
            return;
        }
        whole.push_str(rest);
        let mut json = Vec::new();
        match is_alone && is_value(&whole) && !wants_string(value) {
            true => json.extend_from_slice(whole.trim().as_bytes()),
            false => json::string(&mut json, &whole),
        }
        edits.push(Edit::replace(value, json));
    });
    match fault {
        Some(fault) => Err(fault),
        None => Ok(splice(arguments, edits)),
    }
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
                let text = value.map(plain).unwrap_or_default();
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

/// A string's text, or the JSON of anything else.
#[inline(never)]
pub(super) fn plain(value: Value<'_>) -> String {
    match value.kind() {
        Kind::String => decoded(value),
        _ => String::from_utf8_lossy(value.raw()).into_owned(),
    }
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

//! Arguments that arrive value by value, each with the JSONPath of its place (`partialArgs`).

use crate::json::{self, Text, Value};

/// Arguments being put together.
#[derive(Debug, Default)]
pub(super) struct Arguments(Node);

#[derive(Debug, Default)]
enum Node {
    #[default]
    Nothing,
    /// A number, boolean or null, as JSON.
    Plain(Vec<u8>),
    /// A string, which may come in pieces.
    Text(Text<'static>),
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
}

#[derive(Debug, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

/// A path that cannot be followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct BadPath;

/// Providers choose the paths, so what they can make grow is bounded.
const DEEPEST: usize = 64;
const LONGEST: usize = 4096;

impl Arguments {
    /// Takes one item of `partialArgs`.
    pub fn take(&mut self, item: Value<'_>) -> Result<(), BadPath> {
        let [path, text, number, boolean, null] =
            super::fields(item, ["jsonPath", "stringValue", "numberValue", "boolValue", "nullValue"]);
        let path = path.and_then(Value::text).ok_or(BadPath)?;
        let node = self.0.at(&steps(&path.decode()).ok_or(BadPath)?)?;
        match (text.and_then(Value::text), number.or(boolean)) {
            (Some(more), _) => match node {
                Node::Text(text) => text.push(&more),
                node => *node = Node::Text(more.into_owned()),
            },
            (None, Some(plain)) => *node = Node::Plain(plain.raw().to_vec()),
            // `nullValue` is the word NULL_VALUE, or null itself.
            (None, None) => {
                if null.is_some() || matches!(node, Node::Nothing) {
                    *node = Node::Plain(b"null".to_vec());
                }
            }
        }
        Ok(())
    }

    /// The JSON object.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.0 {
            Node::Nothing => out.extend_from_slice(b"{}"),
            node => node.write(&mut out),
        }
        out
    }
}

impl Node {
    /// The node at the end of a path, made where it is missing.
    fn at(&mut self, path: &[Step]) -> Result<&mut Self, BadPath> {
        let Some((step, rest)) = path.split_first() else { return Ok(self) };
        let child = match step {
            Step::Key(key) => {
                if matches!(self, Self::Nothing) {
                    *self = Self::Object(Vec::new());
                }
                let Self::Object(members) = self else { return Err(BadPath) };
                let place = members.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
                    members.push((key.clone(), Self::Nothing));
                    members.len().saturating_sub(1)
                });
                members.get_mut(place).map(|(_, node)| node)
            }
            Step::Index(index) => {
                if matches!(self, Self::Nothing) {
                    *self = Self::Array(Vec::new());
                }
                let Self::Array(items) = self else { return Err(BadPath) };
                if *index >= LONGEST {
                    return Err(BadPath);
                }
                if items.len() <= *index {
                    items.resize_with(index.saturating_add(1), Self::default);
                }
                items.get_mut(*index)
            }
        };
        child.ok_or(BadPath)?.at(rest)
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nothing => out.extend_from_slice(b"null"),
            Self::Plain(json) => out.extend_from_slice(json),
            Self::Text(text) => {
                out.push(b'"');
                out.extend_from_slice(text.as_bytes());
                out.push(b'"');
            }
            Self::Object(members) => json::object(out, |object| {
                for (key, node) in members {
                    node.write(object.value(key));
                }
            }),
            Self::Array(items) => json::array(out, |array| {
                for node in items {
                    node.write(array.value());
                }
            }),
        }
    }
}

/// The steps of a normalized or plain JSONPath (RFC 9535): `$.a['b c'][0]`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(name) = rest.strip_prefix('.') {
            let (key, after) = name.split_at_checked(name.find(['.', '[']).unwrap_or(name.len()))?;
            steps.push(Step::Key(Some(key).filter(|key| !key.is_empty())?.to_string()));
            rest = after;
        } else {
            let inner = rest.strip_prefix('[')?;
            let quote = inner.chars().next().filter(|first| matches!(first, '\'' | '"'));
            let (step, after) = match quote {
                Some(quote) => quoted(inner.strip_prefix(quote)?, quote)?,
                None => {
                    let (index, after) = inner.split_once(']')?;
                    (Step::Index(index.parse().ok()?), after)
                }
            };
            steps.push(step);
            rest = after;
        }
        if steps.len() > DEEPEST {
            return None;
        }
    }
    Some(steps)
}

/// A name in quotes and what follows its closing bracket.
fn quoted(text: &str, quote: char) -> Option<(Step, &str)> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            let after = text.get(at.saturating_add(1)..)?.strip_prefix(']')?;
            return Some((Step::Key(key), after));
        }
        key.push(if c == '\\' { chars.next()?.1 } else { c });
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::json::{Document, Surrogates};
    use serde_json::{Value as Tree, json};

    fn assembled(items: &[Tree]) -> Result<Tree, BadPath> {
        let mut arguments = Arguments::default();
        for item in items {
            let text = serde_json::to_vec(item).unwrap();
            arguments.take(Document::parse(&text, Surrogates::Lone).unwrap().root())?;
        }
        Ok(serde_json::from_slice(&arguments.to_json()).unwrap())
    }

    #[test]
    fn values_find_their_places() {
        for (items, expected) in [
            (vec![], json!({})),
            (
                vec![
                    json!({"jsonPath": "$.city", "stringValue": "New ", "willContinue": true}),
                    json!({"jsonPath": "$.city", "stringValue": "York\n"}),
                    json!({"jsonPath": "$.days", "numberValue": 3}),
                ],
                json!({"city": "New York\n", "days": 3}),
            ),
            (
                vec![
                    json!({"jsonPath": "$.a[1].b", "boolValue": false}),
                    json!({"jsonPath": "$.a[0]['x.y']", "nullValue": "NULL_VALUE"}),
                    json!({"jsonPath": "$[\"a\"][2]", "stringValue": ""}),
                ],
                json!({"a": [{"x.y": null}, {"b": false}, ""]}),
            ),
            (vec![json!({"jsonPath": "$['it\\'s']", "numberValue": 1.5})], json!({"it's": 1.5})),
        ] {
            assert_eq!(assembled(&items).unwrap(), expected);
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_is_said_to_be_one() {
        for path in ["", "a", "$.", "$..a", "$[", "$[x]", "$['a'", "$[4096]", "$.a[-1]"] {
            assert_eq!(assembled(&[json!({"jsonPath": path, "stringValue": "x"})]), Err(BadPath), "{path}");
        }
        let clash =
            [json!({"jsonPath": "$.a", "numberValue": 1}), json!({"jsonPath": "$.a.b", "numberValue": 1})];
        assert_eq!(assembled(&clash), Err(BadPath));
    }
}

//! Tools: HTTP services that an agent's plans may use. Where one is and what is sent to it is the configuration's alone; a plan
//! gives arguments, and they are checked and encoded.

use super::check::{Check, at};
use super::raw;
use super::shape::words;
use crate::json::{Document, Surrogates, Value};
use crate::names::{ClusterName, ConsumerName, TierName};
use std::fmt;
use std::ops::RangeInclusive;
use std::rc::Rc;

const TIMEOUT_MS: u64 = 10_000;
const TIMES: RangeInclusive<u64> = 1..=600_000;
/// A longer answer is more than a model should read.
const BYTES: u64 = 64 * 1024;
const BYTES_RANGE: RangeInclusive<u64> = 1..=1024 * 1024;
const MOST_NAME: usize = 64;

/// An HTTP service.
#[derive(Clone)]
pub struct Tool {
    /// What plans call it.
    pub name: Rc<str>,
    /// Envoy's cluster for it.
    pub cluster: ClusterName,
    /// `:authority` of its requests.
    pub host: Rc<str>,
    /// How it is asked.
    pub method: Method,
    /// Its path and query, in which arguments have their places.
    pub path: Vec<Piece>,
    /// What it does, for whoever plans.
    pub description: Rc<str>,
    /// JSON Schema of its arguments, a JSON text that was checked.
    pub parameters: Rc<str>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u32,
    /// How long its answer may be, in bytes.
    pub max_bytes: usize,
    /// For whom it is; for all if there is no list.
    pub consumers: Option<Vec<ConsumerName>>,
    /// For which tiers it is; for all if there is no list.
    pub tiers: Option<Vec<TierName>>,
    /// Fixed headers. The values may be secrets.
    pub headers: Vec<(String, String)>,
    /// Whether a variable of the environment that it needs is not there: it is left out.
    pub lacks_key: bool,
}

impl PartialEq for Tool {
    /// Of one configuration: names are there once.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Tool {}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Where its headers are there may be secrets.
        f.debug_struct("Tool")
            .field("name", &self.name)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

/// Whom the tool at this place of the document is for, by names that may not be known.
pub(super) struct Users {
    path: String,
    tiers: Option<Vec<String>>,
    consumers: Option<Vec<String>>,
}

/// How a tool is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// `GET`: the arguments are in the path.
    #[default]
    Get,
    /// `POST`: the arguments are the body, a JSON object.
    Post,
}

words! { Method: "get" => Method::Get, "post" => Method::Post, "GET" => Method::Get, "POST" => Method::Post }

/// A piece of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Plain(Rc<str>),
    /// An argument's value, percent-encoded; before the query it has to be one that leads nowhere else.
    Argument {
        /// The argument.
        name: Rc<str>,
        /// Whether it is before the `?`.
        in_path: bool,
    },
}

impl Tool {
    /// Whether it is there for this consumer.
    #[must_use]
    pub fn is_for(&self, consumer: &super::Consumer) -> bool {
        !self.lacks_key
            && self.consumers.as_ref().is_none_or(|names| names.contains(&consumer.name))
            && self.tiers.as_ref().is_none_or(|names| names.contains(&consumer.tier.name))
    }
}

/// What a path is made of; none if a brace has no other.
fn pieces(path: &str) -> Option<Vec<Piece>> {
    let (mut pieces, mut rest, mut in_path) = (Vec::new(), path, true);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        in_path &= !before.contains('?');
        pieces.push(Piece::Plain(before.into()));
        pieces.push(Piece::Argument { name: name.into(), in_path });
        rest = after;
    }
    pieces.push(Piece::Plain(rest.into()));
    let is_plain = |piece: &Piece| match piece {
        Piece::Plain(text) => {
            text.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}#\"<>\\^`|".contains(&byte))
        }
        Piece::Argument { name, .. } => !name.is_empty() && !name.contains('{'),
    };
    pieces.iter().all(is_plain).then_some(pieces)
}

fn shown(key: Value<'_>) -> String {
    String::from_utf8_lossy(key.raw()).into_owned()
}

impl Check<'_> {
    /// Reads the tools; whom they are for is looked at when it is known who there is.
    pub(super) fn tools(&mut self, raw: raw::Entries<raw::Tool>) {
        for (name, raw) in raw.0 {
            let path = format!("tools.{name}");
            match self.tool(&path, &name, raw) {
                Some(tool) => self.tools.push(Rc::new(tool)),
                None => self.refuse(path),
            }
        }
    }

    fn tool(&mut self, path: &str, name: &str, raw: raw::Tool) -> Option<Tool> {
        let is_name = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
        if name.is_empty() || name.len() > MOST_NAME || !name.bytes().all(is_name) {
            self.wrong(path, &format!("{name:?} cannot be a name"), "letters, digits, `_` and `-`");
            return None;
        }
        let cluster = self.name(ClusterName::parse(&raw.cluster), &at(path, "cluster"), &raw.cluster);
        let host = raw.host.unwrap_or_else(|| raw.cluster.clone());
        if host.is_empty()
            || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
        {
            self.wrong(&at(path, "host"), &format!("{host:?}"), "a host, and a port if need be");
        }
        let parameters = self.parameters(&at(path, "parameters"), &raw.parameters.0);
        let pieces = self.path(&at(path, "path"), &raw.path, &raw.parameters.0, raw.method);
        if raw.description.trim().is_empty() {
            self.wrong(&at(path, "description"), "it says nothing", "what the tool does, for who plans");
        }
        let timeout_ms = self.limited(&at(path, "timeout_ms"), raw.timeout_ms, TIMEOUT_MS, &TIMES);
        let max_bytes = self.limited(&at(path, "max_bytes"), raw.max_bytes, BYTES, &BYTES_RANGE);
        let consumers = self.only(&at(path, "consumers"), raw.consumers.as_deref(), ConsumerName::parse)?;
        let tiers = self.only(&at(path, "tiers"), raw.tiers.as_deref(), TierName::parse)?;
        let (headers, lacks_key) = self.tool_headers(path, raw.headers)?;
        parameters?;
        let only_for = (raw.consumers.is_some(), raw.tiers.is_some());
        self.tools_for.push(Users { path: path.to_owned(), tiers: raw.tiers, consumers: raw.consumers });
        Some(Tool {
            name: name.into(),
            cluster: cluster?,
            host: host.into(),
            method: raw.method,
            path: pieces?,
            description: raw.description.trim().into(),
            parameters: raw.parameters.0.into(),
            timeout_ms: u32::try_from(timeout_ms).unwrap_or(u32::MAX),
            max_bytes: usize::try_from(max_bytes).unwrap_or(usize::MAX),
            consumers: only_for.0.then_some(consumers),
            tiers: only_for.1.then_some(tiers),
            headers,
            lacks_key,
        })
    }

    /// Whether the arguments' schema is one of an object.
    fn parameters(&mut self, path: &str, text: &str) -> Option<()> {
        let document = Document::parse(text.as_bytes(), Surrogates::Paired).ok();
        let is_object = document
            .is_some_and(|document| document.root().get("type").is_some_and(|kind| kind.says("object")));
        if !is_object {
            self.wrong(path, "no schema of an object", "JSON Schema with type: object");
        }
        is_object.then_some(())
    }

    fn path(&mut self, path: &str, text: &str, schema: &str, method: Method) -> Option<Vec<Piece>> {
        let Some(pieces) = pieces(text).filter(|_| text.starts_with('/')) else {
            self.wrong(path, &format!("{text:?}"), "a path that begins with a slash, as `/search?q={query}`");
            return None;
        };
        let document = Document::parse(schema.as_bytes(), Surrogates::Paired).ok()?;
        let properties = document.root().get("properties");
        let is_known = |name: &str| properties.is_some_and(|all| all.get(name).is_some());
        for piece in &pieces {
            if let Piece::Argument { name, .. } = piece
                && !is_known(name)
            {
                let found = format!("there is no argument `{name}`");
                self.wrong(path, &found, "one of the parameters' properties");
            }
        }
        for (key, _) in properties.into_iter().flat_map(Value::entries).filter(|_| method == Method::Get) {
            let has_place = |piece: &Piece| matches!(piece, Piece::Argument { name, .. } if key.says(name));
            if !pieces.iter().any(has_place) {
                let found = format!("the property {} has no place in it, and a GET has no body", shown(key));
                self.wrong(path, &found, "each property in braces somewhere in it");
            }
        }
        Some(pieces)
    }

    /// Its headers, and whether one of them is missing in the environment.
    fn tool_headers(
        &mut self,
        path: &str,
        raw: raw::Entries<raw::HeaderValue>,
    ) -> Option<(Vec<(String, String)>, bool)> {
        let mut lacks = false;
        let mut headers = Vec::with_capacity(raw.0.len());
        for (name, value) in raw.0 {
            let value = match value {
                raw::HeaderValue::Plain(value) => value,
                raw::HeaderValue::Env(variable) => {
                    match self.variable(&variable, &format!("{path}.headers.{name}.env"), "the tool")? {
                        Some(value) => value.trim().to_owned(),
                        None => {
                            lacks = true;
                            continue;
                        }
                    }
                }
            };
            headers.push((name, value));
        }
        Some((self.headers(path, raw::Entries(headers), true)?, lacks))
    }

    /// Says for whom tools are that there are not.
    pub(super) fn tools_are_for_somebody(&mut self, auth: &super::Auth) {
        for Users { path, tiers, consumers } in std::mem::take(&mut self.tools_for) {
            self.all_there("tier", &path, tiers.as_deref(), auth.tiers.keys());
            self.all_there("consumer", &path, consumers.as_deref(), auth.consumers.keys());
        }
    }
}

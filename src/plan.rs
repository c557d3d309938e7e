//! The plan of a request: its targets in order, and what each attempt has to know of the client.
//!
//! The gateway role writes it into filter state; each attempt's provider role reads there which attempt it is, and counts on
//! for the next. Attempt *n* is target *n*. In the VM that made it the plan itself is found by its ticket; where that is another
//! one, as while a new build is being rolled out, it is read from the bytes. It carries names, not references, so that it
//! stays readable when the configuration changes between two attempts. It is written for every request, so its form is
//! plain: little-endian numbers, and texts after their length.

use crate::config::{Edits, Vendor};
use crate::embeddings::{Encoding, Wanted};
use std::rc::Rc;

/// What is asked of a model.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// A chat completion.
    Chat,
    /// Embeddings.
    Embeddings(Wanted),
}

/// What a request may be answered by, and how the client wants it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// What is asked.
    pub operation: Operation,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Whether the client asked for usage in the stream.
    pub include_usage: bool,
    /// Whether the client expects a call as the legacy `function_call`.
    pub functions: bool,
    /// How many images are in the request; none where what requests use is not counted.
    pub metered: Option<u64>,
    /// How long the body is that the attempts get, in bytes. They cannot take it from the headers,
    /// which are as the last attempt left them.
    pub length: usize,
    /// Headers that the body needs where it is in its target's words already, as `anthropic-beta`.
    pub headers: Vec<(String, String)>,
    /// Parameters that were left out of such a body, as a list for the client.
    pub dropped: String,
    /// Whether the client's own body is kept aside for those attempts that translate, because the one that is sent is in the
    /// first target's words.
    pub kept: bool,
    /// The request's id (`x-request-id`).
    pub request_id: String,
    /// The content rules that have found something in what is asked, as a list for the client.
    pub fired: String,
    /// The names of the content rules that look at what is answered.
    pub rules: Vec<Rc<str>>,
    /// In the order of the attempts.
    pub targets: Vec<PlannedTarget>,
}

/// One attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlannedTarget {
    /// The provider's name in the configuration.
    pub provider: Rc<str>,
    /// Its vendor, in whose words the body is if it passes.
    pub vendor: Vendor,
    /// The Envoy cluster it is reached through.
    pub cluster: Rc<str>,
    /// The provider's own name of the model.
    pub model: Rc<str>,
    /// The model's name in the catalog, for the client.
    pub name: Rc<str>,
    /// Whether the body may go to this target as it stands.
    pub body_passes: bool,
    /// The most tokens the model can answer with, where the catalog says.
    pub max_output_tokens: Option<u64>,
    /// What is changed in the request for it.
    pub edits: Option<Rc<Edits>>,
}

/// Which attempt of which plan comes next: what the bytes of a plan begin with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Turn {
    /// Which attempt, from 1.
    pub attempt: u32,
    /// By what the plan is found in the VM that made it.
    pub ticket: u64,
}

/// The form's version, its first byte.
const VERSION: u8 = 7;

/// What is asked, and in which form.
const CHAT: u8 = 0;
const NUMBERS: u8 = 1;
const BASE64: u8 = 2;

impl Turn {
    /// Whose turn it is by the plan in `bytes`.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::take(&mut bytes.strip_prefix(&[VERSION])?)
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        Some(Self { attempt: u32::from_le_bytes(take(rest)?), ticket: u64::from_le_bytes(take(rest)?) })
    }

    /// Counts the plan in `bytes` on to its next attempt.
    pub fn advance(self, bytes: &mut [u8]) {
        if let Some(number) = bytes.get_mut(1..5) {
            number.copy_from_slice(&self.attempt.saturating_add(1).to_le_bytes());
        }
    }
}

impl Plan {
    /// The plan as bytes, before its first attempt.
    #[must_use]
    pub fn to_bytes(&self, ticket: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.push(VERSION);
        out.extend(1_u32.to_le_bytes());
        out.extend(ticket.to_le_bytes());
        out.extend([self.stream, self.include_usage, self.functions, self.kept].map(u8::from));
        match self.operation {
            Operation::Chat => out.push(CHAT),
            Operation::Embeddings(Wanted { encoding, vectors, dimensions, tokens }) => {
                out.push(if encoding == Encoding::Float { NUMBERS } else { BASE64 });
                // No vector has as many numbers.
                for number in [vectors, dimensions.unwrap_or(u64::MAX), tokens] {
                    out.extend(number.to_le_bytes());
                }
            }
        }
        out.extend((self.length as u64).to_le_bytes());
        // No request has as many.
        out.extend(self.metered.unwrap_or(u64::MAX).to_le_bytes());
        put(&mut out, &self.request_id);
        put(&mut out, &self.dropped);
        put(&mut out, &self.fired);
        out.push(u8::try_from(self.rules.len()).unwrap_or(u8::MAX));
        self.rules.iter().take(usize::from(u8::MAX)).for_each(|rule| put(&mut out, rule));
        out.push(u8::try_from(self.headers.len()).unwrap_or(u8::MAX));
        for (name, value) in self.headers.iter().take(usize::from(u8::MAX)) {
            put(&mut out, name);
            put(&mut out, value);
        }
        for target in &self.targets {
            let PlannedTarget { provider, vendor, cluster, model, name, .. } = target;
            for text in [provider, vendor.as_str(), cluster, model, name] {
                put(&mut out, text);
            }
            out.push(u8::from(target.body_passes));
            // No model answers with as much.
            out.extend(target.max_output_tokens.unwrap_or(u64::MAX).to_le_bytes());
            put_edits(&mut out, target.edits.as_deref());
        }
        out
    }

    /// The plan in `bytes`, if there is one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        Turn::take(&mut rest)?;
        let mut plan = Self {
            stream: flag(&mut rest)?,
            include_usage: flag(&mut rest)?,
            functions: flag(&mut rest)?,
            kept: flag(&mut rest)?,
            operation: operation(&mut rest)?,
            length: usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?,
            metered: Some(u64::from_le_bytes(take(&mut rest)?)).filter(|images| *images < u64::MAX),
            request_id: text(&mut rest)?.to_string(),
            dropped: text(&mut rest)?.to_string(),
            fired: text(&mut rest)?.to_string(),
            rules: Vec::new(),
            headers: Vec::new(),
            targets: Vec::new(),
        };
        let [rules] = take(&mut rest)?;
        for _ in 0..rules {
            plan.rules.push(text(&mut rest)?.into());
        }
        let [headers] = take(&mut rest)?;
        for _ in 0..headers {
            plan.headers.push((text(&mut rest)?.to_string(), text(&mut rest)?.to_string()));
        }
        while !rest.is_empty() {
            plan.targets.push(PlannedTarget {
                provider: text(&mut rest)?.into(),
                vendor: Vendor::named(text(&mut rest)?)?,
                cluster: text(&mut rest)?.into(),
                model: text(&mut rest)?.into(),
                name: text(&mut rest)?.into(),
                body_passes: flag(&mut rest)?,
                max_output_tokens: Some(u64::from_le_bytes(take(&mut rest)?)).filter(|most| *most < u64::MAX),
                edits: take_edits(&mut rest)?,
            });
        }
        Some(plan)
    }
}

fn put(out: &mut Vec<u8>, text: &str) {
    // Names and ids are far shorter; what were not would be cut, and no name any more.
    let text = text.as_bytes().get(..text.len().min(usize::from(u16::MAX))).unwrap_or_default();
    out.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(text);
}

/// Texts that are empty are none, and so is a most of 0.
fn put_edits(out: &mut Vec<u8>, edits: Option<&Edits>) {
    out.push(u8::from(edits.is_some()));
    let Some(edits) = edits else { return };
    for text in [&edits.system, &edits.temperature, &edits.reasoning_effort] {
        put(out, text.as_deref().unwrap_or_default());
    }
    out.extend(edits.max_tokens.unwrap_or(0).to_le_bytes());
    out.push(u8::from(edits.strips_tools));
}

fn take_edits(rest: &mut &[u8]) -> Option<Option<Rc<Edits>>> {
    if !flag(rest)? {
        return Some(None);
    }
    let mut said = || Some(Some(Rc::from(text(rest)?)).filter(|text: &Rc<str>| !text.is_empty()));
    let (system, temperature, reasoning_effort) = (said()?, said()?, said()?);
    let max_tokens = Some(u64::from_le_bytes(take(rest)?)).filter(|most| *most > 0);
    let strips_tools = flag(rest)?;
    Some(Some(Rc::new(Edits { system, temperature, max_tokens, reasoning_effort, strips_tools })))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

fn operation(rest: &mut &[u8]) -> Option<Operation> {
    let encoding = match take(rest)? {
        [CHAT] => return Some(Operation::Chat),
        [NUMBERS] => Encoding::Float,
        [BASE64] => Encoding::Base64,
        _ => return None,
    };
    let mut number = || Some(u64::from_le_bytes(take(rest)?));
    let (vectors, dimensions, tokens) = (number()?, number()?, number()?);
    let dimensions = Some(dimensions).filter(|dimensions| *dimensions < u64::MAX);
    Some(Operation::Embeddings(Wanted { encoding, vectors, dimensions, tokens }))
}

fn flag(rest: &mut &[u8]) -> Option<bool> {
    let [flag] = take(rest)?;
    Some(flag != 0)
}

fn text<'b>(rest: &mut &'b [u8]) -> Option<&'b str> {
    let length = u16::from_le_bytes(take(rest)?);
    let (text, after) = rest.split_at_checked(usize::from(length))?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let target = |name: &str, max_output_tokens: Option<u64>| PlannedTarget {
            provider: name.into(),
            vendor: Vendor::OpenAi,
            cluster: format!("cluster \"of\" {name}").into(),
            model: "m/\u{e9}".into(),
            name: "n".into(),
            body_passes: max_output_tokens.is_none(),
            max_output_tokens,
            edits: max_output_tokens.map(|most| {
                let system = Some("Be brief.".into());
                Rc::new(Edits { system, max_tokens: Some(most), strips_tools: true, ..Edits::default() })
            }),
        };
        let targets = vec![target("a", None), target("b", Some(64_000))];
        let request_id = "6d2f".to_string();
        let (stream, include_usage, functions, kept) = (true, false, true, true);
        let headers = vec![("anthropic-beta".to_string(), "files".to_string())];
        let metered = Some(2);
        let (length, dropped) = (70_000, "seed,logit_bias".to_string());
        let wanted = Wanted { encoding: Encoding::Base64, vectors: 3, dimensions: Some(64), tokens: 9 };
        let operation = Operation::Embeddings(wanted);
        let (fired, rules) = ("secrets,mails".to_string(), vec!["mails".into(), "numbers".into()]);
        let plan = Plan {
            fired,
            rules,
            operation,
            stream,
            include_usage,
            functions,
            metered,
            length,
            headers,
            dropped,
            kept,
            request_id,
            targets,
        };
        let mut bytes = plan.to_bytes(7);
        assert_eq!(Plan::from_bytes(&bytes), Some(plan.clone()));
        let first = Turn::from_bytes(&bytes);
        assert_eq!(first, Some(Turn { attempt: 1, ticket: 7 }));
        first.unwrap().advance(&mut bytes);
        assert_eq!(Turn::from_bytes(&bytes), Some(Turn { attempt: 2, ticket: 7 }));
        assert_eq!(Plan::from_bytes(&bytes), Some(plan.clone()));
        for operation in [Operation::Chat, Operation::Embeddings(Wanted::default())] {
            let plan = Plan { operation, ..plan.clone() };
            assert_eq!(Plan::from_bytes(&plan.to_bytes(7)), Some(plan));
        }
        for cut in 0..bytes.len() {
            let read = Plan::from_bytes(&bytes[..cut]);
            assert!(read.is_none_or(|read| read.targets.len() < plan.targets.len()), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_plan_is_none() {
        for bytes in [&b""[..], b"{}", b"\x01", b"\x07\x01\0\0\0", &[0xFF; 64], &[1; 64]] {
            assert_eq!(Plan::from_bytes(bytes), None);
        }
        for bytes in [&b""[..], b"{}", b"\x07\x01\0\0\0", &[1; 64]] {
            assert_eq!(Turn::from_bytes(bytes), None);
        }
    }
}

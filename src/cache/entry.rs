//! An answer as it is kept: one `chat.completion`, from which either kind of client is served.
//!
//! The bytes describe themselves and are believed only as a whole: they are in memory that others
//! write to, and the place they lie in may have been given to another answer. Id and time in the
//! answer are those of the provider's: it is the same answer, and says when it was made.

use super::bytes::{checksum, put_text, take, take_text};
use super::key::{Key, Keys};
use crate::chat::{ChunkWriter, Usage, streamed};
use crate::json::{Document, Surrogates};
use crate::time::Timestamp;

/// An answer and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What was asked.
    pub keys: Keys,
    /// When the answer was complete.
    pub made: Timestamp,
    /// The provider's name in the configuration.
    pub provider: String,
    /// The model's name in the catalog.
    pub model: String,
    /// What of the request that one was not told, as `x-modelgate-dropped` says it.
    pub dropped: String,
    /// What it used then, as far as the provider said.
    pub usage: Option<Usage>,
    /// The `chat.completion`, for a client that wants it whole.
    pub completion: Vec<u8>,
}

/// The form's version, its first byte.
const VERSION: u8 = 1;
/// What stands for a number of a [`Usage`] that was not said.
const UNSAID: u64 = u64::MAX;

impl Entry {
    /// The entry as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.completion.len().saturating_add(512));
        out.push(VERSION);
        out.extend([0; 8]);
        out.extend(self.keys.exact.as_bytes());
        out.extend(self.keys.context.as_bytes());
        out.extend(self.made.millis().to_le_bytes());
        put_text(&mut out, &self.provider);
        put_text(&mut out, &self.model);
        put_text(&mut out, &self.dropped);
        out.push(u8::from(self.usage.is_some()));
        if let Some(usage) = &self.usage {
            numbers(usage).iter().for_each(|number| out.extend(number.to_le_bytes()));
        }
        out.extend_from_slice(&self.completion);
        let sum = out.get(9..).map_or(0, checksum);
        if let Some(place) = out.get_mut(1..9) {
            place.copy_from_slice(&sum.to_le_bytes());
        }
        out
    }

    /// The answer under `keys` in bytes that should hold it; none if they hold anything else.
    #[must_use]
    pub fn from_bytes(mut bytes: Vec<u8>, keys: &Keys) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        if u64::from_le_bytes(take(&mut rest)?) != checksum(rest) {
            return None;
        }
        let [exact, context] = [take(&mut rest)?, take(&mut rest)?].map(Key::from_bytes);
        if *keys != (Keys { exact, context }) {
            return None;
        }
        let made = Timestamp::from_millis(u64::from_le_bytes(take(&mut rest)?));
        let provider = take_text(&mut rest)?.to_owned();
        let model = take_text(&mut rest)?.to_owned();
        let dropped = take_text(&mut rest)?.to_owned();
        let usage = match take(&mut rest)? {
            [0] => None,
            _ => Some(usage(&mut rest)?),
        };
        let head = bytes.len().checked_sub(rest.len())?;
        bytes.drain(..head);
        Some(Self { keys: *keys, made, provider, model, dropped, usage, completion: bytes })
    }

    /// The answer as a whole stream, for a client that wants it so; `functions` is whether it offered
    /// the legacy `functions`. None if it cannot be streamed.
    #[must_use]
    pub fn stream(&self, include_usage: bool, functions: bool) -> Option<Vec<u8>> {
        let document = Document::parse(&self.completion, Surrogates::Lone).ok()?;
        let writer =
            ChunkWriter::new("", &self.model, self.made.seconds(), include_usage).with_functions(functions);
        streamed(document.root(), self.usage, writer)
    }
}

fn numbers(usage: &Usage) -> [u64; 10] {
    let said = |number: Option<u64>| number.unwrap_or(UNSAID);
    [
        usage.prompt,
        usage.completion,
        said(usage.total),
        said(usage.cached),
        said(usage.cache_write),
        said(usage.prompt_audio),
        said(usage.reasoning),
        said(usage.completion_audio),
        said(usage.prediction.map(|(accepted, _)| accepted)),
        said(usage.prediction.map(|(_, rejected)| rejected)),
    ]
}

fn usage(rest: &mut &[u8]) -> Option<Usage> {
    let mut number = || take(rest).map(u64::from_le_bytes);
    let (prompt, completion) = (number()?, number()?);
    let mut said = || Some(Some(number()?).filter(|number| *number != UNSAID));
    Some(Usage {
        prompt,
        completion,
        total: said()?,
        cached: said()?,
        cache_write: said()?,
        prompt_audio: said()?,
        reasoning: said()?,
        completion_audio: said()?,
        prediction: said()?.zip(said()?),
    })
}

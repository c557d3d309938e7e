//! Takes an answer down as it passes, so that it can be given again.
//!
//! Only a whole answer is worth keeping: all choices that were asked for, each ended by the model
//! itself, and the end mark after them. One that was cut at a limit on tokens is not: the limit may
//! have been the gateway's, of that moment. One that a filter has stopped is not either. What cannot
//! be put together again without loss is given up, and so is what grows too long; the client's answer
//! passes all the same.

use super::entry::Entry;
use super::key::Keys;
use crate::chat::{CompletionWriter, Delta, Event, FinishReason, Thinking, Usage, reread};
use crate::json::{Document, Nodes, Surrogates, Text};
use crate::time::Timestamp;

/// What has passed of an answer.
#[derive(Debug)]
pub struct Recorder {
    /// How many choices were asked for.
    n: u64,
    /// The most bytes an answer may have to be kept.
    limit: usize,
    progress: Progress,
    /// The choices that the model has ended.
    ended: Vec<u32>,
    usage: Option<Usage>,
    nodes: Nodes,
}

#[derive(Debug)]
enum Progress {
    /// Nothing of it has come, or part of a stream.
    Open(Box<Stream>),
    /// A stream and its end mark.
    Streamed(Box<Stream>),
    /// A `chat.completion`.
    Whole(Vec<u8>),
    /// It will not be kept.
    GivenUp,
}

#[derive(Debug)]
struct Stream {
    writer: CompletionWriter,
    /// How many bytes of it have to be kept.
    len: usize,
    /// Of which choice there has been what the writer keeps only the last of.
    once: Vec<(u32, Text<'static>)>,
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'o> {
    /// The provider's name in the configuration.
    pub provider: &'o str,
    /// The model's name in the catalog.
    pub model: &'o str,
    /// What of the request it was not told, as `x-modelgate-dropped` says it.
    pub dropped: &'o str,
}

impl Recorder {
    /// A recorder for an answer of `n` choices and at most `limit` bytes; `functions` is whether the
    /// client offered the legacy `functions`.
    #[must_use]
    pub fn new(n: u64, limit: usize, functions: bool) -> Self {
        let writer = CompletionWriter::new("", "", 0).with_functions(functions);
        let progress = Progress::Open(Box::new(Stream { writer, len: 0, once: Vec::new() }));
        Self { n, limit, progress, ended: Vec::new(), usage: None, nodes: Nodes::default() }
    }

    /// Takes a whole answer, a `chat.completion`.
    pub fn answer(&mut self, body: &[u8]) {
        self.progress = Progress::GivenUp;
        let Ok(document) = Document::parse(body, Surrogates::Lone) else { return };
        let Self { ended, usage, .. } = self;
        reread(document.root(), &mut |event| note(&event, ended, usage));
        if document.root().get("error").is_none() && body.len() <= self.limit {
            self.progress = Progress::Whole(body.to_vec());
        }
    }

    /// Takes the data of the next event of a stream, a `chat.completion.chunk` or `[DONE]`.
    pub fn chunk(&mut self, data: &[u8]) {
        let data = data.trim_ascii();
        self.progress = match std::mem::replace(&mut self.progress, Progress::GivenUp) {
            Progress::Open(stream) if data.is_empty() => Progress::Open(stream),
            Progress::Open(stream) if data == b"[DONE]" => Progress::Streamed(stream),
            Progress::Open(mut stream) => match self.take(&mut stream, data) {
                Some(()) => Progress::Open(stream),
                None => Progress::GivenUp,
            },
            over => over,
        };
    }

    /// Whether nothing more can come of it: all of it has come, or it will not be kept.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !matches!(self.progress, Progress::Open(_))
    }

    /// The answer, if all of it has come and it can be given again. `usage` is what was used, where the
    /// answer itself does not say it.
    #[must_use]
    pub fn finish(
        self,
        keys: Keys,
        origin: Origin<'_>,
        usage: Option<Usage>,
        now: Timestamp,
    ) -> Option<Entry> {
        if !(0..self.n).all(|choice| self.ended.iter().any(|ended| u64::from(*ended) == choice)) {
            return None;
        }
        let usage = self.usage.or(usage);
        let completion = match self.progress {
            Progress::Whole(completion) => completion,
            Progress::Streamed(mut stream) => {
                let mut completion = Vec::with_capacity(stream.len.saturating_add(512));
                usage.into_iter().for_each(|usage| stream.writer.write(Event::Usage(usage)));
                stream.writer.finish(&mut completion).ok()?;
                completion
            }
            Progress::Open(_) | Progress::GivenUp => return None,
        };
        let [provider, model, dropped] = [origin.provider, origin.model, origin.dropped].map(str::to_owned);
        let entry = Entry { keys, made: now, provider, model, dropped, usage, completion };
        Some(entry).filter(|entry| entry.completion.len() <= self.limit)
    }

    /// Takes a chunk; nothing if that is the end of recording.
    fn take(&mut self, stream: &mut Stream, data: &[u8]) -> Option<()> {
        let nodes = std::mem::take(&mut self.nodes);
        let document = Document::reusing(nodes, data, Surrogates::Lone).ok()?;
        let Self { ended, usage, .. } = self;
        let mut sound = document.root().get("error").is_none();
        reread(document.root(), &mut |event| {
            note(&event, ended, usage);
            sound &= stream.fits(&event);
            stream.writer.write(event);
        });
        self.nodes = document.into_nodes();
        (sound && stream.len <= self.limit).then_some(())
    }
}

impl Stream {
    /// Notes how much an event adds, and whether it can be joined to what came before.
    fn fits(&mut self, event: &Event<'_>) -> bool {
        let Event::Delta { choice, delta } = event else { return true };
        let (len, once) = match delta {
            Delta::Text(text) | Delta::Reasoning(text) | Delta::Refusal(text) | Delta::Signature(text) => {
                (text.as_bytes().len(), None)
            }
            Delta::Thinking { piece: Thinking::Text(text), .. } => {
                // It is kept as reasoning too.
                (text.as_bytes().len().saturating_mul(2), None)
            }
            Delta::Thinking { piece: Thinking::Signature(text) | Thinking::Redacted(text), .. } => {
                (text.as_bytes().len(), None)
            }
            Delta::Call { id, name, .. } => (id.as_bytes().len().saturating_add(name.as_bytes().len()), None),
            Delta::Arguments { fragment, .. } => (fragment.as_bytes().len(), None),
            Delta::Logprobs(value) => (value.len(), Some(Text::of("logprobs"))),
            Delta::Member { key, value } => (value.len(), Some(key.borrow())),
            Delta::ChoiceMember { key, value } => (value.len(), Some(key.borrow())),
        };
        self.len = self.len.saturating_add(len);
        let Some(name) = once else { return true };
        let again = self.once.iter().any(|(of, known)| of == choice && *known == name);
        self.once.push((*choice, name.into_owned()));
        !again
    }
}

/// Notes which choices the model has ended, and what was used.
fn note(event: &Event<'_>, ended: &mut Vec<u32>, usage: &mut Option<Usage>) {
    match event {
        Event::Finish {
            choice,
            reason: FinishReason::Stop | FinishReason::ToolCalls | FinishReason::FunctionCall,
        } => ended.push(*choice),
        Event::Usage(said) => *usage = Some(*said),
        _ => {}
    }
}

//! A streamed answer: held back until its first content, then let go piece by piece.

use super::canonical::Canonical;
use super::response::Piece;
use super::translated::Translated;
use super::{Header, Report};
use crate::chat::{ChunkWriter, Usage};
use crate::error::ApiError;
use crate::estimate::Tally;
use crate::json::{Document, Surrogates};

pub(super) struct Stream {
    /// Headers of the provider's that go on with the answer.
    pub kept: Vec<Header<'static>>,
    source: Source,
    /// What came before the stream was let go.
    held: Vec<u8>,
    /// How many of the provider's bytes that was.
    taken: usize,
    released: bool,
}

/// Whose dialect the provider streams in.
pub(super) enum Source {
    Canonical(Canonical),
    Translated(Translated),
}

/// What a push came to.
pub(super) enum Progress {
    /// Nothing goes out yet.
    Held,
    /// The first that goes out.
    Begins(Piece),
    /// More of it.
    Goes(Piece),
    /// It failed before anything went out.
    Failed(ApiError),
}

impl Stream {
    pub fn new(kept: Vec<Header<'static>>, source: Source) -> Self {
        Self { kept, source, held: Vec::new(), taken: 0, released: false }
    }

    /// Takes the next bytes. Nothing is let go before the first content, unless more than `bound`
    /// bytes came without any.
    pub fn push(&mut self, bytes: &[u8], ends: bool, bound: usize) -> Progress {
        let (piece, begun, error) = match &mut self.source {
            Source::Canonical(source) => {
                (source.push(bytes, ends), source.begun(), source.take_early_error())
            }
            Source::Translated(source) => {
                (source.push(bytes, ends), source.begun(), source.take_early_error())
            }
        };
        if self.released {
            return Progress::Goes(piece);
        }
        if let Some(error) = error {
            return Progress::Failed(error);
        }
        self.taken = self.taken.saturating_add(bytes.len());
        self.released = begun || self.taken > bound;
        if self.released {
            match &mut self.source {
                Source::Canonical(source) => source.let_go(),
                Source::Translated(source) => source.let_go(),
            }
        }
        if self.released && self.held.is_empty() {
            return Progress::Begins(piece);
        }
        match piece {
            Piece::Write(rewritten) => self.held.extend(rewritten),
            _ => self.held.extend_from_slice(bytes),
        }
        if self.released {
            Progress::Begins(Piece::Write(std::mem::take(&mut self.held)))
        } else {
            Progress::Held
        }
    }

    /// Ends the stream, whose last bytes were `shown`.
    pub fn stop(&mut self, writer: ChunkWriter, shown: &[u8], usage: Usage) -> Vec<u8> {
        match &mut self.source {
            Source::Canonical(source) => source.stop(writer, shown, usage),
            Source::Translated(source) => source.stop(usage),
        }
    }

    /// Whether the provider has said that its answer is complete.
    pub fn has_finished(&self) -> bool {
        match &self.source {
            Source::Canonical(source) => source.has_finished(),
            Source::Translated(source) => source.has_finished(),
        }
    }

    /// What was generated of an answer that content rules look at.
    pub fn generated(&self) -> Option<Tally> {
        match &self.source {
            Source::Canonical(_) => None,
            Source::Translated(source) => source.generated(),
        }
    }

    pub fn report(&self) -> Report {
        match &self.source {
            Source::Canonical(source) => source.report(),
            Source::Translated(source) => source.report(),
        }
    }
}

/// Whether the data of an event that lacks its blank line was not cut.
pub(super) fn is_whole(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]" || Document::parse(data, Surrogates::Lone).is_ok()
}

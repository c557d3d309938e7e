//! A stream in a provider's own dialect, put into the client's as it comes.

use super::Report;
use super::guard::Guard;
use super::response::Piece;
use super::stream::is_whole;
use crate::chat::{ChunkWriter, Event, Usage};
use crate::error::ApiError;
use crate::estimate::Tally;
use crate::provider::StreamReader;
use crate::sse::{Frame, Splitter};

/// How much text outside of any event is kept to be looked at when the stream ends.
const STRAY_LIMIT: usize = 16 * 1024;

pub(super) struct Translated {
    splitter: Splitter,
    reader: Box<dyn StreamReader>,
    writer: ChunkWriter,
    /// What content rules let through, if any look at it.
    guard: Option<Box<Guard>>,
    stray: Vec<u8>,
    /// Whether what came so far was let go, with or without content in it.
    let_go: bool,
    early_error: Option<ApiError>,
    usage: Option<Usage>,
    /// Whether the provider has said of a choice that it ends.
    finished: bool,
}

impl Translated {
    pub fn new(
        reader: Box<dyn StreamReader>,
        writer: ChunkWriter,
        guard: Option<Box<Guard>>,
        frame_limit: usize,
    ) -> Self {
        let splitter = Splitter::new(frame_limit);
        Self {
            splitter,
            reader,
            writer,
            guard,
            stray: Vec::new(),
            let_go: false,
            early_error: None,
            usage: None,
            finished: false,
        }
    }

    pub fn push(&mut self, bytes: &[u8], ends: bool) -> Piece {
        let mut out = Vec::new();
        let Self { splitter, reader, writer, guard, stray, let_go, early_error, usage, finished } = self;
        let let_go = *let_go;
        let mut write = |event: Event<'_>| {
            match event {
                Event::Error(error) if !writer.begun() && !let_go => {
                    *early_error = early_error.take().or(Some(error))
                }
                // Nothing of an attempt that has failed unseen is shown.
                _ if early_error.is_some() => {}
                event => writer.write(event, &mut out),
            }
        };
        let mut take = |event: Event<'_>| {
            // Also of what comes after a stream was ended from here.
            match &event {
                Event::Usage(reported) => *usage = Some(*reported),
                Event::Finish { .. } => *finished = true,
                _ => {}
            }
            match guard {
                Some(guard) => guard.take(event, &mut write),
                None => write(event),
            }
        };
        let mut each = |frame: Frame<'_>| {
            if let Some(data) = &frame.data {
                reader.read(frame.name, data, &mut take);
            }
            if frame.strays && stray.len() < STRAY_LIMIT {
                stray.extend(frame.stray());
            }
        };
        let too_long = splitter.push(bytes, &mut each).is_err();
        if ends {
            splitter.finish(|frame| {
                if frame.data.as_deref().is_none_or(is_whole) {
                    each(frame);
                }
            });
            reader.finish(stray, &mut take);
        }
        if too_long {
            take(Event::Error(ApiError::bad_answer("an event of the provider's stream is too long")));
        }
        if ends && early_error.is_none() {
            if writer.begun() || let_go {
                writer.finish(&mut out);
            } else {
                let error = ApiError::bad_answer("the provider's stream ended before the answer began");
                *early_error = Some(error.coded("stream_interrupted"));
            }
        }
        Piece::Write(out)
    }

    /// Ends the stream.
    pub fn stop(&mut self, usage: Usage) -> Vec<u8> {
        let mut out = Vec::new();
        self.writer.stop(usage, &mut out);
        out
    }

    /// What came so far is let go: a failure has to be said in the stream.
    pub fn let_go(&mut self) {
        self.let_go = true;
    }

    /// Whether anything of the answer has been written.
    pub fn begun(&self) -> bool {
        self.writer.begun()
    }

    pub fn take_early_error(&mut self) -> Option<ApiError> {
        self.early_error.take()
    }

    /// Whether the provider has said that its answer is complete.
    pub fn has_finished(&self) -> bool {
        self.finished
    }

    /// What was generated so far, if content rules look at it.
    pub fn generated(&self) -> Option<Tally> {
        self.guard.as_ref().map(|guard| guard.tally())
    }

    /// What the provider said was used.
    pub fn report(&self) -> Report {
        Report::new(self.usage, self.finished)
    }
}

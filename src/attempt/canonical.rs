//! A stream that already is what the client expects: looked at, not rewritten.
//!
//! Its bytes go on as they came. Only the usage that this gateway asked for and the client did not
//! is taken out, which is the one case in which an event cut in two is held back until it is whole.

use super::Header;
use super::response::Piece;
use crate::chat::{Usage, glance};
use crate::error::ApiError;
use crate::sse::{Frame, Splitter};

pub(super) struct Canonical {
    /// Headers of the provider's that go on with the answer.
    pub kept: Vec<Header>,
    splitter: Splitter,
    hide_usage: bool,
    seen: Seen,
    /// What came before the stream was let go.
    held: Vec<u8>,
    released: bool,
}

/// What the stream has shown so far.
#[derive(Default)]
struct Seen {
    content: bool,
    finish: bool,
    /// The end mark or an error was seen.
    over: bool,
    usage: Option<Usage>,
    early_error: Option<ApiError>,
}

impl Canonical {
    pub fn new(kept: Vec<Header>, hide_usage: bool, frame_limit: usize) -> Self {
        let splitter = Splitter::new(frame_limit);
        Self { kept, splitter, hide_usage, seen: Seen::default(), held: Vec::new(), released: false }
    }

    pub fn push(&mut self, bytes: &[u8], ends: bool) -> Piece {
        let Self { splitter, seen, hide_usage, .. } = self;
        // Written to only where the bytes cannot pass as they are.
        let mut kept = Vec::new();
        let mut hidden = false;
        let cut_before = splitter.held() > 0;
        let mut each = |frame: Frame<'_>| {
            let hide = frame.data.as_deref().is_some_and(|data| seen.take(data)) && *hide_usage;
            if hide {
                hidden = true
            } else if *hide_usage {
                kept.extend_from_slice(frame.raw)
            }
        };
        let too_long = splitter.push(bytes, &mut each).is_err();
        let cut_after = splitter.held() > 0;
        if ends {
            splitter.finish(&mut each);
        }
        let rewritten = *hide_usage && (hidden || cut_before || cut_after);
        let mut tail = Vec::new();
        if too_long {
            seen.fail(ApiError::bad_answer("an event of the provider's stream is too long"), &mut tail);
        } else if ends && !seen.over {
            if seen.finish {
                tail.extend_from_slice(b"data: [DONE]\n\n");
            } else {
                let message = "the provider's stream ended before the answer was complete";
                let error = ApiError::new(502, "server_error", message).coded("stream_interrupted");
                seen.fail(error, &mut tail);
            }
        }
        match (rewritten, tail.is_empty()) {
            (false, true) => Piece::Pass,
            (false, false) => Piece::Write([bytes, &tail].concat()),
            (true, _) => {
                kept.append(&mut tail);
                Piece::Write(kept)
            }
        }
    }

    pub fn is_released(&self) -> bool {
        self.released
    }

    pub fn take_early_error(&mut self) -> Option<ApiError> {
        self.seen.early_error.take()
    }

    /// What may be let go now that `piece`, made of `bytes`, is ready: nothing before the first
    /// content, unless more than `bound` bytes are held.
    pub fn release(&mut self, piece: Piece, bytes: &[u8], bound: usize) -> Option<Piece> {
        let ready = self.seen.content || self.held.len().saturating_add(bytes.len()) > bound;
        self.released = ready;
        if ready && self.held.is_empty() {
            return Some(piece);
        }
        match piece {
            Piece::Write(rewritten) => self.held.extend(rewritten),
            _ => self.held.extend_from_slice(bytes),
        }
        ready.then(|| Piece::Write(std::mem::take(&mut self.held)))
    }

    pub fn usage(&self) -> Option<Usage> {
        self.seen.usage
    }
}

impl Seen {
    /// Takes note of an event; returns whether it is there for its usage alone.
    fn take(&mut self, data: &[u8]) -> bool {
        let glance = glance(data, self.content);
        if let Some(error) = glance.error {
            if self.content {
                // The provider's event is what the client expects, and goes on as it is.
                self.over = true;
            } else {
                self.early_error = self.early_error.take().or(Some(error));
            }
        }
        self.content |= glance.content || glance.finish;
        self.finish |= glance.finish;
        self.over |= glance.done;
        self.usage = glance.usage.or(self.usage);
        glance.only_usage
    }

    /// The stream cannot go on: unseen, that is an early error; else it is said in band.
    fn fail(&mut self, error: ApiError, out: &mut Vec<u8>) {
        if self.content {
            out.extend_from_slice(b"data: ");
            error.write(out);
            out.extend_from_slice(b"\n\n");
            self.over = true;
        } else {
            self.early_error = self.early_error.take().or(Some(error));
        }
    }
}

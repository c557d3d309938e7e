//! A stream that already is what the client expects: looked at, not rewritten.
//!
//! Its bytes go on as they came. Only the usage that this gateway asked for and the client did not
//! is taken out, and an event that is cut in two waits for its other half: half an event could not
//! be taken back if the other half never came.

use super::response::Piece;
use crate::chat::{Usage, glance};
use crate::error::ApiError;
use crate::json::{Document, Edit, Surrogates, splice};
use crate::provider::Adapter;
use crate::sse::{Frame, Splitter};

pub(super) struct Canonical {
    splitter: Splitter,
    hide_usage: bool,
    seen: Seen,
}

/// What the stream has shown so far.
struct Seen {
    adapter: &'static dyn Adapter,
    content: bool,
    finish: bool,
    /// The end mark or an error was seen.
    over: bool,
    usage: Option<Usage>,
    early_error: Option<ApiError>,
}

impl Canonical {
    pub fn new(adapter: &'static dyn Adapter, hide_usage: bool, frame_limit: usize) -> Self {
        let seen =
            Seen { adapter, content: false, finish: false, over: false, usage: None, early_error: None };
        Self { splitter: Splitter::new(frame_limit), hide_usage, seen }
    }

    pub fn push(&mut self, bytes: &[u8], ends: bool) -> Piece {
        let Self { splitter, seen, hide_usage } = self;
        let cut_before = splitter.held() > 0;
        // Frames that were begun earlier are collected; of all others only their place is noted.
        let mut joined = Vec::new();
        let mut hidden = Vec::new();
        let mut at = 0_usize;
        let too_long = splitter
            .push(bytes, |frame| {
                let hide = seen.take(&frame) && *hide_usage;
                let end = at.saturating_add(frame.raw.len());
                match (hide, cut_before) {
                    (true, _) => hidden.push(Edit { span: at..end, with: Vec::new() }),
                    (false, true) => joined.extend_from_slice(frame.raw),
                    (false, false) => {}
                }
                at = end;
            })
            .is_err();
        let cut_after = splitter.held() > 0;
        let mut tail = Vec::new();
        if ends {
            // The last event may lack its blank line, but not its last bytes.
            splitter.finish(|frame| {
                if frame.data.as_deref().is_some_and(is_whole) && !(seen.take(&frame) && *hide_usage) {
                    tail = [frame.raw, b"\n\n"].concat();
                }
            });
        }
        tail.extend(seen.end(too_long, ends));
        if cut_before {
            joined.extend(tail);
            return Piece::Write(joined);
        }
        if hidden.is_empty() && !cut_after && tail.is_empty() {
            return Piece::Pass;
        }
        let mut out = splice(bytes.get(..at).unwrap_or_default(), hidden);
        out.extend(tail);
        Piece::Write(out)
    }

    /// Whether content has been seen.
    pub fn begun(&self) -> bool {
        self.seen.content
    }

    pub fn take_early_error(&mut self) -> Option<ApiError> {
        self.seen.early_error.take()
    }

    pub fn usage(&self) -> Option<Usage> {
        self.seen.usage
    }
}

/// Whether the data of an event was not cut.
fn is_whole(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]" || Document::parse(data, Surrogates::Lone).is_ok()
}

impl Seen {
    /// Takes note of an event; returns whether it is there for its usage alone.
    fn take(&mut self, frame: &Frame<'_>) -> bool {
        let Some(data) = frame.data.as_deref() else { return false };
        let glance = glance(data, self.content);
        if glance.error && self.content {
            // The provider's event is what the client expects, and goes on as it is.
            self.over = true;
        } else if glance.error {
            // An error in a stream has no status of its own.
            self.fail(self.adapter.error(500, data));
        }
        self.content |= glance.content || glance.finish;
        self.finish |= glance.finish;
        self.over |= glance.done;
        self.usage = glance.usage.or(self.usage);
        glance.only_usage
    }

    /// What has to be said where the provider has stopped talking.
    fn end(&mut self, too_long: bool, ends: bool) -> Vec<u8> {
        let error = if too_long {
            ApiError::bad_answer("an event of the provider's stream is too long")
        } else if !ends || self.over {
            return Vec::new();
        } else if self.finish {
            return b"data: [DONE]\n\n".to_vec();
        } else {
            let message = "the provider's stream ended before the answer was complete";
            ApiError::new(502, "server_error", message).coded("stream_interrupted")
        };
        if !self.content {
            self.fail(error);
            return Vec::new();
        }
        self.over = true;
        [b"data: ", error.to_json().as_slice(), b"\n\n"].concat()
    }

    /// The stream has failed unseen.
    fn fail(&mut self, error: ApiError) {
        self.early_error = self.early_error.take().or(Some(error));
    }
}

//! A stream that already is what the client expects: looked at, not rewritten.
//!
//! Its bytes go on as they came. Only the usage that this gateway asked for and the client did not
//! is taken out, which is the one case in which an event cut in two is held back until it is whole.

use super::response::Piece;
use crate::chat::{Usage, glance};
use crate::error::ApiError;
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
        let hide_usage = *hide_usage;
        // Written to only where the bytes cannot pass as they are.
        let mut shown = Vec::new();
        let mut hidden = false;
        let cut_before = splitter.held() > 0;
        let mut each = |frame: Frame<'_>| {
            let only_usage = frame.data.as_deref().is_some_and(|data| seen.take(data));
            if hide_usage && only_usage {
                hidden = true;
            } else if hide_usage {
                shown.extend_from_slice(frame.raw);
            }
        };
        let too_long = splitter.push(bytes, &mut each).is_err();
        let cut_after = splitter.held() > 0;
        if ends {
            splitter.finish(&mut each);
        }
        let rewritten = hide_usage && (hidden || cut_before || cut_after);
        let tail = seen.end(too_long, ends);
        match (rewritten, tail.is_empty()) {
            (true, _) => Piece::Write([shown, tail].concat()),
            (false, false) => Piece::Write([bytes, &tail].concat()),
            (false, true) => Piece::Pass,
        }
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

impl Seen {
    /// Takes note of an event; returns whether it is there for its usage alone.
    fn take(&mut self, data: &[u8]) -> bool {
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

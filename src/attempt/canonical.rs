//! A stream that already is what the client expects: looked at, not rewritten.
//!
//! Its bytes go on as they came. Only the usage that this gateway asked for and the client did not
//! is taken out (also the `null` that stands for it in all other chunks), and an event that is cut
//! in two waits for its other half: half an event could not be taken back if the other half never
//! came.

use super::response::Piece;
use super::stream::is_whole;
use crate::chat::{ChunkWriter, Glancer, Usage};
use crate::error::ApiError;
use crate::json::{Document, Edit, Kind, Surrogates, splice};
use crate::provider::Adapter;
use crate::sse::{Frame, Splitter};
use std::borrow::Cow;

pub(super) struct Canonical {
    splitter: Splitter,
    hide_usage: bool,
    seen: Seen,
}

/// What the stream has shown so far.
struct Seen {
    adapter: &'static dyn Adapter,
    glancer: Box<Glancer>,
    /// Whether a failure has to be said in the stream, because something of it was let go.
    begun: bool,
    /// How many choices began, and how many ended.
    choices: u64,
    finished: u64,
    state: State,
    usage: Option<Usage>,
    early_error: Option<ApiError>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    Open,
    /// The end mark was seen.
    Ended,
    /// It has failed, and nothing more of it is shown.
    Failed,
    /// It was ended from here, and nothing more of it is shown.
    Stopped,
}

impl Canonical {
    pub fn new(adapter: &'static dyn Adapter, hide_usage: bool, frame_limit: usize) -> Self {
        let (begun, choices, finished, state) = (false, 0, 0, State::Open);
        let glancer = Box::default();
        let seen = Seen { adapter, glancer, begun, choices, finished, state, usage: None, early_error: None };
        Self { splitter: Splitter::new(frame_limit), hide_usage, seen }
    }

    pub fn push(&mut self, bytes: &[u8], ends: bool) -> Piece {
        let Self { splitter, seen, hide_usage } = self;
        let cut_before = splitter.held() > 0;
        // Frames that were begun earlier are collected; of all others only what changes is noted.
        let mut joined = Vec::new();
        let mut edits = Vec::new();
        let mut at = 0_usize;
        let too_long = splitter
            .push(bytes, |frame| {
                let edit = seen.take(&frame, *hide_usage);
                if cut_before {
                    joined.extend(splice(frame.raw, edit.into_iter().collect()));
                } else {
                    edits.extend(edit.map(|edit| edit.moved(at)));
                }
                at = at.saturating_add(frame.raw.len());
            })
            .is_err();
        let cut_after = splitter.held() > 0;
        let mut tail = Vec::new();
        if ends {
            // The last event may lack its blank line, but not its last bytes.
            splitter.finish(|frame| {
                if frame.data.as_deref().is_some_and(is_whole) {
                    tail = splice(frame.raw, seen.take(&frame, *hide_usage).into_iter().collect());
                    if !tail.is_empty() {
                        tail.extend(b"\n\n");
                    }
                }
            });
        }
        tail.extend(seen.end(too_long, ends));
        if cut_before {
            joined.extend(tail);
            return Piece::Write(joined);
        }
        if edits.is_empty() && !too_long && !cut_after && tail.is_empty() {
            return Piece::Pass;
        }
        let mut out = splice(bytes.get(..at).unwrap_or_default(), edits);
        out.extend(tail);
        Piece::Write(out)
    }

    /// What came so far is let go, whether or not there was content in it.
    pub fn let_go(&mut self) {
        self.seen.begun = true;
    }

    /// Ends the stream. `writer` writes its last chunks, which are like those in `shown`, the bytes that went out last.
    pub fn stop(&mut self, writer: ChunkWriter, shown: &[u8], usage: Usage) -> Vec<u8> {
        let mut out = Vec::new();
        if self.seen.state != State::Open {
            return out;
        }
        self.seen.state = State::Stopped;
        let choices = u32::try_from(self.seen.choices).unwrap_or(u32::MAX).clamp(1, 128);
        let mut writer = Some(writer);
        // The first event says what all chunks of the stream begin with.
        let each = |frame: Frame<'_>| {
            let chunk = frame.data.as_deref().and_then(|data| Document::parse(data, Surrogates::Lone).ok());
            if let Some((chunk, writer)) = chunk.and_then(|chunk| Some((chunk, writer.take()?))) {
                writer.going_on(chunk.root(), choices).stop(usage, &mut out);
            }
        };
        // What is too long to be an event is not looked at.
        let _ = Splitter::new(shown.len()).push(shown, each);
        out
    }

    /// Whether content has been seen.
    pub fn begun(&self) -> bool {
        self.seen.begun
    }

    pub fn take_early_error(&mut self) -> Option<ApiError> {
        self.seen.early_error.take()
    }

    pub fn usage(&self) -> Option<Usage> {
        self.seen.usage
    }
}

fn is_object(data: &[u8]) -> bool {
    Document::parse(data, Surrogates::Lone).is_ok_and(|document| document.root().kind() == Kind::Object)
}

impl Seen {
    /// Takes note of an event; returns what of it does not go on as it is.
    fn take(&mut self, frame: &Frame<'_>, hide_usage: bool) -> Option<Edit> {
        let all = |with| Some(Edit { span: 0..frame.raw.len(), with });
        if self.state == State::Failed {
            return all(Vec::new());
        }
        if self.state == State::Stopped {
            // The provider goes on until the client leaves; what it used is used.
            let glance = frame.data.as_deref().map(|data| self.glancer.glance(data, true));
            self.usage = glance.and_then(|glance| glance.usage).or(self.usage);
            return all(Vec::new());
        }
        let data = frame.data.as_deref()?;
        let glance = self.glancer.glance(data, self.begun);
        self.usage = glance.usage.or(self.usage);
        if glance.error {
            return all(self.fail(if is_object(data) {
                // An error in a stream has no status of its own.
                self.adapter.error(500, data)
            } else {
                ApiError::bad_answer("the provider's stream holds what is no chunk of an answer")
            }));
        }
        self.begun |= glance.content || glance.finishes > 0;
        self.choices = self.choices.saturating_add(glance.begins);
        self.finished = self.finished.saturating_add(glance.finishes);
        if glance.done {
            self.state = State::Ended;
        }
        if !hide_usage {
            None
        } else if glance.only_usage {
            all(Vec::new())
        } else {
            // Data of several lines is not where it is looked at; there the null stays.
            let null = glance.null_usage.filter(|_| matches!(frame.data, Some(Cow::Borrowed(_))))?;
            Some(Edit { span: null, with: Vec::new() }.moved(frame.data_at))
        }
    }

    /// What has to be said where the provider has stopped talking.
    fn end(&mut self, too_long: bool, ends: bool) -> Vec<u8> {
        let said = matches!(self.state, State::Failed | State::Stopped)
            || (self.state == State::Ended && self.begun);
        if said || !(too_long || ends) {
            Vec::new()
        } else if too_long {
            self.fail(ApiError::bad_answer("an event of the provider's stream is too long"))
        } else if self.finished > 0 && self.finished >= self.choices {
            b"data: [DONE]\n\n".to_vec()
        } else {
            let message = "the provider's stream ended before the answer was complete";
            self.fail(ApiError::new(502, "server_error", message).coded("stream_interrupted"))
        }
    }

    /// The stream has failed: what is said of it in the stream, if it is not unseen yet.
    fn fail(&mut self, error: ApiError) -> Vec<u8> {
        self.state = State::Failed;
        if self.begun {
            return [b"data: ", error.to_json().as_slice(), b"\n\n"].concat();
        }
        self.early_error = Some(error);
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Vendor;
    use crate::provider::adapter;

    const SAYS: &str =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n";
    const ENDS: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n";
    const DONE: &str = "data: [DONE]\n\n";

    fn push(hide_usage: bool, pieces: &[&str]) -> Vec<Piece> {
        let mut stream = Canonical::new(adapter(Vendor::OpenAi), hide_usage, 1000);
        pieces.iter().map(|piece| stream.push(piece.as_bytes(), false)).collect()
    }

    fn write(text: &str) -> Piece {
        Piece::Write(text.as_bytes().to_vec())
    }

    #[test]
    fn whole_events_are_not_copied() {
        let many = [SAYS, SAYS, ENDS].concat();
        assert_eq!(push(true, &[SAYS, &many, DONE]), [Piece::Pass, Piece::Pass, Piece::Pass]);
        assert_eq!(push(false, &[SAYS, &many, USAGE]), [Piece::Pass, Piece::Pass, Piece::Pass]);
    }

    #[test]
    fn only_usage_is_taken_out_of_a_piece() {
        let piece = [SAYS, ENDS, USAGE, DONE].concat();
        assert_eq!(push(true, &[&piece]), [write(&[SAYS, ENDS, DONE].concat())]);
        assert_eq!(push(true, &[USAGE]), [write("")]);
    }

    #[test]
    fn half_an_event_waits_for_its_other_half() {
        let (first, second) = SAYS.split_at(20);
        let pieces = [&[SAYS, first].concat(), second, DONE];
        assert_eq!(push(false, &pieces), [write(SAYS), write(SAYS), Piece::Pass]);
    }

    #[test]
    fn usage_is_known_whether_or_not_it_is_shown() {
        for hide_usage in [true, false] {
            let mut stream = Canonical::new(adapter(Vendor::OpenAi), hide_usage, 1000);
            stream.push([SAYS, USAGE].concat().as_bytes(), false);
            let usage = stream.usage().unwrap();
            assert_eq!((usage.prompt, usage.completion), (1, 2));
        }
    }
}

//! A stream that already is what the client expects: looked at, not rewritten.
//!
//! Its bytes go on as they came. Only the usage that this gateway asked for and the client did not
//! is taken out (also the `null` that stands for it in all other chunks), and an event that is cut
//! in two waits for its other half: half an event could not be taken back if the other half never
//! came.

use super::Report;
use super::response::Piece;
use super::stream::is_whole;
use crate::chat::{ChunkWriter, Costs, Glancer, Usage};
use crate::error::ApiError;
use crate::json::{Document, Edit, Kind, Shape, Surrogates, Value, splice};
use crate::provider::Adapter;
use crate::sse::{Frame, Frames, Splitter};
use std::borrow::Cow;
use std::ops::Range;

pub(super) struct Canonical {
    splitter: Splitter,
    hide_usage: bool,
    seen: Seen,
}

/// What the stream has shown so far.
struct Seen {
    adapter: &'static dyn Adapter,
    /// What is told of the cost with the usage, if anything.
    costs: Option<Costs>,
    glancer: Box<Glancer>,
    ordinary: Ordinary,
    /// Whether a failure has to be said in the stream, because something of it was let go.
    begun: bool,
    /// How many choices began, and which ended.
    choices: u64,
    ended: Vec<u32>,
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
    pub fn new(
        adapter: &'static dyn Adapter,
        hide_usage: bool,
        costs: Option<Costs>,
        frame_limit: usize,
    ) -> Self {
        let (begun, choices, ended, state) = (false, 0, Vec::new(), State::Open);
        let (glancer, ordinary) = Default::default();
        let (usage, early_error) = (None, None);
        let costs = costs.filter(|_| !hide_usage);
        let seen =
            Seen { adapter, costs, glancer, ordinary, begun, choices, ended, state, usage, early_error };
        Self { splitter: Splitter::new(frame_limit), hide_usage, seen }
    }

    pub fn push(&mut self, bytes: &[u8], ends: bool) -> Piece {
        let Self { splitter, seen, hide_usage } = self;
        let hide_usage = *hide_usage;
        let mut look = Look { going: Going::of(bytes, splitter.held()), seen, hide_usage };
        let too_long = splitter.push_to(bytes, &mut look).is_err();
        let Look { mut going, seen, .. } = look;
        if ends {
            // The last event may lack its blank line, but not its last bytes.
            splitter.finish(|frame| {
                if frame.data.as_deref().is_some_and(is_whole) {
                    let mut last = splice(frame.raw, seen.take(&frame, hide_usage).into_iter().collect());
                    if !last.is_empty() {
                        last.extend(b"\n\n");
                    }
                    going.say(&last);
                }
            });
        }
        going.say(&seen.end(too_long, ends));
        going.into_piece()
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
                writer.going_on(chunk.root(), choices, &self.seen.ended).stop(usage, &mut out);
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

    /// Whether the provider has said that its answer is complete.
    pub fn has_finished(&self) -> bool {
        self.seen.has_finished()
    }

    /// What the provider said was used.
    pub fn report(&self) -> Report {
        Report::new(self.seen.usage, self.has_finished())
    }
}

/// Looks at the frames of one piece.
struct Look<'p> {
    going: Going<'p>,
    seen: &'p mut Seen,
    hide_usage: bool,
}

impl Frames for Look<'_> {
    fn known(&mut self, text: &[u8]) -> Option<usize> {
        let fit = self.seen.ordinary.fits(text).filter(|_| !self.seen.is_over())?;
        let edit = fit.null_usage.filter(|_| self.hide_usage).map(|span| Edit { span, with: Vec::new() });
        self.going.take(text.get(..fit.len)?, edit);
        Some(fit.len)
    }

    fn take(&mut self, frame: Frame<'_>) {
        let edit = self.seen.take(&frame, self.hide_usage);
        self.going.take(frame.raw, edit);
    }
}

/// What of a piece goes on.
struct Going<'p> {
    piece: &'p [u8],
    /// So many bytes from its front, as they came,
    as_it_came: usize,
    /// or, once something is another, this.
    written: Option<Vec<u8>>,
}

impl<'p> Going<'p> {
    /// `held` bytes came before the piece and go on only now.
    fn of(piece: &'p [u8], held: usize) -> Self {
        let written = (held > 0).then(|| Vec::with_capacity(piece.len().saturating_add(held)));
        Self { piece, as_it_came: 0, written }
    }

    fn take(&mut self, raw: &[u8], edit: Option<Edit>) {
        if self.written.is_none() && edit.is_none() {
            self.as_it_came = self.as_it_came.saturating_add(raw.len());
            return;
        }
        let written = self.written();
        match edit {
            None => written.extend_from_slice(raw),
            Some(Edit { span, with }) => {
                written.extend_from_slice(raw.get(..span.start).unwrap_or_default());
                written.extend(with);
                written.extend_from_slice(raw.get(span.end..).unwrap_or_default());
            }
        }
    }

    fn say(&mut self, text: &[u8]) {
        if !text.is_empty() {
            self.written().extend_from_slice(text);
        }
    }

    fn written(&mut self) -> &mut Vec<u8> {
        self.written.get_or_insert_with(|| {
            let mut written = Vec::with_capacity(self.piece.len());
            written.extend_from_slice(self.piece.get(..self.as_it_came).unwrap_or_default());
            written
        })
    }

    fn into_piece(mut self) -> Piece {
        if self.written.is_none() && self.as_it_came == self.piece.len() {
            return Piece::Pass;
        }
        Piece::Write(std::mem::take(self.written()))
    }
}

/// What an event looks like that concerns nobody here, once the answer has begun: a few characters of text.
#[derive(Default)]
struct Ordinary {
    shape: Shape,
    /// How long the usage in it is that says that it comes later.
    null_usage: Option<usize>,
    /// How many shapes were learned in a row for nothing.
    idle: u8,
}

struct OrdinaryFit {
    len: usize,
    null_usage: Option<Range<usize>>,
}

impl Ordinary {
    /// So many shapes in a row that no event had show that the stream's events are not alike.
    const PATIENCE: u8 = 16;

    fn fits(&mut self, text: &[u8]) -> Option<OrdinaryFit> {
        let fit = self.shape.fits(text)?;
        self.idle = 0;
        let null_usage = self.null_usage.map(|len| fit.mark..fit.mark.saturating_add(len));
        Some(OrdinaryFit { len: fit.len, null_usage })
    }

    /// The next events may look like this one, of which nothing was to be noted but the usage that comes later.
    fn learn(&mut self, frame: &Frame<'_>, null_usage: Option<Range<usize>>) {
        // What comes after a CR tells whether that ends a line.
        let Some(Cow::Borrowed(data)) = frame.data.as_ref().filter(|_| frame.raw.ends_with(b"\n")) else {
            return;
        };
        if self.idle >= Self::PATIENCE {
            return;
        }
        if let Ok(document) = Document::parse(data, Surrogates::Lone) {
            let mark = null_usage.as_ref().map_or(0, |span| span.start).saturating_add(frame.data_at);
            self.shape.learn(frame.raw, frame.data_at, document.root(), mark);
            self.null_usage = null_usage.map(|span| span.len());
            self.idle = self.idle.saturating_add(1);
        }
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
            if let Some(glance) = glance {
                self.usage = glance.usage.or(self.usage);
                self.note_finishes(frame, glance.finishes);
            }
            return all(Vec::new());
        }
        let data = frame.data.as_deref()?;
        let begun = self.begun;
        let glance = self.glancer.glance(data, begun);
        if begun && glance.is_ordinary() {
            self.ordinary.learn(frame, glance.null_usage.clone());
        }
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
        self.note_finishes(frame, glance.finishes);
        if glance.done {
            self.state = State::Ended;
        }
        if !hide_usage {
            self.with_cost(frame, glance.usage?)
        } else if glance.only_usage {
            all(Vec::new())
        } else {
            // Data of several lines is not where it is looked at; there the null stays.
            let null = glance.null_usage.filter(|_| matches!(frame.data, Some(Cow::Borrowed(_))))?;
            Some(Edit { span: null, with: Vec::new() }.moved(frame.data_at))
        }
    }

    /// Which choices end with an event in which so many do.
    fn note_finishes(&mut self, frame: &Frame<'_>, finishes: u64) {
        if finishes == 0 {
            return;
        }
        let data = frame.data.as_deref().unwrap_or_default();
        let Ok(chunk) = Document::parse(data, Surrogates::Lone) else { return };
        let choices = chunk.root().get("choices").into_iter().flat_map(Value::items);
        let ending = choices.filter(|choice| choice.get("finish_reason").is_some());
        let index = |choice: Value<'_>| choice.get("index").and_then(Value::u64).unwrap_or(0);
        self.ended.extend(ending.filter_map(|choice| u32::try_from(index(choice)).ok()));
    }

    /// The event with what its usage cost at its end.
    fn with_cost(&self, frame: &Frame<'_>, usage: Usage) -> Option<Edit> {
        let costs = self.costs.as_ref()?;
        // Data of several lines is not where it is looked at; it goes without.
        let Some(Cow::Borrowed(data)) = &frame.data else { return None };
        if costs.adds() {
            let chunk = Document::parse(data, Surrogates::Lone).ok()?;
            let with = costs.told_in(data, chunk.root(), Some(usage));
            return Some(Edit { span: 0..data.len(), with }.moved(frame.data_at));
        }
        let end = data.iter().rposition(|byte| *byte == b'}')?;
        let mut with = Vec::new();
        costs.write(&mut with, &usage);
        Some(Edit { span: end..end, with }.moved(frame.data_at))
    }

    /// Whether all choices that began have ended.
    fn has_finished(&self) -> bool {
        !self.ended.is_empty() && self.ended.len() as u64 >= self.choices
    }

    /// Whether nothing more of the stream is shown.
    fn is_over(&self) -> bool {
        matches!(self.state, State::Failed | State::Stopped)
    }

    /// What has to be said where the provider has stopped talking.
    fn end(&mut self, too_long: bool, ends: bool) -> Vec<u8> {
        let said = self.is_over() || (self.state == State::Ended && self.begun);
        if said || !(too_long || ends) {
            Vec::new()
        } else if too_long {
            self.fail(ApiError::bad_answer("an event of the provider's stream is too long"))
        } else if self.has_finished() {
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
    use crate::json;
    use crate::money::NanoUsd;
    use crate::provider::adapter;
    use proptest::{collection, prelude::*};

    const SAYS: &str =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n";
    const ENDS: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n";
    const DONE: &str = "data: [DONE]\n\n";

    fn push(hide_usage: bool, pieces: &[&str]) -> Vec<Piece> {
        let mut stream = Canonical::new(adapter(Vendor::OpenAi), hide_usage, None, 1000);
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
    fn the_cost_is_told_with_the_usage_if_that_is_shown() {
        let told = USAGE.replace("}}\n", "},\"x_modelgate\":{\"cost_usd\":0.000000003}}\n");
        for (hide_usage, usage, expected) in
            [(false, USAGE, told.as_str()), (true, USAGE, ""), (false, SAYS, SAYS)]
        {
            let costs = Costs::new(|usage| NanoUsd::new(usage.prompt + usage.completion));
            let mut stream = Canonical::new(adapter(Vendor::OpenAi), hide_usage, Some(costs), 1000);
            let piece = [SAYS, ENDS, usage, DONE].concat();
            let shown = match stream.push(piece.as_bytes(), false) {
                Piece::Write(bytes) => String::from_utf8(bytes).unwrap(),
                _ => piece,
            };
            assert_eq!(shown, [SAYS, ENDS, expected, DONE].concat());
        }
    }

    #[test]
    fn a_choice_that_has_ended_does_not_end_again_when_the_stream_is_stopped() {
        let chunk = |index: u32, more: &str| {
            format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":{index},{more}}}]}}\n\n")
        };
        let begins =
            |index| chunk(index, r#""delta":{"role":"assistant","content":"hi"},"finish_reason":null"#);
        let piece = [begins(0), begins(1), chunk(1, r#""delta":{},"finish_reason":"stop""#)].concat();
        let mut stream = Canonical::new(adapter(Vendor::OpenAi), false, None, 1000);
        stream.push(piece.as_bytes(), false);
        let writer = ChunkWriter::new("c", "m", 1, false);
        let end = String::from_utf8(stream.stop(writer, piece.as_bytes(), Usage::default())).unwrap();
        assert!(end.contains(r#""index":0,"delta":{},"logprobs":null,"finish_reason":"length""#), "{end}");
        assert!(!end.contains(r#""index":1"#) && end.ends_with(DONE), "{end}");
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
            let mut stream = Canonical::new(adapter(Vendor::OpenAi), hide_usage, None, 1000);
            stream.push([SAYS, USAGE].concat().as_bytes(), false);
            let usage = stream.report().usage().unwrap();
            assert_eq!((usage.prompt, usage.completion), (1, 2));
        }
    }

    proptest! {
        #[test]
        fn events_known_by_sight_are_treated_as_any(
            chunks in collection::vec((r#"[a-z"\\\u{e9}{},:]*(,"usage":null|"role":"a")?"#, 0..2_u8, any::<bool>(), 0..6_u8), 1..20),
            cuts in collection::vec(1..200_usize, 1..20),
            hide_usage: bool,
            lf: bool,
        ) {
            let (mut stream, mut expected) = (SAYS.to_string(), SAYS.to_string());
            let mut ended = 0;
            for (text, index, null, sort) in chunks {
                let mut json = Vec::new();
                json::string(&mut json, &text);
                let json = String::from_utf8(json).unwrap();
                let usage = if null { ",\"usage\":null" } else { "" };
                let (delta, reason) = match sort {
                    0 => (format!("{{\"tool_calls\":[{{\"index\":{index}}}],\"content\":{json}}}"), "null"),
                    1 => ("{}".to_string(), "\"stop\""),
                    _ => (format!("{{\"content\":{json}}}"), "null"),
                };
                ended += u8::from(sort == 1);
                let end = if lf { "\n\n" } else { "\r\n\r\n" };
                let chunk = |usage: &str| format!(
                    "data: {{\"choices\":[{{\"index\":{index},\"delta\":{delta},\"finish_reason\":{reason}}}]{usage},\"n\":1}}{end}"
                );
                stream.push_str(&chunk(usage));
                expected.push_str(&chunk(if hide_usage { "" } else { usage }));
            }
            let mut canonical = Canonical::new(adapter(Vendor::OpenAi), hide_usage, None, 100_000);
            let (mut out, mut rest, mut cuts) = (Vec::new(), stream.as_bytes(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at_checked(*cuts.next().unwrap()).unwrap_or((rest, b""));
                match canonical.push(piece, after.is_empty()) {
                    Piece::Write(bytes) => out.extend(bytes),
                    _ => out.extend(piece),
                }
                rest = after;
            }
            // Whether anything ended is known from those chunks alone.
            expected.push_str(if ended > 0 { DONE } else { "" });
            let out = String::from_utf8(out).unwrap();
            prop_assert_eq!(ended == 0, out.contains("stream_interrupted"));
            prop_assert_eq!(if ended > 0 { out.as_str() } else { out.get(..expected.len()).unwrap() }, expected);
        }
    }
}

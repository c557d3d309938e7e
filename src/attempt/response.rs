//! What becomes of a provider's response: passed on, translated, or given up for the next target.

use super::canonical::Canonical;
use super::guard::Guard;
use super::stream::{Progress, Source, Stream};
use super::translated::Translated;
use super::{Attempt, Header, Report, Stage, header};
use crate::chat::{ChunkWriter, CompletionWriter, Costs, EVENT_STREAM, Event, Form, JSON, Usage};
use crate::cost;
use crate::error::{ApiError, Blame};
use crate::estimate::Tally;
use crate::health::Ended;
use crate::json::{Document, Kind, Surrogates, Value};
use crate::plan::Operation;
use crate::provider::Vectors;
use std::borrow::Cow;

/// The head of a provider's response.
#[derive(Clone, Copy, Debug)]
pub struct Head<'h> {
    /// `:status`.
    pub status: u16,
    /// All headers.
    pub headers: &'h [(&'h str, &'h [u8])],
    /// Whether no body follows.
    pub ends: bool,
}

/// The head of the answer, to be set in place of the provider's.
#[derive(Debug, Eq, PartialEq)]
pub struct Release {
    /// All headers, `:status` among them.
    pub headers: Vec<Header<'static>>,
    /// What the answer is.
    pub outcome: Outcome,
    /// Of a failure, who failed and how, for the access log: `provider=status:code`.
    pub failure: Option<String>,
}

impl Release {
    /// The `:status` among the headers.
    #[must_use]
    pub fn status(&self) -> u16 {
        let status = self.headers.iter().find(|(name, _)| name == ":status");
        status.and_then(|(_, status)| std::str::from_utf8(status).ok()?.parse().ok()).unwrap_or(500)
    }
}

/// What an answer that is let go is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The model's answer.
    Answer,
    /// An error for the client.
    Error,
    /// An error that makes Envoy try the next target.
    Retry,
}

/// What becomes of the bytes at hand.
#[derive(Debug, Eq, PartialEq)]
pub enum Piece {
    /// Envoy keeps them; they come again with the next ones.
    Wait,
    /// They were taken in; nothing goes out yet.
    Take,
    /// They go out as they are.
    Pass,
    /// These go out in their place.
    Write(Vec<u8>),
}

impl Piece {
    /// What goes out, of bytes that came as `bytes`; none where nothing does yet.
    #[must_use]
    pub fn shown<'p>(&'p self, bytes: &'p [u8]) -> Option<&'p [u8]> {
        match self {
            Self::Wait | Self::Take => None,
            Self::Pass => Some(bytes),
            Self::Write(bytes) => Some(bytes),
        }
    }
}

/// Where an answer is.
pub(super) enum Reception {
    /// There is no response yet.
    Pending,
    /// A body that only makes sense as a whole: JSON, or an error.
    Whole(Whole),
    /// A stream.
    Stream(Box<Stream>),
    /// All is said; what still comes is nobody's.
    Over {
        /// What was used.
        usage: Option<Usage>,
        /// What is yet to be said in place of the provider's body.
        body: Vec<u8>,
    },
}

/// What to keep of the head while the body is awaited.
pub(super) struct Whole {
    status: u16,
    headers: Vec<Header<'static>>,
    retry_after: bool,
}

impl Reception {
    pub fn report(&self) -> Report {
        match self {
            Self::Pending | Self::Whole(_) => Report::Missing,
            Self::Stream(stream) => stream.report(),
            Self::Over { usage, .. } => Report::new(*usage, true),
        }
    }
}

/// Statuses whose body tells whose fault it is; all other errors are the target's.
const DOUBTFUL: [u16; 3] = [400, 413, 422];

impl Attempt {
    /// Takes the head of the response. A release lets it go at once; without one it is held.
    pub fn on_response_head(&mut self, head: Head<'_>) -> Option<Release> {
        let kept = kept(&head);
        if (200..300).contains(&head.status) {
            self.spent.at(Stage::Answering);
            let content_type = find(head.headers, "content-type").unwrap_or_default();
            let is_json = content_type.to_ascii_lowercase().starts_with(b"application/json");
            self.reception = if !self.plan.stream || is_json {
                Reception::Whole(Whole { status: head.status, headers: kept, retry_after: false })
            } else {
                Reception::Stream(Box::new(Stream::new(kept, self.source())))
            };
            if head.ends {
                let error = ApiError::bad_answer(format!("{} sent an empty answer", self.target.provider));
                return Some(self.fail(error, Vec::new()));
            }
            return None;
        }
        // The next target is tried without waiting for a body that nobody would read.
        let known = self.next.is_some() && !DOUBTFUL.contains(&head.status);
        if known || head.ends {
            let error = self.adapter.error(head.status, b"");
            return Some(self.fail(error, kept));
        }
        let retry_after = find(head.headers, "retry-after").is_some();
        self.reception = Reception::Whole(Whole { status: head.status, headers: kept, retry_after });
        None
    }

    /// Whether the body's bytes, `size` of them so far, need not be looked at before the rest is there.
    #[must_use]
    pub fn waits(&self, size: usize) -> bool {
        matches!(self.reception, Reception::Whole(_)) && size <= self.bounds.response_bytes
    }

    /// Takes bytes of the body; with [`Piece::Wait`] they come again together with the next ones.
    pub fn on_response_body(&mut self, bytes: &[u8], ends: bool) -> (Option<Release>, Piece) {
        let (release, piece) = self.take_body(bytes, ends);
        if self.plan.metered.is_some() && self.spent.stage() == Stage::Answering {
            let form = match self.plan.operation {
                Operation::Chat if self.plan.stream => Some(Form::Chunks),
                Operation::Chat => Some(Form::Whole),
                // Vectors say nothing.
                Operation::Embeddings(_) => None,
            };
            match self.generated() {
                Some(tally) => self.spent.generated(tally, self.reception.report()),
                None => self.spent.note(bytes, &piece, form, self.reception.report()),
            }
        }
        match &self.reception {
            Reception::Stream(stream) => {
                self.spent.finished(stream.has_finished(), stream.report());
                if ends {
                    let has_finished = stream.has_finished();
                    self.spent.end(if has_finished { self.answered() } else { Ended::Failed });
                }
            }
            Reception::Over { .. } if self.spent.stage() == Stage::Answering => {
                self.spent.finished(true, self.reception.report());
            }
            Reception::Pending | Reception::Whole(_) | Reception::Over { .. } => {}
        }
        (release, piece)
    }

    /// Ends a stream that may use no more, `shown` being what went out last: its last chunks, with the usage so far.
    /// Nothing comes of what the provider still says.
    pub fn stop(&mut self, shown: &[u8], usage: Usage) -> Vec<u8> {
        let writer = self.chunk_writer();
        self.spent.end(Ended::Untold);
        match &mut self.reception {
            Reception::Stream(stream) => stream.stop(writer, shown, usage),
            Reception::Pending | Reception::Whole(_) | Reception::Over { .. } => Vec::new(),
        }
    }

    fn take_body(&mut self, bytes: &[u8], ends: bool) -> (Option<Release>, Piece) {
        match &mut self.reception {
            Reception::Pending => (None, Piece::Pass),
            Reception::Over { body, .. } => (None, Piece::Write(std::mem::take(body))),
            Reception::Whole(whole) if bytes.len() > self.bounds.response_bytes => {
                let limit = self.bounds.response_bytes;
                let message =
                    format!("the provider's answer is longer than this gateway's limit of {limit} bytes");
                let kept = std::mem::take(&mut whole.headers);
                self.fail_here(ApiError::bad_answer(message), kept)
            }
            Reception::Whole(_) if !ends => (None, Piece::Wait),
            Reception::Whole(_) => self.whole(bytes),
            Reception::Stream(stream) => match stream.push(bytes, ends, self.bounds.held_bytes) {
                Progress::Held => (None, Piece::Take),
                Progress::Goes(piece) => (None, piece),
                Progress::Begins(piece) => {
                    let kept = std::mem::take(&mut stream.kept);
                    let mut headers = self.head(200, EVENT_STREAM, None, kept);
                    headers.push(header("cache-control", "no-cache"));
                    (Some(Release { headers, outcome: Outcome::Answer, failure: None }), piece)
                }
                Progress::Failed(error) => {
                    let kept = std::mem::take(&mut stream.kept);
                    self.fail_here(error, kept)
                }
            },
        }
    }

    /// What was generated of an answer that content rules look at, which may be more than what is shown.
    fn generated(&self) -> Option<Tally> {
        match &self.reception {
            Reception::Stream(stream) => stream.generated(),
            _ => self.generated,
        }
    }

    fn source(&self) -> Source {
        let frame_limit = self.bounds.response_bytes;
        if let Some(screen) = &self.screen {
            let guard = Some(Box::new(Guard::new(screen)));
            Source::Translated(Translated::new(
                self.adapter.stream(),
                self.chunk_writer(),
                guard,
                frame_limit,
            ))
        } else if self.adapter.is_canonical() {
            let hide_usage = !self.plan.include_usage;
            Source::Canonical(Canonical::new(self.adapter, hide_usage, self.costs(), frame_limit))
        } else {
            Source::Translated(Translated::new(self.adapter.stream(), self.chunk_writer(), None, frame_limit))
        }
    }

    /// The whole body is there.
    fn whole(&mut self, body: &[u8]) -> (Option<Release>, Piece) {
        let Reception::Whole(whole) = std::mem::replace(&mut self.reception, over(None)) else {
            return (None, Piece::Pass);
        };
        if !(200..300).contains(&whole.status) {
            let mut error = self.adapter.error(whole.status, body);
            if whole.retry_after {
                error.retry_after = None;
            }
            return self.fail_here(error, whole.headers);
        }
        match self.answer(body) {
            Ok(piece) => {
                self.spent.end(self.answered());
                let (costs, usage) = (self.costs(), self.reception.report().usage());
                let piece = match costs.as_ref().filter(|costs| costs.adds() && !self.plan.stream) {
                    Some(costs) => told(costs, piece, body, usage),
                    None => piece,
                };
                let length = match &piece {
                    Piece::Write(body) => body.len(),
                    _ => body.len(),
                };
                let content_type = if self.plan.stream { EVENT_STREAM } else { JSON };
                let mut headers = self.head(200, content_type, Some(length), whole.headers);
                let usage = usage.or_else(|| self.expected_usage());
                if let Some(cost) = costs.zip(usage).and_then(|(costs, usage)| costs.of(&usage)) {
                    headers.push(header("x-modelgate-cost-usd", cost.to_string()));
                }
                (Some(Release { headers, outcome: Outcome::Answer, failure: None }), piece)
            }
            Err(error) => self.fail_here(error, whole.headers),
        }
    }

    /// An answer that came as one JSON text, in the form the client asked for.
    fn answer(&mut self, body: &[u8]) -> Result<Piece, ApiError> {
        let name = &self.target.provider;
        let document = Document::parse(body, Surrogates::Lone).map_err(|error| {
            ApiError::bad_answer(format!("{name} sent an answer that is not JSON: {error}"))
        })?;
        let root = document.root();
        if let Operation::Embeddings(wanted) = self.plan.operation {
            let Vectors { body, usage } = self.adapter.embedded(body, root, wanted, self.put_to())?;
            self.reception = over(usage);
            return Ok(body.map_or(Piece::Pass, Piece::Write));
        }
        if self.plan.stream {
            return self.streamed(root);
        }
        let mut guard = self.screen.as_ref().map(Guard::new);
        let mut writer = CompletionWriter::new(&self.answer_id(), &self.target.model, self.now)
            .with_functions(self.plan.functions);
        let passes = self.adapter.is_canonical()
            && root.get("choices").is_some_and(|choices| choices.items().next().is_some());
        let mut write = |event: Event<'_>| writer.write(event);
        if let Some(guard) = &mut guard {
            self.adapter.answer(root, &mut |event| guard.take(event, &mut write));
            self.generated = Some(guard.tally());
        } else if !passes {
            self.adapter.answer(root, &mut write);
        }
        // What nothing was found in is passed on as it came.
        if passes && !self.screen.as_ref().is_some_and(|screen| screen.has_fired()) {
            self.reception = over(root.get("usage").map(Usage::read));
            return Ok(Piece::Pass);
        }
        let usage = writer.usage();
        let mut out = Vec::with_capacity(body.len());
        writer.finish(&mut out)?;
        self.reception = over(usage);
        Ok(Piece::Write(out))
    }

    /// A whole answer to a client that asked for a stream: one object, or a list of the stream's
    /// chunks, as Gemini sends without `alt=sse`.
    fn streamed(&mut self, root: Value<'_>) -> Result<Piece, ApiError> {
        let mut writer = self.chunk_writer();
        let mut out = Vec::new();
        let mut failed = None;
        let mut guard = self.screen.as_ref().map(Guard::new);
        let mut write = |event: Event<'_>| match event {
            Event::Error(error) if !writer.begun() => failed = failed.take().or(Some(error)),
            event => writer.write(event, &mut out),
        };
        let mut take = |event: Event<'_>| match &mut guard {
            Some(guard) => guard.take(event, &mut write),
            None => write(event),
        };
        if root.kind() == Kind::Array {
            let mut reader = self.adapter.stream();
            for chunk in root.items() {
                reader.read(b"", chunk.raw(), &mut take);
            }
            reader.finish(b"", &mut take);
        } else {
            self.adapter.answer(root, &mut take);
            take(Event::End);
        }
        self.generated = guard.map(|guard| guard.tally());
        if let Some(error) = failed {
            return Err(error);
        }
        if !writer.begun() {
            return Err(ApiError::bad_answer(format!(
                "{} sent an answer without content",
                self.target.provider
            )));
        }
        writer.finish(&mut out);
        self.reception = over(writer.usage());
        Ok(Piece::Write(out))
    }

    /// Gives up: for good, or so that Envoy tries the next target.
    fn fail(&mut self, mut error: ApiError, kept: Vec<Header<'static>>) -> Release {
        // An error within a 200 has no status of its own.
        if error.status < 400 {
            error.status = 502;
        }
        let retry = self.next.is_some() && error.blame == Blame::Target;
        // Of these statuses Envoy is configured to retry; an attempt is given up as one of them.
        let retriable = matches!(error.status, 408 | 429 | 500..=599);
        let status = if retry && !retriable { 503 } else { error.status };
        let body = error.to_json();
        self.spent.end(ended(&error, &kept));
        let mut headers = self.head(status, JSON, Some(body.len()), kept);
        if let Some(seconds) = error.retry_after {
            headers.push(header("retry-after", seconds.to_string()));
        }
        let outcome = if retry { Outcome::Retry } else { Outcome::Error };
        self.reception = Reception::Over { usage: None, body };
        let what = error
            .code
            .as_deref()
            .map_or_else(|| error.status.to_string(), |code| format!("{}:{code}", error.status));
        self.spent.fail(&what);
        Release { headers, outcome, failure: Some(format!("{}={what}", self.target.provider)) }
    }

    /// Gives up while bytes of the body are at hand, which the error's then replace.
    fn fail_here(&mut self, error: ApiError, kept: Vec<Header<'static>>) -> (Option<Release>, Piece) {
        let release = self.fail(error, kept);
        let (_, piece) = self.take_body(b"", true);
        (Some(release), piece)
    }

    /// Gives up before the provider is asked, for good: Envoy retries only what a provider said.
    pub fn refuse(&mut self, error: ApiError) -> Release {
        self.next = None;
        let release = self.fail(error, Vec::new());
        self.spent.end(Ended::Untold);
        release
    }

    /// The headers of an answer: what it is, what is kept of the provider's, and how it came.
    fn head(
        &self,
        status: u16,
        content_type: &'static str,
        length: Option<usize>,
        kept: Vec<Header<'static>>,
    ) -> Vec<Header<'static>> {
        let status = if status == 200 { Cow::Borrowed("200") } else { status.to_string().into() };
        let mut headers = Vec::with_capacity(12);
        headers.push(header(":status", status));
        headers.push(header("content-type", content_type));
        headers.extend(length.map(|length| header("content-length", length.to_string())));
        if !kept.iter().any(|(name, _)| name == "x-request-id") && !self.plan.request_id.is_empty() {
            headers.push(header("x-request-id", self.plan.request_id.clone()));
        }
        headers.extend(kept);
        headers.push(header("x-modelgate-provider", self.target.provider.to_string()));
        headers.push(header("x-modelgate-model", self.target.name.to_string()));
        headers.push(header("x-modelgate-attempts", self.number.to_string()));
        let fired = self.fired();
        if !fired.is_empty() {
            headers.push(header("x-modelgate-content-rules", fired));
        }
        if !self.degraded.is_empty() {
            headers.push(header("x-modelgate-degraded", self.degraded.clone()));
        }
        if !self.dropped().is_empty() {
            headers.push(header("x-modelgate-dropped", self.dropped().to_string()));
        }
        headers
    }

    /// The end of a whole answer.
    fn answered(&self) -> Ended {
        let usage = self.reception.report().usage();
        Ended::Answered { tokens: usage.map_or(0, |usage| usage.completion) }
    }

    /// What the answer costs, where that is counted, and what was used before it was asked for.
    fn costs(&self) -> Option<Costs> {
        let images = self.plan.metered.unwrap_or(0);
        let rule = self.price.map(|price| Costs::new(move |usage| cost::cost(&price, usage, images)));
        match &self.before {
            None => rule,
            before => Some(rule.unwrap_or_default().after(before.clone())),
        }
    }

    /// What an answer is taken to have used whose provider does not say, where that is known beforehand.
    fn expected_usage(&self) -> Option<Usage> {
        match self.plan.operation {
            Operation::Chat => None,
            Operation::Embeddings(wanted) => Some(Usage { prompt: wanted.tokens, ..Usage::default() }),
        }
    }

    fn answer_id(&self) -> String {
        format!("chatcmpl-{}", self.plan.request_id)
    }

    fn chunk_writer(&self) -> ChunkWriter {
        ChunkWriter::new(&self.answer_id(), &self.target.model, self.now, self.plan.include_usage)
            .with_functions(self.plan.functions)
            .with_costs(self.costs())
    }
}

/// A whole answer, which came as `body` and goes out as `piece`, with what was used in all.
fn told(costs: &Costs, piece: Piece, body: &[u8], usage: Option<Usage>) -> Piece {
    let text = match &piece {
        Piece::Write(text) => text,
        _ => body,
    };
    match Document::parse(text, Surrogates::Lone) {
        Ok(answer) => Piece::Write(costs.told_in(text, answer.root(), usage)),
        Err(_) => piece,
    }
}

/// What an error that came with these headers tells of the target.
fn ended(error: &ApiError, headers: &[Header<'static>]) -> Ended {
    let number = |name| {
        let (_, value) = headers.iter().find(|(other, _)| other == name)?;
        std::str::from_utf8(value).ok()?.trim().parse::<f64>().ok()
    };
    let said = number("retry-after-ms").or_else(|| Some(number("retry-after")? * 1_000.0));
    let retry_after_ms = said
        .filter(|ms| *ms >= 0.0)
        .map(|ms| ms as u64)
        .or_else(|| error.retry_after.map(|seconds| seconds.saturating_mul(1_000)));
    match error.status {
        429 => Ended::Limited { retry_after_ms },
        503 if retry_after_ms.is_some() => Ended::Limited { retry_after_ms },
        401..=404 | 408 | 500..=599 => Ended::Failed,
        _ => Ended::Untold,
    }
}

/// The end, with nothing more to say.
fn over(usage: Option<Usage>) -> Reception {
    Reception::Over { usage, body: Vec::new() }
}

/// Those headers of the provider's that mean something to the client: its request id and when to
/// try again. All others (cookies, organisation, server) are the provider's affair with the gateway.
fn kept(head: &Head<'_>) -> Vec<Header<'static>> {
    let mut kept = Vec::new();
    for (name, value) in head.headers {
        let name = match *name {
            "x-request-id" => "x-request-id",
            "request-id" if find(head.headers, "x-request-id").is_none() => "x-request-id",
            "retry-after" => "retry-after",
            "retry-after-ms" => "retry-after-ms",
            "x-should-retry" => "x-should-retry",
            _ => continue,
        };
        kept.push((name.into(), value.to_vec().into()));
    }
    kept
}

fn find<'h>(headers: &[(&str, &'h [u8])], name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
}

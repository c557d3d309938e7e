//! The body of an answer: steps made beforehand (bytes, waits, a failure), played one after another.
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::directives::Directives;
use crate::record::{Ending, Entry};

/// One event of a stream, framed as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The bytes.
    pub bytes: Bytes,
    /// Whether it carries content for the user (text, reasoning, a tool call).
    pub content: bool,
}

/// One step of an answer's body.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Wait.
    Wait(Duration),
    /// Send.
    Data(Bytes),
    /// Let the connection write what it holds.
    Flush,
    /// Close the connection without the body's end.
    Fail,
    /// End with trailers.
    Trailers(HeaderMap),
}

/// How long written bytes are given to leave before the connection is closed under them.
const LINGER: Duration = Duration::from_millis(20);

/// The steps that send these events as told.
pub fn steps(events: Vec<Event>, told: &Directives) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    let wait = |steps: &mut VecDeque<Step>, millis: u64| {
        if millis > 0 {
            steps.push_back(Step::Wait(Duration::from_millis(millis)));
        }
    };
    wait(&mut steps, told.delay_first);
    let (mut contents, last) = (0, events.len().saturating_sub(1));
    for (n, event) in events.into_iter().enumerate() {
        if event.content {
            wait(&mut steps, if contents == 0 { told.delay_content } else { told.delay_chunk });
            contents += 1;
        }
        if n == last {
            wait(&mut steps, told.delay_end);
        }
        steps.push_back(Step::Data(event.bytes));
    }
    if let Some(size) = told.split {
        steps = split(steps, size, Duration::from_millis(told.gap));
    }
    match (told.cut, told.end) {
        (Some(limit), _) => {
            truncate(&mut steps, limit);
            steps.extend([Step::Flush, Step::Wait(LINGER), Step::Fail]);
        }
        (None, Some(limit)) => truncate(&mut steps, limit),
        (None, None) => {}
    }
    let trailers = told.trailers.iter().filter_map(|(n, v)| Some((n.parse().ok()?, v.parse().ok()?)));
    let trailers: HeaderMap = trailers.collect();
    if !trailers.is_empty() {
        steps.push_back(Step::Trailers(trailers));
    }
    steps
}

/// Runs of data become pieces of `size` bytes, each flushed.
fn split(steps: VecDeque<Step>, size: usize, gap: Duration) -> VecDeque<Step> {
    let (mut out, mut held) = (VecDeque::new(), Vec::new());
    let spill = |held: &mut Vec<u8>, out: &mut VecDeque<Step>| {
        let mut rest = Bytes::from(std::mem::take(held));
        while !rest.is_empty() {
            out.push_back(Step::Data(rest.split_to(size.min(rest.len()))));
            out.push_back(if gap.is_zero() { Step::Flush } else { Step::Wait(gap) });
        }
    };
    for step in steps {
        match step {
            Step::Data(bytes) => held.extend_from_slice(&bytes),
            other => {
                spill(&mut held, &mut out);
                out.push_back(other);
            }
        }
    }
    spill(&mut held, &mut out);
    // Nothing follows the last piece: a body of known length is not asked for more.
    while matches!(out.back(), Some(Step::Flush | Step::Wait(_))) {
        out.pop_back();
    }
    out
}

/// Keeps what comes before `limit` bytes of data have gone.
fn truncate(steps: &mut VecDeque<Step>, limit: u64) {
    let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut keep = 0;
    for step in steps.iter_mut() {
        if left == 0 {
            break;
        }
        keep += 1;
        if let Step::Data(bytes) = step {
            bytes.truncate(left);
            left -= bytes.len();
        }
    }
    steps.truncate(keep);
}

/// A body that plays steps and notes in the record how it ended.
pub struct Playback {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    length: Option<u64>,
    entry: Option<Arc<Entry>>,
    reset: Option<Arc<AtomicBool>>,
}

impl Playback {
    /// Plays `steps`; `length` is the content length to declare, which need not be what the steps send.
    pub fn new(steps: VecDeque<Step>, length: Option<u64>, entry: Arc<Entry>) -> Playback {
        Playback { steps, sleep: None, length, entry: Some(entry), reset: None }
    }

    /// One piece that nobody records.
    pub fn unrecorded(bytes: Bytes) -> Playback {
        let length = Some(bytes.len() as u64);
        Playback { steps: VecDeque::from([Step::Data(bytes)]), sleep: None, length, entry: None, reset: None }
    }

    /// Lets a failure raise this flag, by which the connection knows to reset instead of closing.
    pub fn resetting(mut self, flag: Arc<AtomicBool>) -> Playback {
        self.reset = Some(flag);
        self
    }

    fn end(&mut self, ending: Ending) {
        if let Some(entry) = &self.entry {
            entry.end(ending);
        }
    }
}

impl Body for Playback {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                std::task::ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            match self.steps.pop_front() {
                Some(Step::Wait(time)) => self.sleep = Some(Box::pin(sleep(time))),
                Some(Step::Data(bytes)) if bytes.is_empty() => {}
                Some(Step::Data(bytes)) => {
                    if let Some(entry) = &self.entry {
                        entry.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    }
                    if self.steps.is_empty() {
                        self.end(Ending::Complete);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Step::Flush) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Fail) => {
                    self.end(Ending::Cut);
                    if let Some(flag) = &self.reset {
                        flag.store(true, Ordering::Relaxed);
                    }
                    return Poll::Ready(Some(Err(io::Error::other("cut as told"))));
                }
                Some(Step::Trailers(trailers)) => {
                    self.end(Ending::Complete);
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                None => {
                    self.end(Ending::Complete);
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Playback {
    fn drop(&mut self) {
        self.end(if self.steps.is_empty() { Ending::Complete } else { Ending::ClientClosed });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Directives {
        Directives::of_model(&format!("m+{text}")).1.unwrap()
    }

    fn event(text: &'static str, content: bool) -> Event {
        Event { bytes: Bytes::from_static(text.as_bytes()), content }
    }

    fn data(text: &'static str) -> Step {
        Step::Data(Bytes::from_static(text.as_bytes()))
    }

    fn wait(millis: u64) -> Step {
        Step::Wait(Duration::from_millis(millis))
    }

    #[test]
    fn steps_follow_the_directives() {
        let cases: Vec<(&str, Vec<Step>)> = vec![
            ("lax", vec![data("role"), data("one"), data("two"), data("end")]),
            ("delay_first=5", vec![wait(5), data("role"), data("one"), data("two"), data("end")]),
            ("delay_content=6", vec![data("role"), wait(6), data("one"), data("two"), data("end")]),
            ("delay_chunk=7", vec![data("role"), data("one"), wait(7), data("two"), data("end")]),
            ("delay_end=8", vec![data("role"), data("one"), data("two"), wait(8), data("end")]),
            ("cut=5", vec![data("role"), data("o"), Step::Flush, Step::Wait(LINGER), Step::Fail]),
            ("cut=0", vec![Step::Flush, Step::Wait(LINGER), Step::Fail]),
            ("end=7", vec![data("role"), data("one")]),
            ("split=9", vec![data("roleonetw"), Step::Flush, data("oend")]),
            ("split=20+gap=3", vec![data("roleonetwoend")]),
        ];
        for (text, expected) in cases {
            let events =
                vec![event("role", false), event("one", true), event("two", true), event("end", false)];
            assert_eq!(Vec::from(steps(events, &told(text))), expected, "{text}");
        }
    }
}

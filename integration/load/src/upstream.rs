//! The upstream: bytes made beforehand, sent at the pace that the request's model names.

use crate::answers::{Answers, Dialect, headers};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{Sleep, sleep};

struct Upstream {
    openai: Answers,
    anthropic: Answers,
    pace: Duration,
}

/// Serves on a port the system chooses, which it prints, until the process is ended.
pub async fn serve(chunks: usize, pace: Duration) -> io::Result<()> {
    let upstream = Rc::new(Upstream {
        openai: Answers::of(Dialect::OpenAi, chunks),
        anthropic: Answers::of(Dialect::Anthropic, chunks),
        pace,
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let connections = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(connection(Rc::clone(&upstream), stream));
        }
    };
    LocalSet::new().run_until(connections).await
}

async fn connection(upstream: Rc<Upstream>, stream: TcpStream) {
    let service = service_fn(|request| upstream.answer(request));
    // One write for all that is ready, and a connection's end concerns only its client.
    let _ = http1::Builder::new().writev(false).serve_connection(TokioIo::new(stream), service).await;
}

impl Upstream {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Playback>, Infallible> {
        let (dialect, answers) = match request.uri().path() {
            path if path.ends_with("/chat/completions") => (Dialect::OpenAi, &self.openai),
            path if path.ends_with("/messages") => (Dialect::Anthropic, &self.anthropic),
            _ => return Ok(refusal(StatusCode::NOT_FOUND)),
        };
        let Ok(body) = request.into_body().collect().await else {
            return Ok(refusal(StatusCode::BAD_REQUEST));
        };
        let body = body.to_bytes();
        let (events, manner) = match model(&body) {
            b"answer" => (std::slice::from_ref(&answers.json), Manner::Whole),
            b"burst" => (answers.stream.as_slice(), Manner::Burst),
            b"paced" => (answers.long_stream.as_slice(), Manner::Paced(self.pace)),
            b"hold" => (answers.stream.as_slice(), Manner::Hold),
            _ => return Ok(refusal(StatusCode::BAD_REQUEST)),
        };
        let mut response = Response::new(Playback::new(events.to_vec(), manner));
        let into = response.headers_mut();
        let content_type = match manner {
            Manner::Whole => "application/json",
            _ => "text/event-stream; charset=utf-8",
        };
        into.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (name, value) in headers(dialect) {
            into.insert(*name, HeaderValue::from_static(value));
        }
        Ok(response)
    }
}

fn refusal(status: StatusCode) -> Response<Playback> {
    let mut response = Response::new(Playback::new(Vec::new(), Manner::Whole));
    *response.status_mut() = status;
    response
}

/// The value of the first `"model":` of a body that has no space there.
fn model(body: &[u8]) -> &[u8] {
    const KEY: &[u8] = br#""model":""#;
    let Some(at) = memchr::memmem::find(body, KEY) else { return b"" };
    let value = &body[at + KEY.len()..];
    &value[..memchr::memchr(b'"', value).unwrap_or(0)]
}

#[derive(Clone, Copy)]
enum Manner {
    Whole,
    Burst,
    Paced(Duration),
    Hold,
}

/// How many events come at once before the pace begins: up to the first words in either dialect.
const OPENING: usize = 4;

/// A body that plays events.
struct Playback {
    events: std::vec::IntoIter<Bytes>,
    played: usize,
    manner: Manner,
    pause: Option<Pin<Box<Sleep>>>,
    /// Whether the connection was given the occasion to write what it holds.
    flushed: bool,
}

impl Playback {
    fn new(events: Vec<Bytes>, manner: Manner) -> Self {
        Self { events: events.into_iter(), played: 0, manner, pause: None, flushed: false }
    }
}

impl Body for Playback {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.played >= OPENING {
            match self.manner {
                Manner::Hold => return Poll::Pending,
                Manner::Paced(pace) => {
                    let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(pace)));
                    std::task::ready!(pause.as_mut().poll(context));
                    self.pause = None;
                }
                // As providers send them: each chunk a packet of its own, one right after the other.
                Manner::Burst => {
                    self.flushed = !self.flushed;
                    if self.flushed {
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Manner::Whole => {}
            }
        }
        self.played += 1;
        Poll::Ready(self.events.next().map(|event| Ok(Frame::data(event))))
    }

    fn size_hint(&self) -> SizeHint {
        match self.manner {
            Manner::Whole => {
                SizeHint::with_exact(self.events.as_slice().iter().map(|e| e.len() as u64).sum())
            }
            _ => SizeHint::default(),
        }
    }
}

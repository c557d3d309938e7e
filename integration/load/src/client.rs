//! The clients: each has one connection and sends one request after the other.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// What every client sends.
#[derive(Clone, Debug)]
pub struct Request {
    pub to: SocketAddr,
    pub path: String,
    pub body: Bytes,
    /// The clients' API keys, which they have in turn.
    pub keys: Vec<String>,
}

impl Request {
    fn key(&self, client: usize) -> &str {
        self.keys.get(client % self.keys.len().max(1)).map_or("", String::as_str)
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    answered: usize,
    /// What went wrong, for the first that did.
    failure: Option<String>,
    bytes: usize,
    first_bytes: Vec<Duration>,
    took: Duration,
}

impl Report {
    pub fn to_json(&self) -> Value {
        let mut first = self.first_bytes.clone();
        first.sort_unstable();
        let median = first.get(first.len() / 2).copied().unwrap_or_default();
        json!({
            "answered": self.answered,
            "failure": self.failure,
            "bytes": self.bytes,
            "seconds": self.took.as_secs_f64(),
            "first_byte_us": median.as_secs_f64() * 1e6,
        })
    }
}

/// Sends `requests` in all over `connections`.
pub async fn drive(request: Request, requests: usize, connections: usize) -> Report {
    let report = Rc::new(RefCell::new(Report::default()));
    let left = Rc::new(Cell::new(requests));
    let clients = LocalSet::new();
    let begun = Instant::now();
    for number in 0..connections.min(requests) {
        let (request, report, left) = (request.clone(), Rc::clone(&report), Rc::clone(&left));
        clients.spawn_local(async move {
            if let Err(failure) = client(&request, number, &report, &left).await {
                report.borrow_mut().failure.get_or_insert(failure.to_string());
            }
        });
    }
    clients.await;
    Report { took: begun.elapsed(), ..report.take() }
}

async fn client(
    request: &Request,
    number: usize,
    report: &RefCell<Report>,
    left: &Cell<usize>,
) -> io::Result<()> {
    let mut connection = connect(request.to).await?;
    while left.get() > 0 {
        left.set(left.get() - 1);
        let begun = Instant::now();
        let mut body = send(&mut connection, request, request.key(number)).await?;
        let (mut bytes, mut first) = (0, None);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(io::Error::other)?;
            bytes += frame.data_ref().map_or(0, Bytes::len);
            first.get_or_insert_with(|| begun.elapsed());
        }
        let mut report = report.borrow_mut();
        report.answered += 1;
        report.bytes += bytes;
        report.first_bytes.extend(first);
    }
    Ok(())
}

/// Opens `streams` and keeps them until standard input ends.
pub async fn hold(request: Request, streams: usize) -> io::Result<()> {
    let clients = LocalSet::new();
    let opening = async {
        let mut open = Vec::with_capacity(streams);
        for number in 0..streams {
            let mut connection = connect(request.to).await?;
            let mut body = send(&mut connection, &request, request.key(number)).await?;
            body.frame().await.transpose().map_err(io::Error::other)?;
            open.push((connection, body));
        }
        println!("open");
        tokio::io::stdin().read_to_end(&mut Vec::new()).await.map(|_| ())
    };
    clients.run_until(opening).await
}

async fn connect(to: SocketAddr) -> io::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::task::spawn_local(connection);
    Ok(sender)
}

async fn send(
    connection: &mut SendRequest<Full<Bytes>>,
    request: &Request,
    key: &str,
) -> io::Result<Incoming> {
    let sent = hyper::Request::builder()
        .method(Method::POST)
        .uri(&request.path)
        .header(HOST, "gateway.example")
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, format!("Bearer {key}"))
        .header("user-agent", "OpenAI/Python 2.8.0")
        .header("accept", "application/json")
        .header("x-stainless-lang", "python")
        .header("x-stainless-package-version", "2.8.0")
        .header("x-stainless-runtime", "CPython")
        .header("x-stainless-retry-count", "0")
        .body(Full::new(request.body.clone()))
        .map_err(io::Error::other)?;
    connection.ready().await.map_err(io::Error::other)?;
    let answer = connection.send_request(sent).await.map_err(io::Error::other)?;
    let status = answer.status();
    let mut body = answer.into_body();
    if status != StatusCode::OK {
        let said = match body.frame().await {
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            _ => Bytes::new(),
        };
        return Err(io::Error::other(format!("{status}: {}", String::from_utf8_lossy(&said))));
    }
    Ok(body)
}

//! The HTTP side: connections, bodies, and who answers which path.
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::control::control;
use crate::exchange::{exchange, plain};
use crate::lanes::Lanes;
use crate::playback::Playback;
use crate::record::Entry;
use crate::replay::Recordings;
use crate::route::Route;

const MAX_BODY: usize = 128 << 20;

/// What all connections share.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) lanes: Lanes,
    pub(crate) recordings: Recordings,
}

/// What an answer may do to its connection.
#[derive(Clone, Default)]
pub(crate) struct Link {
    /// Raised to have the connection reset, not closed, when it is dropped.
    pub(crate) reset: Arc<AtomicBool>,
}

/// The mock providers, ready to listen.
pub struct Server(Arc<Shared>);

impl Server {
    /// A server with the recordings of a folder, if one is given.
    ///
    /// # Errors
    /// If the folder's manifest or a file it names cannot be read.
    pub fn new(fixtures: Option<&std::path::Path>) -> io::Result<Server> {
        let recordings = fixtures.map(Recordings::read).transpose()?.unwrap_or_default();
        Ok(Server(Arc::new(Shared { recordings, ..Shared::default() })))
    }

    /// Serves the listener's connections until the future is dropped.
    pub async fn serve(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(connection(self.0.clone(), stream));
                }
                // Out of file descriptors, most likely: some will be given back.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            }
        }
    }
}

/// Binds `address` for listening.
///
/// # Errors
/// If the address cannot be had.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    let link = Link::default();
    let stream = Resettable { stream, reset: link.reset.clone() };
    let service = service_fn(move |request| {
        let (shared, link) = (shared.clone(), link.clone());
        async move { answer(&shared, &link, request).await }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().writev(false);
    // A connection's end, good or bad, concerns only its client.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(shared: &Shared, link: &Link, request: Request<Incoming>) -> io::Result<Response<Playback>> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(why) => return Ok(plain(StatusCode::BAD_REQUEST, &json!({"error": format!("mock: {why}")}))),
    };
    if parts.uri.path().starts_with("/_mock/") {
        let (status, value) = control(shared, &parts.method, parts.uri.path(), parts.uri.query(), &body);
        return Ok(plain(status, &value));
    }
    let route = Route::of(parts.uri.path(), parts.uri.query()).told_by(&parts.headers);
    let entry = |order| Entry::new(order, route.provider, (parts.method, parts.uri, parts.headers), body);
    let entry = shared.lanes.remember(&route.lane, entry);
    exchange(shared, link, &route, entry).await.map_err(|_| io::Error::other("reset as told"))
}

/// A stream that is reset when dropped, if so told: the peer sees RST instead of an orderly end.
struct Resettable {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Resettable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.reset.load(Ordering::Relaxed) {
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}

//! gRPC, as much as one method without streams needs: a frame in, a frame and the status out, over HTTP/2.
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};

use crate::counters::count;
use crate::limits::Limits;
use crate::messages::RateLimitRequest;
use crate::redis::Redis;

const METHOD: &str = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
const MAX_BODY: usize = 1 << 20;
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const OK: HeaderValue = HeaderValue::from_static("0");
const INVALID: HeaderValue = HeaderValue::from_static("3");
const UNIMPLEMENTED: HeaderValue = HeaderValue::from_static("12");
const UNAVAILABLE: HeaderValue = HeaderValue::from_static("14");

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// The service, ready to listen.
pub struct Server {
    /// What is limited.
    pub limits: Limits,
    /// Where it is counted.
    pub redis: Redis,
}

/// Binds `address` for listening.
///
/// # Errors
/// If the address cannot be had.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

impl Server {
    /// Serves the listener's connections until the future is dropped.
    pub async fn serve(self, listener: TcpListener) {
        let server = Arc::new(self);
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(connection(server.clone(), stream));
                }
                // Out of file descriptors, most likely: some will be given back.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        if request.uri().path() != METHOD {
            return failed(UNIMPLEMENTED);
        }
        let body = Limited::new(request.into_body(), MAX_BODY).collect().await;
        let request = body.ok().and_then(|body| unframed(&body.to_bytes()));
        let Some(request) =
            request.filter(|request| !request.domain.is_empty() && !request.descriptors.is_empty())
        else {
            return failed(INVALID);
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match count(&request, &self.limits, &self.redis, now).await {
            Ok(response) => answered(&response),
            Err(why) => {
                eprintln!("Redis cannot be asked: {why}");
                failed(UNAVAILABLE)
            }
        }
    }
}

async fn connection(server: Arc<Server>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let server = server.clone();
        async move { Ok::<_, Infallible>(server.answer(request).await) }
    });
    // A connection's end, good or bad, concerns only its client.
    let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// The message in a body of one frame that is not compressed.
fn unframed(body: &[u8]) -> Option<RateLimitRequest> {
    let (head, message) = body.split_at_checked(5)?;
    (head[0] == 0).then(|| RateLimitRequest::decode(message).ok())?
}

fn answered(message: &impl Message) -> Answer {
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(u32::try_from(message.encoded_len()).unwrap_or_default());
    body.extend_from_slice(&message.encode_to_vec());
    let trailers = HeaderMap::from_iter([(STATUS, OK)]);
    grpc(Full::new(body.freeze()).with_trailers(async { Some(Ok(trailers)) }).boxed())
}

fn failed(status: HeaderValue) -> Answer {
    let mut answer = grpc(Full::default().boxed());
    answer.headers_mut().insert(STATUS, status);
    answer
}

fn grpc(body: BoxBody<Bytes, Infallible>) -> Answer {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    answer
}

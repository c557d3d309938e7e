//! One request as it came, and how its answer ended.
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

use crate::answer::Usage;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ending {
    /// Not yet.
    Open = 0,
    /// The whole body was handed over.
    Complete = 1,
    /// The mock closed or reset the connection, as told.
    Cut = 2,
    /// The client went away first.
    ClientClosed = 3,
}

/// A recorded request.
pub struct Entry {
    /// The order of arrival over all lanes.
    pub order: u64,
    /// When it came.
    pub at: SystemTime,
    /// The same, to measure from.
    pub started: Instant,
    /// Who was asked.
    pub provider: &'static str,
    /// Method.
    pub method: Method,
    /// Path and query as they came.
    pub uri: Uri,
    /// Headers in the order they came.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Bytes,
    /// What was to be done.
    pub told: OnceLock<Value>,
    /// What the answer reports to have used, if it reports that and comes to its end.
    pub usage: OnceLock<Usage>,
    /// Why the request was refused, if it was not valid.
    pub refused: OnceLock<String>,
    /// The status of the answer; 0 while there is none.
    pub status: AtomicU16,
    /// Body bytes handed over.
    pub sent: AtomicU64,
    ending: AtomicU8,
    ended_after: AtomicU64,
}

impl Entry {
    /// A request that has just come.
    pub fn new(order: u64, provider: &'static str, parts: (Method, Uri, HeaderMap), body: Bytes) -> Entry {
        let (method, uri, headers) = parts;
        Entry {
            order,
            at: SystemTime::now(),
            started: Instant::now(),
            provider,
            method,
            uri,
            headers,
            body,
            told: OnceLock::new(),
            usage: OnceLock::new(),
            refused: OnceLock::new(),
            status: AtomicU16::new(0),
            sent: AtomicU64::new(0),
            ending: AtomicU8::new(Ending::Open as u8),
            ended_after: AtomicU64::new(0),
        }
    }

    /// Notes how the answer ended; the first word counts.
    pub fn end(&self, ending: Ending) {
        let first =
            self.ending.compare_exchange(0, ending as u8, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if first {
            let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.ended_after.store(micros, Ordering::Relaxed);
        }
    }

    /// A header's value, if it is there once or more and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// The entry as the control API shows it.
    pub fn to_json(&self) -> Value {
        let headers: Vec<Value> = self
            .headers
            .iter()
            .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
            .collect();
        let ending = match self.ending.load(Ordering::Relaxed) {
            1 => "complete",
            2 => "cut",
            3 => "client_closed",
            _ => "open",
        };
        json!({
            "order": self.order,
            "at_us": u64::try_from(self.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()).unwrap_or(0),
            "provider": self.provider,
            "method": self.method.as_str(),
            "path": self.uri.path_and_query().map_or("", |p| p.as_str()),
            "headers": headers,
            "body": serde_json::from_slice::<Value>(&self.body).unwrap_or(Value::Null),
            "raw": String::from_utf8_lossy(&self.body),
            "directives": self.told.get().cloned().unwrap_or(Value::Null),
            "usage": self.usage.get().copied().map(Usage::to_json),
            "refused": self.refused.get(),
            "status": self.status.load(Ordering::Relaxed),
            "ended": ending,
            "sent_bytes": self.sent.load(Ordering::Relaxed),
            "ended_after_us": self.ended_after.load(Ordering::Relaxed),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn entry_of(order: u64, bytes: usize) -> Entry {
        let parts = (Method::POST, Uri::from_static("/v1/messages?a=b"), HeaderMap::new());
        Entry::new(order, "anthropic", parts, Bytes::from(vec![b' '; bytes]))
    }

    #[test]
    fn the_first_ending_counts() {
        let entry = entry_of(1, 2);
        assert_eq!(entry.to_json()["ended"], "open");
        entry.end(Ending::ClientClosed);
        entry.end(Ending::Complete);
        let shown = entry.to_json();
        assert_eq!((&shown["ended"], &shown["path"]), (&json!("client_closed"), &json!("/v1/messages?a=b")));
        assert_eq!((&shown["body"], &shown["raw"]), (&Value::Null, &json!("  ")));
    }
}

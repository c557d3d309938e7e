//! Recorded answers, sent as they were: `manifest.jsonl`, a line per exchange, and the files it names.
use std::collections::HashMap;
use std::path::Path;
use std::{fs, io};

use bytes::Bytes;
use serde_json::Value;

use crate::ask::text_of;
use crate::playback::Event;

/// A recorded answer.
#[derive(Debug)]
pub struct Recording {
    /// Status.
    pub status: u16,
    /// Headers worth repeating.
    pub headers: Vec<(String, String)>,
    /// The body, cut where its events end so that delays between them can be replayed too.
    pub events: Vec<Event>,
    /// Whether it was a stream.
    pub stream: bool,
}

/// All recordings by their id.
#[derive(Debug, Default)]
pub struct Recordings(HashMap<String, Recording>);

/// Headers that belong to the connection or to an encoding the recorder has undone.
const NOT_REPEATED: [&str; 7] = [
    "transfer-encoding",
    "content-length",
    "content-encoding",
    "connection",
    "keep-alive",
    "date",
    "alt-svc",
];

impl Recordings {
    /// Reads `manifest.jsonl` and the response files it names; rows without a response are passed over.
    pub fn read(folder: &Path) -> io::Result<Recordings> {
        let mut recordings = HashMap::new();
        for (number, line) in fs::read_to_string(folder.join("manifest.jsonl"))?.lines().enumerate() {
            let row: Value = serde_json::from_str(line)
                .map_err(|e| io::Error::other(format!("manifest.jsonl line {}: {e}", number + 1)))?;
            let Some(file) = row["response_file"].as_str() else { continue };
            let body = fs::read(folder.join(file))
                .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", folder.join(file).display())))?;
            recordings.insert(text_of(&row, "id").to_owned(), recording(&row, file, body.into()));
        }
        Ok(Recordings(recordings))
    }

    /// The recording of this id.
    pub fn of(&self, id: &str) -> Option<&Recording> {
        self.0.get(id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

fn recording(row: &Value, file: &str, body: Bytes) -> Recording {
    let stream = file.ends_with(".sse");
    let recorded = row["resp_headers"].as_object().into_iter().flatten();
    let mut headers: Vec<(String, String)> = recorded
        .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().unwrap_or_default().to_owned()))
        .filter(|(name, value)| !NOT_REPEATED.contains(&name.as_str()) && !value.is_empty())
        .collect();
    if !headers.iter().any(|(name, _)| name == "content-type") {
        let usual = if stream { "text/event-stream" } else { "application/json" };
        headers.push(("content-type".into(), usual.into()));
    }
    let status = row["status"].as_u64().and_then(|s| u16::try_from(s).ok()).unwrap_or(200);
    Recording { status, headers, events: if stream { frames(body) } else { vec![whole(body)] }, stream }
}

fn whole(bytes: Bytes) -> Event {
    Event { bytes, content: true }
}

/// The frames of an event stream, each with the blank line that ends it; together they are the body again.
fn frames(mut body: Bytes) -> Vec<Event> {
    let mut frames = Vec::new();
    while let Some(end) = frame_end(&body) {
        frames.push(whole(body.split_to(end)));
    }
    if !body.is_empty() {
        frames.push(whole(body));
    }
    frames
}

fn frame_end(body: &[u8]) -> Option<usize> {
    let after = |mark: &[u8]| body.windows(mark.len()).position(|w| w == mark).map(|at| at + mark.len());
    [after(b"\n\n"), after(b"\r\n\r\n")].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn frames_are_the_body_again() {
        let body = "data: a\n\nevent: x\ndata: b\r\n\r\ndata: torn";
        let frames = frames(Bytes::from_static(body.as_bytes()));
        assert_eq!(frames.len(), 3);
        assert_eq!(frames.iter().flat_map(|f| f.bytes.to_vec()).collect::<Vec<_>>(), body.as_bytes());
    }

    #[test]
    fn connection_headers_are_not_repeated() {
        let row = json!({"status": 529, "resp_headers": {"Transfer-Encoding": "chunked", "Request-Id": "r"}});
        let recording = recording(&row, "x.json", Bytes::from_static(b"{}"));
        let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        assert_eq!(recording.headers, [pair("request-id", "r"), pair("content-type", "application/json")]);
        assert_eq!((recording.status, recording.stream), (529, false));
    }
}

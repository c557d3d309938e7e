//! The client: what it asks, in any pieces, and what it received.

use super::chain::Part;
use super::provider::End;
use super::world::{Headers, header};
use serde_json::Value;

/// A client's request.
#[derive(Clone, Debug)]
pub struct Request {
    pub headers: Headers,
    pub pieces: Vec<Vec<u8>>,
    pub end: End,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, path: &str) -> Self {
        let headers = [
            (":method", method),
            (":scheme", "https"),
            (":authority", "gateway.example"),
            (":path", path),
            ("user-agent", "OpenAI/Python 2.0"),
            ("authorization", "Bearer key-of-the-client"),
            ("cookie", "session=cookie-of-the-client"),
        ];
        let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        Self { headers: headers.into(), pieces: Vec::new(), end: End::WithLast }
    }

    /// A chat request, whose end comes as HTTP/1 codecs tell it: in an empty piece.
    pub fn chat(body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let request = Self::new("POST", "/v1/chat/completions")
            .with("content-type", "application/json")
            .with("content-length", body.len().to_string());
        Self { pieces: vec![body.to_vec()], end: End::Separate, ..request }
    }

    /// With a header, in the place of any of that name.
    pub fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut request = self.without(name);
        request.headers.push((name.to_string(), value.as_ref().to_vec()));
        request
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    /// With the body in pieces of at most `size` bytes.
    pub fn in_pieces_of(mut self, size: usize) -> Self {
        self.pieces = self.pieces.concat().chunks(size).map(<[u8]>::to_vec).collect();
        self
    }

    pub fn ending(self, end: End) -> Self {
        Self { end, ..self }
    }

    /// What Envoy's codec makes of it.
    pub(super) fn parts(self) -> Vec<Part> {
        parts(self.headers, self.pieces, self.end)
    }
}

/// A message as a codec hands it over.
pub(super) fn parts(headers: Headers, pieces: Vec<Vec<u8>>, end: End) -> Vec<Part> {
    let bare = pieces.is_empty() && matches!(end, End::WithLast);
    let mut parts = vec![Part::Headers(headers, bare)];
    let last = pieces.len();
    let ends = |index| index == last && matches!(end, End::WithLast);
    parts.extend(pieces.into_iter().enumerate().map(|(index, piece)| Part::Data(piece, ends(index + 1))));
    match end {
        End::Separate => parts.push(Part::Data(Vec::new(), true)),
        End::Trailers(trailers) => parts.push(Part::Trailers(trailers)),
        End::WithLast | End::Reset | End::Stall | End::Unreachable => {}
    }
    parts
}

/// How an answer ended for the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    Complete,
    /// The connection was cut.
    Cut,
}

/// What the client received.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
    /// What reached the client upon each of the provider's pieces; its headers alone count as one.
    pub arrivals: Vec<Vec<u8>>,
    pub trailers: Option<Headers>,
    pub ending: Ending,
}

impl Answer {
    /// A header's value; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = header(&self.headers, name).unwrap_or_default();
        std::str::from_utf8(value).expect("a header that is UTF-8")
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body that is UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:.200}", self.text()))
    }

    /// The data of each event of a stream, as a client's parser sees it: an event that lacks its blank line is none.
    pub fn events(&self) -> Vec<String> {
        let text = self.text().replace("\r\n", "\n");
        let mut frames: Vec<&str> = text.split("\n\n").collect();
        frames.pop();
        let data = |frame: &str| {
            let lines: Vec<_> = frame.lines().filter_map(|line| line.strip_prefix("data:")).collect();
            (!lines.is_empty()).then(|| lines.join("\n").trim_start().to_string())
        };
        frames.into_iter().filter_map(data).collect()
    }

    /// The events that are JSON: all but the end mark.
    pub fn chunks(&self) -> Vec<Value> {
        let events = self.events().into_iter().filter(|data| data != "[DONE]");
        events
            .map(|data| serde_json::from_str(&data).unwrap_or_else(|_| panic!("no JSON: {data:.200}")))
            .collect()
    }

    /// What the stream says.
    pub fn said(&self) -> String {
        let chunks = self.chunks();
        let texts = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
        texts.collect()
    }

    /// Whether the stream ends as a complete one does.
    pub fn is_finished(&self) -> bool {
        self.events().last().is_some_and(|data| data == "[DONE]")
    }

    /// The error of a body or of a stream's last event, in OpenAI's form: all four members are there, and nothing else.
    pub fn error(&self) -> Value {
        let body = if self.header("content-type").starts_with("text/event-stream") {
            self.chunks().pop().expect("an event")
        } else {
            self.json()
        };
        let error = &body["error"];
        let members: Vec<_> = error.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        assert_eq!(members, ["message", "type", "param", "code"], "{body}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
        assert!(error["type"].is_string(), "{body}");
        error.clone()
    }
}

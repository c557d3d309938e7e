//! A scripted provider: what it answers, in which pieces and how that ends.

use super::chain::Part;
use super::client::parts;
use super::world::Headers;

/// How a message ends.
#[derive(Clone, Debug)]
pub enum End {
    /// In an empty piece of its own, as with HTTP/1.
    Separate,
    /// With its last piece, or with its headers if there is none.
    WithLast,
    /// In trailers, as with gRPC-minded HTTP/2 servers: no piece says that it is the last.
    Trailers(Headers),
    /// Never: the connection breaks.
    Reset,
    /// Never: nothing more comes until somebody's patience ends.
    Stall,
    /// Never: there is no connection to begin with.
    Unreachable,
}

/// A provider's response.
#[derive(Clone, Debug)]
pub struct Response {
    /// None if the connection breaks before.
    pub headers: Option<Headers>,
    pub pieces: Vec<Vec<u8>>,
    pub end: End,
}

impl Response {
    fn new(status: u16, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        let headers = vec![
            (":status".to_string(), status.to_string().into_bytes()),
            ("content-type".to_string(), content_type.as_bytes().to_vec()),
            ("server".to_string(), b"provider".to_vec()),
            ("set-cookie".to_string(), b"cookie-of-the-provider".to_vec()),
        ];
        Self { headers: Some(headers), pieces: vec![body.as_ref().to_vec()], end: End::Separate }
    }

    /// A JSON body of known length.
    pub fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        let length = body.as_ref().len().to_string();
        Self::new(status, "application/json", body).with("content-length", length)
    }

    /// An event stream.
    pub fn stream(body: impl AsRef<[u8]>) -> Self {
        Self::new(200, "text/event-stream", body)
    }

    /// An error in OpenAI's form.
    pub fn error(status: u16, message: &str) -> Self {
        let body = format!(
            r#"{{"error":{{"message":"{message}","type":"provider_type","param":null,"code":"provider_code"}}}}"#
        );
        Self::json(status, body)
    }

    /// No body at all.
    pub fn bare(status: u16) -> Self {
        let response = Self::new(status, "application/json", "");
        Self { pieces: Vec::new(), end: End::WithLast, ..response }
    }

    /// The connection breaks before the response.
    pub fn refused() -> Self {
        Self { headers: None, pieces: Vec::new(), end: End::Reset }
    }

    /// Nobody is there, so that nothing is sent.
    pub fn unreachable() -> Self {
        Self { end: End::Unreachable, ..Self::refused() }
    }

    /// No response at all.
    pub fn silence() -> Self {
        Self { end: End::Stall, ..Self::refused() }
    }

    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if let Some(headers) = &mut self.headers {
            headers.retain(|(other, _)| other != name);
            headers.push((name.to_string(), value.as_ref().to_vec()));
        }
        self
    }

    pub fn in_pieces_of(mut self, size: usize) -> Self {
        self.pieces = self.pieces.concat().chunks(size).map(<[u8]>::to_vec).collect();
        self
    }

    /// In these pieces.
    pub fn in_pieces<P: AsRef<[u8]>>(mut self, pieces: impl IntoIterator<Item = P>) -> Self {
        self.pieces = pieces.into_iter().map(|piece| piece.as_ref().to_vec()).collect();
        self
    }

    /// In two pieces, cut at this byte.
    pub fn split_at(mut self, at: usize) -> Self {
        let body = self.pieces.concat();
        let (first, second) = body.split_at(at);
        self.pieces = vec![first.to_vec(), second.to_vec()];
        self
    }

    pub fn ending(self, end: End) -> Self {
        Self { end, ..self }
    }

    /// What Envoy's codec makes of it.
    pub(super) fn parts(self) -> Vec<Part> {
        self.headers.map_or_else(Vec::new, |headers| parts(headers, self.pieces, self.end))
    }
}

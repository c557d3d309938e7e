//! Images, audio and files as Gemini's parts.

use crate::chat::Part;
use crate::error::ApiError;
use crate::json::{Object, Text};
use std::borrow::Cow;

/// Something that is not text.
#[derive(Clone, Debug)]
pub(super) enum Media<'d> {
    /// The bytes themselves.
    Inline {
        mime: Cow<'static, str>,
        /// Holds the base64 text, from `start` on.
        source: Text<'d>,
        start: usize,
    },
    /// An address that the provider reads.
    File { mime: &'static str, uri: Text<'d> },
}

/// MIME types by the end of a file's name.
const TYPES: [(&str, &str); 24] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("bmp", "image/bmp"),
    ("avif", "image/avif"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/md"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("json", "application/json"),
    ("xml", "text/xml"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("m4a", "audio/m4a"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
];

impl<'d> Media<'d> {
    /// Reads a part that is not text; `path` is where it stands in the request.
    ///
    /// # Errors
    /// 400 for what this dialect has no word for, or an address that is none.
    pub fn read(part: &Part<'d>, path: impl Fn() -> String) -> Result<Self, ApiError> {
        match part {
            Part::Image { url, .. } => Self::at(url, "image/jpeg").ok_or_else(|| {
                let path = format!("{}.image_url.url", path());
                let message = format!("`{path}`: expected a base64 data URL or an http(s) URL");
                ApiError::invalid_param(path, message).coded("invalid_value")
            }),
            Part::Audio { data, format } => {
                let mime = Cow::Owned(format!("audio/{}", format.decode()));
                Ok(Self::Inline { mime, source: data.clone(), start: 0 })
            }
            Part::File { data: Some(data), name, .. } => {
                let mime = name.as_ref().and_then(|name| named(&name.decode())).unwrap_or("application/pdf");
                Ok(Self::at(data, mime).unwrap_or_else(|| {
                    let mime = Cow::Borrowed(mime);
                    Self::Inline { mime, source: data.clone(), start: 0 }
                }))
            }
            Part::File { id: Some(id), name, .. } => {
                let mime = name.as_ref().and_then(|name| named(&name.decode())).unwrap_or("application/pdf");
                let path = || format!("{}.file.file_id", path());
                let message =
                    "Gemini knows files only by their address or inline, not by an id of another provider";
                Self::at(id, mime).ok_or_else(|| ApiError::unsupported(path(), message))
            }
            Part::File { .. } => {
                let path = format!("{}.file", path());
                let message = format!("`{path}`: expected `file_data` or `file_id`");
                Err(ApiError::invalid_param(path, message).coded("missing_required_parameter"))
            }
            Part::Text(_) | Part::Refusal(_) | Part::Other(_) => {
                let kind = if let Part::Other(kind) = part { kind.decode() } else { "text".into() };
                let message = format!("content of type '{kind}' cannot be said to Gemini here");
                Err(ApiError::unsupported(format!("{}.type", path()), message))
            }
        }
    }

    /// What stands at an address: a data URL holds it, an http(s) or Cloud Storage one is for the
    /// provider to read.
    fn at(url: &Text<'d>, default: &'static str) -> Option<Self> {
        if let Some((mime, start)) = data_url(url.as_bytes()) {
            let mime = if mime.is_empty() { Cow::Borrowed(default) } else { Cow::Owned(mime) };
            return Some(Self::Inline { mime, source: url.clone(), start });
        }
        let plain = url.decode();
        if let Some((mime, start)) = data_url(plain.as_bytes()).filter(|_| url.as_bytes().contains(&b'\\')) {
            // The header was escaped, as by writers that put a backslash before every slash.
            let mime = if mime.is_empty() { Cow::Borrowed(default) } else { Cow::Owned(mime) };
            return Some(Self::Inline { mime, source: Text::of(&plain).into_owned(), start });
        }
        let scheme = plain.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase())?;
        let known = matches!(scheme.as_str(), "https" | "http" | "gs");
        let path = plain.split(['?', '#']).next().unwrap_or_default();
        known.then(|| Self::File { mime: named(path).unwrap_or(default), uri: url.clone() })
    }

    /// Writes the part's member: `inlineData` or `fileData`.
    pub fn write(&self, part: &mut Object<'_>) {
        match self {
            Self::Inline { mime, source, start } => part.object("inlineData", |data| {
                data.string("mimeType", mime);
                let out = data.value("data");
                out.push(b'"');
                out.extend_from_slice(source.as_bytes().get(*start..).unwrap_or_default());
                out.push(b'"');
            }),
            Self::File { mime, uri } => part.object("fileData", |data| {
                data.string("mimeType", mime);
                data.text("fileUri", uri);
            }),
        }
    }
}

/// The MIME type of a base64 data URL and where its data begins.
fn data_url(url: &[u8]) -> Option<(String, usize)> {
    let (scheme, rest) = url.split_at_checked(5)?;
    let comma = memchr::memchr(b',', rest.get(..rest.len().min(512))?)?;
    let header = std::str::from_utf8(rest.get(..comma)?).ok().filter(|header| !header.contains('\\'))?;
    let header = header.to_ascii_lowercase();
    let sound = scheme.eq_ignore_ascii_case(b"data:") && header.ends_with(";base64");
    let mime = header.split(';').next().unwrap_or_default().trim().to_string();
    sound.then_some((mime, comma.saturating_add(6)))
}

fn named(name: &str) -> Option<&'static str> {
    let end = name.rsplit_once('.')?.1.to_ascii_lowercase();
    TYPES.iter().find(|(known, _)| *known == end).map(|(_, mime)| *mime)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::json::{Document, Surrogates, object};

    fn written(url: &str) -> Option<String> {
        let quoted = format!("\"{url}\"");
        let document = Document::parse(quoted.as_bytes(), Surrogates::Paired).unwrap();
        let media = Media::at(&document.root().text().unwrap(), "image/jpeg")?;
        let mut out = Vec::new();
        object(&mut out, |part| media.write(part));
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn addresses_are_inlined_or_left_to_the_provider() {
        let inline = |mime: &str, data: &str| {
            Some(format!(r#"{{"inlineData":{{"mimeType":"{mime}","data":"{data}"}}}}"#))
        };
        let file = |mime: &str, uri: &str| {
            Some(format!(r#"{{"fileData":{{"mimeType":"{mime}","fileUri":"{uri}"}}}}"#))
        };
        for (url, expected) in [
            ("data:image/png;base64,iVBO/+==", inline("image/png", "iVBO/+==")),
            ("DATA:image/PNG;charset=x;BASE64,AAAA", inline("image/png", "AAAA")),
            (r"data:image\/webp;base64,AA\/A", inline("image/webp", "AA/A")),
            ("data:;base64,AAAA", inline("image/jpeg", "AAAA")),
            ("https://example.com/a.PNG?x=.gif", file("image/png", "https://example.com/a.PNG?x=.gif")),
            ("https://example.com/a", file("image/jpeg", "https://example.com/a")),
            ("gs://bucket/a.pdf", file("application/pdf", "gs://bucket/a.pdf")),
            ("data:image/png,notbase64", None),
            ("ftp://example.com/a.png", None),
            ("", None),
        ] {
            assert_eq!(written(url), expected, "{url}");
        }
    }
}

//! Images and documents: by address, in place, or from the provider's own store of files.

use super::content::{Block, Kind};
use crate::base64;
use crate::error::ApiError;
use crate::json::{Object, Text};
use crate::provider::Outgoing;

/// Where an image or a document is.
#[derive(Clone, Debug)]
pub(super) enum Source<'r> {
    Url(Text<'r>),
    Base64 { media_type: String, data: Text<'r> },
    Text(Text<'r>),
    File(Text<'r>),
}

impl Source<'_> {
    /// Writes the members of `source`.
    pub fn write(&self, source: &mut Object<'_>) {
        match self {
            Self::Url(url) => {
                source.string("type", "url");
                source.text("url", url);
            }
            Self::Base64 { media_type, data } => {
                source.string("type", "base64");
                source.string("media_type", media_type);
                source.text("data", data);
            }
            Self::Text(text) => {
                source.string("type", "text");
                source.string("media_type", "text/plain");
                source.text("data", text);
            }
            Self::File(id) => {
                source.string("type", "file");
                source.text("file_id", id);
            }
        }
    }
}

/// An image or a document, by address or in place.
///
/// # Errors
/// 400 for what is neither, and for types that the API does not take.
pub(super) fn block<'r>(
    url: &'r Text<'r>,
    title: Option<&'r Text<'r>>,
    at: &dyn Fn() -> String,
) -> Result<Block<'r>, ApiError> {
    let title = title.filter(|title| !title.is_blank()).map(Text::borrow);
    let start =
        String::from_utf8_lossy(url.as_bytes().get(..8).unwrap_or(url.as_bytes())).to_ascii_lowercase();
    if start.starts_with("http:") || start.starts_with("https:") {
        let address = url.decode();
        let path = address.split(['?', '#']).next().unwrap_or_default();
        let pdf = path.len().checked_sub(4).and_then(|end| path.get(end..));
        let source = Source::Url(url.borrow());
        return Ok(match pdf.is_some_and(|end| end.eq_ignore_ascii_case(".pdf")) {
            true => Kind::Document { source, title }.into(),
            false => Kind::Image(source).into(),
        });
    }
    let invalid = |message: &str| ApiError::invalid_param(at(), message.to_string()).coded("invalid_value");
    let in_place = Some(url).filter(|_| start.starts_with("data:")).and_then(|url| url.split_once(b','));
    let Some((head, data)) = in_place else {
        return Err(invalid("expected an http(s) address or a data URL (`data:image/png;base64,…`)"));
    };
    let head = head.decode().to_ascii_lowercase();
    let mut head = head.get(5..).unwrap_or_default().split(';').map(str::trim);
    let media_type = head.next().unwrap_or_default().to_string();
    if !head.any(|parameter| parameter == "base64") {
        return Err(invalid("expected a data URL in base64"));
    }
    let in_place =
        |media_type: &str| Source::Base64 { media_type: media_type.to_string(), data: data.clone() };
    Ok(match media_type.as_str() {
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" => Kind::Image(in_place(&media_type)).into(),
        "image/jpg" => Kind::Image(in_place("image/jpeg")).into(),
        "application/pdf" => Kind::Document { source: in_place(&media_type), title }.into(),
        text if text.starts_with("text/") || text == "application/json" => {
            let text = base64::decode(&data.decode()).and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or_else(|| invalid("expected UTF-8 text in base64"))?;
            Kind::Document { source: Source::Text(Text::of(&text).into_owned()), title }.into()
        }
        other => {
            let message = format!(
                "this model takes png, jpeg, gif and webp images, pdf and text documents, not '{other}'"
            );
            return Err(ApiError::unsupported(at(), message));
        }
    })
}

/// A file of the provider's store, by its id.
///
/// # Errors
/// 400 for a file of another's.
pub(super) fn stored<'r>(
    id: &'r Text<'r>,
    name: Option<&'r Text<'r>>,
    outgoing: &mut Outgoing,
    at: &dyn Fn(&str) -> String,
) -> Result<Block<'r>, ApiError> {
    // OpenAI's ids begin with `file-`: such a file is not in Anthropic's store.
    if !id.as_bytes().starts_with(b"file_") {
        let message = format!("the file '{}' is not in this provider's store", id.decode());
        return Err(ApiError::unsupported(at(".file.file_id"), message));
    }
    let beta = ("anthropic-beta", "files-api-2025-04-14".to_string());
    if !outgoing.headers.contains(&beta) {
        outgoing.headers.push(beta);
    }
    Ok(Kind::Document { source: Source::File(id.borrow()), title: name.map(Text::borrow) }.into())
}

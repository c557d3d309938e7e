//! What an HTTP error of a provider means to the client, whatever the provider's dialect.
//!
//! The status says whose doing it is. The gateway's own credentials are not the client's: where a
//! provider refuses them the client is told of a failing server, and no key appears in a message.

use crate::error::{ApiError, Blame};

/// The longest text taken from a body that is not the provider's usual JSON, in characters.
const MOST: usize = 300;

/// The error that the status alone makes of a message; an empty message gets a plain sentence.
pub(super) fn described(status: u16, message: String) -> ApiError {
    let message = if message.trim().is_empty() {
        format!("the provider answered with status {status} and no message")
    } else {
        masked(&message)
    };
    let (kind, code, blame) = match status {
        401 => {
            let message = "the provider refused the gateway's credentials";
            return ApiError::new(502, "server_error", message).coded("provider_authentication_failed");
        }
        402 => ("insufficient_quota", Some("insufficient_quota"), Blame::Target),
        403 => ("permission_error", None, Blame::Target),
        404 => ("invalid_request_error", Some("model_not_found"), Blame::Target),
        408 => ("timeout", None, Blame::Target),
        429 => ("rate_limit_error", Some("rate_limit_exceeded"), Blame::Target),
        400 | 413 | 422 => ("invalid_request_error", None, Blame::Request),
        400..500 => ("invalid_request_error", None, Blame::Target),
        503 | 529 => ("server_error", Some("overloaded"), Blame::Target),
        504 => ("timeout", None, Blame::Target),
        _ => ("server_error", None, Blame::Target),
    };
    // 529 is nobody's standard, and less than 400 is no error.
    let status = match status {
        529 => 503,
        400..600 => status,
        _ => 502,
    };
    let error = ApiError::new(status, kind, message).blaming(blame);
    match code {
        Some(code) => error.coded(code),
        None => error,
    }
}

/// The text of a body that may be HTML: tags, scripts and styles gone, white space joined, bounded.
pub(super) fn plain_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut plain = String::new();
    let mut rest = text.as_ref();
    while let Some((before, tag)) = rest.split_once('<') {
        plain.push_str(before);
        plain.push(' ');
        let lower: String = tag.chars().take(6).collect::<String>().to_ascii_lowercase();
        let end = match lower.as_str() {
            name if name.starts_with("script") => "</script>",
            name if name.starts_with("style") => "</style>",
            name if name.starts_with("!--") => "-->",
            _ => ">",
        };
        rest = tag.split_once(end).map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    bounded(&plain)
}

/// White space joined and the end cut off where the text is longer than a message should be.
fn bounded(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Words that look like keys, without what makes them keys.
fn masked(message: &str) -> String {
    let prefixes = ["sk-", "sk_", "gsk_", "xai-", "csk-", "fw_", "AIza", "key-", "pk-"];
    let looks_like_key = |word: &str| {
        let word = word.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        word.len() >= 8 && prefixes.iter().any(|prefix| word.starts_with(prefix))
    };
    if !message.split_whitespace().any(looks_like_key) {
        return message.to_string();
    }
    let mask = |word| if looks_like_key(word) { "***" } else { word };
    message.split(' ').map(mask).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_a_short_sentence() {
        let body = b"<html><head><style>a{}</style><title>502 Bad\n Gateway</title></head><body><h1>nginx</h1></body>";
        assert_eq!(plain_text(body), "502 Bad Gateway nginx");
        assert_eq!(plain_text(b""), "");
        assert!(plain_text(&[b'a'; 9000]).chars().count() <= MOST + 1);
    }

    #[test]
    fn a_key_is_never_repeated() {
        let error = described(400, "Incorrect key provided: sk-abcdef123456. See the docs.".to_string());
        assert_eq!(error.message, "Incorrect key provided: *** See the docs.");
    }
}

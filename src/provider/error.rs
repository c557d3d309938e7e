//! What a provider's refusal means by its HTTP status alone, and what of its body people may read.
//!
//! The dialects know more where the body says more; this is what holds for all of them: the
//! gateway's own bad credentials are never the client's, keys never reach a message, and HTML
//! becomes a sentence.

use crate::error::{ApiError, Blame};
use crate::json::{Document, Surrogates};

/// The longest message made from a body that is not the provider's own JSON, in characters.
const LONGEST: usize = 300;

/// How much of such a body is looked at, in bytes.
const READ: usize = 16_384;

/// The error that `status` stands for, with the provider's `message` (or a plain sentence where
/// there is none).
pub(super) fn described(status: u16, message: String) -> ApiError {
    let message = masked(message.trim());
    let message =
        if message.is_empty() { format!("the provider answered with status {status}") } else { message };
    let error = |status, kind: &'static str| ApiError::new(status, kind, message.clone());
    match status {
        400 | 422 => error(status, "invalid_request_error").blaming(Blame::Request),
        401 => unauthenticated(&message),
        402 => error(402, "insufficient_quota").coded("insufficient_quota"),
        403 => error(403, "permission_error").coded("request_forbidden"),
        404 => error(404, "invalid_request_error").coded("model_not_found"),
        408 => error(408, "server_error").coded("timeout"),
        413 => error(413, "invalid_request_error").coded("request_too_large").blaming(Blame::Request),
        429 => error(429, "rate_limit_error").coded("rate_limit_exceeded"),
        504 => error(504, "server_error").coded("timeout"),
        // 529 is Anthropic's own "overloaded"; proxies and clients know 503.
        503 | 529 => error(503, "server_error").coded("overloaded"),
        500..=599 => error(status, "server_error"),
        400..=499 => error(status, "invalid_request_error"),
        _ => error(502, "server_error").coded("bad_provider_response"),
    }
}

/// The provider does not accept the gateway's key: nothing the client could mend.
pub(super) fn unauthenticated(message: &str) -> ApiError {
    let message = format!("the provider refused the gateway's credentials: {}", masked(message));
    ApiError::new(502, "server_error", message).coded("provider_authentication_failed")
}

/// The JSON in a body. On the streaming path some providers, and proxies before them, frame an error
/// as an event.
pub(super) fn json_in(body: &[u8]) -> Option<Document<'_>> {
    let framed = || body.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data:"));
    let parse = |text| Document::parse(text, Surrogates::Lone).ok();
    parse(body).or_else(|| parse(framed()?))
}

/// A body as text for people: without markup, on one line, not long.
pub(super) fn plain_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..READ).unwrap_or(body));
    let text =
        if text.contains("</") || text.contains("/>") { without_markup(&text) } else { text.into_owned() };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default().trim_end()),
        None => line,
    }
}

fn without_markup(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        let hidden = ["script", "style", "head", "!--"].into_iter().find(|name| {
            tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                && !tag.get(name.len()..).is_some_and(|after| after.starts_with(char::is_alphanumeric))
        });
        rest = match hidden {
            Some("!--") => tag.split_once("-->").map_or("", |(_, after)| after),
            Some(name) => after_end_tag(tag, name),
            None => tag.split_once('>').map_or("", |(_, after)| after),
        };
    }
    text.push_str(rest);
    let entities =
        [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text, |text, (entity, plain)| text.replace(entity, plain))
}

/// What follows `</name>`; nothing where the element is never closed.
fn after_end_tag<'h>(html: &'h str, name: &str) -> &'h str {
    let mut rest = html;
    while let Some((_, tag)) = rest.split_once("</") {
        if tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return tag.split_once('>').map_or("", |(_, after)| after);
        }
        rest = tag;
    }
    ""
}

/// The text with every word that looks like a key, or a piece of one, replaced.
pub(super) fn masked(text: &str) -> String {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*' | '.');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(inside) {
        let (before, word) = rest.split_at_checked(start).unwrap_or((rest, ""));
        let end = word.find(|c| !inside(c)).unwrap_or(word.len());
        // A full stop after the word is the sentence's.
        let end = word.get(..end).map_or(end, |word| word.trim_end_matches('.').len().max(1));
        let (word, after) = word.split_at_checked(end).unwrap_or((word, ""));
        out.push_str(before);
        out.push_str(if is_key(word) { "***" } else { word });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn is_key(word: &str) -> bool {
    let prefixes = [
        "sk-", "xai-", "gsk_", "AIza", "pplx-", "fw_", "csk-", "tgp_", "hf_", "nvapi-", "r8_", "AQ.",
        "ya29.", "eyJ",
    ];
    let known = word.len() > 8 && prefixes.iter().any(|prefix| word.starts_with(prefix));
    // Mistral's, Azure's and Together's keys are nothing but letters and digits.
    let alphanumeric = word.chars().all(|c| c.is_ascii_alphanumeric());
    let random = word.len() >= 32 && alphanumeric && word.contains(|c: char| c.is_ascii_digit());
    // A key the provider has already shortened, as in `abcd****wxyz`.
    let shortened = word.contains("***") && word.len() > 3;
    known || random || shortened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_alone_says_what_the_client_sees_and_whose_doing_it_is() {
        let cases = [
            (400, 400, "invalid_request_error", None, Blame::Request),
            (401, 502, "server_error", Some("provider_authentication_failed"), Blame::Target),
            (402, 402, "insufficient_quota", Some("insufficient_quota"), Blame::Target),
            (403, 403, "permission_error", Some("request_forbidden"), Blame::Target),
            (404, 404, "invalid_request_error", Some("model_not_found"), Blame::Target),
            (408, 408, "server_error", Some("timeout"), Blame::Target),
            (409, 409, "invalid_request_error", None, Blame::Target),
            (413, 413, "invalid_request_error", Some("request_too_large"), Blame::Request),
            (422, 422, "invalid_request_error", None, Blame::Request),
            (429, 429, "rate_limit_error", Some("rate_limit_exceeded"), Blame::Target),
            (500, 500, "server_error", None, Blame::Target),
            (503, 503, "server_error", Some("overloaded"), Blame::Target),
            (504, 504, "server_error", Some("timeout"), Blame::Target),
            (529, 503, "server_error", Some("overloaded"), Blame::Target),
            (302, 502, "server_error", Some("bad_provider_response"), Blame::Target),
        ];
        for (status, seen, kind, code, blame) in cases {
            let error = described(status, "m".into());
            let found = (error.status, error.kind.as_ref(), error.code.as_deref(), error.blame);
            assert_eq!(found, (seen, kind, code, blame), "{status}");
        }
        assert_eq!(described(500, " ".into()).message, "the provider answered with status 500");
    }

    #[test]
    fn markup_becomes_a_sentence() {
        let html = b"<!DOCTYPE html>\n<html><head><title>x</title><style>a{}</style></head>\n<!-- <b> -->\
            <body><h1>502 Bad&nbsp;Gateway</h1><script>alert('</p>')</script><p>nginx &amp; co</p></body></html>";
        assert_eq!(plain_text(html), "502 Bad Gateway nginx & co");
        assert_eq!(plain_text(b" upstream\n timed < out "), "upstream timed < out");
        assert_eq!(plain_text(b"<head>never closed</hea"), "");
        assert_eq!(plain_text(&"\u{e9}".repeat(400).into_bytes()).chars().count(), 301);
        assert_eq!(plain_text(b""), "");
    }

    #[test]
    fn keys_are_masked_and_other_words_are_not() {
        for (text, expected) in [
            ("Incorrect API key provided: sk-abcdefghij. See x.", "Incorrect API key provided: ***. See x."),
            ("key sk-pro****************wxyz!", "key ***!"),
            ("Bearer 0123456789abcdef0123456789abcdef?", "Bearer ***?"),
            ("bad key \"AIzaSyD-1234_567\"", "bad key \"***\""),
            ("token eyJhbGciOi.eyJzdWIi.c2ln", "token ***"),
            ("req_011CSPWKXCRRY6RUpJykZ77v **bold** claude-sonnet-4-5-20250929", ""),
            ("tool `toolu_01YGzqpRE16Vricda3Aqcejo` 123e4567-e89b-12d3-a456-426614174000 é", ""),
        ] {
            assert_eq!(masked(text), if expected.is_empty() { text } else { expected });
        }
        let error = described(401, "Incorrect API key provided: sk-abcdefghij".into());
        assert_eq!(
            error.message,
            "the provider refused the gateway's credentials: Incorrect API key provided: ***"
        );
    }
}

//! What must hold of whatever comes out, however broken what went in.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::openai_client as client;
use super::replay::{Asked, Got};
use modelgate::chat::Request;
use modelgate::config::Vendor;
use modelgate::embeddings::{self, Encoding, Wanted};
use modelgate::json::{Document, Surrogates};
use modelgate::provider::{Target, adapter};
use serde_json::Value;

/// Halves of surrogate pairs are passed on, because the next fragment may hold the other half; only
/// this test's parser refuses them.
pub fn paired(body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    for at in 0..body.len().saturating_sub(5) {
        let backslashes = body[..=at].iter().rev().take_while(|byte| **byte == b'\\').count();
        let half =
            matches!(body[at + 1..at + 4], [b'u', b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F']);
        if backslashes % 2 == 1 && half && body[at + 4..at + 6].iter().all(u8::is_ascii_hexdigit) {
            body[at + 2..at + 6].copy_from_slice(b"fffd");
        }
    }
    body
}

/// What came of a vendor's answer is sound for a client that asked so.
pub fn check_answer(vendor: Vendor, asked: Asked, got: &Got) -> Result<(), String> {
    let body = &paired(&got.body);
    let sound = match got.status {
        200 if adapter(vendor).is_canonical() => return Ok(()),
        200 if asked.stream => client::stream(body, asked.include_usage).and_then(|seen| {
            if seen.done || seen.error.is_some() { Ok(()) } else { Err("neither end nor error".to_string()) }
        }),
        200 => client::completion(body).map(drop),
        _ => client::error(body).map(drop),
    };
    // What stands in the arguments of a call is the model's affair, its id the provider's.
    let theirs = |why: &String| why.starts_with("arguments") || why.starts_with("two tool calls have the id");
    sound.or_else(|why| if theirs(&why) { Ok(()) } else { Err(why) })
}

/// A request is said in sound JSON to each vendor that it fits; how many those are, or none if it is no request.
pub fn check_request(body: &[u8], target: Target<'_>) -> Option<usize> {
    let document = Document::parse(body, Surrogates::Paired).ok()?;
    let request = Request::read(document.root()).ok()?;
    let said = |vendor: &&Vendor| {
        let adapter = adapter(**vendor);
        let (fits, outgoing) = (adapter.fits(&request, target), adapter.request(&request, target));
        let shown = || format!("{vendor:?} {target:?}\n{}", String::from_utf8_lossy(body));
        match (&fits, &outgoing) {
            (Ok(()), Ok(outgoing)) => {
                let sent: Value = serde_json::from_slice(&outgoing.body).unwrap_or_else(|why| {
                    panic!("{why}: {}\n{}", shown(), String::from_utf8_lossy(&outgoing.body))
                });
                assert!(sent.is_object(), "{}", shown());
                let mut names = outgoing.dropped.clone();
                names.sort();
                names.dedup();
                assert_eq!(names.len(), outgoing.dropped.len(), "{:?} {}", outgoing.dropped, shown());
                true
            }
            (Err(fits), Err(request)) => {
                assert_eq!(fits, request, "{}", shown());
                false
            }
            _ => panic!("{fits:?} but {outgoing:?}\n{}", shown()),
        }
    };
    Some(Vendor::ALL.iter().filter(said).count())
}

/// A request for embeddings is said to each vendor, and an answer read from each, in sound JSON; how often either was.
pub fn check_embeddings(body: &[u8], answer: &[u8]) -> (usize, usize) {
    let (mut said, mut read) = (0, 0);
    for vendor in Vendor::ALL {
        let adapter = adapter(*vendor);
        let target = Target { model: "m", max_output_tokens: None };
        let document = Document::parse(body, Surrogates::Paired).ok();
        let request = document.as_ref().and_then(|document| embeddings::Request::read(document.root()).ok());
        if let Some(outgoing) = request.and_then(|request| adapter.embeddings(body, &request, target).ok()) {
            said += 1;
            let sent: Value = serde_json::from_slice(&outgoing.body).unwrap();
            assert!(sent.is_object(), "{vendor:?} {sent}");
        }
        let Ok(document) = Document::parse(answer, Surrogates::Lone) else { continue };
        for encoding in [Encoding::Float, Encoding::Base64] {
            let wanted = Wanted { encoding, vectors: 2, dimensions: None, tokens: 7 };
            let Ok(vectors) = adapter.embedded(answer, document.root(), wanted, target) else {
                continue;
            };
            read += 1;
            let body = vectors.body.unwrap_or_else(|| answer.to_vec());
            let body: Value = serde_json::from_slice(&paired(&body)).unwrap();
            assert_eq!(body["data"].as_array().unwrap().len(), 2, "{vendor:?} {body}");
        }
    }
    (said, read)
}

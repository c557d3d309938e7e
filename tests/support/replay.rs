//! One attempt with a provider's response played to it, as Envoy would hand it over.
#![allow(dead_code, clippy::unwrap_used)]

use modelgate::attempt::{Attempt, Head, Outcome, Piece};
use modelgate::config::{Config, Vendor};
use modelgate::plan::{Operation, Plan, PlannedTarget};
use std::rc::Rc;

/// What the client asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub stream: bool,
    pub include_usage: bool,
    pub functions: bool,
}

pub const WHOLE: Asked = Asked { stream: false, include_usage: false, functions: false };
pub const STREAM: Asked = Asked { stream: true, ..WHOLE };
pub const STREAM_WITH_USAGE: Asked = Asked { include_usage: true, ..STREAM };

/// What the client gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Got {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub outcome: Outcome,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// An attempt at a vendor; no other target is left.
pub fn attempt(vendor: Vendor, asked: Asked) -> Attempt {
    attempt_by(vendor, asked, &[])
}

/// The same where content rules look at the answer: one takes numbers and `secret` out, the other denies what says `forbidden`.
pub fn screened(vendor: Vendor, asked: Asked) -> Attempt {
    attempt_by(vendor, asked, &["taken-out", "denied"])
}

fn attempt_by(vendor: Vendor, asked: Asked, rules: &[&str]) -> Attempt {
    let config = r#"{"providers": {"p": {"vendor": "VENDOR", "base_url": "https://p.example/v1", "api_key": {"value": "the-key-of-p"}, "allow_unlisted": true}}, "auth": {"anonymous": {"consumer": "anonymous"}},
        "content_rules": [{"name": "taken-out", "applies_to": "output", "action": "redact", "keywords": ["secret"], "patterns": ["\\d{3,}"], "window": 64},
            {"name": "denied", "applies_to": "output", "action": "deny", "keywords": ["forbidden"]}]}"#;
    let config = Config::parse(config.replace("VENDOR", vendor.as_str()).as_bytes(), &|_| None).unwrap();
    let target = PlannedTarget {
        provider: "p".into(),
        vendor,
        cluster: "p".into(),
        model: "model".into(),
        name: "model".into(),
        body_passes: false,
        max_output_tokens: None,
        edits: None,
    };
    let plan = Plan {
        operation: Operation::Chat,
        request_id: "req-1".to_string(),
        fired: String::new(),
        rules: rules.iter().map(|rule| (*rule).into()).collect(),
        targets: vec![target],
        length: 0,
        headers: Vec::new(),
        dropped: String::new(),
        kept: false,
        stream: asked.stream,
        include_usage: asked.include_usage,
        functions: asked.functions,
        metered: None,
    };
    Attempt::begin(Rc::new(plan), 1, 1_700_000_000, &config).unwrap()
}

/// Plays a response whose body arrives in these pieces; the end comes in a piece of its own.
pub fn play<'a>(
    mut attempt: Attempt,
    status: u16,
    content_type: &str,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Got {
    let shown = status.to_string();
    let headers = [(":status", shown.as_bytes()), ("content-type", content_type.as_bytes())];
    let mut release = attempt.on_response_head(Head { status, headers: &headers, ends: false });
    let (mut held, mut body) = (Vec::new(), Vec::new());
    let pieces = pieces.map(|piece| (piece, false)).chain([(&b""[..], true)]);
    for (piece, ends) in pieces {
        held.extend_from_slice(piece);
        if !ends && attempt.waits(held.len()) {
            continue;
        }
        let (begins, piece) = attempt.on_response_body(&held, ends);
        assert!(begins.is_none() || release.is_none(), "the head is let go twice");
        release = release.or(begins);
        match piece {
            Piece::Wait => continue,
            Piece::Take => {}
            Piece::Pass => body.extend_from_slice(&held),
            Piece::Write(bytes) => body.extend(bytes),
        }
        held.clear();
        assert!(release.is_some() || body.is_empty(), "a body before its head");
    }
    let release = release.expect("a response without a head");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let headers: Vec<_> =
        release.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let got = Got { status: release.status(), headers, body, outcome: release.outcome };
    if let Some(length) = got.header("content-length") {
        assert_eq!(length, got.body.len().to_string(), "content-length");
    }
    got
}

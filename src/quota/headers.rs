//! The headers that tell clients how their limits stand, in two dialects.
//!
//! OpenAI's `x-ratelimit-*` for the tightest limit of requests and the tightest of tokens, whatever their windows are, and
//! `RateLimit` with `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10) for every limit: lists of strings, the
//! limits' names, with parameters (RFC 9651).

use super::denied::{Denied, Retry};
use super::standing::{Standing, lasting};
use crate::config::{Counted, Kind, Limit, Window};
use crate::time::{DAY, HOUR, MINUTE, Timestamp};
use std::fmt::Write;

/// A header's name and value.
pub type Header = (&'static str, String);

/// The largest integer that a structured field can say (RFC 9651, section 3.3.1).
const LARGEST: u64 = 999_999_999_999_999;
/// A wait that no client's automatic retry should sit out, in milliseconds; OpenAI's SDKs do not wait longer either.
pub const PATIENCE: u64 = 60_000;

/// How the limits stand, the tightest first; nothing where there are none.
#[must_use]
pub fn rate_limit(standings: &[Standing]) -> Vec<Header> {
    let mut headers = Vec::with_capacity(8);
    let tightest = |wanted: fn(Kind) -> bool| {
        standings.iter().find(|standing| standing.is_shown() && wanted(standing.limit.kind))
    };
    if let Some(standing) = tightest(|kind| matches!(kind, Kind::Requests(_))) {
        headers.extend(openai(
            standing,
            ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
        ));
    }
    if let Some(standing) = tightest(|kind| matches!(kind, Kind::Tokens(..))) {
        headers.extend(openai(
            standing,
            ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
        ));
    }
    let (mut policies, mut limits) = (String::new(), String::new());
    for standing in standings.iter().filter(|standing| standing.is_shown()) {
        ietf(standing, &mut policies, &mut limits);
    }
    if !policies.is_empty() {
        headers.push(("ratelimit-policy", policies));
        headers.push(("ratelimit", limits));
    }
    headers
}

/// When to ask again after a refusal. `retry-after` is in whole seconds (RFC 9110), rounded up; OpenAI's SDKs understand the
/// exact `retry-after-ms`, and by `x-should-retry` that a retry is no use.
#[must_use]
pub fn retry_after(denied: &Denied, now: Timestamp) -> Vec<Header> {
    let wait = denied.wait(now);
    let mut headers = Vec::with_capacity(3);
    if let Some(wait) = wait {
        headers.push(("retry-after", wait.div_ceil(1_000).to_string()));
        headers.push(("retry-after-ms", wait.to_string()));
    }
    if denied.retry == Retry::Never || wait.is_some_and(|wait| wait > PATIENCE) {
        headers.push(("x-should-retry", "false".to_owned()));
    }
    headers
}

fn openai(standing: &Standing, [limit, remaining, reset]: [&'static str; 3]) -> [Header; 3] {
    [
        (limit, standing.limit.size.to_string()),
        (remaining, standing.remaining.to_string()),
        (reset, lasting(standing.resets_in.unwrap_or(0)).to_string()),
    ]
}

fn ietf(standing: &Standing, policies: &mut String, limits: &mut String) {
    let limit = &*standing.limit;
    let name = limit.name.as_str();
    let comma = if policies.is_empty() { "" } else { ", " };
    // Writing to a string cannot fail.
    let _ = write!(policies, "{comma}\"{name}\";q={}", quantity(limit, limit.size));
    let _ = unit(limit.kind).map_or(Ok(()), |unit| write!(policies, ";qu=\"{unit}\""));
    let _ = seconds(limit.kind).map_or(Ok(()), |seconds| write!(policies, ";w={seconds}"));
    let _ = write!(limits, "{comma}\"{name}\";r={}", quantity(limit, standing.remaining));
    let resets = standing.resets_in.map(|millis| millis.div_ceil(1_000));
    let _ = resets.map_or(Ok(()), |seconds| write!(limits, ";t={seconds}"));
}

/// Money in whole millionths of a dollar: these fields know no fractions.
fn quantity(limit: &Limit, amount: u64) -> u64 {
    match limit.kind {
        Kind::Usd(_) => amount / 1_000,
        _ => amount,
    }
    .min(LARGEST)
}

/// What is counted, where it is not requests. The draft knows `concurrent-requests`; the others are our own.
fn unit(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Requests(_) => None,
        Kind::Tokens(Counted::All, _) => Some("tokens"),
        Kind::Tokens(Counted::Input, _) => Some("input-tokens"),
        Kind::Tokens(Counted::Output, _) => Some("output-tokens"),
        Kind::Concurrent => Some("concurrent-requests"),
        Kind::Usd(_) => Some("micro-usd"),
    }
}

/// How long the window is; months have no fixed length.
fn seconds(kind: Kind) -> Option<u64> {
    let millis = match kind.window()? {
        Window::Minute => MINUTE,
        Window::Hour => HOUR,
        Window::Day => DAY,
        Window::Month => return None,
    };
    Some(millis / 1_000)
}

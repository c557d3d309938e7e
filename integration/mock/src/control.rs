//! The mock's own paths under `/_mock/`: scripts, records, releases, health.
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::ask::text_of;
use crate::directives::Directives;
use crate::route::unescape;
use crate::server::Shared;

/// Answers a request to `/_mock/…`.
pub fn control(
    shared: &Shared,
    method: &Method,
    path: &str,
    query: Option<&str>,
    body: &[u8],
) -> (StatusCode, Value) {
    let lane = query.into_iter().flat_map(|q| q.split('&')).find_map(|pair| pair.strip_prefix("lane="));
    let lane = unescape(lane.unwrap_or_default());
    match (method.as_str(), path) {
        ("GET", "/_mock/health") => {
            (StatusCode::OK, json!({"ok": true, "recordings": shared.recordings.len()}))
        }
        ("GET", "/_mock/requests") => {
            (StatusCode::OK, shared.lanes.entries(&lane).iter().map(|e| e.to_json()).collect())
        }
        ("DELETE", "/_mock/requests") => {
            shared.lanes.clear(&lane);
            (StatusCode::OK, json!({"cleared": lane}))
        }
        ("POST", "/_mock/release") => {
            shared.lanes.release(&lane);
            (StatusCode::OK, json!({"released": lane}))
        }
        ("POST", "/_mock/script") => match script(shared, &lane, body) {
            Ok(queued) => (StatusCode::OK, json!({"queued": queued})),
            Err(why) => (StatusCode::BAD_REQUEST, json!({"error": why})),
        },
        _ => (StatusCode::NOT_FOUND, json!({"error": format!("mock: no {method} {path}")})),
    }
}

/// Queues a script once all of it has been understood.
fn script(shared: &Shared, lane: &str, body: &[u8]) -> Result<usize, String> {
    let script: Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let lane = script.get("lane").and_then(Value::as_str).unwrap_or(lane);
    let provider = match text_of(&script, "provider") {
        "" => "*",
        name => name,
    };
    let directives = script["directives"].as_array().ok_or("directives: a list is wanted")?.clone();
    for directive in &directives {
        Directives::default().extend(directive)?;
    }
    let queued = directives.len();
    shared.lanes.tell(lane, provider, directives);
    Ok(queued)
}

//! The server over real sockets: what a client and the control API see.
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mock_providers::{Server, listen};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn server() -> SocketAddr {
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Server::new(None).unwrap().serve(listener));
    address
}

/// What came back: status line and headers, then the body with its framing, and whether the end was orderly.
struct Seen {
    head: String,
    body: String,
    reset: bool,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

async fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Seen {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let reset = stream.read_to_end(&mut bytes).await.is_err();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    Seen { head: head.into(), body: body.into(), reset }
}

const BEARER: &str = "authorization: Bearer key\r\n";
const ANTHROPIC: &str = "x-api-key: key\r\nanthropic-version: 2023-06-01\r\n";

fn chat(model: &str, stream: bool) -> String {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hello"}]}).to_string()
}

async fn openai(address: SocketAddr, lane: &str, model: &str, stream: bool) -> Seen {
    send(address, "POST", &format!("/lane/{lane}/v1/chat/completions"), BEARER, &chat(model, stream)).await
}

async fn records(address: SocketAddr, lane: &str) -> Vec<Value> {
    let seen = send(address, "GET", &format!("/_mock/requests?lane={lane}"), "", "").await;
    seen.json().as_array().cloned().unwrap()
}

#[tokio::test]
async fn each_provider_answers_in_its_own_form() {
    let address = server().await;
    let whole = openai(address, "a", "gpt-4o", false).await.json();
    assert_eq!(whole["choices"][0]["message"]["content"], "This is gpt-4o from openai. You said: hello");

    let body =
        json!({"model": "claude-x", "max_tokens": 99, "messages": [{"role": "user", "content": "hello"}]});
    let whole = send(address, "POST", "/v1/messages?beta=true", ANTHROPIC, &body.to_string()).await.json();
    assert_eq!(whole["content"][0]["text"], "This is claude-x from anthropic. You said: hello");

    let body = json!({"contents": [{"parts": [{"text": "hello"}]}]}).to_string();
    let path = "/v1beta/models/gemini-2.5-flash:generateContent";
    let whole = send(address, "POST", path, "x-goog-api-key: key\r\n", &body).await.json();
    let parts = &whole["candidates"][0]["content"]["parts"];
    assert_eq!(parts[0]["text"], "This is gemini-2.5-flash from gemini. You said: hello");
}

#[tokio::test]
async fn missing_credentials_are_refused_in_each_form() {
    let address = server().await;
    let refused = send(address, "POST", "/v1/chat/completions", "", &chat("gpt-4o", false)).await;
    assert!(refused.head.starts_with("HTTP/1.1 401"), "{}", refused.head);
    let refused = send(address, "POST", "/v1/messages", BEARER, &chat("claude-x", false)).await;
    assert_eq!(refused.json()["error"]["type"], "authentication_error");
    let refused = send(address, "POST", "/v1beta/models/g:generateContent", BEARER, "{}").await;
    assert_eq!(refused.json()["error"]["status"], "PERMISSION_DENIED");
}

#[tokio::test]
async fn a_stream_has_its_events_and_its_end() {
    let seen = openai(server().await, "a", "gpt-4o", true).await;
    assert!(seen.head.contains("content-type: text/event-stream"), "{}", seen.head);
    assert!(seen.body.contains("\"delta\":{\"role\":\"assistant\",\"content\":\"\""), "{}", seen.body);
    assert!(seen.body.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"), "{}", seen.body);
}

#[tokio::test]
async fn a_cut_stream_lacks_its_end_and_is_recorded_as_cut() {
    let address = server().await;
    let seen = openai(address, "cut", "gpt-4o+cut=400", true).await;
    assert!(
        !seen.reset && !seen.body.contains("[DONE]") && !seen.body.ends_with("0\r\n\r\n"),
        "{}",
        seen.body
    );
    let record = &records(address, "cut").await[0];
    assert_eq!((&record["ended"], &record["sent_bytes"]), (&json!("cut"), &json!(400)));
}

#[tokio::test]
async fn a_reset_comes_without_an_answer_or_after_the_bytes_told() {
    let address = server().await;
    let seen = openai(address, "r", "gpt-4o+reset", false).await;
    assert!(seen.reset && seen.head.is_empty());
    let seen = openai(address, "r", "gpt-4o+reset+cut=10", false).await;
    assert!(seen.reset);
}

#[tokio::test]
async fn a_script_is_followed_step_by_step() {
    let address = server().await;
    let script = json!({"lane": "s", "provider": "openai",
                        "directives": [{"status": 503, "retry_after": "7"}, {"error": "rate_limit"}, {}]});
    let queued = send(address, "POST", "/_mock/script", "", &script.to_string()).await;
    assert_eq!(queued.json()["queued"], 3);
    let first = openai(address, "s", "gpt-4o", false).await;
    assert!(
        first.head.starts_with("HTTP/1.1 503") && first.head.contains("retry-after: 7"),
        "{}",
        first.head
    );
    assert_eq!(openai(address, "s", "gpt-4o", false).await.json()["error"]["code"], "rate_limit_exceeded");
    assert!(openai(address, "s", "gpt-4o", false).await.head.starts_with("HTTP/1.1 200"));
    let wrong = send(address, "POST", "/_mock/script", "", r#"{"directives":[{"sttaus":1}]}"#).await;
    assert!(wrong.head.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn requests_are_remembered_by_lane_until_cleared() {
    let address = server().await;
    openai(address, "one", "gpt-4o", false).await;
    openai(address, "two", "gpt-4o+status=500", false).await;
    let seen = records(address, "two").await;
    assert_eq!(seen.len(), 1);
    assert_eq!((&seen[0]["provider"], &seen[0]["status"]), (&json!("openai"), &json!(500)));
    assert_eq!(seen[0]["body"]["messages"][0]["content"], "hello");
    assert!(seen[0]["headers"].as_array().unwrap().contains(&json!(["authorization", "Bearer key"])));
    send(address, "DELETE", "/_mock/requests?lane=two", "", "").await;
    assert!(records(address, "two").await.is_empty());
    assert_eq!(records(address, "one").await.len(), 1);
}

#[tokio::test]
async fn a_recording_is_sent_as_it_was() {
    let folder = std::env::temp_dir().join(format!("mock-recordings-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let row = json!({"id": "a/one", "status": 200, "response_file": "one.sse", "resp_headers": {"request-id": "req_1"}});
    std::fs::write(folder.join("manifest.jsonl"), row.to_string() + "\n").unwrap();
    std::fs::write(folder.join("one.sse"), "data: a\n\ndata: b\n\n").unwrap();
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Server::new(Some(&folder)).unwrap().serve(listener));
    let seen = openai(address, "replay", "gpt-4o+replay=a/one", true).await;
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(seen.head.contains("request-id: req_1"), "{}", seen.head);
    assert_eq!(seen.body, "9\r\ndata: a\n\n\r\n9\r\ndata: b\n\n\r\n0\r\n\r\n");
}

#[tokio::test]
async fn an_error_event_comes_before_the_first_content() {
    let address = server().await;
    let body = json!({"model": "claude-x+error_after=0", "max_tokens": 99, "stream": true,
                      "messages": [{"role": "user", "content": "hello"}]});
    let seen = send(address, "POST", "/v1/messages", ANTHROPIC, &body.to_string()).await;
    assert!(seen.head.starts_with("HTTP/1.1 200"));
    assert!(seen.body.contains("event: message_start") && !seen.body.contains("text_delta"));
    assert!(
        seen.body
            .contains("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"")
    );
}

#[tokio::test]
async fn a_delayed_first_event_leaves_the_headers_at_once() {
    let address = server().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = chat("gpt-4o+delay_first=300", true);
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: m\r\n{BEARER}content-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let start = Instant::now();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = vec![0; 4096];
    let read = stream.read(&mut bytes).await.unwrap();
    let head = String::from_utf8_lossy(&bytes[..read]).into_owned();
    assert!(head.contains("200 OK") && !head.contains("data:"), "{head}");
    assert!(stream.read(&mut bytes).await.unwrap() > 0);
    assert!(start.elapsed() >= Duration::from_millis(290));
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let address = server().await;
    let leave = openai(address, "gone", "gpt-4o+delay_headers=5000", false);
    assert!(tokio::time::timeout(Duration::from_millis(100), leave).await.is_err());
    for _ in 0..100 {
        if records(address, "gone").await[0]["ended"] == "client_closed" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("still open");
}

#[tokio::test]
async fn what_is_held_goes_when_its_lane_is_released() {
    let address = server().await;
    let held = tokio::spawn(async move { openai(address, "a", "gpt-4o+hold", false).await });
    let elsewhere = openai(address, "b", "gpt-4o+hold", false);
    assert!(tokio::time::timeout(Duration::from_millis(100), elsewhere).await.is_err());
    assert!(!held.is_finished());
    assert_eq!(records(address, "a").await[0]["ended"], "open");
    send(address, "POST", "/_mock/release?lane=a", "", "").await;
    assert!(held.await.unwrap().head.starts_with("HTTP/1.1 200"));
    assert!(openai(address, "a", "gpt-4o+hold", true).await.head.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_record_says_what_the_answer_reports() {
    let address = server().await;
    let whole = openai(address, "a", "gpt-4o", false).await.json();
    for odd in ["gpt-4o+status=503", "gpt-4o+no_usage", "gpt-4o+error_after=2"] {
        openai(address, "a", odd, true).await;
    }
    let records = records(address, "a").await;
    let usage = &records[0]["usage"];
    assert_eq!(
        (&usage["prompt"], &usage["completion"]),
        (&whole["usage"]["prompt_tokens"], &whole["usage"]["completion_tokens"])
    );
    assert!(usage["prompt"].as_u64() > Some(0));
    assert_eq!(records[1..].iter().map(|r| &r["usage"]).collect::<Vec<_>>(), [&Value::Null; 3]);
}

//! Recorded traffic of every provider.
//!
//! The recordings lie beside the project (`MODELGATE_FIXTURES`, else `../shared/fixtures`) and may
//! be missing; some of the same kinds, made by hand, are part of it (`tests/fixtures/*`). A folder
//! has a `manifest.jsonl` with a line per exchange, and may have an `expect.jsonl`.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use modelgate::config::Vendor;
use modelgate::provider::{Adapter, adapter};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// One exchange.
pub struct Row {
    pub id: String,
    /// Which vendor's adapter reads it.
    pub vendor: Vendor,
    pub provider: String,
    pub status: u16,
    pub stream: bool,
    /// Whether the stream is a JSON array rather than events.
    pub array: bool,
    pub request: Option<PathBuf>,
    pub body: Vec<u8>,
    /// As the provider sent it, or should have.
    pub content_type: String,
    pub expect: Option<Value>,
}

impl Row {
    /// Who translates.
    pub fn adapter(&self) -> &'static dyn Adapter {
        adapter(self.vendor)
    }

    /// Whether the provider's dialect is OpenAI's, more or less.
    pub fn compatible(&self) -> bool {
        !["anthropic", "gemini"].contains(&self.provider.as_str())
    }

    /// Where in a complete stream the answer is over: what is cut off behind it is no loss.
    pub fn end_mark(&self) -> usize {
        let mark = match self.provider.as_str() {
            "anthropic" => "\"message_stop\"",
            "gemini" => "\"finishReason\"",
            _ => "\"finish_reason\":\"",
        };
        let spaced = mark.replace(':', ": ");
        let stream = std::str::from_utf8(&self.body).unwrap();
        let at = stream.rfind(mark).max(stream.rfind(&spaced)).unwrap_or(stream.len());
        stream[at..].find(['\n', '\r']).map_or(stream.len(), |line| at + line)
    }
}

/// Where recordings are: beside the project, and those made by hand.
fn folders() -> Vec<PathBuf> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = std::env::var_os("MODELGATE_FIXTURES").map(PathBuf::from);
    let beside = beside.unwrap_or_else(|| project.join("../shared/fixtures"));
    let own = std::fs::read_dir(project.join("tests/fixtures")).into_iter().flatten();
    let mut folders: Vec<_> = own.map(|entry| entry.unwrap().path()).chain([beside]).collect();
    folders.sort();
    folders.into_iter().filter(|folder| folder.join("manifest.jsonl").exists()).collect()
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every recording for which there is an adapter.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for folder in folders() {
        let expectations = lines(&folder.join("expect.jsonl"));
        for line in lines(&folder.join("manifest.jsonl")) {
            let text = |key: &str| line[key].as_str().map(str::to_string);
            let folder_name = || folder.file_name().map(|name| name.to_string_lossy().into_owned());
            let mut provider = text("provider").or_else(folder_name).unwrap();
            // Gemini's and Anthropic's endpoints for OpenAI's dialect.
            if line["api"] == "chat.completions" && ["gemini", "anthropic"].contains(&provider.as_str()) {
                provider = "compatible".to_string();
            }
            let Some(vendor) = Vendor::named(&provider) else { continue };
            let file = text("response_file").unwrap();
            let array = file.ends_with(".jsonarray");
            let stream = line["stream"].as_bool().unwrap();
            let events = stream && !array && line["status"] == 200;
            let content_type = line["resp_headers"]["content-type"].as_str().map(str::to_string);
            rows.push(Row {
                id: text("id").unwrap(),
                vendor,
                provider,
                status: line["status"].as_u64().unwrap().try_into().unwrap(),
                stream,
                array,
                request: text("request_file").map(|file| folder.join(file)),
                body: std::fs::read(folder.join(file)).unwrap(),
                content_type: content_type.unwrap_or_else(|| {
                    if events { "text/event-stream" } else { "application/json" }.to_string()
                }),
                expect: expectations.iter().find(|expect| expect["id"] == line["id"]).cloned(),
            });
        }
    }
    assert!(!rows.is_empty(), "no recordings found");
    rows
}

//! What Gemini refuses.
use serde_json::Value;

use super::request::list;
use crate::failure::Failure;

/// Refuses a request as Gemini would.
pub fn check(_model: &str, body: &Value) -> Result<(), Failure> {
    if list(body, "contents").is_empty() {
        return Err(Failure::bad("* GenerateContentRequest.contents: contents is not specified\n"));
    }
    Ok(())
}

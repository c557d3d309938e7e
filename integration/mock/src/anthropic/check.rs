//! What Anthropic refuses.
use serde_json::Value;

use crate::failure::Failure;

/// Refuses a request as Anthropic would.
pub fn check(_model: &str, body: &Value) -> Result<(), Failure> {
    for key in ["model", "max_tokens", "messages"] {
        if body.get(key).is_none() {
            return Err(Failure::bad(format!("{key}: Field required")));
        }
    }
    Ok(())
}

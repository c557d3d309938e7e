//! What OpenAI refuses.
use serde_json::Value;

use crate::failure::Failure;

/// Refuses a request as OpenAI would.
pub fn check(_provider: &str, _model: &str, body: &Value) -> Result<(), Failure> {
    if body.get("messages").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        return Err(Failure::bad("Missing required parameter: 'messages'.")
            .about("messages", "missing_required_parameter"));
    }
    Ok(())
}

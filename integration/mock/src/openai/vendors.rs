//! Errors as some of OpenAI's followers write them, where they differ.
use serde_json::json;

use crate::failure::{Failure, Kind, WireError};

/// Puts an error in the vendor's own form.
pub fn reword(provider: &str, failure: &Failure, error: &mut WireError) {
    let message = error.body["error"]["message"].clone();
    match (provider, failure.kind) {
        ("mistral", Kind::BadRequest) if failure.code == Some("extra_forbidden") => {
            error.status = 422;
            let detail = json!({"type": "extra_forbidden", "loc": ["body", failure.param], "msg": message});
            error.body = json!({"object": "error", "message": {"detail": [detail]},
                                "type": "invalid_request_error", "param": null, "code": null});
        }
        ("mistral", Kind::NoKey | Kind::BadKey) => error.body = json!({"detail": "Unauthorized"}),
        ("mistral", _) => {
            error.body = json!({"object": "error", "message": message, "type": error.body["error"]["type"],
                                "param": failure.param, "code": failure.code});
        }
        ("xai", Kind::NoKey | Kind::BadKey) => {
            error.status = 400;
            error.body = json!({"code": "Client specified an invalid argument",
                                "error": "Incorrect API key provided. You can obtain an API key from https://console.x.ai."});
        }
        ("xai", _) => error.body = json!({"code": "The request failed", "error": message}),
        ("deepseek", Kind::Quota) => {
            error.status = 402;
            error.body = json!({"error": {"message": "Insufficient Balance", "type": "unknown_error", "param": null,
                                          "code": "invalid_request_error"}});
        }
        ("openrouter", _) => {
            error.body = json!({"error": {"message": message, "code": error.status}, "user_id": "user_mock"});
        }
        ("azure", Kind::NoKey | Kind::BadKey) => {
            error.body = json!({"error": {"code": "401", "message": "Access denied due to invalid subscription key or \
                wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct \
                regional API endpoint for your resource."}});
        }
        _ => {}
    }
}

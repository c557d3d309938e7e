//! What Envoy answers by itself, when no provider did, in OpenAI's words.

use crate::error::{ApiError, Blame};

/// The error for a reply of Envoy's own; `details` is its response code details.
#[must_use]
pub fn local_reply(status: u16, details: &[u8]) -> ApiError {
    let details = String::from_utf8_lossy(details);
    let says = |word: &str| details.contains(word);
    match status {
        400..=499 => {
            let message = match status {
                413 => "the body is larger than this gateway buffers".to_string(),
                408 => "the request did not arrive in time".to_string(),
                _ => format!("the request was refused by the proxy ({details})"),
            };
            let error = ApiError { status, ..ApiError::invalid_request(message).blaming(Blame::Request) };
            if status == 413 { error.coded("request_too_large") } else { error }
        }
        504 => {
            let which = if says("per_try_timeout") { "began to answer" } else { "answered" };
            ApiError::new(504, "server_error", format!("no provider {which} in time")).coded("timeout")
        }
        _ if says("no_healthy_upstream") || says("cluster_not_found") => {
            ApiError::new(503, "server_error", "no provider for this model is available")
                .coded("provider_unavailable")
        }
        _ if says("response_payload_too_large") => {
            ApiError::bad_answer("the provider's answer is larger than this gateway buffers")
        }
        _ if says("overflow") || says("overloaded") => {
            ApiError::new(503, "server_error", "too many requests are under way").coded("overloaded")
        }
        _ if says("upstream_reset") || says("upstream_per_try") || says("connection") => {
            let message = "the connection to the provider failed before it answered";
            ApiError::new(503, "server_error", message).coded("provider_unavailable")
        }
        _ => ApiError::new(
            status,
            "server_error",
            format!("the proxy could not complete the request ({details})"),
        ),
    }
}

/// Whether a reply of Envoy's own says by these details that there was no connection to send the request on.
#[must_use]
pub fn is_unsent(details: &[u8]) -> bool {
    let details = String::from_utf8_lossy(details);
    let reasons =
        ["no_healthy_upstream", "cluster_not_found", "connection_failure", "connection_timeout", "overflow"];
    reasons.iter().any(|reason| details.contains(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_sent_is_told_from_what_failed_on_the_way() {
        for (details, unsent) in [
            ("no_healthy_upstream", true),
            (
                "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
                true,
            ),
            ("upstream_reset_before_response_started{connection_timeout}", true),
            ("upstream_reset_before_response_started{overflow}", true),
            ("upstream_reset_before_response_started{connection_termination}", false),
            ("upstream_per_try_timeout", false),
            ("response_payload_too_large", false),
            ("", false),
        ] {
            assert_eq!(is_unsent(details.as_bytes()), unsent, "{details}");
        }
    }

    #[test]
    fn whatever_envoy_says_has_a_status_and_a_code_of_openais() {
        for (status, details, shown, code) in [
            (413, "request_payload_too_large", 413, Some("request_too_large")),
            (408, "request_overall_timeout", 408, None),
            (403, "rbac_access_denied", 403, None),
            (503, "no_healthy_upstream", 503, Some("provider_unavailable")),
            (503, "cluster_not_found", 503, Some("provider_unavailable")),
            (
                503,
                "upstream_reset_before_response_started{connection_failure}",
                503,
                Some("provider_unavailable"),
            ),
            (
                502,
                "upstream_reset_before_response_started{protocol_error}",
                503,
                Some("provider_unavailable"),
            ),
            (503, "upstream_reset_before_response_started{overflow}", 503, Some("overloaded")),
            (504, "upstream_per_try_timeout", 504, Some("timeout")),
            (504, "response_timeout", 504, Some("timeout")),
            (500, "response_payload_too_large", 502, Some("bad_provider_response")),
            (500, "", 500, None),
        ] {
            let error = local_reply(status, details.as_bytes());
            assert_eq!((error.status, error.code.as_deref()), (shown, code), "{status} {details}");
            let kind = if status < 500 { "invalid_request_error" } else { "server_error" };
            assert_eq!(error.kind, kind, "{status} {details}");
        }
    }
}

//! What Envoy answers by itself, when no provider did, in OpenAI's words.

use crate::error::{ApiError, Blame};
use crate::quota::PATIENCE;

/// Envoy's rate limit filter has been told that there is no room for the request.
const LIMITED: &str = "request_rate_limited";
/// It could not be told, and is configured to let nothing pass then.
const UNTOLD: &str = "rate_limiter_error";

/// The error for a reply of Envoy's own; `details` is its response code details.
#[must_use]
pub fn local_reply(status: u16, details: &[u8]) -> ApiError {
    let details = String::from_utf8_lossy(details);
    let says = |word: &str| details.contains(word);
    match status {
        429 if says(LIMITED) => {
            let message = "a limit that all gateways share is reached";
            ApiError::new(429, "rate_limit_error", message)
                .coded("rate_limit_exceeded")
                .blaming(Blame::Request)
        }
        _ if says(UNTOLD) => {
            let message = "the gateway could not find out whether the request is within its limits";
            ApiError::new(503, "server_error", message).coded("limits_unavailable")
        }
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

/// Whether a reply of Envoy's own is, by these details, that of its rate limit filter, which is asked before any provider.
#[must_use]
pub fn is_limited(details: &[u8]) -> bool {
    let details = String::from_utf8_lossy(details);
    [LIMITED, UNTOLD].iter().any(|reason| details.contains(reason))
}

/// Whether a client does better not to ask again by itself, by the `retry-after` of a reply of Envoy's own: as for the gateway's limits,
/// if that is longer than a client is to have patience.
#[must_use]
pub fn is_long(retry_after: &[u8]) -> bool {
    let seconds = std::str::from_utf8(retry_after).ok().and_then(|seconds| seconds.parse::<u64>().ok());
    seconds.is_some_and(|seconds| seconds > PATIENCE / 1_000)
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
            (500, "rate_limiter_error", 503, Some("limits_unavailable")),
        ] {
            let error = local_reply(status, details.as_bytes());
            assert_eq!((error.status, error.code.as_deref()), (shown, code), "{status} {details}");
            let kind = if status < 500 { "invalid_request_error" } else { "server_error" };
            assert_eq!(error.kind, kind, "{status} {details}");
        }
    }

    #[test]
    fn clients_are_to_wait_for_a_minute_but_not_for_longer() {
        for (retry_after, long) in
            [("1", false), ("60", false), ("61", true), ("", false), ("Fri, 31 Dec 1999 23:59:59 GMT", false)]
        {
            assert_eq!(is_long(retry_after.as_bytes()), long, "{retry_after}");
        }
    }

    #[test]
    fn what_the_rate_limit_filter_refuses_is_told_like_any_limit() {
        let error = local_reply(429, b"request_rate_limited");
        assert_eq!((error.status, &*error.kind), (429, "rate_limit_error"));
        assert_eq!(error.code.as_deref(), Some("rate_limit_exceeded"));
        assert_eq!(error.blame, Blame::Request);
    }

    #[test]
    fn what_the_rate_limit_filter_has_refused_was_for_no_provider_yet() {
        for (details, limited) in [
            ("request_rate_limited", true),
            ("rate_limiter_error", true),
            ("via_upstream", false),
            ("overflow", false),
            ("", false),
        ] {
            assert_eq!(is_limited(details.as_bytes()), limited, "{details}");
        }
    }
}

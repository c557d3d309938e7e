//! What is counted, in Redis: one number for each descriptor and window.
use std::io;

use crate::limits::{Limit, Limits};
use crate::messages::{Code, CurrentLimit, Descriptor, RateLimitRequest, RateLimitResponse, Seconds, Status};
use crate::redis::Redis;

/// Counts a request, whether there is room for it or not, and says whether there was; `now` in seconds since 1970.
///
/// # Errors
/// If Redis cannot be asked: then nobody knows.
pub(crate) async fn count(
    request: &RateLimitRequest,
    limits: &Limits,
    redis: &Redis,
    now: u64,
) -> io::Result<RateLimitResponse> {
    let found: Vec<_> = request.descriptors.iter().map(|one| limits.find(&request.domain, one)).collect();
    let mut commands = Vec::new();
    for (descriptor, limit) in request.descriptors.iter().zip(&found) {
        let Some(limit) = limit else { continue };
        let hits = descriptor.hits_addend.map_or(u64::from(request.hits_addend.max(1)), |hits| hits.value);
        let key = key(&request.domain, descriptor, limit, now);
        commands.push(vec!["INCRBY".to_owned(), key.clone(), hits.to_string()]);
        commands.push(vec!["EXPIRE".to_owned(), key, limit.unit.seconds().to_string()]);
    }
    let mut counted = redis.numbers(&commands).await?.into_iter().step_by(2);
    let statuses: Vec<_> = found
        .into_iter()
        .map(|limit| match limit {
            Some(limit) => status(limit, counted.next().unwrap_or_default(), now),
            None => Status { code: Code::Ok.into(), ..Status::default() },
        })
        .collect();
    let is_over = statuses.iter().any(|status| status.code() == Code::OverLimit);
    let overall = if is_over { Code::OverLimit } else { Code::Ok };
    Ok(RateLimitResponse { overall_code: overall.into(), statuses })
}

/// What a limit says when so many are counted.
fn status(limit: &Limit, counted: u64, now: u64) -> Status {
    let size = limit.requests_per_unit;
    let left = u64::from(size).checked_sub(counted);
    let window = limit.unit.seconds();
    Status {
        code: if left.is_some() { Code::Ok } else { Code::OverLimit }.into(),
        current_limit: Some(CurrentLimit { requests_per_unit: size, unit: limit.unit as i32 }),
        limit_remaining: left.and_then(|left| u32::try_from(left).ok()).unwrap_or_default(),
        duration_until_reset: Some(Seconds { seconds: (window - now % window).cast_signed() }),
    }
}

/// The name of a descriptor's counter in the window that is open now.
fn key(domain: &str, descriptor: &Descriptor, limit: &Limit, now: u64) -> String {
    let entries = descriptor.entries.iter().map(|entry| format!("{}_{}_", entry.key, entry.value));
    let window = limit.unit.seconds();
    format!("{domain}_{}{}", entries.collect::<String>(), now / window * window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Unit;

    const LIMIT: Limit = Limit { unit: Unit::Minute, requests_per_unit: 3, unlimited: false };

    #[test]
    fn as_many_fit_as_the_limit_says() {
        for (counted, code, left) in [(0, Code::Ok, 3), (3, Code::Ok, 0), (4, Code::OverLimit, 0)] {
            let status = status(&LIMIT, counted, 100);
            assert_eq!((status.code(), status.limit_remaining), (code, left), "{counted}");
            assert_eq!(status.duration_until_reset.map(|until| until.seconds), Some(20));
        }
    }

    #[test]
    fn each_window_has_a_counter() {
        let entry = crate::Entry { key: "consumer".to_owned(), value: "acme".to_owned() };
        let descriptor = Descriptor { entries: vec![entry], hits_addend: None };
        let at = |now| key("gateway", &descriptor, &LIMIT, now);
        assert_eq!(at(100), "gateway_consumer_acme_60");
        assert_eq!((at(119), at(120)), (at(60), "gateway_consumer_acme_120".to_owned()));
    }
}

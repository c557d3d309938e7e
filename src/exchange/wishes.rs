//! What a client wishes for beyond OpenAI's API: by headers that begin with `x-modelgate-`, or by members of `metadata`, which say
//! the same without the beginning. A header stands above the member.

use crate::chat::Request;
use crate::config::Constraints;
use crate::error::ApiError;
use crate::json::{Kind, Value};
use crate::money::NanoUsd;

/// With this, the headers begin.
pub const PREFIX: &str = "x-modelgate-";

/// Which headers of a request begin so, without that beginning, as they came.
pub type Wishes = Vec<(String, Vec<u8>)>;

/// What a wish says, and how the client has called it.
pub(super) struct Wish {
    pub text: String,
    pub place: String,
}

/// What is wished for under this name: `max-cost-usd` as a header, `max_cost_usd` in `metadata`.
pub(super) fn wish(name: &str, wishes: &Wishes, metadata: Option<Value<'_>>) -> Option<Wish> {
    if let Some((_, value)) = wishes.iter().find(|(other, _)| other == name) {
        let text = String::from_utf8_lossy(value).trim().to_owned();
        return Some(Wish { text, place: format!("{PREFIX}{name}") });
    }
    let member = name.replace('-', "_");
    let value = metadata?.get(&member).filter(|value| value.kind() != Kind::Null)?;
    let text = value.text().map(|text| text.decode().into_owned());
    let text = text.unwrap_or_else(|| String::from_utf8_lossy(value.raw()).into_owned());
    Some(Wish { text, place: format!("metadata.{member}") })
}

/// What the client wants whoever answers to keep to.
///
/// # Errors
/// 400 for what is no number.
pub(super) fn constraints(wishes: &Wishes, request: &Request<'_>) -> Result<Constraints, ApiError> {
    let metadata = request.get("metadata");
    if wishes.is_empty() && metadata.is_none() {
        return Ok(Constraints::default());
    }
    let number = |name, expected, is: &dyn Fn(f64) -> bool| {
        let Some(Wish { text, place }) = wish(name, wishes, metadata) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| is(*number));
        number.map(Some).ok_or_else(|| {
            let shown: String = text.chars().take(64).collect();
            ApiError::invalid_param(place, format!("'{shown}' is not {expected}")).coded("invalid_value")
        })
    };
    let positive = |number: f64| number > 0.0 && number.is_finite();
    let cost = number("max-cost-usd", "an amount in USD, more than 0", &positive)?;
    let latency = number("max-latency-ms", "a number of milliseconds, more than 0", &positive)?;
    let quality = number("min-quality", "a number from 0 to 1", &|number| (0.0..=1.0).contains(&number))?;
    Ok(Constraints {
        // What is more than there is money is no constraint.
        max_cost: cost.and_then(|usd| NanoUsd::from_usd(usd).ok()),
        max_latency_ms: latency.map(|ms| ms.ceil() as u64),
        min_quality: quality.map(|score| (score * 1_000.0).round() as u16),
    })
}
